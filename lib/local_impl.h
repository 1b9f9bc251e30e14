/* SPDX-License-Identifier: MPL-2.0 */
/*
 * local_impl - what the parts of the local executor share: local.c goes
 * through the run, attempt.c carries one attempt out. Nobody else includes
 * this.
 */
#ifndef LIB_LOCAL_IMPL_H
#define LIB_LOCAL_IMPL_H

#include "base/buf.h"
#include "exec/exec.h"
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
    struct exec *exec;       /* NULL until a process is needed */
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

/* LEAT_RUN and so on: what a command can know of itself. */
struct context {
    char *strings[6];
};

/* Everything a command is made of, evaluated. */
struct material {
    json_t *bindings, *env, *argv, *input;
    char *cwd;
    struct context context;
};

/* Carry out one attempt and report it to the run. */
void attempt_carry_out(struct local *self, struct plan_id id);

/* The attempt ends in a state that is no success, and why. */
void attempt_fail(struct attempt *a, enum plan_state state, const char *cause);

/* A template of the task as text; NULL with the attempt failed. */
char *attempt_eval_text(struct local *self, const struct tmpl *tmpl,
                        const char *what);

int material_gather(struct local *self, struct material *m);
void material_release(struct material *m);

/* Start a process and see it to its end; -1 with the attempt failed. */
int attempt_exec(struct local *self, struct exec_spec *spec,
                 struct exec_done *done);

/* What the way a process ended makes of the attempt. */
void attempt_judge(struct attempt *a, const struct exec_done *done);

/* systemd's ExecCondition: 0 go on, 1-254 skip, 255 or a signal fail. */
bool attempt_condition_holds(struct local *self, const struct material *m);

void attempt_command(struct local *self, const struct material *m);
void attempt_call(struct local *self);
void attempt_call_forked(struct local *self);

/*
 * Wait for something to happen, but no longer than until `until`: flush, tick,
 * interrupts and the run's own deadline are seen to. 1: an attempt of exec has
 * ended, *done.
 */
int local_wait(struct local *self, int64_t until, struct exec_done *done);

/* Nothing more is to be started: interrupted, out of time, or broken. */
bool local_is_ending(const struct local *self);

/* The store has failed: remember why, and end what runs. */
void local_break(struct local *self, const struct err *err);

/* Output of the present attempt. stream: 1, 2, or 0 for leat's own words. */
void local_output(struct local *self, int stream, const char *data, size_t n);

#endif
