/* SPDX-License-Identifier: MPL-2.0 */
/*
 * carry - carry out a run from a command line: what run, retry and each share.
 */
#ifndef CLI_CARRY_H
#define CLI_CARRY_H

#include <stdbool.h>

#include "cli/cli.h"
#include "cli/input.h"
#include "store/history.h"
#include "store/store.h"

struct carry {
    struct cli *cli;
    const struct args *args;
    const struct input *input;    /* with params */
    const struct history *resume; /* go on with this run; or NULL */
    uint32_t from;                /* of resume: a task, or PLAN_NONE */
    bool results; /* what commands write to stdout is the result */
    bool tag;     /* with results: names before the lines */
};

/* Returns what the program is to exit with. */
int carry_out(const struct carry *self);

/* The exit code of a run that has ended; timed_out: as store_run_timed_out. */
int carry_exit(enum store_run_state state, bool timed_out);

#endif
