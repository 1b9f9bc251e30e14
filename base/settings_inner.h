/* SPDX-License-Identifier: MPL-2.0 */
/*
 * settings_inner - what settings.c and settings_help.c share.
 */
#ifndef BASE_SETTINGS_INNER_H
#define BASE_SETTINGS_INNER_H

#include "base/settings.h"

/* A later one gives way to an earlier one. */
enum origin { FROM_FLAG, FROM_ENV, FROM_FILE, FROM_FALLBACK, FROM_NOWHERE };

struct value {
    enum origin from;
    int line; /* of the file that has it; 0: none */
    char *text;
    int64_t number; /* also 0 or 1 of a flag */
    char **list;
    size_t n;
    size_t cap;
};

struct settings {
    const struct setting *table; /* borrowed */
    size_t n;
    struct value *values;
    char *file; /* or NULL */
    bool named; /* by --config: it must exist */
    const char **words;
    size_t nword;
};

#endif
