/* SPDX-License-Identifier: MPL-2.0 */
/*
 * watch - what people see of a run while it goes on.
 *
 * A line as each task ends and the tasks' output with their names before it;
 * on a terminal a progress bar below. Children of a large map are told of all
 * together when the last of them has ended. Of standard output that is a task's
 * value only the first lines are shown: it is data, and may be long.
 */
#ifndef CLI_WATCH_H
#define CLI_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "cli/cli.h"
#include "cli/lines.h"
#include "cli/open.h"
#include "flow/flow.h"
#include "flow/run.h"
#include "lib/local.h"

#define WATCH_CHILDREN 36  /* maps of more are told of all together */
#define WATCH_FAILURES 10  /* told of one by one */
#define WATCH_LINES    5   /* of standard output that is a value */
#define WATCH_BYTES    200 /* of each of those */

struct watch_failure {
    struct plan_id id;
    enum plan_state state;
    char *tail[OPEN_TAIL]; /* the last lines of its output, oldest first */
    size_t ntail;
};

struct watch_map {
    uint32_t n;    /* children */
    uint32_t done; /* of those */
    int64_t started;
};

struct watch {
    const struct cli *cli;
    const struct flow *flow;
    bool quiet;   /* show nothing, only remember failures */
    bool verbose; /* also what starts, every child, and every line */
    bool results; /* what tasks write to stdout goes to stdout */
    bool tag;     /* with names before the lines */
    bool many;    /* more than one task at a time: whole lines only */

    /* private */
    struct lines lines;
    struct watch_map *maps; /* a task's */
    struct buf out;         /* for stderr; written once a call */
    struct buf results_out; /* for stdout */
    struct plan_id named;   /* whose name is in `name` */
    struct buf name;
    size_t column; /* where names end */
    int64_t started, drawn;
    const struct run *run;  /* as it was last heard of */
    struct open open;       /* what runs */
    struct plan_id running; /* that began last */
    uint64_t id;            /* of the run; 0: not stored */
    struct buf bar;         /* what is on the screen; empty: none */
    uint64_t kept;
    struct watch_failure failures[WATCH_FAILURES];
    size_t nfailure;
};

/* The options are set; the rest is made ready. */
void watch_init(struct watch *self);
void watch_release(struct watch *self);

/* What local_run is to call; valid as long as self. */
struct local_watch watch_calls(struct watch *self);

/* A line of leat's own, above the bar. */
void watch_say(struct watch *self, const char *text);

/* Take the bar away and complete all lines: the run is over. */
void watch_end(struct watch *self);

#endif
