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
#include "proto/link.h"
#include "tests/support/served.h"

static void
a_run_goes_from_client_to_agent_and_back(void **state)
{
    struct served *s = *state;
    struct looked looked;
    uint64_t run;

    hello(s, "one", 1, NULL, 0);
    run = submit(s, two_tasks);
    assert_int_equal(run, 1);
    wait_for_tasks(s, 1);
    return_out_started(s->out, s->tickets[0]);
    put_output(s, 0, 0, "hi");
    report(s, 0, PLAN_SUCCEEDED, json_integer(5));
    wait_for_tasks(s, 2);
    assert_string_equal(s->first_script, "echo");
    report(s, 1, PLAN_SUCCEEDED, json_integer(6));
    wait_for_ack(s);
    follow(s, run, &looked);
    assert_int_equal(looked.state, STORE_SUCCEEDED);
    assert_int_equal(json_integer_value(looked.output), 6);
    assert_non_null(strstr(buf_str(&looked.text), "a=running "));
    assert_int_equal(looked.timeless, 0);
    assert_non_null(strstr(buf_str(&looked.text), "a=succeeded "));
    assert_non_null(strstr(buf_str(&looked.text), "b=succeeded "));
    assert_non_null(strstr(buf_str(&looked.text), "[hi] "));
    release_looked(&looked);
}

static void
a_bad_flow_is_refused_with_all_that_is_wrong(void **state)
{
    struct served *s = *state;
    struct buf text = {0};
    uint64_t run = 0;

    assert_int_equal(submit_with(s,
                                 "leat: 1\nname: x\ntasks:\n"
                                 "  a: {rum: x}\n  b: {run: x, tiemout: 1}\n",
                                 "", &run, &text),
                     ERR_INVALID);
    assert_non_null(strstr(buf_str(&text), "test.yaml:4:7: "));
    assert_non_null(strstr(buf_str(&text), "test.yaml:5:"));
    assert_int_equal(submit_with(s, two_tasks, "{\"x\": 1}", &run, &text),
                     ERR_INVALID);
    assert_int_equal(submit_with(s, two_tasks, "[", &run, &text), ERR_INVALID);
    /* None has become a run. */
    assert_int_equal(ask(s, ASK_FIND, 0, "last", &text), ERR_NOT_FOUND);
    buf_release(&text);
}

static void
garbage_is_dropped(void **state)
{
    struct served *s = *state;
    struct buf text = {0};
    unsigned char junk[64];
    void *back = NULL;
    char *to = mem_printf("%s-return", s->address);

    assert_int_equal(link_socket(&back, LINK_RETURN_PUSH, &s->err), 0);
    assert_int_equal(link_connect(back, to, &s->err), 0);
    for (unsigned i = 0; i < 200; i++) {
        randombytes_buf(junk, sizeof junk);
        if (i % 2)
            memcpy(junk, "lT", 2);
        send_frame(s, s->control, junk, i % sizeof junk);
        send_frame(s, back, junk, i % sizeof junk);
    }
    /* Several parts; and a message that belongs elsewhere. */
    wait_until(s, s->control, LINK_OUT);
    (void)zmq_send(s->control, "a", 1, ZMQ_SNDMORE);
    (void)zmq_send(s->control, "b", 1, 0);
    (void)zmq_send(back, "a", 1, ZMQ_SNDMORE);
    (void)zmq_send(back, "b", 1, 0);
    ask_frame(s, WIRE_SEEN, &((Wire__Seen)WIRE__SEEN__INIT).base);
    ask_frame(s, WIRE_CHUNK,
              &((Wire__Chunk){
                    .base = PROTOBUF_C_MESSAGE_INIT(&wire__chunk__descriptor),
                    .data = {1, junk}})
                   .base);
    s->tag = 77;
    assert_int_equal(ask(s, ASK_VERSION, 0, "", &text), ERR_NONE);
    assert_non_null(strstr(buf_str(&text), "\"epoch\""));
    buf_release(&text);
    link_close(&back);
    free(to);
}

static void
people_get_answers(void **state)
{
    static const char *const bad_options[] = {
        "{",
        "[]",
        "{\"env\": [\"A\"]}",
        "{\"env\": {\"A\": 1}}",
        "{\"env\": {\"A=B\": \"x\"}}",
        "{\"timeout\": -1}",
        "{\"timeout\": \"1s\"}",
    };
    struct served *s = *state;
    struct buf text = {0};
    struct looked looked;
    uint64_t run;

    assert_int_equal(ask(s, ASK_CANCEL, 9, "", &text), ERR_NOT_FOUND);
    assert_int_equal(ask(s, ASK_WHY, 9, "a", &text), ERR_NOT_FOUND);
    run = submit(s, two_tasks);
    assert_int_equal(ask(s, ASK_WHY, run, "a", &text), ERR_NONE);
    assert_non_null(strstr(buf_str(&text), "agent"));
    assert_int_equal(ask(s, ASK_WHY, run, "zzz", &text), ERR_NOT_FOUND);
    assert_int_equal(ask(s, ASK_WHY, run, "a[0]", &text), ERR_NOT_FOUND);
    assert_int_equal(ask(s, ASK_WHY, run, "a[#0]", &text), ERR_NOT_FOUND);
    assert_int_equal(ask(s, ASK_REMOVE, run, "", &text), ERR_UNAVAILABLE);
    assert_int_equal(ask(s, ASK_RETRY, run, "", &text), ERR_UNAVAILABLE);
    assert_int_equal(ask(s, ASK_DRAIN, 0, "nobody", &text), ERR_NOT_FOUND);
    hello(s, "one", 1, NULL, 0);
    assert_int_equal(ask(s, ASK_AGENTS, 0, "", &text), ERR_NONE);
    assert_non_null(strstr(buf_str(&text), "\"name\":\"one\""));
    assert_int_equal(ask(s, ASK_CANCEL, run, "", &text), ERR_NONE);
    leave(s);
    follow(s, run, &looked);
    assert_int_equal(looked.state, STORE_CANCELLED);
    release_looked(&looked);
    assert_int_equal(ask(s, ASK_CANCEL, run, "", &text), ERR_INVALID);
    for (size_t i = 0; i < sizeof bad_options / sizeof bad_options[0]; i++) {
        assert_int_equal(ask_with(s, ASK_RETRY, run, "", bad_options[i], &text),
                         ERR_INVALID);
        assert_non_null(strstr(buf_str(&text), "options: "));
    }
    assert_int_equal(ask(s, ASK_RUNS, 0, "", &text), ERR_NONE);
    assert_non_null(strstr(buf_str(&text), "\"cancelled\""));
    assert_int_equal(ask(s, ASK_REMOVE, run, "", &text), ERR_NONE);
    assert_int_equal(ask(s, ASK_FIND, 0, "1", &text), ERR_NOT_FOUND);
    buf_release(&text);
}

static void
why_takes_a_child(void **state)
{
    static const char map[] = "leat: 1\nname: map\ntasks:\n"
                              "  m: { each: { i: 1..3 }, run: x }\n";
    static const char *const none[] = {"m[4]",   "m[#3]", "m[#1", "m[#]x",
                                       "m[#1]x", "m[]",   "m["};
    struct served *s = *state;
    struct buf text = {0};
    uint64_t run = submit(s, map);
    enum err_code code = ERR_NOT_FOUND;

    /* Its children are made in the turn after the one that answers. */
    for (int i = 0; i < 100 && code == ERR_NOT_FOUND; i++)
        code = ask(s, ASK_WHY, run, "m[#2]", &text);
    assert_int_equal(code, ERR_NONE);
    assert_non_null(strstr(buf_str(&text), "waits for an agent"));
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        assert_int_equal(ask(s, ASK_WHY, run, none[i], &text), ERR_NOT_FOUND);
    buf_release(&text);
}

static void
a_cancelled_run_is_gone_on_with(void **state)
{
    struct served *s = *state;
    struct looked looked;
    uint64_t run;

    hello(s, "one", 1, NULL, 0);
    run = submit(s, two_tasks);
    wait_for_tasks(s, 1);
    report(s, 0, PLAN_SUCCEEDED, json_integer(5));
    wait_for_tasks(s, 2);
    report(s, 1, PLAN_FAILED, NULL);
    follow(s, run, &looked);
    assert_int_equal(looked.state, STORE_FAILED);
    release_looked(&looked);
    assert_int_equal(ask(s, ASK_RETRY, run, "", NULL), ERR_NONE);
    wait_for_tasks(s, 3); /* only b */
    report(s, 2, PLAN_SUCCEEDED, json_integer(8));
    follow(s, run, &looked);
    assert_int_equal(looked.state, STORE_SUCCEEDED);
    assert_int_equal(json_integer_value(looked.output), 8);
    release_looked(&looked);
}

static void
who_watches_hears_of_what_no_agent_can_run(void **state)
{
    struct served *s = *state;
    struct looked looked;
    uint64_t run;

    hello(s, "one", 1, NULL, 0);
    run = submit(s, "leat: 1\nname: big\ntasks:\n"
                    "  a: {run: x}\n"
                    "  b: {run: x, resources: {gpus: 4}}\n");
    wait_for_tasks(s, 1);
    follow_to(s, run, "task `b` needs 4 gpus; one has 0", &looked);
    assert_int_equal(looked.state, STORE_RUNNING); /* another may come */
    release_looked(&looked);
    report(s, 0, PLAN_SUCCEEDED, NULL);
    assert_int_equal(ask(s, ASK_CANCEL, run, "", NULL), ERR_NONE);
    follow(s, run, &looked);
    assert_int_equal(looked.state, STORE_CANCELLED);
    release_looked(&looked);
}

/* Whoever waits for the end of one that nobody goes on with asks again and
 * again: not as fast as it is answered. */
static void
a_look_at_an_interrupted_run_waits(void **state)
{
    struct served *s = *state;
    struct store *other = NULL;
    struct store_run row = {.flow = (char[]){"left"}};
    Wire__Look look = WIRE__LOOK__INIT;
    struct looked looked = {0};
    struct wire wire;
    int64_t asked;

    assert_int_equal(store_open(&other, s->folder, STORE_WRITE, &s->err), 0);
    assert_int_equal(store_run_begin(other, &row, &s->err), 0);
    store_close(&other);
    look.tag = ++s->tag;
    look.run = row.id;
    look.records = look.wait = true;
    asked = span_mono();
    ask_frame(s, WIRE_LOOK, &look.base);
    next_frame(s, s->control, &wire);
    assert_int_equal(wire.type, WIRE_SEEN);
    take_seen(s, wire.as.seen, &looked);
    assert_int_equal(looked.state, STORE_INTERRUPTED);
    assert_true(span_mono() - asked >= 100 * SPAN_MS);
    wire_release(&wire);
    release_looked(&looked);
}

/* Two people do it at once: the second finds it running. */
static void
a_run_is_gone_on_with_once(void **state)
{
    struct served *s = *state;
    Wire__Ask message;
    uint64_t run, first;
    unsigned good = 0;

    hello(s, "one", 1, NULL, 0);
    run = submit(s, two_tasks);
    wait_for_tasks(s, 1);
    report(s, 0, PLAN_FAILED, NULL);
    wait_for_ack(s);
    wire__ask__init(&message);
    message.what = ASK_RETRY;
    message.run = run;
    first = s->tag + 1;
    for (int i = 0; i < 4; i++) {
        message.tag = first + (unsigned)i;
        ask_frame(s, WIRE_ASK, &message.base);
    }
    for (int i = 0; i < 4; i++) {
        struct wire wire;

        next_frame(s, s->control, &wire);
        assert_int_equal(wire.type, WIRE_ANSWER);
        if (wire.as.answer->code == ERR_NONE)
            good++;
        else
            assert_int_equal(wire.as.answer->code, ERR_UNAVAILABLE);
        wire_release(&wire);
    }
    s->tag = first + 4;
    assert_int_equal(good, 1);
    wait_for_tasks(s, 2);
    assert_int_equal(ask(s, ASK_VERSION, 0, "", NULL), ERR_NONE);
}

/* Its answer was lost, with the connection or with the broker. */
static void
a_submission_that_comes_again_is_the_same_run(void **state)
{
    struct served *s = *state;
    uint64_t run = submit_token(s, two_tasks, 77);

    assert_int_equal(submit_token(s, two_tasks, 77), run);
    assert_int_equal(submit_token(s, two_tasks, UINT64_MAX), run + 1);
    assert_int_equal(submit_token(s, two_tasks, 0), run + 2);
    assert_int_equal(submit_token(s, two_tasks, 0), run + 3);
    stop_broker(s);
    start_broker(s);
    assert_int_equal(submit_token(s, two_tasks, 77), run);
    assert_int_equal(submit_token(s, two_tasks, UINT64_MAX), run + 1);
    assert_int_equal(submit_token(s, two_tasks, 78), run + 4);
}

/* Before the first is answered; each has its answer. */
static void
submissions_that_come_twice_at_once_are_one_run(void **state)
{
    struct served *s = *state;
    uint64_t run = 0, first = s->tag + 1;

    for (int i = 0; i < 8; i++)
        send_submit(s, two_tasks, "", 5);
    for (int i = 0; i < 8; i++) {
        struct wire wire;

        next_frame(s, s->control, &wire);
        assert_int_equal(wire.type, WIRE_ANSWER);
        assert_int_equal(wire.as.answer->code, ERR_NONE);
        assert_true(wire.as.answer->tag >= first);
        assert_true(run == 0 || wire.as.answer->number == run);
        run = wire.as.answer->number;
        wire_release(&wire);
    }
    assert_int_equal(submit_token(s, two_tasks, 6), run + 1);
}

static void
who_looks_does_not_wait_for_a_large_flow(void **state)
{
    struct served *s = *state;
    Wire__Look look = WIRE__LOOK__INIT;
    uint64_t run = submit(s, two_tasks);
    struct buf flow = {0};
    struct wire wire;

    buf_text(&flow, "leat: 1\nname: large\ntasks:\n");
    for (int i = 0; i < 20000; i++)
        buf_printf(&flow, "  task_%d: { run: echo }\n", i);
    send_submit(s, buf_str(&flow), "", 0);
    look.tag = ++s->tag;
    look.run = run;
    look.records = true;
    ask_frame(s, WIRE_LOOK, &look.base);
    next_frame(s, s->control, &wire);
    assert_int_equal(wire.type, WIRE_SEEN);
    wire_release(&wire);
    next_frame(s, s->control, &wire);
    assert_int_equal(wire.type, WIRE_ANSWER);
    assert_int_equal(wire.as.answer->code, ERR_NONE);
    wire_release(&wire);
    buf_release(&flow);
}

/* What was refused may be right the next time. */
static void
a_submission_that_was_refused_may_come_again(void **state)
{
    struct served *s = *state;

    send_submit(s, two_tasks, "{\"x\": 1}", 9);
    assert_int_equal(answer_of(s, NULL, NULL), ERR_INVALID);
    assert_int_equal(submit_token(s, two_tasks, 9), 1);
}

static void
two_brokers_can_not_have_one_store(void **state)
{
    struct served *s = *state;
    struct broker_server *other = NULL;
    struct broker_server_options options = {.address = "ipc:///tmp/x",
                                            .first = 7200,
                                            .last = 7209,
                                            .store = s->folder,
                                            .signals = -1,
                                            .lifeline = -1};

    assert_int_equal(broker_server_new(&other, &options, &s->err), -1);
    assert_int_equal(s->err.code, ERR_UNAVAILABLE);
    assert_non_null(strstr(s->err.msg, "belongs to another broker"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        SERVED(a_run_goes_from_client_to_agent_and_back),
        SERVED(a_bad_flow_is_refused_with_all_that_is_wrong),
        SERVED(garbage_is_dropped),
        SERVED(people_get_answers),
        SERVED(why_takes_a_child),
        SERVED(a_cancelled_run_is_gone_on_with),
        SERVED(who_watches_hears_of_what_no_agent_can_run),
        SERVED(a_look_at_an_interrupted_run_waits),
        SERVED(a_run_is_gone_on_with_once),
        SERVED(a_submission_that_comes_again_is_the_same_run),
        SERVED(submissions_that_come_twice_at_once_are_one_run),
        SERVED(who_looks_does_not_wait_for_a_large_flow),
        SERVED(a_submission_that_was_refused_may_come_again),
        SERVED(two_brokers_can_not_have_one_store),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
