/* SPDX-License-Identifier: MPL-2.0 */
/*
 * plan_inner - what the sources of the plan share; nobody else includes it.
 */
#ifndef FLOW_PLAN_INNER_H
#define FLOW_PLAN_INNER_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bits.h"
#include "flow/plan.h"

/*
 * Edges grouped by one end: those of task t are edge[begin[t]..begin[t+1]-1],
 * ascending. Each is the task at the other end and the kind in two bits.
 */
struct edges {
    uint32_t *begin;
    uint32_t *edge;
};

static inline uint32_t
edge_task(uint32_t edge)
{
    return edge >> 2;
}

static inline enum plan_edge_kind
edge_kind(uint32_t edge)
{
    return (enum plan_edge_kind)(edge & 3);
}

/* What an instance's upstream states come to. */
struct tally {
    uint64_t nstate;
    uint64_t nsuccess; /* skipped ones too */
    uint64_t nskipped;
    bool has_upstream; /* true even if that is one map without children */
};

/* How children of one map see those of another: see struct plan_link. */
struct view {
    uint32_t from;
    uint32_t stride;
    uint32_t count;
    uint32_t *owner; /* or NULL */
};

/* The children of an expanded task. */
struct children {
    uint32_t nchild;
    uint32_t nopen; /* children that are not finished */
    uint32_t count[PLAN_STATE_COUNT];
    uint32_t nview;
    struct view *views;  /* by from */
    uint8_t *states;     /* enum plan_state */
    uint32_t *waits;     /* views that are not finished; NULL without views */
    struct tally shared; /* what all children see alike */
    struct bits ready;
};

static_assert(sizeof(struct children) <= 192, "a map is not large");

struct task {
    uint8_t state;   /* enum plan_state */
    uint8_t trigger; /* enum plan_trigger */
    bool mapped : 1;
    bool skip_on_skip : 1;
    bool has_child_edges : 1; /* among its edges out */
    uint32_t waits;           /* edges in that still hold it up */
    uint32_t slot;            /* place by class, then by order of starting */
    uint32_t max_parallel;
    struct children *children; /* NULL before it is expanded */
    double at_least;
    double at_most;
};

/* Beside it a task has two begins, an order, a bit, and its edges twice. */
static_assert(sizeof(struct task) <= 64, "a task is small");

/* A run of children (or a task itself) with the same decision proposed. */
struct proposal {
    uint32_t task;
    uint32_t child;
    uint32_t n;
    enum plan_decision decision;
};

struct plan {
    uint32_t ntask;
    uint32_t nopen; /* tasks that are not finished */
    bool cancelled;
    struct plan_id asked; /* decided, and not answered yet; or PLAN_NONE */
    uint32_t ndeferred;   /* decided, to be answered later */
    struct task *tasks;
    struct edges in;
    struct edges out;
    uint32_t *order; /* tasks by slot */
    uint32_t nclass;
    uint32_t *begin;  /* first slot of each class, and ntask; NULL: one class */
    uint32_t *places; /* by slot, in the order of starting; NULL: one class */
    struct bits ready; /* slots of tasks that, or a child of which, may start */
    struct proposal *proposals; /* a queue: head..tail-1 */
    size_t head, tail, cap;
    uint64_t count[PLAN_STATE_COUNT];
};

/* Fill in and out from the caller's edges, the kinds made consistent. */
void plan_link_edges(struct plan *self, const struct plan_edge *edges,
                     uint32_t nedge);

/* The first slot of a class in which something is ready, or BITS_NONE. */
uint32_t plan_first_slot(const struct plan *self, uint32_t class);

/* The tasks of a cycle as plan_new gives them, or NULL if there is none. */
uint32_t *plan_find_cycle(const struct plan *self);

/* Put an instance into a state, and count it. */
void plan_enter(struct plan *self, struct plan_id id, enum plan_state state);

/* Let what is ready of a task be taken, as far as it may start now. */
void plan_offer(struct plan *self, const struct task *task);
void plan_make_ready(struct plan *self, struct plan_id id);
/* It runs: nobody else takes it, if it was ready. */
void plan_begin(struct plan *self, struct plan_id id);

/* Set the slots and the order. */
void plan_rank(struct plan *self, const struct plan_task *tasks);

/* Add one finished state to what an instance sees. */
static inline void
tally_add(struct tally *self, enum plan_state state)
{
    self->nstate++;
    self->nsuccess += plan_state_is_success(state);
    self->nskipped += state == PLAN_SKIPPED;
}

/* Add all children of a finished map. */
void plan_tally_children(struct tally *self, const struct children *children);

/*
 * What a task sees, or all children of a map alike: not the children of maps
 * of which each child has its own.
 */
struct tally plan_tally_upstream(const struct plan *plan, uint32_t task);

/* What one child sees; all it has to wait for is finished. */
struct tally plan_tally_child(const struct plan *plan,
                              const struct children *self, uint32_t child);

/*
 * Whether a task, or child, that sees these states may start; if not, what is
 * to become of it.
 */
bool plan_may_start(const struct task *task, const struct tally *seen,
                    enum plan_decision *instead);

/* n waiting children, `ready` not made yet. */
struct children *plan_children_new(const struct plan *plan, uint32_t task,
                                   uint32_t n, const struct plan_link *links,
                                   size_t nlink);
void plan_children_destroy(struct children **self_p);

/* Where the views of the map `from` begin, if there are any. */
uint32_t plan_find_view(const struct children *self, uint32_t from);

#endif
