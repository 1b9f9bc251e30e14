/* SPDX-License-Identifier: MPL-2.0 */
/*
 * worker - the processes that make an agent's C calls, one a slot and program.
 *
 *   [NONE] --first call--> [STARTING] --it serves--> [READY] <--> [CALLING]
 *                              | can't be started   | idle, another program,
 *                              v                    | crash, time-out, cancel
 *                        calls are refused          v
 *                                                 [NONE]
 *
 * Speaks to lib/worker.h's side over a stream socket, in Lane and Return
 * frames, and through a page of memory (proto/page.h); everything is a
 * descriptor in one epoll. Callbacks are made from inside workers_handle, and
 * call nothing of this.
 */
#ifndef AGENT_WORKER_H
#define AGENT_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "proto/items.h"

struct workers;

struct workers_calls {
    /* It is being made. Not told of those that end soon. */
    void (*began)(void *ctx, uint32_t ticket);
    void (*output)(void *ctx, uint32_t ticket, int stream, const char *data,
                   size_t n);
    void (*ended)(void *ctx, const struct result *result);
    /* Its worker crashed, or was ended, before it began. */
    void (*not_begun)(void *ctx, uint32_t ticket);
    void *ctx;
};

int workers_new(struct workers **ret, uint32_t slots,
                const struct workers_calls *calls, struct err *err);
/* See exec_set_process. */
void workers_set_files(struct workers *self, uint64_t files);
/* Kills what runs; says nothing of it. */
void workers_destroy(struct workers **self_p);

/* A call for a slot. */
struct workers_call {
    uint32_t slot;
    uint32_t ticket;
    const struct work *work; /* borrowed until it has ended, or not begun */
    const char *program;     /* a file here that can be executed */
    const char *cwd;         /* where to call it, or NULL */
    /* NAME=VALUE, NULL-terminated, or NULL: what its worker has over the
     * agent's environment; for others another one is started. */
    const char *const *env;
};

/* Put a call behind those of the slot's worker. What it points to, but the
 * work, need not outlive the call. Nothing is sent before workers_handle. */
void workers_call(struct workers *self, const struct workers_call *from);
/* End a call: its worker with all its processes, if it has begun. */
void workers_stop(struct workers *self, uint32_t ticket, bool at_once);

/* Stop and go on reading what workers send: a full one waits. Ends of processes
 * and time-outs are seen to all the same. */
void workers_hold(struct workers *self, bool hold);

/* To poll; then workers_handle. It also wants to be called at *until
 * (monotonic), and after workers_call and workers_stop. */
int workers_fd(const struct workers *self);
void workers_handle(struct workers *self, int64_t now, int64_t *until);
/* Processes there are. */
uint32_t workers_count(const struct workers *self);

#endif
