/* SPDX-License-Identifier: MPL-2.0 */
/*
 * leat - task flows in C.
 *
 * A flow is a graph of tasks: C functions and shell commands that give JSON
 * values to each other. Build it, then run it; a program that says LEAT_FLOW
 * has leat's whole command line besides. What a run means (order of checks,
 * triggers, skipping, mapping, retries) is what Prefect 1.x means by it.
 * Link with -lleat; pkg-config knows it as leat. See leat(3).
 *
 *     static json_t *
 *     random_num(leat_task *task)
 *     {
 *         return json_integer(random() % leat_int(task, "stop"));
 *     }
 *
 *     LEAT_FLOW(example, flow)
 *     {
 *         leat_ref stop = leat_parameter(flow, "stop");
 *
 *         leat_call(flow, random_num, {"stop", stop});
 *     }
 *
 * Ownership. A json_t * that goes into a flow or a run is taken over, also if
 * the call fails, so that it can be made in place. A json_t * that comes out is
 * borrowed and must not be changed (json_incref it to keep it), except what a
 * task's function returns, which is taken over again. Strings that go in are
 * copied.
 *
 * Errors. What builds a flow returns no errors: the flow remembers what is
 * wrong, with the call and, where a macro made it, the source line, and
 * leat_flow_check, leat_flow_run and leat_main report all of it at once.
 *
 * Threads. A flow, its runs and its results belong to one thread at a time.
 * Different flows are independent, but only one at a time may be running in a
 * process.
 *
 * Memory. Running out of it ends the process.
 *
 * C++. Macros that take a list in braces or named options exist in C only. Each
 * such macro NAME stands for a function NAME_v that takes an array ended by a
 * zero element, or a pointer to the options, and the place to name in errors
 * (LEAT_HERE, or NULL).
 */
#ifndef LEAT_H
#define LEAT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define LEAT_API               __attribute__((visibility("default")))
#define LEAT_FORMAT(fmt, args) __attribute__((format(printf, fmt, args)))
#define LEAT_NORETURN          __attribute__((noreturn))
#else
#define LEAT_API
#define LEAT_FORMAT(fmt, args)
#define LEAT_NORETURN
#endif

#define LEAT_QUOTE_(x)    #x
#define LEAT_QUOTE(x)     LEAT_QUOTE_(x)
#define LEAT_PASTE_(a, b) a##b
#define LEAT_PASTE(a, b)  LEAT_PASTE_(a, b)

/* The place of a call, for errors. */
#define LEAT_HERE __FILE__ ":" LEAT_QUOTE(__LINE__)

#define LEAT_VERSION "0.1.0"

typedef struct leat_flow leat_flow;
typedef struct leat_task leat_task;
typedef struct leat_result leat_result;

/* ---- errors ---- */

typedef enum leat_err_code {
    LEAT_ERR_NONE,
    LEAT_ERR_INVALID,     /* the flow or a parameter breaks a rule */
    LEAT_ERR_LIMIT,       /* a bound was reached */
    LEAT_ERR_NOT_FOUND,   /* what was named does not exist */
    LEAT_ERR_UNAVAILABLE, /* store or broker is away; later may help */
    LEAT_ERR_DENIED,      /* not allowed to */
    LEAT_ERR_IMPOSSIBLE,  /* asks for more than there will ever be */
    LEAT_ERR_SYSTEM       /* a system call failed */
} leat_err_code;

#define LEAT_ERR_BYTES 2048

/* Written on failure only. Wherever one is asked for, NULL will do. */
typedef struct leat_err {
    leat_err_code code;
    char msg[LEAT_ERR_BYTES]; /* one problem a line, no newline at the end */
} leat_err;

/* ---- what a task's function sees ---- */

/*
 * A task's function. It returns the task's value, which is taken over; NULL is
 * null. It is called once for each attempt: by leat_local in the process and
 * thread that runs the flow, so that a debugger just works, or if the task has a
 * time-out in a forked child of it; by a cluster in other processes of the
 * program, see leat_cluster.
 *
 * Functions below that are said to end the attempt do not return: they unwind
 * the stack to where the function was called, as longjmp(3) does. What the
 * function had acquired is then lost unless something else knows of it, and in
 * C++ no object with a destructor may be alive. They may be called from
 * functions that the task's function calls, but from no other thread.
 */
typedef json_t *leat_fn(leat_task *task);

/*
 * The argument bound to a name: of leat_call and its like, of leat_bind, or
 * else the flow's parameter of that name. If there is none, or it is of another
 * type, the attempt ends as failed and says which. leat_float takes integers as
 * well. What is returned is valid until the function returns.
 */
LEAT_API json_int_t leat_int(leat_task *task, const char *name);
LEAT_API double leat_float(leat_task *task, const char *name);
LEAT_API bool leat_bool(leat_task *task, const char *name);
LEAT_API const char *leat_string(leat_task *task, const char *name);
LEAT_API json_t *leat_array(leat_task *task, const char *name);
LEAT_API json_t *leat_json(leat_task *task, const char *name); /* any type */

/* Is there such an argument? */
LEAT_API bool leat_has(leat_task *task, const char *name);

/*
 * Prefect's signals; each ends the attempt with a reason for people.
 * leat_fail: failed; a retry follows if the task has one left.
 * leat_skip: skipped, and so is what depends on it (skip_on_upstream_skip).
 * leat_retry: as leat_fail, but a retry follows whatever retry_on says.
 */
LEAT_API void leat_fail(leat_task *task, const char *fmt, ...)
    LEAT_FORMAT(2, 3) LEAT_NORETURN;
LEAT_API void leat_skip(leat_task *task, const char *fmt, ...)
    LEAT_FORMAT(2, 3) LEAT_NORETURN;
LEAT_API void leat_retry(leat_task *task, const char *fmt, ...)
    LEAT_FORMAT(2, 3) LEAT_NORETURN;

/* Write a line to standard error. */
LEAT_API void leat_log(leat_task *task, const char *fmt, ...) LEAT_FORMAT(2, 3);

LEAT_API const char *leat_task_flow(const leat_task *task);
LEAT_API const char *leat_task_name(const leat_task *task);
/* Which child of a mapped task this is, from 0; -1 if it is not mapped. */
LEAT_API int64_t leat_task_index(const leat_task *task);
/* 1 for the first attempt, one more for each retry. */
LEAT_API unsigned leat_task_attempt(const leat_task *task);
/* The number of the run in the store; 0 without a store. */
LEAT_API uint64_t leat_task_run(const leat_task *task);
/* The pointer of the option `data`. */
LEAT_API void *leat_task_data(const leat_task *task);

/* ---- flows ---- */

/*
 * A flow of that name ([A-Za-z_][A-Za-z0-9_-]*, as all names). The caller's;
 * leat_flow_destroy also takes NULL inside, and sets *flow_p to NULL.
 */
LEAT_API leat_flow *leat_flow_new(const char *name);
LEAT_API void leat_flow_destroy(leat_flow **flow_p);

LEAT_API const char *leat_flow_name(const leat_flow *flow);

/* What the flow is for: shown by --help. */
LEAT_API void leat_flow_set_help(leat_flow *flow, const char *help);
/* At most `most` tasks that carry a tag run at a time. */
LEAT_API void leat_flow_set_limit(leat_flow *flow, const char *tag,
                                  unsigned most);
/* More failed tasks than this end the run. Without it there is no bound. */
LEAT_API void leat_flow_set_max_fails(leat_flow *flow, unsigned most);

/*
 * Check the flow: 0, or -1 and all that is wrong with it in *err. Done by
 * leat_flow_run as well. Once a flow has passed, nothing can be added to it.
 */
LEAT_API int leat_flow_check(leat_flow *flow, leat_err *err);

/* ---- references: what stands for a value that is not known yet ---- */

/*
 * A parameter's or a task's value, or one made of such. A plain value of no
 * more than a few words, valid as long as its flow; its fields are private. A
 * zero leat_ref is none.
 */
typedef struct leat_ref {
    leat_flow *flow;
    uint32_t kind;
    uint32_t index;
    uint32_t child;
} leat_ref;

/* One argument: in lists, ended by one without a name. */
typedef struct leat_arg {
    const char *name;
    leat_ref value;
} leat_arg;

/* A value known now. */
LEAT_API leat_ref leat_value(leat_flow *flow, json_t *value);

/* A list, and an object, of values. Prefect wraps them by itself. */
LEAT_API leat_ref leat_list_v(leat_flow *flow, const leat_ref *elements);
LEAT_API leat_ref leat_object_v(leat_flow *flow, const leat_arg *fields);

/*
 * A JSON value in whose strings ${name} and ${name.field[0]} stand for what
 * parameters and tasks have, as in flow files (leat-flow(5)): a string that is
 * nothing else keeps the type of the value, inside a longer one it is its text.
 */
LEAT_API leat_ref leat_template(leat_flow *flow, json_t *value);

/* The field of an object; the element of a list, from 0. Prefect: t["k"]. */
LEAT_API leat_ref leat_get(leat_ref ref, const char *field);
LEAT_API leat_ref leat_at(leat_ref ref, unsigned index);

/* ---- parameters ---- */

typedef enum leat_type {
    LEAT_ANY, /* anything; -p takes JSON, or else a string */
    LEAT_STRING,
    LEAT_INT,
    LEAT_FLOAT,
    LEAT_BOOL,
    LEAT_PATH, /* a string that is not empty; the CLI makes it absolute */
    LEAT_LIST,
    LEAT_JSON
} leat_type;

/* A number that may be left out: {true, 0.5}, or LEAT_BOUND(0.5). */
typedef struct leat_bound {
    bool is_set;
    double value;
} leat_bound;

#define LEAT_BOUND(n) \
    {                 \
        true, (n)     \
    }

typedef struct leat_param_options {
    leat_type type;
    leat_bound min, max; /* of LEAT_INT and LEAT_FLOAT */
    json_t *fallback;    /* the default; without one it is required */
    json_t *choices;     /* a list of what is allowed */
    const char *pattern; /* extended regular expression for the whole */
    const char *help;
} leat_param_options;

/* A required parameter of any type: Prefect's Parameter("name"). */
LEAT_API leat_ref leat_parameter(leat_flow *flow, const char *name);
LEAT_API leat_ref leat_parameter_v(leat_flow *flow, const char *where,
                                   const char *name,
                                   const leat_param_options *options,
                                   size_t size);

/* ---- tasks, functional ---- */

/*
 * Add a task that calls fn with arguments: `leat_call(flow, fn, {"x", a})`.
 * Naming a task's value in an argument is depending on it. The task is named
 * after the function, the second one fn_2 and so on; see leat_name.
 *
 * leat_map calls fn for every element of its arguments, which must be lists of
 * one length; leat_unmapped ones go to every call whole. Over the value of a
 * mapped task it goes child to child without a barrier. The value of the whole
 * is the list. leat_call maps as well where an argument is leat_mapped.
 */
LEAT_API leat_ref leat_call_v(leat_flow *flow, const char *where,
                              const char *name, leat_fn *fn,
                              const leat_arg *args);
LEAT_API leat_ref leat_map_v(leat_flow *flow, const char *where,
                             const char *name, leat_fn *fn,
                             const leat_arg *args);

/*
 * Add a task that runs a script in a shell (bash -euo pipefail where there is
 * one, else sh -eu), or a program: `argv` is a list of its words, leat_list or
 * leat_template. Arguments arrive in the environment. Its value is what it
 * prints; see the options value, input, exit_skip and exit_retry.
 */
LEAT_API leat_ref leat_command_v(leat_flow *flow, const char *where,
                                 const char *name, const char *script,
                                 const leat_arg *args);
LEAT_API leat_ref leat_program_v(leat_flow *flow, const char *where,
                                 const char *name, leat_ref argv,
                                 const leat_arg *args);

/* How an argument is given to a mapped task: element by element, or whole. */
LEAT_API leat_ref leat_mapped(leat_ref list);
LEAT_API leat_ref leat_unmapped(leat_ref ref);
/* Mapped, over the elements of its elements: a task's only mapped argument. */
LEAT_API leat_ref leat_flatten(leat_ref list);
/* The numbers from..to, both ends included; for leat_map, never a list. */
LEAT_API leat_ref leat_range(leat_ref from, leat_ref to);

/* Give a task another name. Returns the task. */
LEAT_API leat_ref leat_name(leat_ref task, const char *name);

/* ---- branches ---- */

/*
 * `leat_case(flow, cond, json) { ... }`: tasks added inside run only if cond's
 * value equals json, else they are skipped. As in Prefect, the condition is put
 * on those that depend on nothing else in the block; the others are skipped
 * with them. Blocks nest. Don't leave one with break, goto or return. The two
 * functions are what the block is made of; begin returns 1, end 0.
 */
LEAT_API int leat_case_begin(leat_flow *flow, const char *where, leat_ref cond,
                             json_t *is);
LEAT_API int leat_case_end(leat_flow *flow);

#define leat_case(flow, cond, is)                              \
    for (int LEAT_PASTE(leat_case_, __LINE__) =                \
             leat_case_begin((flow), LEAT_HERE, (cond), (is)); \
         LEAT_PASTE(leat_case_, __LINE__);                     \
         LEAT_PASTE(leat_case_, __LINE__) = leat_case_end(flow))

/* A task, and the value of the condition it runs for. */
typedef struct leat_branch {
    json_t *is;
    leat_ref task; /* in lists, ended by none */
} leat_branch;

/* `leat_switch(flow, cond, {json_string("a"), task_a}, ...)`. */
LEAT_API void leat_switch_v(leat_flow *flow, const char *where, leat_ref cond,
                            const leat_branch *branches);

/* Add a task with the value of the first branch that was not skipped. */
LEAT_API leat_ref leat_merge_v(leat_flow *flow, const char *where,
                               const leat_ref *branches);

/* ---- tasks, imperative ---- */

/* Add a task of exactly that name, without arguments. */
LEAT_API leat_ref leat_flow_add_task(leat_flow *flow, const char *name,
                                     leat_fn *fn);
LEAT_API leat_ref leat_flow_add_command(leat_flow *flow, const char *name,
                                        const char *script);

/* Give a task (more) arguments; none may have the same name. */
LEAT_API void leat_bind_v(leat_ref task, const char *where,
                          const leat_arg *args);

/*
 * An edge: with a key the upstream's value is the task's argument of that
 * name, with NULL the task only waits for it (and sees its state).
 */
LEAT_API void leat_set_upstream(leat_ref task, leat_ref upstream,
                                const char *key);
LEAT_API void leat_set_downstream(leat_ref task, leat_ref downstream,
                                  const char *key);

/* Each of the tasks waits for the one before. */
LEAT_API void leat_chain_v(leat_flow *flow, const char *where,
                           const leat_ref *tasks);

/*
 * The tasks that decide whether a run has succeeded. Left unsaid: those that
 * nothing depends on.
 */
LEAT_API void leat_flow_set_reference_tasks_v(leat_flow *flow,
                                              const char *where,
                                              const leat_ref *tasks);
/* The value that a run of the flow gives. */
LEAT_API void leat_flow_set_output(leat_flow *flow, leat_ref ref);

/* The task or parameter of that name; none if there is none. */
LEAT_API leat_ref leat_flow_find(leat_flow *flow, const char *name);

/* ---- options of a task ---- */

typedef enum leat_choice { LEAT_DEFAULT, LEAT_NO, LEAT_YES } leat_choice;

/*
 * Looked at once all upstream tasks have finished. Succeeded, cached and
 * skipped count as success, every other end as failure; of a mapped upstream
 * the children are seen.
 */
typedef enum leat_trigger {
    LEAT_ALL_SUCCESSFUL,
    LEAT_ALL_FAILED,
    LEAT_ANY_SUCCESSFUL,
    LEAT_ANY_FAILED,
    LEAT_ALL_FINISHED, /* always run */
    LEAT_NOT_ALL_SKIPPED,
    LEAT_MANUAL_ONLY,     /* pauses the run */
    LEAT_SOME_SUCCESSFUL, /* at_least, at_most: below 1 a fraction */
    LEAT_SOME_FAILED      /* likewise */
} leat_trigger;

/* What a task gives of a command's standard output. */
typedef enum leat_output {
    LEAT_OUTPUT_DEFAULT, /* TEXT if anything refers to it, else NONE */
    LEAT_OUTPUT_NONE,
    LEAT_OUTPUT_TEXT, /* without newlines at the end */
    LEAT_OUTPUT_LINES,
    LEAT_OUTPUT_INT,
    LEAT_OUTPUT_FLOAT,
    LEAT_OUTPUT_JSON
} leat_output;

enum { LEAT_ON_FAILED = 1, LEAT_ON_TIMEOUT = 2, LEAT_ON_LOST = 4 };

typedef struct leat_resource {
    const char *name; /* cpus, memory (bytes), gpus, or any other */
    double amount;    /* above 0 */
} leat_resource;

/*
 * Zero is the default of each, and leaves what an earlier call has set. Lengths
 * of time are written "250ms", "90" (seconds), "10m", "1h 30m".
 */
typedef struct leat_task_options {
    unsigned retry;          /* attempts after the first */
    const char *retry_delay; /* before the first of them; default none */
    double retry_backoff;    /* each delay is this times the one before */
    const char *retry_max;   /* no delay is longer */
    double retry_jitter;     /* a delay varies by up to this part of it */
    unsigned retry_on;       /* LEAT_ON_...; default all */
    const char *timeout;     /* of one attempt */
    const char *grace;       /* from TERM to KILL; default 10s */

    leat_trigger trigger;
    leat_bound at_least, at_most;
    leat_choice skip_on_upstream_skip; /* default LEAT_YES */
    const char *when;      /* a script: exit 0 goes on, 1..254 skips */
    leat_choice product;   /* map over all combinations, not in step */
    unsigned max_parallel; /* children that run at a time */

    leat_choice exclusive;    /* two attempts never overlap */
    leat_choice at_most_once; /* never started twice */
    int32_t priority;         /* higher first */
    const char *cache;        /* a value is good for so long */
    leat_ref creates;         /* a path; if it exists the task is cached */
    const leat_resource *resources; /* ended by one without a name */
    const char *const *tags;        /* ended by NULL */
    const leat_arg *where;          /* labels that the machine must have */

    /* commands */
    leat_output value;
    leat_ref input;        /* for standard input */
    const leat_arg *env;   /* environment besides the arguments */
    leat_ref cwd;          /* directory; default that of the run */
    const char *shell;     /* a command line */
    const int *exit_skip;  /* exit codes, ended by 0 */
    const int *exit_retry; /* likewise */

    /* functions */
    void *data; /* for leat_task_data; borrowed */
} leat_task_options;

LEAT_API void leat_options_v(leat_ref task, const char *where,
                             const leat_task_options *options, size_t size);

/* ---- the short forms of C ---- */

#ifndef __cplusplus

#define LEAT_ARGS(...)      ((const leat_arg[]){__VA_ARGS__, {0}})
#define LEAT_REFS(...)      ((const leat_ref[]){__VA_ARGS__, {0}})
#define LEAT_RESOURCES(...) ((const leat_resource[]){__VA_ARGS__, {0}})
#define LEAT_WORDS(...)     ((const char *const[]){__VA_ARGS__, NULL})
#define LEAT_CODES(...)     ((const int[]){__VA_ARGS__, 0})

/* leat_call(flow, fn, {"name", ref}...) and so on; the list may be empty. */
#define leat_call(flow, ...) LEAT_CALL_(leat_call_v, flow, __VA_ARGS__, {0})
#define leat_map(flow, ...)  LEAT_CALL_(leat_map_v, flow, __VA_ARGS__, {0})
#define LEAT_CALL_(add, flow, fn, ...) \
    add((flow), LEAT_HERE, #fn, (fn), (const leat_arg[]){__VA_ARGS__})

/* leat_command(flow, "name", "script", {"name", ref}...) */
#define leat_command(flow, name, ...) \
    LEAT_COMMAND_(leat_command_v, flow, name, __VA_ARGS__, {0})
/* leat_program(flow, "name", argv, {"name", ref}...) */
#define leat_program(flow, name, ...) \
    LEAT_COMMAND_(leat_program_v, flow, name, __VA_ARGS__, {0})
#define LEAT_COMMAND_(add, flow, name, what, ...) \
    add((flow), LEAT_HERE, (name), (what), (const leat_arg[]){__VA_ARGS__})

/* leat_bind(task, {"name", ref}...) */
#define leat_bind(task, ...) \
    leat_bind_v((task), LEAT_HERE, LEAT_ARGS(__VA_ARGS__))

/* leat_list(flow, a, b...), may be empty; leat_object(flow, {"k", a}...) */
#define leat_list(...) LEAT_LIST_(__VA_ARGS__, {0})
#define LEAT_LIST_(flow, ...) \
    leat_list_v((flow), (const leat_ref[]){__VA_ARGS__})
#define leat_object(flow, ...) leat_object_v((flow), LEAT_ARGS(__VA_ARGS__))

/* leat_merge(flow, a, b...), leat_chain(flow, a, b...) and so on */
#define leat_merge(flow, ...) \
    leat_merge_v((flow), LEAT_HERE, LEAT_REFS(__VA_ARGS__))
#define leat_chain(flow, ...) \
    leat_chain_v((flow), LEAT_HERE, LEAT_REFS(__VA_ARGS__))
#define leat_flow_set_reference_tasks(flow, ...) \
    leat_flow_set_reference_tasks_v((flow), LEAT_HERE, LEAT_REFS(__VA_ARGS__))
#define leat_switch(flow, cond, ...)         \
    leat_switch_v((flow), LEAT_HERE, (cond), \
                  (const leat_branch[]){__VA_ARGS__, {0}})

/* leat_options(task, .retry = 3, .retry_delay = "10s") */
#define leat_options(task, ...)                                                \
    leat_options_v((task), LEAT_HERE, &(const leat_task_options){__VA_ARGS__}, \
                   sizeof(leat_task_options))
/* leat_parameter_with(flow, "n", .type = LEAT_INT, .min = LEAT_BOUND(1)) */
#define leat_parameter_with(flow, name, ...)                   \
    leat_parameter_v((flow), LEAT_HERE, (name),                \
                     &(const leat_param_options){__VA_ARGS__}, \
                     sizeof(leat_param_options))

#endif

/* ---- states, and who hears of them ---- */

typedef enum leat_state {
    LEAT_WAITING,
    LEAT_READY,
    LEAT_RUNNING,
    LEAT_RETRYING,
    LEAT_PAUSED,
    LEAT_MAPPED, /* has children */
    LEAT_SUCCEEDED,
    LEAT_CACHED,
    LEAT_SKIPPED,
    LEAT_FAILED, /* the task's own fault */
    LEAT_TIMED_OUT,
    LEAT_CRASHED, /* the machinery's fault */
    LEAT_TRIGGER_FAILED,
    LEAT_CANCELLED
} leat_state;

LEAT_API const char *leat_state_name(leat_state state); /* "timed-out" */
LEAT_API bool leat_state_is_final(leat_state state);
LEAT_API bool leat_state_is_success(leat_state state);

/* A task, or one child of it, is about to change its state. */
typedef struct leat_state_change {
    const char *flow;
    const char *task;
    int64_t index;       /* of a child; -1: the task itself */
    unsigned attempt;    /* how many have started so far */
    leat_state from;     /* the state it is in */
    leat_state to;       /* what is proposed */
    const json_t *value; /* of a final state; may be NULL, which is null */
    const char *cause;   /* why it did not succeed, or NULL */
    void *handling;      /* private */
} leat_state_change;

/*
 * A state handler returns the state to change to: change->to, or another.
 * Prefect's rules hold: handlers are called in the order they were given, those
 * of the task before those of the flow, each with the state that the one before
 * has returned; one that fails fails the task, and no other is called.
 *
 * leat_local() calls them in this process. On a cluster they are called where
 * tasks run, in a process of this program that an agent has started: what they
 * leave in memory is not seen by the next one, which may be called elsewhere.
 * One whose agent or broker is lost is called again. One that ends its process,
 * or takes more than a minute, fails the task. A run that is cancelled asks no
 * handlers any more.
 */
typedef leat_state leat_handler(const leat_state_change *change, void *arg);

/* Hear of the changes of every task of a flow, or of one. */
LEAT_API void leat_on_state(leat_flow *flow, leat_handler *handler, void *arg);
LEAT_API void leat_task_on_state(leat_ref task, leat_handler *handler,
                                 void *arg);

/* In a handler: fail the task. Ends the handler as leat_fail ends a task. */
LEAT_API void leat_handler_fail(const leat_state_change *change,
                                const char *fmt, ...)
    LEAT_FORMAT(2, 3) LEAT_NORETURN;

/* ---- runs ---- */

/* What carries a run out. Fields are private; a zero one is leat_local(). */
typedef struct leat_executor {
    int kind;
    unsigned slots;
    const char *address;
} leat_executor;

/* In this process, one task after another, in the same order every time. */
LEAT_API leat_executor leat_local(void);

/*
 * By a broker and its agents: leat(1). The address, tcp://HOST[:PORT] or
 * ipc://PATH, is borrowed. This program goes there and calls the flow's
 * functions and state handlers there, as a new process for each slot: it comes
 * to leat_flow_run (or _submit, _wait, leat_main) with the same flow, and gets
 * no further. Before that it should do nothing that it would not have done many
 * times.
 *
 * With NULL a broker and an agent of this machine are started for the run and
 * gone with it, however it ends; leat_cluster_of says how many tasks at once,
 * else it is as many as there are cores.
 */
LEAT_API leat_executor leat_cluster(const char *address);
LEAT_API leat_executor leat_cluster_of(unsigned slots);

/* The store of the leat command: see leat(1), --store. */
#define LEAT_DEFAULT_STORE ""

typedef struct leat_run_options {
    json_t *parameters; /* an object; taken over */
    leat_executor executor;
    /* A folder to keep the run in; NULL: it isn't kept. A broker has its own. */
    const char *store;
    const char *name;    /* of the run, in the store */
    const char *timeout; /* of the whole run; as in leat_task_options */
    bool quiet;          /* don't pass on what tasks print */
    bool no_cache;       /* look up nothing that is cached */
} leat_run_options;

/*
 * Carry out a run of the flow. 0 if it came to an end, whatever the end: then
 * *ret is the caller's, unless ret is NULL. -1 and *err if the flow or a
 * parameter is not right, and then nothing has been started, or if the store or
 * the broker failed. `options` may be NULL. Interrupts are the program's own
 * business.
 *
 * In a process that an agent of a cluster has started to make this program's
 * calls it carries out nothing: it serves and does not return if they are
 * calls of this flow, else it fails with LEAT_ERR_INVALID. So what a program
 * does before this call it does in each such process.
 */
LEAT_API int leat_flow_run(leat_flow *flow, const leat_run_options *options,
                           leat_result **ret, leat_err *err);

/*
 * Begin a run at a broker (leat_cluster with an address) and don't wait for it:
 * *run is its number, and it is stored when this returns. Waiting for it, here
 * or in another process, then gives its result; `options` are those it was
 * submitted with, of which executor and quiet matter. ERR_INVALID if the run is
 * of another flow.
 */
LEAT_API int leat_flow_submit(leat_flow *flow, const leat_run_options *options,
                              uint64_t *run, leat_err *err);
LEAT_API int leat_flow_wait(leat_flow *flow, const leat_run_options *options,
                            uint64_t run, leat_result **ret, leat_err *err);

typedef enum leat_run_state {
    LEAT_RUN_SUCCEEDED = 1,
    LEAT_RUN_FAILED,
    LEAT_RUN_CANCELLED, /* by its time-out, or at the broker by somebody */
    LEAT_RUN_PAUSED     /* at a task with trigger manual-only */
} leat_run_state;

LEAT_API leat_run_state leat_result_run_state(const leat_result *result);
/* Have all reference tasks succeeded? */
LEAT_API bool leat_result_is_success(const leat_result *result);
/* The number of the run in the store; 0 without a store. */
LEAT_API uint64_t leat_result_run(const leat_result *result);

/*
 * What became of a task, or of leat_child of a mapped one. Anything else than a
 * task that this run has gives LEAT_WAITING, NULL or 0.
 */
LEAT_API leat_state leat_result_state(const leat_result *result, leat_ref task);
/* Its value; of a mapped task the list. Never NULL for a task of the run. */
LEAT_API json_t *leat_result_value(leat_result *result, leat_ref task);
/* Why it did not succeed; NULL if it did. */
LEAT_API const char *leat_result_cause(const leat_result *result,
                                       leat_ref task);
LEAT_API unsigned leat_result_attempts(const leat_result *result,
                                       leat_ref task);
/* How many children a mapped task has got. */
LEAT_API size_t leat_result_children(const leat_result *result, leat_ref task);
/* The value of leat_flow_set_output; null if there is none. */
LEAT_API json_t *leat_result_output(const leat_result *result);

/* A child of a mapped task, from 0; only for asking what became of it. */
LEAT_API leat_ref leat_child(leat_ref task, size_t index);

/* Before its flow is destroyed. Takes NULL inside, and sets it. */
LEAT_API void leat_result_destroy(leat_result **result_p);

/* ---- programs ---- */

typedef void leat_build_fn(leat_flow *flow);

/*
 * leat's command line for a flow that `build` adds to: run, check, plan, graph
 * and the others, with the flow's own parameters. Returns the exit status. In
 * the flow's name each underscore becomes a hyphen. With build NULL (and name
 * NULL) it is the leat command itself.
 */
LEAT_API int leat_main(int argc, char **argv, const char *name,
                       leat_build_fn *build);

/*
 * Define a flow, and a main() that is leat_main for it; once in a program.
 * LEAT_FLOW(my_flow, flow) { leat_call(flow, ...); }
 */
#define LEAT_FLOW(name, flow)                                   \
    static void leat_build_##name(leat_flow *);                 \
    int main(int argc, char **argv)                             \
    {                                                           \
        return leat_main(argc, argv, #name, leat_build_##name); \
    }                                                           \
    static void leat_build_##name(leat_flow *(flow))

#ifdef __cplusplus
}
#endif

#endif
