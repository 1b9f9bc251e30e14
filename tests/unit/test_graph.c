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
#include "base/utf8.h"
#include "proto/limits.h"
#include "tests/support/drawn.h"

/* ---- DOT and Mermaid ---- */

static void
dot_has_every_task_and_line(void **state)
{
    (void)state;
    expect(branches(), GRAPH_DOT, 0,
           "digraph \"branches\" {\n"
           "    node [shape=box, style=\"rounded,filled\", "
           "fillcolor=\"#f4f4f4\", color=\"#8c8c8c\", "
           "fontname=\"sans-serif\"];\n"
           "    edge [color=\"#8c8c8c\", fontname=\"sans-serif\"];\n"
           "    \"size\" [label=\"size\"];\n"
           "    \"full\" [label=\"full\"];\n"
           "    \"quick\" [label=\"quick\"];\n"
           "    \"end\" [label=\"end\\nos = linux\"];\n"
           "    \"end$1\" [label=\"first\", shape=diamond, margin=0];\n"
           "    \"size\" -> \"full\" [label=\"= large\"];\n"
           "    \"size\" -> \"quick\" [label=\"= a \\\"small\\\" <one>\"];\n"
           "    \"full\" -> \"end$1\";\n"
           "    \"quick\" -> \"end$1\";\n"
           "    \"end$1\" -> \"end\";\n"
           "}\n");
}

static void
dot_colours_a_run(void **state)
{
    struct flow *flow = mapped();
    struct history *h = begin(&flow);

    (void)state;
    end(h, "list", PLAN_FAILED, SPAN_MS)->cause =
        mem_dup("exit code 1: \"C:\\\" is\nno place");
    expect_run(
        h, GRAPH_DOT, 0,
        "digraph \"mapped\" {\n"
        "    node [shape=box, style=\"rounded,filled\", "
        "fillcolor=\"#f4f4f4\", color=\"#8c8c8c\", "
        "fontname=\"sans-serif\"];\n"
        "    edge [color=\"#8c8c8c\", fontname=\"sans-serif\"];\n"
        "    \"list\" [label=\"list\\nfailed 1 ms\", fillcolor=\"#fbe4d6\", "
        "color=\"#d55e00\", tooltip=\"exit code 1: \\\"C:\\\\\\\" is no "
        "place\"];\n"
        "    \"pack\" [label=\"pack [each file, level]\\nwaiting\", "
        "peripheries=2, fillcolor=\"#f4f4f4\", color=\"#8c8c8c\"];\n"
        "    \"send\" [label=\"send [each packed]\\nwaiting\", "
        "peripheries=2, fillcolor=\"#f4f4f4\", color=\"#8c8c8c\"];\n"
        "    \"list\" -> \"pack\";\n"
        "    \"pack\" -> \"send\" [style=dashed, label=\"each\"];\n"
        "}\n");
}

static void
mermaid_has_every_task_and_line(void **state)
{
    (void)state;
    expect(branches(), GRAPH_MERMAID, 0,
           "flowchart TD\n"
           "    t0[\"size\"]\n"
           "    t1[\"full\"]\n"
           "    t2[\"quick\"]\n"
           "    t3[\"end<br>os = linux\"]\n"
           "    t4{\"first\"}\n"
           "    t0 -->|\"= large\"| t1\n"
           "    t0 -->|\"= a #quot;small#quot; #lt;one#gt;\"| t2\n"
           "    t1 --> t4\n"
           "    t2 --> t4\n"
           "    t4 --> t3\n");
}

static void
mermaid_colours_a_run(void **state)
{
    struct flow *flow = mapped();
    struct history *h = begin(&flow);

    (void)state;
    end(h, "list", PLAN_TRIGGER_FAILED, 0);
    expect_run(h, GRAPH_MERMAID, 0,
               "flowchart TD\n"
               "    t0[\"list<br>trigger-failed\"]:::trigger_failed\n"
               "    t1[[\"pack [each file, level]<br>waiting\"]]:::waiting\n"
               "    t2[[\"send [each packed]<br>waiting\"]]:::waiting\n"
               "    t0 --> t1\n"
               "    t1 -.->|each| t2\n"
               "    classDef waiting "
               "fill:#f4f4f4,stroke:#8c8c8c,color:#1c1c1c\n"
               "    classDef trigger_failed "
               "fill:#fbe4d6,stroke:#d55e00,color:#1c1c1c\n");
}

/* ---- SVG ---- */

/* One character of text, or a whole entity; NULL if it is no XML. */
static const char *
skip_text(const char *s)
{
    static const char *const entities[] = {"&amp;", "&lt;", "&gt;", "&quot;"};

    if (*s != '&')
        return (unsigned char)*s >= ' ' || *s == '\n' ? s + 1 : NULL;
    for (size_t i = 0; i < 4; i++) {
        if (strncmp(s, entities[i], strlen(entities[i])) == 0)
            return s + strlen(entities[i]);
    }
    return NULL;
}

/* To the end of a tag, over attributes that are quoted well. */
static const char *
skip_tag(const char *s)
{
    bool quoted = false;

    for (; s && *s && (quoted || *s != '>'); s = skip_text(s)) {
        if (*s == '<')
            return NULL;
        quoted = quoted != (*s == '"');
    }
    return s && *s ? s : NULL;
}

/* Tags nest, text is escaped: enough for what there is in our files. */
static bool
is_well_formed(const char *svg)
{
    const char *open[16];
    int depth = 0;

    for (const char *s = svg; s && *s;) {
        const char *tag = s + 1;

        if (*s != '<') {
            s = skip_text(s);
            if (!s)
                return false;
            continue;
        }
        s = skip_tag(tag);
        if (!s)
            return false;
        if (*tag == '/') {
            size_t n = (size_t)(s - tag - 1);

            if (depth == 0 || strncmp(open[--depth], tag + 1, n) != 0)
                return false;
        } else if (s[-1] != '/') {
            if (depth == 16)
                return false;
            open[depth++] = tag;
        }
        s++;
    }
    return depth == 0;
}

static void
svg_is_well_formed_whatever_the_text(void **state)
{
    static const char *const nasty[] = {"</text><script>alert(1)</script>",
                                        "a & b",
                                        "\"quoted'",
                                        "]]>",
                                        "\033[31m\x01\x7f",
                                        "\xff\xfe",
                                        "\xef\xbf\xbf",
                                        "世界 Zoë"};
    struct flow *flow = mapped();
    struct history *h = begin(&flow);
    char *svg;

    (void)state;
    end(h, "list", PLAN_FAILED, SPAN_MS)->cause = mem_dup(nasty[0]);
    for (int i = 0; i < 8; i++)
        end_child(h, "pack", nasty[i], PLAN_FAILED)->cause = mem_dup(nasty[i]);
    svg = draw(h->flow, h, GRAPH_SVG, 0);
    assert_true(is_well_formed(svg));
    assert_int_equal(utf8_valid(svg, strlen(svg)), strlen(svg));
    assert_null(strstr(svg, "<script"));
    assert_null(strstr(svg, "\xef\xbf\xbf"));
    assert_non_null(strstr(svg, "&lt;/text&gt;"));
    assert_non_null(strstr(svg, "世界 Zoë"));
    free(svg);
    history_destroy(&h);
}

static void
svg_shows_states_counts_and_the_longest_chain(void **state)
{
    struct flow *flow = mapped();
    struct history *h = NULL;
    char *svg;

    (void)state;
    (void)flow_add_param(flow, "stop");
    h = begin(&flow);
    h->info.params = json_pack("{s:s}", "stop", "<5>");
    end(h, "list", PLAN_SUCCEEDED, SPAN_SECOND)->value = json_integer(42);
    for (uint32_t i = 0; i <= LIMIT_DRAWN_CHILDREN; i++)
        end_child(h, "pack", NULL, i > 0 ? PLAN_SUCCEEDED : PLAN_FAILED);
    end_child(h, "send", "one", PLAN_TIMED_OUT);
    svg = draw(h->flow, h, GRAPH_SVG, 0);
    assert_true(is_well_formed(svg));
    assert_non_null(strstr(svg, "<title>mapped</title>"));
    assert_non_null(strstr(svg, "prefers-color-scheme: dark"));
    assert_non_null(strstr(svg, "run 7 succeeded 3 s"));
    assert_non_null(strstr(svg, "longest chain 1.04 s"));
    assert_non_null(strstr(svg, "stop = &quot;&lt;5&gt;&quot;"));
    assert_non_null(strstr(svg, "<title>list\nsucceeded 1 s\n42</title>"));
    assert_non_null(
        strstr(svg, ">37 children: 36 succeeded, 1 failed, 20 ms</text>"));
    assert_non_null(strstr(svg, "class=\"bar\""));
    assert_non_null(strstr(svg, "<title>one\ntimed-out 20 ms</title>"));
    assert_non_null(strstr(svg, "× one</text>"));
    assert_non_null(strstr(svg, "class=\"line each long\""));
    free(svg);
    history_destroy(&h);
}

static void
svg_before_a_run_has_no_states(void **state)
{
    struct flow *flow = branches();
    char *svg = draw(flow, NULL, GRAPH_SVG, 0);

    (void)state;
    assert_true(is_well_formed(svg));
    assert_non_null(strstr(svg, "= a &quot;small&quot; &lt;one&gt;</text>"));
    assert_non_null(strstr(svg, ">first</text>"));
    assert_non_null(strstr(svg, ">os = linux</text>"));
    assert_null(strstr(svg, "waiting</"));
    assert_null(strstr(svg, "end$1</text>"));
    free(svg);
    flow_destroy(&flow);
}

/* ---- bounds ---- */

/* Tasks that need up to three of those before them. */
static struct flow *
random_flow(uint32_t ntask, uint64_t seed)
{
    struct flow *flow = flow_new("random");

    for (uint32_t i = 0; i < ntask; i++) {
        char *name = mem_printf("t%u", i);
        struct flow_task *task = add(flow, name, "");

        task->needs = mem_alloc(3, sizeof *task->needs);
        for (int k = 0; i > 0 && k < 3; k++) {
            seed = seed * UINT64_C(6364136223846793005) + 1;
            if (seed >> 63)
                task->needs[task->nneeds++] = (uint32_t)(seed >> 33) % i;
        }
        free(name);
    }
    return flow;
}

static void
any_flow_can_be_drawn(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= 100; seed++) {
        uint32_t ntask = 1 + seed % LIMIT_DRAWN_BOXES;
        struct flow *flow = random_flow(ntask, seed);
        char *text = draw(flow, NULL, GRAPH_TEXT, 10000);
        char *svg = draw(flow, NULL, GRAPH_SVG, 0);

        for (uint32_t i = 0; i < ntask; i++) {
            char *box = mem_printf("│ t%u │", i);

            assert_non_null(strstr(text, box));
            free(box);
        }
        assert_true(is_well_formed(svg));
        free(text);
        free(svg);
        flow_destroy(&flow);
    }
}

static void
nothing_is_a_picture_too(void **state)
{
    (void)state;
    expect(flow_new("empty"), GRAPH_TEXT, 80, "");
    expect(flow_new("empty"), GRAPH_MERMAID, 80, "flowchart TD\n");
    for (int i = 0; i < GRAPH_FORMAT_COUNT; i++) {
        struct flow *flow = flow_new("empty");

        free(draw(flow, NULL, (enum graph_format)i, 80));
        flow_destroy(&flow);
    }
}

static void
too_many_tasks_are_for_other_programs(void **state)
{
    static const char text[] =
        "2001 tasks are too many to draw (at most 2000): "
        "graph --format dot gives them to Graphviz";
    struct flow *flow = flow_new("huge");
    struct buf out = {0};

    (void)state;
    for (uint32_t i = 0; i <= LIMIT_DRAWN_TASKS; i++) {
        char *name = mem_printf("t%u", i);

        flow_add_task(flow, name);
        free(name);
    }
    for (int i = 0; i < GRAPH_FORMAT_COUNT; i++) {
        struct graph_options options = {.format = (enum graph_format)i};
        struct err err = {0};
        int rc = graph_draw(flow, NULL, &options, &out, &err);

        if (i == GRAPH_DOT || i == GRAPH_MERMAID) {
            assert_int_equal(rc, 0);
            continue;
        }
        assert_int_equal(rc, -1);
        assert_int_equal(err.code, ERR_LIMIT);
        assert_string_equal(err.msg, text);
    }
    buf_release(&out);
    flow_destroy(&flow);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dot_has_every_task_and_line),
        cmocka_unit_test(dot_colours_a_run),
        cmocka_unit_test(mermaid_has_every_task_and_line),
        cmocka_unit_test(mermaid_colours_a_run),
        cmocka_unit_test(svg_is_well_formed_whatever_the_text),
        cmocka_unit_test(svg_shows_states_counts_and_the_longest_chain),
        cmocka_unit_test(svg_before_a_run_has_no_states),
        cmocka_unit_test(any_flow_can_be_drawn),
        cmocka_unit_test(nothing_is_a_picture_too),
        cmocka_unit_test(too_many_tasks_are_for_other_programs),
    };

    return cmocka_run_group_tests_name("graph", tests, NULL, NULL);
}
