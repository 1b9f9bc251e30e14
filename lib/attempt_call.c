/* SPDX-License-Identifier: MPL-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
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

    if (!self->capture && capture_new(&self->capture, &err) < 0) {
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

/* In the forked child: what the call gave, as JSON for the parent. */
static int
call_in_child(void *arg, struct buf *result)
{
    struct leat_task *task = arg;
    json_t *value = NULL;

    task_call(task, &value);
    buf_printf(result, "%d %zu %s", (int)task->state, strlen(task->cause),
               task->cause);
    if (value)
        value_json(value, result);
    return 0;
}

static void
read_result(struct attempt *a, const struct buf *result)
{
    const char *text = buf_str(result);
    char *end = NULL;
    long state = strtol(text, &end, 10);
    unsigned long n = strtoul(end, &end, 10);
    size_t head = (size_t)(end - text) + 1 + n;
    struct err err;

    if (result->len < head) {
        attempt_fail(a, PLAN_FAILED, "the function ended its process");
        return;
    }
    if (state != PLAN_SUCCEEDED) {
        char *cause = mem_text(end + 1, n);

        attempt_fail(a, (enum plan_state)state, cause);
        free(cause);
    }
    if (result->len > head &&
        value_parse(VALUE_JSON, text + head, result->len - head, &a->value,
                    &err) < 0)
        attempt_fail(a, PLAN_FAILED, err.msg);
}

void
attempt_call_forked(struct local *self)
{
    struct attempt *a = self->attempt;
    struct leat_task task = make_task(self);
    struct exec_spec spec = {.call = call_in_child, .arg = &task};
    struct exec_done done = {0};
    int rc = go_home(self);

    if (rc == 0)
        rc = attempt_exec(self, &spec, &done);
    come_back(self);
    if (rc < 0)
        return;
    attempt_judge(a, &done);
    if (a->state == PLAN_SUCCEEDED)
        read_result(a, &done.result);
    exec_done_release(&done);
}
