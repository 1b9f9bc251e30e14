/* SPDX-License-Identifier: MPL-2.0 */
#include "lib/critical.h"

#include <stdlib.h>

#include "base/mem.h"

/* The longest chain that ends with a box. */
struct chain {
    int64_t took;  /* of the boxes before it */
    size_t before; /* the line it came over; SIZE_MAX: none */
};

static int64_t
whole(const struct picture *picture, const struct chain *chains, uint32_t box)
{
    return chains[box].took + picture->boxes[box].took;
}

/* Where the lines of each box begin: they are sorted. */
static size_t *
first_lines(const struct picture *picture)
{
    size_t *first = mem_alloc((size_t)picture->nbox + 1, sizeof *first);

    for (size_t i = 0; i < picture->nline; i++)
        first[picture->lines[i].from + 1]++;
    for (uint32_t i = 0; i < picture->nbox; i++)
        first[i + 1] += first[i];
    return first;
}

/* Layer by layer, so that a box is final before its lines are followed. */
static struct chain *
find_chains(const struct picture *picture, const struct layout *layout)
{
    struct chain *chains = mem_alloc(picture->nbox, sizeof *chains);
    size_t *first = first_lines(picture);

    for (uint32_t i = 0; i < picture->nbox; i++)
        chains[i].before = SIZE_MAX;
    for (uint32_t i = 0; i < layout->nitem; i++) {
        uint32_t box = layout->sorted[i];

        if (box >= picture->nbox)
            continue;
        for (size_t k = first[box]; k < first[box + 1]; k++) {
            struct chain *to = &chains[picture->lines[k].to];

            if (to->took < whole(picture, chains, box))
                *to = (struct chain){whole(picture, chains, box), k};
        }
    }
    free(first);
    return chains;
}

struct critical *
critical_find(const struct picture *picture, const struct layout *layout)
{
    struct critical *self = mem_alloc(1, sizeof *self);
    struct chain *chains = find_chains(picture, layout);
    uint32_t box = 0;
    size_t line;

    self->boxes = mem_alloc(picture->nbox, sizeof *self->boxes);
    self->lines = mem_alloc(picture->nline, sizeof *self->lines);
    for (uint32_t i = 0; i < picture->nbox; i++) {
        /* Of equals the first: what took no time adds nothing. */
        if (whole(picture, chains, i) > whole(picture, chains, box))
            box = i;
    }
    if (picture->nbox > 0 && chains[box].before != SIZE_MAX) {
        self->took = whole(picture, chains, box);
        self->boxes[box] = true;
        while ((line = chains[box].before) != SIZE_MAX) {
            self->lines[line] = true;
            box = picture->lines[line].from;
            self->boxes[box] = true;
        }
    }
    free(chains);
    return self;
}

void
critical_destroy(struct critical **self_p)
{
    struct critical *self = *self_p;

    if (!self)
        return;
    free(self->boxes);
    free(self->lines);
    free(self);
    *self_p = NULL;
}
