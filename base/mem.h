/* SPDX-License-Identifier: MPL-2.0 */
/*
 * mem - allocation that cannot fail.
 *
 * Out of memory ends the process: the store is what makes a run safe to go on
 * with. What bounds memory is the limits on input, not checks on malloc.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

/* n zeroed elements of the given size; never NULL, also when n is 0. */
void *mem_alloc(size_t n, size_t size) __attribute__((malloc));

/* One of so many bytes, not zeroed: quicker, for what is set at once. */
void *mem_block(size_t size) __attribute__((malloc));

/*
 * Make room for at least `need` elements in an array that grows: returns p,
 * moved if it had to be, and updates *cap. New elements are not zeroed.
 */
void *mem_grow(void *p, size_t *cap, size_t need, size_t size);

/* A copy of the n bytes at s, with a NUL behind them. */
char *mem_text(const char *s, size_t n) __attribute__((malloc));

/* A copy of a string; NULL gives NULL. */
char *mem_dup(const char *s) __attribute__((malloc));

/* A formatted string of its own. */
char *mem_printf(const char *fmt, ...)
    __attribute__((malloc, format(printf, 1, 2)));

#endif
