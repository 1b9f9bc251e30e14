/* SPDX-License-Identifier: MPL-2.0 */
/*
 * local - the local executor: one task after another, in this process.
 *
 * Commands run through exec/, one at a time; C functions are called right here
 * (so that a debugger just works), unless they have a time-out: then in a
 * forked child, so that the time-out is real. What C functions print is
 * collected while they run and passed on when they return.
 */
#ifndef LIB_LOCAL_H
#define LIB_LOCAL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "flow/diag.h"
#include "flow/flow.h"
#include "flow/run.h"
#include "store/history.h"
#include "store/store.h"

/*
 * What whoever started the run wants to see. Each may be NULL. While local_run
 * is at work, descriptors 1 and 2 may lead elsewhere (what C functions print
 * is collected): a watch writes to duplicates made before.
 */
struct local_watch {
    /* Before anything else; id is 0 without a store. */
    void (*begun)(void *ctx, uint64_t id);
    void (*changed)(void *ctx, const struct run *run,
                    const struct run_change *change);
    void (*output)(void *ctx, const struct run *run, struct plan_id id,
                   int stream, const char *data, size_t n);
    /* Every 100 ms or so while something runs: for a progress bar. */
    void (*tick)(void *ctx, const struct run *run);
    void *ctx;
};

struct local_resource {
    const char *name;
    double amount;
};

struct local_request {
    const struct flow *flow;
    json_t *params;      /* from params_bind */
    struct store *store; /* NULL: nothing is kept */
    /*
     * What to store with a new run: name, file, program, options; or for going
     * on with an earlier one its history (then `from` may name a task to be
     * executed again with all that follows it; PLAN_NONE: only what is
     * needed).
     */
    const struct store_run *info;
    const struct history *resume;
    uint32_t from;
    /* With resume: its forwarded variables are these from now on (a broker's:
     * these, and those it had besides); NULL: as before. They are in our own
     * environment already, which tasks have. */
    json_t *env;
    const struct local_watch *watch;
    /* State handlers of a C flow; see run_hooks. */
    enum plan_state (*handle)(void *ctx, struct run_change *change);
    void *handle_ctx;
    /* Readable: one byte for each interrupt; the first cancels, the second
     * kills. -1: none. */
    int interrupt_fd;
    /* What this machine has besides cpus and memory; its labels. */
    const struct local_resource *resources;
    size_t nresource;
    const char *const *labels; /* NAME=VALUE */
    size_t nlabel;
    uint32_t slots;  /* for a temporary cluster: its cpus; 0: all there are */
    bool elsewhere;  /* not on this machine: what it has does not matter */
    int64_t timeout; /* of the whole run, microseconds; 0: none */
    bool no_cache;   /* look up nothing */
    bool settled;    /* nothing else runs here: signals stay as they are */
};

struct local_result {
    enum store_run_state state;
    bool timed_out;  /* by request.timeout */
    int interrupts;  /* how many came */
    uint64_t id;     /* of the run; 0 without a store */
    struct run *run; /* as it ended; the caller's */
    json_t *output;  /* of a run that succeeded; the caller's */
    char *problem;   /* as store_run_problem, or NULL */
};

void local_result_release(struct local_result *self);

/*
 * Add what tasks ask for that this machine or program has not, at their places;
 * local_run looks too, but tells only of the first.
 */
void local_check(const struct local_request *request, struct diags *diags);

/* The same as an error. */
int local_refuse(const struct local_request *request, struct err *err);

/*
 * Carry a run out. 0 if it came to an end, whatever the end: see *ret. -1 if it
 * could not begin (nothing was started), or if the store failed meanwhile: then
 * what runs was ended, ret->run is set and the run can be gone on with.
 */
int local_run(const struct local_request *request, struct local_result *ret,
              struct err *err);

/* True while a C function runs in this process: Ctrl-C can't be waited for. */
extern volatile bool local_in_call;

#endif
