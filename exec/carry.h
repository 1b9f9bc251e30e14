/* SPDX-License-Identifier: MPL-2.0 */
/*
 * carry - carry out attempts as their work says, the same for every executor:
 * creates, when, the command, its value, creates again.
 *
 *   carrier_start --> creates: exists? ----------------------> ended (CACHED)
 *                     when: -------------------------> ended (SKIPPED, FAILED)
 *                     FLOW_CALL: handed out (CARRY_CALL); the owner makes the
 *                       call and says carrier_called, or carrier_call_apart
 *                     command --> its end judged, its value parsed
 *                     creates: there now? ----------------------------> ended
 *
 * Any number at once over one struct exec; never blocks but in carrier_wait.
 * Where it runs (DESIGN 3, Surroundings): cwd: of the task, relative to the
 * run's home; the home, where it exists here; else a scratch folder of the
 * attempt's own. A cache is the business of whoever starts it.
 */
#ifndef EXEC_CARRY_H
#define EXEC_CARRY_H

#include "base/buf.h"
#include "exec/exec.h"
#include "flow/work.h"

struct carrier;

/* stream: 1, 2, or 0 for leat's own words. From inside carrier_wait/start. */
typedef void carry_output_fn(void *ctx, void *tag, int stream, const char *data,
                             size_t n);

/* Its struct exec is made when a process is first needed. on_output may be
 * NULL. */
int carrier_new(struct carrier **ret, carry_output_fn *on_output, void *ctx,
                struct err *err);
/* See exec_set_process; before anything is started. */
void carrier_set_process(struct carrier *self, uint64_t files);
void carrier_destroy(struct carrier **self_p);

/*
 * Begin an attempt. `work` (borrowed, with its spec, until the attempt is handed
 * out as ended). `env` adds NAME=VALUE strings (NULL-terminated, copied, may be
 * NULL) over the surrounding environment, as CUDA_VISIBLE_DEVICES. Whatever
 * goes wrong is the attempt's end. It may have come to something at once, which
 * carrier_fd does not show: call carrier_wait until it has nothing.
 */
void carrier_start(struct carrier *self, const struct work *work,
                   const char *const *env, void *tag);

/* What carrier_wait hands out. */
enum carry_step {
    CARRY_NONE,  /* nothing yet */
    CARRY_CALL,  /* make the call, then carrier_called */
    CARRY_ENDED, /* *done is set */
};

struct carry_done {
    void *tag;
    enum plan_state state; /* final, or RETRYING: it asks for that */
    json_t *value;
    struct buf cause;
    int code;               /* exit code or signal; -1: none */
    int64_t started, ended; /* wall */
    int64_t cpu, memory;
    char *cwd;     /* where it ran, if not in the run's home; or NULL */
    bool short_of; /* the machine was: the task itself was not run (FAILED) */
};

void carry_done_release(struct carry_done *self);

/*
 * Wait up to `timeout` microseconds (negative: for ever), but only for
 * processes: without any CARRY_NONE comes at once. *done is to be released, with
 * CARRY_CALL too: then it is the tag, and cwd where to call it (NULL: here).
 */
enum carry_step carrier_wait(struct carrier *self, int64_t timeout,
                             struct carry_done *done);

/* The call has ended so: state, value, cause (taken), code, cpu, memory,
 * short_of of *called; the attempt will be handed out as ended: carrier_fd does
 * not show it. */
void carrier_called(struct carrier *self, void *tag, struct carry_done *called);

/*
 * Or: make the call now, in a forked child, under the task's time-out. It sets
 * state, value and cause of *done, which is SUCCEEDED before.
 */
typedef void carry_call_fn(void *arg, struct carry_done *done);
void carrier_call_apart(struct carrier *self, void *tag, carry_call_fn *call,
                        void *arg);

/* TERM then KILL to those with the tag (NULL: all). One that waits for its call
 * is the owner's to end. */
void carrier_cancel(struct carrier *self, const void *tag, bool at_once);

size_t carrier_running(const struct carrier *self);
int carrier_fd(struct carrier *self); /* to poll; -1: no process yet */

/* Stop and go on reading what processes write: their pipes fill. See exec_hold;
 * who is held has not ended. */
void carrier_hold(struct carrier *self, bool hold);

/* True if what it creates is there already, seen from where it would run. */
bool carry_is_created(const struct work *work);

/* The folder that its task asks for, there or not; a heap string, or NULL. */
char *carry_folder(const struct work *work);

/*
 * What a cached value depends on: the task as written, all that is bound, and
 * the folder it runs in, as asked for (nothing that ran in a scratch folder is
 * to be kept under it); hex, a heap string.
 */
char *carry_cache_key(const struct work *work);

#endif
