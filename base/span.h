/* SPDX-License-Identifier: MPL-2.0 */
/*
 * span - lengths of time, and the two clocks.
 *
 * Inside, a length or a moment is an int64_t of microseconds. Deadlines use
 * the monotonic clock, which is passed in as `now`; the wall clock is only
 * for what people are shown and what the store keeps.
 */
#ifndef BASE_SPAN_H
#define BASE_SPAN_H

#include <stddef.h>
#include <stdint.h>

#define SPAN_MS     INT64_C(1000)
#define SPAN_SECOND INT64_C(1000000)
#define SPAN_NEVER  INT64_MAX
#define SPAN_TEXT   48 /* room for any formatted span or moment */

int64_t span_mono(void); /* microseconds since some fixed moment */
int64_t span_wall(void); /* microseconds since 1970, UTC */

/*
 * Read a length of time as systemd writes it: "90" and "90s" are seconds,
 * "1h 30m", "250ms", "2d"; only a number alone may lack its unit. 0, or -1 if
 * it is not one, is negative or is longer than a hundred years.
 */
int span_parse(const char *text, int64_t *ret);

/* "850 us", "1.24 s", "3 m 20 s", "2 d 3 h": as much as matters. */
const char *span_format(int64_t span, char text[SPAN_TEXT]);

/*
 * A mean that follows what is measured, in nanoseconds (0: nothing yet), with
 * one more length (microseconds), which counts one part in `weight`. It doubles
 * at most, and a microsecond more: what had to wait for its turn on a busy
 * machine says little of what comes after it. Longer than a day is a day.
 */
int64_t span_follow(int64_t mean, int64_t length, int64_t weight);

/* A wall-clock moment as local time: "2026-11-23 14:05:09". */
const char *span_moment(int64_t wall, char text[SPAN_TEXT]);

#endif
