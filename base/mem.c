/* SPDX-License-Identifier: MPL-2.0 */
#include "base/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *
check(void *p)
{
    if (!p) {
        (void)fputs("out of memory\n", stderr);
        abort();
    }
    return p;
}

void *
mem_alloc(size_t n, size_t size)
{
    return check(calloc(n > 0 ? n : 1, size));
}

void *
mem_block(size_t size)
{
    return check(malloc(size > 0 ? size : 1));
}

void *
mem_grow(void *p, size_t *cap, size_t need, size_t size)
{
    size_t n = *cap;

    if (p && need <= n)
        return p;
    n = n < 8 ? 8 : n + n / 2;
    if (n < need)
        n = need;
    p = check(reallocarray(p, n, size));
    *cap = n;
    return p;
}

char *
mem_text(const char *s, size_t n)
{
    char *copy = check(malloc(n + 1));

    if (n > 0)
        memcpy(copy, s, n);
    copy[n] = '\0';
    return copy;
}

char *
mem_dup(const char *s)
{
    return s ? mem_text(s, strlen(s)) : NULL;
}

char *
mem_printf(const char *fmt, ...)
{
    char *s = NULL;
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vasprintf(&s, fmt, ap);
    va_end(ap);
    return check(n < 0 ? NULL : s);
}
