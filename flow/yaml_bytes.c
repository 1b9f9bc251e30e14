/* SPDX-License-Identifier: MPL-2.0 */
#include "flow/yaml_bytes.h"

#include "base/mem.h"
#include "base/utf8.h"

/* ASCII that may stand in a flow file. */
static bool
is_text(unsigned char c)
{
    return c >= 0x20 ? c < 0x7f : c == '\n' || c == '\t' || c == '\r';
}

/*
 * YAML has no C1 controls, U+FEFF, U+FFFE and U+FFFF; and it takes U+0085,
 * U+2028 and U+2029 for line ends, which is not what people see.
 */
static bool
is_refused(const unsigned char *c, size_t n)
{
    if (n >= 2 && c[0] == 0xc2)
        return c[1] < 0xa0;
    if (n >= 3 && c[0] == 0xe2)
        return c[1] == 0x80 && (c[2] == 0xa8 || c[2] == 0xa9);
    if (n < 3 || c[0] != 0xef)
        return false;
    return (c[1] == 0xbb && c[2] == 0xbf) || (c[1] == 0xbf && c[2] >= 0xbe);
}

/* Of a run of bytes that are not ASCII the first bad one, or n. */
static size_t
find_bad_character(const char *text, size_t n)
{
    const unsigned char *c = (const unsigned char *)text;
    size_t valid = utf8_valid(text, n);

    for (size_t i = 0; i < valid; i++) {
        if (is_refused(c + i, valid - i))
            return i;
    }
    return valid;
}

/* The first byte that can't be in a flow file, or len. */
static size_t
find_bad_byte(const char *text, size_t len, bool *ascii)
{
    size_t at = 0;

    *ascii = true;
    while (at < len) {
        size_t from, good;

        while (at < len && is_text((unsigned char)text[at]))
            at++;
        from = at;
        while (at < len && (unsigned char)text[at] >= 0x80)
            at++;
        if (at == from)
            break;
        *ascii = false;
        good = find_bad_character(text + from, at - from);
        if (good < at - from)
            return from + good;
    }
    return at;
}

static struct flow_place
place_of(const char *text, size_t at)
{
    struct flow_place place = {1, 1, 1};

    for (size_t i = 0; i < at; i++) {
        place.col++;
        if (text[i] == '\n') {
            place.line++;
            place.col = 1;
        }
    }
    return place;
}

static void
refuse(const char *text, size_t len, size_t at, struct diags *diags)
{
    struct flow_place place = place_of(text, at);
    unsigned char c = (unsigned char)text[at];

    if (c == '\0')
        diags_add(diags, place, NULL,
                  "byte %zu of the file is a NUL: this is not a text file", at);
    else if (c < 0x80)
        diags_add(diags, place,
                  mem_dup("in a string with \"...\" write it as an escape: "
                          "\\e, \\x07"),
                  "byte %zu of the file is a control character, 0x%02x", at, c);
    else if (is_refused((const unsigned char *)text + at, len - at))
        diags_add(diags, place,
                  mem_dup("in a string with \"...\" write it as an escape: "
                          "\\u0085, \\u2028, \\ufeff"),
                  "byte %zu of the file begins a character that can't be in it",
                  at);
    else
        diags_add(diags, place, mem_dup("flow files are UTF-8"),
                  "byte %zu of the file, 0x%02x, is not UTF-8", at, c);
}

bool
yaml_check_bytes(const char *text, size_t len, bool *ascii, struct diags *diags)
{
    size_t at = find_bad_byte(text, len, ascii);

    if (at == len)
        return true;
    refuse(text, len, at, diags);
    return false;
}
