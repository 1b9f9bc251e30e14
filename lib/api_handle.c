/* SPDX-License-Identifier: MPL-2.0 */
/*
 * api_handle - state handlers.
 */
#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "lib/api.h"

static_assert((int)LEAT_CANCELLED == PLAN_CANCELLED, "leat_state");
static_assert((int)LEAT_MAPPED == PLAN_MAPPED, "leat_state");
static_assert((int)LEAT_CANCELLED + 1 == PLAN_STATE_COUNT, "leat_state");

/* A handler that is being called. */
struct handling {
    sigjmp_buf unwind;
    char *cause; /* LIMIT_CAUSE_BYTES */
};

const char *
leat_state_name(leat_state state)
{
    return plan_state_names[state];
}

bool
leat_state_is_final(leat_state state)
{
    return plan_state_is_final((enum plan_state)state);
}

bool
leat_state_is_success(leat_state state)
{
    return plan_state_is_success((enum plan_state)state);
}

/* ---- who is to be called ---- */

static void
add_handler(const struct api_call *call, uint32_t task, leat_handler *fn,
            void *arg)
{
    leat_flow *flow = call->flow;

    if (!fn) {
        api_problem(call, "the handler is NULL");
        return;
    }
    flow->handlers = mem_grow(flow->handlers, &flow->cap_handler,
                              flow->nhandler + 1, sizeof *flow->handlers);
    flow->handlers[flow->nhandler] =
        (struct api_handler){fn, arg, task, (uint32_t)flow->nhandler};
    flow->nhandler++;
    if (task == PLAN_NONE)
        flow->flow->handled = true;
    else
        flow->flow->tasks[task].handled = true;
}

void
leat_on_state(leat_flow *flow, leat_handler *handler, void *arg)
{
    struct api_call call = {flow, NULL, "leat_on_state", NULL, NULL};

    if (api_may_add(&call))
        add_handler(&call, PLAN_NONE, handler, arg);
}

void
leat_task_on_state(leat_ref task, leat_handler *handler, void *arg)
{
    struct api_call call = {task.flow, NULL, "leat_task_on_state", NULL, NULL};
    uint32_t i;

    if (task.kind <= API_BAD || !api_may_add(&call))
        return;
    i = api_task(&call, task);
    if (i != UINT32_MAX)
        add_handler(&call, i, handler, arg);
}

static int
compare(const void *left, const void *right)
{
    const struct api_handler *a = left, *b = right;

    if (a->task != b->task)
        return a->task < b->task ? -1 : 1;
    return a->nth < b->nth ? -1 : a->nth > b->nth;
}

void
api_settle_handlers(leat_flow *self)
{
    if (self->nhandler > 1)
        qsort(self->handlers, self->nhandler, sizeof *self->handlers, compare);
}

bool
api_has_handlers(const leat_flow *self)
{
    return self->nhandler > 0;
}

/* The first handler of a task, or where it would be. */
static size_t
first_of(const leat_flow *self, uint32_t task)
{
    size_t low = 0, high = self->nhandler;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (self->handlers[middle].task < task)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* ---- calling them ---- */

void
leat_handler_fail(const leat_state_change *change, const char *fmt, ...)
{
    struct handling *handling = change->handling;
    int n = snprintf(handling->cause, LIMIT_CAUSE_BYTES,
                     "its state handler failed: ");
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(handling->cause + n, (size_t)(LIMIT_CAUSE_BYTES - n), fmt,
                    ap);
    va_end(ap);
    siglongjmp(handling->unwind, 1);
}

/* False if the handler failed: then no other is called. */
static bool
call_one(leat_flow *self, const struct api_handler *handler,
         struct run_change *change)
{
    struct handling handling = {.cause = self->handler_cause};
    leat_state_change shown = {
        .flow = self->flow->name,
        .task = self->flow->tasks[change->id.task].name,
        .index =
            change->id.child == PLAN_WHOLE ? -1 : (int64_t)change->id.child,
        .attempt = change->attempt,
        .from = (leat_state)change->from,
        .to = (leat_state)change->state,
        .value = change->value,
        .cause = change->cause,
        .handling = &handling,
    };

    if (sigsetjmp(handling.unwind, 0) == 0) {
        leat_state state = handler->fn(&shown, handler->arg);

        if ((unsigned)state < PLAN_STATE_COUNT) {
            change->state = (enum plan_state)state;
            return true;
        }
        (void)snprintf(self->handler_cause, sizeof self->handler_cause,
                       "its state handler returned %d, which is no state",
                       (int)state);
    }
    change->state = PLAN_FAILED;
    change->cause = self->handler_cause;
    return false;
}

static bool
call_all(leat_flow *self, uint32_t task, struct run_change *change)
{
    for (size_t i = first_of(self, task);
         i < self->nhandler && self->handlers[i].task == task; i++) {
        if (!call_one(self, &self->handlers[i], change))
            return false;
    }
    return true;
}

enum plan_state
api_handle(void *flow, struct run_change *change)
{
    if (call_all(flow, change->id.task, change))
        (void)call_all(flow, PLAN_NONE, change);
    return change->state;
}
