/* SPDX-License-Identifier: MPL-2.0 */
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
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "tests/support/attempts.h"
#include "tests/support/valgrind.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define SOON     (200 * SPAN_MS)
#define MANY     50

static void
expect_shell(struct attempts *t, const char *script, enum exec_end end,
             int code, const char *text)
{
    struct exec_done done = attempts_shell(t, script);

    assert_string_equal(done.text, text);
    assert_int_equal(done.end, end);
    assert_int_equal(done.code, code);
    assert_int_equal(done.leftovers, 0);
    exec_done_release(&done);
}

/* ---- ends ---- */

static void
an_exit_code_is_told(void **state)
{
    expect_shell(*state, "exit 0", EXEC_EXITED, 0, "exit code 0");
    expect_shell(*state, "exit 3", EXEC_EXITED, 3, "exit code 3");
    expect_shell(*state, "exit 255", EXEC_EXITED, 255, "exit code 255");
}

static void
a_signal_is_told(void **state)
{
    expect_shell(*state, "kill -KILL $$", EXEC_SIGNALED, 9,
                 "killed by signal 9 (Killed)");
    expect_shell(*state, "kill -SEGV $$", EXEC_SIGNALED, 11,
                 "killed by signal 11 (Segmentation fault)");
    expect_shell(*state, "kill -TERM $$", EXEC_SIGNALED, 15,
                 "killed by signal 15 (Terminated)");
}

static void
a_timeout_ends_it(void **state)
{
    struct exec_done done =
        attempts_run(*state, (struct exec_spec){.argv = ARGV("sleep", "1000"),
                                                .timeout = SOON});

    assert_int_equal(done.end, EXEC_TIMED_OUT);
    assert_string_equal(done.text, "timed out after 200 ms");
    assert_in_range(done.usage.ended - done.usage.started, SOON, PATIENCE);
    exec_done_release(&done);
}

static void
a_timeout_is_one_also_if_it_exits_well(void **state)
{
    struct exec_done done = attempts_run(
        *state, (struct exec_spec){
                    .argv = SHELL("trap 'exit 0' TERM; sleep 1000 & wait"),
                    .timeout = SOON});

    assert_int_equal(done.end, EXEC_TIMED_OUT);
    exec_done_release(&done);
}

static void
who_ignores_term_is_killed_after_grace(void **state)
{
    struct attempts *t = *state;
    struct exec_done done;

    attempts_start(
        t, (struct exec_spec){.argv = SHELL("trap '' TERM; echo ready; "
                                            "while :; do sleep 1000; done"),
                              .grace = SOON});
    attempts_wait_for(t, "ready");
    exec_cancel(t->exec, NULL, false);
    done = attempts_wait(t);
    assert_int_equal(done.end, EXEC_CANCELLED);
    assert_string_equal(done.text, "cancelled");
    exec_done_release(&done);
}

static void
who_is_stopped_sees_term(void **state)
{
    struct exec_done done =
        attempts_run(*state, (struct exec_spec){.argv = SHELL("kill -STOP $$"),
                                                .timeout = SOON,
                                                .grace = PATIENCE});

    assert_int_equal(done.end, EXEC_TIMED_OUT);
    exec_done_release(&done);
}

static void
cancel_at_once_does_not_wait_for_grace(void **state)
{
    struct attempts *t = *state;
    struct exec_done done;

    attempts_start(t, (struct exec_spec){.argv = SHELL("trap '' TERM; echo on; "
                                                       "sleep 1000"),
                                         .grace = PATIENCE * 2});
    attempts_wait_for(t, "on");
    exec_cancel(t->exec, NULL, false);
    exec_cancel(t->exec, NULL, true);
    done = attempts_wait(t);
    assert_int_equal(done.end, EXEC_CANCELLED);
    exec_done_release(&done);
}

static void
cancel_hits_the_tag_alone(void **state)
{
    struct attempts *t = *state;
    struct exec_done done;
    int tags[2];

    for (size_t i = 0; i < COUNT(tags); i++)
        attempts_start(t, (struct exec_spec){.argv = ARGV("sleep", "1000"),
                                             .tag = &tags[i]});
    exec_cancel(t->exec, &tags[1], true);
    done = attempts_wait(t);
    assert_ptr_equal(done.tag, &tags[1]);
    exec_done_release(&done);
    assert_int_equal(exec_running(t->exec), 1);
    exec_cancel(t->exec, &tags[0], false);
    done = attempts_wait(t);
    assert_ptr_equal(done.tag, &tags[0]);
    assert_int_equal(done.end, EXEC_CANCELLED);
    exec_done_release(&done);
}

/* ---- what can't be started ---- */

struct folder {
    char path[32];
};

static void
make_bytes(const struct folder *folder, const char *name, const void *data,
           size_t n, mode_t mode)
{
    char *path = mem_printf("%s/%s", folder->path, name);
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, n, file), n);
    (void)fclose(file);
    assert_int_equal(chmod(path, mode), 0);
    free(path);
}

static void
make_file(const struct folder *folder, const char *name, const char *text,
          mode_t mode)
{
    make_bytes(folder, name, text, strlen(text), mode);
}

static void
make_folder(struct folder *folder)
{
    (void)snprintf(folder->path, sizeof folder->path, "/tmp/test_exec-XXXXXX");
    assert_non_null(mkdtemp(folder->path));
    make_file(folder, "plain", "echo hi\n", 0644);
    make_file(folder, "bare", "echo hi\n", 0755);
    make_file(folder, "odd", "#!/nonexistent/shell\necho hi\n", 0755);
    make_file(folder, "good", "#!/bin/sh\necho \"$0\"\n", 0755);
}

static void
remove_folder(struct attempts *t, const struct folder *folder)
{
    struct exec_done done = attempts_run(
        t, (struct exec_spec){.argv = ARGV("rm", "-r", folder->path)});

    assert_string_equal(done.text, "exit code 0");
    exec_done_release(&done);
}

static void
expect_not_started(struct attempts *t, struct exec_spec spec, const char *text)
{
    struct pollfd fd = {.fd = exec_fd(t->exec), .events = POLLIN};
    struct exec_done done;

    attempts_start(t, spec);
    assert_int_equal(poll(&fd, 1, 0), 1);
    assert_int_equal(exec_wait(t->exec, 0, &done), 1);
    assert_int_equal(done.end, EXEC_NOT_STARTED);
    assert_string_equal(done.text, text);
    assert_int_equal(exec_running(t->exec), 0);
    exec_done_release(&done);
}

static void
what_cannot_be_started_says_why(void **state)
{
    static const struct {
        const char *name;
        const char *cwd; /* NULL: the folder */
        const char *text;
    } cases[] = {
        {"foo", NULL, "command `foo` not found in PATH (/usr/bin:.:/etc)"},
        {"", NULL, "the name of the command is empty"},
        {"plain", NULL, "`./plain` is not executable"},
        {"./plain", NULL, "`./plain` is not executable"},
        {"./x", NULL, "`./x`: no such file"},
        {"./plain/x", NULL, "`./plain/x`: no such file"},
        {"/tmp", NULL, "`/tmp` is a directory"},
        {"./bare", NULL,
         "can't run `./bare`: Exec format error; is the #! line missing?"},
        {"./odd", NULL,
         "can't run `./odd`: the interpreter that it names (in its #! line, if "
         "it is a script) does not exist"},
        {"/bin/true", "/nonexistent",
         "can't change to directory `/nonexistent`: No such file or directory"},
        {"/bin/true", "/etc/passwd",
         "can't change to directory `/etc/passwd`: Not a directory"},
    };
    static const char *const env[] = {"PATH=/usr/bin:.:/etc", NULL};
    struct folder folder;

    not_under_valgrind();
    make_folder(&folder);
    for (size_t i = 0; i < COUNT(cases); i++)
        expect_not_started(*state,
                           (struct exec_spec){.argv = ARGV(cases[i].name),
                                              .envp = env,
                                              .cwd = cases[i].cwd
                                                         ? cases[i].cwd
                                                         : folder.path},
                           cases[i].text);
    remove_folder(*state, &folder);
}

static void
arguments_too_large_say_how_much(void **state)
{
    char *big;

    not_under_valgrind();
    big = mem_alloc(200001, 1);
    memset(big, 'x', 200000);
    expect_not_started(
        *state, (struct exec_spec){.argv = ARGV("/bin/echo", big)},
        "can't run `/bin/echo`: 200035 bytes of arguments and 35 of "
        "environment are more than the kernel takes; give large values "
        "through stdin or a file");
    free(big);
}

static void
path_is_the_tasks_own(void **state)
{
    struct folder folder;
    char *path;

    make_folder(&folder);
    path = mem_printf("PATH=/nonexistent:%s:/bin", folder.path);
    attempts_expect(*state,
                    (struct exec_spec){.argv = ARGV("good"),
                                       .envp = ARGV("PATH=/bin:."),
                                       .cwd = folder.path},
                    "./good\n");
    attempts_expect(*state,
                    (struct exec_spec){.argv = ARGV("sh", "-c",
                                                    "exec good | "
                                                    "wc -l"),
                                       .envp = ARGV(path)},
                    "1\n");
    attempts_expect(
        *state,
        (struct exec_spec){.argv = ARGV("echo", "hi"), .envp = ARGV("A=1")},
        "hi\n");
    free(path);
    remove_folder(*state, &folder);
}

static unsigned
count_fds(void)
{
    unsigned n = 0;

    for (int fd = 0; fd < 1000; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

/* With room for 0, 1, 2, ... more descriptors until it works. */
static void
without_descriptors_nothing_starts_and_nothing_leaks(void **state)
{
    struct attempts *t = *state;
    struct exec_spec spec = {
        .argv = ARGV("/bin/cat"), .envp = plain_env, .input = "x", .ninput = 1};
    unsigned before = count_fds();
    struct rlimit old, low;
    struct err err = {0};
    int failures = 0;
    struct exec_done done;

    not_under_valgrind();
    (void)getrlimit(RLIMIT_NOFILE, &old);
    low = old;
    for (low.rlim_cur = before;; low.rlim_cur++) {
        int rc;

        assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
        rc = exec_start(t->exec, &spec, &err);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
        if (rc == 0)
            break;
        failures++;
        assert_int_equal(err.code, ERR_UNAVAILABLE);
        assert_non_null(strstr(err.msg, "can't start a process: "));
        assert_non_null(strstr(err.msg, "Too many open files"));
        assert_int_equal(count_fds(), before);
        assert_int_equal(exec_running(t->exec), 0);
        assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    }
    assert_in_range(failures, 5, 7);
    done = attempts_wait(t);
    assert_string_equal(buf_str(&done.out), "x");
    exec_done_release(&done);
    assert_int_equal(count_fds(), before);
}

static void
usage_is_told(void **state)
{
    struct exec_done done = attempts_shell(
        *state, "i=0; while ((i < 20000)); do ((++i)); done; "
                "head -c 300000000 /dev/zero | tail -c 100000000 >/dev/null");

    assert_string_equal(done.text, "exit code 0");
    assert_true(done.usage.started <= done.usage.ended);
    assert_in_range(done.usage.cpu, SPAN_MS, PATIENCE);
    assert_in_range(done.usage.memory, 100000000, 200000000);
    exec_done_release(&done);
}

/* ---- many ---- */

/* A program's own beginning, and then nothing; and one of another machine. */
static void
what_is_for_another_machine_says_so(void **state)
{
    FILE *self = fopen("/proc/self/exe", "r");
    Elf64_Ehdr head;
    struct folder folder;
    struct utsname uts;
    char *text;

    not_under_valgrind();
    assert_int_equal(fread(&head, 1, sizeof head, self), sizeof head);
    (void)fclose(self);
    assert_int_equal(uname(&uts), 0);
    make_folder(&folder);
    head.e_phnum = 0;
    make_bytes(&folder, "cut", &head, sizeof head, 0755);
    head.e_machine = EM_68K;
    make_bytes(&folder, "other", &head, sizeof head, 0755);
    expect_not_started(
        *state, (struct exec_spec){.argv = ARGV("./cut"), .cwd = folder.path},
        "can't run `./cut`: Exec format error; is it damaged?");
    text = mem_printf("can't run `./other`: it was built for another kind of "
                      "machine (4 in its ELF header) than this %s",
                      uts.machine);
    expect_not_started(
        *state, (struct exec_spec){.argv = ARGV("./other"), .cwd = folder.path},
        text);
    free(text);
    remove_folder(*state, &folder);
}

static void
many_run_at_once(void **state)
{
    struct attempts *t = *state;
    bool seen[MANY] = {false};
    char scripts[MANY][40];

    for (int i = 0; i < MANY; i++) {
        (void)snprintf(scripts[i], sizeof scripts[i], "echo %d; exit %d", i, i);
        attempts_start(
            t, (struct exec_spec){.argv = SHELL(scripts[i]), .tag = &seen[i]});
    }
    assert_int_equal(exec_running(t->exec), MANY);
    for (int i = 0; i < MANY; i++) {
        struct exec_done done = attempts_wait(t);

        assert_int_equal(done.end, EXEC_EXITED);
        assert_int_equal((bool *)done.tag - seen, done.code);
        assert_int_equal(strtol(buf_str(&done.out), NULL, 10), done.code);
        assert_false(seen[done.code]);
        seen[done.code] = true;
        exec_done_release(&done);
    }
    assert_int_equal(exec_running(t->exec), 0);
}

static void
waiting_ends_in_time(void **state)
{
    struct attempts *t = *state;
    struct exec_done done;
    int64_t from;

    assert_int_equal(exec_wait(t->exec, 0, &done), 0);
    assert_int_equal(exec_wait(t->exec, -1, &done), 0);
    attempts_start(t, (struct exec_spec){.argv = SHELL("while :; do echo x; "
                                                       "done")});
    from = span_mono();
    assert_int_equal(exec_wait(t->exec, 50 * SPAN_MS, &done), 0);
    assert_in_range(span_mono() - from, 50 * SPAN_MS, 20 * SPAN_SECOND);
    exec_cancel(t->exec, NULL, true);
    done = attempts_wait(t);
    exec_done_release(&done);
}

static void
destroy_ends_what_runs(void **state)
{
    struct exec *exec = NULL;
    struct exec_spec spec = {
        .argv = SHELL("trap '' TERM; setsid sleep 1000 & sleep 1000"),
        .envp = plain_env,
        .grace = PATIENCE};
    struct err err;

    (void)state;
    assert_int_equal(exec_new(&exec, NULL, NULL, &err), 0);
    assert_int_equal(exec_start(exec, &spec, &err), 0);
    exec_destroy(&exec);
    assert_null(exec);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

int
main(void)
{
#define TEST(f) \
    cmocka_unit_test_setup_teardown(f, attempts_setup, attempts_teardown)
    const struct CMUnitTest tests[] = {
        TEST(an_exit_code_is_told),
        TEST(a_signal_is_told),
        TEST(a_timeout_ends_it),
        TEST(a_timeout_is_one_also_if_it_exits_well),
        TEST(who_ignores_term_is_killed_after_grace),
        TEST(who_is_stopped_sees_term),
        TEST(cancel_at_once_does_not_wait_for_grace),
        TEST(cancel_hits_the_tag_alone),
        TEST(what_cannot_be_started_says_why),
        TEST(arguments_too_large_say_how_much),
        TEST(path_is_the_tasks_own),
        TEST(without_descriptors_nothing_starts_and_nothing_leaks),
        TEST(usage_is_told),
        TEST(what_is_for_another_machine_says_so),
        TEST(many_run_at_once),
        TEST(waiting_ends_in_time),
        TEST(destroy_ends_what_runs),
    };

    return cmocka_run_group_tests_name("exec", tests, NULL, NULL);
}
