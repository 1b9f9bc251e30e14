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

struct range {
    uint32_t first, last;
};

#define IN(ranges, c) in_ranges((ranges), sizeof(ranges) / sizeof *(ranges), c)

static bool
in_ranges(const struct range *ranges, size_t n, uint32_t c)
{
    for (size_t i = 0; i < n; i++) {
        if (c >= ranges[i].first && c <= ranges[i].last)
            return true;
    }
    return false;
}

/* C0 but for the tab, C1, and what turns lines and directions around. */
static const struct range control[] = {
    {0, 0x08},        {0x0a, 0x1f},     {0x7f, 0x9f},     {0x61c, 0x61c},
    {0x200e, 0x200f}, {0x2028, 0x202e}, {0x2066, 0x2069},
};

void
utf8_escape(struct buf *out, const char *text, size_t n)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t at = 0;

    while (at < n) {
        uint32_t c = 0;
        size_t len = decode(s + at, n - at, &c);

        if (len > 0 && !IN(control, c)) {
            buf_add(out, text + at, len);
            at += len;
            continue;
        }
        for (size_t end = at + (len > 0 ? len : 1); at < end; at++)
            buf_printf(out, "\\x%02x", s[at]);
    }
}

/* Wide in East Asian text, and most emoji. */
static const struct range wide[] = {
    {0x1100, 0x115f}, {0x231a, 0x231b}, {0x23e9, 0x23ec},   {0x2614, 0x2615},
    {0x26a1, 0x26a1}, {0x2705, 0x2705}, {0x2728, 0x2728},   {0x274c, 0x274c},
    {0x2753, 0x2755}, {0x2757, 0x2757}, {0x2b50, 0x2b50},   {0x2e80, 0x303e},
    {0x3041, 0xa4cf}, {0xac00, 0xd7a3}, {0xf900, 0xfaff},   {0xfe30, 0xfe6f},
    {0xff01, 0xff60}, {0xffe0, 0xffe6}, {0x1f300, 0x1faff}, {0x20000, 0x3fffd},
};

static const struct range combining[] = {
    {0x300, 0x36f},   {0x1160, 0x11ff}, {0x200b, 0x200f},
    {0x20d0, 0x20ff}, {0xfe00, 0xfe0f},
};

size_t
utf8_width(const char *text, size_t n)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t width = 0;
    size_t at = 0;

    while (at < n) {
        uint32_t c = 0;
        size_t len = decode(s + at, n - at, &c);

        if (c < combining[0].first)
            width++;
        else if (!IN(combining, c))
            width += IN(wide, c) ? 2 : 1;
        at += len > 0 ? len : 1;
    }
    return width;
}
