/* SPDX-License-Identifier: MPL-2.0 */
#include "lib/task.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "flow/value.h"
#include "lib/leat.h"
#include "proto/convert.h"

#define BRIEF 80 /* bytes of a value in a message */

static const struct flow_task *
spec_of(const struct leat_task *self)
{
    return &self->flow->tasks[self->id.task];
}

void
task_call(struct leat_task *self, json_t **value)
{
    leat_fn *fn = (leat_fn *)spec_of(self)->call;
    sigjmp_buf unwind;

    *value = NULL;
    self->unwind = &unwind;
    if (sigsetjmp(unwind, 0) == 0)
        *value = fn(self);
    self->unwind = NULL;
    json_decref(self->kept);
    self->kept = NULL;
}

/* ---- ends ---- */

__attribute__((format(printf, 3, 0))) static void
end_as(struct leat_task *self, enum plan_state state, const char *fmt,
       va_list ap)
{
    self->state = state;
    (void)vsnprintf(self->cause, sizeof self->cause, fmt, ap);
}

void
leat_fail(leat_task *task, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    end_as(task, PLAN_FAILED, fmt, ap);
    va_end(ap);
    siglongjmp(*task->unwind, 1);
}

void
leat_skip(leat_task *task, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    end_as(task, PLAN_SKIPPED, fmt, ap);
    va_end(ap);
    siglongjmp(*task->unwind, 1);
}

void
leat_retry(leat_task *task, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    end_as(task, PLAN_RETRYING, fmt, ap);
    va_end(ap);
    siglongjmp(*task->unwind, 1);
}

/* ---- arguments ---- */

/* As run_lookup does, with what travelled here. */
static int
look_up(leat_task *self, const char *name, json_t **ret, struct err *err)
{
    json_t *value;

    if (self->run)
        return run_lookup(self->run, self->id, name, ret, err);
    if (self->unread) {
        const struct work *work = self->unread;

        self->unread = NULL;
        if (lane_work_read(work, err) < 0)
            return -1;
        self->own = work->own;
    }
    value = json_object_get(self->own, name);
    if (!value)
        value = json_object_get(self->params, name);
    if (!value)
        return err_set(err, ERR_NOT_FOUND, "`%s` has no argument `%s`",
                       spec_of(self)->name, name);
    *ret = json_incref(value);
    return 0;
}

json_t *
leat_json(leat_task *task, const char *name)
{
    json_t *value = NULL;
    struct err err;

    if (look_up(task, name, &value, &err) < 0)
        leat_fail(task, "%s", err.msg);
    if (!task->kept)
        task->kept = json_array();
    (void)json_array_append_new(task->kept, value);
    return value;
}

__attribute__((noreturn)) static void
fail_type(leat_task *task, const char *name, const json_t *value,
          const char *wanted)
{
    struct buf brief = {0};

    value_brief(value, BRIEF, &brief);
    (void)snprintf(task->cause, sizeof task->cause,
                   "argument `%s` is %s, not %s: %s", name,
                   value_type_name(value), wanted, buf_str(&brief));
    buf_release(&brief);
    task->state = PLAN_FAILED;
    siglongjmp(*task->unwind, 1);
}

json_int_t
leat_int(leat_task *task, const char *name)
{
    const json_t *value = leat_json(task, name);

    if (!json_is_integer(value))
        fail_type(task, name, value, "an integer");
    return json_integer_value(value);
}

double
leat_float(leat_task *task, const char *name)
{
    const json_t *value = leat_json(task, name);

    if (!json_is_number(value))
        fail_type(task, name, value, "a number");
    return json_number_value(value);
}

bool
leat_bool(leat_task *task, const char *name)
{
    const json_t *value = leat_json(task, name);

    if (!json_is_boolean(value))
        fail_type(task, name, value, "true or false");
    return json_is_true(value);
}

const char *
leat_string(leat_task *task, const char *name)
{
    const json_t *value = leat_json(task, name);

    if (!json_is_string(value))
        fail_type(task, name, value, "a string");
    return json_string_value(value);
}

json_t *
leat_array(leat_task *task, const char *name)
{
    json_t *value = leat_json(task, name);

    if (!json_is_array(value))
        fail_type(task, name, value, "a list");
    return value;
}

bool
leat_has(leat_task *task, const char *name)
{
    json_t *value = NULL;
    struct err err;

    if (look_up(task, name, &value, &err) < 0)
        return err.code != ERR_NOT_FOUND;
    json_decref(value);
    return true;
}

/* ---- context ---- */

void
leat_log(leat_task *task, const char *fmt, ...)
{
    struct buf line = {0};
    char *text = NULL;
    va_list ap;

    (void)task;
    va_start(ap, fmt);
    if (vasprintf(&text, fmt, ap) >= 0)
        buf_printf(&line, "%s\n", text);
    va_end(ap);
    /* One write, so that lines of others don't fall into it. */
    (void)fwrite(buf_str(&line), 1, line.len, stderr);
    free(text);
    buf_release(&line);
}

const char *
leat_task_flow(const leat_task *task)
{
    return task->flow->name;
}

const char *
leat_task_name(const leat_task *task)
{
    return spec_of(task)->name;
}

int64_t
leat_task_index(const leat_task *task)
{
    return task->id.child == PLAN_WHOLE ? -1 : (int64_t)task->id.child;
}

unsigned
leat_task_attempt(const leat_task *task)
{
    return task->attempt;
}

uint64_t
leat_task_run(const leat_task *task)
{
    return task->run_number;
}

void *
leat_task_data(const leat_task *task)
{
    return spec_of(task)->data;
}
