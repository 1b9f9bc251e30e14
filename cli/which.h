/* SPDX-License-Identifier: MPL-2.0 */
/*
 * which - the runs and tasks that a person names.
 *
 * RUN:  12, last, or a name given with --name
 * TASK: RUN/name, RUN/name[key], RUN/:failed; a name alone is of the last run
 */
#ifndef CLI_WHICH_H
#define CLI_WHICH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "cli/cli.h"
#include "flow/plan.h"
#include "lib/runs.h"
#include "store/history.h"
#include "store/store.h"

/*
 * The runs that a command looks at: the broker's, if there is one, else those
 * of the store. A problem is told; 0, or what to exit with.
 */
int which_open(const struct cli *cli, enum store_mode mode, struct runs **ret);

/* What makes no sense without a broker is refused. */
int which_needs_broker(const struct cli *cli);
/* ... and the broker's connection. */
int which_broker(const struct cli *cli, struct client **ret);

struct which {
    struct runs *runs;
    struct history *history;
    struct plan_id *ids; /* the tasks that were named */
    size_t nid;
    bool whole; /* no task was named: the run */
};

/*
 * Open the runs and load a run (NULL: the last), or a run with the tasks
 * named in it. On failure the error is told and what the program is to exit
 * with is returned; 0 is success. Release it in either case.
 */
int which_run(struct which *self, const struct cli *cli, const char *name);
int which_task(struct which *self, const struct cli *cli, const char *name);
void which_release(struct which *self);

/* Add " 'text'" quoted so that a shell takes it as one word. */
void which_quote(struct buf *out, const char *text);

/* Add the shell word that names an instance of a run: '12/train[8,3]'. */
void which_name(struct buf *out, uint64_t run, const char *task);

#endif
