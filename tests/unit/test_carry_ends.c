/* SPDX-License-Identifier: MPL-2.0 */
/* Attempts that are ended from outside, and calls. */
#include <sys/resource.h>

#include "tests/support/valgrind.h"
#include "tests/unit/carry_box.h"

/* ---- ends from outside ---- */

static void
only_who_is_meant_is_cancelled(void **state)
{
    struct box *box = *state;
    struct one *it = one(box, "echo ready; sleep 1000");
    struct one *other = one(box, "read x <fifo; echo $x");

    assert_int_equal(mkfifo("fifo", 0600), 0);
    box->until = "ready";
    box->cancel = it;
    start(box, it);
    start(box, other);
    expect_end(box, it, PLAN_CANCELLED, "", "cancelled");
    assert_int_equal(carrier_running(box->carrier), 1);
    (void)expect(box, "echo on >fifo", PLAN_SUCCEEDED, "\"\"", "");
    expect_end(box, other, PLAN_SUCCEEDED, "\"on\"", "");
    assert_int_equal(unlink("fifo"), 0);
}

static void
all_are_killed_at_once(void **state)
{
    struct box *box = *state;
    struct one *stubborn = one(box, "trap '' TERM; while :; do sleep 9; done");
    struct one *other = one(box, "sleep 1000");

    stubborn->spec.grace = 1000 * SPAN_SECOND;
    start(box, stubborn);
    start(box, other);
    carrier_cancel(box->carrier, NULL, true);
    expect_end(box, stubborn, PLAN_CANCELLED, "", "cancelled");
    expect_end(box, other, PLAN_CANCELLED, "", "cancelled");
}

/* When its process has ended well already: then that was all. */
static void
who_is_cancelled_after_when_is_not_started(void **state)
{
    struct box *box = *state;
    struct one *it = one(box, "touch started");

    it->spec.when = "sleep 1000 & exit 0";
    box->until = "[leat: ended";
    box->cancel = it;
    start(box, it);
    expect_end(box, it, PLAN_CANCELLED, "", "cancelled");
    assert_int_equal(access("started", F_OK), -1);
}

static void
who_is_destroyed_ends_all(void **state)
{
    struct box *box = *state;
    struct carrier *other = NULL;
    struct one *it = one(box, "sleep 987654");
    struct one *call = one(box, NULL);
    struct err err;

    assert_int_equal(carrier_new(&other, on_output, box, &err), 0);
    carrier_start(other, &it->work, NULL, it);
    carrier_start(other, &call->work, NULL, call);
    carrier_destroy(&other);
    assert_null(other);
    assert_int_equal(attempts_count("987654"), 0);
}

/* Under a bound on descriptors nothing can be started, until it is lifted. */
static void
a_machine_that_is_short_is_told_apart(void **state)
{
    struct box *box = *state;
    struct one *it = one(box, "echo never");
    struct rlimit before, none;
    int free_fd = dup(0);

    (void)expect(box, "echo first", PLAN_SUCCEEDED, "\"first\"", "");
    assert_true(free_fd >= 0);
    assert_int_equal(close(free_fd), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){(rlim_t)free_fd, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    start(box, it);
    wait_for(box, it);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(it->done.state, PLAN_FAILED);
    assert_true(it->done.short_of);
    assert_non_null(strstr(buf_str(&it->done.cause), "can't"));
    (void)expect(box, "echo again", PLAN_SUCCEEDED, "\"again\"", "");
}

static void
wait_for_file(struct box *box, const char *path)
{
    struct carry_done none;

    while (access(path, F_OK) < 0)
        assert_int_equal(carrier_wait(box->carrier, 5 * SPAN_MS, &none),
                         CARRY_NONE);
    assert_int_equal(unlink(path), 0);
}

static void
who_is_held_is_not_read(void **state)
{
    struct box *box = *state;
    struct one *first = one(box, "echo first; : >ran");
    struct one *second = one(box, "echo second; : >ran");

    /* Before there is any process, and when there has been one. */
    carrier_hold(box->carrier, true);
    start(box, first);
    wait_for_file(box, "ran");
    assert_string_equal(buf_str(&first->out), "");
    carrier_hold(box->carrier, false);
    expect_end(box, first, PLAN_SUCCEEDED, "\"first\"", "");
    carrier_hold(box->carrier, true);
    start(box, second);
    wait_for_file(box, "ran");
    assert_string_equal(buf_str(&second->out), "");
    carrier_hold(box->carrier, false);
    expect_end(box, second, PLAN_SUCCEEDED, "\"second\"", "");
}

/* ---- calls ---- */

static void
call_ends(struct box *box, struct one *it, enum plan_state state,
          const char *json, const char *cause)
{
    struct carry_done called = {.state = state, .code = 9, .cpu = 5};

    wait_for(box, it);
    assert_true(it->called);
    carry_done_release(&it->done);
    it->called = false;
    if (json)
        called.value = json_loads(json, JSON_DECODE_ANY, NULL);
    buf_text(&called.cause, cause);
    carrier_called(box->carrier, it, &called);
    assert_null(called.value);
}

static void
a_call_is_its_owners_to_make(void **state)
{
    struct box *box = *state;
    struct one *good = one(box, NULL);
    struct one *bad = one(box, NULL);
    struct carry_done none;

    good->spec.home = "/usr";
    start(box, good);
    start(box, bad);
    assert_int_equal(carrier_fd(box->carrier), -1);
    wait_for(box, good);
    wait_for(box, bad);
    assert_string_equal(good->done.cwd, "/usr");
    assert_null(bad->done.cwd);
    assert_int_equal(carrier_wait(box->carrier, -1, &none), CARRY_NONE);
    assert_int_equal(carrier_running(box->carrier), 2);
    call_ends(box, bad, PLAN_RETRYING, "1", "later");
    call_ends(box, good, PLAN_SUCCEEDED, "[1,2]", "");
    expect_end(box, bad, PLAN_RETRYING, "", "later");
    expect_end(box, good, PLAN_SUCCEEDED, "[1,2]", "");
    assert_int_equal(good->done.code, 9);
    assert_int_equal(good->done.cpu, 5);
    assert_null(good->done.cwd);
}

static void
a_call_has_when_and_creates_too(void **state)
{
    struct box *box = *state;
    struct one *skipped = one(box, NULL);
    struct one *fails = one(box, NULL);
    struct one *creates = one(box, NULL);

    skipped->spec.when = "exit 1";
    fails->spec.when = creates->spec.when = "exit 0";
    fails->work.creates = mem_dup("out");
    creates->work.creates = mem_dup("out");
    start(box, skipped);
    expect_end(box, skipped, PLAN_SKIPPED, "", "when: exit code 1");
    start(box, fails);
    call_ends(box, fails, PLAN_SUCCEEDED, "1", "");
    expect_end(box, fails, PLAN_FAILED, "",
               "it ended well but did not create out");
    start(box, creates);
    wait_for(box, creates);
    assert_int_equal(mkdir("out", 0700), 0);
    call_ends(box, creates, PLAN_SUCCEEDED, "1", "");
    expect_end(box, creates, PLAN_SUCCEEDED, "\"out\"", "");
    assert_int_equal(rmdir("out"), 0);
}

static void
a_call_that_was_not_handed_out_can_be_cancelled(void **state)
{
    struct box *box = *state;
    struct one *it = one(box, NULL);
    struct one *handed_out = one(box, NULL);

    start(box, handed_out);
    wait_for(box, handed_out);
    start(box, it);
    carrier_cancel(box->carrier, NULL, false);
    expect_end(box, it, PLAN_CANCELLED, "", "cancelled");
    call_ends(box, handed_out, PLAN_SUCCEEDED, "1", "");
    expect_end(box, handed_out, PLAN_SUCCEEDED, "1", "");
}

/* In the child: as its argument says. */
static void
fake_call(void *arg, struct carry_done *done)
{
    const char *what = arg;

    if (strcmp(what, "exit") == 0)
        exit(0);
    if (strcmp(what, "sleep") == 0)
        (void)pause();
    if (strcmp(what, "skip") == 0) {
        done->state = PLAN_SKIPPED;
        buf_text(&done->cause, "not 1 of mine");
    } else {
        done->value = json_pack("{s:i}", "pid", (int)getpid());
    }
}

static struct one *
call_apart(struct box *box, const char *what, int64_t timeout)
{
    struct one *it = one(box, NULL);

    it->spec.timeout = timeout;
    start(box, it);
    wait_for(box, it);
    assert_true(it->called);
    it->called = false;
    carry_done_release(&it->done);
    carrier_call_apart(box->carrier, it, fake_call, (void *)(uintptr_t)what);
    return it;
}

static void
a_call_can_be_made_in_a_child(void **state)
{
    struct box *box = *state;
    struct one *it;

    not_under_valgrind();
    it = call_apart(box, "value", 0);
    wait_for(box, it);
    assert_int_equal(it->done.state, PLAN_SUCCEEDED);
    assert_true(json_integer_value(json_object_get(it->done.value, "pid")) > 0);
    assert_int_not_equal(
        json_integer_value(json_object_get(it->done.value, "pid")), getpid());
    expect_end(box, call_apart(box, "skip", 0), PLAN_SKIPPED, "",
               "not 1 of mine");
    expect_end(box, call_apart(box, "exit", 0), PLAN_FAILED, "",
               "the function ended its process");
    expect_end(box, call_apart(box, "sleep", 50 * SPAN_MS), PLAN_TIMED_OUT, "",
               "timed out after 50 ms");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(only_who_is_meant_is_cancelled),
        TEST(all_are_killed_at_once),
        TEST(who_is_cancelled_after_when_is_not_started),
        TEST(who_is_destroyed_ends_all),
        TEST(a_machine_that_is_short_is_told_apart),
        TEST(who_is_held_is_not_read),
        TEST(a_call_is_its_owners_to_make),
        TEST(a_call_has_when_and_creates_too),
        TEST(a_call_that_was_not_handed_out_can_be_cancelled),
        TEST(a_call_can_be_made_in_a_child),
    };

    return cmocka_run_group_tests_name("carry-ends", tests, NULL, NULL);
}
