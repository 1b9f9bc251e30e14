/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

static void
an_empty_buffer_is_an_empty_string(void **state)
{
    struct buf b = {0};
    char *taken;

    (void)state;
    assert_string_equal(buf_str(&b), "");
    buf_clear(&b);
    assert_string_equal(buf_str(&b), "");
    taken = buf_take(&b);
    assert_string_equal(taken, "");
    free(taken);
    buf_release(&b);
    buf_release(&b);
}

static void
room_that_is_not_used_changes_nothing(void **state)
{
    struct buf b = {0};

    (void)state;
    (void)buf_reserve(&b, 100);
    assert_string_equal(buf_str(&b), "");
    buf_text(&b, "ab");
    memset(buf_reserve(&b, 1000), 'x', 1000);
    buf_added(&b, 0);
    assert_string_equal(buf_str(&b), "ab");
    assert_int_equal(b.len, 2);
    buf_release(&b);
}

static void
grows_by_every_way_of_adding(void **state)
{
    struct buf b = {0};

    (void)state;
    buf_add(&b, "abc", 2);
    buf_add(&b, NULL, 0);
    buf_char(&b, '-');
    buf_text(&b, "text");
    buf_printf(&b, "%d", 42);
    memcpy(buf_reserve(&b, 3), "xyz", 3);
    buf_added(&b, 2);
    assert_string_equal(buf_str(&b), "ab-text42xy");
    assert_int_equal(b.len, 11);
    buf_release(&b);
}

static void
holds_any_byte(void **state)
{
    struct buf b = {0};

    (void)state;
    buf_add(&b, "a\0b", 3);
    buf_char(&b, '\0');
    assert_int_equal(b.len, 4);
    assert_memory_equal(b.data, "a\0b\0", 5);
    buf_release(&b);
}

/* The first try is made in 128 bytes. */
static void
prints_what_is_longer_than_the_first_try(void **state)
{
    (void)state;
    for (int n = 120; n < 140; n++) {
        struct buf b = {0};

        buf_char(&b, '>');
        buf_printf(&b, "%*s", n, "x");
        assert_int_equal(b.len, n + 1);
        assert_int_equal(strlen(buf_str(&b)), n + 1);
        assert_int_equal(b.data[n], 'x');
        buf_release(&b);
    }
}

static void
a_million_bytes_one_by_one(void **state)
{
    struct buf b = {0};

    (void)state;
    for (int i = 0; i < 1000000; i++)
        buf_char(&b, (char)('a' + i % 26));
    assert_int_equal(b.len, 1000000);
    for (int i = 0; i < 1000000; i++)
        assert_true(b.data[i] == (char)('a' + i % 26));
    buf_release(&b);
}

static void
taking_leaves_it_empty(void **state)
{
    struct buf b = {0};
    char *taken;

    (void)state;
    buf_text(&b, "mine");
    taken = buf_take(&b);
    assert_int_equal(b.len, 0);
    buf_text(&b, "new");
    assert_string_equal(taken, "mine");
    assert_string_equal(buf_str(&b), "new");
    free(taken);
    buf_release(&b);
}

static void
clearing_keeps_the_memory(void **state)
{
    struct buf b = {0};
    const char *at;

    (void)state;
    buf_text(&b, "something long enough");
    at = b.data;
    buf_clear(&b);
    assert_string_equal(buf_str(&b), "");
    buf_text(&b, "short");
    assert_ptr_equal(b.data, at);
    assert_string_equal(buf_str(&b), "short");
    buf_release(&b);
}

static void
copies_are_strings_of_their_own(void **state)
{
    char *part = mem_text("abcdef", 3);
    char *empty = mem_text(NULL, 0);
    char *whole = mem_dup(part);
    char *printed = mem_printf("%s/%d", part, 7);

    (void)state;
    assert_string_equal(part, "abc");
    assert_string_equal(empty, "");
    assert_string_equal(whole, "abc");
    assert_ptr_not_equal(whole, part);
    assert_string_equal(printed, "abc/7");
    assert_null(mem_dup(NULL));
    free(part);
    free(empty);
    free(whole);
    free(printed);
}

static void
an_array_grows_and_keeps_its_elements(void **state)
{
    size_t cap = 0;
    int *a = NULL;

    (void)state;
    for (int i = 0; i < 1000; i++) {
        a = mem_grow(a, &cap, (size_t)i + 1, sizeof *a);
        a[i] = i;
    }
    assert_true(cap >= 1000 && cap < 2000);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(a[i], i);
    a = mem_grow(a, &cap, 5000, sizeof *a);
    assert_int_equal(cap, 5000);
    assert_int_equal(a[999], 999);
    free(a);
}

static void
fresh_memory_is_zero_and_never_null(void **state)
{
    char *zeroed = mem_alloc(3, 5);
    char *none = mem_alloc(0, 8);

    (void)state;
    assert_non_null(none);
    for (int i = 0; i < 15; i++)
        assert_int_equal(zeroed[i], 0);
    free(zeroed);
    free(none);
}

static void
numbers_of_any_size(void **state)
{
    struct buf b = {0};

    (void)state;
    buf_number(&b, 0);
    buf_char(&b, ' ');
    buf_number(&b, -17);
    buf_char(&b, ' ');
    buf_number(&b, INT64_MAX);
    buf_char(&b, ' ');
    buf_number(&b, INT64_MIN);
    assert_string_equal(buf_str(&b),
                        "0 -17 9223372036854775807 -9223372036854775808");
    buf_release(&b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_buffer_is_an_empty_string),
        cmocka_unit_test(room_that_is_not_used_changes_nothing),
        cmocka_unit_test(grows_by_every_way_of_adding),
        cmocka_unit_test(holds_any_byte),
        cmocka_unit_test(prints_what_is_longer_than_the_first_try),
        cmocka_unit_test(numbers_of_any_size),
        cmocka_unit_test(a_million_bytes_one_by_one),
        cmocka_unit_test(taking_leaves_it_empty),
        cmocka_unit_test(clearing_keeps_the_memory),
        cmocka_unit_test(copies_are_strings_of_their_own),
        cmocka_unit_test(an_array_grows_and_keeps_its_elements),
        cmocka_unit_test(fresh_memory_is_zero_and_never_null),
    };

    return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
