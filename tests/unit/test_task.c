/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "flow/params.h"
#include "lib/api.h"
#include "lib/task.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

/* One task, bound to a value of each type, called outside of any executor. */
struct called {
    leat_flow *flow;
    json_t *params;
    struct run *run;
    struct leat_task task;
    json_t *value;
};

static void
call(struct called *self, leat_fn *fn, void *data)
{
    struct buf problems = {0};
    json_t *given = json_pack("{s:i}", "p", 5);
    struct err err;
    leat_ref task;

    *self = (struct called){.flow = leat_flow_new("f")};
    leat_parameter(self->flow, "p");
    task = leat_flow_add_task(self->flow, "t", fn);
    leat_bind(task, {"i", leat_value(self->flow, json_integer(7))},
              {"f", leat_value(self->flow, json_real(0.5))},
              {"b", leat_value(self->flow, json_true())},
              {"s", leat_value(self->flow, json_string("text"))},
              {"l", leat_value(self->flow, json_pack("[ii]", 1, 2))},
              {"none", leat_value(self->flow, json_null())});
    leat_options(task, .data = data);
    assert_int_equal(leat_flow_check(self->flow, NULL), 0);
    assert_int_equal(
        params_bind(api_flow(self->flow), given, &self->params, &problems), 0);
    json_decref(given);
    assert_int_equal(
        run_new(&self->run, api_flow(self->flow), self->params, 1, NULL, &err),
        0);
    self->task = (struct leat_task){.flow = api_flow(self->flow),
                                    .run = self->run,
                                    .id = {0, PLAN_WHOLE},
                                    .attempt = 3,
                                    .run_number = 12,
                                    .state = PLAN_SUCCEEDED};
    task_call(&self->task, &self->value);
}

static void
release(struct called *self)
{
    json_decref(self->value);
    run_destroy(&self->run);
    json_decref(self->params);
    leat_flow_destroy(&self->flow);
}

static void
assert_end(leat_fn *fn, enum plan_state state, const char *cause)
{
    struct called called;

    call(&called, fn, NULL);
    assert_null(called.value);
    assert_int_equal(called.task.state, state);
    assert_string_equal(called.task.cause, cause);
    release(&called);
}

/* ---- arguments ---- */

static json_t *
use_all(leat_task *task)
{
    const char *text = leat_string(task, "s");

    assert_int_equal(leat_int(task, "p"), 5);
    assert_true(leat_float(task, "f") == 0.5);
    assert_true(leat_float(task, "i") == 7);
    assert_true(leat_bool(task, "b"));
    assert_true(json_is_null(leat_json(task, "none")));
    assert_true(leat_has(task, "none") && leat_has(task, "p"));
    assert_false(leat_has(task, "q"));
    assert_string_equal(text, "text");
    return json_pack("[O i]", leat_array(task, "l"), (int)leat_int(task, "i"));
}

static void
a_function_sees_its_arguments(void **state)
{
    json_t *wanted = json_pack("[[ii]i]", 1, 2, 7);
    struct called called;

    (void)state;
    call(&called, use_all, NULL);
    assert_int_equal(called.task.state, PLAN_SUCCEEDED);
    assert_true(json_equal(called.value, wanted));
    json_decref(wanted);
    release(&called);
}

static json_t *
want_missing(leat_task *task)
{
    return json_integer(leat_int(task, "q"));
}

static json_t *
want_int(leat_task *task)
{
    return json_integer(10 % leat_int(task, "s"));
}

static json_t *
want_float(leat_task *task)
{
    return json_real(leat_float(task, "b"));
}

static json_t *
want_bool(leat_task *task)
{
    return json_boolean(leat_bool(task, "i"));
}

static json_t *
want_string(leat_task *task)
{
    return json_string(leat_string(task, "l"));
}

static json_t *
want_array(leat_task *task)
{
    return json_incref(leat_array(task, "none"));
}

static void
a_wrong_argument_ends_the_function_at_once(void **state)
{
    static const struct {
        leat_fn *fn;
        const char *cause;
    } rows[] = {
        {want_missing, "`t` has no argument `q`"},
        {want_int, "argument `s` is a string, not an integer: \"text\""},
        {want_float, "argument `b` is a boolean, not a number: true"},
        {want_bool, "argument `i` is an integer, not true or false: 7"},
        {want_string, "argument `l` is a list, not a string: [1,2]"},
        {want_array, "argument `none` is null, not a list: null"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_end(rows[i].fn, PLAN_FAILED, rows[i].cause);
}

/* ---- ends ---- */

static json_t *
give_null(leat_task *task)
{
    (void)task;
    return NULL;
}

static void
fail_below(leat_task *task, int count)
{
    leat_fail(task, "%d of %s", count, "many");
}

static json_t *
fail_deep(leat_task *task)
{
    fail_below(task, 3);
    return json_true();
}

static json_t *
ask_skip(leat_task *task)
{
    leat_skip(task, "nothing to do");
}

static json_t *
ask_retry(leat_task *task)
{
    leat_retry(task, "busy");
}

static json_t *
fail_long(leat_task *task)
{
    leat_fail(task, "%1000d", 1);
}

static void
a_function_ends_as_it_says(void **state)
{
    struct called called;

    (void)state;
    assert_end(give_null, PLAN_SUCCEEDED, "");
    assert_end(fail_deep, PLAN_FAILED, "3 of many");
    assert_end(ask_skip, PLAN_SKIPPED, "nothing to do");
    assert_end(ask_retry, PLAN_RETRYING, "busy");
    call(&called, fail_long, NULL);
    assert_int_equal(strlen(called.task.cause), LIMIT_CAUSE_BYTES - 1);
    release(&called);
}

/* ---- context ---- */

static json_t *
look_around(leat_task *task)
{
    int *seen = leat_task_data(task);

    *seen = 1;
    assert_string_equal(leat_task_flow(task), "f");
    assert_string_equal(leat_task_name(task), "t");
    assert_int_equal(leat_task_index(task), -1);
    assert_int_equal(leat_task_attempt(task), 3);
    assert_int_equal(leat_task_run(task), 12);
    return NULL;
}

static void
a_function_knows_where_it_is(void **state)
{
    struct called called;
    int seen = 0;

    (void)state;
    call(&called, look_around, &seen);
    assert_int_equal(called.task.state, PLAN_SUCCEEDED);
    assert_int_equal(seen, 1);
    release(&called);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_function_sees_its_arguments),
        cmocka_unit_test(a_wrong_argument_ends_the_function_at_once),
        cmocka_unit_test(a_function_ends_as_it_says),
        cmocka_unit_test(a_function_knows_where_it_is),
    };

    return cmocka_run_group_tests_name("task", tests, NULL, NULL);
}
