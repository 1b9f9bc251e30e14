/* SPDX-License-Identifier: MPL-2.0 */
#include "base/utf8.h"

#include <stdbool.h>
#include <stdint.h>

/* Length of the character at s, and which one it is; 0 if it is none. */
static size_t
decode(const unsigned char *s, size_t n, uint32_t *ret)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    uint32_t c = s[0];
    size_t len = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

    if (c < 0x80) {
        *ret = c;
        return 1;
    }
    if (c < 0xc2 || c > 0xf4 || len > n)
        return 0;
    c &= 0xffu >> (len + 1);
    for (size_t i = 1; i < len; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (s[i] & 0x3fu);
    }
    if (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        return 0;
    *ret = c;
    return len;
}

size_t
utf8_valid(const char *text, size_t n)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t at = 0;

    while (at < n) {
        uint32_t c;
        size_t len = decode(s + at, n - at, &c);

        if (len == 0 || c == 0)
            break;
        at += len;
    }
    return at;
}

static bool
is_control(uint32_t c)
{
    return (c < 0x20 && c != '\t') || (c >= 0x7f && c < 0xa0) ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

void
utf8_escape(struct buf *out, const char *text, size_t n)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t at = 0;

    while (at < n) {
        uint32_t c = 0;
        size_t len = decode(s + at, n - at, &c);

        if (len > 0 && !is_control(c)) {
            buf_add(out, text + at, len);
            at += len;
            continue;
        }
        for (size_t end = at + (len > 0 ? len : 1); at < end; at++)
            buf_printf(out, "\\x%02x", s[at]);
    }
}

/* Wide in East Asian text, and most emoji. */
static bool
is_wide(uint32_t c)
{
    return (c >= 0x1100 && c <= 0x115f) || (c >= 0x2e80 && c <= 0xa4cf) ||
           (c >= 0xac00 && c <= 0xd7a3) || (c >= 0xf900 && c <= 0xfaff) ||
           (c >= 0xfe30 && c <= 0xfe6f) || (c >= 0xff00 && c <= 0xff60) ||
           (c >= 0xffe0 && c <= 0xffe6) || (c >= 0x1f300 && c <= 0x1faff) ||
           (c >= 0x20000 && c <= 0x3fffd);
}

static bool
is_combining(uint32_t c)
{
    return (c >= 0x300 && c <= 0x36f) || (c >= 0x200b && c <= 0x200f) ||
           (c >= 0xfe00 && c <= 0xfe0f) || (c >= 0x20d0 && c <= 0x20ff);
}

size_t
utf8_width(const char *text, size_t n)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t width = 0;
    size_t at = 0;

    while (at < n) {
        uint32_t c = 0;
        size_t len = decode(s + at, n - at, &c);

        if (!is_combining(c))
            width += is_wide(c) ? 2 : 1;
        at += len > 0 ? len : 1;
    }
    return width;
}
