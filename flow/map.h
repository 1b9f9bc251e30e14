/* SPDX-License-Identifier: MPL-2.0 */
/*
 * map - the children of a mapped task: what each is made for, what it gave.
 *
 * Children exist as numbers 0..n-1. What a child is made for is looked up in
 * the sources, one for each key of `each`; a range is never written out.
 */
#ifndef FLOW_MAP_H
#define FLOW_MAP_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "flow/flow.h"

enum map_kind {
    MAP_LIST,  /* items of a list */
    MAP_RANGE, /* from, from + 1, ... */
    MAP_TASK,  /* what the children of another mapped task gave */
};

struct map_source {
    enum map_kind kind;
    uint32_t task;   /* MAP_TASK, or the flattened task: its number */
    uint32_t count;  /* items */
    uint32_t stride; /* child k has item (k / stride) % count */
    json_t *list;    /* MAP_LIST; owned */
    int64_t from;    /* MAP_RANGE */
};

struct map {
    uint32_t n; /* children */
    uint32_t nsource;
    struct map_source *sources; /* in the order of the keys */
    uint32_t *owner;            /* flattened task: item -> its child; or NULL */
    json_t **values;            /* of each child; NULL is null; owned */
    uint32_t *attempts;         /* started so far */
    char **causes;              /* NULL until there is one */
    uint32_t *since;            /* see struct run_task; NULL unless resuming */
    /* The run's, which frees what is in it; NULL until there is one. */
    struct run_proposal **proposals;
    bool *stopping; /* in the list of run_stop; NULL: none is */
};

struct map *map_new(uint32_t nsource);
void map_destroy(struct map **self_p);

/*
 * All sources are set: find the number of children, strides and room. Fails
 * with ERR_INVALID if `zip` finds lengths that differ, with ERR_LIMIT past
 * LIMIT_CHILDREN. `each` has the names, for messages.
 */
int map_settle(struct map *self, const struct flow_each *each, bool zip,
               struct err *err);

/* What children of another map of the task gave and how often they started goes
 * over to those with the same numbers. */
void map_inherit(struct map *self, struct map *from);

/* Which item of a source child k is made for. */
uint32_t map_item(const struct map_source *source, uint32_t k);

/* Set the cause of a child (copied); NULL clears it. */
void map_set_cause(struct map *self, uint32_t child, const char *cause);

#endif
