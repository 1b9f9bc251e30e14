/* SPDX-License-Identifier: MPL-2.0 */
/*
 * flow - what is to be done: parameters, tasks, and how they hang together.
 *
 * The one model of a flow, made by the file parser or through the C API, and
 * read by everything else. Plain data: the struct owns all that it points to.
 * After flow_check it is complete, valid and not changed any more.
 */
#ifndef FLOW_FLOW_H
#define FLOW_FLOW_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/names.h"
#include "flow/diag.h"
#include "flow/plan.h"
#include "flow/tmpl.h"
#include "flow/value.h"

enum param_type {
    PARAM_STRING,
    PARAM_INT,
    PARAM_FLOAT,
    PARAM_BOOL,
    PARAM_PATH, /* a string that is not empty; made absolute by the caller */
    PARAM_LIST,
    PARAM_JSON,
    PARAM_ANY, /* C API without a declared type */
    PARAM_TYPE_COUNT
};

extern const char *const param_type_names[PARAM_TYPE_COUNT];

struct flow_param {
    char *name;
    struct flow_place place;
    enum param_type type;
    bool has_min, has_max;
    double min, max;
    json_t *fallback; /* the default; NULL: required */
    json_t *choices;  /* a list, or NULL */
    char *pattern;    /* extended regular expression for the whole, or NULL */
    char *help;       /* or NULL */
};

enum flow_kind {
    FLOW_SCRIPT, /* run: given to a shell */
    FLOW_ARGV,   /* argv: a program without a shell */
    FLOW_CALL,   /* a C function */
    FLOW_MERGE,  /* the value of the first of `needs` that was not skipped */
};

struct flow_bind {
    char *name;
    struct tmpl *value;
    struct flow_place place; /* of the name */
};

/* One key of `each`: a list, or the numbers from..to, both ends included. */
struct flow_each {
    char *name;
    struct tmpl *values;     /* NULL for a range */
    struct tmpl *from, *to;  /* of a range */
    struct flow_place place; /* of the name */
};

struct flow_case {
    struct tmpl *of;
    json_t *is;
};

enum retry_class {
    RETRY_FAILED = 1 << 0,
    RETRY_TIMEOUT = 1 << 1,
    RETRY_LOST = 1 << 2,
};

struct flow_retry {
    uint32_t times; /* attempts after the first */
    int64_t delay;  /* microseconds before the first of them */
    double backoff; /* each delay is this times the one before; 1: constant */
    int64_t max;    /* no delay is longer; 0: no bound */
    double jitter;  /* a delay varies by up to this part of it, 0..1 */
    unsigned on;    /* retry_class bits */
};

struct flow_codes {
    uint64_t bits[4]; /* exit codes 0..255 */
};

struct flow_resource {
    char *name;    /* cpus, memory (bytes), gpus, or any other */
    double amount; /* above 0 */
};

/* Options that tasks share when they set none of their own. */
struct flow_options {
    struct flow_retry retry;
    int64_t timeout; /* microseconds; 0: none */
    int64_t grace;
    struct flow_codes exit_skip, exit_retry;
    enum plan_trigger trigger;
    double at_least, at_most;
    bool skip_on_skip;
    bool exclusive;
    bool at_most_once;
    int32_t priority;
    uint32_t max_parallel;
    int64_t cache_for; /* microseconds; 0: not cached */
    struct flow_resource *resources;
    uint32_t nresource;
    char **tags;
    uint32_t ntag;
    struct flow_bind *where; /* labels of the machine: constant strings */
    uint32_t nwhere;
    struct flow_bind *env;
    uint32_t nenv;
    struct tmpl *cwd; /* or NULL */
    char *shell;      /* a command line split at spaces, or NULL */
};

typedef void flow_fn(void); /* a C task's function; its real type is leat.h's */

struct flow_task {
    char *name;
    struct flow_place place;
    enum flow_kind kind;
    enum value_kind value;
    bool hidden; /* made by `first`; not shown to people */
    /* Has children: neach > 0. Of a FLOW_MERGE set before flow_check it is a
     * wish, granted if all its branches are mapped too. */
    bool mapped;
    bool zip;            /* each: pairs, not the product */
    bool flatten;        /* each: un-nest the list first */
    bool referred;       /* some reference uses its value */
    bool has_value_kind; /* value: was written */
    char *script; /* FLOW_SCRIPT; FLOW_CALL: the function's name, or NULL */
    struct tmpl *argv; /* FLOW_ARGV: TMPL_LIST */
    flow_fn *call;     /* FLOW_CALL; NULL when read back from a store */
    void *data;        /* FLOW_CALL: for the function; borrowed */
    bool handled;      /* a C program has state handlers for it */
    struct flow_each *each;
    struct flow_bind *with;
    uint32_t *needs; /* tasks; for FLOW_MERGE its branches in order */
    struct flow_case *cases;
    uint32_t neach, nwith, nneeds, ncase;
    struct tmpl *input;           /* stdin: or NULL */
    struct tmpl *creates;         /* or NULL */
    char *when;                   /* a script, or NULL */
    struct flow_options *options; /* borrowed from the flow's list */
};

struct flow_limit {
    char *tag;
    uint32_t most;
};

struct flow {
    char *name;
    char *file;   /* as the user named it, or NULL */
    char *source; /* its text, for messages and the store; or NULL */
    size_t source_len;
    char *help; /* description:, or NULL */
    struct flow_param *params;
    struct flow_task *tasks; /* in definition order, hidden ones last */
    struct flow_limit *limits;
    uint32_t
        *reference; /* tasks that decide the outcome; none: terminal ones */
    struct flow_options **options; /* all blocks; [0] is the default */
    size_t nparam, ntask, nlimit, nreference, noption;
    size_t cap_param, cap_task, cap_option;
    uint32_t max_fails;  /* more failures than this end the run ... */
    bool has_max_fails;  /* ... if this is set */
    bool handled;        /* a C program has state handlers for all tasks */
    struct tmpl *output; /* or NULL */
    struct names names;  /* parameters and tasks; see flow_find_task */
};

struct flow *flow_new(const char *name);
void flow_destroy(struct flow **self_p);

/* A new option block with the defaults of leat-flow(5): owned by the flow. */
struct flow_options *flow_options_new(struct flow *self);
/* A deep copy of a block, owned by the flow. */
struct flow_options *flow_options_copy(struct flow *self,
                                       const struct flow_options *from);

/*
 * Add a task or a parameter with nothing but its name (copied) and options[0].
 * Returns its number, or UINT32_MAX if the name is taken. Pointers to tasks
 * become invalid.
 */
uint32_t flow_add_task(struct flow *self, const char *name);
uint32_t flow_add_param(struct flow *self, const char *name);

/* The number of a task or parameter, or UINT32_MAX. */
uint32_t flow_find_task(const struct flow *self, const char *name);
uint32_t flow_find_param(const struct flow *self, const char *name);

enum flow_names {
    FLOW_NAMES_TASKS = 1 << 0,
    FLOW_NAMES_PARAMS = 1 << 1,
};

/*
 * The task or parameter that a person who typed `name` most likely meant, or
 * NULL; also NULL if there are too many to look through.
 */
const char *flow_near(const struct flow *self, const char *name,
                      unsigned kinds);

/* True if name may name a task or parameter: [A-Za-z_][A-Za-z0-9_-]*, short. */
bool flow_name_is_valid(const char *name);

/*
 * Resolve all references, find cycles and contradictions, set what is derived
 * (value kinds left out, mapped, referred). Every problem goes to `diags`; 0 if
 * there was none.
 */
int flow_check(struct flow *self, struct diags *diags);

/* The edges of a checked flow, a heap array; for plan_new. */
struct plan_edge *flow_edges(const struct flow *self, size_t *n);
/* ... of those to one task only. */
struct plan_edge *flow_edges_to(const struct flow *self, uint32_t task,
                                size_t *n);

/*
 * The mapped task that a key of `each` goes over child to child, without
 * waiting for all of it; UINT32_MAX if the key is of another kind.
 */
uint32_t flow_child_source(const struct flow *self,
                           const struct flow_task *task, uint32_t key);

/* Its changes of state are told to handlers, before they are made. */
bool flow_is_handled(const struct flow *self, uint32_t task);
/* Some are. */
bool flow_has_handlers(const struct flow *self);
/* Only the C program that made it can carry it out. */
bool flow_needs_program(const struct flow *self);

/* What the plan needs to know of each task, a heap array of ntask. */
struct plan_task *flow_plan_tasks(const struct flow *self);

/*
 * The flow as a flow file in JSON, which flow_parse reads back to the same
 * model (C functions as `call: NAME`, without their addresses, state handlers
 * as `handlers: true`).
 */
json_t *flow_to_json(const struct flow *self);

/*
 * The same as text, a heap string. Other writers of JSON leave characters as
 * they are that YAML takes for line ends, or write pairs of escapes that it
 * does not know.
 */
char *flow_to_text(const struct flow *self);

#endif
