/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those above */
#include <cmocka.h>

#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/sched/types.h>

#include "agent/slice.h"

enum { SAME, SHORTER, LONGER };

/* 0: this kernel has none. */
static uint64_t
slice(void)
{
    struct sched_attr attr = {.size = sizeof attr};

    if (syscall(SYS_sched_getattr, 0, &attr, sizeof attr, 0) < 0)
        return 0;
    return attr.sched_runtime;
}

static int
compare(uint64_t before)
{
    uint64_t now = slice();

    return now == before ? SAME : now < before ? SHORTER : LONGER;
}

/* What fn says of the slice before, in a process of its own. */
static int
in_child(int (*fn)(uint64_t before), uint64_t before)
{
    pid_t pid = fork();
    int status = 0;

    if (pid == 0)
        _exit(fn(before));
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int
shorten(uint64_t before)
{
    slice_shorten();
    return compare(before);
}

static int
start_another(uint64_t before)
{
    slice_shorten();
    return in_child(compare, before);
}

static void
it_is_shorter_than_before(void **state)
{
    uint64_t before = slice();

    (void)state;
    if (before == 0)
        skip();
    assert_int_equal(in_child(shorten, before), SHORTER);
}

static void
what_is_started_has_a_usual_one(void **state)
{
    uint64_t before = slice();

    (void)state;
    if (before == 0)
        skip();
    assert_int_equal(in_child(start_another, before), SAME);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_shorter_than_before),
        cmocka_unit_test(what_is_started_has_a_usual_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
