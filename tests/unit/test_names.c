/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/names.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static void
an_empty_table_knows_nothing(void **state)
{
    struct names names = {0};

    (void)state;
    assert_int_equal(names_find(&names, "a"), NAMES_NONE);
    names_release(&names);
    names_release(&names);
}

static void
finds_what_was_added(void **state)
{
    struct names names = {0};

    (void)state;
    assert_int_equal(names_add(&names, "a", 3), NAMES_NONE);
    assert_int_equal(names_add(&names, "", 4), NAMES_NONE);
    assert_int_equal(names_add(&names, "\xc3\xa9", 5), NAMES_NONE);
    assert_int_equal(names_find(&names, "a"), 3);
    assert_int_equal(names_find(&names, ""), 4);
    assert_int_equal(names_find(&names, "\xc3\xa9"), 5);
    assert_int_equal(names_find(&names, "A"), NAMES_NONE);
    assert_int_equal(names_find(&names, "aa"), NAMES_NONE);
    assert_int_equal(names.n, 3);
    names_release(&names);
}

static void
the_first_number_of_a_name_stays(void **state)
{
    struct names names = {0};

    (void)state;
    (void)names_add(&names, "a", 1);
    assert_int_equal(names_add(&names, "a", 2), 1);
    assert_int_equal(names_find(&names, "a"), 1);
    assert_int_equal(names.n, 1);
    names_release(&names);
}

/* "liquid" and "costarring" are a pair that FNV-1a can't tell apart. */
static void
names_with_the_same_hash_are_different(void **state)
{
    struct names names = {0};

    (void)state;
    (void)names_add(&names, "costarring", 1);
    assert_int_equal(names_find(&names, "liquid"), NAMES_NONE);
    (void)names_add(&names, "liquid", 2);
    assert_int_equal(names_find(&names, "costarring"), 1);
    assert_int_equal(names_find(&names, "liquid"), 2);
    names_release(&names);
}

/* A small table is full of runs of slots, in which removing leaves gaps. */
static void
what_is_removed_is_gone_and_the_rest_stays(void **state)
{
    enum { N = 60 };
    char text[N][8];
    bool has[N] = {false};
    struct names names = {0};
    uint32_t seed = 1;

    (void)state;
    names_remove(&names, "none");
    for (uint32_t i = 0; i < N; i++)
        (void)snprintf(text[i], sizeof text[i], "n%u", i);
    for (int step = 0; step < 3000; step++) {
        uint32_t i = (seed = seed * 1664525u + 1013904223u) >> 8;

        i %= N;
        if (has[i])
            names_remove(&names, text[i]);
        else
            (void)names_add(&names, text[i], i);
        has[i] = !has[i];
        for (uint32_t k = 0; k < N; k++)
            assert_int_equal(names_find(&names, text[k]),
                             has[k] ? k : NAMES_NONE);
    }
    names_release(&names);
}

static void
keeps_a_hundred_thousand(void **state)
{
    enum { N = 100000 };
    char(*text)[16] = mem_alloc(N, sizeof *text);
    struct names names = {0};

    (void)state;
    for (uint32_t i = 0; i < N; i++) {
        (void)snprintf(text[i], sizeof text[i], "task_%u", i);
        assert_int_equal(names_add(&names, text[i], i), NAMES_NONE);
    }
    for (uint32_t i = 0; i < N; i++)
        assert_int_equal(names_find(&names, text[i]), i);
    assert_int_equal(names_find(&names, "task_100000"), NAMES_NONE);
    assert_int_equal(names.n, N);
    names_release(&names);
    free(text);
}

static const char *const words[] = {"random", "sum",    "timeout", "retry",
                                    "needs",  "number", "trigger", "cwd"};

static void
guesses_what_was_meant(void **state)
{
    static const struct {
        const char *typed, *meant;
    } rows[] = {
        {"random", "random"},  {"randon", "random"},
        {"radnom", "random"},  {"andom", "random"},
        {"randomm", "random"}, {"rndm", "random"},
        {"summ", "sum"},       {"usm", "sum"},
        {"sm", "sum"},         {"time-out", "timeout"},
        {"retries", "retry"},  {"nedes", "needs"},
        {"numbre", "number"},  {"trigers", "trigger"},
        {"pwd", "cwd"},        {"cdw", "cwd"},
        {"xyz", NULL},         {"completely", NULL},
        {"x", NULL},           {"", NULL},
        {"RANDOM", NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *near = names_near(rows[i].typed, words, COUNT(words));

        if (!near || !rows[i].meant ? near != rows[i].meant
                                    : strcmp(near, rows[i].meant) != 0)
            fail_msg("%s: %s, not %s", rows[i].typed, near ? near : "none",
                     rows[i].meant ? rows[i].meant : "none");
    }
}

static void
the_nearest_wins_and_then_the_first(void **state)
{
    static const char *const near[] = {"number_1", "number_2", "number_33"};

    (void)state;
    assert_string_equal(names_near("number_3", near, COUNT(near)), "number_1");
    assert_string_equal(names_near("number_3x", near, COUNT(near)),
                        "number_33");
    assert_null(names_near("number_1", NULL, 0));
}

static void
long_names_are_left_alone(void **state)
{
    char name[66];
    const char *one = name;

    (void)state;
    memset(name, 'x', sizeof name);
    name[65] = '\0';
    assert_null(names_near(name, &one, 1));
    assert_null(names_near("xxxxx", &one, 1));
    name[64] = '\0';
    assert_ptr_equal(names_near(name, &one, 1), name);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_table_knows_nothing),
        cmocka_unit_test(finds_what_was_added),
        cmocka_unit_test(the_first_number_of_a_name_stays),
        cmocka_unit_test(names_with_the_same_hash_are_different),
        cmocka_unit_test(what_is_removed_is_gone_and_the_rest_stays),
        cmocka_unit_test(keeps_a_hundred_thousand),
        cmocka_unit_test(guesses_what_was_meant),
        cmocka_unit_test(the_nearest_wins_and_then_the_first),
        cmocka_unit_test(long_names_are_left_alone),
    };

    return cmocka_run_group_tests_name("names", tests, NULL, NULL);
}
