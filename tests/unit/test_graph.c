/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/span.h"
#include "base/utf8.h"
#include "lib/graph.h"
#include "proto/limits.h"

/* ---- flows and runs, made by hand ---- */

static struct flow_task *
find(struct flow *flow, const char *name)
{
    uint32_t number = flow_find_task(flow, name);

    assert_true(number < flow->ntask);
    return &flow->tasks[number];
}

/* A task that needs others, named with blanks between. */
static struct flow_task *
add(struct flow *flow, const char *name, const char *needs)
{
    uint32_t number = flow_add_task(flow, name);
    struct flow_task *task = &flow->tasks[number];
    char *words = mem_dup(needs), *rest = NULL;
    size_t cap = 0;

    for (char *s = strtok_r(words, " ", &rest); s;
         s = strtok_r(NULL, " ", &rest)) {
        task->needs =
            mem_grow(task->needs, &cap, task->nneeds + 1, sizeof *task->needs);
        task->needs[task->nneeds++] = flow_find_task(flow, s);
    }
    free(words);
    return task;
}

static void
add_merge(struct flow *flow, const char *name, const char *branches)
{
    struct flow_task *task = add(flow, name, branches);

    task->kind = FLOW_MERGE;
    task->hidden = true;
}

/* Map a task over what another gives. */
static void
map(struct flow *flow, const char *name, const char *key, const char *over)
{
    struct flow_task *task = find(flow, name);
    struct flow_each *each = mem_alloc(task->neach + 1, sizeof *each);

    if (task->neach > 0)
        memcpy(each, task->each, task->neach * sizeof *each);
    free(task->each);
    each[task->neach].name = mem_dup(key);
    each[task->neach].values =
        tmpl_ref(REF_TASK, flow_find_task(flow, over), over);
    task->each = each;
    task->neach++;
    task->mapped = true;
}

static void
only(struct flow *flow, const char *name, struct tmpl *of, const char *is)
{
    struct flow_task *task = find(flow, name);

    task->ncase = 1;
    task->cases = mem_alloc(1, sizeof *task->cases);
    task->cases[0].of = of;
    task->cases[0].is = json_string(is);
}

static void
only_if_task(struct flow *flow, const char *name, const char *of,
             const char *is)
{
    only(flow, name, tmpl_ref(REF_TASK, flow_find_task(flow, of), of), is);
}

static struct flow *
three_numbers(void)
{
    struct flow *flow = flow_new("parallel-execution");

    add(flow, "number_1", "");
    add(flow, "number_2", "");
    add(flow, "number_3", "");
    add(flow, "sum", "number_1 number_2 number_3");
    return flow;
}

/* A branch on a condition, merged again. */
static struct flow *
branches(void)
{
    struct flow *flow = flow_new("branches");

    add(flow, "size", "");
    add(flow, "full", "");
    only_if_task(flow, "full", "size", "large");
    add(flow, "quick", "");
    only_if_task(flow, "quick", "size", "a \"small\" <one>");
    add(flow, "end", "");
    add_merge(flow, "end$1", "full quick");
    only(flow, "end", tmpl_ref(REF_PARAM, 0, "os"), "linux");
    find(flow, "end")->needs = mem_alloc(1, sizeof(uint32_t));
    find(flow, "end")->needs[0] = flow_find_task(flow, "end$1");
    find(flow, "end")->nneeds = 1;
    return flow;
}

/* Child to child. */
static struct flow *
mapped(void)
{
    struct flow *flow = flow_new("mapped");

    add(flow, "list", "");
    add(flow, "pack", "");
    map(flow, "pack", "file", "list");
    map(flow, "pack", "level", "list");
    add(flow, "send", "");
    map(flow, "send", "packed", "pack");
    return flow;
}

static struct history *
begin(struct flow **flow_p)
{
    struct history *h = mem_alloc(1, sizeof *h);

    h->flow = *flow_p;
    *flow_p = NULL;
    h->tasks = mem_alloc(h->flow->ntask, sizeof *h->tasks);
    h->info.id = 7;
    h->info.state = STORE_SUCCEEDED;
    h->info.started = 1;
    h->info.ended = 1 + 3 * SPAN_SECOND;
    return h;
}

static struct history_item *
end(struct history *h, const char *name, enum plan_state state, int64_t took)
{
    struct history_item *item = &h->tasks[flow_find_task(h->flow, name)].item;

    *item = (struct history_item){.state = state,
                                  .attempt = 1,
                                  .code = -1,
                                  .started = 1,
                                  .ended = took + 1};
    return item;
}

static struct history_item *
end_child(struct history *h, const char *name, const char *key,
          enum plan_state state)
{
    struct history_task *task = &h->tasks[flow_find_task(h->flow, name)];
    struct history_item *child;

    task->children =
        realloc(task->children, (task->nchild + 1) * sizeof *task->children);
    assert_non_null(task->children);
    child = &task->children[task->nchild++];
    *child = (struct history_item){.state = state,
                                   .attempt = 1,
                                   .code = -1,
                                   .key = mem_dup(key),
                                   .started = 1,
                                   .ended = 1 + 20 * SPAN_MS};
    task->item.state = PLAN_MAPPED;
    task->count[state]++;
    return child;
}

static char *
draw(const struct flow *flow, const struct history *history,
     enum graph_format format, unsigned width)
{
    struct graph_options options = {.format = format, .width = width};
    struct buf out = {0};
    struct err err = {0};

    assert_int_equal(graph_draw(flow, history, &options, &out, &err), 0);
    return buf_take(&out);
}

/* What a flow looks like, and that it is so twice; destroys it. */
static void
expect(struct flow *flow, enum graph_format format, unsigned width,
       const char *expected)
{
    char *text = draw(flow, NULL, format, width);
    char *again = draw(flow, NULL, format, width);

    assert_string_equal(text, expected);
    assert_string_equal(again, expected);
    free(text);
    free(again);
    flow_destroy(&flow);
}

static void
expect_run(struct history *history, enum graph_format format, unsigned width,
           const char *expected)
{
    char *text = draw(history->flow, history, format, width);

    assert_string_equal(text, expected);
    free(text);
    history_destroy(&history);
}

/* ---- text ---- */

static void
text_joins_lines_above_what_needs_them_all(void **state)
{
    (void)state;
    expect(three_numbers(), GRAPH_TEXT, 80,
           "┌──────────┐  ┌──────────┐  ┌──────────┐\n"
           "│ number_1 │  │ number_2 │  │ number_3 │\n"
           "└────┬─────┘  └────┬─────┘  └────┬─────┘\n"
           "     └─────────────┼─────────────┘\n"
           "                ┌──┴──┐\n"
           "                │ sum │\n"
           "                └─────┘\n");
}

static void
text_says_what_became_of_each_task(void **state)
{
    struct flow *flow = flow_new("three");
    struct history *h;

    (void)state;
    add(flow, "a", "");
    add(flow, "b", "");
    add(flow, "c", "a b");
    h = begin(&flow);
    end(h, "a", PLAN_SUCCEEDED, 3 * SPAN_MS);
    end(h, "b", PLAN_FAILED, 2 * SPAN_SECOND)->attempt = 3;
    end(h, "c", PLAN_TRIGGER_FAILED, 0);
    expect_run(h, GRAPH_TEXT, 80,
               "┌──────────────────┐  ┌──────────────────────────┐\n"
               "│ a                │  │ b                        │\n"
               "│ ✔ succeeded 3 ms │  │ ✘ failed 2 s, 3 attempts │\n"
               "└────────┬─────────┘  └────────────┬─────────────┘\n"
               "         └────────────┬────────────┘\n"
               "             ┌────────┴─────────┐\n"
               "             │ c                │\n"
               "             │ ✘ trigger-failed │\n"
               "             └──────────────────┘\n");
}

static void
text_shows_branches_and_where_they_meet(void **state)
{
    (void)state;
    expect(branches(), GRAPH_TEXT, 80,
           "               ┌──────┐\n"
           "               │ size │\n"
           "               └──┬───┘\n"
           "       ┌──────────┴───────────┐\n"
           "┌──────┴───────┐  ┌───────────┴────────────┐\n"
           "│ full         │  │ quick                  │\n"
           "│ size = large │  │ size = a \"small\" <one> │\n"
           "└──────┬───────┘  └───────────┬────────────┘\n"
           "       └──────────┬───────────┘\n"
           "               ◇ first\n"
           "                  │\n"
           "            ┌─────┴──────┐\n"
           "            │ end        │\n"
           "            │ os = linux │\n"
           "            └────────────┘\n");
}

static void
text_leads_long_lines_past_boxes(void **state)
{
    struct flow *flow = flow_new("shortcut");

    (void)state;
    add(flow, "prepare", "");
    add(flow, "fetch", "prepare");
    add(flow, "build", "fetch");
    add(flow, "clean-up", "prepare fetch build");
    expect(flow, GRAPH_TEXT, 80,
           "  ┌─────────┐\n"
           "  │ prepare │\n"
           "  └────┬────┘\n"
           "       ├─────┐\n"
           "┌──────┴┐    │\n"
           "│ fetch │    │\n"
           "└───┬───┘    │\n"
           "    ├────────┤\n"
           " ┌──┴────┐   │\n"
           " │ build │   │\n"
           " └───┬───┘   │\n"
           "     └───┬───┘\n"
           "    ┌────┴─────┐\n"
           "    │ clean-up │\n"
           "    └──────────┘\n");
}

static void
text_interrupts_a_line_that_another_crosses(void **state)
{
    struct flow *flow = flow_new("each two of three");

    (void)state;
    add(flow, "a", "");
    add(flow, "b", "");
    add(flow, "c", "");
    add(flow, "ab", "a b");
    add(flow, "ac", "a c");
    add(flow, "bc", "b c");
    expect(flow, GRAPH_TEXT, 80,
           " ┌───┐  ┌───┐  ┌───┐\n"
           " │ a │  │ b │  │ c │\n"
           " └─┬─┘  └─┬─┘  └─┬─┘\n"
           "   ├─────┐│┌─────┤\n"
           "  ┌│─────│┴│─────│┐\n"
           "┌─┴┴─┐  ┌┴─┴─┐  ┌┴┴──┐\n"
           "│ ab │  │ ac │  │ bc │\n"
           "└────┘  └────┘  └────┘\n");
}

static void
text_shows_few_children_one_by_one(void **state)
{
    struct flow *flow = mapped();
    struct history *h = NULL;

    (void)state;
    expect(mapped(), GRAPH_TEXT, 80,
           "          ┌──────┐\n"
           "          │ list │\n"
           "          └──┬───┘\n"
           "             │\n"
           "┌────────────┴────────────┐\n"
           "│ pack [each file, level] │\n"
           "└────────────┬────────────┘\n"
           "             │\n"
           "   ┌─────────┴──────────┐\n"
           "   │ send [each packed] │\n"
           "   └────────────────────┘\n");
    h = begin(&flow);
    end(h, "list", PLAN_SUCCEEDED, SPAN_MS);
    end_child(h, "pack", "a.txt", PLAN_SUCCEEDED);
    end_child(h, "pack", "日本語.txt", PLAN_FAILED);
    end_child(h, "pack", "\033[31mred\n", PLAN_SUCCEEDED);
    end_child(h, "pack", NULL, PLAN_RUNNING);
    end_child(h, "pack", "/usr/share/a/long/path.txt", PLAN_SUCCEEDED);
    for (int i = 0; i < 1234; i++)
        end_child(h, "send", NULL, PLAN_SUCCEEDED);
    expect_run(h, GRAPH_TEXT, 100,
               "                   ┌──────────────────┐\n"
               "                   │ list             │\n"
               "                   │ ✔ succeeded 1 ms │\n"
               "                   └────────┬─────────┘\n"
               "                            │\n"
               "┌───────────────────────────┴───────────────────────────┐\n"
               "│ pack [each file, level]                               │\n"
               "│ ▶ 5 children: 3 succeeded, 1 failed, 1 running, 20 ms │\n"
               "│ ✔ a.txt             ✘ 日本語.txt                      │\n"
               "│ ✔ \\x1b[31mred       ▶ #3                              │\n"
               "│ ✔ …a/long/path.txt                                    │\n"
               "└───────────────────────────┬───────────────────────────┘\n"
               "                            │\n"
               "        ┌───────────────────┴────────────────────┐\n"
               "        │ send [each packed]                     │\n"
               "        │ ✔ 1,234 children: all succeeded, 20 ms │\n"
               "        └────────────────────────────────────────┘\n");
}

static void
text_is_a_list_when_it_does_not_fit(void **state)
{
    struct flow *flow = branches();
    struct history *h;

    (void)state;
    add(flow, "report", "size full quick end");
    expect(flow, GRAPH_TEXT, 30,
           "size\n"
           "  full  <- size = large\n"
           "  quick  <- size = a \"small\" <one>\n"
           "    first  <- full, 1 more\n"
           "      end [os = linux]  <- first\n"
           "        report  <- size, 3 more\n");
    flow = branches();
    h = begin(&flow);
    end(h, "size", PLAN_SUCCEEDED, SPAN_MS);
    end(h, "full", PLAN_SKIPPED, 0);
    end(h, "quick", PLAN_TIMED_OUT, SPAN_SECOND);
    end(h, "end$1", PLAN_TRIGGER_FAILED, 0);
    expect_run(h, GRAPH_TEXT, 30,
               "✔ size  succeeded 1 ms\n"
               "  – full  skipped  <- size = large\n"
               "  ✘ quick  timed-out 1 s  <- size = a \"small\" <one>\n"
               "    ✘ first  trigger-failed  <- full, 1 more\n"
               "      · end [os = linux]  waiting  <- first\n");
}

static void
text_is_a_list_when_there_are_many(void **state)
{
    struct flow *flow = flow_new("many");
    char *text;

    (void)state;
    for (uint32_t i = 0; i <= LIMIT_DRAWN_BOXES; i++) {
        char *name = mem_printf("t%u", i), *before = mem_printf("t%u", i - 1);

        add(flow, name, i > 0 ? before : "");
        free(name);
        free(before);
    }
    text = draw(flow, NULL, GRAPH_TEXT, 80);
    assert_non_null(strstr(text, "t0\n  t1  <- t0\n    t2  <- t1\n"));
    free(text);
    flow_destroy(&flow);
}

static void
text_has_colours_only_if_asked_for(void **state)
{
    struct graph_options options = {.format = GRAPH_TEXT, .width = 80};
    struct flow *flow = three_numbers();
    struct history *h = begin(&flow);
    struct buf out = {0};
    struct err err;

    (void)state;
    end(h, "sum", PLAN_FAILED, 0);
    assert_int_equal(graph_draw(h->flow, h, &options, &out, &err), 0);
    assert_null(strchr(buf_str(&out), '\033'));
    options.colour = true;
    assert_int_equal(graph_draw(h->flow, h, &options, &out, &err), 0);
    assert_non_null(strstr(buf_str(&out), "│ \033[31m✘ failed\033[0m │"));
    options.width = 10;
    assert_int_equal(graph_draw(h->flow, h, &options, &out, &err), 0);
    assert_non_null(strstr(buf_str(&out), "\033[31m✘\033[0m sum"));
    buf_release(&out);
    history_destroy(&h);
}

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
        cmocka_unit_test(text_joins_lines_above_what_needs_them_all),
        cmocka_unit_test(text_says_what_became_of_each_task),
        cmocka_unit_test(text_shows_branches_and_where_they_meet),
        cmocka_unit_test(text_leads_long_lines_past_boxes),
        cmocka_unit_test(text_interrupts_a_line_that_another_crosses),
        cmocka_unit_test(text_shows_few_children_one_by_one),
        cmocka_unit_test(text_is_a_list_when_it_does_not_fit),
        cmocka_unit_test(text_is_a_list_when_there_are_many),
        cmocka_unit_test(text_has_colours_only_if_asked_for),
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
