/* SPDX-License-Identifier: MPL-2.0 */
/*
 * options - the one table of options, and what was given on a command line.
 *
 * An option means the same in every command that takes it. Parsing, --help and
 * the completions of bash and zsh all come from the table.
 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum opt {
    OPT_HELP,
    OPT_PARAM,
    OPT_PARAMS,
    OPT_QUIET,
    OPT_VERBOSE,
    OPT_JSON,
    OPT_NAME,
    OPT_STORE,
    OPT_ENV,
    OPT_TIMEOUT,
    OPT_NO_CACHE,
    OPT_NO_STORE,
    OPT_LABEL,
    OPT_RESOURCE,
    OPT_FORMAT,
    OPT_OUTPUT,
    OPT_NUMBER,
    OPT_ALL,
    OPT_FOLLOW,
    OPT_ATTEMPT,
    OPT_RAW,
    OPT_FROM,
    OPT_WHY,
    OPT_KEEP,
    OPT_OLDER,
    OPT_DRY_RUN,
    OPT_TAG,
    OPT_NO_TAG,
    OPT_MAX_FAILS,
    OPT_RETRY,
    OPT_LIMIT,
    OPT_NULL,
    OPT_SLOTS,
    OPT_BROKER,
    OPT_LOCAL,
    OPT_DETACH,
    OPT_NOW,
    OPT_WAIT,
    OPT_HOSTS,
    OPT_COPY,
    OPT_INSECURE,
    OPT_COUNT
};

/* What stands behind an option, or in the place of a word. */
enum opt_kind {
    KIND_NONE,
    KIND_TEXT,
    KIND_NUMBER, /* 0 and up */
    KIND_MAYBE,  /* the same, and may be left out */
    KIND_SPAN,   /* a length of time */
    KIND_PAIR,   /* NAME=VALUE */
    KIND_FILE,
    KIND_FOLDER,
    KIND_FORMAT, /* of a picture */
    KIND_FLOW,
    KIND_RUN,
    KIND_TASK,
    KIND_COMMAND, /* a command of leat */
    KIND_SHELL,   /* bash or zsh */
    KIND_VERB,    /* start, stop or ls */
};

struct opt_spec {
    char letter;      /* 0: none */
    const char *name; /* without its dashes */
    enum opt_kind kind;
    const char *value; /* what --help calls its argument, or NULL */
    const char *help;
};

extern const struct opt_spec opt_specs[OPT_COUNT];

/* One option as it was given. */
struct arg {
    enum opt opt;
    const char *text; /* borrowed from argv; NULL without an argument */
    bool apart;       /* an optional one that was a word of its own */
    int64_t number;   /* KIND_NUMBER, KIND_SPAN */
};

struct args {
    struct arg *list; /* in the order given */
    size_t n;
    char **words; /* all that are no options; borrowed from argv */
    size_t nword;
};

/*
 * Read the arguments argv[1..argc-1] of a command that takes the options of the
 * list `allowed`, which OPT_COUNT ends. With `stop` whatever follows the first
 * word is a word too. Fails with ERR_INVALID: what is wrong, for people.
 */
int args_parse(struct args *ret, const enum opt *allowed, bool stop, int argc,
               char **argv, struct err *err);
void args_release(struct args *self);

bool args_has(const struct args *self, enum opt opt);
/* What was given last, or NULL. */
const char *args_text(const struct args *self, enum opt opt);
/* The option as it was given last, or NULL. */
const struct arg *args_find(const struct args *self, enum opt opt);
int64_t args_number(const struct args *self, enum opt opt, int64_t fallback);

#endif
