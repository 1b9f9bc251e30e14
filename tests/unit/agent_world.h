/* SPDX-License-Identifier: MPL-2.0 */
/*
 * An edge for the agent's core that writes down what it is told.
 */
#ifndef TESTS_UNIT_AGENT_WORLD_H
#define TESTS_UNIT_AGENT_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/core.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/span.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define MOST     4096 /* works lent at once */
#define TASKS    64

/* ---- an edge that writes down what it is told ---- */

/* What the core was lent. */
struct lent {
    struct work work;
    struct work_spec spec;
    bool lent;
};

struct box {
    struct agent *agent;
    int64_t now;
    struct buf said; /* effects, one after another, since somebody looked */
    struct lent *lent;
    uint32_t nlent;          /* places used */
    uint32_t running;        /* started and not ended */
    bool quiet;              /* count only */
    uint32_t started[TASKS]; /* own of what was started, by run's task number */
    uint32_t slot[TASKS];
    uint32_t most; /* of one slot at once */
    uint32_t on_slot[TASKS];
};

static void say(struct box *box, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static inline void
say(struct box *box, const char *fmt, ...)
{
    char text[100];
    va_list args;

    if (box->quiet)
        return;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (box->said.len > 0)
        buf_char(&box->said, ' ');
    buf_text(&box->said, text);
}

static inline void
on_start(void *ctx, uint32_t own, uint32_t slot, const struct work *work,
         const uint32_t *given, uint32_t ngiven)
{
    struct box *box = ctx;

    box->started[work->id.task] = own;
    box->slot[work->id.task] = slot;
    box->on_slot[slot]++;
    if (box->on_slot[slot] > box->most)
        box->most = box->on_slot[slot];
    box->running++;
    say(box, "start:%u", work->id.task);
    for (uint32_t i = 0; i < ngiven; i++)
        say(box, "gpu%u", given[i]);
}

static inline uint32_t
task_of(const struct box *box, uint32_t own)
{
    for (uint32_t t = 0; t < TASKS; t++) {
        if (box->started[t] == own)
            return t;
    }
    fail_msg("nothing was started as %u", own);
    return 0;
}

static inline void
on_stop(void *ctx, uint32_t own, bool at_once)
{
    struct box *box = ctx;

    say(box, "%s:%u", at_once ? "kill" : "stop", task_of(box, own));
}

static inline void
on_forget(void *ctx, const struct work *work)
{
    struct box *box = ctx;
    struct lent *lent = (struct lent *)(uintptr_t)work;

    assert_true(lent >= box->lent && lent < box->lent + MOST);
    assert_true(lent->lent);
    lent->lent = false;
}

static inline void
on_started(void *ctx, uint32_t ticket)
{
    say(ctx, "started:t%u", ticket);
}

static inline void
on_output(void *ctx, const struct output *output)
{
    say(ctx, "output:t%u=%d+%u=%.*s", output->ticket, output->stream,
        (unsigned)output->offset, (int)output->n, output->data);
}

static inline void
on_result(void *ctx, uint64_t number, const struct result *result)
{
    say(ctx, "result%d:t%u=%s", (int)number, result->ticket,
        plan_state_names[result->state]);
}

static inline void
on_given_back(void *ctx, uint32_t ticket)
{
    say(ctx, "back:t%u", ticket);
}

/* ---- a box and what is put into it ---- */

static const struct agent_config config = {.slots = 2,
                                           .fence = 45 * SPAN_SECOND};

static inline void
open_box(struct box *box, const struct agent_config *from)
{
    struct agent_effects effects = {on_start,      on_stop,   on_forget,
                                    on_started,    on_output, on_result,
                                    on_given_back, box};

    *box = (struct box){.now = SPAN_SECOND};
    box->lent = mem_alloc(MOST, sizeof *box->lent);
    box->agent = agent_new(from, &effects, box->now);
    agent_welcome(box->agent, 1, NULL, 0, box->now);
}

/* Everything lent has come back. */
static inline void
close_box(struct box *box)
{
    agent_destroy(&box->agent);
    for (uint32_t i = 0; i < MOST; i++)
        assert_false(box->lent[i].lent);
    free(box->lent);
    buf_release(&box->said);
}

static inline void
expect_said(struct box *box, const char *want)
{
    assert_string_equal(buf_str(&box->said), want);
    buf_clear(&box->said);
}

static inline struct work_spec
command(void)
{
    return (struct work_spec){.kind = FLOW_SCRIPT, .run = 1};
}

static inline struct work_spec
call(void)
{
    return (struct work_spec){.kind = FLOW_CALL, .run = 1};
}

static inline int
try_task(struct box *box, uint32_t ticket, uint32_t task,
         const struct work_spec *spec, struct err *err)
{
    struct lent *lent = &box->lent[box->nlent++ % MOST];
    struct lane_task item = {ticket, &lent->work};

    assert_false(lent->lent);
    lent->spec = *spec;
    lent->spec.task = task;
    lent->work = (struct work){
        .spec = &lent->spec, .id = {task, PLAN_WHOLE}, .attempt = 1};
    lent->lent = true;
    if (agent_task(box->agent, &item, box->now, err) == 0)
        return 0;
    lent->lent = false;
    return -1;
}

/* Its ticket is a hundred more than its number. */
static inline void
give(struct box *box, uint32_t task, const struct work_spec *spec)
{
    struct err err = {0};

    if (try_task(box, task + 100, task, spec, &err) < 0)
        fail_msg("%s", err.msg);
}

static inline void
give_command(struct box *box, uint32_t task)
{
    struct work_spec spec = command();

    give(box, task, &spec);
}

static inline void
give_asking(struct box *box, uint32_t task, struct flow_resource *resources,
            uint32_t n)
{
    struct work_spec spec = command();

    spec.resources = resources;
    spec.nresource = n;
    give(box, task, &spec);
}

static inline int64_t
tick(struct box *box)
{
    return agent_tick(box->agent, box->now);
}

static inline void
end_so(struct box *box, uint32_t task, enum plan_state state, int64_t took)
{
    struct result result = {.ticket = box->started[task],
                            .state = state,
                            .code = -1,
                            .started = 1000,
                            .ended = 1000 + took};

    box->running--;
    box->on_slot[box->slot[task]]--;
    agent_ended(box->agent, &result, box->now);
}

/* It writes a text to stdout, behind `offset` bytes. */
static inline void
print(struct box *box, uint32_t task, uint64_t offset, const char *text)
{
    struct output output = {.ticket = box->started[task],
                            .stream = 1,
                            .origin = 9,
                            .offset = offset,
                            .data = text,
                            .n = strlen(text)};

    agent_output(box->agent, &output);
}

static inline void
end(struct box *box, uint32_t task)
{
    end_so(box, task, PLAN_SUCCEEDED, 1000000);
}

static inline void
expect_state(const struct box *box, uint32_t queued, uint32_t running,
             uint32_t spooled)
{
    struct agent_state state = agent_state(box->agent);

    assert_int_equal(state.queued, queued);
    assert_int_equal(state.running, running);
    assert_int_equal(state.spooled, spooled);
}

/* What a hello would say: task and phase of each. */
static inline void
expect_held(struct box *box, const char *want)
{
    static const char phases[] = "qrf";
    struct buf text = {0};
    size_t n;
    const struct held *held = agent_held(box->agent, &n);

    for (size_t i = 0; i < n; i++)
        buf_printf(&text, "%s%u%c", i > 0 ? " " : "", held[i].id.task,
                   phases[held[i].phase]);
    assert_string_equal(buf_str(&text), want);
    buf_release(&text);
}

#endif
