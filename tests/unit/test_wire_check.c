/* SPDX-License-Identifier: MPL-2.0 */
/* What is out of its range in a message that is right otherwise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "flow/flow.h"
#include "proto/items.h"
#include "proto/limits.h"
#include "tests/support/sample.h"
#include "tests/support/text.h"

/* Each row breaks one rule of a message that is right. */
#define BREAKS(type_, text_, ...)                                          \
    do {                                                                   \
        struct sample *s = sample_new();                                   \
        __VA_ARGS__;                                                       \
        assert_string_equal(wrong_with_message(type_, s->of[type_], &err), \
                            text_);                                        \
        free(s);                                                           \
    } while (0)

static void
lanes_are_checked(void **state)
{
    static const char unequal[] = "Lane: columns of unequal length";
    static const char task[] = "Lane: a task out of range";
    static const char only[] =
        "Spec.flags: handlers are called, and nothing else";
    static const char zero[] = "Lane: a ticket that is 0";
    struct err err;

    (void)state;
    BREAKS(WIRE_LANE, "", s->lane.n_item = s->lane.n_key = 0,
           s->lane.items.len = 0);
    BREAKS(WIRE_LANE, "Lane.item: out of range", s->lane.items.len = 1);
    BREAKS(WIRE_LANE, "Lane.item: out of range", s->item[0] = UINT32_MAX - 1);
    BREAKS(WIRE_LANE, unequal, s->lane.n_ticket = 1);
    BREAKS(WIRE_LANE, unequal, s->lane.n_spec = 1);
    BREAKS(WIRE_LANE, unequal, s->lane.n_child = 1);
    BREAKS(WIRE_LANE, unequal, s->lane.n_attempt = 1);
    BREAKS(WIRE_LANE, unequal, s->lane.n_item = 1);
    BREAKS(WIRE_LANE, unequal, s->lane.n_key = 1);
    BREAKS(WIRE_LANE, task, s->lane.ticket = s->zero);
    BREAKS(WIRE_LANE, task, s->lane.spec = s->one);
    BREAKS(WIRE_LANE, task, s->lane.attempt = s->zero);
    BREAKS(WIRE_LANE, task, s->five[0] = LIMIT_CHILDREN + 1,
           s->lane.child = s->five);
    BREAKS(WIRE_LANE, zero, s->lane.cancel = s->zero);
    BREAKS(WIRE_LANE, zero, s->lane.kill = s->zero);
    BREAKS(WIRE_LANE, zero, s->lane.recall = s->zero);
    BREAKS(WIRE_LANE, zero, s->lane.keep = s->zero);
    BREAKS(WIRE_LANE, zero, s->lane.done = s->zero);
    BREAKS(WIRE_LANE, "Spec.task: out of range", s->spec.task = LIMIT_TASKS);
    BREAKS(WIRE_LANE, "Spec.name: its length", s->spec.name = text(""));
    BREAKS(WIRE_LANE, "Spec.kind: out of range", s->spec.kind = FLOW_MERGE);
    BREAKS(WIRE_LANE, "Spec.value: out of range",
           s->spec.value = VALUE_KIND_COUNT);
    BREAKS(WIRE_LANE, "Spec.exit_skip: not 4 words", s->spec.n_exit_skip = 3);
    BREAKS(WIRE_LANE, "Spec.exit_retry: not 4 words",
           s->spec.exit_retry = s->codes, s->spec.n_exit_retry = 1);
    BREAKS(WIRE_LANE, "Spec.timeout: out of range", s->spec.timeout = -1);
    BREAKS(WIRE_LANE, "Spec.timeout: out of range",
           s->spec.timeout = INT64_MAX);
    BREAKS(WIRE_LANE, "Spec.timeout: out of range", s->spec.grace = -1);
    BREAKS(WIRE_LANE, "Spec.flags: out of range", s->spec.flags = 16);
    BREAKS(WIRE_LANE, "", s->spec.flags = SPEC_HANDLERS,
           s->lane.attempt = s->zero);
    BREAKS(WIRE_LANE, only, s->spec.flags = SPEC_HANDLERS | SPEC_EXCLUSIVE);
    BREAKS(WIRE_LANE, only, s->spec.flags = SPEC_HANDLERS,
           s->spec.kind = FLOW_SCRIPT);
    BREAKS(WIRE_LANE, only, s->spec.flags = SPEC_HANDLERS,
           s->spec.when = text("true"));
    BREAKS(WIRE_LANE, "Spec.resources: malformed", s->amount.amount = -1);
    BREAKS(WIRE_LANE, "Spec.resources: malformed", s->amount.name = text(""));
    BREAKS(WIRE_LANE, "Lane.forget: out of range", s->five[0] = LIMIT_LANE_RUNS,
           s->lane.forget = s->five);
    BREAKS(WIRE_LANE, "Spec.place: out of range",
           s->spec.place = LIMIT_LANE_RUNS);
    BREAKS(WIRE_LANE, "Run.place: out of range",
           s->run.place = LIMIT_LANE_RUNS);
    BREAKS(WIRE_LANE, "Run.program: neither hash nor path",
           s->run.program =
               (ProtobufCBinaryData){3, (uint8_t *)(uintptr_t) "a\0b"});
}

static void
returns_are_checked(void **state)
{
    static const char unequal[] = "Return: columns of unequal length";
    static const char zero[] = "Return: a ticket that is 0";
    struct err err;

    (void)state;
    BREAKS(WIRE_RETURN, "",
           s->back.n_plain = s->back.n_began = s->back.n_took = 0,
           s->back.n_results = 0, s->back.first = 0);
    BREAKS(WIRE_RETURN, "", s->result.state = PLAN_RETRYING);
    BREAKS(WIRE_RETURN, unequal, s->back.n_plain = 1);
    BREAKS(WIRE_RETURN, unequal, s->back.n_took = 1);
    BREAKS(WIRE_RETURN, unequal, s->back.n_began = 1);
    BREAKS(WIRE_RETURN, zero, s->back.plain = s->zero);
    BREAKS(WIRE_RETURN, zero, s->back.started = s->zero);
    BREAKS(WIRE_RETURN, zero, s->back.given_back = s->zero);
    BREAKS(WIRE_RETURN, "Return.first: out of range", s->back.first = 0);
    BREAKS(WIRE_RETURN, "Return.first: out of range",
           s->back.first = UINT64_MAX);
    BREAKS(WIRE_RETURN, "Result.ticket: 0", s->result.ticket = 0);
    BREAKS(WIRE_RETURN, "Result.state: not an end",
           s->result.state = PLAN_RUNNING);
    BREAKS(WIRE_RETURN, "Result.state: not an end",
           s->result.state = PLAN_STATE_COUNT);
    BREAKS(WIRE_RETURN, "Result.code: out of range", s->result.code = -2);
    BREAKS(WIRE_RETURN, "Result: a negative number", s->result.cpu = -1);
    BREAKS(WIRE_RETURN, "Result.refused: out of range",
           s->result.refused = REFUSED_SHORT);
    BREAKS(WIRE_RETURN, "", s->result.refused = REFUSED_SHORT,
           s->result.state = PLAN_CRASHED);
    BREAKS(WIRE_RETURN, "Result.refused: out of range",
           s->result.refused = REFUSED_COUNT, s->result.state = PLAN_CRASHED);
    BREAKS(WIRE_RETURN, "Output: out of range", s->output.stream = 3);
    BREAKS(WIRE_RETURN, "Output: out of range", s->output.ticket = 0);
    BREAKS(WIRE_RETURN, "Output: out of range", s->output.offset = 1ull << 63);
    BREAKS(WIRE_RETURN, "Output: out of range",
           s->output.origin = LIMIT_ORIGIN);
    BREAKS(WIRE_RETURN, "Beat.load: out of range", s->beat.load = -1);
}

static void
what_agents_say_is_checked(void **state)
{
    static const char held[] = "Hello: what it holds is malformed";
    struct err err;

    (void)state;
    BREAKS(WIRE_HELLO, "Hello.name: malformed", s->hello.name = text("a b"));
    BREAKS(WIRE_HELLO, "Hello.name: malformed", s->hello.name = text(""));
    BREAKS(WIRE_HELLO, "Hello.host: its length", s->hello.host = text(""));
    BREAKS(WIRE_HELLO, "Hello.incarnation: 0", s->hello.incarnation = 0);
    BREAKS(WIRE_HELLO, "Hello.slots: out of range", s->hello.slots = 0);
    BREAKS(WIRE_HELLO, "Hello.slots: out of range",
           s->hello.slots = LIMIT_SLOTS + 1);
    BREAKS(WIRE_HELLO, "Hello.resources: malformed", s->amount.amount = -1);
    BREAKS(WIRE_HELLO, "Hello.labels: malformed", s->labels[0] = text("=x"));
    BREAKS(WIRE_HELLO, "Hello.labels: malformed", s->labels[0] = text("x"));
    BREAKS(WIRE_HELLO, "Hello.version: its length",
           s->hello.version = text(""));
    BREAKS(WIRE_HELLO, held, s->hello.n_phase = 0);
    BREAKS(WIRE_HELLO, held, s->hello.n_task = 0);
    BREAKS(WIRE_HELLO, held, s->hello.attempt = s->zero);
    BREAKS(WIRE_HELLO, held, s->hello.phase = s->five);
    BREAKS(WIRE_HELLO, held, s->five[0] = LIMIT_TASKS, s->hello.task = s->five);
    BREAKS(WIRE_HELLO, held, s->five[0] = LIMIT_CHILDREN + 1,
           s->hello.child = s->five);
    BREAKS(WIRE_WELCOME, "Welcome.session: 0", s->welcome.session = 0);
    BREAKS(WIRE_WELCOME, "Welcome.lane: its length",
           s->welcome.lane = text(""));
    BREAKS(WIRE_WELCOME, "Welcome.back: its length",
           s->welcome.back = text(""));
}

static void
what_clients_say_is_checked(void **state)
{
    struct err err;

    (void)state;
    BREAKS(WIRE_SUBMIT, "Submit.source_bytes: out of range",
           s->submit.source_bytes = 0);
    BREAKS(WIRE_SUBMIT, "Submit.source_bytes: out of range",
           s->submit.source_bytes = LIMIT_FILE_BYTES + 1);
    BREAKS(WIRE_SUBMIT, "Submit.source_hash: not a hash",
           s->submit.source_hash.len = 31);
    BREAKS(WIRE_SUBMIT, "Submit.timeout: out of range", s->submit.timeout = -1);
    BREAKS(WIRE_SUBMIT, "Submit.timeout: out of range",
           s->submit.timeout = INT64_MAX);
    BREAKS(WIRE_CHUNK, "Chunk.data: its length", s->chunk.data.len = 0);
    BREAKS(WIRE_CHUNK, "Chunk.offset: out of range",
           s->chunk.offset = UINT64_MAX);
    BREAKS(WIRE_BLOB, "Blob.hash: not a hash", s->blob.hash.len = 1);
    BREAKS(WIRE_BLOB, "Blob: out of range", s->blob.bytes = UINT64_MAX);
    BREAKS(WIRE_ANSWER, "Answer.code: out of range",
           s->answer.code = ERR_CODE_COUNT);
    BREAKS(WIRE_ASK, "Ask.what: out of range", s->ask.what = ASK_COUNT);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lanes_are_checked),
        cmocka_unit_test(returns_are_checked),
        cmocka_unit_test(what_agents_say_is_checked),
        cmocka_unit_test(what_clients_say_is_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
