/* SPDX-License-Identifier: MPL-2.0 */
/*
 * settings - what a daemon is told: by flag, else by environment, else by a
 * file of "name: value" lines, else by default.
 *
 * From one table come parsing, --help (which shows what is in force and from
 * where) and the errors, each with the nearest name there is. Words that are no
 * options are left to the caller. A setting of kind LIST may come more than
 * once; in the environment and the file its elements stand with commas between.
 * A flag is "yes" or "no" there. An empty variable is none. In the file #
 * begins a comment, and a value may stand in quotes. Everything told is checked,
 * also what gives way to something better.
 */
#ifndef BASE_SETTINGS_H
#define BASE_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum setting_kind {
    SETTING_FLAG,
    SETTING_TEXT,
    SETTING_NUMBER, /* 0 and up */
    SETTING_COUNT,  /* 1 and up */
    SETTING_SPAN,   /* a length of time, as span_parse takes it */
    SETTING_LIST,
};

struct setting {
    char letter;      /* 0: none */
    const char *name; /* long option, and name in the file */
    enum setting_kind kind;
    const char *env;      /* name in the environment, or NULL */
    const char *value;    /* what --help calls its argument */
    const char *fallback; /* default as text, or NULL: not set */
    const char *help;
};

struct settings;

/*
 * Read argv (whose order may change; table and words in it are borrowed), the
 * environment and the file (NULL: none; it need not exist unless --config names
 * it, which is always understood). ERR_INVALID says which flag,
 * variable or FILE:LINE is wrong, and what to do. *help is set when -h or --help
 * was given, *version for --version: then only flags are checked. A fallback
 * that is none is a mistake of the caller's (assert).
 */
int settings_read(struct settings **ret, const struct setting *table, size_t n,
                  const char *file, int argc, char **argv, bool *help,
                  bool *version, struct err *err);
/* A default that has to be found out; nothing if the setting is told. */
void settings_fall_back(struct settings *self, size_t i, const char *text);
void settings_destroy(struct settings **self_p);

/* By index into the table. */
bool settings_flag(const struct settings *self, size_t i);
const char *settings_text(const struct settings *self, size_t i); /* or NULL */
/* Or span, in microseconds; 0: not set, which settings_text tells (NULL). */
int64_t settings_number(const struct settings *self, size_t i);
/* NULL-terminated, or NULL if *n is 0. */
const char *const *settings_list(const struct settings *self, size_t i,
                                 size_t *n);
const char *const *settings_words(const struct settings *self, size_t *n);

/* The text of --help below its first lines. */
void settings_help(const struct settings *self, struct buf *out);

#endif
