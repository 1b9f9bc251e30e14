/* SPDX-License-Identifier: MPL-2.0 */
/*
 * api - the private side of leat.h: what a leat_flow is.
 *
 * Refs and templates are made in api_ref.c, tasks in api_flow.c, what they are
 * given in api_edges.c, branches in api_case.c, options in api_options.c;
 * handlers are called in api_handle.c, runs made in api_run.c.
 */
#ifndef LIB_API_H
#define LIB_API_H

#include "base/buf.h"
#include "base/names.h"
#include "flow/flow.h"
#include "flow/run.h"
#include "lib/leat.h"

/* ---- for the command line ---- */

/* A flow that `build` has added to; underscores of its name become hyphens. */
leat_flow *api_build(const char *name, leat_build_fn *build);

struct flow *api_flow(leat_flow *self);

/* As leat_flow_check; *problems gets all of them, with newlines between. */
int api_check(leat_flow *self, struct buf *problems);

/* For local_request.handle, with the leat_flow as its context. */
bool api_has_handlers(const leat_flow *self);
enum plan_state api_handle(void *flow, struct run_change *change);

/* ---- for the other parts of api ---- */

/* What a leat_ref is: a kind, and how it is given to a mapped task. */
enum api_kind {
    API_NONE,
    API_BAD, /* could not be made; the flow knows why */
    API_TASK,
    API_PARAM,
    API_VALUE, /* index: of values */
    API_RANGE, /* index: of values; its end is the next one */
    API_KIND_MASK = 0xff,
    API_MAPPED = 0x100,
    API_UNMAPPED = 0x200,
    API_FLATTEN = 0x400,
};

struct api_block {
    char *where;
    struct tmpl *of;
    json_t *is;
    uint32_t first; /* task that was added in it */
};

struct api_handler {
    leat_handler *fn;
    void *arg;
    uint32_t task; /* PLAN_NONE: of the flow */
    uint32_t nth;  /* in the order given */
};

struct leat_flow {
    struct flow *flow;
    struct tmpl **values; /* of API_VALUE and API_RANGE */
    size_t nvalue, cap_value;
    struct names counts; /* function's name: of how_many */
    struct api_count {
        char *name;
        uint32_t n;
    } * how_many;
    size_t ncount, cap_count;
    struct api_block *blocks; /* leat_case, outermost first */
    size_t nblock, cap_block;
    struct flow_options *merge; /* of merges; NULL: none yet; the flow's */
    struct api_handler *handlers;
    size_t nhandler, cap_handler;
    char handler_cause[LIMIT_CAUSE_BYTES];
    char **problems;
    size_t nproblem, cap_problem;
    size_t dropped; /* problems past LIMIT_ERRORS */
    bool renamed;   /* names in templates may be old ones */
    bool checked;   /* nothing can be added any more */
};

/* A call of the API, for its problems. */
struct api_call {
    leat_flow *flow;
    const char *where; /* or NULL */
    const char *call;  /* the function's name */
    const char *name;  /* what it is about, or NULL */
    const char *arg;   /* one of its arguments, or NULL */
};

/* Remember what is wrong with a call. */
void api_problem(const struct api_call *call, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* May the flow still be changed? Else a problem. */
bool api_may_add(const struct api_call *call);

leat_ref api_ref(leat_flow *flow, enum api_kind kind, size_t index);
leat_ref api_bad(leat_flow *flow);

/* A ref's value as a template of its own; NULL with a problem. */
struct tmpl *api_tmpl(const struct api_call *call, leat_ref ref);

/*
 * The task that a ref stands for, to be changed or pointed to: its number;
 * UINT32_MAX with a problem. call->name may become the task's name.
 */
uint32_t api_task(struct api_call *call, leat_ref ref);

/* May it name a task or an argument? Else a problem. */
bool api_is_name(const struct api_call *call, const char *name);

/* Add a task named after a function: fn, fn_2, fn_3, whichever is free. */
uint32_t api_add_counted(leat_flow *flow, const char *expression);

/*
 * Give task i arguments, ended by one without a name; with `map`, those that
 * are not leat_unmapped are gone over.
 */
void api_bind(struct api_call *call, uint32_t i, const leat_arg *args,
              bool map);

/* An array without a capacity: it grows at each power of two. */
void *api_append(void *list, uint32_t n, size_t size);

void api_add_need(struct flow_task *task, uint32_t upstream);

/* Call fn for every reference in a task's templates. */
void api_each_ref(struct flow_task *task, tmpl_ref_fn *fn, void *ctx);

void api_block_release(struct api_block *block);

/* Sort the handlers, once all are there. */
void api_settle_handlers(leat_flow *self);

/* Fill in a public error. */
int api_fail(leat_err *err, enum err_code code, const char *text);

#endif
