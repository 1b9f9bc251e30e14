/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/span.h"
#include "lib/layout.h"
#include "proto/limits.h"

#define GAP  2
#define BEND 3

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static struct layout *
lay_out(uint32_t nbox, const struct layout_edge *edges, size_t nedge)
{
    int *widths = mem_alloc(nbox, sizeof *widths);
    struct layout *layout = NULL;
    struct err err = {0};

    for (uint32_t i = 0; i < nbox; i++)
        widths[i] = 5 + (int)(i * 7 % 9);
    assert_int_equal(layout_make(&layout,
                                 &(struct layout_graph){.widths = widths,
                                                        .nbox = nbox,
                                                        .edges = edges,
                                                        .nedge = nedge,
                                                        .gap = GAP,
                                                        .bend = BEND},
                                 &err),
                     0);
    free(widths);
    return layout;
}

/* Neighbours keep their distance, everything is in its layer once. */
static void
check_layers(const struct layout *l)
{
    assert_int_equal(l->layers[0], 0);
    assert_int_equal(l->layers[l->nlayer], l->nitem);
    for (uint32_t k = 0; k < l->nlayer; k++) {
        assert_true(l->layers[k] < l->layers[k + 1]);
        for (uint32_t i = l->layers[k]; i < l->layers[k + 1]; i++) {
            const struct layout_item *item = &l->items[l->sorted[i]];
            const struct layout_item *left =
                i > l->layers[k] ? &l->items[l->sorted[i - 1]] : NULL;

            assert_int_equal(item->layer, k);
            assert_int_equal(item->order, i - l->layers[k]);
            assert_true(item->x >= (left ? left->x + left->width + GAP : 0));
            assert_true(item->x + item->width <= l->width);
        }
    }
}

static bool
has_segment(const struct layout *l, uint32_t from, uint32_t to)
{
    for (size_t i = 0; i < l->nsegment; i++) {
        if (l->segments[i].from == from && l->segments[i].to == to)
            return true;
    }
    return false;
}

/* Every edge leads down, and over segments all the way. */
static void
check_edges(const struct layout *l, const struct layout_edge *edges, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t top = l->items[edges[i].from].layer;
        uint32_t bottom = l->items[edges[i].to].layer;

        assert_true(top < bottom);
        assert_int_equal(layout_via(l, i, top), edges[i].from);
        assert_int_equal(layout_via(l, i, bottom), edges[i].to);
        for (uint32_t k = top; k < bottom; k++) {
            uint32_t here = layout_via(l, i, k);

            assert_int_equal(l->items[here].layer, k);
            assert_true(k == top || here >= l->nbox);
            assert_true(has_segment(l, here, layout_via(l, i, k + 1)));
        }
    }
    for (size_t i = 0; i < l->nsegment; i++)
        assert_int_equal(l->items[l->segments[i].from].layer + 1,
                         l->items[l->segments[i].to].layer);
}

static uint64_t
crossings(const struct layout *l)
{
    uint64_t n = 0;

    for (size_t i = 0; i < l->nsegment; i++) {
        const struct layout_item *a = &l->items[l->segments[i].from];
        const struct layout_item *b = &l->items[l->segments[i].to];

        for (size_t k = 0; k < l->nsegment; k++) {
            const struct layout_item *c = &l->items[l->segments[k].from];
            const struct layout_item *d = &l->items[l->segments[k].to];

            n += a->layer == c->layer && a->order < c->order &&
                 b->order > d->order;
        }
    }
    return n;
}

static const struct layout_edge diamond[] = {{0, 1}, {0, 2}, {1, 3}, {2, 3}};
static const struct layout_edge swapped[] = {{0, 5}, {1, 4}, {2, 3}};
static const struct layout_edge both[] = {{0, 2}, {0, 3}, {1, 2}, {1, 3}};
static const struct layout_edge shortcut[] = {{0, 1}, {1, 2}, {2, 3},
                                              {0, 3}, {0, 4}, {3, 4}};
static const struct layout_edge ladder[] = {
    {0, 3}, {0, 4}, {1, 3}, {1, 5}, {2, 4}, {2, 5}, {3, 6}, {4, 6}, {5, 6}};
static const struct layout_edge tree[] = {{0, 4}, {0, 6}, {4, 1}, {6, 2},
                                          {4, 3}, {6, 5}, {0, 7}, {7, 8}};

static const struct known {
    const char *what;
    uint32_t nbox;
    const struct layout_edge *edges;
    size_t nedge;
    uint32_t nlayer;
    uint64_t most; /* crossings */
} known[] = {
    {"a diamond", 4, diamond, COUNT(diamond), 3, 0},
    {"three pairs in the wrong order", 6, swapped, COUNT(swapped), 2, 0},
    {"two by two", 4, both, COUNT(both), 2, 1},
    {"a chain with shortcuts", 5, shortcut, COUNT(shortcut), 5, 0},
    {"each two of three", 7, ladder, COUNT(ladder), 3, 2},
    {"a tree, numbered badly", 9, tree, COUNT(tree), 3, 0},
    {"boxes alone", 5, NULL, 0, 1, 0},
    {"nothing", 0, NULL, 0, 0, 0},
};

static void
known_graphs_come_out_well(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(known); i++) {
        const struct known *k = &known[i];
        struct layout *l = lay_out(k->nbox, k->edges, k->nedge);

        print_message("%s\n", k->what);
        check_layers(l);
        check_edges(l, k->edges, k->nedge);
        assert_int_equal(l->nlayer, k->nlayer);
        assert_true(crossings(l) <= k->most);
        layout_destroy(&l);
    }
}

static void
a_box_stands_amid_what_it_depends_on(void **state)
{
    static const struct layout_edge edges[] = {{0, 3}, {1, 3}, {2, 3}};
    struct layout *l = NULL;
    struct err err;

    (void)state;
    assert_int_equal(
        layout_make(&l,
                    &(struct layout_graph){.widths = (int[]){9, 9, 9, 5},
                                           .nbox = 4,
                                           .edges = edges,
                                           .nedge = COUNT(edges),
                                           .gap = GAP,
                                           .bend = BEND},
                    &err),
        0);
    assert_int_equal(layout_middle(l, 3), layout_middle(l, 1));
    assert_int_equal(l->width, 3 * 9 + 2 * GAP);
    layout_destroy(&l);
}

static void
what_depends_on_nothing_stands_above_its_first_use(void **state)
{
    static const struct layout_edge edges[] = {{0, 1}, {1, 2}, {3, 2}};
    struct layout *l = lay_out(4, edges, COUNT(edges));

    (void)state;
    assert_int_equal(l->items[3].layer, 1);
    assert_int_equal(l->nitem, 4);
    layout_destroy(&l);
}

static void
long_edges_of_a_box_share_their_bends(void **state)
{
    /* a chain of five; all but the first also come from the first */
    static const struct layout_edge fan_out[] = {{0, 1}, {1, 2}, {2, 3}, {3, 4},
                                                 {0, 2}, {0, 3}, {0, 4}};
    static const struct layout_edge fan_in[] = {{0, 1}, {1, 2}, {2, 3}, {3, 4},
                                                {0, 4}, {1, 4}, {2, 4}};
    struct layout *out = lay_out(5, fan_out, COUNT(fan_out));
    struct layout *in = lay_out(5, fan_in, COUNT(fan_in));

    (void)state;
    assert_int_equal(out->nitem, 5 + 3);
    assert_int_equal(in->nitem, 5 + 3);
    check_edges(out, fan_out, COUNT(fan_out));
    check_edges(in, fan_in, COUNT(fan_in));
    layout_destroy(&out);
    layout_destroy(&in);
}

/* Numbers without a pattern, the same on every machine. */
static uint32_t
next(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (uint32_t)(*seed >> 33);
}

/* Up to three edges into each box, from one of the `reach` before it. */
static size_t
random_edges(uint32_t nbox, uint32_t reach, uint64_t seed,
             struct layout_edge *edges)
{
    size_t n = 0;

    for (uint32_t to = 1; to < nbox; to++) {
        uint32_t far = to < reach ? to : reach, last = UINT32_MAX;

        for (uint32_t k = next(&seed) % 4; k > 0; k--) {
            uint32_t from = to - 1 - next(&seed) % far;

            if (from < last)
                edges[n++] = (struct layout_edge){last = from, to};
        }
    }
    return n;
}

static void
random_graphs_keep_the_rules(void **state)
{
    struct layout_edge edges[3 * 60];

    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        uint32_t nbox = 2 + (uint32_t)seed % 59;
        size_t n = random_edges(nbox, 1 + (uint32_t)seed % 17, seed, edges);
        struct layout *l = lay_out(nbox, edges, n);

        check_layers(l);
        check_edges(l, edges, n);
        layout_destroy(&l);
    }
}

static void
the_same_graph_gives_the_same_layout(void **state)
{
    struct layout_edge edges[3 * 60];
    size_t n = random_edges(60, 20, 7, edges);
    struct layout *a = lay_out(60, edges, n);
    struct layout *b = lay_out(60, edges, n);

    (void)state;
    assert_int_equal(a->nitem, b->nitem);
    assert_memory_equal(a->items, b->items, a->nitem * sizeof *a->items);
    layout_destroy(&a);
    layout_destroy(&b);
}

static void
two_thousand_boxes_are_quick(void **state)
{
    struct layout_edge *edges =
        mem_alloc((size_t)3 * LIMIT_DRAWN_TASKS, sizeof *edges);
    size_t n = random_edges(LIMIT_DRAWN_TASKS, 200, 1, edges);
    int64_t began = span_mono(), took;
    struct layout *l = lay_out(LIMIT_DRAWN_TASKS, edges, n);

    (void)state;
    took = span_mono() - began;
    check_layers(l);
    print_message("%u items, %zu segments: %lld ms\n", l->nitem, l->nsegment,
                  (long long)(took / SPAN_MS));
    /* Wide: sanitizers and busy machines; it takes a tenth of that. */
    assert_true(took < 5 * SPAN_SECOND);
    layout_destroy(&l);
    free(edges);
}

static void
too_many_lines_are_an_error(void **state)
{
    enum { N = 700 };
    struct layout_edge *edges = mem_alloc((size_t)N * N, sizeof *edges);
    int *widths = mem_alloc(N, sizeof *widths);
    struct layout *l = NULL;
    struct err err = {0};
    size_t n = 0;

    (void)state;
    for (uint32_t from = 0; from < N; from++) {
        widths[from] = 5;
        for (uint32_t to = from + 1; to < N; to++)
            edges[n++] = (struct layout_edge){from, to};
    }
    assert_int_equal(layout_make(&l,
                                 &(struct layout_graph){.widths = widths,
                                                        .nbox = N,
                                                        .edges = edges,
                                                        .nedge = n,
                                                        .gap = GAP,
                                                        .bend = BEND},
                                 &err),
                     -1);
    assert_int_equal(err.code, ERR_LIMIT);
    assert_null(l);
    free(widths);
    free(edges);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_graphs_come_out_well),
        cmocka_unit_test(a_box_stands_amid_what_it_depends_on),
        cmocka_unit_test(what_depends_on_nothing_stands_above_its_first_use),
        cmocka_unit_test(long_edges_of_a_box_share_their_bends),
        cmocka_unit_test(random_graphs_keep_the_rules),
        cmocka_unit_test(the_same_graph_gives_the_same_layout),
        cmocka_unit_test(two_thousand_boxes_are_quick),
        cmocka_unit_test(too_many_lines_are_an_error),
    };

    return cmocka_run_group_tests_name("layout", tests, NULL, NULL);
}
