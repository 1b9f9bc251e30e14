/* SPDX-License-Identifier: MPL-2.0 */
/*
 * carry_impl - what the parts of carry share: carry.c takes attempts from step
 * to step, carried.c knows what each step is made of and what its end means.
 * Nobody else includes this.
 */
#ifndef EXEC_CARRY_IMPL_H
#define EXEC_CARRY_IMPL_H

#include <sys/queue.h>

#include "exec/carry.h"
#include "exec/command.h"

enum carried_stage {
    CARRIED_WHEN,
    CARRIED_COMMAND,
    CARRIED_CALL,    /* to be handed out for its call */
    CARRIED_CALLING, /* by the owner */
    CARRIED_APART,   /* the call is made in a forked child */
    CARRIED_ENDED,   /* to be handed out */
};

struct carried {
    TAILQ_ENTRY(carried) link;
    const struct work *work; /* borrowed */
    enum carried_stage stage;
    bool cancelled;          /* nothing more is to be started for it */
    bool elsewhere;          /* cwd is not the run's home */
    char *cwd;               /* where it runs; NULL: here */
    char **env;              /* NAME=VALUE over the surrounding ones, or NULL */
    struct command *command; /* that runs: has its files; or NULL */
    struct carry_done done;
};

TAILQ_HEAD(carried_list, carried);

struct carried *carried_new(const struct work *work, const char *const *env,
                            void *tag);
void carried_destroy(struct carried **self_p);

/* It ends in a state that is no success, and why. */
void carried_fail(struct carried *self, enum plan_state state,
                  const char *cause);

/* The folder it runs in. -1: it has failed. */
int carried_find_place(struct carried *self);

/* True if what it creates is there: then it is CACHED. */
bool carried_is_created(struct carried *self);

/* Make self->command of `when` or of the task itself, for exec. */
int carried_command(struct carried *self, bool when, struct exec_spec *spec,
                    struct err *err);

/* What the end of a process makes of it. Of `when`: true to go on. */
bool carried_judge_when(struct carried *self, const struct exec_done *end);
void carried_judge_command(struct carried *self, const struct exec_done *end);
void carried_judge_call(struct carried *self, const struct exec_done *end);

/* Nothing more follows: what it should have created, when it ended. */
void carried_finish(struct carried *self);

/* In the forked child: what the call gave, for carried_judge_call. */
void carried_write_result(const struct carry_done *done, struct buf *result);

#endif
