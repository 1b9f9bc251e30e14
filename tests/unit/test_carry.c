/* SPDX-License-Identifier: MPL-2.0 */
#include "exec/carry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "flow/value.h"
#include "tests/support/attempts.h"

#define MOST 8

/* One attempt: what is to be done, and what became of it. */
struct one {
    struct work_spec spec;
    struct work work;
    struct buf out;
    struct buf words; /* leat's own */
    struct carry_done done;
    bool called, ended;
};

struct box {
    struct carrier *carrier;
    struct one ones[MOST];
    int n;
    char *dir; /* of its own, and where the test was started */
    char *from;
    const char *until;        /* output after which ... */
    const struct one *cancel; /* ... this is cancelled */
};

static void
on_output(void *ctx, void *tag, int stream, const char *data, size_t n)
{
    struct box *box = ctx;
    struct one *one = tag;

    struct buf *seen = stream == 0 ? &one->words : &one->out;

    buf_add(seen, data, n);
    if (box->until && strstr(buf_str(seen), box->until)) {
        box->until = NULL;
        carrier_cancel(box->carrier, box->cancel, false);
    }
}

static int
setup(void **state)
{
    struct box *box = mem_alloc(1, sizeof *box);
    struct err err;

    assert_int_equal(carrier_new(&box->carrier, on_output, box, &err), 0);
    box->dir = mem_dup("/tmp/leat-test-XXXXXX");
    assert_non_null(mkdtemp(box->dir));
    box->from = getcwd(NULL, 0);
    assert_int_equal(chdir(box->dir), 0);
    *state = box;
    return 0;
}

static int
teardown(void **state)
{
    struct box *box = *state;

    assert_int_equal(carrier_running(box->carrier), 0);
    carrier_destroy(&box->carrier);
    for (int i = 0; i < box->n; i++) {
        struct one *one = &box->ones[i];

        carry_done_release(&one->done);
        work_release(&one->work);
        buf_release(&one->out);
        buf_release(&one->words);
    }
    assert_int_equal(chdir(box->from), 0);
    assert_int_equal(rmdir(box->dir), 0);
    free(box->dir);
    free(box->from);
    free(box);
    return 0;
}

/* One more, which is started by start(). */
static struct one *
one(struct box *box, const char *script)
{
    struct one *ret = &box->ones[box->n++];

    assert_in_range(box->n, 1, MOST);
    ret->spec = (struct work_spec){
        .run = 12,
        .flow = "test",
        .name = "it",
        .kind = script ? FLOW_SCRIPT : FLOW_CALL,
        .value = VALUE_TEXT,
        .script = script ? script : "it",
        .shell = "sh",
        .grace = SPAN_SECOND,
    };
    ret->work =
        (struct work){.spec = &ret->spec, .id = {0, PLAN_WHOLE}, .attempt = 1};
    return ret;
}

static void
start(struct box *box, struct one *it)
{
    carrier_start(box->carrier, &it->work, NULL, it);
}

/* Take what comes until it has been handed out for its call, or has ended. */
static void
wait_for(struct box *box, const struct one *it)
{
    while (!it->called && !it->ended) {
        struct carry_done done;
        enum carry_step step = carrier_wait(box->carrier, PATIENCE, &done);
        struct one *what = done.tag;

        assert_int_not_equal(step, CARRY_NONE);
        what->called = step == CARRY_CALL;
        what->ended = step == CARRY_ENDED;
        what->done = done;
    }
}

static void
expect_end(struct box *box, struct one *it, enum plan_state state,
           const char *value, const char *cause)
{
    struct buf json = {0};

    wait_for(box, it);
    assert_true(it->ended);
    assert_string_equal(buf_str(&it->done.cause), cause);
    assert_int_equal(it->done.state, state);
    if (it->done.value)
        value_json(it->done.value, &json);
    assert_string_equal(buf_str(&json), value);
    assert_in_range(it->done.ended - it->done.started, 0, PATIENCE);
    buf_release(&json);
}

/* Start a script and see its end. */
static struct one *
expect(struct box *box, const char *script, enum plan_state state,
       const char *value, const char *cause)
{
    struct one *it = one(box, script);

    start(box, it);
    expect_end(box, it, state, value, cause);
    return it;
}

static void
set_code(struct flow_codes *codes, int code)
{
    codes->bits[code / 64] |= UINT64_C(1) << (code % 64);
}

/* ---- commands ---- */

static void
a_command_gives_its_value(void **state)
{
    struct one *it =
        expect(*state, "echo one; echo two >&2", PLAN_SUCCEEDED, "\"one\"", "");

    assert_non_null(strstr(buf_str(&it->out), "one\n"));
    assert_non_null(strstr(buf_str(&it->out), "two\n"));
    assert_int_equal(it->done.code, 0);
    assert_null(it->done.cwd);
    assert_true(it->done.cpu > 0);
    assert_false(it->done.short_of);
}

static void
a_value_of_the_wrong_kind_fails(void **state)
{
    struct box *box = *state;
    struct one *it = one(box, "echo seven");

    it->spec.value = VALUE_INT;
    start(box, it);
    wait_for(box, it);
    assert_int_equal(it->done.state, PLAN_FAILED);
    assert_non_null(strstr(buf_str(&it->done.cause), "seven"));
    assert_null(it->done.value);
    assert_int_equal(it->done.code, 0);
}

static void
what_a_code_means_is_in_the_spec(void **state)
{
    struct box *box = *state;
    struct one *skips = one(box, "exit 77");
    struct one *retries = one(box, "exit 75");

    set_code(&skips->spec.exit_skip, 77);
    set_code(&retries->spec.exit_retry, 75);
    start(box, skips);
    start(box, retries);
    expect_end(box, skips, PLAN_SKIPPED, "", "exit code 77");
    expect_end(box, retries, PLAN_RETRYING, "", "exit code 75");
    assert_int_equal(skips->done.code, 77);
    (void)expect(box, "exit 77", PLAN_FAILED, "", "exit code 77");
    (void)expect(box, "kill -9 $$", PLAN_FAILED, "",
                 "killed by signal 9 (Killed)");
}

static void
a_timeout_is_its_end(void **state)
{
    struct box *box = *state;
    struct one *it = one(box, "sleep 1000");

    it->spec.timeout = 100 * SPAN_MS;
    start(box, it);
    expect_end(box, it, PLAN_TIMED_OUT, "", "timed out after 100 ms");
    assert_int_equal(it->done.code, -1);
}

static void
a_program_that_is_not_there_fails(void **state)
{
    struct box *box = *state;
    struct one *it = one(box, NULL);

    it->spec.kind = FLOW_ARGV;
    it->spec.script = NULL;
    it->work.argv = json_pack("[s,i]", "/nonexistent/program", 1);
    start(box, it);
    wait_for(box, it);
    assert_int_equal(it->done.state, PLAN_FAILED);
    assert_non_null(strstr(buf_str(&it->done.cause), "/nonexistent/program"));
    assert_false(it->done.short_of);
}

static void
many_are_carried_out_at_once(void **state)
{
    struct box *box = *state;
    static const char *const scripts[] = {"read x <fifo; echo $x",
                                          "echo hello >fifo; echo said",
                                          "exit 4", "sleep 0; echo last"};
    struct one *them[4];

    assert_int_equal(mkfifo("fifo", 0600), 0);
    for (int i = 0; i < 4; i++) {
        them[i] = one(box, scripts[i]);
        start(box, them[i]);
    }
    assert_int_equal(carrier_running(box->carrier), 4);
    assert_true(carrier_fd(box->carrier) >= 0);
    for (int i = 0; i < 4; i++)
        wait_for(box, them[i]);
    expect_end(box, them[0], PLAN_SUCCEEDED, "\"hello\"", "");
    expect_end(box, them[1], PLAN_SUCCEEDED, "\"said\"", "");
    expect_end(box, them[2], PLAN_FAILED, "", "exit code 4");
    expect_end(box, them[3], PLAN_SUCCEEDED, "\"last\"", "");
    assert_string_equal(buf_str(&them[0]->out), "hello\n");
    assert_string_equal(buf_str(&them[3]->out), "last\n");
    assert_int_equal(unlink("fifo"), 0);
}

static void
what_it_leaves_running_is_ended_and_told(void **state)
{
    struct box *box = *state;
    struct one *it =
        expect(box, "sleep 1000 & echo begun", PLAN_SUCCEEDED, "\"begun\"", "");

    assert_string_equal(buf_str(&it->words),
                        "[leat: ended 1 process that it left running]\n");
}

/* ---- what it sees ---- */

static void
a_command_sees_its_bindings_and_who_it_is(void **state)
{
    struct box *box = *state;
    struct one *it =
        one(box, "read line; echo $a $b $c $E $line; echo $LEAT_FLOW "
                 "$LEAT_TASK $LEAT_ATTEMPT $LEAT_RUN $LEAT_INDEX");

    it->spec.params = json_pack("{s:i,s:i}", "a", 1, "b", 2);
    it->work.own = json_pack("{s:i,s:s}", "b", 3, "c", "own");
    it->work.env = json_pack("{s:s}", "E", "env");
    it->work.input = json_string("in");
    it->work.name = mem_dup("it[x]");
    it->work.id.child = 5;
    it->work.attempt = 2;
    start(box, it);
    expect_end(box, it, PLAN_SUCCEEDED,
               "\"1 3 own env in\\ntest it[x] 2 12 5\"", "");
    json_decref(it->spec.params);
}

static void
without_a_name_it_is_told_its_tasks(void **state)
{
    struct box *box = *state;
    struct one *it = one(box, "echo $LEAT_TASK ${LEAT_RUN-none} "
                              "${LEAT_INDEX-none}");

    it->spec.run = 0;
    start(box, it);
    expect_end(box, it, PLAN_SUCCEEDED, "\"it none none\"", "");
}

static void
additions_are_over_the_surroundings_and_under_env(void **state)
{
    struct box *box = *state;
    struct one *it = one(box, "echo $TEST_A $TEST_B; env | grep -c ^TEST_");
    char a[] = "TEST_A=added";
    char b[] = "TEST_B=added";
    const char *const env[] = {a, b, NULL};

    it->spec.when = "test $TEST_A = added";
    it->work.env = json_pack("{s:s}", "TEST_B", "own");
    assert_int_equal(setenv("TEST_A", "surrounding", 1), 0);
    carrier_start(box->carrier, &it->work, env, it);
    a[7] = 'X'; /* they are not needed any more */
    expect_end(box, it, PLAN_SUCCEEDED, "\"added own\\n2\"", "");
    assert_int_equal(unsetenv("TEST_A"), 0);
}

static void
its_file_of_bindings_lasts_as_long_as_it_does(void **state)
{
    struct box *box = *state;
    struct one *it = one(box, "cat $LEAT_INPUT; echo $LEAT_INPUT >&2");
    char *path;

    it->work.own = json_pack("{s:i}", "n", 7);
    start(box, it);
    expect_end(box, it, PLAN_SUCCEEDED, "\"{\\\"n\\\":7}\"", "");
    path = strstr(buf_str(&it->out), "/");
    assert_non_null(path);
    path[strcspn(path, "\n")] = '\0';
    assert_int_equal(access(path, F_OK), -1);
}

/* ---- where ---- */

static void
it_runs_in_its_folder_seen_from_the_home(void **state)
{
    struct box *box = *state;
    struct one *home = one(box, "pwd");
    struct one *own = one(box, "pwd");
    char *text = mem_printf("\"%s/sub\"", box->dir);

    assert_int_equal(mkdir("sub", 0700), 0);
    home->spec.home = "/usr";
    own->spec.home = box->dir;
    own->work.cwd = mem_dup("sub");
    start(box, home);
    start(box, own);
    expect_end(box, home, PLAN_SUCCEEDED, "\"/usr\"", "");
    expect_end(box, own, PLAN_SUCCEEDED, text, "");
    assert_null(home->done.cwd);
    assert_int_equal(strncmp(own->done.cwd, box->dir, strlen(box->dir)), 0);
    free(text);
    assert_int_equal(rmdir("sub"), 0);
}

static void
without_its_home_it_runs_in_a_scratch_folder(void **state)
{
    struct box *box = *state;
    struct one *it = one(box, "pwd");
    struct one *absolute = one(box, "pwd");
    char *text;

    assert_int_equal(setenv("TMPDIR", box->dir, 1), 0);
    it->spec.home = absolute->spec.home = "/nonexistent/home";
    absolute->work.cwd = mem_dup("/usr");
    start(box, it);
    start(box, absolute);
    wait_for(box, it);
    assert_non_null(it->done.cwd);
    text = mem_printf("\"%s\"", it->done.cwd);
    expect_end(box, it, PLAN_SUCCEEDED, text, "");
    expect_end(box, absolute, PLAN_SUCCEEDED, "\"/usr\"", "");
    assert_string_equal(absolute->done.cwd, "/usr");
    free(text);
    /* Nor does anything else lie about: teardown removes the folder. */
    assert_int_equal(rmdir(it->done.cwd), 0);
    it = one(box, "pwd");
    it->spec.home = "/nonexistent/home";
    assert_int_equal(setenv("TMPDIR", "/nonexistent/tmp", 1), 0);
    start(box, it);
    expect_end(box, it, PLAN_FAILED, "",
               "can't make a scratch folder to run in");
    assert_int_equal(unsetenv("TMPDIR"), 0);
}

/* ---- creates ---- */

static void
what_it_creates_is_its_value(void **state)
{
    struct box *box = *state;
    struct one *first = one(box, "echo no value; touch out");
    struct one *second = one(box, "echo never");

    first->work.creates = mem_dup("out");
    second->work.creates = mem_dup("out");
    assert_false(carry_is_created(&first->work));
    start(box, first);
    expect_end(box, first, PLAN_SUCCEEDED, "\"out\"", "");
    assert_true(carry_is_created(&second->work));
    start(box, second);
    expect_end(box, second, PLAN_CACHED, "\"out\"", "out exists");
    assert_string_equal(buf_str(&second->out), "");
    assert_int_equal(unlink("out"), 0);
}

static void
what_was_not_created_fails_it(void **state)
{
    struct box *box = *state;
    struct one *it = one(box, "exit 0");

    it->work.creates = mem_dup("out");
    start(box, it);
    expect_end(box, it, PLAN_FAILED, "",
               "it ended well but did not create out");
}

/* ---- when ---- */

static void
when_decides_whether_it_is_started(void **state)
{
    static const struct {
        const char *when;
        enum plan_state state;
        const char *value, *cause;
    } cases[] = {
        {"echo asked", PLAN_SUCCEEDED, "\"ran\"", ""},
        {"exit 1", PLAN_SKIPPED, "", "when: exit code 1"},
        {"exit 254", PLAN_SKIPPED, "", "when: exit code 254"},
        {"exit 255", PLAN_FAILED, "", "when: exit code 255"},
        {"kill -9 $$", PLAN_FAILED, "", "when: killed by signal 9 (Killed)"},
    };
    struct box *box = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct one *it = one(box, "echo ran");

        it->spec.when = cases[i].when;
        start(box, it);
        expect_end(box, it, cases[i].state, cases[i].value, cases[i].cause);
    }
}

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
        (void)sleep(1000);
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
    struct one *it = call_apart(box, "value", 0);

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

/* ---- the cache ---- */

static void
expect_key(const struct work *work, const char *other, bool same)
{
    char *key = carry_cache_key(work);

    assert_int_equal(strlen(key), 64);
    assert_int_equal(strcmp(key, other) == 0, same);
    free(key);
}

static void
a_key_depends_on_all_that_a_value_does(void **state)
{
    struct box *box = *state;
    struct one *it = one(box, "echo $a");
    char *key = carry_cache_key(&it->work);

    expect_key(&it->work, key, true);
    it->work.attempt = 2;
    it->spec.run = 13;
    it->spec.home = box->dir; /* is here, but not written so */
    expect_key(&it->work, key, false);
    it->spec.home = NULL;
    it->spec.name = "other";
    expect_key(&it->work, key, false);
    it->spec.name = "it";
    it->spec.script = "echo $b";
    expect_key(&it->work, key, false);
    it->spec.script = "echo $a";
    it->work.cwd = mem_dup("sub");
    expect_key(&it->work, key, false);
    free(it->work.cwd);
    it->work.cwd = NULL;
    it->work.own = json_pack("{s:i}", "a", 1);
    expect_key(&it->work, key, false);
    json_decref(it->work.own);
    it->work.own = NULL;
    it->work.env = json_pack("{s:i}", "a", 1);
    expect_key(&it->work, key, false);
    json_decref(it->work.env);
    it->work.env = NULL;
    expect_key(&it->work, key, true);
    free(key);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_command_gives_its_value),
        TEST(a_value_of_the_wrong_kind_fails),
        TEST(what_a_code_means_is_in_the_spec),
        TEST(a_timeout_is_its_end),
        TEST(a_program_that_is_not_there_fails),
        TEST(many_are_carried_out_at_once),
        TEST(what_it_leaves_running_is_ended_and_told),
        TEST(a_command_sees_its_bindings_and_who_it_is),
        TEST(without_a_name_it_is_told_its_tasks),
        TEST(additions_are_over_the_surroundings_and_under_env),
        TEST(its_file_of_bindings_lasts_as_long_as_it_does),
        TEST(it_runs_in_its_folder_seen_from_the_home),
        TEST(without_its_home_it_runs_in_a_scratch_folder),
        TEST(what_it_creates_is_its_value),
        TEST(what_was_not_created_fails_it),
        TEST(when_decides_whether_it_is_started),
        TEST(only_who_is_meant_is_cancelled),
        TEST(all_are_killed_at_once),
        TEST(who_is_cancelled_after_when_is_not_started),
        TEST(who_is_destroyed_ends_all),
        TEST(a_machine_that_is_short_is_told_apart),
        TEST(a_call_is_its_owners_to_make),
        TEST(a_call_has_when_and_creates_too),
        TEST(a_call_that_was_not_handed_out_can_be_cancelled),
        TEST(a_call_can_be_made_in_a_child),
        TEST(a_key_depends_on_all_that_a_value_does),
    };

    return cmocka_run_group_tests_name("carry", tests, NULL, NULL);
}
