/* SPDX-License-Identifier: MPL-2.0 */
/*
 * local_impl - what the parts of the local executor share: local.c goes
 * through the run, attempt.c sees one attempt through, by a carrier or, for the
 * plain call of a function, by itself. Nobody else includes this.
 */
#ifndef LIB_LOCAL_IMPL_H
#define LIB_LOCAL_IMPL_H

#include "base/buf.h"
#include "exec/carry.h"
#include "lib/capture.h"
#include "lib/local.h"

/* The attempt that is being carried out. */
struct attempt {
    struct plan_id id;
    uint32_t number;
    const struct flow_task *task;
    enum plan_state state; /* of the outcome */
    json_t *value;
    struct buf cause;
    int code;
    int64_t started, ended; /* wall */
    int64_t cpu, memory;
    char *cwd; /* where a command runs, if not where the run was asked for */
};

struct local {
    const struct local_request *request;
    struct run *run;
    struct carrier *carrier; /* NULL until more than a plain call is needed */
    struct capture *capture; /* NULL until a C function is called */
    uint64_t id;             /* of the run in the store; 0: none */
    char *home;    /* where the run was asked for, if it is not here */
    bool homeless; /* ... and that folder does not exist */
    int here;      /* to come back from there; -1: never left */
    struct attempt *attempt; /* NULL between attempts */
    bool keep_times;         /* somebody looks at the wall clock's times */
    int64_t deadline;        /* monotonic; SPAN_NEVER */
    int64_t ticked;          /* monotonic: the last tick */
    int interrupt_fd;        /* -1: none, or closed */
    int interrupts;
    bool timed_out;
    struct buf key; /* of the child that is recorded */
    bool broken;    /* the store failed: *err */
    struct err err;
};

/* Carry out one attempt and report it to the run. */
void attempt_carry_out(struct local *self, struct plan_id id);

/* The attempt ends in a state that is no success, and why. */
void attempt_fail(struct attempt *a, enum plan_state state, const char *cause);

/* Call its function here and now. */
void attempt_call(struct local *self);

/* The same as a step of the carrier's, which is told the end; in a forked
 * child. */
void attempt_call_between(struct local *self);
void attempt_call_apart(struct local *self);

/*
 * Wait for something to happen, but no longer than until `until`: flush, tick,
 * interrupts and the run's own deadline are seen to. As carrier_wait.
 */
enum carry_step local_wait(struct local *self, int64_t until,
                           struct carry_done *done);

/* The store has failed: remember why, and end what runs. */
void local_break(struct local *self, const struct err *err);

/* Output of the present attempt. stream: 1, 2, or 0 for leat's own words. */
void local_output(struct local *self, int stream, const char *data, size_t n);

#endif
