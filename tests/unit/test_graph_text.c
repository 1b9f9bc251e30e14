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
#include "proto/limits.h"
#include "tests/support/drawn.h"

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
    };

    return cmocka_run_group_tests_name("graph_text", tests, NULL, NULL);
}
