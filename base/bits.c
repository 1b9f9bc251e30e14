/* SPDX-License-Identifier: MPL-2.0 */
#include "base/bits.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

static uint32_t
words(uint32_t n)
{
    return n / 64 + (n % 64 != 0);
}

static void
fill(uint64_t *level, uint32_t n)
{
    for (uint32_t i = 0; i < n / 64; i++)
        level[i] = UINT64_MAX;
    if (n % 64 != 0)
        level[n / 64] = (UINT64_C(1) << (n % 64)) - 1;
}

void
bits_init(struct bits *self, uint32_t size, bool full)
{
    uint32_t n = size;

    *self = (struct bits){.size = size};
    do {
        assert(self->nlevel < BITS_LEVELS);
        self->level[self->nlevel] = mem_alloc(words(n), sizeof(uint64_t));
        if (full)
            fill(self->level[self->nlevel], n);
        self->nlevel++;
        n = words(n);
    } while (n > 1);
}

void
bits_release(struct bits *self)
{
    for (int l = 0; l < self->nlevel; l++)
        free(self->level[l]);
    *self = (struct bits){0};
}

void
bits_add(struct bits *self, uint32_t i)
{
    assert(i < self->size);
    for (int l = 0; l < self->nlevel; l++) {
        uint64_t *word = &self->level[l][i / 64];
        bool known = *word != 0;

        *word |= UINT64_C(1) << (i % 64);
        if (known)
            return;
        i /= 64;
    }
}

void
bits_remove(struct bits *self, uint32_t i)
{
    assert(i < self->size);
    for (int l = 0; l < self->nlevel; l++) {
        uint64_t *word = &self->level[l][i / 64];

        *word &= ~(UINT64_C(1) << (i % 64));
        if (*word != 0)
            return;
        i /= 64;
    }
}

bool
bits_has(const struct bits *self, uint32_t i)
{
    assert(i < self->size);
    return (self->level[0][i / 64] >> (i % 64)) & 1;
}

uint32_t
bits_least(const struct bits *self)
{
    uint32_t i = 0;

    if (self->size == 0 || self->level[self->nlevel - 1][0] == 0)
        return BITS_NONE;
    for (int l = self->nlevel - 1; l >= 0; l--)
        i = i * 64 + (uint32_t)__builtin_ctzll(self->level[l][i]);
    return i;
}

/* The number below which a word of the level begins, followed down. */
static uint32_t
descend(const struct bits *self, int l, uint32_t i)
{
    while (l-- > 0)
        i = i * 64 + (uint32_t)__builtin_ctzll(self->level[l][i]);
    return i;
}

uint32_t
bits_next(const struct bits *self, uint32_t from)
{
    uint32_t i = from;
    uint32_t n = self->size;

    /* Up, until a word has something from there on; then down again. */
    for (int l = 0; l < self->nlevel && i < n; l++) {
        uint64_t word = self->level[l][i / 64] & UINT64_MAX << (i % 64);

        if (word != 0)
            return descend(self, l,
                           i / 64 * 64 + (uint32_t)__builtin_ctzll(word));
        i = i / 64 + 1;
        n = words(n);
    }
    return BITS_NONE;
}
