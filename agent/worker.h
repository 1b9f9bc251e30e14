/* SPDX-License-Identifier: MPL-2.0 */
/*
 * worker - the processes that make an agent's C calls, one a slot and program.
 *
 *   [NONE] --first call--> [STARTING] --hello--> [READY] <--> [CALLING]
 *                              | can't be started   | idle, another program,
 *                              v                    | crash, time-out, cancel
 *                        calls are refused          v
 *                                                 [NONE]
 *
 * Speaks to lib/worker.h's side over a stream socket, in Lane and Return
 * frames; everything is a descriptor in one epoll.
 */
#ifndef AGENT_WORKER_H
#define AGENT_WORKER_H

#include <stdint.h>

#include "base/err.h"
#include "proto/items.h"

/*
 * What a worker shares with its agent: a memory file, descriptor FD+1 there.
 * The worker writes `current` before a call and appends finished results as
 * Return frames to `unsent`, adding to `filled` after each; it sends what is
 * there on the socket and then sets both back. After a crash the agent reads
 * what is left.
 */
struct worker_page {
    uint32_t current; /* ticket of the call that is being made; 0: none */
    uint32_t filled;  /* bytes of unsent */
    char unsent[(1u << 20) - 8];
};

struct workers;

struct workers_calls {
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
void workers_destroy(struct workers **self_p);

/* Put a call behind those of the slot's worker; `program` is a file here that
 * can be executed. cwd: where to call it, or NULL. *work is borrowed until the
 * call has ended (or not begun). */
void workers_call(struct workers *self, uint32_t slot, uint32_t ticket,
                  const struct work *work, const char *program,
                  const char *cwd);
/* End a call: its worker with all its processes. */
void workers_stop(struct workers *self, uint32_t ticket, bool at_once);

/* To poll; then workers_handle. It also wants to be called at *until. */
int workers_fd(const struct workers *self);
void workers_handle(struct workers *self, int64_t now, int64_t *until);

#endif
