/* SPDX-License-Identifier: MPL-2.0 */
/*
 * buf - bytes that grow.
 *
 * A struct buf of zeroes is an empty buffer. What it holds is always followed
 * by a NUL that is not counted, so text can be used as a string.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define BUF_NUMBER 20 /* bytes that a 64-bit number has at most */

struct buf {
    char *data; /* NULL while nothing was ever added */
    size_t len;
    size_t cap;
};

void buf_release(struct buf *self);

/* Empty it and keep the memory. */
void buf_clear(struct buf *self);

/* For buf_reserve: more memory. */
void buf_grow(struct buf *self, size_t n);

/* Room for n more bytes at the returned place; count them in with buf_added. */
static inline char *
buf_reserve(struct buf *self, size_t n)
{
    if (!self->data || self->cap - self->len <= n)
        buf_grow(self, n);
    return self->data + self->len;
}

static inline void
buf_added(struct buf *self, size_t n)
{
    assert(n < self->cap - self->len);
    self->len += n;
    self->data[self->len] = '\0';
}

void buf_add(struct buf *self, const void *data, size_t n);

static inline void
buf_char(struct buf *self, char c)
{
    *buf_reserve(self, 1) = c;
    buf_added(self, 1);
}

void buf_text(struct buf *self, const char *text);
void buf_number(struct buf *self, int64_t number);
void buf_printf(struct buf *self, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Write a number at a place with room for BUF_NUMBER; returns its end. */
char *buf_put_number(char *at, int64_t number);

/* The content as a string, never NULL; valid until the next change. */
const char *buf_str(const struct buf *self);

/* Give the content away as a heap string and start anew. */
char *buf_take(struct buf *self);

#endif
