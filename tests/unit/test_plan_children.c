/* SPDX-License-Identifier: MPL-2.0 */
/* Maps over maps: which children see which. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/steps.h"

static const struct plan_task maps[] = {MAPPED, MAPPED, MAPPED};
static const struct plan_edge a_b[] = {WHOLE(A, B)};
static const struct plan_edge child_a_b[] = {CHILD(A, B)};

/* Expand with one link. */
static void
expand_with(struct plan *p, uint32_t task, uint32_t n, struct plan_link link)
{
    expect_decision(p, whole(task), PLAN_EXPAND);
    plan_expand(p, task, n, &link, 1);
    assert_int_equal(plan_children(p, task), n);
}

static void
a_child_waits_for_its_own_child_alone(void **state)
{
    struct plan *p = MAKE(maps, child_a_b);

    (void)state;
    expand(p, A, 3);
    expand(p, C, 0);
    expand(p, B, 3);
    expect_take(p, child(A, 0));
    expect_take(p, child(A, 1));
    plan_finish(p, child(A, 1), PLAN_SUCCEEDED);
    run(p, child(A, 2), PLAN_FAILED);
    run(p, child(B, 1), PLAN_SUCCEEDED);
    expect_trigger_fail(p, child(B, 2));
    expect_nothing_to_take(p);
    plan_finish(p, child(A, 0), PLAN_SKIPPED);
    expect_skip(p, child(B, 0));
    expect_finished(p);
    plan_destroy(&p);
}

static void
a_map_may_be_expanded_after_children_above_have_ended(void **state)
{
    static const struct plan_edge edges[] = {CHILD(A, B), WHOLE(C, B)};
    static const struct plan_task tasks[] = {MAPPED, MAPPED, PLAIN};
    struct plan *p = MAKE(tasks, edges);

    (void)state;
    expand(p, A, 3);
    run(p, child(A, 0), PLAN_SUCCEEDED);
    run(p, child(A, 1), PLAN_FAILED);
    expect_take(p, child(A, 2));
    run(p, whole(C), PLAN_SUCCEEDED);
    expand(p, B, 3);
    run(p, child(B, 0), PLAN_SUCCEEDED);
    expect_trigger_fail(p, child(B, 1));
    expect_state(p, child(B, 2), PLAN_WAITING);
    plan_finish(p, child(A, 2), PLAN_SUCCEEDED);
    run(p, child(B, 2), PLAN_SUCCEEDED);
    expect_finished(p);
    plan_destroy(&p);
}

static void
a_skipped_child_does_not_skip_the_map_below(void **state)
{
    static const struct plan_task tasks[] = {MAPPED, MAPPED, PLAIN};
    static const struct plan_edge edges[] = {CHILD(A, B), WHOLE(C, B)};
    struct plan *p = MAKE(tasks, edges);

    (void)state;
    expand(p, A, 2);
    run(p, child(A, 0), PLAN_SKIPPED);
    run(p, child(A, 1), PLAN_SUCCEEDED);
    run(p, whole(C), PLAN_SUCCEEDED);
    expand(p, B, 2);
    expect_skip(p, child(B, 0));
    run(p, child(B, 1), PLAN_SUCCEEDED);
    expect_finished(p);
    plan_destroy(&p);
}

static void
naming_a_map_as_a_whole_skips_a_map_below(void **state)
{
    struct plan *p = MAKE(maps, a_b);

    (void)state;
    expand(p, A, 2);
    expand(p, C, 0);
    run(p, child(A, 0), PLAN_SKIPPED);
    run(p, child(A, 1), PLAN_SUCCEEDED);
    expect_skip(p, whole(B));
    expect_finished(p);
    plan_destroy(&p);
}

static void
a_map_above_that_ended_as_a_task_counts_so_for_every_child(void **state)
{
    static const struct plan_edge edges[] = {CHILD(A, B), CHILD(C, B)};
    struct plan *p = MAKE(maps, edges);

    (void)state;
    expand(p, A, 2);
    expect_decision(p, whole(C), PLAN_EXPAND);
    plan_finish(p, whole(C), PLAN_FAILED);
    run_all(p, A, 2, PLAN_SUCCEEDED);
    expand(p, B, 2);
    expect_trigger_fail(p, child(B, 0));
    expect_trigger_fail(p, child(B, 1));
    expect_finished(p);
    plan_destroy(&p);
}

static void
a_map_above_that_was_skipped_skips_the_map_below(void **state)
{
    struct plan *p = MAKE(maps, child_a_b);

    (void)state;
    expect_decision(p, whole(A), PLAN_EXPAND);
    plan_finish(p, whole(A), PLAN_SKIPPED);
    expand(p, C, 0);
    expect_skip(p, whole(B));
    expect_finished(p);
    plan_destroy(&p);
}

static void
maps_over_maps_over_maps_go_depth_first_by_number(void **state)
{
    static const struct plan_edge edges[] = {CHILD(A, B), CHILD(B, C)};
    struct plan *p = MAKE(maps, edges);

    (void)state;
    expand(p, A, 2);
    expand(p, B, 2);
    expand(p, C, 2);
    expect_take(p, child(A, 0));
    expect_take(p, child(A, 1));
    plan_finish(p, child(A, 1), PLAN_SUCCEEDED);
    run(p, child(B, 1), PLAN_SUCCEEDED);
    run(p, child(C, 1), PLAN_SUCCEEDED);
    plan_finish(p, child(A, 0), PLAN_FAILED);
    expect_trigger_fail(p, child(B, 0));
    expect_trigger_fail(p, child(C, 0));
    expect_finished(p);
    plan_destroy(&p);
}

static void
empty_maps_go_all_the_way_down(void **state)
{
    static const struct plan_edge edges[] = {CHILD(A, B), CHILD(B, C)};
    struct plan *p = MAKE(maps, edges);

    (void)state;
    expand(p, A, 0);
    expand(p, B, 0);
    expand(p, C, 0);
    expect_finished(p);
    plan_destroy(&p);
}

/* ---- links ---- */

static void
a_product_sees_the_child_of_each_side(void **state)
{
    static const struct plan_edge edges[] = {CHILD(A, C), CHILD(B, C)};
    static const struct plan_link links[] = {{A, 3, 2, NULL}, {B, 1, 3, NULL}};
    struct plan *p = MAKE(maps, edges);

    (void)state;
    expand(p, A, 2);
    expand(p, B, 3);
    expect_decision(p, whole(C), PLAN_EXPAND);
    plan_expand(p, C, 6, links, COUNT(links));
    run(p, child(A, 0), PLAN_SUCCEEDED);
    run(p, child(A, 1), PLAN_FAILED);
    expect_no_decision(p);
    run(p, child(B, 0), PLAN_SUCCEEDED);
    expect_trigger_fail(p, child(C, 3));
    expect_take(p, child(B, 1));
    run(p, child(B, 2), PLAN_SUCCEEDED);
    expect_trigger_fail(p, child(C, 5));
    run(p, child(C, 0), PLAN_SUCCEEDED);
    run(p, child(C, 2), PLAN_SUCCEEDED);
    plan_finish(p, child(B, 1), PLAN_SKIPPED);
    expect_skip(p, child(C, 1));
    expect_skip(p, child(C, 4));
    expect_finished(p);
    plan_destroy(&p);
}

static void
a_product_of_a_map_with_itself_counts_a_child_once(void **state)
{
    static const struct plan_task tasks[] = {MAPPED,
                                             {.mapped = true,
                                              .trigger = TRIGGER_SOME_FAILED,
                                              .at_least = 2,
                                              .at_most = -1}};
    static const struct plan_link links[] = {{A, 2, 2, NULL}, {A, 1, 2, NULL}};
    struct plan *p = MAKE(tasks, child_a_b);

    (void)state;
    expand(p, A, 2);
    expect_decision(p, whole(B), PLAN_EXPAND);
    plan_expand(p, B, 4, links, COUNT(links));
    run_all(p, A, 2, PLAN_FAILED);
    expect_trigger_fail(p, child(B, 0));
    expect_trigger_fail(p, child(B, 3));
    run(p, child(B, 1), PLAN_SUCCEEDED);
    run(p, child(B, 2), PLAN_SUCCEEDED);
    expect_finished(p);
    plan_destroy(&p);
}

static void
children_of_a_map_beyond_the_link_are_seen_by_nobody(void **state)
{
    static const struct plan_link link = {A, 1, 2, NULL};
    struct plan *p = MAKE(maps, child_a_b);

    (void)state;
    expand(p, A, 3);
    expand(p, C, 0);
    expand_with(p, B, 2, link);
    expect_take(p, child(A, 0));
    expect_take(p, child(A, 1));
    run(p, child(A, 2), PLAN_FAILED);
    expect_nothing_to_take(p);
    plan_finish(p, child(A, 0), PLAN_SUCCEEDED);
    plan_finish(p, child(A, 1), PLAN_SUCCEEDED);
    run_all(p, B, 2, PLAN_SUCCEEDED);
    expect_finished(p);
    plan_destroy(&p);
}

static void
a_flat_child_sees_its_owner(void **state)
{
    static const struct plan_edge edges[] = {FLAT(A, B)};
    uint32_t owner[] = {0, 0, 2, 2, 2};
    struct plan_link link = {.from = A, .owner = owner};
    struct plan *p = MAKE(maps, edges);

    (void)state;
    expand(p, A, 3);
    expand(p, C, 0);
    run(p, child(A, 0), PLAN_FAILED);
    run(p, child(A, 1), PLAN_SKIPPED);
    expect_take(p, child(A, 2));
    expect_no_decision(p);
    plan_finish(p, child(A, 2), PLAN_SUCCEEDED);
    expand_with(p, B, 5, link);
    owner[2] = 0; /* copied */
    expect_trigger_fail(p, child(B, 0));
    expect_trigger_fail(p, child(B, 1));
    for (uint32_t k = 2; k < 5; k++)
        run(p, child(B, k), PLAN_SUCCEEDED);
    expect_finished(p);
    plan_destroy(&p);
}

static void
the_strongest_of_two_edges_counts(void **state)
{
    static const struct plan_edge edges[] = {CHILD(A, B), WHOLE(A, B)};
    struct plan *p = MAKE(maps, edges);

    (void)state;
    expand(p, A, 2);
    expand(p, C, 0);
    run(p, child(A, 0), PLAN_SUCCEEDED);
    expect_no_decision(p);
    run(p, child(A, 1), PLAN_FAILED);
    expand(p, B, 1);
    expect_trigger_fail(p, child(B, 0));
    expect_finished(p);
    plan_destroy(&p);
}

static void
a_child_edge_of_a_task_that_is_no_map_is_a_plain_one(void **state)
{
    static const struct plan_task tasks[] = {PLAIN, MAPPED, PLAIN};
    static const struct plan_edge edges[] = {CHILD(A, B), CHILD(B, C)};
    struct plan *p = MAKE(tasks, edges);

    (void)state;
    run(p, whole(A), PLAN_SUCCEEDED);
    expand(p, B, 2);
    run(p, child(B, 0), PLAN_SUCCEEDED);
    expect_take(p, child(B, 1));
    expect_nothing_to_take(p);
    plan_finish(p, child(B, 1), PLAN_FAILED);
    expect_trigger_fail(p, whole(C));
    expect_finished(p);
    plan_destroy(&p);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_child_waits_for_its_own_child_alone),
        cmocka_unit_test(a_map_may_be_expanded_after_children_above_have_ended),
        cmocka_unit_test(a_skipped_child_does_not_skip_the_map_below),
        cmocka_unit_test(naming_a_map_as_a_whole_skips_a_map_below),
        cmocka_unit_test(
            a_map_above_that_ended_as_a_task_counts_so_for_every_child),
        cmocka_unit_test(a_map_above_that_was_skipped_skips_the_map_below),
        cmocka_unit_test(maps_over_maps_over_maps_go_depth_first_by_number),
        cmocka_unit_test(empty_maps_go_all_the_way_down),
        cmocka_unit_test(a_product_sees_the_child_of_each_side),
        cmocka_unit_test(a_product_of_a_map_with_itself_counts_a_child_once),
        cmocka_unit_test(children_of_a_map_beyond_the_link_are_seen_by_nobody),
        cmocka_unit_test(a_flat_child_sees_its_owner),
        cmocka_unit_test(the_strongest_of_two_edges_counts),
        cmocka_unit_test(a_child_edge_of_a_task_that_is_no_map_is_a_plain_one),
    };

    return cmocka_run_group_tests_name("plan_children", tests, NULL, NULL);
}
