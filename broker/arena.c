/* SPDX-License-Identifier: MPL-2.0 */
#include "broker/arena.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define BLOCK ((size_t)16 << 10)

struct broker_block {
    struct broker_block *next;
    size_t used, size;
    char data[];
};

void
broker_arena_release(struct broker_arena *self)
{
    while (self->blocks) {
        struct broker_block *block = self->blocks;

        self->blocks = block->next;
        free(block);
    }
}

const char *
broker_arena_add(struct broker_arena *self, const void *data, size_t n)
{
    struct broker_block *block = self->blocks;
    char *at;

    if (!block || block->size - block->used < n) {
        size_t size = n > BLOCK ? n : BLOCK;

        block = mem_alloc(1, sizeof *block + size);
        block->next = self->blocks;
        block->size = size;
        self->blocks = block;
    }
    at = block->data + block->used;
    if (n > 0)
        memcpy(at, data, n);
    block->used += n;
    return at;
}
