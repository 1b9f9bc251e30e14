/* SPDX-License-Identifier: MPL-2.0 */
/* What commands are told and give; test_carry_ends.c has calls and ends from
 * outside. */
#include "tests/support/valgrind.h"
#include "tests/unit/carry_box.h"

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
    struct one *it;

    not_under_valgrind();
    it = one(box, NULL);
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
    struct one *it = one(box, "echo $CARRY_A $CARRY_B; env | grep -c ^CARRY_");
    char a[] = "CARRY_A=added";
    char b[] = "CARRY_B=added";
    const char *const env[] = {a, b, NULL};

    it->spec.when = "test $CARRY_A = added";
    it->work.env = json_pack("{s:s}", "CARRY_B", "own");
    assert_int_equal(setenv("CARRY_A", "surrounding", 1), 0);
    carrier_start(box->carrier, &it->work, env, it);
    a[8] = 'X'; /* they are not needed any more */
    expect_end(box, it, PLAN_SUCCEEDED, "\"added own\\n2\"", "");
    assert_int_equal(unsetenv("CARRY_A"), 0);
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
        TEST(a_key_depends_on_all_that_a_value_does),
    };

    return cmocka_run_group_tests_name("carry", tests, NULL, NULL);
}
