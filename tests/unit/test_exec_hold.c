/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/limits.h"
#include "tests/support/attempts.h"
#include "tests/support/valgrind.h"

#define TURN  (10 * SPAN_MS)
#define LARGE 1000000

/* Let so much time go by; nothing may end. */
static void
nothing_ends_for(struct attempts *t, int64_t span)
{
    int64_t until = span_mono() + span;
    struct exec_done done;

    while (span_mono() < until) {
        if (exec_wait(t->exec, TURN, &done) != 0)
            fail_msg("it has ended: %s", done.text);
    }
}

static bool
is_any_child_left(void)
{
    siginfo_t info;

    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

/* Until all processes were reaped; nothing may end. */
static void
wait_for_reaping(struct attempts *t)
{
    int64_t until = span_mono() + PATIENCE;

    while (is_any_child_left()) {
        nothing_ends_for(t, TURN);
        if (span_mono() > until)
            fail_msg("there are processes still");
    }
}

static void
what_ends_under_a_hold_is_read_after_it(void **state)
{
    struct attempts *t = *state;
    struct pollfd fd = {.fd = exec_fd(t->exec), .events = POLLIN};
    struct exec_done done;

    exec_hold(t->exec, true);
    attempts_start(
        t, (struct exec_spec){.argv = SHELL("echo one; echo two >&2; exit 3")});
    wait_for_reaping(t);
    nothing_ends_for(t, TURN);
    assert_int_equal(t->nseen, 0);
    assert_int_equal(exec_running(t->exec), 1);
    exec_hold(t->exec, false);
    assert_int_equal(poll(&fd, 1, 0), 1);
    done = attempts_wait(t);
    assert_string_equal(done.text, "exit code 3");
    assert_string_equal(buf_str(&t->seen[EXEC_STDOUT]), "one\n");
    assert_string_equal(buf_str(&t->seen[EXEC_STDERR]), "two\n");
    exec_done_release(&done);
}

static void
who_writes_under_a_hold_waits_and_goes_on(void **state)
{
    struct attempts *t = *state;
    struct exec_done done;

    t->forget = true;
    attempts_start(
        t, (struct exec_spec){.argv = SHELL("head -c 1000000 /dev/zero")});
    exec_hold(t->exec, true);
    nothing_ends_for(t, 10 * TURN);
    assert_int_equal(t->nseen, 0);
    for (int i = 0; i < 3; i++) { /* again is as once */
        exec_hold(t->exec, false);
        exec_hold(t->exec, i < 2);
    }
    done = attempts_wait(t);
    assert_int_equal(done.end, EXEC_EXITED);
    assert_int_equal(t->nseen, LARGE);
    exec_done_release(&done);
}

/* ---- from inside on_output ---- */

struct receiver {
    struct exec *exec;
    uint64_t n;
    unsigned calls; /* since the last hold was over */
    unsigned most;  /* of these, ever */
};

static void
take_one_piece(void *ctx, void *tag, enum exec_stream stream, const char *data,
               size_t n)
{
    struct receiver *self = ctx;

    (void)tag;
    (void)stream;
    (void)data;
    self->n += n;
    self->calls++;
    if (self->calls > self->most)
        self->most = self->calls;
    exec_hold(self->exec, true);
}

static void
a_receiver_may_hold_at_each_piece(void **state)
{
    struct receiver self = {0};
    struct exec_spec spec = {.argv = SHELL("head -c 300000 /dev/zero; "
                                           "head -c 300000 /dev/zero >&2"),
                             .envp = plain_env};
    struct exec_done done = {0};
    int64_t until = span_mono() + PATIENCE;
    struct err err;

    (void)state;
    assert_int_equal(exec_new(&self.exec, take_one_piece, &self, &err), 0);
    assert_int_equal(exec_start(self.exec, &spec, &err), 0);
    while (exec_wait(self.exec, 0, &done) == 0) {
        struct pollfd fd = {.fd = exec_fd(self.exec), .events = POLLIN};

        assert_true(span_mono() < until);
        self.calls = 0;
        exec_hold(self.exec, false);
        (void)poll(&fd, 1, 1000);
    }
    assert_string_equal(done.text, "exit code 0");
    assert_int_equal(self.n, 600000);
    assert_int_equal(self.most, 1);
    exec_done_release(&done);
    exec_destroy(&self.exec);
}

/* ---- what is around an attempt goes on ---- */

static void
leftovers_have_their_time_after_the_hold(void **state)
{
    struct attempts *t = *state;
    struct exec_done done;

    exec_hold(t->exec, true);
    attempts_start(t,
                   (struct exec_spec){
                       .argv = SHELL("{ head -c 300000 /dev/zero | tr '\\0' x; "
                                     "echo end; } & exit 0")});
    nothing_ends_for(t, 3 * LIMIT_DRAIN_MS * SPAN_MS);
    exec_hold(t->exec, false);
    done = attempts_wait(t);
    assert_int_equal(done.leftovers, 0);
    assert_int_equal(t->nseen, 300004);
    exec_done_release(&done);
}

static void
a_timeout_counts_on_under_a_hold(void **state)
{
    struct attempts *t = *state;
    struct exec_done done;

    exec_hold(t->exec, true);
    attempts_start(t, (struct exec_spec){.argv = SHELL("echo hi; sleep 1000"),
                                         .timeout = 10 * TURN});
    wait_for_reaping(t);
    exec_hold(t->exec, false);
    done = attempts_wait(t);
    assert_int_equal(done.end, EXEC_TIMED_OUT);
    assert_string_equal(buf_str(&t->seen[EXEC_STDOUT]), "hi\n");
    exec_done_release(&done);
}

static void
destroying_needs_no_end_of_the_hold(void **state)
{
    struct attempts *t = *state;

    exec_hold(t->exec, true);
    attempts_start(t, (struct exec_spec){.argv = SHELL("echo hi; sleep 1000")});
    attempts_start(t, (struct exec_spec){.argv = SHELL("echo hi; echo ho")});
    exec_destroy(&t->exec);
    assert_false(is_any_child_left());
}

/* ---- passed descriptors ---- */

/* What sh lists of its own descriptors, with a pass of these. */
static void
expect_fds(struct attempts *t, int first, int second, const char *list)
{
    struct exec_done done = attempts_run(
        t, (struct exec_spec){
               .argv = SHELL("for f in /proc/$$/fd/*; do if [ -e $f ]; then "
                             "echo -n ${f##*/}; fi; done"),
               .pass = {first, second}});

    assert_string_equal(buf_str(&done.out), list);
    exec_done_release(&done);
}

static void
passed_descriptors_become_3_and_4(void **state)
{
    int fd = fcntl(0, F_DUPFD_CLOEXEC, 10);

    expect_fds(*state, fd, fd, "01234");
    expect_fds(*state, fd, -1, "0123");
    expect_fds(*state, -1, fd, "0124");
    expect_fds(*state, -1, -1, "012");
    expect_fds(*state, 0, 0, "012");
    (void)close(fd);
}

/* Two sockets wherever they are: cat copies from one to the other. */
static void
expect_copy(struct attempts *t, const int fds[2])
{
    int in[2], out[2];
    char text[8] = "";
    struct exec_done done;
    int kept[2] = {fcntl(fds[0], F_DUPFD_CLOEXEC, 20),
                   fcntl(fds[1], F_DUPFD_CLOEXEC, 20)};

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, in), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, out),
                     0);
    for (int i = 0; i < 2; i++) { /* away from where theirs are to be */
        int above = fcntl(in[i], F_DUPFD_CLOEXEC, 20);

        (void)close(in[i]);
        in[i] = above;
        above = fcntl(out[i], F_DUPFD_CLOEXEC, 20);
        (void)close(out[i]);
        out[i] = above;
    }
    assert_int_equal(dup3(in[1], fds[0], O_CLOEXEC), fds[0]);
    assert_int_equal(dup3(out[1], fds[1], O_CLOEXEC), fds[1]);
    attempts_start(t, (struct exec_spec){.argv = SHELL("cat <&3 >&4"),
                                         .pass = {fds[0], fds[1]}});
    assert_int_equal(write(in[0], "hello", 5), 5);
    assert_int_equal(shutdown(in[0], SHUT_WR), 0);
    done = attempts_wait(t);
    assert_string_equal(done.text, "exit code 0");
    assert_int_equal(read(out[0], text, sizeof text), 5);
    assert_string_equal(text, "hello");
    exec_done_release(&done);
    for (int i = 0; i < 2; i++) {
        (void)close(in[i]);
        (void)close(out[i]);
        (void)(kept[i] < 0 ? close(fds[i]) : dup2(kept[i], fds[i]));
        if (kept[i] >= 0)
            (void)close(kept[i]);
    }
}

static void
they_may_be_in_each_others_place(void **state)
{
    static const int places[][2] = {{3, 4}, {4, 3}, {4, 5}, {5, 3}};

    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        /* exec's own descriptors may be there: make another behind. */
        struct attempts *t = *state;
        int full[6];
        struct err err;

        exec_destroy(&t->exec);
        for (int j = 0; j < 6; j++)
            full[j] = fcntl(0, F_DUPFD_CLOEXEC, 3);
        assert_int_equal(exec_new(&t->exec, NULL, NULL, &err), 0);
        for (int j = 0; j < 6; j++)
            (void)close(full[j]);
        expect_copy(t, places[i]);
    }
}

static void
one_that_is_not_open_is_told(void **state)
{
    struct attempts *t = *state;
    struct exec_spec spec = {
        .argv = ARGV("true"), .envp = plain_env, .pass = {999, -1}};
    struct err err;

    not_under_valgrind();
    assert_int_equal(exec_start(t->exec, &spec, &err), -1);
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    assert_non_null(strstr(err.msg, "Bad file descriptor"));
    assert_int_equal(exec_running(t->exec), 0);
}

int
main(void)
{
#define TEST(f) \
    cmocka_unit_test_setup_teardown(f, attempts_setup, attempts_teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_ends_under_a_hold_is_read_after_it),
        TEST(who_writes_under_a_hold_waits_and_goes_on),
        cmocka_unit_test(a_receiver_may_hold_at_each_piece),
        TEST(leftovers_have_their_time_after_the_hold),
        TEST(a_timeout_counts_on_under_a_hold),
        TEST(destroying_needs_no_end_of_the_hold),
        TEST(passed_descriptors_become_3_and_4),
        TEST(they_may_be_in_each_others_place),
        TEST(one_that_is_not_open_is_told),
    };

    return cmocka_run_group_tests_name("exec_hold", tests, NULL, NULL);
}
