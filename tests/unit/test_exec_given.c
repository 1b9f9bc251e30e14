/* SPDX-License-Identifier: MPL-2.0 */
/* What a command finds: descriptors, signals, variables, its folder. */
/* How attempts start and end; test_tree.c has what they leave behind. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/attempts.h"
#include "tests/support/valgrind.h"

/* ---- surroundings ---- */

static void
it_has_three_descriptors(void **state)
{
    int leaked = dup(0);

    assert_true(leaked > 2);
    attempts_expect(
        *state,
        (struct exec_spec){.argv =
                               SHELL("for f in /proc/$$/fd/*; do if [ -e $f ]; "
                                     "then echo ${f##*/}; fi; done")},
        "0\n1\n2\n");
    (void)close(leaked);
}

/* A daemon has raised its own. */
static void
it_may_open_as_many_files_as_is_said(void **state)
{
    struct attempts *t = *state;
    struct exec_done done;
    struct rlimit limit;
    char wanted[64];

    not_under_valgrind(); /* which has limits of its own */
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    assert_true(limit.rlim_cur > 99 && limit.rlim_max > 99);
    exec_set_process(t->exec, 99);
    done = attempts_shell(t, "ulimit -Sn; ulimit -Hn");
    (void)snprintf(wanted, sizeof wanted, "99\n%llu\n",
                   (unsigned long long)limit.rlim_max);
    assert_string_equal(buf_str(&done.out), wanted);
    exec_done_release(&done);
    exec_set_process(t->exec, 0);
    done = attempts_shell(t, "ulimit -Sn");
    assert_int_equal(strtoull(buf_str(&done.out), NULL, 10), limit.rlim_cur);
    exec_done_release(&done);
}

static void
it_has_its_own_session_and_no_core_file(void **state)
{
    attempts_expect(
        *state,
        (struct exec_spec){.argv = SHELL("read -ra s </proc/self/stat; "
                                         "echo $((s[4] - $$)) $((s[5] - $$)); "
                                         "ulimit -c")},
        "0 0\n0\n");
}

static void
it_has_default_signals(void **state)
{
    /* glibc's posix_spawn, which make uses, ignores its own 32 and 33. */
    const char *script = "s/Ign:\t0000000180000000/Ign:\t0000000000000000/; "
                         "/Sig[BI][lg]/p";
    const struct exec_spec spec = {
        .argv = ARGV("sed", "-n", script, "/proc/self/status")};
    const char *wanted =
        "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n";
    struct attempts *t = *state;
    sigset_t all, old;
    struct err err;

    exec_destroy(&t->exec);
    (void)signal(SIGRTMIN + 1, SIG_IGN);
    (void)signal(SIGRTMAX, SIG_IGN);
    assert_int_equal(exec_new(&t->exec, NULL, NULL, &err), 0);
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, &old);
    (void)signal(SIGPIPE, SIG_IGN);
    attempts_expect(t, spec, wanted);
    exec_set_process(t->exec, 0); /* which ignores it from here on */
    attempts_expect(t, spec, wanted);
    (void)signal(SIGPIPE, SIG_DFL);
    (void)signal(SIGRTMIN + 1, SIG_DFL);
    (void)signal(SIGRTMAX, SIG_DFL);
    (void)sigprocmask(SIG_SETMASK, &old, NULL);
}

static void
it_has_exactly_the_environment_given(void **state)
{
    attempts_expect(*state,
                    (struct exec_spec){.argv = ARGV("/usr/bin/env"),
                                       .envp = ARGV("B=2", "A=", "C=x y")},
                    "B=2\nA=\nC=x y\n");
    attempts_expect(
        *state,
        (struct exec_spec){.argv = ARGV("/usr/bin/env"), .envp = ARGV(NULL)},
        "");
}

static void
it_runs_where_it_is_told(void **state)
{
    attempts_expect(*state,
                    (struct exec_spec){.argv = ARGV("pwd"), .cwd = "/usr/bin"},
                    "/usr/bin\n");
}

static void
stdin_is_empty_or_the_input(void **state)
{
    attempts_expect(*state, (struct exec_spec){.argv = ARGV("cat")}, "");
    attempts_expect(
        *state,
        (struct exec_spec){.argv = ARGV("cat"), .input = "", .ninput = 0}, "");
    attempts_expect(*state,
                    (struct exec_spec){
                        .argv = SHELL("head -c2; echo; tail -c+1 /dev/stdin"),
                        .input = "abc",
                        .ninput = 3},
                    "ab\nabc");
}

static void
descriptors_0_to_2_may_be_closed_here(void **state)
{
    int saved = fcntl(0, F_DUPFD_CLOEXEC, 10);

    (void)close(0);
    attempts_expect(
        *state,
        (struct exec_spec){.argv = ARGV("cat"), .input = "abc", .ninput = 3},
        "abc");
    (void)dup2(saved, 0);
    (void)close(saved);
}

int
main(void)
{
#define TEST(f) \
    cmocka_unit_test_setup_teardown(f, attempts_setup, attempts_teardown)
    const struct CMUnitTest tests[] = {
        TEST(it_has_three_descriptors),
        TEST(it_may_open_as_many_files_as_is_said),
        TEST(it_has_its_own_session_and_no_core_file),
        TEST(it_has_default_signals),
        TEST(it_has_exactly_the_environment_given),
        TEST(it_runs_where_it_is_told),
        TEST(stdin_is_empty_or_the_input),
        TEST(descriptors_0_to_2_may_be_closed_here),
    };

    return cmocka_run_group_tests_name("exec_given", tests, NULL, NULL);
}
