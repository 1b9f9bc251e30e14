/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/span.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define MINUTE   (60 * SPAN_SECOND)
#define HOUR     (60 * MINUTE)
#define DAY      (24 * HOUR)

static void
reads_what_systemd_writes(void **state)
{
    static const struct {
        const char *text;
        int64_t span;
    } rows[] = {
        {"0", 0},
        {"90", 90 * SPAN_SECOND},
        {"90s", 90 * SPAN_SECOND},
        {"90 s", 90 * SPAN_SECOND},
        {"90s ", 90 * SPAN_SECOND},
        {"7us", 7},
        {"250ms", 250 * SPAN_MS},
        {"1.5s", 1500 * SPAN_MS},
        {"0.1", 100 * SPAN_MS},
        {"0.0000004s", 0},
        {"0.0000005s", 1},
        {"2m", 2 * MINUTE},
        {"2min", 2 * MINUTE},
        {"1h 30m", 90 * MINUTE},
        {"1h30m", 90 * MINUTE},
        {"1 h 30 m 5 s", 90 * MINUTE + 5 * SPAN_SECOND},
        {"30m 1h", 90 * MINUTE},
        {"2d", 2 * DAY},
        {"1w", 7 * DAY},
        {"36525d", 36525 * DAY},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t span = -1;

        if (span_parse(rows[i].text, &span) != 0 || span != rows[i].span)
            fail_msg("%s: %lld", rows[i].text, (long long)span);
    }
}

static void
refuses_what_is_no_length_of_time(void **state)
{
    static const char *const rows[] = {
        "",
        " ",
        "s",
        " 5s",
        "-5s",
        "+5s",
        "5x",
        "5S",
        "5 sec",
        ".5s",
        "5.s",
        "1.2.3",
        "1,5s",
        "1h 30",
        "5 6",
        "1h-30m",
        "1e3",
        "0x10",
        "inf",
        "nan",
        "36526d",
        "5s\n",
        "5s;",
        "1h 30 m x",
        "5\xc2\xb5s",
        "99999999999999999999999999999999999999999999999999999999999999999w",
    };
    char digits[5001];

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t span = 7;

        if (span_parse(rows[i], &span) != -1 || span != 7)
            fail_msg("`%s` was read as %lld", rows[i], (long long)span);
    }
    memset(digits, '9', sizeof digits - 1);
    digits[sizeof digits - 1] = '\0';
    assert_int_equal(span_parse(digits, &(int64_t){0}), -1);
}

static void
shows_what_matters(void **state)
{
    static const struct {
        int64_t span;
        const char *text;
    } rows[] = {
        {0, "0 us"},
        {1, "1 us"},
        {850, "850 us"},
        {999, "999 us"},
        {1000, "1 ms"},
        {1004, "1 ms"},
        {1005, "1.01 ms"},
        {1240, "1.24 ms"},
        {99949, "99.9 ms"},
        {99950, "100 ms"},
        {999499, "999 ms"},
        {999500, "1 s"},
        {999999, "1 s"},
        {1000000, "1 s"},
        {1500000, "1.5 s"},
        {1235000, "1.24 s"},
        {10040000, "10 s"},
        {59940000, "59.9 s"},
        {59950000, "1 m 0 s"},
        {59999999, "1 m 0 s"},
        {MINUTE, "1 m 0 s"},
        {200 * SPAN_SECOND, "3 m 20 s"},
        {200 * SPAN_SECOND + 999999, "3 m 20 s"},
        {HOUR - 1, "59 m 59 s"},
        {HOUR, "1 h 0 m"},
        {DAY - 1, "23 h 59 m"},
        {DAY, "1 d 0 h"},
        {2 * DAY + 3 * HOUR + 59 * MINUTE, "2 d 3 h"},
        {SPAN_NEVER, "106751991 d 4 h"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char text[SPAN_TEXT];

        assert_ptr_equal(span_format(rows[i].span, text), text);
        if (strcmp(text, rows[i].text) != 0)
            fail_msg("%lld: %s, not %s", (long long)rows[i].span, text,
                     rows[i].text);
    }
}

/* What is shown can be typed, and is near to what it was. */
static void
what_is_shown_can_be_read(void **state)
{
    (void)state;
    for (int64_t span = 1; span < 36500 * DAY; span += span / 7 + 1) {
        char text[SPAN_TEXT];
        int64_t back;

        if (span_parse(span_format(span, text), &back) < 0)
            fail_msg("%lld: %s", (long long)span, text);
        if (llabs(back - span) > span / 20 + 1)
            fail_msg("%lld: %s is %lld", (long long)span, text,
                     (long long)back);
    }
}

static void
shows_moments_in_local_time(void **state)
{
    char text[SPAN_TEXT];

    (void)state;
    (void)setenv("TZ", "UTC", 1);
    tzset();
    assert_string_equal(span_moment(0, text), "1970-01-01 00:00:00");
    assert_string_equal(span_moment(1795615509 * SPAN_SECOND + 999999, text),
                        "2026-11-25 14:05:09");
    (void)setenv("TZ", "XXX-2", 1);
    tzset();
    assert_string_equal(span_moment(0, text), "1970-01-01 02:00:00");
    assert_string_equal(span_moment(SPAN_NEVER, text), "294247-01-10 06:00:54");
}

static void
clocks_do_not_go_back(void **state)
{
    int64_t mono = span_mono();

    (void)state;
    assert_true(span_mono() >= mono);
    assert_true(span_wall() > 1700000000 * SPAN_SECOND);
}

static void
means_follow(void **state)
{
    int64_t mean = 0;

    (void)state;
    mean = span_follow(mean, 5 * SPAN_MS, 8);
    assert_int_equal(mean, 5 * SPAN_MS * 1000); /* the first is believed */
    for (int i = 0; i < 200; i++)
        mean = span_follow(mean, i % 2, 8);
    assert_in_range(mean, 400, 600); /* fractions of a microsecond count */
    mean = span_follow(mean, 10 * SPAN_SECOND, 8);
    assert_in_range(mean, 1800, 2200); /* one that is long counts little, */
    for (int i = 0; i < 50; i++)
        mean = span_follow(mean, 10 * SPAN_SECOND, 8);
    assert_true(mean > 9 * SPAN_SECOND * 1000); /* several count */
    for (int i = 0; i < 400; i++)
        mean = span_follow(mean, 0, 8);
    assert_in_range(mean, 1, 10);
    mean = span_follow(0, INT64_MAX, 8);
    for (int i = 0; i < 9; i++)
        mean = span_follow(mean, INT64_MAX, 8);
    assert_int_equal(mean, 86400 * SPAN_SECOND * 1000);
    assert_int_equal(span_follow(0, -5, 1), 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_systemd_writes),
        cmocka_unit_test(refuses_what_is_no_length_of_time),
        cmocka_unit_test(shows_what_matters),
        cmocka_unit_test(what_is_shown_can_be_read),
        cmocka_unit_test(shows_moments_in_local_time),
        cmocka_unit_test(clocks_do_not_go_back),
        cmocka_unit_test(means_follow),
    };

    return cmocka_run_group_tests_name("span", tests, NULL, NULL);
}
