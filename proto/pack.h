/* SPDX-License-Identifier: MPL-2.0 */
/*
 * pack - fields of protobuf messages, written as they come.
 *
 * For the two messages of which there are many: they are put together column by
 * column, without the structs and the second look at everything that a packer
 * of whole messages takes. A field that is 0 or empty is left out, as proto3
 * has it.
 */
#ifndef PROTO_PACK_H
#define PROTO_PACK_H

#include <stdint.h>
#include <string.h>

#include "base/buf.h"

#define PACK_NUMBER 10 /* bytes of the longest number */

enum pack_shape {
    PACK_VARINT = 0,
    PACK_64 = 1,
    PACK_LENGTH = 2,
};

static inline unsigned char *
pack_put(unsigned char *at, uint64_t n)
{
    while (n >= 0x80) {
        *at++ = (unsigned char)(n | 0x80);
        n >>= 7;
    }
    *at++ = (unsigned char)n;
    return at;
}

/* One element of a column. */
static inline void
pack_number(struct buf *out, uint64_t n)
{
    unsigned char *at = (unsigned char *)buf_reserve(out, PACK_NUMBER);

    buf_added(out, (size_t)(pack_put(at, n) - at));
}

static inline uint64_t
pack_zigzag(int64_t n)
{
    return (uint64_t)n << 1 ^ (n < 0 ? UINT64_MAX : 0);
}

static inline void
pack_tag(struct buf *out, unsigned field, enum pack_shape shape)
{
    pack_number(out, field << 3 | (unsigned)shape);
}

static inline void
pack_unsigned(struct buf *out, unsigned field, uint64_t n)
{
    if (n == 0)
        return;
    pack_tag(out, field, PACK_VARINT);
    pack_number(out, n);
}

static inline void
pack_signed(struct buf *out, unsigned field, int64_t n)
{
    pack_unsigned(out, field, pack_zigzag(n));
}

static inline void
pack_double(struct buf *out, unsigned field, double number)
{
    uint64_t bits;
    char *at;

    memcpy(&bits, &number, sizeof bits);
    if (bits == 0)
        return;
    pack_tag(out, field, PACK_64);
    at = buf_reserve(out, 8);
    for (unsigned i = 0; i < 8; i++)
        at[i] = (char)(bits >> 8 * i & 0xff);
    buf_added(out, 8);
}

/* Also if there is nothing in it: an element of a list, a message. */
static inline void
pack_element(struct buf *out, unsigned field, const void *data, size_t n)
{
    pack_tag(out, field, PACK_LENGTH);
    pack_number(out, n);
    buf_add(out, data, n);
}

static inline void
pack_bytes(struct buf *out, unsigned field, const void *data, size_t n)
{
    if (n > 0)
        pack_element(out, field, data, n);
}

/* NULL is "". */
static inline void
pack_text(struct buf *out, unsigned field, const char *text)
{
    if (text)
        pack_bytes(out, field, text, strlen(text));
}

/* A column, or a message that may be left out. */
static inline void
pack_buf(struct buf *out, unsigned field, const struct buf *column)
{
    pack_bytes(out, field, column->data, column->len);
}

#endif
