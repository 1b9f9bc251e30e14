/* SPDX-License-Identifier: MPL-2.0 */
#include "exec/carry.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/span.h"
#include "exec/carry_impl.h"

struct carrier {
    carry_output_fn *on_output;
    void *ctx;
    struct exec *exec;           /* NULL until a process is needed */
    struct carried_list running; /* with a process, or being called */
    struct carried_list ready;   /* to be handed out: ENDED, or CALL */
    size_t n;                    /* in both */
    bool held;                   /* what processes write is not read */
    bool ours;                   /* see exec_set_process */
    uint64_t files;              /* ... too */
};

int
carrier_new(struct carrier **ret, carry_output_fn *on_output, void *ctx,
            struct err *err)
{
    struct carrier *self = mem_alloc(1, sizeof *self);

    (void)err;
    TAILQ_INIT(&self->running);
    TAILQ_INIT(&self->ready);
    self->on_output = on_output;
    self->ctx = ctx;
    *ret = self;
    return 0;
}

void
carrier_set_process(struct carrier *self, uint64_t files)
{
    self->ours = true;
    self->files = files;
}

static void
empty(struct carried_list *list)
{
    struct carried *c;

    while ((c = TAILQ_FIRST(list))) {
        TAILQ_REMOVE(list, c, link);
        carried_destroy(&c);
    }
}

void
carrier_destroy(struct carrier **self_p)
{
    struct carrier *self = *self_p;

    if (!self)
        return;
    exec_destroy(&self->exec); /* first: it ends those of the list */
    empty(&self->running);
    empty(&self->ready);
    free(self);
    *self_p = NULL;
}

/* ---- from step to step ---- */

static void
set_ready(struct carrier *self, struct carried *c, enum carried_stage stage)
{
    c->stage = stage;
    TAILQ_REMOVE(&self->running, c, link);
    TAILQ_INSERT_TAIL(&self->ready, c, link);
}

static void
end(struct carrier *self, struct carried *c)
{
    command_destroy(&c->command);
    carried_finish(c);
    set_ready(self, c, CARRIED_ENDED);
}

static void
pass_output(void *ctx, void *tag, enum exec_stream stream, const char *data,
            size_t n)
{
    const struct carrier *self = ctx;
    const struct carried *c = tag;

    if (self->on_output)
        self->on_output(self->ctx, c->done.tag, stream == EXEC_STDOUT ? 1 : 2,
                        data, n);
}

static int
get_exec(struct carrier *self, struct err *err)
{
    if (self->exec)
        return 0;
    if (exec_new(&self->exec, pass_output, self, err) < 0)
        return -1;
    if (self->ours)
        exec_set_process(self->exec, self->files);
    if (self->held)
        exec_hold(self->exec, true);
    return 0;
}

/* Start its process; if that fails, it has failed. */
static int
start(struct carrier *self, struct carried *c, enum carried_stage stage,
      struct exec_spec *spec)
{
    struct err err;

    c->stage = stage;
    spec->tag = c;
    spec->timeout = c->work->spec->timeout;
    spec->grace = c->work->spec->grace;
    if (get_exec(self, &err) == 0 && exec_start(self->exec, spec, &err) == 0)
        return 0;
    carried_fail(c, PLAN_FAILED, err.msg);
    c->done.short_of = err.code == ERR_UNAVAILABLE;
    return -1;
}

static void
start_command(struct carrier *self, struct carried *c, enum carried_stage stage)
{
    struct exec_spec spec = {0};
    struct err err;

    if (carried_command(c, stage == CARRIED_WHEN, &spec, &err) < 0) {
        carried_fail(c, PLAN_FAILED, err.msg);
        end(self, c);
    } else if (start(self, c, stage, &spec) < 0) {
        end(self, c);
    }
}

/* What is before the task itself is done. */
static void
go_on(struct carrier *self, struct carried *c)
{
    if (c->cancelled) {
        carried_fail(c, PLAN_CANCELLED, "cancelled");
        end(self, c);
    } else if (c->work->spec->kind == FLOW_CALL) {
        set_ready(self, c, CARRIED_CALL);
    } else {
        start_command(self, c, CARRIED_COMMAND);
    }
}

void
carrier_start(struct carrier *self, const struct work *work,
              const char *const *env, void *tag)
{
    struct carried *c = carried_new(work, env, tag);

    TAILQ_INSERT_TAIL(&self->running, c, link);
    self->n++;
    if (carried_find_place(c) < 0 || carried_is_created(c))
        end(self, c);
    else if (work->spec->when)
        start_command(self, c, CARRIED_WHEN);
    else
        go_on(self, c);
}

/* A process in the background ends with its task: people should know. */
static void
tell_leftovers(const struct carrier *self, const struct carried *c, unsigned n)
{
    char text[80];
    int len = snprintf(text, sizeof text,
                       "[leat: ended %u process%s that it left running]\n", n,
                       n == 1 ? "" : "es");

    if (self->on_output)
        self->on_output(self->ctx, c->done.tag, 0, text, (size_t)len);
}

/* Its process has ended. */
static void
advance(struct carrier *self, const struct exec_done *done)
{
    struct carried *c = done->tag;

    command_destroy(&c->command);
    if (done->leftovers > 0)
        tell_leftovers(self, c, done->leftovers);
    c->done.cpu += done->usage.cpu;
    if (done->usage.memory > c->done.memory)
        c->done.memory = done->usage.memory;
    if (c->stage == CARRIED_WHEN) {
        if (carried_judge_when(c, done))
            go_on(self, c);
        else
            end(self, c);
        return;
    }
    if (c->stage == CARRIED_COMMAND)
        carried_judge_command(c, done);
    else
        carried_judge_call(c, done);
    end(self, c);
}

/* ---- handing out ---- */

static enum carry_step
hand_out(struct carrier *self, struct carry_done *done)
{
    struct carried *c = TAILQ_FIRST(&self->ready);

    if (!c)
        return CARRY_NONE;
    TAILQ_REMOVE(&self->ready, c, link);
    if (c->stage == CARRIED_CALL) {
        c->stage = CARRIED_CALLING;
        TAILQ_INSERT_TAIL(&self->running, c, link);
        *done = (struct carry_done){
            .tag = c->done.tag,
            .state = PLAN_SUCCEEDED,
            .code = -1,
            .cwd = mem_dup(c->cwd),
        };
        return CARRY_CALL;
    }
    self->n--;
    *done = c->done;
    c->done = (struct carry_done){0};
    carried_destroy(&c);
    return CARRY_ENDED;
}

enum carry_step
carrier_wait(struct carrier *self, int64_t timeout, struct carry_done *done)
{
    int64_t until = timeout < 0 ? SPAN_NEVER : span_mono() + timeout;
    int64_t left = timeout;
    enum carry_step step;
    struct exec_done ended;

    while ((step = hand_out(self, done)) == CARRY_NONE && self->exec &&
           exec_wait(self->exec, left, &ended) > 0) {
        advance(self, &ended);
        exec_done_release(&ended);
        if (timeout > 0)
            left = until - span_mono();
        if (timeout > 0 && left < 0)
            left = 0;
    }
    return step;
}

/* ---- calls ---- */

static struct carried *
find_calling(struct carrier *self, const void *tag)
{
    struct carried *c;

    TAILQ_FOREACH(c, &self->running, link) {
        if (c->done.tag == tag && c->stage == CARRIED_CALLING)
            return c;
    }
    return NULL;
}

void
carrier_called(struct carrier *self, void *tag, struct carry_done *called)
{
    struct carried *c = find_calling(self, tag);

    assert(c);
    c->done.state = called->state;
    c->done.value = called->value;
    c->done.cause = called->cause;
    c->done.code = called->code;
    c->done.short_of = called->short_of;
    c->done.cpu += called->cpu;
    if (called->memory > c->done.memory)
        c->done.memory = called->memory;
    called->value = NULL;
    called->cause = (struct buf){0};
    carry_done_release(called);
    end(self, c);
}

struct apart {
    carry_call_fn *call;
    void *arg;
};

static int
call_in_child(void *arg, struct buf *result)
{
    const struct apart *apart = arg;
    struct carry_done done = {.state = PLAN_SUCCEEDED, .code = -1};

    apart->call(apart->arg, &done);
    carried_write_result(&done, result);
    carry_done_release(&done);
    return 0;
}

void
carrier_call_apart(struct carrier *self, void *tag, carry_call_fn *call,
                   void *arg)
{
    struct carried *c = find_calling(self, tag);
    struct apart apart = {call, arg};
    struct exec_spec spec = {.call = call_in_child, .arg = &apart};

    assert(c);
    if (start(self, c, CARRIED_APART, &spec) < 0)
        end(self, c);
}

/* ---- the rest ---- */

void
carrier_cancel(struct carrier *self, const void *tag, bool at_once)
{
    struct carried *c;

    TAILQ_FOREACH(c, &self->running, link) {
        if (tag && c->done.tag != tag)
            continue;
        c->cancelled = true;
        if (self->exec && tag)
            exec_cancel(self->exec, c, at_once);
    }
    if (self->exec && !tag)
        exec_cancel(self->exec, NULL, at_once);
    TAILQ_FOREACH(c, &self->ready, link) {
        if (c->stage != CARRIED_CALL || (tag && c->done.tag != tag))
            continue;
        carried_fail(c, PLAN_CANCELLED, "cancelled");
        carried_finish(c);
        c->stage = CARRIED_ENDED;
    }
}

size_t
carrier_running(const struct carrier *self)
{
    return self->n;
}

int
carrier_fd(struct carrier *self)
{
    return self->exec ? exec_fd(self->exec) : -1;
}

void
carrier_hold(struct carrier *self, bool hold)
{
    self->held = hold;
    if (self->exec)
        exec_hold(self->exec, hold);
}
