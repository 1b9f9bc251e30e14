/* SPDX-License-Identifier: MPL-2.0 */
#include "flow/map.h"

#include <stdlib.h>

#include "base/mem.h"
#include "proto/limits.h"

struct map *
map_new(uint32_t nsource)
{
    struct map *self = mem_alloc(1, sizeof *self);

    self->nsource = nsource;
    self->sources = mem_alloc(nsource, sizeof *self->sources);
    return self;
}

void
map_destroy(struct map **self_p)
{
    struct map *self = *self_p;

    if (!self)
        return;
    for (uint32_t i = 0; i < self->nsource; i++)
        json_decref(self->sources[i].list);
    for (uint32_t k = 0; self->values && k < self->n; k++)
        json_decref(self->values[k]);
    for (uint32_t k = 0; self->causes && k < self->n; k++)
        free(self->causes[k]);
    free(self->sources);
    free(self->owner);
    free(self->values);
    free(self->attempts);
    free(self->causes);
    free(self->since);
    free(self->proposals);
    free(self->stopping);
    free(self);
    *self_p = NULL;
}

static int
settle_zip(struct map *self, const struct flow_each *each, struct err *err)
{
    self->n = self->sources[0].count;
    for (uint32_t i = 0; i < self->nsource; i++) {
        if (self->sources[i].count != self->n)
            return err_set(err, ERR_INVALID,
                           "each: `%s` has %u items but `%s` has %u; zip "
                           "pairs lists of equal length",
                           each[0].name, self->n, each[i].name,
                           self->sources[i].count);
        self->sources[i].stride = 1;
    }
    return 0;
}

/* The first key is the slowest, as in nested loops. */
static int
settle_product(struct map *self, struct err *err)
{
    uint64_t n = 1;

    for (uint32_t i = self->nsource; i-- > 0;) {
        self->sources[i].stride = (uint32_t)n;
        n *= self->sources[i].count;
        if (n > LIMIT_CHILDREN)
            return err_set(err, ERR_LIMIT,
                           "each: more than %u children; map over fewer, or "
                           "let each child do several",
                           LIMIT_CHILDREN);
    }
    self->n = (uint32_t)n;
    return 0;
}

int
map_settle(struct map *self, const struct flow_each *each, bool zip,
           struct err *err)
{
    if (zip && self->nsource > 1) {
        if (settle_zip(self, each, err) < 0)
            return -1;
    } else if (settle_product(self, err) < 0) {
        return -1;
    }
    self->values = mem_alloc(self->n, sizeof(json_t *));
    self->attempts = mem_alloc(self->n, sizeof *self->attempts);
    return 0;
}

uint32_t
map_item(const struct map_source *source, uint32_t k)
{
    return k / source->stride % source->count;
}

void
map_set_cause(struct map *self, uint32_t child, const char *cause)
{
    if (!self->causes) {
        if (!cause)
            return;
        self->causes = mem_alloc(self->n, sizeof *self->causes);
    }
    free(self->causes[child]);
    self->causes[child] = mem_dup(cause);
}

void
map_inherit(struct map *self, struct map *from)
{
    for (uint32_t k = 0; k < self->n && k < from->n; k++) {
        json_decref(self->values[k]);
        self->values[k] = from->values[k];
        from->values[k] = NULL;
        self->attempts[k] = from->attempts[k];
        if (from->causes)
            map_set_cause(self, k, from->causes[k]);
    }
}
