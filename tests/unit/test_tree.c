/* SPDX-License-Identifier: MPL-2.0 */
/* An attempt ends with its whole tree, and nothing else does. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "exec/tree.h"
#include "tests/support/attempts.h"
#include "tests/support/valgrind.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define SOON     (200 * SPAN_MS)

/* A number of seconds to sleep that tells this test's processes from others. */
static char *
sleep_name(void)
{
    return mem_printf("1000.%d%d", (int)getpid(), (int)getppid());
}

/* Put the sleep's name where the script has an @. */
static char *
make_script(const char *pattern, const char *name)
{
    struct buf script = {0};

    for (; *pattern; pattern++) {
        if (*pattern == '@')
            buf_text(&script, name);
        else
            buf_char(&script, *pattern);
    }
    return buf_take(&script);
}

static struct exec_done
run_leaving(struct attempts *t, const char *pattern, int64_t timeout)
{
    char *name = sleep_name();
    char *script = make_script(pattern, name);
    struct exec_done done = attempts_run(
        t, (struct exec_spec){
               .argv = SHELL(script), .timeout = timeout, .grace = SOON});

    if (attempts_count(name) > 0)
        fail_msg("left behind by: %s", pattern);
    free(script);
    free(name);
    return done;
}

static const char *const leaving[] = {
    /* holding the output, or not */
    "sleep @ &",
    "sleep @ >/dev/null 2>&1 &",
    "nohup sleep @ >/dev/null 2>&1 &",
    /* in sessions of their own, with parents or orphaned */
    "setsid sleep @ &",
    "setsid -f sleep @ >/dev/null 2>&1",
    "(setsid bash -c '(sleep @ >/dev/null 2>&1 &) &' &)",
    "env -i setsid -f bash -c 'exec env -i sleep @' >/dev/null 2>&1",
    /* that won't go */
    "(trap '' TERM; setsid bash -c 'sleep @; sleep @' &)",
    "sleep @ & kill -STOP $!",
    "setsid -f bash -c 'trap \"setsid -f sleep @\" TERM; sleep @ & wait'",
};

static void
leftovers_are_ended_and_the_outcome_stays(void **state)
{
    for (size_t i = 0; i < COUNT(leaving); i++) {
        struct exec_done done = run_leaving(*state, leaving[i], 0);

        assert_int_equal(done.end, EXEC_EXITED);
        assert_string_equal(done.text, "exit code 0");
        assert_in_range(done.leftovers, 1, 3);
        exec_done_release(&done);
    }
}

/* Others have left something themselves, or have not. */
static void
leftovers_are_found_while_others_run(void **state)
{
    static const char *const others[] = {"setsid -f sleep 1001; sleep 1001",
                                         "exec sleep 1001"};
    struct attempts *t = *state;
    struct exec_done done;

    for (size_t i = 0; i < COUNT(leaving); i++) {
        attempts_start(
            t, (struct exec_spec){.argv = SHELL(others[i > 1]), .tag = t});
        done = run_leaving(t, leaving[i], 0);
        assert_null(done.tag);
        assert_string_equal(done.text, "exit code 0");
        assert_in_range(done.leftovers, 1, 3);
        exec_done_release(&done);
        assert_int_equal(exec_running(t->exec), 1);
        exec_cancel(t->exec, t, false);
        done = attempts_wait(t);
        assert_int_equal(done.end, EXEC_CANCELLED);
        exec_done_release(&done);
    }
}

/* Its child is our child from the start, and in a session of its own. */
static int
give_child_away(void *arg, struct buf *result)
{
    long pid = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, 0);

    (void)arg;
    (void)result;
    if (pid == 0) {
        (void)setsid();
        (void)pause();
    }
    return pid > 0 ? 0 : 1;
}

static void
a_child_that_is_given_away_is_found(void **state)
{
    struct attempts *t = *state;
    struct exec_done done;

    not_under_valgrind();
    for (int i = 0; i < 2; i++) {
        attempts_start(t, (struct exec_spec){.call = give_child_away});
        done = attempts_wait(t);
        assert_string_equal(done.text, "exit code 0");
        assert_int_equal(done.leftovers, 1);
        assert_null(done.tag);
        exec_done_release(&done);
        if (i == 0) /* the second time while another runs */
            attempts_start(
                t, (struct exec_spec){.argv = ARGV("sleep", "1001"), .tag = t});
    }
    exec_cancel(t->exec, NULL, true);
    done = attempts_wait(t);
    exec_done_release(&done);
}

static void
children_of_the_main_thread_are_counted(void **state)
{
    int fd = tree_open_children();
    int ends[2];
    pid_t pids[300];

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(tree_count_children(fd), 0);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    for (size_t i = 0; i < COUNT(pids); i++) {
        char c;

        pids[i] = fork();
        if (pids[i] == 0) { /* some end at once */
            (void)close(ends[1]);
            _exit(i % 3 == 0 ? 0 : (int)read(ends[0], &c, 1));
        }
        assert_true(pids[i] > 0);
    }
    assert_int_equal(tree_count_children(fd), COUNT(pids));
    (void)close(ends[1]);
    for (size_t i = COUNT(pids); i > 0; i--) {
        assert_int_equal(waitpid(pids[i - 1], NULL, 0), pids[i - 1]);
        assert_int_equal(tree_count_children(fd), i - 1);
    }
    (void)close(ends[0]);
    (void)close(fd);
}

/* ---- from another thread than the main one ---- */

static void *
leave_from_thread(void *arg)
{
    struct attempts *t = arg;
    struct exec_spec other = {
        .argv = ARGV("sleep", "1001"), .envp = plain_env, .tag = t};
    struct exec_done done;
    struct err err;

    if (exec_start(t->exec, &other, &err) < 0)
        return NULL;
    done = run_leaving(t, "setsid -f sleep @ >/dev/null 2>&1", 0);
    if (done.leftovers != 1)
        arg = NULL;
    exec_done_release(&done);
    exec_cancel(t->exec, NULL, true);
    done = attempts_wait(t);
    exec_done_release(&done);
    return arg;
}

static void
leftovers_are_found_from_any_thread(void **state)
{
    pthread_t thread;
    void *fine = NULL;

    assert_int_equal(pthread_create(&thread, NULL, leave_from_thread, *state),
                     0);
    assert_int_equal(pthread_join(thread, &fine), 0);
    assert_non_null(fine);
}

static void
a_timeout_ends_the_whole_tree(void **state)
{
    static const char *const scripts[] = {
        "setsid sleep @ & sleep @ & sleep @",
        "setsid -f env -i sleep @; trap '' TERM; sleep @; sleep @",
        "while :; do setsid -f sleep @; done",
        ("f() { if (($1 > 0)); then f $(($1 - 1)) & f $(($1 - 1)) & fi; "
         "trap '' TERM; while :; do sleep @; done; }; f 5"),
    };

    for (size_t i = 0; i < COUNT(scripts); i++) {
        struct exec_done done = run_leaving(*state, scripts[i], SOON);

        assert_int_equal(done.end, EXEC_TIMED_OUT);
        exec_done_release(&done);
    }
}

static void
what_ends_by_itself_is_waited_for(void **state)
{
    struct exec_done done =
        attempts_shell(*state, "exec > >(sleep 0.05; cat); echo late");

    assert_string_equal(done.text, "exit code 0");
    assert_string_equal(buf_str(&done.out), "late\n");
    assert_int_equal(done.leftovers, 0);
    exec_done_release(&done);
}

/* It did not leave what was killed with it, whichever of them goes first. */
static void
what_is_killed_together_is_not_left(void **state)
{
    struct attempts *t = *state;

    for (int i = 0; i < 5; i++) {
        struct exec_done done;

        attempts_start(t,
                       (struct exec_spec){
                           .argv = SHELL("trap '' TERM; for i in {1..10}; do\n"
                                         "sleep 1001 & done; wait; sleep 1001"),
                           .timeout = SOON / 2,
                           .grace = 1});
        done = attempts_wait(t);
        assert_int_equal(done.end, EXEC_TIMED_OUT);
        assert_int_equal(done.leftovers, 0);
        exec_done_release(&done);
    }
}

static void
orphans_of_a_long_attempt_are_reaped(void **state)
{
    struct exec_done done = attempts_shell(
        *state,
        "for i in {1..20}; do (true &); done\n"
        "zombies() { cat /proc/[0-9]*/stat 2>/dev/null | "
        "awk -v p=$PPID '$3 == \"Z\" && $4 == p { n++ } END { print n + 0 }' "
        "|| true; }\n"
        "while (($(zombies) > 0)); do sleep 0.1; done; echo clean");

    assert_string_equal(buf_str(&done.out), "clean\n");
    assert_int_equal(done.leftovers, 0);
    exec_done_release(&done);
}

/* ---- what is not an attempt's ---- */

/* A child of the caller's, and an orphaned grandchild; both wait for ever. */
static void
fork_own(pid_t pids[2])
{
    int ends[2];
    pid_t middle;

    assert_int_equal(pipe(ends), 0);
    pids[0] = fork();
    if (pids[0] == 0) {
        (void)pause();
        _exit(0);
    }
    middle = fork();
    if (middle == 0) {
        pid_t pid = fork();

        if (pid == 0) {
            (void)setsid();
            (void)pause();
        }
        _exit(write(ends[1], &pid, sizeof pid) == sizeof pid ? 0 : 1);
    }
    assert_int_equal(read(ends[0], &pids[1], sizeof pids[1]), sizeof pids[1]);
    assert_int_equal(waitpid(middle, NULL, 0), middle);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void
children_of_the_caller_are_not_touched(void **state)
{
    struct attempts *t = *state;
    struct exec_done done;
    pid_t pids[2];

    fork_own(pids);
    for (size_t i = 0; i < COUNT(leaving); i++) {
        done = run_leaving(t, leaving[i], 0);
        exec_done_release(&done);
    }
    done = attempts_run(
        t, (struct exec_spec){.argv = ARGV("sleep", "1000"), .timeout = SOON});
    assert_int_equal(done.end, EXEC_TIMED_OUT);
    exec_done_release(&done);
    exec_cancel(t->exec, NULL, true);
    for (int i = 0; i < 2; i++) {
        int status = 0;

        assert_int_equal(waitpid(pids[i], NULL, WNOHANG), 0);
        (void)kill(pids[i], SIGUSR1);
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_int_equal(WTERMSIG(status), SIGUSR1);
    }
}

static void
an_ended_child_of_the_caller_stays_its_own(void **state)
{
    struct exec_done done;
    int status = 0;
    siginfo_t info;
    pid_t pid = fork();

    if (pid == 0)
        _exit(7);
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    done = run_leaving(*state, "sleep @ & (true &) ; sleep 0.6", 0);
    assert_string_equal(done.text, "exit code 0");
    exec_done_release(&done);
    assert_int_equal(waitpid(pid, &status, WNOHANG), pid);
    assert_int_equal(WEXITSTATUS(status), 7);
}

/* Whoever runs an attempt is killed: so is its main process. */
static void
an_attempt_dies_with_who_started_it(void **state)
{
    int status = 0;
    pid_t pid = fork();
    pid_t orphan;

    (void)state;
    if (pid == 0) {
        struct exec_spec spec = {.argv = ARGV("sleep", "1000"),
                                 .envp = plain_env};
        struct exec *exec = NULL;
        struct err err;

        if (exec_new(&exec, NULL, NULL, &err) == 0 &&
            exec_start(exec, &spec, &err) == 0)
            (void)raise(SIGKILL);
        _exit(1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WTERMSIG(status), SIGKILL);
    orphan = waitpid(-1, &status, 0);
    assert_true(orphan > 0);
    assert_int_equal(WTERMSIG(status), SIGKILL);
}

int
main(void)
{
#define TEST(f) \
    cmocka_unit_test_setup_teardown(f, attempts_setup, attempts_teardown)
    const struct CMUnitTest tests[] = {
        TEST(leftovers_are_ended_and_the_outcome_stays),
        TEST(leftovers_are_found_while_others_run),
        TEST(a_child_that_is_given_away_is_found),
        cmocka_unit_test(children_of_the_main_thread_are_counted),
        TEST(leftovers_are_found_from_any_thread),
        TEST(a_timeout_ends_the_whole_tree),
        TEST(what_ends_by_itself_is_waited_for),
        TEST(what_is_killed_together_is_not_left),
        TEST(orphans_of_a_long_attempt_are_reaped),
        TEST(children_of_the_caller_are_not_touched),
        TEST(an_ended_child_of_the_caller_stays_its_own),
        TEST(an_attempt_dies_with_who_started_it),
    };

    return cmocka_run_group_tests_name("tree", tests, NULL, NULL);
}
