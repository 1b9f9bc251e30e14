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

void
buf_grow(struct buf *self, size_t n)
{
    self->data = mem_grow(self->data, &self->cap, self->len + n + 1, 1);
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
buf_text(struct buf *self, const char *text)
{
    buf_add(self, text, strlen(text));
}

/* Two digits at a time: half as many divisions. */
char *
buf_put_number(char *at, int64_t number)
{
    static const char pairs[] =
        "00010203040506070809101112131415161718192021222"
        "32425262728293031323334353637383940414243444546"
        "47484950515253545556575859606162636465666768697"
        "07172737475767778798081828384858687888990919293"
        "949596979899";
    uint64_t n = (uint64_t)number;
    char digits[BUF_NUMBER];
    size_t i = sizeof digits;

    if (number < 0) {
        *at++ = '-';
        n = 0 - n;
    }
    for (; n >= 10; n /= 100) {
        digits[--i] = pairs[2 * (n % 100) + 1];
        digits[--i] = pairs[2 * (n % 100)];
    }
    if (n > 0 || i == sizeof digits)
        digits[--i] = (char)('0' + n);
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
