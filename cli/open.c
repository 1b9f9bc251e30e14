/* SPDX-License-Identifier: MPL-2.0 */
#include "cli/open.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static size_t
bucket_of(struct plan_id id)
{
    return (id.task * UINT32_C(31) + id.child) % OPEN_BUCKETS;
}

struct open_one *
open_find(const struct open *self, struct plan_id id)
{
    struct open_one *one = self->buckets[bucket_of(id)];

    while (one && !plan_id_is(one->id, id))
        one = one->next;
    return one;
}

struct open_one *
open_get(struct open *self, struct plan_id id)
{
    struct open_one *one = open_find(self, id);

    if (one)
        return one;
    one = mem_alloc(1, sizeof *one);
    one->id = id;
    one->next = self->buckets[bucket_of(id)];
    self->buckets[bucket_of(id)] = one;
    self->n++;
    return one;
}

static void
destroy(struct open_one *one)
{
    while (one->ntail > 0)
        free(one->tail[--one->ntail]);
    free(one);
}

void
open_remove(struct open *self, struct plan_id id)
{
    struct open_one **at = &self->buckets[bucket_of(id)];

    while (*at) {
        struct open_one *one = *at;

        if (plan_id_is(one->id, id)) {
            *at = one->next;
            destroy(one);
            self->n--;
            return;
        }
        at = &one->next;
    }
}

const struct open_one *
open_any(const struct open *self)
{
    for (size_t i = 0; self->n > 0 && i < OPEN_BUCKETS; i++) {
        if (self->buckets[i])
            return self->buckets[i];
    }
    return NULL;
}

void
open_release(struct open *self)
{
    for (size_t i = 0; i < OPEN_BUCKETS; i++) {
        while (self->buckets[i]) {
            struct open_one *one = self->buckets[i];

            self->buckets[i] = one->next;
            destroy(one);
        }
    }
    self->n = 0;
}

void
open_line(struct open_one *self, char *line)
{
    if (self->ntail == OPEN_TAIL) {
        free(self->tail[0]);
        memmove(self->tail, self->tail + 1,
                (OPEN_TAIL - 1) * sizeof *self->tail);
        self->ntail--;
    }
    self->tail[self->ntail++] = line;
}
