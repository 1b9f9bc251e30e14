/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include <wire.pb-c.h>

#include "base/mem.h"
#include "proto/limits.h"
#include "proto/link.h"
#include "tests/support/served.h"

static void
on_leave(void *ctx)
{
    struct served *s = ctx;

    s->told_to_leave = true;
}

/* Something of what it said was not heard: it must say it all again, and
 * nothing that came after is acknowledged. */
static void
says_hello_anew(struct served *s)
{
    static const struct lane_calls calls = {
        .task = served_task, .ack = served_ack, .leave = on_leave};
    struct wire wire;

    s->acked = 0;
    s->told_to_leave = false;
    while (!s->told_to_leave) {
        next_frame(s, s->lane, &wire);
        assert_int_equal(lane_read(s->runs, &wire, &calls, s, &s->err), 0);
        wire_release(&wire);
    }
    assert_int_equal(s->acked, 0);
    for (size_t i = 0; i < s->ntask; i++)
        s->held[i].phase = HELD_FINISHED;
    hello(s, "one", 1, s->held, s->ntask);
    for (size_t i = 0; i < s->ntask; i++)
        assert_int_not_equal(s->tickets[i], 0);
}

static void
an_agent_that_sends_what_is_no_return_says_hello_anew(void **state)
{
    static const char text[] = "leat: 1\nname: f\ntasks:\n"
                               "  a: { run: x }\n  b: { run: x }\n";
    struct served *s = *state;
    Wire__Return back = WIRE__RETURN__INIT;
    Wire__Result result;
    Wire__Result *results[] = {&result};
    struct buf frame = {0};
    struct looked looked;
    uint64_t run;

    hello(s, "one", 1, NULL, 0);
    run = submit(s, text);
    wait_for_tasks(s, 2);
    wire__result__init(&result);
    back.session = s->session;
    back.first = 1;
    back.results = results;
    back.n_results = 1;
    result.ticket = s->tickets[0];
    result.state = 99;
    assert_int_equal(wire_encode(&frame, WIRE_RETURN, &back.base, &s->err), 0);
    send_frame(s, s->back, frame.data, frame.len);
    s->number = 1;
    report(s, 1, PLAN_SUCCEEDED, NULL);
    says_hello_anew(s);

    /* A frame is missing, of which nobody could tell whose it was. */
    s->number = 1;
    report(s, 1, PLAN_SUCCEEDED, NULL);
    says_hello_anew(s);
    report(s, 0, PLAN_SUCCEEDED, NULL);
    report(s, 1, PLAN_SUCCEEDED, NULL);
    wait_for_ack(s);
    follow(s, run, &looked);
    assert_int_equal(looked.state, STORE_SUCCEEDED);
    release_looked(&looked);
    buf_release(&frame);
}

static void
a_restarted_broker_adopts_what_agents_hold(void **state)
{
    struct served *s = *state;
    struct looked looked;
    struct held held;
    uint64_t run;

    hello(s, "one", 1, NULL, 0);
    run = submit(s, two_tasks);
    wait_for_tasks(s, 1);
    return_out_started(s->out, s->tickets[0]);
    flush_back(s);
    held = s->held[0];
    stop_broker(s);
    start_broker(s);
    hello(s, "one", 1, &held, 1);
    assert_int_equal(s->epoch, held.epoch + 1);
    assert_true(s->tickets[0] != 0);
    report(s, 0, PLAN_SUCCEEDED, json_integer(5));
    wait_for_tasks(s, 2);
    report(s, 1, PLAN_SUCCEEDED, json_integer(7));
    follow(s, run, &looked);
    assert_int_equal(looked.state, STORE_SUCCEEDED);
    assert_int_equal(json_integer_value(looked.output), 7);
    release_looked(&looked);
}

/* ... and what of their output it has, which they were told or not. */
static void
output_that_comes_again_is_there_once(void **state)
{
    struct served *s = *state;
    struct looked looked;
    struct held held;
    uint64_t run;

    hello(s, "one", 1, NULL, 0);
    run = submit(s, two_tasks);
    wait_for_tasks(s, 1);
    return_out_started(s->out, s->tickets[0]);
    put_output(s, 0, 0, "one ");
    put_output(s, 0, 4, "two ");
    flush_back(s);
    wait_until_saved(s, 8);
    held = s->held[0];
    /* Another session, */
    hello(s, "one", 1, &held, 1);
    put_output(s, 0, 4, "two ");
    put_output(s, 0, 8, "three ");
    flush_back(s);
    wait_until_saved(s, 10);
    stop_broker(s);
    start_broker(s);
    /* another broker. */
    hello(s, "one", 1, &held, 1);
    put_output(s, 0, 8, "three ");
    put_output(s, 0, 14, "four");
    report(s, 0, PLAN_SUCCEEDED, NULL);
    wait_for_tasks(s, 2);
    report(s, 1, PLAN_SUCCEEDED, NULL);
    follow(s, run, &looked);
    assert_int_equal(looked.state, STORE_SUCCEEDED);
    assert_string_equal(buf_str(&looked.printed), "one two three four");
    release_looked(&looked);
}

static void
a_restarted_broker_knows_what_was_cancelled(void **state)
{
    struct served *s = *state;
    struct looked looked;
    struct held held;
    uint64_t run;

    hello(s, "one", 1, NULL, 0);
    run = submit(s, two_tasks);
    wait_for_tasks(s, 1);
    return_out_started(s->out, s->tickets[0]);
    flush_back(s);
    held = s->held[0];
    assert_int_equal(ask(s, ASK_CANCEL, run, "", NULL), ERR_NONE);
    stop_broker(s);
    start_broker(s);
    hello(s, "one", 1, &held, 1);
    assert_int_equal(s->tickets[0], 0);
    follow(s, run, &looked);
    assert_int_equal(looked.state, STORE_CANCELLED);
    release_looked(&looked);
    /* It is forgotten when somebody wants it to go on. */
    assert_int_equal(ask(s, ASK_RETRY, run, "", NULL), ERR_NONE);
    wait_for_tasks(s, 2);
    held = s->held[1];
    stop_broker(s);
    start_broker(s);
    hello(s, "one", 1, &held, 1);
    assert_int_not_equal(s->tickets[0], 0);
}

static void
what_a_dead_agent_had_goes_to_another(void **state)
{
    struct served *s = *state;
    struct looked looked;
    uint64_t run;

    hello(s, "one", 1, NULL, 0);
    run = submit(s, two_tasks);
    wait_for_tasks(s, 1);
    leave(s); /* its connections are gone */
    hello(s, "two", 2, NULL, 0);
    wait_for_tasks(s, 1);
    report(s, 0, PLAN_SUCCEEDED, json_integer(1));
    wait_for_tasks(s, 2);
    report(s, 1, PLAN_SUCCEEDED, json_integer(2));
    follow(s, run, &looked);
    assert_int_equal(looked.state, STORE_SUCCEEDED);
    release_looked(&looked);
}

/* It would find out by the silence. */
static void
an_agent_is_told_that_its_lane_is_gone(void **state)
{
    struct served *s = *state;
    struct wire wire;

    hello(s, "one", 1, NULL, 0);
    (void)submit(s, two_tasks);
    wait_for_tasks(s, 1);
    link_close(&s->lane);
    any_frame(s, s->control, &wire);
    assert_true(is_over(s, &wire));
    assert_string_equal(wire.as.answer->text, "its lane is gone");
    wire_release(&wire);
    s->held[0].phase = HELD_RUNNING;
    hello(s, "one", 1, s->held, 1);
    assert_int_not_equal(s->tickets[0], 0);
}

static void
values_that_are_too_long_to_travel_fail_the_task(void **state)
{
    struct served *s = *state;
    size_t n = LIMIT_TRAVEL_BYTES - 100;
    char *long_text = mem_alloc(n + 1, 1);
    struct looked looked;
    uint64_t run;

    memset(long_text, 'x', n);
    hello(s, "one", 1, NULL, 0);
    run = submit(s, "leat: 1\nname: long\ntasks:\n"
                    "  a: {run: x, value: json}\n"
                    "  b:\n    argv: [echo, '${a}', '${a}']\n");
    wait_for_tasks(s, 1);
    report(s, 0, PLAN_SUCCEEDED, json_string(long_text));
    follow(s, run, &looked);
    assert_int_equal(looked.state, STORE_FAILED);
    if (!strstr(buf_str(&looked.text), "b=failed (its values have"))
        fail_msg("%.2000s", buf_str(&looked.text));
    release_looked(&looked);
    free(long_text);
}

static void
a_cached_value_is_not_sent_again(void **state)
{
    static const char flow[] = "leat: 1\nname: kept\ntasks:\n"
                               "  a: {run: x, value: json, cache: {for: 1h}}\n"
                               "output: '${a}'\n";
    struct served *s = *state;
    struct looked looked;
    uint64_t run;

    hello(s, "one", 1, NULL, 0);
    run = submit(s, flow);
    wait_for_tasks(s, 1);
    report(s, 0, PLAN_SUCCEEDED, json_integer(41));
    follow(s, run, &looked);
    release_looked(&looked);
    run = submit(s, flow);
    follow(s, run, &looked);
    assert_int_equal(looked.state, STORE_SUCCEEDED);
    assert_int_equal(json_integer_value(looked.output), 41);
    assert_non_null(
        strstr(buf_str(&looked.text), "a=cached (from an earlier run)"));
    assert_int_equal(s->ntask, 1);
    release_looked(&looked);
}

/* Submit it, and report its one task from there. */
static void
run_from(struct served *s, const char *flow, const char *cwd, int value)
{
    struct looked looked;
    uint64_t run = submit(s, flow);

    wait_for_tasks(s, s->ntask + 1);
    report_from(s, s->ntask - 1, cwd, json_integer(value));
    follow(s, run, &looked);
    assert_int_equal(looked.state, STORE_SUCCEEDED);
    release_looked(&looked);
}

static void
only_what_ran_where_it_was_to_is_cached(void **state)
{
    static const char flow[] =
        "leat: 1\nname: kept\ntasks:\n"
        "  a: {run: x, value: json, cwd: sub, cache: {for: 1h}}\n"
        "output: '${a}'\n";
    struct served *s = *state;
    struct looked looked;

    hello(s, "one", 1, NULL, 0);
    run_from(s, flow, "/tmp/leat-scratch/sub", 1);
    run_from(s, flow, "/tmp/sub", 2);
    follow(s, submit(s, flow), &looked);
    assert_int_equal(json_integer_value(looked.output), 2);
    assert_int_equal(s->ntask, 2);
    release_looked(&looked);
}

static void
a_program_comes_in_pieces_and_goes_in_pieces(void **state)
{
    struct served *s = *state;
    size_t n = ((size_t)3 << 18) + 7;
    char *program = mem_alloc(n, 1);
    Wire__Blob blob = WIRE__BLOB__INIT;
    unsigned char hash[32];
    struct buf got = {0};
    uint64_t number = 1;

    randombytes_buf(program, n);
    (void)crypto_generichash(hash, sizeof hash, (unsigned char *)program, n,
                             NULL, 0);
    blob.hash.data = hash;
    blob.hash.len = sizeof hash;
    blob.tag = ++s->tag; /* nobody has it */
    ask_frame(s, WIRE_BLOB, &blob.base);
    assert_int_equal(answer_of(s, NULL, NULL), ERR_NOT_FOUND);
    blob.bytes = n;
    blob.tag = ++s->tag;
    ask_frame(s, WIRE_BLOB, &blob.base);
    assert_int_equal(answer_of(s, &number, NULL), ERR_NONE);
    assert_int_equal(number, 0);
    send_pieces(s, program, n, LIMIT_CHUNK_BYTES);
    assert_int_equal(answer_of(s, &number, NULL), ERR_NONE);
    assert_int_equal(number, n);
    blob.tag = ++s->tag; /* once is enough */
    ask_frame(s, WIRE_BLOB, &blob.base);
    assert_int_equal(answer_of(s, &number, NULL), ERR_NONE);
    assert_int_equal(number, n);
    blob.bytes = 0;
    while (got.len < n) {
        struct wire wire;

        blob.tag = ++s->tag;
        blob.offset = got.len;
        ask_frame(s, WIRE_BLOB, &blob.base);
        next_frame(s, s->control, &wire);
        assert_int_equal(wire.type, WIRE_CHUNK);
        assert_int_equal(wire.as.chunk->offset, got.len);
        buf_add(&got, wire.as.chunk->data.data, wire.as.chunk->data.len);
        wire_release(&wire);
    }
    assert_memory_equal(got.data, program, n);
    blob.tag = ++s->tag;
    blob.offset = n;
    ask_frame(s, WIRE_BLOB, &blob.base);
    assert_int_equal(answer_of(s, &number, NULL), ERR_NONE);
    assert_int_equal(number, n);
    buf_release(&got);
    free(program);
}

static void
a_path_as_long_as_a_hash_is_a_path(void **state)
{
    struct served *s = *state;

    s->program = "/home/me/flows/of/mine/a_program";
    assert_int_equal(strlen(s->program), 32);
    assert_int_equal(submit(s, two_tasks), 1);
}

static void
a_program_that_is_another_one_is_refused(void **state)
{
    struct served *s = *state;
    Wire__Blob blob = WIRE__BLOB__INIT;
    unsigned char hash[32] = {1};

    blob.hash.data = hash;
    blob.hash.len = sizeof hash;
    blob.bytes = 10;
    blob.tag = ++s->tag;
    ask_frame(s, WIRE_BLOB, &blob.base);
    assert_int_equal(answer_of(s, NULL, NULL), ERR_NONE);
    send_pieces(s, "0123456789", 10, 10);
    assert_int_equal(answer_of(s, NULL, NULL), ERR_INVALID);
    blob.bytes = 0;
    blob.tag = ++s->tag;
    ask_frame(s, WIRE_BLOB, &blob.base);
    assert_int_equal(answer_of(s, NULL, NULL), ERR_NOT_FOUND);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        SERVED(an_agent_that_sends_what_is_no_return_says_hello_anew),
        SERVED(a_restarted_broker_adopts_what_agents_hold),
        SERVED(output_that_comes_again_is_there_once),
        SERVED(a_restarted_broker_knows_what_was_cancelled),
        SERVED(what_a_dead_agent_had_goes_to_another),
        SERVED(an_agent_is_told_that_its_lane_is_gone),
        SERVED(values_that_are_too_long_to_travel_fail_the_task),
        SERVED(a_cached_value_is_not_sent_again),
        SERVED(only_what_ran_where_it_was_to_is_cached),
        SERVED(a_program_comes_in_pieces_and_goes_in_pieces),
        SERVED(a_path_as_long_as_a_hash_is_a_path),
        SERVED(a_program_that_is_another_one_is_refused),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
