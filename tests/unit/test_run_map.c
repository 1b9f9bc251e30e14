/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/unit/run_world.h"

static void
maps_over_lists_ranges_and_products(void **state)
{
    static const struct scripted script[] = {
        {"list", PLAN_SUCCEEDED, "[\"x\",\"y\"]"}, {0}};

    (void)state;
    check_run(HEAD "  list: { run: x, value: json }\n"
                   "  m: { each: { f: '${list}', i: 1..2 }, run: x }\n",
              NULL, script,
              "list running\nlist succeeded [\"x\",\"y\"]\nm mapped\n"
              "m[x,1] running\nm[x,1] succeeded\n"
              "m[x,2] running\nm[x,2] succeeded\n"
              "m[y,1] running\nm[y,1] succeeded\n"
              "m[y,2] running\nm[y,2] succeeded\n");
}

static void
zip_pairs_and_refuses_lengths_that_differ(void **state)
{
    static const struct scripted script[] = {{"l", PLAN_SUCCEEDED, "[\"p\"]"},
                                             {0}};

    (void)state;
    check_run(HEAD
              "  m: { each: { a: [1, 2], b: [p, q] }, zip: true, run: x }\n"
              "  l: { run: x, value: json }\n"
              "  n: { each: { a: [1, 2], b: '${l}' }, zip: true, run: x }\n",
              NULL, script,
              "m mapped\nm[1,p] running\nm[1,p] succeeded\n"
              "m[2,q] running\nm[2,q] succeeded\n"
              "l running\nl succeeded [\"p\"]\n"
              "n failed: each: `a` has 2 items but `b` has 1; zip pairs lists "
              "of equal length\n");
}

static void
a_string_is_not_a_list(void **state)
{
    static const struct scripted script[] = {{"s", PLAN_SUCCEEDED, "\"abc\""},
                                             {0}};

    (void)state;
    check_run(HEAD "  s: { run: x, value: json }\n"
                   "  m: { each: { c: '${s}' }, run: x }\n"
                   "  r: { needs: m, run: x }\n",
              NULL, script,
              "s running\ns succeeded \"abc\"\n"
              "m failed: each: `c`: can't map over a string, only over a list: "
              "\"abc\"\n"
              "r trigger-failed: something it depends on failed\n");
}

static void
an_empty_map_succeeds_with_an_empty_list(void **state)
{
    static const struct scripted script[] = {{"s", PLAN_SUCCEEDED, "[]"}, {0}};

    (void)state;
    check_run(HEAD "  s: { run: x, value: json }\n"
                   "  m: { each: { c: '${s}' }, run: x, value: int }\n"
                   "  r: { with: { all: '${m}' }, run: x }\n",
              NULL, script,
              "s running\ns succeeded []\nm mapped\n"
              "r running\nr succeeded\n");
}

static void
maps_go_child_to_child_and_reduce(void **state)
{
    static const struct scripted script[] = {{"a[1]", PLAN_SUCCEEDED, "10"},
                                             {"a[2]", PLAN_FAILED, NULL},
                                             {"b[10]", PLAN_SUCCEEDED, "100"},
                                             {0}};

    (void)state;
    check_run(HEAD
              "  a: { each: { i: [1, 2] }, run: x, value: int }\n"
              "  b: { each: { j: '${a}' }, run: x, value: int }\n"
              "  c: { with: { all: '${b}' }, trigger: all-finished, run: x }\n",
              NULL, script,
              "a mapped\nb mapped\n"
              "a[1] running\na[1] succeeded 10\n"
              "a[2] running\na[2] failed: scripted\n"
              "b[#1] trigger-failed: something it depends on failed\n"
              "b[10] running\nb[10] succeeded 100\n"
              "c running\nc succeeded\n");
}

static void
a_product_of_maps_waits_for_its_own_children_only(void **state)
{
    static const struct scripted script[] = {{"a[1]", PLAN_SUCCEEDED, "1"},
                                             {"a[2]", PLAN_FAILED, NULL},
                                             {"b[5]", PLAN_SUCCEEDED, "5"},
                                             {"b[6]", PLAN_SUCCEEDED, "6"},
                                             {0}};

    (void)state;
    check_run(HEAD "  a: { each: { i: [1, 2] }, run: x, value: int }\n"
                   "  b: { each: { i: [5, 6] }, run: x, value: int }\n"
                   "  p: { each: { x: '${a}', y: '${b}' }, run: x }\n",
              NULL, script,
              "a mapped\nb mapped\np mapped\n"
              "a[1] running\na[1] succeeded 1\n"
              "a[2] running\na[2] failed: scripted\n"
              "b[5] running\nb[5] succeeded 5\n"
              "p[#2] trigger-failed: something it depends on failed\n"
              "b[6] running\nb[6] succeeded 6\n"
              "p[#3] trigger-failed: something it depends on failed\n"
              "p[1,5] running\np[1,5] succeeded\n"
              "p[1,6] running\np[1,6] succeeded\n");
}

static void
a_product_of_a_map_with_itself_waits_for_two_children(void **state)
{
    static const struct scripted script[] = {
        {"a[1]", PLAN_SUCCEEDED, "1"}, {"a[2]", PLAN_FAILED, NULL}, {0}};

    (void)state;
    check_run(HEAD "  a: { each: { i: [1, 2] }, run: x, value: int }\n"
                   "  p: { each: { x: '${a}', y: '${a}' }, run: x }\n",
              NULL, script,
              "a mapped\np mapped\n"
              "a[1] running\na[1] succeeded 1\n"
              "a[2] running\na[2] failed: scripted\n"
              "p[#2] trigger-failed: something it depends on failed\n"
              "p[#1] trigger-failed: something it depends on failed\n"
              "p[#3] trigger-failed: something it depends on failed\n"
              "p[1,1] running\np[1,1] succeeded\n");
}

static void
flatten_un_nests_and_keeps_the_owner(void **state)
{
    static const struct scripted script[] = {
        {"a[1]", PLAN_SUCCEEDED, "[\"p\",\"q\"]"},
        {"a[2]", PLAN_FAILED, NULL},
        {"a[3]", PLAN_SUCCEEDED, "[]"},
        {"a[4]", PLAN_SUCCEEDED, "[\"r\"]"},
        {0}};

    (void)state;
    check_run(HEAD "  a: { each: { i: 1..4 }, run: x, value: json }\n"
                   "  b: { each: { j: '${a}' }, flatten: true, run: x }\n",
              NULL, script,
              "a mapped\n"
              "a[1] running\na[1] succeeded [\"p\",\"q\"]\n"
              "a[2] running\na[2] failed: scripted\n"
              "a[3] running\na[3] succeeded []\n"
              "a[4] running\na[4] succeeded [\"r\"]\n"
              "b mapped\n"
              "b[#2] trigger-failed: something it depends on failed\n"
              "b[p] running\nb[p] succeeded\n"
              "b[q] running\nb[q] succeeded\n"
              "b[r] running\nb[r] succeeded\n");
}

static void
a_merge_of_maps_goes_child_to_child(void **state)
{
    static const struct scripted script[] = {{"a[1]", PLAN_SUCCEEDED, "11"},
                                             {"a[2]", PLAN_SKIPPED, NULL},
                                             {"b[1]", PLAN_SKIPPED, NULL},
                                             {"b[2]", PLAN_SUCCEEDED, "22"},
                                             {0}};

    (void)state;
    check_run(HEAD
              "  a: { each: { i: [1, 2] }, run: x, value: int }\n"
              "  b: { each: { i: [1, 2] }, run: x, value: int }\n"
              "  c: { each: { v: { first: ['${a}', '${b}'] } }, run: x }\n",
              NULL, script,
              "a mapped\nb mapped\nc.v mapped\nc mapped\n"
              "a[1] running\na[1] succeeded 11\n"
              "a[2] running\na[2] skipped: scripted\n"
              "b[1] running\nb[1] skipped: scripted\n"
              "b[2] running\nb[2] succeeded 22\n"
              "c.v[#0] succeeded 11\n"
              "c[11] running\nc[11] succeeded\n"
              "c.v[#1] succeeded 22\n"
              "c[22] running\nc[22] succeeded\n");
}

static void
a_map_that_was_skipped_as_a_whole_is_merged_too(void **state)
{
    static const struct scripted script[] = {{"s", PLAN_SKIPPED, NULL},
                                             {"b[1]", PLAN_SUCCEEDED, "11"},
                                             {"b[2]", PLAN_SUCCEEDED, "22"},
                                             {0}};

    (void)state;
    check_run(HEAD
              "  s: { run: x }\n"
              "  a: { needs: s, each: { i: [1, 2] }, run: x, value: int }\n"
              "  b: { each: { i: [1, 2] }, run: x, value: int }\n"
              "  c: { each: { v: { first: ['${a}', '${b}'] } }, run: x }\n",
              NULL, script,
              "b mapped\n"
              "s running\ns skipped: scripted\n"
              "a skipped: something it depends on was skipped\n"
              "c.v mapped\nc mapped\n"
              "b[1] running\nb[1] succeeded 11\n"
              "b[2] running\nb[2] succeeded 22\n"
              "c.v[#0] succeeded 11\nc[11] running\nc[11] succeeded\n"
              "c.v[#1] succeeded 22\nc[22] running\nc[22] succeeded\n");
    check_run(HEAD "  s: { run: x }\n"
                   "  a: { needs: s, each: { i: [1, 2] }, run: x }\n"
                   "  c: { each: { v: { first: ['${a}'] } }, run: x }\n",
              NULL, script,
              "s running\ns skipped: scripted\n"
              "a skipped: something it depends on was skipped\n"
              "c.v skipped: all its branches were skipped\n"
              "c skipped: something it depends on was skipped\n");
}

static void
children_are_named_by_their_values(void **state)
{
    static const struct scripted script[] = {
        {"l", PLAN_SUCCEEDED, "[\"a b\",\"x,y\",\"\"]"}, {0}};
    static const char *names[] = {"m[a b]", "m[#1]", "m[#2]"};
    struct world w = {.script = script};

    (void)state;
    begin(&w,
          HEAD "  l: { run: x, value: json }\n"
               "  m: { each: { k: '${l}' }, run: x }\n",
          NULL);
    assert_int_equal(go(&w), RUN_ENDED);
    for (uint32_t k = 0; k < 3; k++) {
        struct buf name = {0};

        run_name(w.run, (struct plan_id){1, k}, &name);
        assert_string_equal(buf_str(&name), names[k]);
        buf_release(&name);
    }
    end(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maps_over_lists_ranges_and_products),
        cmocka_unit_test(zip_pairs_and_refuses_lengths_that_differ),
        cmocka_unit_test(a_string_is_not_a_list),
        cmocka_unit_test(an_empty_map_succeeds_with_an_empty_list),
        cmocka_unit_test(maps_go_child_to_child_and_reduce),
        cmocka_unit_test(a_product_of_maps_waits_for_its_own_children_only),
        cmocka_unit_test(a_product_of_a_map_with_itself_waits_for_two_children),
        cmocka_unit_test(flatten_un_nests_and_keeps_the_owner),
        cmocka_unit_test(a_merge_of_maps_goes_child_to_child),
        cmocka_unit_test(a_map_that_was_skipped_as_a_whole_is_merged_too),
        cmocka_unit_test(children_are_named_by_their_values),
    };

    return cmocka_run_group_tests_name("run", tests, NULL, NULL);
}
