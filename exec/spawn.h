/* SPDX-License-Identifier: MPL-2.0 */
/*
 * spawn - start one process the way every attempt starts.
 */
#ifndef EXEC_SPAWN_H
#define EXEC_SPAWN_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "base/err.h"
#include "exec/exec.h"

#define SPAWN_STACK 65536                 /* bytes */
#define SPAWN_ABOVE (3 + EXEC_PASS_COUNT) /* what a child sets up is below */

/* The same for every attempt. */
struct spawn_context {
    void *stack;         /* SPAWN_STACK bytes, for the child until it execs */
    struct rlimit core;  /* limits of this process */
    struct rlimit rtime; /* its soft limit carries the mark */
    struct rlimit files; /* of attempts, if set_files */
    bool set_files;
    sigset_t signals; /* to be set back for a command */
};

struct spawn {
    const struct spawn_context *context;
    const struct exec_spec *spec;
    int fds[3];  /* to become 0, 1, 2; each SPAWN_ABOVE or above */
    int result;  /* of a call: becomes 3 there; likewise */
    rlim_t mark; /* see exec/tree.h; 0: none */
};

struct spawned {
    pid_t pid;
    int pidfd; /* the caller's */
};

void spawn_init(struct spawn_context *self);
/* The caller's signals stay as they are now. */
void spawn_keep_signals(struct spawn_context *self);
void spawn_release(struct spawn_context *self);

/*
 * Start spec's command, or its call in a fork of this process. *ret is set when
 * the program runs (has been executed). On failure nothing is left, and *err
 * is ERR_UNAVAILABLE if the machine is short of something.
 */
int spawn_start(const struct spawn *self, struct spawned *ret, struct err *err);

#endif
