/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/utf8.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define TEXT(s)  (s), sizeof(s) - 1

/* Of one number, whether it is a character or not. */
static size_t
encode(uint32_t c, char s[4])
{
    static const uint32_t first[] = {0, 0x00, 0xc0, 0xe0, 0xf0};
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

    for (size_t i = n; i-- > 1; c >>= 6)
        s[i] = (char)(0x80 | (c & 0x3f));
    s[0] = (char)(first[n] | c);
    return n;
}

static void
accepts_every_scalar_value_and_nothing_else(void **state)
{
    (void)state;
    for (uint32_t c = 1; c < 0x120000; c++) {
        bool good = c < 0xd800 || (c > 0xdfff && c <= 0x10ffff);
        char s[4];
        size_t n = encode(c, s);

        if (utf8_valid(s, n) != (good ? n : 0))
            fail_msg("U+%04X", c);
        if (n > 1)
            assert_int_equal(utf8_valid(s, n - 1), 0);
    }
}

static void
says_how_far_it_is_valid(void **state)
{
    static const struct {
        const char *text;
        size_t n, valid;
    } rows[] = {
        {TEXT(""), 0},
        {TEXT("plain\t\n\x1b\x7f"), 9},
        {TEXT("caf\xc3\xa9"), 5},
        {TEXT("a\0b"), 1},                 /* NUL */
        {TEXT("ab\x80"), 2},               /* nothing to continue */
        {TEXT("ab\xc3"), 2},               /* cut short */
        {TEXT("ab\xe2\x82"), 2},           /* cut short */
        {TEXT("ab\xf0\x9f\x98"), 2},       /* cut short */
        {TEXT("ab\xc3z"), 2},              /* not continued */
        {TEXT("\xc0\x80"), 0},             /* overlong NUL */
        {TEXT("\xc1\xbf"), 0},             /* overlong DEL */
        {TEXT("\xe0\x80\xaf"), 0},         /* overlong slash */
        {TEXT("\xe0\x9f\xbf"), 0},         /* overlong U+07FF */
        {TEXT("\xf0\x80\x80\xaf"), 0},     /* overlong slash */
        {TEXT("\xf0\x8f\xbf\xbf"), 0},     /* overlong U+FFFF */
        {TEXT("\xed\xa0\x80"), 0},         /* surrogate U+D800 */
        {TEXT("\xed\xbf\xbf"), 0},         /* surrogate U+DFFF */
        {TEXT("\xed\x9f\xbf"), 3},         /* U+D7FF */
        {TEXT("\xee\x80\x80"), 3},         /* U+E000 */
        {TEXT("\xf4\x8f\xbf\xbf"), 4},     /* U+10FFFF */
        {TEXT("\xf4\x90\x80\x80"), 0},     /* U+110000 */
        {TEXT("\xf8\x88\x80\x80\x80"), 0}, /* five bytes */
        {TEXT("\xfe\xff"), 0},             /* UTF-16 */
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        size_t valid = utf8_valid(rows[i].text, rows[i].n);

        if (valid != rows[i].valid)
            fail_msg("row %zu: %zu, not %zu", i, valid, rows[i].valid);
    }
}

static void
nothing_escapes_to_the_terminal(void **state)
{
    static const struct {
        const char *text;
        size_t n;
        const char *shown;
    } rows[] = {
        {TEXT(""), ""},
        {TEXT("plain ~"), "plain ~"},
        {TEXT("a\tb"), "a\tb"},
        {TEXT("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"),
         "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"},
        {TEXT("a\nb\r"), "a\\x0ab\\x0d"},
        {TEXT("\x1b[31mred"), "\\x1b[31mred"},
        {TEXT("a\0b"), "a\\x00b"},
        {TEXT("\b\x7f"), "\\x08\\x7f"},
        {TEXT("\xc2\x9bm"), "\\xc2\\x9bm"},                 /* C1: CSI */
        {TEXT("\xc2\x80\xc2\x9f"), "\\xc2\\x80\\xc2\\x9f"}, /* C1: ends */
        {TEXT("\xc2\xa0"), "\xc2\xa0"},                     /* no-break space */
        {TEXT("\x9bm"), "\\x9bm"},                          /* a bare byte */
        {TEXT("\xe2\x80\xa8"), "\\xe2\\x80\\xa8"},          /* line separator */
        {TEXT("\xe2\x80\xae"), "\\xe2\\x80\\xae"}, /* NOLINT: leftwards */
        {TEXT("\xe2\x81\xa6"), "\\xe2\\x81\\xa6"}, /* NOLINT: isolate */
        {TEXT("\xe2\x80\x8e"), "\\xe2\\x80\\x8e"}, /* LRM */
        {TEXT("\xd8\x9c"), "\\xd8\\x9c"},          /* ALM */
        {TEXT("\xe2\x80\x8d"), "\xe2\x80\x8d"},    /* joins emoji */
        {TEXT("\xc3("), "\\xc3("},
        {TEXT("\xed\xa0\x80"), "\\xed\\xa0\\x80"},
        {TEXT("end\xe2\x82"), "end\\xe2\\x82"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf out = {0};

        utf8_escape(&out, rows[i].text, rows[i].n);
        assert_string_equal(buf_str(&out), rows[i].shown);
        assert_int_equal(utf8_valid(buf_str(&out), out.len), out.len);
        buf_release(&out);
    }
}

static void
columns_are_those_of_a_terminal(void **state)
{
    static const struct {
        const char *text;
        size_t n, width;
    } rows[] = {
        {TEXT(""), 0},
        {TEXT("plain"), 5},
        {TEXT("caf\xc3\xa9"), 4},
        {TEXT("cafe\xcc\x81"), 4},              /* combining acute */
        {TEXT("\xe6\x97\xa5\xe6\x9c\xac"), 4},  /* CJK */
        {TEXT("\xed\x95\x9c"), 2},              /* Hangul */
        {TEXT("\xe1\x84\x92\xe1\x85\xa1"), 2},  /* Hangul in parts */
        {TEXT("\xef\xbc\xa1"), 2},              /* full width */
        {TEXT("\xe3\x80\xbf"), 1},              /* half fill space */
        {TEXT("\xf0\x9f\x98\x80"), 2},          /* emoji */
        {TEXT("\xe2\x9c\x85 \xe2\x9d\x8c"), 5}, /* marks that tools print */
        {TEXT("\xe2\x94\x80\xe2\x96\x88"), 2},  /* box, block */
        {TEXT("a\xe2\x80\x8bz"), 2},            /* zero width space */
        {TEXT("\xf0\xa0\x80\x80"), 2},          /* CJK extension */
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        size_t width = utf8_width(rows[i].text, rows[i].n);

        if (width != rows[i].width)
            fail_msg("row %zu: %zu, not %zu", i, width, rows[i].width);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_every_scalar_value_and_nothing_else),
        cmocka_unit_test(says_how_far_it_is_valid),
        cmocka_unit_test(nothing_escapes_to_the_terminal),
        cmocka_unit_test(columns_are_those_of_a_terminal),
    };

    return cmocka_run_group_tests_name("utf8", tests, NULL, NULL);
}
