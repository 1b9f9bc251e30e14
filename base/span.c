/* SPDX-License-Identifier: MPL-2.0 */
#include "base/span.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "proto/limits.h"

#define MINUTE (60 * SPAN_SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

static int64_t
read_clock(clockid_t id)
{
    struct timespec ts;

    (void)clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * SPAN_SECOND + ts.tv_nsec / 1000;
}

int64_t
span_mono(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t
span_wall(void)
{
    return read_clock(CLOCK_REALTIME);
}

static const struct {
    const char *name;
    int64_t size;
} units[] = {
    {"us", 1},       {"ms", SPAN_MS}, {"s", SPAN_SECOND}, {"m", MINUTE},
    {"min", MINUTE}, {"h", HOUR},     {"d", DAY},         {"w", 7 * DAY},
};

/* The unit whose name is the n letters at s; none at all means seconds. */
static int64_t
unit_size(const char *s, size_t n)
{
    if (n == 0)
        return SPAN_SECOND;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strlen(units[i].name) == n && memcmp(units[i].name, s, n) == 0)
            return units[i].size;
    }
    return 0;
}

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Digits, maybe a point and more digits; moves *s behind them. */
static int
parse_number(const char **s, double *ret)
{
    double number = 0, place = 1;

    if (!is_digit(**s))
        return -1;
    while (is_digit(**s))
        number = number * 10 + (*(*s)++ - '0');
    if (**s == '.') {
        if (!is_digit(*++*s))
            return -1;
        while (is_digit(**s))
            number += (*(*s)++ - '0') * (place /= 10);
    }
    *ret = number;
    return 0;
}

int
span_parse(const char *text, int64_t *ret)
{
    const char *s = text;
    double total = 0;

    do {
        const char *before = s;
        double number;
        size_t n;
        int64_t unit;

        if (parse_number(&s, &number) < 0)
            return -1;
        s += strspn(s, " ");
        n = strspn(s, "abcdefghijklmnopqrstuvwxyz");
        unit = unit_size(s, n);
        if (unit == 0 || (n == 0 && (s[n] != '\0' || before > text)))
            return -1;
        total += number * (double)unit;
        s += n;
        s += strspn(s, " ");
    } while (*s);
    if (total > (double)LIMIT_SPAN_US)
        return -1;
    *ret = (int64_t)(total + 0.5);
    return 0;
}

static const char *
two_parts(char text[SPAN_TEXT], int64_t span, int64_t unit, const char *names)
{
    static const int64_t below[] = {
        ['d'] = HOUR, ['h'] = MINUTE, ['m'] = SPAN_SECOND};
    int64_t small = below[(unsigned char)names[0]];

    (void)snprintf(text, SPAN_TEXT, "%lld %c %lld %c", (long long)(span / unit),
                   names[0], (long long)(span % unit / small), names[1]);
    return text;
}

/* To three digits, so that 999.9 ms are a second and not a thousand ms. */
static int64_t
round_off(int64_t span)
{
    int64_t step = 1;

    while (span / step >= 1000)
        step *= 10;
    return (span + step / 2) / step * step;
}

const char *
span_format(int64_t span, char text[SPAN_TEXT])
{
    if (span < MINUTE)
        span = round_off(span);
    if (span < SPAN_MS)
        (void)snprintf(text, SPAN_TEXT, "%lld us", (long long)span);
    else if (span < SPAN_SECOND)
        (void)snprintf(text, SPAN_TEXT, "%.3g ms", (double)span / 1e3);
    else if (span < MINUTE)
        (void)snprintf(text, SPAN_TEXT, "%.3g s", (double)span / 1e6);
    else if (span < HOUR)
        return two_parts(text, span, MINUTE, "ms");
    else if (span < DAY)
        return two_parts(text, span, HOUR, "hm");
    else
        return two_parts(text, span, DAY, "dh");
    return text;
}

int64_t
span_follow(int64_t mean, int64_t length, int64_t weight)
{
    int64_t ns = (length < 0 ? 0 : length < DAY ? length : DAY) * 1000;
    int64_t most = mean + weight * (mean + 1000);

    if (mean > 0)
        ns = mean + ((ns < most ? ns : most) - mean) / weight;
    return ns > 0 ? ns : 1;
}

const char *
span_moment(int64_t wall, char text[SPAN_TEXT])
{
    time_t seconds = (time_t)(wall / SPAN_SECOND);
    struct tm tm;

    if (!localtime_r(&seconds, &tm) ||
        strftime(text, SPAN_TEXT, "%Y-%m-%d %H:%M:%S", &tm) == 0)
        text[0] = '\0';
    return text;
}
