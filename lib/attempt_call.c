/* SPDX-License-Identifier: MPL-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/local_impl.h"
#include "lib/task.h"

volatile bool local_in_call;

static void
capture_output(void *ctx, int stream, const char *data, size_t n)
{
    local_output(ctx, stream, data, n);
}

/* A function of a run that was asked for elsewhere is called there. */
static int
go_home(struct local *self)
{
    if (!self->home || self->homeless)
        return 0;
    if (self->here < 0)
        self->here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (self->here >= 0 && chdir(self->home) == 0)
        return 0;
    attempt_fail(self->attempt, PLAN_FAILED, "");
    buf_printf(&self->attempt->cause, "can't go to %s: %s", self->home,
               strerror(errno));
    return -1;
}

static void
come_back(const struct local *self)
{
    if (self->here >= 0)
        (void)!fchdir(self->here);
}

static struct leat_task
make_task(const struct local *self)
{
    return (struct leat_task){
        .flow = self->request->flow,
        .run = self->run,
        .id = self->attempt->id,
        .attempt = self->attempt->number,
        .run_number = self->id,
        .state = PLAN_SUCCEEDED,
    };
}

void
attempt_call(struct local *self)
{
    struct attempt *a = self->attempt;
    struct leat_task task = make_task(self);
    bool outer = local_in_call; /* a run inside a function of another run */
    struct err err;

    /* before it is called, as where all arguments travel */
    if (run_check_bindings(self->run, a->id, &err) < 0 ||
        (!self->capture && capture_new(&self->capture, &err) < 0)) {
        attempt_fail(a, PLAN_FAILED, err.msg);
        return;
    }
    if (go_home(self) < 0)
        return;
    local_in_call = true;
    task_call(&task, &a->value);
    local_in_call = outer;
    come_back(self);
    capture_collect(self->capture, capture_output, self);
    if (task.state != PLAN_SUCCEEDED)
        attempt_fail(a, task.state, task.cause);
    else if (value_check(a->value, &err) < 0)
        attempt_fail(a, PLAN_FAILED, err.msg);
}

/* ---- calls of the carrier ---- */

/* Hand over how the call ended. */
static void
tell_end(struct local *self)
{
    struct attempt *a = self->attempt;
    struct carry_done called = {
        .state = a->state,
        .value = a->value,
        .cause = a->cause,
        .code = -1,
    };

    a->value = NULL;
    a->cause = (struct buf){0};
    carrier_called(self->carrier, a, &called);
}

void
attempt_call_between(struct local *self)
{
    attempt_call(self);
    tell_end(self);
}

static void
call_in_child(void *arg, struct carry_done *done)
{
    struct leat_task *task = arg;

    task_call(task, &done->value);
    done->state = task->state;
    buf_text(&done->cause, task->cause);
}

void
attempt_call_apart(struct local *self)
{
    struct leat_task task = make_task(self);

    if (go_home(self) == 0)
        carrier_call_apart(self->carrier, self->attempt, call_in_child, &task);
    else
        tell_end(self);
    come_back(self);
}
