/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/lines.h"

/* Shows each line as "task.stream:text;". */
static void
show(void *ctx, const struct lines_source *source, int64_t when,
     const char *text, size_t n)
{
    (void)when;
    buf_printf(ctx, "%u.%d:", source->id.task, source->stream);
    buf_add(ctx, text, n);
    buf_char(ctx, ';');
}

static void
add(struct lines *lines, uint32_t task, int stream, const char *text)
{
    struct lines_source source = {{task, PLAN_WHOLE}, 1, stream};

    lines_add(lines, &source, 0, text, strlen(text));
}

static void
pieces_become_whole_lines(void **state)
{
    struct buf out = {0};
    struct lines lines = {.fn = show, .ctx = &out};

    (void)state;
    add(&lines, 0, 1, "a\nb");
    assert_string_equal(buf_str(&out), "0.1:a;");
    add(&lines, 0, 1, "c");
    add(&lines, 0, 1, "\n\nd\n");
    assert_string_equal(buf_str(&out), "0.1:a;0.1:bc;0.1:;0.1:d;");
    assert_int_equal(lines.nopen, 0);
    buf_release(&out);
}

static void
what_is_unfinished_is_completed_at_the_end(void **state)
{
    struct buf out = {0};
    struct lines lines = {.fn = show, .ctx = &out};

    (void)state;
    add(&lines, 0, 1, "x");
    add(&lines, 1, 1, "y");
    lines_end(&lines, &(struct plan_id){1, PLAN_WHOLE});
    assert_string_equal(buf_str(&out), "1.1:y;");
    lines_end(&lines, NULL);
    lines_end(&lines, NULL);
    assert_string_equal(buf_str(&out), "1.1:y;0.1:x;");
    buf_release(&out);
}

static void
lines_of_several_writers_are_not_mixed(void **state)
{
    struct buf out = {0};
    struct lines lines = {.fn = show, .ctx = &out};

    (void)state;
    add(&lines, 0, 1, "o");
    add(&lines, 0, 2, "e");
    add(&lines, 1, 1, "t");
    add(&lines, 0, 2, "E\n");
    add(&lines, 0, 1, "O\n");
    add(&lines, 1, 1, "T\n");
    assert_string_equal(buf_str(&out), "0.2:eE;0.1:oO;1.1:tT;");
    buf_release(&out);
}

static void
a_carriage_return_at_the_end_goes(void **state)
{
    struct buf out = {0};
    struct lines lines = {.fn = show, .ctx = &out};

    (void)state;
    add(&lines, 0, 1, "a\r\nb\rc\r\n");
    assert_string_equal(buf_str(&out), "0.1:a;0.1:b\rc;");
    buf_release(&out);
}

static void
many_unfinished_lines_are_bounded(void **state)
{
    struct buf out = {0};
    struct lines lines = {.fn = show, .ctx = &out};

    (void)state;
    for (uint32_t task = 0; task < LINES_OPEN + 1; task++)
        add(&lines, task, 1, "x");
    assert_string_equal(buf_str(&out), "0.1:x;");
    assert_int_equal(lines.nopen, LINES_OPEN);
    lines_release(&lines);
    assert_int_equal(lines.nopen, 0);
    buf_release(&out);
}

static void
a_line_without_end_is_cut(void **state)
{
    struct buf out = {0}, piece = {0};
    struct lines lines = {.fn = show, .ctx = &out};

    (void)state;
    for (size_t i = 0; i < LINES_BYTES / 4; i++)
        buf_char(&piece, 'x');
    for (int i = 0; i < 4; i++)
        add(&lines, 0, 1, buf_str(&piece));
    assert_int_equal(out.len, LINES_BYTES + strlen("0.1:;"));
    assert_int_equal(lines.nopen, 0);
    buf_release(&piece);
    buf_release(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_become_whole_lines),
        cmocka_unit_test(what_is_unfinished_is_completed_at_the_end),
        cmocka_unit_test(lines_of_several_writers_are_not_mixed),
        cmocka_unit_test(a_carriage_return_at_the_end_goes),
        cmocka_unit_test(many_unfinished_lines_are_bounded),
        cmocka_unit_test(a_line_without_end_is_cut),
    };

    return cmocka_run_group_tests_name("lines", tests, NULL, NULL);
}
