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
#include "proto/convert.h"
#include "proto/limits.h"
#include "tests/support/text.h"
#include "tests/support/told.h"

static void
a_hello_comes_back_as_it_was(void **state)
{
    static const char *const labels[] = {"disk=fast", "room=2"};
    struct flow_resource resources[] = {{text("cpus"), 8}, {text("gpus"), 2}};
    struct agent_info info = {.name = "box",
                              .host = "box.example.org",
                              .version = "0.4",
                              .pid = 77,
                              .incarnation = UINT64_MAX,
                              .slots = 8,
                              .resources = resources,
                              .nresource = 2,
                              .labels = labels,
                              .nlabel = 2};
    struct held held[] = {
        {7, {3, PLAN_WHOLE}, 1, 5, HELD_QUEUED},
        {UINT64_MAX, {0, 0}, 2, 6, HELD_FINISHED},
    };
    struct buf frame = {0};
    struct wire wire;
    struct hello hello;
    struct err err;

    (void)state;
    assert_int_equal(hello_write(&frame, 9, &info, held, 2, &err), 0);
    decode(&wire, &frame);
    hello_read(&hello, &wire);
    assert_int_equal(hello.tag, 9);
    assert_string_equal(hello.info.name, info.name);
    assert_string_equal(hello.info.host, info.host);
    assert_string_equal(hello.info.version, info.version);
    assert_int_equal(hello.info.pid, info.pid);
    assert_true(hello.info.incarnation == info.incarnation);
    assert_int_equal(hello.info.slots, info.slots);
    assert_int_equal(hello.info.nresource, 2);
    assert_string_equal(hello.info.resources[1].name, "gpus");
    assert_true(hello.info.resources[1].amount == 2);
    assert_int_equal(hello.info.nlabel, 2);
    assert_string_equal(hello.info.labels[1], "room=2");
    assert_int_equal(hello.nheld, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_true(hello.held[i].run == held[i].run);
        assert_int_equal(hello.held[i].id.task, held[i].id.task);
        assert_int_equal(hello.held[i].id.child, held[i].id.child);
        assert_int_equal(hello.held[i].attempt, held[i].attempt);
        assert_int_equal(hello.held[i].epoch, held[i].epoch);
        assert_int_equal(hello.held[i].phase, held[i].phase);
    }
    hello_release(&hello);
    wire_release(&wire);
    buf_release(&frame);
}

static void
a_hello_has_room_for_all_that_may_be_held(void **state)
{
    static char label[LIMIT_PATH_BYTES], name[LIMIT_NAME_BYTES + 1];
    static struct flow_resource resources[LIMIT_LABELS];
    static const char *labels[LIMIT_LABELS];
    struct agent_info info = {.name = "box",
                              .host = "box",
                              .version = "0.4",
                              .incarnation = UINT64_MAX,
                              .pid = UINT32_MAX,
                              .slots = LIMIT_SLOTS,
                              .resources = resources,
                              .nresource = LIMIT_LABELS,
                              .labels = labels,
                              .nlabel = LIMIT_LABELS};
    size_t n = LIMIT_HELD;
    struct held *held = mem_alloc(n, sizeof *held);
    uint32_t *tickets = mem_alloc(n, sizeof *tickets);
    struct buf frame = {0};
    struct wire wire;
    struct hello hello;
    struct err err;

    (void)state;
    memset(name, 'n', LIMIT_NAME_BYTES);
    memset(label, 'l', sizeof label - 1);
    label[1] = '=';
    for (size_t i = 0; i < LIMIT_LABELS; i++) {
        resources[i] = (struct flow_resource){name, 1.5};
        labels[i] = label;
    }
    for (size_t i = 0; i < n; i++) {
        held[i] =
            (struct held){UINT64_MAX,
                          {LIMIT_TASKS - 1, LIMIT_CHILDREN - 1 - (uint32_t)i},
                          UINT32_MAX,
                          UINT32_MAX,
                          HELD_FINISHED};
        tickets[i] = UINT32_MAX;
    }
    assert_int_equal(hello_write(&frame, UINT64_MAX, &info, held, n, &err), 0);
    decode(&wire, &frame);
    hello_read(&hello, &wire);
    assert_int_equal(hello.nheld, n);
    assert_int_equal(hello.held[n - 1].id.child, held[n - 1].id.child);
    hello_release(&hello);
    wire_release(&wire);
    buf_clear(&frame);
    assert_int_equal(
        welcome_write(&frame, 1, 2, 3, ":7200", ":7101", tickets, n, &err), 0);
    decode(&wire, &frame);
    wire_release(&wire);
    buf_release(&frame);
    free(tickets);
    free(held);
}

static void
a_welcome_renames_what_is_held(void **state)
{
    uint32_t tickets[] = {5, 0, 7};
    struct buf frame = {0};
    struct wire wire;
    struct err err;

    (void)state;
    assert_int_equal(
        welcome_write(&frame, 1, 2, 3, ":7200", ":7101", tickets, 3, &err), 0);
    decode(&wire, &frame);
    assert_int_equal(wire.as.welcome->session, 2);
    assert_int_equal(wire.as.welcome->epoch, 3);
    assert_string_equal(wire.as.welcome->lane, ":7200");
    assert_string_equal(wire.as.welcome->back, ":7101");
    assert_int_equal(wire.as.welcome->n_tickets, 3);
    assert_memory_equal(wire.as.welcome->tickets, tickets, sizeof tickets);
    wire_release(&wire);
    buf_release(&frame);
}

static void
an_answer_says_what_is_wrong(void **state)
{
    struct err wrong = {ERR_NOT_FOUND, "no run \xff"};
    struct buf frame = {0};
    struct wire wire;

    (void)state;
    answer_write(&frame, 4, &wrong, 0);
    decode(&wire, &frame);
    assert_int_equal(wire.as.answer->code, ERR_NOT_FOUND);
    assert_string_equal(wire.as.answer->text, "no run \\xff");
    wire_release(&wire);
    buf_clear(&frame);
    answer_write(&frame, 4, NULL, 12);
    decode(&wire, &frame);
    assert_int_equal(wire.as.answer->tag, 4);
    assert_int_equal(wire.as.answer->code, ERR_NONE);
    assert_int_equal(wire.as.answer->number, 12);
    wire_release(&wire);
    buf_release(&frame);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hello_comes_back_as_it_was),
        cmocka_unit_test(a_hello_has_room_for_all_that_may_be_held),
        cmocka_unit_test(a_welcome_renames_what_is_held),
        cmocka_unit_test(an_answer_says_what_is_wrong),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
