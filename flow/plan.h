/* SPDX-License-Identifier: MPL-2.0 */
/*
 * plan - which tasks of a run may start now, and what becomes of the others.
 *
 * A plan holds the state of every task and child in one run, and nothing
 * else: no values, clock, I/O or names. Whoever drives it asks for decisions
 * (plan_decide) and work (plan_take) and reports what happened.
 *
 *                all inputs finished
 *   [WAITING] ------+--> decision: skip, trigger-fail, pause, expand
 *                   |                 | plan_finish / plan_pause / plan_expand
 *                   v                 v
 *                [READY] <-----+   [SKIPPED] [TRIGGER_FAILED] [PAUSED] [MAPPED]
 *         plan_take |          | plan_ready
 *                   v          |
 *               [RUNNING] --> [RETRYING]        (plan_retry)
 *                   | plan_finish
 *                   v
 *   [SUCCEEDED] [CACHED] [SKIPPED] [FAILED] [TIMED_OUT] [CRASHED] [CANCELLED]
 *
 * The rules are Prefect 1.4's: an upstream that is mapped counts as its
 * children; skipped and cached count as success, every other end as failure;
 * a task with skip_on_skip and a skipped upstream is skipped before its
 * trigger is looked at. A map's trigger is each child's own; the parent is
 * expanded once the length of the map can be known.
 *
 * Costs: at most 128 bytes a task, 12 a child, 256 for a map that is expanded;
 * every call is O(1) plus the edges it crosses. Order is fixed: the highest
 * priority, then the lowest task number, then the lowest child number among
 * the ready.
 */
#ifndef FLOW_PLAN_H
#define FLOW_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum plan_state {
    PLAN_WAITING,
    PLAN_READY,
    PLAN_RUNNING,
    PLAN_RETRYING, /* failed, and will be ready again */
    PLAN_PAUSED,   /* trigger manual-only: waits for plan_ready */
    PLAN_MAPPED,   /* has children; finished when all of them are */
    PLAN_SUCCEEDED,
    PLAN_CACHED,
    PLAN_SKIPPED,
    PLAN_FAILED,
    PLAN_TIMED_OUT,
    PLAN_CRASHED,
    PLAN_TRIGGER_FAILED,
    PLAN_CANCELLED,
    PLAN_STATE_COUNT
};

/* "waiting", ..., "timed-out", "trigger-failed", "cancelled". */
extern const char *const plan_state_names[PLAN_STATE_COUNT];

bool plan_state_is_final(enum plan_state state); /* SUCCEEDED and on */
bool
plan_state_is_success(enum plan_state state); /* succeeded cached skipped */
/* failed timed-out crashed: an attempt's own, as retries and max-fails see it */
bool plan_state_is_failure(enum plan_state state);

enum plan_trigger {
    TRIGGER_ALL_SUCCESSFUL,
    TRIGGER_ALL_FAILED,
    TRIGGER_ANY_SUCCESSFUL,
    TRIGGER_ANY_FAILED,
    TRIGGER_ALL_FINISHED,
    TRIGGER_NOT_ALL_SKIPPED, /* all skipped: skipped; any failed: fails */
    TRIGGER_MANUAL_ONLY,
    TRIGGER_SOME_SUCCESSFUL, /* at_least, at_most */
    TRIGGER_SOME_FAILED,     /* at_least, at_most */
    TRIGGER_COUNT
};

/* "all-successful", ...; TRIGGER_ALL_FINISHED is also called "always-run". */
extern const char *const plan_trigger_names[TRIGGER_COUNT];

struct plan_task {
    bool mapped;
    bool skip_on_skip;
    uint8_t trigger;       /* enum plan_trigger */
    double at_least;       /* negative: no bound; below 1: a fraction */
    double at_most;        /* likewise */
    int32_t priority;      /* higher first */
    uint32_t max_parallel; /* children running at once; 0: no bound */
};

enum plan_edge_kind {
    PLAN_EDGE_WHOLE, /* waits for all of `from`; sees all its children */
    PLAN_EDGE_CHILD, /* both mapped: a child waits for its own child of `from` */
    PLAN_EDGE_FLAT,  /* both mapped: waits for all; a child sees its owner */
};

struct plan_edge {
    uint32_t from;
    uint32_t to;
    enum plan_edge_kind kind;
};

#define PLAN_WHOLE UINT32_MAX /* as a child number: the task itself */
#define PLAN_NONE  UINT32_MAX /* as a task number: none */

/* A task, or one child of a mapped task. */
struct plan_id {
    uint32_t task;
    uint32_t child;
};

static inline bool
plan_id_is(struct plan_id a, struct plan_id b)
{
    return a.task == b.task && a.child == b.child;
}

struct plan;

/*
 * Make a plan for tasks 0..ntask-1. Tasks and edges are copied. Two edges
 * between the same tasks become one (WHOLE wins). Fails with ERR_INVALID if an
 * edge names no task, or if the edges form a cycle: then, if `cycle` is not
 * NULL, *cycle is a heap array of the tasks on it in order, ended by PLAN_NONE,
 * beginning with the least (the caller frees it).
 */
int plan_new(struct plan **ret, const struct plan_task *tasks, uint32_t ntask,
             const struct plan_edge *edges, size_t nedge, uint32_t **cycle,
             struct err *err);
void plan_destroy(struct plan **self_p);

enum plan_decision {
    PLAN_EXPAND, /* answer with plan_expand, or plan_finish if it can't be */
    PLAN_SKIP,   /* answer with plan_finish */
    PLAN_TRIGGER_FAIL,
    PLAN_PAUSE, /* answer with plan_pause, or plan_ready to go on at once */
};

/*
 * The next instance of which something else than running must become; false
 * if there is none. The caller answers at once, with what was proposed or with
 * another end (a state handler may have changed it); plan_ready runs it.
 */
bool plan_decide(struct plan *self, struct plan_id *ret,
                 enum plan_decision *decision);

/*
 * The answer to the last decision takes its time: others can be asked for, and
 * the instance waits. False, and nothing has changed: it was not asked about.
 * Before it is answered, plan_recall. plan_cancel ends it.
 */
bool plan_defer(struct plan *self, struct plan_id id);
void plan_recall(struct plan *self, struct plan_id id);

/* Start the first of the ready; false if there is none. */
bool plan_take(struct plan *self, struct plan_id *ret);

/*
 * Tasks fall into classes (0..nclass-1; class_of has ntask, copied): what is
 * ready is handed out by class then, so that one that can't run now does not
 * hold up others. Within a class the order is as ever. Before anything else is
 * done with the plan; without it all are of class 0.
 */
void plan_set_classes(struct plan *self, const uint32_t *class_of,
                      uint32_t nclass);
/* Start the first of the ready of a class. O(1). */
bool plan_take_of(struct plan *self, uint32_t class, struct plan_id *ret);
/* Start this one, which is ready. */
void plan_take_id(struct plan *self, struct plan_id id);
/* The place in the order of starting of the first of the ready of a class,
 * comparable between classes; PLAN_NONE if there is none. O(1). */
uint32_t plan_first_of(const struct plan *self, uint32_t class);
/* The next class, from `class` on, in which something is ready; PLAN_NONE. */
uint32_t plan_next_class(const struct plan *self, uint32_t class);

/*
 * For a plan that only follows another one: put an instance into a state,
 * whatever it was in; no decisions, nothing becomes ready. plan_follow_map
 * gives a mapped task n children: those it had, and more that wait, or less.
 */
void plan_follow(struct plan *self, struct plan_id id, enum plan_state state);
void plan_follow_map(struct plan *self, uint32_t task, uint32_t n);

/*
 * How children of a map over several mapped tasks find theirs: child k sees
 * child (k / stride) % count of `from`, or with an owner table (FLAT)
 * owner[k]. Copied. Several links may have the same `from`; one whose `from`
 * has no children, being no map or ended before it was expanded, says nothing.
 */
struct plan_link {
    uint32_t from;
    uint32_t stride;
    uint32_t count;
    const uint32_t *owner;
};

/*
 * The map has n children. Without a link for a CHILD edge, child k sees child
 * k, and n must be that task's number of children. n = 0 ends the task: it
 * counts as a success with no children.
 */
void plan_expand(struct plan *self, uint32_t task, uint32_t n,
                 const struct plan_link *links, size_t nlink);

/* End a running or decided instance in a final state. */
void plan_finish(struct plan *self, struct plan_id id, enum plan_state state);

/* A running instance will be tried again: RETRYING until plan_ready. */
void plan_retry(struct plan *self, struct plan_id id);

/* A paused, retrying, running (given back) or decided instance is ready. */
void plan_ready(struct plan *self, struct plan_id id);

void plan_pause(struct plan *self, struct plan_id id);

/*
 * Start nothing more: whatever is not running and not finished is CANCELLED.
 * What runs is still to be reported, and a decision still to be answered, with
 * any state; what would not be final then (retry, ready, pause, expand) makes
 * it CANCELLED too.
 */
void plan_cancel(struct plan *self);

/*
 * Take one instance from whatever it waits for, as if it had been started; then
 * plan_finish ends it. False, and nothing has changed: it runs, is mapped, is at
 * its end, or is being decided.
 */
bool plan_seize(struct plan *self, struct plan_id id);

/* The state of a task (child PLAN_WHOLE) or of a child. */
enum plan_state plan_state(const struct plan *self, struct plan_id id);

/* Children of a mapped task; 0 before it is expanded. */
uint32_t plan_children(const struct plan *self, uint32_t task);

/* How many children of a mapped task are in a state. O(1). */
uint32_t plan_children_in(const struct plan *self, uint32_t task,
                          enum plan_state state);

/* How many instances of the run are in a state (MAPPED parents not counted
 * among the others). O(1). */
uint64_t plan_count(const struct plan *self, enum plan_state state);

/* The task, with all its children if mapped, is finished. */
bool plan_task_is_finished(const struct plan *self, uint32_t task);
/* ... and none of it failed. False while unfinished. */
bool plan_task_is_success(const struct plan *self, uint32_t task);

/* Every task is finished. */
bool plan_is_finished(const struct plan *self);

/*
 * Nothing is ready, to be decided (or deferred), running or retrying, but not
 * all is finished: paused tasks hold the rest up.
 */
bool plan_is_stalled(const struct plan *self);

/* Call fn for each downstream task, in task order, each once. */
typedef void plan_task_fn(void *ctx, uint32_t task);
void plan_downstream(const struct plan *self, uint32_t task, plan_task_fn *fn,
                     void *ctx);

#endif
