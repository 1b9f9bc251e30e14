/* SPDX-License-Identifier: MPL-2.0 */
/*
 * rerun - what going on with a run would execute, and why.
 */
#ifndef CLI_RERUN_H
#define CLI_RERUN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "cli/order.h"
#include "store/history.h"

enum rerun_why {
    RERUN_KEPT,  /* it has succeeded: not executed again */
    RERUN_STATE, /* it has not succeeded, or not all of its children */
    RERUN_FROM,  /* it was named with --from */
    RERUN_AFTER, /* something it depends on is executed again */
    RERUN_NEVER, /* one of these, but it is at-most-once and was started */
};

struct rerun {
    enum rerun_why why;
    uint32_t after; /* RERUN_AFTER: that */
};

/* For every task; `from` as in local_request. A heap array. */
struct rerun *rerun_find(const struct history *history,
                         const struct order *order, uint32_t from);

/* What becomes of it: "keep", "run", "fail". */
const char *rerun_verb(const struct rerun *rerun);

/* Add the reason: "it has succeeded", "it failed: exit code 3", ... */
void rerun_reason(const struct history *history, const struct rerun *rerun,
                  uint32_t task, struct buf *out);

#endif
