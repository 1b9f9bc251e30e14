/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "base/err.h"

static void
failing_is_one_statement(void **state)
{
    struct err err = {0};

    (void)state;
    assert_int_equal(err_set(&err, ERR_LIMIT, "%d is more than %d", 7, 3), -1);
    assert_int_equal(err.code, ERR_LIMIT);
    assert_string_equal(err.msg, "7 is more than 3");
}

static void
a_later_error_replaces_an_earlier_one(void **state)
{
    struct err err = {0};

    (void)state;
    (void)err_set(&err, ERR_LIMIT, "a long message about something");
    (void)err_set(&err, ERR_DENIED, "short");
    assert_int_equal(err.code, ERR_DENIED);
    assert_string_equal(err.msg, "short");
}

static void
a_system_error_says_which_and_keeps_errno(void **state)
{
    struct err err = {0};

    (void)state;
    errno = ENOENT;
    assert_int_equal(err_system(&err, "open %s", "a.yaml"), -1);
    assert_int_equal(err.code, ERR_SYSTEM);
    assert_string_equal(err.msg, "open a.yaml: No such file or directory");
    assert_int_equal(errno, ENOENT);
}

static void
context_goes_in_front_and_keeps_the_code(void **state)
{
    struct err err = {0};

    (void)state;
    (void)err_set(&err, ERR_NOT_FOUND, "no task `%s`", "a");
    assert_int_equal(err_prefix(&err, "%s:%d: ", "f.yaml", 3), -1);
    assert_int_equal(err_prefix(&err, "load: "), -1);
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_string_equal(err.msg, "load: f.yaml:3: no task `a`");
}

static void
too_long_a_message_is_cut(void **state)
{
    struct err err = {0};
    char text[2 * sizeof err.msg];

    (void)state;
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    (void)err_set(&err, ERR_INVALID, "%s", text);
    assert_int_equal(strlen(err.msg), sizeof err.msg - 1);
    (void)err_prefix(&err, "front: ");
    assert_int_equal(strlen(err.msg), sizeof err.msg - 1);
    assert_memory_equal(err.msg, "front: xxx", 10);
    (void)err_prefix(&err, "%s", text);
    assert_int_equal(strlen(err.msg), sizeof err.msg - 1);
    errno = EIO;
    (void)err_system(&err, "%s", text);
    assert_int_equal(strlen(err.msg), sizeof err.msg - 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failing_is_one_statement),
        cmocka_unit_test(a_later_error_replaces_an_earlier_one),
        cmocka_unit_test(a_system_error_says_which_and_keeps_errno),
        cmocka_unit_test(context_goes_in_front_and_keeps_the_code),
        cmocka_unit_test(too_long_a_message_is_cut),
    };

    return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}
