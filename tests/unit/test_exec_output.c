/* SPDX-License-Identifier: MPL-2.0 */
/* What goes in and comes out of attempts, and calls. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "proto/limits.h"
#include "tests/support/attempts.h"
#include "tests/support/valgrind.h"

#define SOON (200 * SPAN_MS)
#define MIB  ((size_t)1 << 20)

/* ---- commands ---- */

static void
both_streams_are_seen_and_kept(void **state)
{
    struct attempts *t = *state;
    struct exec_done done =
        attempts_shell(t, "echo out; echo err >&2; printf 'a\\0b'");

    assert_memory_equal(t->seen[EXEC_STDOUT].data, "out\na\0b", 7);
    assert_string_equal(buf_str(&t->seen[EXEC_STDERR]), "err\n");
    assert_int_equal(done.out.len, 7);
    assert_string_equal(buf_str(&done.errors), "err\n");
    assert_int_equal(done.noutput[EXEC_STDOUT], 7);
    assert_int_equal(done.noutput[EXEC_STDERR], 4);
    assert_int_equal(done.dropped[EXEC_STDOUT], 0);
    exec_done_release(&done);
}

static void
a_large_input_comes_out_again(void **state)
{
    struct attempts *t = *state;
    size_t n = 10 * MIB;
    char *input = mem_alloc(n, 1);
    struct exec_done done;

    for (size_t i = 0; i < n; i++)
        input[i] = (char)(i * 7 + i / 1000);
    done = attempts_run(t, (struct exec_spec){.argv = ARGV("cat"),
                                              .input = input,
                                              .ninput = n,
                                              .keep_stdout = true});
    assert_string_equal(done.text, "exit code 0");
    assert_int_equal(done.out.len, n);
    assert_memory_equal(done.out.data, input, n);
    assert_int_equal(t->nseen, n);
    exec_done_release(&done);
    free(input);
}

static void
without_a_value_the_last_bytes_are_kept(void **state)
{
    struct exec_done done = attempts_shell(
        *state, "head -c 300000 /dev/zero | tr '\\0' x; echo end");

    assert_int_equal(done.out.len, LIMIT_OUTPUT_TAIL);
    assert_string_equal(done.out.data + done.out.len - 5, "xend\n");
    assert_int_equal(done.noutput[EXEC_STDOUT], 300004);
    exec_done_release(&done);
}

static void
a_value_too_large_ends_it(void **state)
{
    struct exec_done done = attempts_run(
        *state, (struct exec_spec){.argv = SHELL("trap '' TERM; yes"),
                                   .keep_stdout = true,
                                   .grace = SOON});

    assert_int_equal(done.end, EXEC_OUTPUT_LIMIT);
    assert_string_equal(done.text,
                        "its value is larger than 16 MiB; write it to a file "
                        "and give the file's name as the value");
    assert_in_range(done.out.len, 1, LIMIT_OUTPUT_TAIL);
    exec_done_release(&done);
}

static void
a_value_of_the_limit_is_kept(void **state)
{
    struct exec_done done = attempts_run(
        *state,
        (struct exec_spec){.argv = ARGV("head", "-c", "16777216", "/dev/zero"),
                           .keep_stdout = true});

    assert_string_equal(done.text, "exit code 0");
    assert_int_equal(done.out.len, LIMIT_VALUE_BYTES);
    exec_done_release(&done);
}

static void
a_value_one_byte_too_large_is_none(void **state)
{
    struct exec_done done = attempts_run(
        *state,
        (struct exec_spec){.argv = ARGV("head", "-c", "16777217", "/dev/zero"),
                           .keep_stdout = true});

    assert_int_equal(done.end, EXEC_OUTPUT_LIMIT);
    exec_done_release(&done);
}

static int64_t
peak_memory(void)
{
    struct rusage used;

    (void)getrusage(RUSAGE_SELF, &used);
    return (int64_t)used.ru_maxrss * 1024;
}

static void
output_of_any_size_takes_no_memory(void **state)
{
    struct attempts *t = *state;
    int64_t before = peak_memory();
    uint64_t n = UINT64_C(200) * MIB;
    struct exec_done done;

    t->forget = true;
    done = attempts_run(
        t, (struct exec_spec){
               .argv = ARGV("head", "-c", "209715200", "/dev/zero")});
    assert_string_equal(done.text, "exit code 0");
    assert_int_equal(done.noutput[EXEC_STDOUT], n);
    assert_int_equal(done.dropped[EXEC_STDOUT],
                     n - LIMIT_OUTPUT_BYTES - LIMIT_OUTPUT_TAIL);
    assert_in_range(t->nseen, LIMIT_OUTPUT_BYTES + LIMIT_OUTPUT_TAIL,
                    LIMIT_OUTPUT_BYTES + LIMIT_OUTPUT_TAIL + 100);
    assert_in_range(peak_memory() - before, 0, 8 * MIB);
    exec_done_release(&done);
}

static void
a_task_may_read_its_own_output(void **state)
{
    struct exec_done done = attempts_run(
        *state, (struct exec_spec){.argv = SHELL("cat /dev/stdout & sleep 0.1; "
                                                 "echo x; kill $!; wait || :"),
                                   .timeout = PATIENCE});

    assert_string_equal(done.text, "exit code 0");
    exec_done_release(&done);
}

/* ---- calls ---- */

static struct exec_done
run_call(struct attempts *t, int (*call)(void *arg, struct buf *result),
         void *arg)
{
    return attempts_run(
        t, (struct exec_spec){
               .call = call, .arg = arg, .timeout = PATIENCE, .grace = SOON});
}

static int
answer(void *arg, struct buf *result)
{
    int *number = arg;

    ++*number;
    printf("said");
    buf_printf(result, "%d", *number);
    return 5;
}

static void
a_call_gives_result_code_and_output(void **state)
{
    struct attempts *t = *state;
    int number = 41;
    struct exec_done done;

    not_under_valgrind();
    printf("not the call's");
    done = run_call(t, answer, &number);
    assert_int_equal(done.end, EXEC_EXITED);
    assert_string_equal(done.text, "exit code 5");
    assert_string_equal(buf_str(&done.result), "42");
    assert_string_equal(buf_str(&done.out), "said");
    assert_int_equal(number, 41);
    exec_done_release(&done);
}

static int
count_descriptors(void *arg, struct buf *result)
{
    (void)arg;
    for (int fd = 0; fd < 1000; fd++) {
        if (fcntl(fd, F_GETFD) >= 0)
            buf_printf(result, "%d ", fd);
    }
    return 0;
}

static void
a_call_has_only_what_it_needs(void **state)
{
    struct exec_done done;

    not_under_valgrind();
    done = run_call(*state, count_descriptors, NULL);
    assert_string_equal(buf_str(&done.result), "0 1 2 3 ");
    exec_done_release(&done);
}

static int
crash(void *arg, struct buf *result)
{
    (void)arg;
    buf_text(result, "never seen");
    return raise(SIGSEGV);
}

static void
a_call_may_crash(void **state)
{
    struct exec_done done;

    not_under_valgrind();
    done = run_call(*state, crash, NULL);
    assert_int_equal(done.end, EXEC_SIGNALED);
    assert_string_equal(done.text, "killed by signal 11 (Segmentation fault)");
    assert_int_equal(done.result.len, 0);
    exec_done_release(&done);
}

static pid_t parent;

/* At exit of this process, but never of a call. */
static void
only_in_the_parent(void)
{
    if (getpid() != parent)
        (void)dprintf(STDOUT_FILENO, "a handler of the parent's has run");
}

static int
leave(void *arg, struct buf *result)
{
    (void)arg;
    buf_text(result, "never seen");
    printf("bye");
    exit(3);
}

static void
a_call_may_exit(void **state)
{
    struct exec_done done;

    not_under_valgrind();
    done = run_call(*state, leave, NULL);
    assert_string_equal(done.text, "exit code 3");
    assert_string_equal(buf_str(&done.out), "bye");
    assert_int_equal(done.result.len, 0);
    exec_done_release(&done);
}

static int
tell_size(void *arg, struct buf *result)
{
    size_t n = *(size_t *)arg;

    memset(buf_reserve(result, n), 'x', n);
    buf_added(result, n);
    return 0;
}

static void
a_result_may_be_large_but_not_huge(void **state)
{
    size_t n = LIMIT_VALUE_BYTES;
    struct exec_done done;

    not_under_valgrind();
    done = run_call(*state, tell_size, &n);
    assert_string_equal(done.text, "exit code 0");
    assert_int_equal(done.result.len, n);
    exec_done_release(&done);
    n += MIB;
    done = run_call(*state, tell_size, &n);
    assert_int_equal(done.end, EXEC_OUTPUT_LIMIT);
    assert_int_equal(done.result.len, 0);
    exec_done_release(&done);
}

static int
hang(void *arg, struct buf *result)
{
    (void)arg;
    (void)result;
    while (pause() < 0)
        continue;
    return 0;
}

static void
a_call_may_time_out(void **state)
{
    struct exec_done done;

    not_under_valgrind();
    done = attempts_run(
        *state,
        (struct exec_spec){.call = hang, .timeout = SOON, .grace = PATIENCE});
    assert_int_equal(done.end, EXEC_TIMED_OUT);
    assert_string_equal(done.text, "timed out after 200 ms");
    exec_done_release(&done);
}

static void
a_call_needs_its_directory(void **state)
{
    struct exec_done done = attempts_run(
        *state, (struct exec_spec){.call = hang, .cwd = "/nonexistent"});

    assert_int_equal(done.end, EXEC_NOT_STARTED);
    assert_string_equal(
        done.text,
        "can't change to directory `/nonexistent`: No such file or directory");
    exec_done_release(&done);
}

int
main(void)
{
#define TEST(f) \
    cmocka_unit_test_setup_teardown(f, attempts_setup, attempts_teardown)
    const struct CMUnitTest tests[] = {
        TEST(both_streams_are_seen_and_kept),
        TEST(a_large_input_comes_out_again),
        TEST(without_a_value_the_last_bytes_are_kept),
        TEST(a_value_too_large_ends_it),
        TEST(a_value_of_the_limit_is_kept),
        TEST(a_value_one_byte_too_large_is_none),
        TEST(output_of_any_size_takes_no_memory),
        TEST(a_task_may_read_its_own_output),
        TEST(a_call_gives_result_code_and_output),
        TEST(a_call_has_only_what_it_needs),
        TEST(a_call_may_crash),
        TEST(a_call_may_exit),
        TEST(a_result_may_be_large_but_not_huge),
        TEST(a_call_may_time_out),
        TEST(a_call_needs_its_directory),
    };

    /* After setvbuf what is printed here waits to be flushed. */
    (void)setvbuf(stdout, NULL, _IOFBF, BUFSIZ);
    parent = getpid();
    if (atexit(only_in_the_parent) != 0)
        return 1;
    return cmocka_run_group_tests_name("exec_output", tests, NULL, NULL);
}
