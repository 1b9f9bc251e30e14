/* SPDX-License-Identifier: MPL-2.0 */
/* Real runs through the local executor. */
#include <sys/resource.h>
#include <time.h>

#include "tests/support/valgrind.h"
#include "tests/unit/local_world.h"

/* ---- what a run gives ---- */

static void
a_run_gives_its_output(void **state)
{
    struct world w = {0};
    int n = 0;

    (void)state;
    world_init(&w, HEAD "  a: { run: echo 4, value: int }\n"
                        "  f: { call: count, needs: a }\n"
                        "output: ['${a}', '${f}']\n");
    set_call(&w, "f", count, &n);
    run_to_end(&w, STORE_SUCCEEDED);
    assert_int_equal(w.result.id, 0);
    assert_int_equal(json_integer_value(json_array_get(w.result.output, 0)), 4);
    assert_int_equal(json_integer_value(json_array_get(w.result.output, 1)), 1);
    assert_null(w.result.problem);
    world_release(&w);
}

static void
an_output_that_can_not_be_made_fails_the_run(void **state)
{
    struct world w = {0};

    (void)state;
    world_init(&w, HEAD "  a: { run: 'echo []', value: json }\n"
                        "output: '${a[3]}'\n");
    run_to_end(&w, STORE_FAILED);
    assert_non_null(strstr(w.result.problem, "output can't be made: "));
    assert_null(w.result.output);
    world_release(&w);
}

static void
what_can_not_run_here_is_not_begun(void **state)
{
    static const struct local_resource licence = {"licence", 2};
    static const char *const label = "room=cellar";
    struct world w = {0};
    struct err err;

    (void)state;
    world_init(&w, HEAD "  a: { run: 'true', resources: { licence: 2 }, "
                        "where: { room: cellar } }\n");
    assert_int_equal(go(&w, &err), -1);
    assert_int_equal(err.code, ERR_IMPOSSIBLE);
    assert_null(w.result.run);
    w.request.resources = &licence;
    w.request.nresource = 1;
    assert_int_equal(go(&w, &err), -1);
    assert_int_equal(err.code, ERR_IMPOSSIBLE);
    w.request.labels = &label;
    w.request.nlabel = 1;
    run_to_end(&w, STORE_SUCCEEDED);
    world_release(&w);
}

static void
a_function_that_is_not_here_is_not_called(void **state)
{
    struct world w = {0};
    struct err err;

    (void)state;
    world_init(&w, HEAD "  a: { call: elsewhere }\n");
    assert_int_equal(go(&w, &err), -1);
    assert_int_equal(err.code, ERR_IMPOSSIBLE);
    assert_non_null(strstr(err.msg, "`elsewhere`"));
    assert_null(w.result.run);
    world_release(&w);
}

static void
a_pause_ends_the_session(void **state)
{
    struct world w = {0};

    (void)state;
    world_init(&w, HEAD "  a: { run: 'true', trigger: manual-only }\n"
                        "  b: { run: 'true' }\n");
    run_to_end(&w, STORE_PAUSED);
    assert_int_equal(state_in(&w, "a"), PLAN_PAUSED);
    assert_int_equal(state_in(&w, "b"), PLAN_SUCCEEDED);
    world_release(&w);
}

/* ---- ends from outside ---- */

static void
an_interrupt_before_the_first_task_starts_nothing(void **state)
{
    struct world w = {.interrupts = "x"};
    int n = 0;

    (void)state;
    world_init(&w, HEAD "  f: { call: count }\n");
    set_call(&w, "f", count, &n);
    interrupt(&w);
    run_to_end(&w, STORE_CANCELLED);
    assert_int_equal(n, 0);
    assert_int_equal(w.result.interrupts, 1);
    assert_string_equal(
        run_cause(w.result.run, (struct plan_id){0, PLAN_WHOLE}),
        "the run was cancelled");
    world_release(&w);
}

static void
an_interrupt_ends_a_retry_that_waits(void **state)
{
    struct world w = {.interrupts = "x", .interrupt_at = PLAN_RETRYING};

    (void)state;
    world_init(&w,
               HEAD "  a: { run: 'false', retry: { times: 1, delay: 1h } }\n"
                    "  b: { run: 'true' }\n");
    run_to_end(&w, STORE_CANCELLED);
    assert_int_equal(state_in(&w, "a"), PLAN_CANCELLED);
    world_release(&w);
}

static void
the_second_interrupt_kills(void **state)
{
    struct world w = {.interrupts = "xx", .interrupt_on = "ready\n"};

    (void)state;
    world_init(&w, HEAD "  a: { run: \"trap '' TERM; echo ready; while :; do "
                        "read -t 1 x <> <(:) || :; done\", grace: 1h }\n");
    run_to_end(&w, STORE_CANCELLED);
    assert_int_equal(w.result.interrupts, 2);
    assert_int_equal(state_in(&w, "a"), PLAN_CANCELLED);
    world_release(&w);
}

static void
an_interrupt_during_when_starts_no_task(void **state)
{
    struct world w = {.interrupts = "x", .interrupt_on = "ready\n"};
    int n = 0;

    (void)state;
    world_init(&w,
               HEAD "  f: { call: count, when: \"trap 'exit 0' TERM; echo "
                    "ready; while :; do read -t 1 x <> <(:) || :; done\" }\n");
    set_call(&w, "f", count, &n);
    run_to_end(&w, STORE_CANCELLED);
    assert_int_equal(n, 0);
    assert_int_equal(state_in(&w, "f"), PLAN_CANCELLED);
    world_release(&w);
}

static void
the_time_out_of_the_run_ends_a_retry_that_waits(void **state)
{
    struct world w = {.request.timeout = 30 * SPAN_MS};

    (void)state;
    world_init(&w,
               HEAD "  a: { run: 'false', retry: { times: 1, delay: 1h } }\n");
    run_to_end(&w, STORE_CANCELLED);
    assert_true(w.result.timed_out);
    assert_int_equal(w.result.interrupts, 0);
    world_release(&w);
}

static int64_t
cpu_used(void)
{
    struct timespec used;

    assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used), 0);
    return used.tv_sec * SPAN_SECOND + used.tv_nsec / 1000;
}

static void
waiting_takes_no_time_of_the_processor(void **state)
{
    struct world w = {0};
    int64_t before;

    (void)state;
    /* Longer than exec looks after what ended, and nobody left to interrupt. */
    world_init(&w, HEAD "  a: { run: '[[ $LEAT_ATTEMPT == 2 ]]', retry: { "
                        "times: 1, delay: 800ms } }\n");
    (void)close(w.pipe[1]);
    w.pipe[1] = -1;
    before = cpu_used();
    run_to_end(&w, STORE_SUCCEEDED);
    assert_in_range(cpu_used() - before, 0, 150 * SPAN_MS);
    world_release(&w);
}

/* ---- C functions ---- */

static json_t *
write_odd_bytes(leat_task *task)
{
    (void)task;
    assert_int_equal(write(STDOUT_FILENO, "\xff\xd8", 2), 2);
    assert_int_equal(write(STDERR_FILENO, "\xff", 1), 1);
    assert_int_equal(write(STDERR_FILENO, "\n", 1), 1);
    return NULL;
}

static json_t *
close_stdout(leat_task *task)
{
    (void)task;
    printf("last\n");
    (void)fflush(stdout);
    (void)close(STDOUT_FILENO);
    return NULL;
}

static void
what_functions_write_is_theirs(void **state)
{
    struct world w = {0};

    not_under_valgrind();
    (void)state;
    world_init(&w, HEAD "  a: { call: a }\n  b: { call: b }\n"
                        "  c: { call: c }\n  d: { call: c, timeout: 1m }\n");
    set_call(&w, "a", write_odd_bytes, NULL);
    set_call(&w, "b", close_stdout, NULL);
    set_call(&w, "c", speak, NULL);
    set_call(&w, "d", speak, NULL);
    run_to_end(&w, STORE_SUCCEEDED);
    assert_string_equal(buf_str(&w.output),
                        "a 1: \xff\xd8"
                        "a 2: \xff\nb 1: last\nc 1: from c\nd 1: from d\n");
    world_release(&w);
}

static json_t *
leave(leat_task *task)
{
    const char *how = leat_task_data(task);

    printf("why\n");
    if (strcmp(how, "exit") == 0)
        exit(3);
    (void)fflush(stdout);
    abort();
}

/* What a process that a function ends has said, and how it ended. */
static int
leave_by(const char *how, char *said, size_t size)
{
    int status = 0, fds[2];
    ssize_t n;
    pid_t pid;

    assert_int_equal(pipe(fds), 0);
    (void)fflush(NULL);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        const struct rlimit no_core = {0};
        struct world w = {0};
        struct err err;
        char *copy = mem_dup(how);

        (void)setrlimit(RLIMIT_CORE, &no_core);
        (void)dup2(fds[1], STDOUT_FILENO);
        (void)signal(SIGABRT, SIG_DFL);
        world_init(&w, HEAD "  a: { call: leave }\n");
        set_call(&w, "a", leave, copy);
        (void)go(&w, &err);
        _exit(99);
    }
    (void)close(fds[1]);
    n = read(fds[0], said, size - 1);
    said[n > 0 ? n : 0] = '\0';
    (void)close(fds[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void
the_last_words_of_a_function_that_ends_the_process_are_seen(void **state)
{
    char said[64];
    int status;

    not_under_valgrind();
    (void)state;
    status = leave_by("exit", said, sizeof said);
    assert_string_equal(said, "why\n");
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 3);
    status = leave_by("abort", said, sizeof said);
    assert_string_equal(said, "why\n");
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

/* ---- commands ---- */

static void
a_command_knows_where_it_is(void **state)
{
    struct world w = {0};

    (void)state;
    assert_int_equal(setenv("LEAT_INDEX", "7", 1), 0);
    world_init(&w, HEAD "  a: { run: 'env | grep ^LEAT_ | sort' }\n"
                        "  m: { each: { i: [x] }, run: 'echo $LEAT_TASK "
                        "$LEAT_INDEX' }\n");
    run_to_end(&w, STORE_SUCCEEDED);
    assert_string_equal(buf_str(&w.output),
                        "a 1: LEAT_ATTEMPT=1\nLEAT_FLOW=test\nLEAT_TASK=a\n"
                        "m 1: m[x] 0\n");
    (void)unsetenv("LEAT_INDEX");
    world_release(&w);
}

static void
what_is_created_is_looked_for_where_the_task_runs(void **state)
{
    struct box *box = *state;
    struct world w = {0};
    char *text =
        mem_printf(HEAD "  a: { run: 'echo >made', creates: made, cwd: %s }\n"
                        "  b: { run: 'false', creates: made, cwd: %s, "
                        "needs: a }\n"
                        "  c: { run: 'true', creates: never, cwd: %s }\n",
                   box->folder, box->folder, box->folder);

    world_init(&w, text);
    run_to_end(&w, STORE_FAILED);
    assert_int_equal(state_in(&w, "a"), PLAN_SUCCEEDED);
    assert_int_equal(state_in(&w, "b"), PLAN_CACHED);
    assert_int_equal(state_in(&w, "c"), PLAN_FAILED);
    world_release(&w);
    free(text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_gives_its_output),
        cmocka_unit_test(an_output_that_can_not_be_made_fails_the_run),
        cmocka_unit_test(what_can_not_run_here_is_not_begun),
        cmocka_unit_test(a_function_that_is_not_here_is_not_called),
        cmocka_unit_test(a_pause_ends_the_session),
        cmocka_unit_test(an_interrupt_before_the_first_task_starts_nothing),
        cmocka_unit_test(an_interrupt_ends_a_retry_that_waits),
        cmocka_unit_test(the_second_interrupt_kills),
        cmocka_unit_test(an_interrupt_during_when_starts_no_task),
        cmocka_unit_test(the_time_out_of_the_run_ends_a_retry_that_waits),
        cmocka_unit_test(waiting_takes_no_time_of_the_processor),
        cmocka_unit_test(what_functions_write_is_theirs),
        cmocka_unit_test(
            the_last_words_of_a_function_that_ends_the_process_are_seen),
        cmocka_unit_test(a_command_knows_where_it_is),
        TEST(what_is_created_is_looked_for_where_the_task_runs),
    };

    return cmocka_run_group_tests_name("local", tests, NULL, NULL);
}
