/* SPDX-License-Identifier: MPL-2.0 */
#include "exec/environment.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

#define SET_USUALLY 16 /* variables on top of the surrounding ones */

size_t
environment_cost(size_t len)
{
    return len + 1 + sizeof(char *);
}

/* Room for n more. */
static void
reserve(struct environment *self, size_t n)
{
    self->list =
        mem_grow(self->list, &self->cap, self->n + n + 1, sizeof *self->list);
}

/* There is room. */
static void
append(struct environment *self, const char *pair)
{
    self->list[self->n++] = pair;
    self->list[self->n] = NULL;
    self->bytes += environment_cost(strlen(pair));
}

static bool
is_inherited(const char *pair)
{
    return *pair != 'L' ||
           (strncmp(pair, "LD_", 3) != 0 && strncmp(pair, "LEAT_", 5) != 0);
}

void
environment_inherit(struct environment *self, const char *const *base)
{
    size_t n = 0;

    while (base[n])
        n++;
    reserve(self, n + SET_USUALLY);
    self->list[0] = NULL;
    for (; *base; base++) {
        if (is_inherited(*base))
            append(self, *base);
    }
}

/* Takes the pair over; its name is the first n bytes. */
static void
put(struct environment *self, char *pair, size_t n)
{
    self->made = mem_grow(self->made, &self->made_cap, self->nmade + 1,
                          sizeof *self->made);
    self->made[self->nmade++] = pair;
    for (size_t i = 0; i < self->n; i++) {
        /* Each of some dozens, each time: most begin with another letter. */
        if (*self->list[i] != *pair || strncmp(self->list[i], pair, n + 1) != 0)
            continue;
        self->bytes -= strlen(self->list[i]);
        self->bytes += strlen(pair);
        self->list[i] = pair;
        return;
    }
    reserve(self, 1);
    append(self, pair);
}

void
environment_set(struct environment *self, const char *name, const char *value,
                size_t n)
{
    struct buf pair = {0};

    buf_text(&pair, name);
    buf_char(&pair, '=');
    buf_add(&pair, value, n);
    put(self, buf_take(&pair), strlen(name));
}

void
environment_put(struct environment *self, const char *pair)
{
    const char *equals = strchr(pair, '=');

    assert(equals);
    put(self, mem_dup(pair), (size_t)(equals - pair));
}

void
environment_release(struct environment *self)
{
    for (size_t i = 0; i < self->nmade; i++)
        free(self->made[i]);
    free(self->made);
    free(self->list);
    *self = (struct environment){0};
}
