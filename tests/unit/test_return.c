/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include <wire.pb-c.h>

#include "base/mem.h"
#include "proto/limits.h"
#include "tests/support/told.h"

static void
a_value_that_is_not_json_is_refused(void **state)
{
    struct told told = {0};
    struct buf frame = {0};
    struct wire wire;
    struct err err;
    Wire__Result result, *results[] = {&result};
    Wire__Return back;

    (void)state;
    wire__result__init(&result);
    result.ticket = 1;
    result.state = PLAN_SUCCEEDED;
    result.value.data = (uint8_t *)(uintptr_t) "[1";
    result.value.len = 2;
    wire__return__init(&back);
    back.first = 1;
    back.n_results = 1;
    back.results = results;
    assert_int_equal(wire_encode(&frame, WIRE_RETURN, &back.base, &err), 0);
    assert_int_equal(wire_decode(&wire, frame.data, frame.len, &err), 0);
    assert_int_equal(return_read(&wire, &told_return, &told, &err), -1);
    assert_string_equal(err.msg, "Result.value: not JSON");
    wire_release(&wire);
    buf_release(&frame);
    told_release(&told);
}

static struct result
plain(uint32_t ticket, int64_t started)
{
    return (struct result){.ticket = ticket,
                           .state = PLAN_SUCCEEDED,
                           .code = -1,
                           .started = started,
                           .ended = started + 5};
}

static void
a_return_says_it_all_in_one_frame(void **state)
{
    const struct output oops = {.ticket = 20,
                                .stream = 2,
                                .origin = 5,
                                .offset = 1ull << 40,
                                .when = 77,
                                .data = "oops",
                                .n = 4};
    struct return_out *out = return_out_new(3);
    struct beat beat = {.number = 4,
                        .queued = 5,
                        .running = 6,
                        .load = 0.5,
                        .memory = 1ull << 40};
    struct told told = {0};
    struct result result = plain(20, 1000);

    (void)state;
    return_out_leaving(out);
    return_out_given_back(out, 8);
    return_out_result(out, 100, &result);
    result = plain(21, 990); /* the clock was set back */
    return_out_result(out, 101, &result);
    result = plain(22, 995);
    result.value = json_pack("[i]", 1);
    result.code = 0;
    return_out_result(out, 102, &result);
    json_decref(result.value);
    result = plain(23, 996); /* plain, but after one that is not */
    return_out_result(out, 103, &result);
    result = (struct result){.ticket = 24,
                             .state = PLAN_CRASHED,
                             .cause = "no \xff program",
                             .code = 9,
                             .started = 1,
                             .ended = 2,
                             .cpu = 3,
                             .memory = 4,
                             .cwd = "/tmp",
                             .refused = REFUSED_PROGRAM};
    return_out_result(out, 104, &result);
    return_out_started(out, 20);
    return_out_output(out, &oops);
    return_out_beat(out, &beat);
    assert_int_equal(pass_return(out, 3, &told), 1);
    assert_string_equal(
        buf_str(&told.text),
        "beat 4: 5 queued, 6 running, 0.50, 1099511627776\n"
        "started 20\n"
        "output 20 2 5+1099511627776 77 oops\n"
        "100: 20 succeeded 1000..1005\n"
        "101: 21 succeeded 990..995\n"
        "102: 22 succeeded 995..1000 value=[1] code 0\n"
        "103: 23 succeeded 996..1001\n"
        "104: 24 crashed 1..2 `no \\xff program` code 9 cpu 3 memory 4 "
        "cwd=/tmp refused 1\n"
        "given back 8\n"
        "leaving\n");
    told_release(&told);
    return_out_destroy(&out);
}

static void
what_is_not_plain_is_told_in_full(void **state)
{
    static const struct result rows[] = {
        {.state = PLAN_SUCCEEDED, .code = -1, .started = 9, .ended = 8},
        {.state = PLAN_SUCCEEDED, .code = 0, .started = 9, .ended = 9},
        {.state = PLAN_SUCCEEDED, .code = -1, .cpu = 1},
        {.state = PLAN_SUCCEEDED, .code = -1, .memory = 1},
        {.state = PLAN_SUCCEEDED, .code = -1, .cwd = "/x"},
        {.state = PLAN_SUCCEEDED, .code = -1, .cause = "x"},
        {.state = PLAN_SUCCEEDED, .code = -1, .ended = INT64_C(1) << 40},
        {.state = PLAN_CACHED, .code = -1},
        {.state = PLAN_RETRYING, .code = -1, .cause = "again"},
    };
    struct told direct = {0}, told = {0};
    struct return_out *out = return_out_new(0);

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct result result = rows[i];

        result.ticket = 1;
        told_return.result(&direct, 1, &result);
        return_out_result(out, 1, &result);
        assert_int_equal(pass_return(out, 0, &told), 1);
    }
    assert_string_equal(buf_str(&told.text), buf_str(&direct.text));
    told_release(&direct);
    told_release(&told);
    return_out_destroy(&out);
}

static uint32_t
roll(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (uint32_t)(*seed >> 34);
}

/* In any mixture, and wherever a frame ends. */
static void
results_keep_their_numbers(void **state)
{
    struct return_out *out = return_out_new(1);
    struct told direct = {0}, told = {0};
    uint64_t number = 1, seed = 1;

    (void)state;
    for (uint32_t i = 0; i < 40000; i++) {
        struct result result = plain(i + 1, 1000000 + (int)roll(&seed) % 1000);

        if ((int)roll(&seed) % 1000 == 0)
            result.value = json_string("v");
        if ((int)roll(&seed) % 5000 == 0)
            number += 10;
        told_return.result(&direct, number, &result);
        return_out_result(out, number++, &result);
        json_decref(result.value);
        if ((int)roll(&seed) % 3000 == 0)
            (void)pass_return(out, 1, &told);
    }
    (void)pass_return(out, 1, &told);
    assert_string_equal(buf_str(&told.text), buf_str(&direct.text));
    told_release(&direct);
    told_release(&told);
    return_out_destroy(&out);
}

static void
plain_results_take_few_bytes(void **state)
{
    struct return_out *out = return_out_new(1);
    size_t n = 8000;

    (void)state;
    for (uint32_t i = 0; i < n; i++) {
        struct result result = plain(i + 1, INT64_C(1750000000000000) + i * 3);

        return_out_result(out, i + 1, &result);
    }
    assert_true(return_out_next(out)->len < n * 5);
    return_out_sent(out);
    assert_null(return_out_next(out));
    return_out_destroy(&out);
}

static void
values_and_causes_are_cut_to_what_may_travel(void **state)
{
    struct return_out *out = return_out_new(1);
    struct told told = {0};
    struct result result = plain(1, 0);
    char *huge = mem_alloc((1 << 20) + 1, 1);
    struct buf cause = {0};

    (void)state;
    memset(huge, 'x', 1 << 20);
    result.value = json_string(huge);
    return_out_result(out, 1, &result);
    json_decref(result.value);
    result.value = NULL;
    buf_char(&cause, 'c');
    while (cause.len < 1000)
        buf_text(&cause, "\xe2\x82\xac");
    result.cause = buf_str(&cause);
    result.state = PLAN_FAILED;
    return_out_result(out, 2, &result);
    (void)pass_return(out, 1, &told);
    assert_non_null(strstr(
        buf_str(&told.text),
        "1: 1 failed 0..5 `the value has 1048578 bytes; 917504 are the most "
        "that travel from an agent: write a file and give its path`\n"));
    assert_non_null(strstr(buf_str(&told.text), "2: 1 failed 0..5 `c\xe2"));
    assert_true(told.text.len < 700);
    buf_release(&cause);
    free(huge);
    told_release(&told);
    return_out_destroy(&out);
}

static void
long_output_is_cut_into_pieces(void **state)
{
    struct return_out *out = return_out_new(1);
    struct told told = {0};
    struct output output = {.ticket = 7,
                            .stream = 1,
                            .origin = 3,
                            .offset = 1000,
                            .when = -1,
                            .n = 5 * LIMIT_CHUNK_BYTES + 200};
    char *data = mem_alloc(output.n, 1);

    (void)state;
    output.data = data;
    return_out_output(out, &output);
    output.n = 0;
    return_out_output(out, &output);
    assert_int_equal(pass_return(out, 1, &told), 2);
    assert_string_equal(buf_str(&told.text),
                        "output 7 1 3+1000 -1 262144 bytes\n"
                        "output 7 1 3+263144 -1 262144 bytes\n"
                        "output 7 1 3+525288 -1 262144 bytes\n"
                        "output 7 1 3+787432 -1 262144 bytes\n"
                        "output 7 1 3+1049576 -1 262144 bytes\n"
                        "output 7 1 3+1311720 -1 200 bytes\n");
    free(data);
    told_release(&told);
    return_out_destroy(&out);
}

static void
a_new_session_begins_with_nothing(void **state)
{
    struct return_out *out = return_out_new(1);
    struct told told = {0};

    (void)state;
    return_out_started(out, 1);
    assert_non_null(return_out_next(out));
    return_out_started(out, 2);
    return_out_begin(out, 9);
    assert_null(return_out_next(out));
    return_out_started(out, 3);
    assert_int_equal(pass_return(out, 9, &told), 1);
    assert_string_equal(buf_str(&told.text), "started 3\n");
    told_release(&told);
    return_out_destroy(&out);
}

static void
calls_that_nobody_wants_are_left_out(void **state)
{
    static const struct return_calls no_return = {0};
    static const struct lane_calls no_lane = {0};
    struct lane_out *lane = lane_out_new();
    struct lane_in *in = lane_in_new();
    struct return_out *back = return_out_new(1);
    struct work_spec spec = spec_of(0, "t");
    struct work work = work_of(&spec, 0);
    struct result result = plain(1, 0);
    struct beat beat = {0};
    struct wire wire;
    struct err err;

    (void)state;
    put_task(lane, 1, &work);
    lane_out_cancel(lane, 1, false);
    lane_out_recall(lane, 1);
    lane_out_leave(lane);
    decode(&wire, lane_out_next(lane));
    assert_int_equal(lane_read(in, &wire, &no_lane, NULL, &err), 0);
    wire_release(&wire);
    return_out_result(back, 1, &result);
    return_out_beat(back, &beat);
    return_out_started(back, 1);
    return_out_given_back(back, 1);
    return_out_output(
        back, &(struct output){.ticket = 1, .stream = 1, .data = "x", .n = 1});
    return_out_leaving(back);
    decode(&wire, return_out_next(back));
    assert_int_equal(return_read(&wire, &no_return, NULL, &err), 0);
    wire_release(&wire);
    lane_in_destroy(&in);
    lane_out_destroy(&lane);
    return_out_destroy(&back);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_that_is_not_json_is_refused),
        cmocka_unit_test(a_return_says_it_all_in_one_frame),
        cmocka_unit_test(what_is_not_plain_is_told_in_full),
        cmocka_unit_test(results_keep_their_numbers),
        cmocka_unit_test(plain_results_take_few_bytes),
        cmocka_unit_test(values_and_causes_are_cut_to_what_may_travel),
        cmocka_unit_test(long_output_is_cut_into_pieces),
        cmocka_unit_test(a_new_session_begins_with_nothing),
        cmocka_unit_test(calls_that_nobody_wants_are_left_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
