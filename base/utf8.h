/* SPDX-License-Identifier: MPL-2.0 */
/*
 * utf8 - text from outside, made safe.
 */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stddef.h>

#include "base/buf.h"

/*
 * How many bytes at the start of text are valid UTF-8 (RFC 3629: no overlong
 * forms, no surrogates, nothing past U+10FFFF) without a NUL: n if all are.
 */
size_t utf8_valid(const char *text, size_t n);

/*
 * Add text for a terminal or a log line: control characters and bytes that
 * are not UTF-8 become \xNN, so that nothing from outside can move the
 * cursor, forge a line or change a colour. Tabs stay.
 */
void utf8_escape(struct buf *out, const char *text, size_t n);

/* Columns that n bytes of valid UTF-8 take on a terminal (wcwidth's idea). */
size_t utf8_width(const char *text, size_t n);

#endif
