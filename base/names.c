/* SPDX-License-Identifier: MPL-2.0 */
#include "base/names.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define NEAR_MAX 64 /* longer names get no suggestion */

struct names_slot {
    const char *name; /* borrowed; NULL: free */
    uint32_t hash;
    uint32_t number;
};

/*
 * FNV-1, which adds the last letter last: numbered names, t1, t2 and on, are
 * so neighbours in the table, and a million of them are found in the cache.
 */
static uint32_t
hash_name(const char *name)
{
    uint32_t h = 2166136261u;

    for (; *name; name++)
        h = h * 16777619u ^ (unsigned char)*name;
    return h;
}

static struct names_slot *
find_slot(const struct names *self, const char *name, uint32_t hash)
{
    size_t mask = self->nslot - 1;
    size_t i = hash & mask;

    while (self->slots[i].name && (self->slots[i].hash != hash ||
                                   strcmp(self->slots[i].name, name) != 0))
        i = (i + 1) & mask;
    return &self->slots[i];
}

static void
grow(struct names *self)
{
    struct names old = *self;

    self->nslot = old.nslot > 0 ? old.nslot * 2 : 16;
    self->slots = mem_alloc(self->nslot, sizeof *self->slots);
    for (size_t i = 0; i < old.nslot; i++) {
        const struct names_slot *s = &old.slots[i];

        if (s->name)
            *find_slot(self, s->name, s->hash) = *s;
    }
    free(old.slots);
}

void
names_release(struct names *self)
{
    free(self->slots);
    *self = (struct names){0};
}

uint32_t
names_add(struct names *self, const char *name, uint32_t number)
{
    uint32_t hash = hash_name(name);
    struct names_slot *slot;

    if (self->n * 2 >= self->nslot)
        grow(self);
    slot = find_slot(self, name, hash);
    if (slot->name)
        return slot->number;
    *slot = (struct names_slot){name, hash, number};
    self->n++;
    return NAMES_NONE;
}

/* Whoever was pushed on by the slot that became free moves up into it. */
static void
close_gap(struct names *self, size_t gap)
{
    size_t mask = self->nslot - 1;

    for (size_t i = (gap + 1) & mask; self->slots[i].name; i = (i + 1) & mask) {
        size_t home = self->slots[i].hash & mask;

        if (((i - home) & mask) < ((i - gap) & mask))
            continue;
        self->slots[gap] = self->slots[i];
        gap = i;
    }
    self->slots[gap].name = NULL;
}

void
names_remove(struct names *self, const char *name)
{
    struct names_slot *slot;

    if (self->n == 0)
        return;
    slot = find_slot(self, name, hash_name(name));
    if (!slot->name)
        return;
    close_gap(self, (size_t)(slot - self->slots));
    self->n--;
}

uint32_t
names_find(const struct names *self, const char *name)
{
    const struct names_slot *slot;

    if (self->n == 0)
        return NAMES_NONE;
    slot = find_slot(self, name, hash_name(name));
    return slot->name ? slot->number : NAMES_NONE;
}

static size_t
min3(size_t a, size_t b, size_t c)
{
    if (b < a)
        a = b;
    return c < a ? c : a;
}

/* Optimal string alignment: insert, delete, replace, swap neighbours. */
static size_t
distance(const char *a, size_t na, const char *b, size_t nb)
{
    size_t rows[3][NEAR_MAX + 1];
    size_t *before = rows[0], *above = rows[1], *row = rows[2];

    for (size_t j = 0; j <= nb; j++)
        above[j] = j;
    for (size_t i = 1; i <= na; i++) {
        size_t *spare = before;

        row[0] = i;
        for (size_t j = 1; j <= nb; j++) {
            size_t cost = a[i - 1] != b[j - 1];

            row[j] = min3(above[j] + 1, row[j - 1] + 1, above[j - 1] + cost);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
                a[i - 2] == b[j - 1] && before[j - 2] + 1 < row[j])
                row[j] = before[j - 2] + 1;
        }
        before = above;
        above = row;
        row = spare;
    }
    return above[nb];
}

const char *
names_near(const char *name, const char *const *candidates, size_t n)
{
    size_t len = strlen(name);
    size_t best = (len + 2) / 3;
    const char *found = NULL;

    if (len < 2 || len > NEAR_MAX)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        size_t other = strlen(candidates[i]);
        size_t d;

        if (other > NEAR_MAX)
            continue;
        d = distance(name, len, candidates[i], other);
        if (d < best || (d == best && !found)) {
            best = d;
            found = candidates[i];
        }
    }
    return found;
}
