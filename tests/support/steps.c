/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/support/steps.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct plan *
make_plan(const struct plan_task *tasks, uint32_t ntask,
          const struct plan_edge *edges, size_t nedge)
{
    struct plan *p = NULL;
    struct err err;

    assert_int_equal(plan_new(&p, tasks, ntask, edges, nedge, NULL, &err), 0);
    return p;
}

struct plan_id
child(uint32_t task, uint32_t k)
{
    return (struct plan_id){task, k};
}

struct plan_id
whole(uint32_t task)
{
    return (struct plan_id){task, PLAN_WHOLE};
}

void
expect_state(const struct plan *p, struct plan_id id, enum plan_state state)
{
    assert_string_equal(plan_state_names[plan_state(p, id)],
                        plan_state_names[state]);
}

static void
expect_id(struct plan_id got, struct plan_id want)
{
    assert_int_equal(got.task, want.task);
    assert_int_equal(got.child, want.child);
}

void
expect_take(struct plan *p, struct plan_id id)
{
    struct plan_id got;

    assert_true(plan_take(p, &got));
    expect_id(got, id);
    expect_state(p, got, PLAN_RUNNING);
}

void
expect_nothing_to_take(struct plan *p)
{
    struct plan_id got;

    assert_false(plan_take(p, &got));
}

void
expect_decision(struct plan *p, struct plan_id id, enum plan_decision decision)
{
    struct plan_id got;
    enum plan_decision what;

    assert_true(plan_decide(p, &got, &what));
    expect_id(got, id);
    assert_int_equal(what, decision);
    expect_state(p, got, PLAN_WAITING);
}

void
expect_no_decision(struct plan *p)
{
    struct plan_id got;
    enum plan_decision what;

    assert_false(plan_decide(p, &got, &what));
}

void
run(struct plan *p, struct plan_id id, enum plan_state state)
{
    expect_take(p, id);
    plan_finish(p, id, state);
    expect_state(p, id, state);
}

void
run_all(struct plan *p, uint32_t task, uint32_t n, enum plan_state state)
{
    for (uint32_t k = 0; k < n; k++)
        run(p, child(task, k), state);
}

void
expect_skip(struct plan *p, struct plan_id id)
{
    expect_decision(p, id, PLAN_SKIP);
    plan_finish(p, id, PLAN_SKIPPED);
    expect_state(p, id, PLAN_SKIPPED);
}

void
expect_trigger_fail(struct plan *p, struct plan_id id)
{
    expect_decision(p, id, PLAN_TRIGGER_FAIL);
    plan_finish(p, id, PLAN_TRIGGER_FAILED);
    expect_state(p, id, PLAN_TRIGGER_FAILED);
}

void
expand(struct plan *p, uint32_t task, uint32_t n)
{
    expect_decision(p, whole(task), PLAN_EXPAND);
    assert_int_equal(plan_children(p, task), 0);
    plan_expand(p, task, n, NULL, 0);
    expect_state(p, whole(task), PLAN_MAPPED);
    assert_int_equal(plan_children(p, task), n);
}

void
expect_finished(struct plan *p)
{
    expect_no_decision(p);
    expect_nothing_to_take(p);
    assert_true(plan_is_finished(p));
    assert_false(plan_is_stalled(p));
    for (int state = 0; state < PLAN_MAPPED; state++)
        assert_int_equal(plan_count(p, (enum plan_state)state), 0);
}
