/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/bits.h"
#include "base/mem.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

/* Around the sizes at which the set gets another word or another level. */
static const uint32_t sizes[] = {1,      2,      63,     64,     65,
                                 127,    128,    4095,   4096,   4097,
                                 262143, 262144, 262145, 1000000};

static uint32_t
next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* The slow set that cannot be wrong. */
static uint32_t
least_of(const bool *has, uint32_t n, uint32_t from)
{
    for (uint32_t i = from; i < n; i++) {
        if (has[i])
            return i;
    }
    return BITS_NONE;
}

static void
compare(const struct bits *b, const bool *has, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (bits_has(b, i) != has[i])
            fail_msg("size %u: wrong about %u", n, i);
    }
    assert_int_equal(bits_least(b), least_of(has, n, 0));
}

static void
agrees_with_a_naive_set(void **state)
{
    (void)state;
    for (size_t s = 0; s < COUNT(sizes); s++) {
        uint32_t n = sizes[s], seed = n;
        bool *has = mem_alloc(n, sizeof *has);
        struct bits b;

        bits_init(&b, n, false);
        for (int step = 0; step < 3000; step++) {
            uint32_t i = next_random(&seed) % n;

            has[i] = next_random(&seed) % 3 == 0;
            if (has[i])
                bits_add(&b, i);
            else
                bits_remove(&b, i);
            /* looking for the least of a big naive set takes long */
            if (n <= 4097)
                assert_int_equal(bits_least(&b), least_of(has, n, 0));
        }
        compare(&b, has, n);
        bits_release(&b);
        free(has);
    }
}

static void
gives_all_in_order(void **state)
{
    (void)state;
    for (size_t s = 0; s < COUNT(sizes); s++) {
        struct bits b;

        bits_init(&b, sizes[s], true);
        for (uint32_t i = 0; i < sizes[s]; i++) {
            assert_true(bits_has(&b, i));
            assert_int_equal(bits_least(&b), i);
            bits_remove(&b, i);
        }
        assert_int_equal(bits_least(&b), BITS_NONE);
        bits_release(&b);
    }
}

static void
finds_the_only_one(void **state)
{
    (void)state;
    for (size_t s = 0; s < COUNT(sizes); s++) {
        struct bits b;

        bits_init(&b, sizes[s], false);
        assert_int_equal(bits_least(&b), BITS_NONE);
        bits_add(&b, sizes[s] - 1);
        assert_int_equal(bits_least(&b), sizes[s] - 1);
        bits_add(&b, 0);
        assert_int_equal(bits_least(&b), 0);
        bits_remove(&b, 0);
        if (sizes[s] > 1)
            assert_int_equal(bits_least(&b), sizes[s] - 1);
        bits_release(&b);
    }
}

static void
adding_and_removing_twice_is_once(void **state)
{
    struct bits b;

    (void)state;
    bits_init(&b, 5000, false);
    bits_remove(&b, 4999); /* of an empty set */
    bits_add(&b, 4999);
    bits_add(&b, 4999);
    bits_remove(&b, 70);
    assert_int_equal(bits_least(&b), 4999);
    bits_remove(&b, 4999);
    bits_remove(&b, 4999);
    assert_int_equal(bits_least(&b), BITS_NONE);
    bits_add(&b, 4998);
    assert_int_equal(bits_least(&b), 4998);
    bits_release(&b);
}

static void
a_set_of_nothing_is_empty(void **state)
{
    struct bits b;

    (void)state;
    bits_init(&b, 0, true);
    assert_int_equal(bits_least(&b), BITS_NONE);
    bits_release(&b);
    bits_release(&b);
}

static void
the_next_one_is_found_from_anywhere(void **state)
{
    (void)state;
    for (size_t s = 0; s < COUNT(sizes); s++) {
        uint32_t n = sizes[s], seed = n;
        bool *has = mem_alloc(n, sizeof *has);
        struct bits b;

        bits_init(&b, n, false);
        assert_int_equal(bits_next(&b, 0), BITS_NONE);
        for (int i = 0; i < 40; i++) {
            uint32_t at = next_random(&seed) % n;

            bits_add(&b, at);
            has[at] = true;
        }
        for (int i = 0; i < 400; i++) {
            uint32_t from = next_random(&seed) % n;

            assert_int_equal(bits_next(&b, from), least_of(has, n, from));
        }
        assert_int_equal(bits_next(&b, n), BITS_NONE);
        assert_int_equal(bits_next(&b, UINT32_MAX), BITS_NONE);
        bits_release(&b);
        free(has);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_a_naive_set),
        cmocka_unit_test(gives_all_in_order),
        cmocka_unit_test(finds_the_only_one),
        cmocka_unit_test(adding_and_removing_twice_is_once),
        cmocka_unit_test(a_set_of_nothing_is_empty),
        cmocka_unit_test(the_next_one_is_found_from_anywhere),
    };

    return cmocka_run_group_tests_name("bits", tests, NULL, NULL);
}
