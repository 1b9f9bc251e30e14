/* SPDX-License-Identifier: MPL-2.0 */
#include "base/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void
buf_release(struct buf *self)
{
    free(self->data);
    *self = (struct buf){0};
}

void
buf_clear(struct buf *self)
{
    self->len = 0;
    if (self->data)
        self->data[0] = '\0';
}

char *
buf_reserve(struct buf *self, size_t n)
{
    self->data = mem_grow(self->data, &self->cap, self->len + n + 1, 1);
    self->data[self->len] = '\0';
    return self->data + self->len;
}

void
buf_added(struct buf *self, size_t n)
{
    assert(self->len + n < self->cap);
    self->len += n;
    self->data[self->len] = '\0';
}

void
buf_add(struct buf *self, const void *data, size_t n)
{
    if (n == 0)
        return;
    memcpy(buf_reserve(self, n), data, n);
    buf_added(self, n);
}

void
buf_char(struct buf *self, char c)
{
    *buf_reserve(self, 1) = c;
    buf_added(self, 1);
}

void
buf_text(struct buf *self, const char *text)
{
    buf_add(self, text, strlen(text));
}

char *
buf_put_number(char *at, int64_t number)
{
    uint64_t n = (uint64_t)number;
    char digits[BUF_NUMBER];
    size_t i = sizeof digits;

    if (number < 0) {
        *at++ = '-';
        n = 0 - n;
    }
    do {
        digits[--i] = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    memcpy(at, digits + i, sizeof digits - i);
    return at + (sizeof digits - i);
}

void
buf_number(struct buf *self, int64_t number)
{
    char *at = buf_reserve(self, BUF_NUMBER);

    buf_added(self, (size_t)(buf_put_number(at, number) - at));
}

void
buf_printf(struct buf *self, const char *fmt, ...)
{
    char *at = buf_reserve(self, 128);
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(at, 129, fmt, ap);
    va_end(ap);
    assert(n >= 0);
    if (n > 128) {
        at = buf_reserve(self, (size_t)n);
        va_start(ap, fmt);
        (void)vsnprintf(at, (size_t)n + 1, fmt, ap);
        va_end(ap);
    }
    buf_added(self, (size_t)n);
}

const char *
buf_str(const struct buf *self)
{
    return self->data ? self->data : "";
}

char *
buf_take(struct buf *self)
{
    char *s = self->data ? self->data : mem_text("", 0);

    *self = (struct buf){0};
    return s;
}
