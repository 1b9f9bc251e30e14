/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those above */
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <wire.pb-c.h>

#include "base/mem.h"
#include "base/span.h"
#include "broker/submit.h"
#include "broker/watch.h"
#include "proto/limits.h"

static const struct broker_client client = {5, "abcde"};

static int
set_up(void **state)
{
    *state = broker_watch_new();
    return 0;
}

static int
tear_down(void **state)
{
    struct broker_watch *watch = *state;

    broker_watch_destroy(&watch);
    return 0;
}

/* A look at a run that came back without news, asked when `news` was the last
 * group. */
static void
park(struct broker_watch *watch, uint64_t run, uint64_t news, int64_t now)
{
    struct broker_question *question =
        broker_question_new(QUESTION_LOOK, &client, run);
    struct err err;

    question->look.run = run;
    question->look.records = question->look.wait = true;
    question->news = news;
    question->asked = now;
    assert_int_equal(broker_watch_park(watch, &question, now, &err), 0);
    assert_null(question);
}

/* The same, of whoever wants to know the end only. */
static void
park_for_end(struct broker_watch *watch, uint64_t run, int64_t now)
{
    struct broker_question *question =
        broker_question_new(QUESTION_LOOK, &client, run);
    struct err err;

    question->look.run = run;
    question->look.wait = true;
    question->asked = now;
    assert_int_equal(broker_watch_park(watch, &question, now, &err), 0);
}

/* Which run is to be looked at again; 0: none. */
static uint64_t
due(struct broker_watch *watch, int64_t now, bool *waits)
{
    struct broker_question *question = broker_watch_due(watch, now);
    uint64_t run = question ? question->look.run : 0;

    if (question && waits)
        *waits = question->look.wait;
    broker_question_destroy(&question);
    return run;
}

static void
news_are_told_when_they_are_committed(void **state)
{
    struct broker_watch *watch = *state;
    bool waits = false;

    broker_watch_begin(watch, 7);
    broker_watch_begin(watch, 8);
    park(watch, 7, 0, 0);
    park(watch, 8, 0, 0);
    assert_int_equal(due(watch, SPAN_SECOND, NULL), 0);
    broker_watch_touch(watch, 7, 1);
    assert_int_equal(due(watch, SPAN_SECOND, NULL), 0);
    broker_watch_committed(watch, 1);
    assert_int_equal(due(watch, SPAN_SECOND, &waits), 7);
    assert_true(waits);
    assert_int_equal(due(watch, SPAN_SECOND, NULL), 0);
}

static void
news_that_came_while_it_was_asked_are_told(void **state)
{
    struct broker_watch *watch = *state;

    broker_watch_begin(watch, 7);
    broker_watch_touch(watch, 7, 3);
    broker_watch_committed(watch, 3);
    assert_int_equal(due(watch, SPAN_SECOND, NULL), 0);
    park(watch, 7, 2, 0); /* asked before */
    assert_int_equal(due(watch, SPAN_SECOND, NULL), 7);
    park(watch, 7, 3, SPAN_SECOND); /* asked after */
    assert_int_equal(due(watch, 2 * SPAN_SECOND, NULL), 0);
}

static void
what_goes_into_a_later_group_is_told_later(void **state)
{
    struct broker_watch *watch = *state;

    broker_watch_begin(watch, 7);
    broker_watch_touch(watch, 7, 1);
    broker_watch_touch(watch, 7, 2);
    park(watch, 7, 0, 0);
    broker_watch_committed(watch, 1);
    assert_int_equal(due(watch, SPAN_SECOND, NULL), 7);
    park(watch, 7, 1, SPAN_SECOND);
    assert_int_equal(due(watch, 2 * SPAN_SECOND, NULL), 0);
    broker_watch_committed(watch, 2);
    assert_int_equal(due(watch, 2 * SPAN_SECOND, NULL), 7);
}

static void
who_waits_for_the_end_is_left_alone_until_then(void **state)
{
    struct broker_watch *watch = *state;

    broker_watch_begin(watch, 7);
    park_for_end(watch, 7, 0);
    broker_watch_touch(watch, 7, 1);
    broker_watch_committed(watch, 1);
    assert_int_equal(due(watch, SPAN_SECOND, NULL), 0);
    broker_watch_end(watch, 7, 2);
    assert_int_equal(due(watch, SPAN_SECOND, NULL), 0);
    broker_watch_committed(watch, 2);
    assert_int_equal(due(watch, SPAN_SECOND, NULL), 7);
}

static void
news_in_a_row_are_told_at_a_pace_and_the_end_at_once(void **state)
{
    struct broker_watch *watch = *state;
    int64_t now = SPAN_SECOND, next;

    broker_watch_begin(watch, 7);
    park(watch, 7, 0, now);
    broker_watch_touch(watch, 7, 1);
    broker_watch_committed(watch, 1);
    assert_int_equal(due(watch, now, NULL), 0);
    next = broker_watch_next(watch);
    assert_true(next > now && next < now + SPAN_SECOND);
    assert_int_equal(due(watch, next - 1, NULL), 0);
    assert_int_equal(due(watch, next, NULL), 7);
    park(watch, 7, 1, next);
    broker_watch_end(watch, 7, 2);
    assert_int_equal(due(watch, next, NULL), 0);
    broker_watch_committed(watch, 2);
    assert_int_equal(due(watch, next, NULL), 7);
}

static void
no_look_waits_for_long(void **state)
{
    struct broker_watch *watch = *state;
    bool waits = true;

    broker_watch_begin(watch, 7);
    park(watch, 7, 0, 0);
    assert_int_equal(broker_watch_next(watch), 5 * SPAN_SECOND);
    assert_int_equal(due(watch, 5 * SPAN_SECOND, &waits), 7);
    assert_false(waits);
    /* Of a run that nobody tells us of, less so. */
    park(watch, 9, 0, 0);
    assert_int_equal(due(watch, SPAN_SECOND, &waits), 9);
    assert_false(waits);
}

/* A thousand clients, each with a run, all with news: no pass starts over. */
static void
many_looks_at_many_runs_are_told_of_in_one_pass(void **state)
{
    struct broker_watch *watch = *state;
    uint64_t told = 0;
    uint64_t run;

    for (uint64_t r = LIMIT_ACTIVE_RUNS; r > 0; r--)
        broker_watch_begin(watch, r);
    for (uint64_t r = 1; r <= LIMIT_ACTIVE_RUNS; r++) {
        park(watch, r, 0, 0);
        broker_watch_touch(watch, r, 1);
        if (r % 3 == 0)
            broker_watch_end(watch, r, 1);
    }
    broker_watch_committed(watch, 1);
    while ((run = due(watch, SPAN_SECOND, NULL)) > 0)
        told += run;
    assert_int_equal(told, LIMIT_ACTIVE_RUNS * (LIMIT_ACTIVE_RUNS + 1) / 2);
    /* Ended ones are forgotten, the others are not. */
    park(watch, 3, 0, SPAN_SECOND);
    park(watch, 4, 1, SPAN_SECOND);
    broker_watch_touch(watch, 3, 2);
    broker_watch_touch(watch, 4, 2);
    broker_watch_committed(watch, 2);
    assert_int_equal(due(watch, SPAN_SECOND + SPAN_MS * 100, NULL), 4);
    assert_int_equal(due(watch, SPAN_SECOND + SPAN_MS * 100, NULL), 0);
}

static void
looks_that_wait_are_bounded(void **state)
{
    struct broker_watch *watch = *state;
    struct broker_question *question =
        broker_question_new(QUESTION_LOOK, &client, 1);
    struct err err;

    for (unsigned i = 0; i < LIMIT_CLIENTS; i++)
        park(watch, 7, 0, 0);
    assert_int_equal(broker_watch_park(watch, &question, 0, &err), -1);
    assert_int_equal(err.code, ERR_LIMIT);
    assert_non_null(question);
    broker_question_destroy(&question);
}

/* ---- pieces ---- */

static int
announce(struct broker_submit *submit, uint64_t tag, uint64_t bytes,
         struct err *err)
{
    Wire__Submit message;
    unsigned char hash[32] = {0};

    wire__submit__init(&message);
    message.tag = tag;
    message.source_bytes = bytes;
    message.source_hash.data = hash;
    message.source_hash.len = sizeof hash;
    return broker_submit_begin(submit, &client, &message, 0, err);
}

static int
piece(struct broker_submit *submit, uint64_t tag, uint64_t offset,
      const char *text, struct broker_question **ret, struct err *err)
{
    Wire__Chunk message = WIRE__CHUNK__INIT;

    message.tag = tag;
    message.offset = offset;
    message.data.data = (uint8_t *)(uintptr_t)text;
    message.data.len = strlen(text);
    return broker_submit_chunk(submit, &client, &message, 0, ret, err);
}

static void
a_flow_is_put_together(void **state)
{
    struct broker_submit *submit = broker_submit_new();
    struct broker_question *question = NULL;
    struct err err;

    (void)state;
    assert_int_equal(announce(submit, 1, 6, &err), 0);
    assert_int_equal(announce(submit, 2, 3, &err), 0);
    assert_int_equal(piece(submit, 1, 0, "abc", &question, &err), 0);
    assert_null(question);
    assert_int_equal(piece(submit, 2, 0, "xyz", &question, &err), 0);
    assert_int_equal(question->tag, 2);
    broker_question_destroy(&question);
    assert_int_equal(piece(submit, 1, 3, "def", &question, &err), 0);
    assert_int_equal(question->tag, 1);
    assert_string_equal(question->submission->row.source, "abcdef");
    assert_int_equal(question->submission->row.source_len, 6);
    broker_question_destroy(&question);
    /* Nobody announced it, or it is over. */
    assert_int_equal(piece(submit, 1, 6, "ghi", &question, &err), 0);
    assert_null(question);
    broker_submit_destroy(&submit);
}

static void
pieces_come_in_order_and_no_more_than_announced(void **state)
{
    struct broker_submit *submit = broker_submit_new();
    struct broker_question *question = NULL;
    struct err err;

    (void)state;
    assert_int_equal(announce(submit, 1, 6, &err), 0);
    assert_int_equal(piece(submit, 1, 1, "abc", &question, &err), -1);
    assert_int_equal(err.code, ERR_INVALID);
    assert_int_equal(announce(submit, 1, 6, &err), 0);
    assert_int_equal(piece(submit, 1, 0, "abcdefg", &question, &err), -1);
    assert_int_equal(announce(submit, 1, 6, &err), 0);
    assert_int_equal(announce(submit, 1, 6, &err), 0); /* begun anew */
    assert_null(question);
    broker_submit_destroy(&submit);
}

static void
what_is_announced_is_bounded(void **state)
{
    struct broker_submit *submit = broker_submit_new();
    struct err err;

    (void)state;
    assert_int_equal(announce(submit, 1, LIMIT_FILE_BYTES, &err), 0);
    assert_int_equal(announce(submit, 2, LIMIT_FILE_BYTES, &err), 0);
    assert_int_equal(announce(submit, 3, 1, &err), -1);
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    broker_submit_forget(submit, &client, 2);
    assert_int_equal(announce(submit, 3, 1, &err), 0);
    broker_submit_destroy(&submit);
}

static void
what_waits_to_be_read_counts_for_that(void **state)
{
    struct broker_submit *submit = broker_submit_new();
    struct broker_question *question = NULL;
    struct err err;

    (void)state;
    assert_int_equal(announce(submit, 1, 3, &err), 0);
    assert_int_equal(announce(submit, 2, LIMIT_FILE_BYTES, &err), 0);
    assert_int_equal(piece(submit, 1, 0, "abc", &question, &err), 0);
    assert_non_null(question);
    assert_int_equal(announce(submit, 3, LIMIT_FILE_BYTES, &err), -1);
    broker_submit_read(submit, question->submission);
    assert_int_equal(announce(submit, 3, LIMIT_FILE_BYTES, &err), 0);
    broker_question_destroy(&question);
    broker_submit_destroy(&submit);
}

static void
what_does_not_come_is_given_up_and_said(void **state)
{
    struct broker_submit *submit = broker_submit_new();
    struct broker_question *late;
    struct err err;

    (void)state;
    assert_int_equal(announce(submit, 4, 10, &err), 0);
    assert_int_equal(broker_submit_next(submit), 30 * SPAN_SECOND);
    assert_null(broker_submit_late(submit, 29 * SPAN_SECOND));
    late = broker_submit_late(submit, 30 * SPAN_SECOND);
    assert_int_equal(late->tag, 4);
    assert_true(late->frames.len > 0);
    assert_int_equal(late->err.code, ERR_UNAVAILABLE);
    broker_question_destroy(&late);
    assert_null(broker_submit_late(submit, 90 * SPAN_SECOND));
    assert_int_equal(broker_submit_next(submit), SPAN_NEVER);
    broker_submit_destroy(&submit);
}

#define WATCH(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        WATCH(news_are_told_when_they_are_committed),
        WATCH(news_that_came_while_it_was_asked_are_told),
        WATCH(what_goes_into_a_later_group_is_told_later),
        WATCH(who_waits_for_the_end_is_left_alone_until_then),
        WATCH(news_in_a_row_are_told_at_a_pace_and_the_end_at_once),
        WATCH(no_look_waits_for_long),
        WATCH(many_looks_at_many_runs_are_told_of_in_one_pass),
        WATCH(looks_that_wait_are_bounded),
        cmocka_unit_test(a_flow_is_put_together),
        cmocka_unit_test(pieces_come_in_order_and_no_more_than_announced),
        cmocka_unit_test(what_is_announced_is_bounded),
        cmocka_unit_test(what_waits_to_be_read_counts_for_that),
        cmocka_unit_test(what_does_not_come_is_given_up_and_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
