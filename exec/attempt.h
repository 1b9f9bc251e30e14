/* SPDX-License-Identifier: MPL-2.0 */
/*
 * attempt - one attempt of a struct exec, from start to end.
 *
 * It has its descriptors registered in the host's epoll, each with a struct
 * attempt_source as data, and is told what happens: attempt_event, then
 * attempt_advance. See exec.h for the states.
 */
#ifndef EXEC_ATTEMPT_H
#define EXEC_ATTEMPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/err.h"
#include "exec/exec.h"
#include "exec/output.h"
#include "exec/spawn.h"
#include "exec/tree.h"

/* What all attempts of a struct exec share. */
struct attempt_host {
    int epoll;
    int null; /* /dev/null */
    struct spawn_context spawn;
    bool held;    /* pipes are not read */
    int children; /* see tree_open_children, or -1 */
    size_t nmain; /* main processes that were not waited for */
    rlim_t mark;  /* of the next attempt */
    struct tree_marks marks;
    bool has_marks;            /* they were read in this turn of the loop */
    char *chunk;               /* ATTEMPT_CHUNK bytes to read into */
    exec_output_fn *on_output; /* or NULL */
    void *ctx;
};

#define ATTEMPT_CHUNK (64u << 10) /* what a pipe holds */

enum attempt_from {
    FROM_STDOUT = EXEC_STDOUT,
    FROM_STDERR = EXEC_STDERR,
    FROM_RESULT, /* of a call */
    FROM_MAIN,   /* the main process has ended */
    FROM_REST,   /* another process of the tree has */
    FROM_COUNT
};

struct attempt;

struct attempt_source {
    struct attempt *attempt;
    enum attempt_from from;
    int fd;     /* -1: none */
    int theirs; /* the other end of a pipe, held here too; -1: closed */
};

enum attempt_stage {
    ATTEMPT_RUNNING,
    ATTEMPT_DRAINING, /* the main process has ended by itself */
    ATTEMPT_TERM_SENT,
    ATTEMPT_KILL_SENT,
};

struct attempt {
    TAILQ_ENTRY(attempt) link;
    struct attempt_host *host; /* borrowed */
    struct tree tree;
    struct attempt_source sources[FROM_COUNT];
    struct output outputs[EXEC_STREAM_COUNT];
    enum attempt_stage stage;
    int64_t deadline;    /* of the stage, monotonic, or SPAN_NEVER */
    int64_t drain_until; /* once main has ended: for pipes to be closed */
    int64_t timeout;
    int64_t grace;
    int64_t peak;          /* of this process when it started main */
    int status;            /* main's, from wait4 */
    bool lost;             /* somebody else has taken the status */
    bool exited;           /* main has ended */
    bool together;         /* and was killed with all the others */
    bool drain;            /* the hold is over under which main has ended */
    bool look;             /* for what is left of the tree */
    bool gone;             /* nothing is left */
    pid_t immortal;        /* left, after KILL; 0: none */
    struct exec_done done; /* filled in as it becomes known */
};

TAILQ_HEAD(attempt_list, attempt);

/*
 * As exec_start. A command that can't be started gives an attempt that has
 * ended: attempt_advance says so.
 */
int attempt_start(struct attempt **ret, struct attempt_host *host,
                  const struct exec_spec *spec, int64_t now, struct err *err);
/* Of one that has ended. */
void attempt_destroy(struct attempt **self_p);

void attempt_event(struct attempt *self, enum attempt_from from, int64_t now);

/* What is due is done; true if it has ended, with its whole tree. */
bool attempt_advance(struct attempt *self, int64_t now);

/* Now and then: reap what was orphaned. */
void attempt_tidy(struct attempt *self);

/* End it for a reason: TERM, later KILL, or KILL at once. */
void attempt_stop(struct attempt *self, enum exec_end end, bool at_once,
                  int64_t now);

/* The host has begun to hold, or ended it; attempt_advance follows. */
void attempt_hold(struct attempt *self);

/* When attempt_advance is to be called at the latest. */
int64_t attempt_deadline(const struct attempt *self);

/* Complete self->done, which then is the caller's. */
void attempt_finish(struct attempt *self);

#endif
