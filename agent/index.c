/* SPDX-License-Identifier: MPL-2.0 */
#include "agent/index.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define LEAST 64u

struct agent_index_slot {
    uint64_t key;
    uint32_t number; /* + 1; 0: empty */
};

void
agent_index_release(struct agent_index *self)
{
    free(self->slots);
    *self = (struct agent_index){0};
}

void
agent_index_clear(struct agent_index *self)
{
    if (self->n > 0)
        memset(self->slots, 0, self->nslot * sizeof *self->slots);
    self->n = 0;
}

uint64_t
agent_index_mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/* Where the key is, or the empty place where it would be. */
static uint32_t
seek(const struct agent_index *self, uint64_t key)
{
    uint32_t mask = self->nslot - 1;
    uint32_t i = (uint32_t)key & mask;

    while (self->slots[i].number != 0 && self->slots[i].key != key)
        i = (i + 1) & mask;
    return i;
}

static void
enlarge(struct agent_index *self)
{
    struct agent_index_slot *old = self->slots;
    uint32_t nold = self->nslot;

    self->nslot = nold > 0 ? nold * 2 : LEAST;
    self->slots = mem_alloc(self->nslot, sizeof *self->slots);
    for (uint32_t i = 0; i < nold; i++) {
        if (old[i].number != 0)
            self->slots[seek(self, old[i].key)] = old[i];
    }
    free(old);
}

uint32_t
agent_index_add(struct agent_index *self, uint64_t key, uint32_t number)
{
    uint32_t i;

    if ((self->n + 1) * 2 > self->nslot)
        enlarge(self);
    i = seek(self, key);
    if (self->slots[i].number != 0)
        return self->slots[i].number - 1;
    self->slots[i] = (struct agent_index_slot){key, number + 1};
    self->n++;
    return AGENT_INDEX_NONE;
}

uint32_t
agent_index_find(const struct agent_index *self, uint64_t key)
{
    if (self->n == 0)
        return AGENT_INDEX_NONE;
    return self->slots[seek(self, key)].number - 1;
}

/* What stands behind a gap moves up, so that there are no graves. */
static void
close_gap(struct agent_index *self, uint32_t gap)
{
    uint32_t mask = self->nslot - 1;

    for (uint32_t i = (gap + 1) & mask; self->slots[i].number != 0;
         i = (i + 1) & mask) {
        uint32_t home = (uint32_t)self->slots[i].key & mask;

        if (((i - home) & mask) < ((i - gap) & mask))
            continue;
        self->slots[gap] = self->slots[i];
        gap = i;
    }
    self->slots[gap] = (struct agent_index_slot){0};
}

void
agent_index_remove(struct agent_index *self, uint64_t key, uint32_t number)
{
    uint32_t i;

    if (self->n == 0)
        return;
    i = seek(self, key);
    if (self->slots[i].number != number + 1)
        return;
    close_gap(self, i);
    self->n--;
}
