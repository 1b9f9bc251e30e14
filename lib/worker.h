/* SPDX-License-Identifier: MPL-2.0 */
/*
 * worker - this process, started by an agent, answers calls of C functions.
 *
 * An agent starts a flow's program with LEAT_WORKER=FD in its environment: a
 * stream socket on which Lane frames come (specs and tasks) and Return frames
 * go. FD+1 is a page shared with the agent (proto/page.h): which call is being
 * made, and results that were not sent yet, so that a crash costs its one call
 * and nothing else. LEAT_WORKER_FLOW says which of the program's flows is meant,
 * by the hash of its text.
 *
 * Functions are called one after another, with what they print collected, as
 * the local executor does; where the run was asked for, if that folder exists
 * here; with forwarded variables in the environment.
 */
#ifndef LIB_WORKER_H
#define LIB_WORKER_H

#include <stdbool.h>

#include "base/err.h"
#include "flow/flow.h"
#include "flow/run.h"

/* Was this process started to be a worker? Cheap. False inside a call. */
bool worker_is_wanted(void);

/* The hash of a flow's text, as hex; a heap string. */
char *worker_flow_hash(const struct flow *flow);

/* Calls the state handlers of a flow: a run_hooks.handle. */
typedef enum plan_state worker_handle_fn(void *ctx, struct run_change *change);

/*
 * Serve calls of this flow, and of its state handlers (NULL: it has none) until
 * the socket is closed, then _exit. Returns only if it can't: ERR_INVALID if
 * another flow is meant, and then the process may try with that; else the
 * agent's program does not fit this one.
 */
int worker_serve(const struct flow *flow, worker_handle_fn *handle, void *ctx,
                 struct err *err);

#endif
