/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "exec/output.h"
#include "proto/limits.h"

#define PIECE (1u << 20)
#define TAIL  ((size_t)LIMIT_OUTPUT_TAIL)

/* What was passed on: how much, and the last of it. */
struct sink {
    uint64_t n;
    struct buf last; /* of the last two calls */
    size_t cut;
};

static void
receive(void *ctx, const char *data, size_t n)
{
    struct sink *sink = ctx;
    struct buf two = {0};

    if (sink->last.len > sink->cut)
        buf_add(&two, sink->last.data + sink->cut, sink->last.len - sink->cut);
    sink->cut = two.len;
    buf_add(&two, data, n);
    buf_release(&sink->last);
    sink->last = two;
    sink->n += n;
}

/* Add n bytes of one letter, in pieces. */
static void
fill(struct output *out, char letter, uint64_t n)
{
    char *piece = mem_alloc(PIECE, 1);

    memset(piece, letter, PIECE);
    while (n > 0) {
        size_t now = n < PIECE ? (size_t)n : PIECE;

        assert_true(output_add(out, piece, now));
        n -= now;
    }
    free(piece);
}

static void
all_is_passed_on_while_it_is_short(void **state)
{
    struct sink sink = {0};
    struct output out = {.fn = receive, .ctx = &sink};

    (void)state;
    assert_true(output_add(&out, "hello ", 6));
    assert_true(output_add(&out, "world\n", 6));
    assert_int_equal(sink.n, 12);
    assert_int_equal(output_end(&out), 0);
    assert_int_equal(sink.n, 12);
    assert_string_equal(buf_str(&out.held), "hello world\n");
    assert_int_equal(out.total, 12);
    output_release(&out);
    buf_release(&sink.last);
}

static void
only_the_last_bytes_are_held(void **state)
{
    struct output out = {0};

    (void)state;
    fill(&out, 'a', 10 * TAIL);
    fill(&out, 'b', TAIL - 1);
    assert_in_range(out.held.cap, TAIL, 4 * PIECE);
    assert_int_equal(output_end(&out), 0);
    assert_int_equal(out.held.len, TAIL);
    assert_int_equal(out.held.data[0], 'a');
    assert_int_equal(out.held.data[1], 'b');
    assert_int_equal(out.held.data[TAIL - 1], 'b');
    output_release(&out);
}

static void
a_value_is_held_whole(void **state)
{
    struct output out = {.keep = 3 * TAIL};

    (void)state;
    fill(&out, 'a', 3 * TAIL);
    assert_int_equal(output_end(&out), 0);
    assert_int_equal(out.held.len, 3 * TAIL);
    output_release(&out);
}

static void
a_value_that_is_too_large_is_told_once(void **state)
{
    struct output out = {.keep = 3 * TAIL};

    (void)state;
    fill(&out, 'a', 3 * TAIL);
    assert_false(output_add(&out, "b", 1));
    assert_true(output_add(&out, "c", 1));
    assert_int_equal(output_end(&out), 0);
    assert_int_equal(out.held.len, TAIL);
    assert_string_equal(out.held.data + TAIL - 3, "abc");
    assert_int_equal(out.total, 3 * TAIL + 2);
    output_release(&out);
}

static void
exactly_the_limit_leaves_nothing_out(void **state)
{
    struct sink sink = {0};
    struct output out = {.fn = receive, .ctx = &sink};

    (void)state;
    fill(&out, 'a', LIMIT_OUTPUT_BYTES);
    assert_int_equal(output_end(&out), 0);
    assert_int_equal(sink.n, LIMIT_OUTPUT_BYTES);
    output_release(&out);
    buf_release(&sink.last);
}

static void
a_little_more_comes_at_the_end(void **state)
{
    struct sink sink = {0};
    struct output out = {.fn = receive, .ctx = &sink};

    (void)state;
    fill(&out, 'a', LIMIT_OUTPUT_BYTES);
    fill(&out, 'b', TAIL);
    assert_int_equal(sink.n, LIMIT_OUTPUT_BYTES);
    assert_int_equal(output_end(&out), 0);
    assert_int_equal(sink.n, LIMIT_OUTPUT_BYTES + TAIL);
    output_release(&out);
    buf_release(&sink.last);
}

static void
what_is_left_out_is_said(void **state)
{
    static const char line[] = "\n[leat: 1000 bytes left out]\n";
    struct sink sink = {0};
    struct output out = {.fn = receive, .ctx = &sink};

    (void)state;
    fill(&out, 'a', LIMIT_OUTPUT_BYTES);
    fill(&out, 'b', 1000);
    fill(&out, 'c', TAIL);
    assert_int_equal(output_end(&out), 1000);
    assert_int_equal(sink.n, LIMIT_OUTPUT_BYTES + sizeof line - 1 + TAIL);
    assert_memory_equal(sink.last.data, line, sizeof line - 1);
    assert_int_equal(sink.last.data[sizeof line - 1], 'c');
    assert_int_equal(out.total, LIMIT_OUTPUT_BYTES + 1000 + TAIL);
    output_release(&out);
    buf_release(&sink.last);
}

static void
the_line_is_a_line_of_its_own(void **state)
{
    static const char line[] = "[leat: 1 bytes left out]\n";
    struct sink sink = {0};
    struct output out = {.fn = receive, .ctx = &sink};

    (void)state;
    fill(&out, 'a', LIMIT_OUTPUT_BYTES - 1);
    assert_true(output_add(&out, "\nb", 2));
    fill(&out, 'c', TAIL);
    assert_int_equal(output_end(&out), 1);
    assert_memory_equal(sink.last.data, line, sizeof line - 1);
    output_release(&out);
    buf_release(&sink.last);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_is_passed_on_while_it_is_short),
        cmocka_unit_test(only_the_last_bytes_are_held),
        cmocka_unit_test(a_value_is_held_whole),
        cmocka_unit_test(a_value_that_is_too_large_is_told_once),
        cmocka_unit_test(exactly_the_limit_leaves_nothing_out),
        cmocka_unit_test(a_little_more_comes_at_the_end),
        cmocka_unit_test(what_is_left_out_is_said),
        cmocka_unit_test(the_line_is_a_line_of_its_own),
    };

    return cmocka_run_group_tests_name("output", tests, NULL, NULL);
}
