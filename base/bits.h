/* SPDX-License-Identifier: MPL-2.0 */
/*
 * bits - a set of small numbers that always knows its least.
 *
 * Levels of 64-bit words, each bit of a level telling whether a word of the
 * level below has any: add, remove and least are a few steps at any size, and
 * a set of a million costs 127 KiB.
 */
#ifndef BASE_BITS_H
#define BASE_BITS_H

#include <stdbool.h>
#include <stdint.h>

#define BITS_NONE   UINT32_MAX
#define BITS_LEVELS 6

struct bits {
    uint64_t *level[BITS_LEVELS]; /* level[0]: a bit a number */
    uint32_t size;                /* numbers are 0..size-1 */
    int nlevel;
};

/* An empty set of numbers below size, or (full) one that has them all. */
void bits_init(struct bits *self, uint32_t size, bool full);
void bits_release(struct bits *self);

void bits_add(struct bits *self, uint32_t i);
void bits_remove(struct bits *self, uint32_t i);
bool bits_has(const struct bits *self, uint32_t i);

/* The least number in the set, or BITS_NONE. */
uint32_t bits_least(const struct bits *self);

/* The least of those from `from` on (which may be past the end), or BITS_NONE.
 */
uint32_t bits_next(const struct bits *self, uint32_t from);

#endif
