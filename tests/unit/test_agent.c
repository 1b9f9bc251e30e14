/* SPDX-License-Identifier: MPL-2.0 */
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

/* As a flow has them. */
static char cpus[] = "cpus";
static char memory[] = "memory";
static char licence[] = "licence";
static char gpus[] = "gpus";

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

static void
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

static void
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

static uint32_t
task_of(const struct box *box, uint32_t own)
{
    for (uint32_t t = 0; t < TASKS; t++) {
        if (box->started[t] == own)
            return t;
    }
    fail_msg("nothing was started as %u", own);
    return 0;
}

static void
on_stop(void *ctx, uint32_t own, bool at_once)
{
    struct box *box = ctx;

    say(box, "%s:%u", at_once ? "kill" : "stop", task_of(box, own));
}

static void
on_forget(void *ctx, const struct work *work)
{
    struct box *box = ctx;
    struct lent *lent = (struct lent *)(uintptr_t)work;

    assert_true(lent >= box->lent && lent < box->lent + MOST);
    assert_true(lent->lent);
    lent->lent = false;
}

static void
on_started(void *ctx, uint32_t ticket)
{
    say(ctx, "started:t%u", ticket);
}

static void
on_result(void *ctx, uint64_t number, const struct result *result)
{
    say(ctx, "result%d:t%u=%s", (int)number, result->ticket,
        plan_state_names[result->state]);
}

static void
on_given_back(void *ctx, uint32_t ticket)
{
    say(ctx, "back:t%u", ticket);
}

/* ---- a box and what is put into it ---- */

static struct agent_config config = {.slots = 2, .fence = 45 * SPAN_SECOND};

static void
open_box(struct box *box, const struct agent_config *from)
{
    struct agent_effects effects = {on_start,   on_stop,   on_forget,
                                    on_started, on_result, on_given_back,
                                    box};

    *box = (struct box){.now = SPAN_SECOND};
    box->lent = mem_alloc(MOST, sizeof *box->lent);
    box->agent = agent_new(from, &effects, box->now);
    agent_welcome(box->agent, 1, NULL, 0, box->now);
}

/* Everything lent has come back. */
static void
close_box(struct box *box)
{
    agent_destroy(&box->agent);
    for (uint32_t i = 0; i < MOST; i++)
        assert_false(box->lent[i].lent);
    free(box->lent);
    buf_release(&box->said);
}

static void
expect_said(struct box *box, const char *want)
{
    assert_string_equal(buf_str(&box->said), want);
    buf_clear(&box->said);
}

static struct work_spec
command(void)
{
    return (struct work_spec){.kind = FLOW_SCRIPT, .run = 1};
}

static struct work_spec
call(void)
{
    return (struct work_spec){.kind = FLOW_CALL, .run = 1};
}

static int
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
static void
give(struct box *box, uint32_t task, const struct work_spec *spec)
{
    struct err err = {0};

    if (try_task(box, task + 100, task, spec, &err) < 0)
        fail_msg("%s", err.msg);
}

static void
give_command(struct box *box, uint32_t task)
{
    struct work_spec spec = command();

    give(box, task, &spec);
}

static void
give_asking(struct box *box, uint32_t task, struct flow_resource *resources,
            uint32_t n)
{
    struct work_spec spec = command();

    spec.resources = resources;
    spec.nresource = n;
    give(box, task, &spec);
}

static int64_t
tick(struct box *box)
{
    return agent_tick(box->agent, box->now);
}

static void
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

static void
end(struct box *box, uint32_t task)
{
    end_so(box, task, PLAN_SUCCEEDED, 1000000);
}

static void
expect_state(const struct box *box, uint32_t queued, uint32_t running,
             uint32_t spooled)
{
    struct agent_state state = agent_state(box->agent);

    assert_int_equal(state.queued, queued);
    assert_int_equal(state.running, running);
    assert_int_equal(state.spooled, spooled);
}

/* What a hello would say: task and phase of each. */
static void
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

/* ---- starting ---- */

static void
as_many_start_as_there_are_slots_in_order_of_arrival(void **state)
{
    struct box box;

    (void)state;
    open_box(&box, &config);
    for (uint32_t t = 0; t < 4; t++)
        give_command(&box, t);
    expect_said(&box, "");
    assert_true(tick(&box) == SPAN_NEVER);
    expect_said(&box, "start:0 start:1");
    assert_int_not_equal(box.slot[0], box.slot[1]);
    expect_state(&box, 2, 2, 0);
    end(&box, 1);
    tick(&box);
    expect_said(&box, "result1:t101=succeeded start:2");
    end(&box, 0);
    tick(&box);
    expect_said(&box, "result2:t100=succeeded start:3");
    close_box(&box);
}

static void
one_without_room_does_not_hold_up_one_that_has(void **state)
{
    struct flow_resource two[] = {{cpus, 2}};
    struct box box;

    (void)state;
    open_box(&box, &config);
    give_command(&box, 0);
    give_asking(&box, 1, two, 1);
    give_command(&box, 2);
    give_command(&box, 3);
    tick(&box);
    expect_said(&box, "start:0 start:2");
    end(&box, 0);
    end(&box, 2);
    tick(&box);
    expect_said(&box, "result1:t100=succeeded result2:t102=succeeded start:1");
    close_box(&box);
}

static void
fractions_of_cpus_add_up(void **state)
{
    struct flow_resource third[] = {{cpus, 0.3333}};
    struct flow_resource more[] = {{cpus, 0.4}};
    struct agent_config one = {.slots = 1};
    struct box box;

    (void)state;
    open_box(&box, &one);
    for (uint32_t t = 0; t < 4; t++)
        give_asking(&box, t, third, 1);
    give_asking(&box, 4, more, 1);
    tick(&box);
    expect_said(&box, "start:0 start:1 start:2");
    end(&box, 1);
    buf_clear(&box.said);
    tick(&box);
    expect_said(&box, "start:3");
    end(&box, 0);
    end(&box, 2);
    buf_clear(&box.said);
    tick(&box);
    expect_said(&box, "start:4");
    close_box(&box);
}

static void
memory_and_named_resources_are_counted(void **state)
{
    struct flow_resource has[] = {{memory, 0x1p30}, {licence, 1.5}};
    struct flow_resource most[] = {{memory, 0x1p30 - 1}};
    struct flow_resource both[] = {{licence, 1}, {memory, 1}};
    struct flow_resource same[] = {{memory, 1}, {licence, 1}};
    struct agent_config rich = {.slots = 8, .resources = has, .nresource = 2};
    struct box box;

    (void)state;
    open_box(&box, &rich);
    give_asking(&box, 0, most, 1);
    give_asking(&box, 1, most, 1);
    give_asking(&box, 2, both, 2);
    give_asking(&box, 3, same, 2);
    tick(&box);
    expect_said(&box, "start:0 start:2");
    end(&box, 2);
    tick(&box);
    expect_said(&box, "result1:t102=succeeded start:3");
    close_box(&box);
}

static void
gpus_are_given_by_index(void **state)
{
    struct flow_resource has[] = {{gpus, 2}};
    struct flow_resource one[] = {{gpus, 1}};
    struct flow_resource both[] = {{gpus, 2}};
    struct agent_config rich = {.slots = 8, .resources = has, .nresource = 1};
    struct box box;

    (void)state;
    open_box(&box, &rich);
    give_asking(&box, 0, one, 1);
    give_asking(&box, 1, both, 1);
    give_asking(&box, 2, one, 1);
    tick(&box);
    expect_said(&box, "start:0 gpu0 start:2 gpu1");
    end(&box, 0);
    tick(&box);
    expect_said(&box, "result1:t100=succeeded");
    end(&box, 2);
    tick(&box);
    expect_said(&box, "result2:t102=succeeded start:1 gpu0 gpu1");
    close_box(&box);
}

static void
fractions_of_a_gpu_share_one_and_leave_the_other_whole(void **state)
{
    struct flow_resource has[] = {{gpus, 2}};
    struct flow_resource half[] = {{gpus, 0.5}};
    struct flow_resource one[] = {{gpus, 1}};
    struct agent_config rich = {.slots = 8, .resources = has, .nresource = 1};
    struct box box;

    (void)state;
    open_box(&box, &rich);
    give_asking(&box, 0, half, 1);
    give_asking(&box, 1, half, 1);
    give_asking(&box, 2, one, 1);
    give_asking(&box, 3, half, 1);
    tick(&box);
    expect_said(&box, "start:0 gpu0 start:1 gpu0 start:2 gpu1");
    end(&box, 0);
    tick(&box);
    expect_said(&box, "result1:t100=succeeded start:3 gpu0");
    close_box(&box);
}

/* Half of one and half of the other are not a whole one. */
static void
whole_gpus_are_not_put_together_from_halves(void **state)
{
    struct flow_resource has[] = {{gpus, 2}};
    struct flow_resource most[] = {{gpus, 0.6}};
    struct flow_resource more[] = {{gpus, 1.5}};
    struct agent_config rich = {.slots = 8, .resources = has, .nresource = 1};
    struct box box;

    (void)state;
    open_box(&box, &rich);
    give_asking(&box, 0, most, 1);
    give_asking(&box, 1, most, 1);
    tick(&box);
    end(&box, 1);
    buf_clear(&box.said);
    give_asking(&box, 2, more, 1);
    tick(&box);
    expect_said(&box, "");
    end(&box, 0);
    tick(&box);
    expect_said(&box, "result2:t100=succeeded start:2 gpu0 gpu1");
    close_box(&box);
}

static void
what_can_never_have_room_is_refused(void **state)
{
    struct flow_resource many[] = {{cpus, 3}};
    struct flow_resource other[] = {{licence, 1}};
    struct box box;

    (void)state;
    open_box(&box, &config);
    give_asking(&box, 0, many, 1);
    give_asking(&box, 1, other, 1);
    expect_said(&box, "result1:t100=crashed result2:t101=crashed");
    expect_held(&box, "0q 1q"); /* they have not begun */
    agent_welcome(box.agent, 1, (const uint32_t[]){100, 101}, 2, box.now);
    expect_said(&box, "result1:t100=crashed result2:t101=crashed");
    tick(&box);
    expect_said(&box, "");
    /* It may come once more before it is acknowledged. */
    give(&box, 0 + 5, &(struct work_spec){.kind = FLOW_SCRIPT, .run = 1});
    tick(&box);
    expect_said(&box, "start:5");
    close_box(&box);
}

/* ---- C calls ---- */

static void
give_calls(struct box *box, uint32_t from, uint32_t n, uint32_t task)
{
    struct err err = {0};
    struct work_spec spec = call();

    for (uint32_t k = from; k < from + n; k++) {
        struct lent *lent = &box->lent[box->nlent++ % MOST];
        struct lane_task item = {k + 1, &lent->work};

        assert_false(lent->lent);
        lent->spec = spec;
        lent->spec.task = task;
        lent->work =
            (struct work){.spec = &lent->spec, .id = {task, k}, .attempt = 1};
        lent->lent = true;
        if (agent_task(box->agent, &item, box->now, &err) < 0)
            fail_msg("%s", err.msg);
    }
}

/* How many start of 200 calls of a task whose calls take so long. */
static uint32_t
started_of(int64_t took)
{
    struct box box;
    uint32_t n;

    open_box(&box, &config);
    box.quiet = true;
    give_calls(&box, 0, 1, 7);
    tick(&box);
    end_so(&box, 7, PLAN_SUCCEEDED, took);
    give_calls(&box, 1, 3000, 7);
    tick(&box);
    n = box.running;
    close_box(&box);
    return n;
}

static void
short_calls_are_handed_out_about_a_millisecond_ahead(void **state)
{
    (void)state;
    assert_int_equal(started_of(1), 2 * 1000);
    assert_int_equal(started_of(10), 2 * 100);
    assert_int_equal(started_of(1000), 2 * 1);
    assert_int_equal(started_of(1001), 2 * 1);
    assert_int_equal(started_of(50000000), 2 * 1);
}

static void
calls_that_were_not_measured_go_one_to_a_slot(void **state)
{
    struct box box;

    (void)state;
    open_box(&box, &config);
    give_calls(&box, 0, 10, 7);
    tick(&box);
    expect_said(&box, "start:7 start:7");
    assert_int_equal(box.most, 1);
    close_box(&box);
}

static void
a_long_call_has_its_slot_for_itself(void **state)
{
    struct work_spec spec = call();
    struct box box;

    (void)state;
    open_box(&box, &config);
    give(&box, 0, &spec);
    tick(&box);
    end_so(&box, 0, PLAN_SUCCEEDED, 1);
    give(&box, 1, &spec); /* another task: not measured */
    give_calls(&box, 0, 50, 0);
    buf_clear(&box.said);
    tick(&box);
    box.quiet = true;
    assert_int_equal(box.running, 51);
    assert_int_not_equal(box.slot[0], box.slot[1]);
    assert_int_equal(box.on_slot[box.slot[1]], 1);
    close_box(&box);
}

static void
a_call_with_a_timeout_is_never_behind_another(void **state)
{
    struct work_spec spec = call();
    struct box box;

    (void)state;
    spec.timeout = SPAN_SECOND;
    open_box(&box, &config);
    give(&box, 0, &spec);
    tick(&box);
    end_so(&box, 0, PLAN_SUCCEEDED, 1);
    for (uint32_t t = 1; t < 9; t++)
        give(&box, t, &spec);
    tick(&box);
    assert_int_equal(box.running, 2);
    assert_int_equal(box.most, 1);
    close_box(&box);
}

static void
calls_and_commands_share_the_cpus(void **state)
{
    struct work_spec spec = call();
    struct box box;

    (void)state;
    open_box(&box, &config);
    give(&box, 0, &spec);
    give_command(&box, 1);
    give(&box, 2, &spec);
    give_command(&box, 3);
    tick(&box);
    expect_said(&box, "start:0 start:1");
    end(&box, 0);
    tick(&box);
    expect_said(&box, "result1:t100=succeeded start:2");
    end(&box, 2);
    tick(&box);
    expect_said(&box, "result2:t102=succeeded start:3");
    close_box(&box);
}

static void
calls_that_were_not_begun_go_back_to_their_place(void **state)
{
    struct work_spec spec = call();
    struct agent_config one = {.slots = 1};
    struct box box;

    (void)state;
    open_box(&box, &one);
    give(&box, 0, &spec);
    give(&box, 1, &spec);
    give(&box, 2, &spec);
    give_command(&box, 3);
    tick(&box);
    agent_not_begun(box.agent, box.started[0]);
    expect_said(&box, "start:0");
    expect_state(&box, 4, 0, 0);
    tick(&box);
    expect_said(&box, "start:0");
    agent_began(box.agent, box.started[0]);
    expect_said(&box, "started:t100");
    end(&box, 0);
    tick(&box);
    expect_said(&box, "result1:t100=succeeded start:1");
    close_box(&box);
}

/* ---- recall, cancel ---- */

static void
only_what_is_queued_can_be_recalled(void **state)
{
    struct box box;

    (void)state;
    open_box(&box, &config);
    for (uint32_t t = 0; t < 3; t++)
        give_command(&box, t);
    tick(&box);
    buf_clear(&box.said);
    agent_recall(box.agent, 101);
    agent_recall(box.agent, 999);
    expect_said(&box, "");
    agent_recall(box.agent, 102);
    agent_recall(box.agent, 102);
    expect_said(&box, "back:t102");
    expect_state(&box, 0, 2, 0);
    /* It may come again, under any name. */
    give_command(&box, 2);
    close_box(&box);
}

static void
what_is_queued_is_cancelled_at_once_what_runs_is_ended(void **state)
{
    struct box box;

    (void)state;
    open_box(&box, &config);
    for (uint32_t t = 0; t < 3; t++)
        give_command(&box, t);
    tick(&box);
    buf_clear(&box.said);
    agent_cancel(box.agent, 102, false);
    expect_said(&box, "result1:t102=cancelled");
    agent_cancel(box.agent, 100, false);
    agent_cancel(box.agent, 100, true);
    agent_cancel(box.agent, 102, false);
    agent_cancel(box.agent, 999, true);
    expect_said(&box, "stop:0 kill:0");
    end_so(&box, 0, PLAN_CANCELLED, 5);
    expect_said(&box, "result2:t100=cancelled");
    close_box(&box);
}

static void
a_cancelled_call_that_was_not_begun_ends_cancelled(void **state)
{
    struct work_spec spec = call();
    struct box box;

    (void)state;
    open_box(&box, &config);
    give(&box, 0, &spec);
    tick(&box);
    agent_cancel(box.agent, 100, false);
    agent_not_begun(box.agent, box.started[0]);
    expect_said(&box, "start:0 stop:0 result1:t100=cancelled");
    expect_state(&box, 0, 0, 1);
    close_box(&box);
}

/* ---- what is given twice ---- */

static void
a_ticket_or_an_attempt_is_not_taken_twice(void **state)
{
    struct work_spec spec = command();
    struct err err;
    struct box box;

    (void)state;
    open_box(&box, &config);
    give_command(&box, 0);
    assert_int_equal(try_task(&box, 100, 1, &spec, &err), -1);
    assert_int_equal(err.code, ERR_INVALID);
    assert_int_equal(try_task(&box, 101, 0, &spec, &err), -1);
    assert_int_equal(err.code, ERR_INVALID);
    assert_int_equal(try_task(&box, 0, 2, &spec, &err), -1);
    spec.run = 2;
    assert_int_equal(try_task(&box, 101, 0, &spec, &err), 0);
    /* Also while the result waits; not any more after that. */
    spec.run = 1;
    tick(&box);
    end_so(&box, 0, PLAN_SUCCEEDED, 1);
    assert_int_equal(try_task(&box, 102, 1, &spec, &err), 0);
    agent_ack(box.agent, 1, box.now);
    expect_state(&box, 1, 1, 0);
    close_box(&box);
}

static void
no_task_is_taken_outside_a_session(void **state)
{
    struct work_spec spec = command();
    struct err err;
    struct box box;

    (void)state;
    open_box(&box, &config);
    agent_lost_broker(box.agent, box.now);
    assert_int_equal(try_task(&box, 100, 0, &spec, &err), -1);
    agent_welcome(box.agent, 2, NULL, 0, box.now);
    assert_int_equal(try_task(&box, 100, 0, &spec, &err), 0);
    close_box(&box);
}

/* ---- the spool and sessions ---- */

static void
results_are_kept_until_they_are_acknowledged(void **state)
{
    struct box box;

    (void)state;
    open_box(&box, &config);
    for (uint32_t t = 0; t < 4; t++)
        give_command(&box, t);
    tick(&box);
    end(&box, 0);
    end(&box, 1);
    tick(&box);
    end(&box, 2);
    expect_state(&box, 0, 1, 3);
    agent_ack(box.agent, 2, box.now);
    expect_state(&box, 0, 1, 1);
    agent_ack(box.agent, 1, box.now);
    expect_state(&box, 0, 1, 1);
    agent_ack(box.agent, 1000, box.now);
    expect_state(&box, 0, 1, 0);
    close_box(&box);
}

static void
a_welcome_renames_what_is_held_and_results_come_again(void **state)
{
    const uint32_t tickets[] = {100, 7, 8, 9};
    struct work_spec spec = command();
    struct err err;
    struct box box;

    (void)state;
    open_box(&box, &config);
    for (uint32_t t = 0; t < 5; t++)
        give_command(&box, t);
    tick(&box);
    agent_began(box.agent, box.started[1]);
    end(&box, 0);
    agent_ack(box.agent, 1, box.now);
    tick(&box);
    end(&box, 2);
    tick(&box);
    agent_lost_broker(box.agent, box.now);
    buf_clear(&box.said);
    expect_held(&box, "2f 1r 3r 4q");
    agent_welcome(box.agent, 2, tickets, COUNT(tickets), box.now);
    expect_said(&box, "result1:t100=succeeded");
    assert_int_equal(agent_ticket(box.agent, box.started[1]), 7);
    end(&box, 3);
    expect_said(&box, "result2:t8=succeeded");
    /* Old names are free again. */
    assert_int_equal(try_task(&box, 101, 20, &spec, &err), 0);
    assert_int_equal(try_task(&box, 7, 21, &spec, &err), -1);
    agent_cancel(box.agent, 7, true);
    expect_said(&box, "kill:1");
    agent_recall(box.agent, 9);
    expect_said(&box, "back:t9");
    close_box(&box);
}

static void
what_happened_while_the_broker_was_away_is_told(void **state)
{
    const uint32_t tickets[] = {1, 2, 3};
    struct work_spec spec = call();
    struct box box;

    (void)state;
    open_box(&box, &config);
    for (uint32_t t = 0; t < 3; t++)
        give(&box, t, &spec);
    tick(&box);
    agent_lost_broker(box.agent, box.now);
    buf_clear(&box.said);
    expect_held(&box, "0q 1q 2q");
    agent_began(box.agent, box.started[0]);
    agent_began(box.agent, box.started[1]);
    end(&box, 0);
    tick(&box);
    expect_said(&box, "start:2");
    agent_welcome(box.agent, 2, tickets, COUNT(tickets), box.now);
    expect_said(&box, "started:t2 result1:t1=succeeded");
    close_box(&box);
}

static void
what_the_welcome_does_not_want_is_ended_and_forgotten(void **state)
{
    const uint32_t tickets[] = {0, 0, 1, 0};
    struct work_spec spec = command();
    struct err err;
    struct box box;

    (void)state;
    open_box(&box, &config);
    for (uint32_t t = 0; t < 4; t++)
        give_command(&box, t);
    tick(&box);
    end(&box, 0);
    tick(&box);
    buf_clear(&box.said);
    agent_lost_broker(box.agent, box.now);
    expect_held(&box, "0f 1r 2r 3q");
    agent_welcome(box.agent, 1, tickets, COUNT(tickets), box.now);
    expect_said(&box, "kill:1");
    expect_state(&box, 0, 2, 0);
    assert_int_equal(agent_ticket(box.agent, box.started[1]), 0);
    /* The same attempt may come anew, while the old one ends. */
    assert_int_equal(try_task(&box, 101, 1, &spec, &err), 0);
    agent_lost_broker(box.agent, box.now);
    expect_held(&box, "1q 2r");
    end_so(&box, 1, PLAN_CANCELLED, 1);
    expect_said(&box, "");
    expect_state(&box, 1, 1, 0);
    close_box(&box);
}

static void
nothing_is_told_while_there_is_no_session(void **state)
{
    struct box box;

    (void)state;
    open_box(&box, &config);
    for (uint32_t t = 0; t < 3; t++)
        give_command(&box, t);
    tick(&box);
    agent_lost_broker(box.agent, box.now);
    buf_clear(&box.said);
    agent_began(box.agent, box.started[0]);
    end(&box, 0);
    agent_recall(box.agent, 102);
    agent_drain(box.agent, box.now);
    agent_ack(box.agent, 10, box.now);
    expect_said(&box, "");
    expect_state(&box, 1, 1, 1);
    close_box(&box);
}

/* ---- exclusive, at most once ---- */

static void
guarded_attempts_start_within_a_session_only(void **state)
{
    const uint32_t tickets[] = {5, 6, 7};
    struct work_spec exclusive = command();
    struct work_spec once = command();
    struct box box;

    (void)state;
    exclusive.exclusive = true;
    once.at_most_once = true;
    open_box(&box, &config);
    give(&box, 0, &exclusive);
    give(&box, 1, &once);
    give_command(&box, 2);
    agent_lost_broker(box.agent, box.now);
    tick(&box);
    expect_said(&box, "start:2");
    expect_held(&box, "0q 1q 2r");
    tick(&box);
    agent_welcome(box.agent, 1, tickets, COUNT(tickets), box.now);
    tick(&box);
    expect_said(&box, "start:0");
    close_box(&box);
}

static void
exclusive_attempts_are_ended_when_the_broker_is_away_for_long(void **state)
{
    const uint32_t tickets[] = {5, 6};
    struct work_spec exclusive = command();
    struct box box;

    (void)state;
    exclusive.exclusive = true;
    open_box(&box, &config);
    give(&box, 0, &exclusive);
    give_command(&box, 1);
    tick(&box);
    agent_lost_broker(box.agent, box.now);
    box.now += 10 * SPAN_SECOND;
    agent_lost_broker(box.agent, box.now); /* from the first time on */
    buf_clear(&box.said);
    assert_true(tick(&box) == box.now + 35 * SPAN_SECOND);
    box.now += 35 * SPAN_SECOND - 1;
    tick(&box);
    expect_said(&box, "");
    box.now++;
    assert_true(tick(&box) == SPAN_NEVER);
    expect_said(&box, "kill:0");
    end_so(&box, 0, PLAN_CANCELLED, 1);
    expect_held(&box, "0f 1r");
    agent_welcome(box.agent, 2, tickets, COUNT(tickets), box.now);
    expect_said(&box, "result1:t5=crashed");
    close_box(&box);
}

static void
a_hello_without_a_loss_fences_too(void **state)
{
    struct work_spec exclusive = command();
    struct box box;

    (void)state;
    exclusive.exclusive = true;
    open_box(&box, &config);
    give(&box, 0, &exclusive);
    tick(&box);
    expect_held(&box, "0r");
    buf_clear(&box.said);
    assert_true(tick(&box) == box.now + 45 * SPAN_SECOND);
    box.now += 45 * SPAN_SECOND;
    tick(&box);
    expect_said(&box, "kill:0");
    close_box(&box);
}

/* ---- leaving ---- */

static void
draining_gives_back_what_is_queued_and_leaves_when_all_is_done(void **state)
{
    struct box box;

    (void)state;
    open_box(&box, &config);
    for (uint32_t t = 0; t < 4; t++)
        give_command(&box, t);
    tick(&box);
    buf_clear(&box.said);
    agent_drain(box.agent, box.now);
    expect_said(&box, "back:t102 back:t103");
    give_command(&box, 4);
    expect_said(&box, "back:t104");
    end(&box, 0);
    end(&box, 1);
    assert_false(agent_state(box.agent).may_leave);
    agent_ack(box.agent, 1, box.now);
    assert_false(agent_state(box.agent).may_leave);
    agent_ack(box.agent, 2, box.now);
    assert_true(agent_state(box.agent).may_leave);
    close_box(&box);
}

static void
one_that_drains_gives_back_after_the_broker_was_away(void **state)
{
    const uint32_t tickets[] = {5, 6, 7};
    struct box box;

    (void)state;
    open_box(&box, &config);
    for (uint32_t t = 0; t < 3; t++)
        give_command(&box, t);
    tick(&box);
    agent_lost_broker(box.agent, box.now);
    agent_drain(box.agent, box.now);
    buf_clear(&box.said);
    end(&box, 0);
    tick(&box);
    expect_held(&box, "0f 1r 2q");
    agent_welcome(box.agent, 1, tickets, COUNT(tickets), box.now);
    expect_said(&box, "result1:t5=succeeded back:t7");
    close_box(&box);
}

static void
an_agent_leaves_when_it_had_nothing_for_long(void **state)
{
    struct agent_config lazy = {.slots = 1, .idle = 10 * SPAN_SECOND};
    struct box box;

    (void)state;
    open_box(&box, &lazy);
    assert_true(tick(&box) == box.now + 10 * SPAN_SECOND);
    box.now += 9 * SPAN_SECOND;
    give_command(&box, 0);
    assert_true(tick(&box) == SPAN_NEVER);
    box.now += 100 * SPAN_SECOND;
    end(&box, 0);
    tick(&box);
    box.now += 100 * SPAN_SECOND;
    assert_true(tick(&box) == SPAN_NEVER);
    assert_false(agent_state(box.agent).may_leave);
    agent_ack(box.agent, 1, box.now);
    assert_true(tick(&box) == box.now + 10 * SPAN_SECOND);
    box.now += 10 * SPAN_SECOND;
    tick(&box);
    assert_true(agent_state(box.agent).may_leave);
    give_command(&box, 1);
    assert_false(agent_state(box.agent).may_leave);
    close_box(&box);
}

static void
an_agent_drains_at_the_end_of_its_life(void **state)
{
    struct agent_config mortal = {.slots = 1, .lifetime = 60 * SPAN_SECOND};
    struct box box;

    (void)state;
    open_box(&box, &mortal);
    give_command(&box, 0);
    give_command(&box, 1);
    assert_true(tick(&box) == box.now + 60 * SPAN_SECOND);
    box.now += 60 * SPAN_SECOND;
    assert_true(tick(&box) == SPAN_NEVER);
    expect_said(&box, "start:0 back:t101");
    assert_true(agent_state(box.agent).draining);
    close_box(&box);
}

/* ---- what does not fit ---- */

static void
what_is_said_of_unknown_attempts_is_ignored(void **state)
{
    struct result result = {.state = PLAN_SUCCEEDED};
    struct box box;

    (void)state;
    open_box(&box, &config);
    give_command(&box, 0);
    tick(&box);
    end(&box, 0);
    buf_clear(&box.said);
    result.ticket = box.started[0]; /* once more */
    agent_ended(box.agent, &result, box.now);
    agent_began(box.agent, box.started[0]);
    agent_not_begun(box.agent, box.started[0]);
    for (uint32_t own = 0; own < 10; own++) {
        result.ticket = own << 30 | own;
        if (result.ticket != box.started[0])
            agent_ended(box.agent, &result, box.now);
    }
    expect_said(&box, "");
    expect_state(&box, 0, 0, 1);
    close_box(&box);
}

static void
places_that_are_used_again_have_other_names(void **state)
{
    struct box box;
    uint32_t first;

    (void)state;
    open_box(&box, &config);
    give_command(&box, 0);
    tick(&box);
    first = box.started[0];
    end(&box, 0);
    agent_ack(box.agent, 1, box.now);
    give_command(&box, 1);
    tick(&box);
    assert_int_not_equal(first, box.started[1]);
    assert_int_equal(agent_ticket(box.agent, first), 0);
    close_box(&box);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_many_start_as_there_are_slots_in_order_of_arrival),
        cmocka_unit_test(one_without_room_does_not_hold_up_one_that_has),
        cmocka_unit_test(fractions_of_cpus_add_up),
        cmocka_unit_test(memory_and_named_resources_are_counted),
        cmocka_unit_test(gpus_are_given_by_index),
        cmocka_unit_test(
            fractions_of_a_gpu_share_one_and_leave_the_other_whole),
        cmocka_unit_test(whole_gpus_are_not_put_together_from_halves),
        cmocka_unit_test(what_can_never_have_room_is_refused),
        cmocka_unit_test(short_calls_are_handed_out_about_a_millisecond_ahead),
        cmocka_unit_test(calls_that_were_not_measured_go_one_to_a_slot),
        cmocka_unit_test(a_long_call_has_its_slot_for_itself),
        cmocka_unit_test(a_call_with_a_timeout_is_never_behind_another),
        cmocka_unit_test(calls_and_commands_share_the_cpus),
        cmocka_unit_test(calls_that_were_not_begun_go_back_to_their_place),
        cmocka_unit_test(only_what_is_queued_can_be_recalled),
        cmocka_unit_test(
            what_is_queued_is_cancelled_at_once_what_runs_is_ended),
        cmocka_unit_test(a_cancelled_call_that_was_not_begun_ends_cancelled),
        cmocka_unit_test(a_ticket_or_an_attempt_is_not_taken_twice),
        cmocka_unit_test(no_task_is_taken_outside_a_session),
        cmocka_unit_test(results_are_kept_until_they_are_acknowledged),
        cmocka_unit_test(a_welcome_renames_what_is_held_and_results_come_again),
        cmocka_unit_test(what_happened_while_the_broker_was_away_is_told),
        cmocka_unit_test(what_the_welcome_does_not_want_is_ended_and_forgotten),
        cmocka_unit_test(nothing_is_told_while_there_is_no_session),
        cmocka_unit_test(guarded_attempts_start_within_a_session_only),
        cmocka_unit_test(
            exclusive_attempts_are_ended_when_the_broker_is_away_for_long),
        cmocka_unit_test(a_hello_without_a_loss_fences_too),
        cmocka_unit_test(
            draining_gives_back_what_is_queued_and_leaves_when_all_is_done),
        cmocka_unit_test(one_that_drains_gives_back_after_the_broker_was_away),
        cmocka_unit_test(an_agent_leaves_when_it_had_nothing_for_long),
        cmocka_unit_test(an_agent_drains_at_the_end_of_its_life),
        cmocka_unit_test(what_is_said_of_unknown_attempts_is_ignored),
        cmocka_unit_test(places_that_are_used_again_have_other_names),
    };

    return cmocka_run_group_tests_name("agent", tests, NULL, NULL);
}
