/* SPDX-License-Identifier: MPL-2.0 */
/*
 * steps - what tests of the plan say, one step a line.
 */
#ifndef SUPPORT_STEPS_H
#define SUPPORT_STEPS_H

#include <stddef.h>
#include <stdint.h>

#include "flow/plan.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

enum { A, B, C, D, E };

/* For tables of tasks and edges. */
#define PLAIN                                               \
    {                                                       \
        .skip_on_skip = true, .at_least = -1, .at_most = -1 \
    }
#define MAPPED                                                              \
    {                                                                       \
        .mapped = true, .skip_on_skip = true, .at_least = -1, .at_most = -1 \
    }
#define WHOLE(a, b)               \
    {                             \
        (a), (b), PLAN_EDGE_WHOLE \
    }
#define CHILD(a, b)               \
    {                             \
        (a), (b), PLAN_EDGE_CHILD \
    }
#define FLAT(a, b)               \
    {                            \
        (a), (b), PLAN_EDGE_FLAT \
    }

#define MAKE(tasks, edges) make_plan(tasks, COUNT(tasks), edges, COUNT(edges))

struct plan *make_plan(const struct plan_task *tasks, uint32_t ntask,
                       const struct plan_edge *edges, size_t nedge);

struct plan_id child(uint32_t task, uint32_t k);
struct plan_id whole(uint32_t task);

void expect_state(const struct plan *p, struct plan_id id,
                  enum plan_state state);

/* The next to start is this one. */
void expect_take(struct plan *p, struct plan_id id);
void expect_nothing_to_take(struct plan *p);

/* The next decision is this one. */
void expect_decision(struct plan *p, struct plan_id id,
                     enum plan_decision decision);
void expect_no_decision(struct plan *p);

/* The next to start is this one, and it ends so. */
void run(struct plan *p, struct plan_id id, enum plan_state state);
/* The same for children 0 to n-1 of a task. */
void run_all(struct plan *p, uint32_t task, uint32_t n, enum plan_state state);

/* The next decision is this one, and it is followed. */
void expect_skip(struct plan *p, struct plan_id id);
void expect_trigger_fail(struct plan *p, struct plan_id id);
void expand(struct plan *p, uint32_t task, uint32_t n);

/* All is finished; counts are as they must be then. */
void expect_finished(struct plan *p);

#endif
