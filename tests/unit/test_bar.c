/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/span.h"
#include "base/utf8.h"
#include "cli/bar.h"

static const struct bar half = {.done = 12,
                                .total = 24,
                                .elapsed = 80 * SPAN_SECOND,
                                .running = "train[8,3]"};

static void
shows(const struct bar *bar, unsigned width, const char *line)
{
    struct buf out = {0};

    bar_put(bar, width, &out);
    assert_string_equal(buf_str(&out), line);
    buf_release(&out);
}

static void
a_wide_terminal_has_room_for_all(void **state)
{
    (void)state;
    shows(&half, 100,
          "12/24 [#########----------]  1 m 20 s, about 1 m 20 s "
          "left  train[8,3]");
}

static void
a_narrow_one_shows_what_matters_most(void **state)
{
    (void)state;
    shows(&half, 39, "12/24 [####-----]  train[8,3]");
    shows(&half, 20, "12/24 train[8,3]");
}

static void
no_line_is_wider_than_the_terminal(void **state)
{
    struct bar bar = half;

    (void)state;
    bar.running = "ein_sehr_langer_Aufgabenname_ohne_jedes_Ende[\u00fc\u00fc]";
    bar.failed = 3;
    for (unsigned width = 10; width < 210; width++) {
        struct buf out = {0};

        bar_put(&bar, width, &out);
        assert_in_range(utf8_width(buf_str(&out), out.len), 1, width);
        buf_release(&out);
    }
}

static void
the_time_left_follows_from_what_is_done(void **state)
{
    struct bar bar = half;

    (void)state;
    assert_int_equal(bar_left(&bar), 80 * SPAN_SECOND);
    /* Only two of the twelve were done in this time, the others before. */
    bar.kept = 10;
    assert_int_equal(bar_left(&bar), 480 * SPAN_SECOND);
    bar.kept = 12;
    assert_int_equal(bar_left(&bar), -1);
    bar.kept = 0;
    bar.done = 0;
    assert_int_equal(bar_left(&bar), -1);
    bar = half;
    bar.elapsed = SPAN_SECOND / 2;
    assert_int_equal(bar_left(&bar), -1);
    bar = half;
    bar.done = 24;
    assert_int_equal(bar_left(&bar), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wide_terminal_has_room_for_all),
        cmocka_unit_test(a_narrow_one_shows_what_matters_most),
        cmocka_unit_test(no_line_is_wider_than_the_terminal),
        cmocka_unit_test(the_time_left_follows_from_what_is_done),
    };

    return cmocka_run_group_tests_name("bar", tests, NULL, NULL);
}
