/* SPDX-License-Identifier: MPL-2.0 */
/*
 * items - what travels between broker and agent, as plain structs: the words
 * in which both cores speak, whatever carries them.
 *
 * A ticket names an attempt on its way between one broker and one agent: it is
 * given out by the broker, is never 0, and lives until the broker has the
 * result or has taken the attempt back. Tickets mean nothing outside their
 * session: one hello of an agent, one lane. All pointers are borrowed for the
 * call.
 */
#ifndef PROTO_ITEMS_H
#define PROTO_ITEMS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "flow/flow.h"
#include "flow/plan.h"
#include "flow/work.h"

enum spec_flag {
    SPEC_EXCLUSIVE = 1 << 0,
    SPEC_AT_MOST_ONCE = 1 << 1,
    SPEC_CREATES = 1 << 2,
    SPEC_HANDLERS = 1 << 3,
};

/* A task on its way to an agent. */
struct lane_task {
    uint32_t ticket;
    const struct work *work;
};

/* Why an agent could not even start an attempt: another one may. */
enum item_refused {
    REFUSED_NOT,
    REFUSED_PROGRAM, /* can't run the flow's program: other architecture, ... */
    REFUSED_SHORT,   /* of processes, memory, descriptors; for the moment */
    REFUSED_COUNT
};

struct result {
    uint32_t ticket;
    enum plan_state state; /* final, or RETRYING: the task asks for it */
    /* NULL is null. Of state handlers that came to an end (SUCCEEDED): what
     * they answered, enum plan_state; cause: why, or NULL as it was. */
    json_t *value;
    const char *cause;      /* or NULL */
    int code;               /* exit code or signal; -1: none */
    int64_t started, ended; /* wall, microseconds */
    int64_t cpu, memory;
    const char *cwd; /* where it ran, if not where the run was asked for */
    enum item_refused refused; /* then state is CRASHED, cause says why */
};

/*
 * A piece of output. An attempt that was not known to have begun may be given
 * out again under its number: origin tells those that carry it out apart, for
 * as long as they do; 0: nobody counts its bytes, as from a worker, or what
 * handlers write.
 */
struct output {
    uint32_t ticket;
    int stream; /* 1, 2; 0: leat's own words */
    uint32_t origin;
    uint64_t offset; /* of the first byte in that stream of that origin */
    int64_t when;    /* wall */
    const char *data;
    size_t n;
};

enum held_phase {
    HELD_QUEUED,
    HELD_RUNNING,
    HELD_FINISHED, /* its result is spooled */
    HELD_COUNT
};

/* An attempt that an agent already has when it says hello. */
struct held {
    uint64_t run;
    struct plan_id id;
    uint32_t attempt;
    uint32_t epoch; /* of the broker that gave it out */
    enum held_phase phase;
};

struct agent_info {
    const char *name; /* unique in a cluster: the host's, or --name */
    const char *host;
    const char *version;
    uint32_t pid;
    uint64_t incarnation; /* random, once a process */
    uint32_t slots;
    /* cpus, memory (bytes), gpus, or any other: what tasks may ask for */
    const struct flow_resource *resources;
    uint32_t nresource;
    const char *const *labels; /* NAME=VALUE */
    uint32_t nlabel;
};

struct beat {
    uint64_t number;
    uint32_t queued, running;
    double load;
    uint64_t memory; /* available, bytes */
};

#endif
