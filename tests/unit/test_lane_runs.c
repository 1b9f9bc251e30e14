/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include <wire.pb-c.h>

#include "flow/value.h"
#include "proto/limits.h"
#include "tests/support/text.h"
#include "tests/support/told.h"

/* A run whose parameter has its number. */
static struct work_spec
spec_of_run(uint64_t run)
{
    struct work_spec spec = spec_of(0, "t");

    spec.run = spec.common = run;
    spec.params = json_pack("{s:I}", "n", (json_int_t)run);
    return spec;
}

/* Send a task in a frame of its own; how many runs that tells of. */
static size_t
pass_task(struct lane_out *out, struct told *told, const struct work_spec *spec)
{
    struct work work = work_of(spec, PLAN_WHOLE);
    const struct work_spec *got;
    struct wire wire;
    struct err err;
    size_t n;

    put_task(out, 1, &work);
    decode(&wire, lane_out_next(out));
    lane_out_sent(out);
    n = wire.as.lane->n_runs;
    if (read_lane(told, &wire, &err) < 0)
        fail_msg("%s", err.msg);
    wire_release(&wire);
    got = told->tasks[told->ntask - 1].work->spec;
    assert_int_equal(got->run, spec->run);
    assert_true(value_equal(got->params, spec->params));
    assert_string_equal(got->home ? got->home : "",
                        spec->home ? spec->home : "");
    return n;
}

static void
what_is_a_runs_goes_once(void **state)
{
    struct lane_out *out = lane_out_new();
    struct work_spec spec = spec_of_run(1), other = spec_of_run(2);
    struct told told = {0};
    const struct work_spec *first, *second;

    (void)state;
    assert_int_equal(pass_task(out, &told, &spec), 1);
    assert_int_equal(pass_task(out, &told, &spec), 0);
    assert_int_equal(pass_task(out, &told, &other), 1);
    assert_int_equal(pass_task(out, &told, &spec), 0);
    first = told.tasks[0].work->spec;
    second = told.tasks[1].work->spec;
    assert_ptr_equal(first->params, second->params);
    assert_int_equal(first->common, second->common);
    assert_true(first->common != told.tasks[2].work->spec->common);
    lane_out_forget(out, 1);
    assert_int_equal(pass_task(out, &told, &other), 0);
    assert_int_equal(pass_task(out, &told, &spec), 1);
    /* the number may be another broker's */
    spec.common = 3;
    assert_int_equal(pass_task(out, &told, &spec), 1);
    json_decref(spec.params);
    json_decref(other.params);
    told_release(&told);
    lane_out_destroy(&out);
}

static void
folders_of_a_run_may_differ(void **state)
{
    static const char *const homes[] = {"/a", "/b", NULL, "/a"};
    struct lane_out *out = lane_out_new();
    struct work_spec spec = spec_of_run(1);
    struct told told = {0};

    (void)state;
    for (size_t i = 0; i < COUNT(homes); i++) {
        struct work work = work_of(&spec, (uint32_t)i);

        spec.home = homes[i];
        put_task(out, (uint32_t)i + 1, &work);
    }
    assert_int_equal(pass_lane(out, &told), 1);
    for (size_t i = 0; i < COUNT(homes); i++) {
        const char *home = told.tasks[i].work->spec->home;

        assert_string_equal(home ? home : "", homes[i] ? homes[i] : "");
    }
    assert_ptr_equal(told.tasks[0].work->spec, told.tasks[3].work->spec);
    json_decref(spec.params);
    told_release(&told);
    lane_out_destroy(&out);
}

/* In turns, in a frame each and all in one: each has its own. */
static void
there_may_be_more_runs_than_a_lane_knows(void **state)
{
    struct work_spec specs[LIMIT_LANE_RUNS + 8];
    struct lane_out *out = lane_out_new();
    struct told told = {0};

    (void)state;
    for (size_t i = 0; i < COUNT(specs); i++)
        specs[i] = spec_of_run(i + 1);
    for (size_t i = 0; i < 2 * COUNT(specs); i++)
        (void)pass_task(out, &told, &specs[i % COUNT(specs)]);
    for (size_t i = 0; i < COUNT(specs); i++) {
        struct work work = work_of(&specs[i], PLAN_WHOLE);

        put_task(out, (uint32_t)i + 1, &work);
        if (i % 3 == 0)
            lane_out_forget(out, i + 1);
    }
    (void)pass_lane(out, &told);
    assert_int_equal(told.ntask, 3 * COUNT(specs));
    for (size_t i = 0; i < COUNT(specs); i++) {
        const struct work *work = told.tasks[2 * COUNT(specs) + i].work;

        assert_true(value_equal(work->spec->params, specs[i].params));
        json_decref(specs[i].params);
    }
    told_release(&told);
    lane_out_destroy(&out);
}

/* ---- what a broken sender could send ---- */

static const char *
wrong_with_lane(const char *item, const char *params, struct err *err)
{
    uint32_t one = 1, zero = 0, nitem = (uint32_t)strlen(item);
    struct told told = {0};
    struct buf frame = {0};
    struct wire wire;
    Wire__Run run, *runs[] = {&run};
    Wire__Spec spec, *specs[] = {&spec};
    Wire__Lane lane;

    err->msg[0] = '\0';
    wire__spec__init(&spec);
    spec.name = text("t");
    wire__run__init(&run);
    run.params.data = (uint8_t *)(uintptr_t)params;
    run.params.len = strlen(params);
    wire__lane__init(&lane);
    lane.n_runs = 1;
    lane.runs = runs;
    lane.n_specs = lane.n_ticket = lane.n_spec = lane.n_child = 1;
    lane.n_attempt = lane.n_item = 1;
    lane.specs = specs;
    lane.ticket = lane.attempt = &one;
    lane.spec = lane.child = &zero;
    lane.item = &nitem;
    lane.items.data = (uint8_t *)(uintptr_t)item;
    lane.items.len = nitem;
    assert_int_equal(wire_encode(&frame, WIRE_LANE, &lane.base, err), 0);
    assert_int_equal(wire_decode(&wire, frame.data, frame.len, err), 0);
    if (read_lane(&told, &wire, err) < 0)
        assert_int_equal(err->code, ERR_INVALID);
    wire_release(&wire);
    buf_release(&frame);
    told_release(&told);
    return err->msg;
}

static void
json_that_is_none_is_refused(void **state)
{
    static const char *const not_json[] = {
        "{",
        "{\"with\":{}",
        "{\"with\":{}}}",
        "{\"with\":{\"a\"}}",
        "{\"with\":}",
        "{\"a\":1,\"a\":2}",
        "\xff",
        "1",
    };
    struct err err;

    (void)state;
    for (size_t i = 0; i < COUNT(not_json); i++)
        assert_string_equal(wrong_with_lane(not_json[i], "", &err),
                            "Lane.item: not JSON");
    assert_string_equal(wrong_with_lane("{\"with\":{}}", "", &err), "");
    assert_string_equal(
        wrong_with_lane("{\"with\":{},\"cwd\":\"a\"}", "{}", &err), "");
    assert_string_not_equal(wrong_with_lane("[]", "", &err), "");
    assert_string_not_equal(wrong_with_lane("{\"else\":1}", "", &err), "");
    assert_string_not_equal(wrong_with_lane("{\"with\":[]}", "", &err), "");
    assert_string_not_equal(wrong_with_lane("{\"argv\":{}}", "", &err), "");
    assert_string_equal(wrong_with_lane("{}", "[]", &err),
                        "Run.params: not a JSON object");
    assert_string_equal(wrong_with_lane("{}", "{", &err),
                        "Run.params: not a JSON object");
}

static void
a_run_that_was_never_told_is_refused(void **state)
{
    struct lane_out *out = lane_out_new();
    struct work_spec spec = spec_of_run(1);
    struct told told = {0};
    struct work work = work_of(&spec, PLAN_WHOLE);
    struct wire wire;
    struct err err;

    (void)state;
    (void)pass_task(out, &told, &spec);
    put_task(out, 2, &work);
    decode(&wire, lane_out_next(out));
    lane_in_clear(told.in);
    assert_int_equal(read_lane(&told, &wire, &err), -1);
    assert_int_equal(err.code, ERR_INVALID);
    assert_string_equal(err.msg, "Spec.place: no run is there");
    assert_int_equal(told.ntask, 1);
    wire_release(&wire);
    json_decref(spec.params);
    told_release(&told);
    lane_out_destroy(&out);
}

static void
nesting_past_the_limit_is_refused(void **state)
{
    struct buf item = {0};
    struct err err;

    (void)state;
    buf_text(&item, "{\"with\":{\"a\":");
    for (int i = 0; i <= LIMIT_DEPTH; i++)
        buf_char(&item, '[');
    for (int i = 0; i <= LIMIT_DEPTH; i++)
        buf_char(&item, ']');
    buf_text(&item, "}}");
    assert_string_equal(wrong_with_lane(buf_str(&item), "", &err),
                        "Lane.item: nested too deep");
    buf_release(&item);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_a_runs_goes_once),
        cmocka_unit_test(folders_of_a_run_may_differ),
        cmocka_unit_test(there_may_be_more_runs_than_a_lane_knows),
        cmocka_unit_test(a_run_that_was_never_told_is_refused),
        cmocka_unit_test(json_that_is_none_is_refused),
        cmocka_unit_test(nesting_past_the_limit_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
