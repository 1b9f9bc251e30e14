/* SPDX-License-Identifier: MPL-2.0 */
/*
 * worker - this process, started by an agent, answers calls of C functions.
 *
 * An agent starts a flow's program with LEAT_WORKER=FD in its environment: a
 * stream socket on which Lane frames come (specs and tasks) and Return frames
 * go. FD+1 is a page shared with the agent (struct worker_page): which call is
 * being made, and results that were not sent yet, so that a crash costs its one
 * call and nothing else.
 */
#ifndef LIB_WORKER_H
#define LIB_WORKER_H

#include <stdbool.h>

#include "flow/flow.h"

#define WORKER_ENV "LEAT_WORKER"

/* Was this process started to be a worker? Cheap. */
bool worker_is_wanted(void);

/*
 * Serve calls of this flow until the socket is closed, then _exit. Does not
 * return. A call for another flow (by the hash of its text) is refused.
 */
_Noreturn void worker_serve(const struct flow *flow);

#endif
