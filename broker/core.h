/* SPDX-License-Identifier: MPL-2.0 */
/*
 * core - the broker's rules: events in, effects out. No I/O, no clock.
 *
 * Holds the runs that go on (a struct run each), the agents, and for each agent
 * a ledger: the tickets it has been given and whose results are not here yet.
 * That is the set at risk; when the agent is lost, requeue is a walk over it.
 *
 *   agent:  hello --> [JOINING] --first beat--> [UP] --3 s silent--> [SUSPECT]
 *                         |                      | |  <--beat-----------'  |
 *                         |     broker_drain: [DRAINING]        10 s silent  |
 *                         '-------- connection gone: [AWAY] ---- 1 s ------+--> lost
 *
 *   attempt: ready --task--> [SENT] --started--> [RUNNING] --result--> reported
 *                              | given back, agent lost      | agent lost
 *                              v (does not count)            v
 *                            ready                 CRASHED: blamed, at most
 *                                                  LIMIT_CRASHES times
 *
 * `now` is monotonic microseconds. What the core wants stored is in groups: the
 * edge seals a group when it hands it to the store, and says when it is
 * committed; results and output are acknowledged then, and what must be on disk
 * before it starts (at-most-once) is sent then.
 */
#ifndef BROKER_CORE_H
#define BROKER_CORE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "flow/flow.h"
#include "flow/run.h"
#include "proto/items.h"
#include "store/history.h"
#include "store/store.h"

struct broker;

/* What an agent is told besides tasks. */
enum broker_tell {
    TELL_CANCEL, /* number: a ticket; TERM, then KILL */
    TELL_KILL,   /* a ticket */
    TELL_RECALL, /* a ticket: give it back if it has not started */
    TELL_KEEP,   /* a ticket: no TELL_ACK is for its result */
    TELL_DONE,   /* a ticket: ... which is safe now */
    TELL_SAVED,  /* number: so many bytes of output are safe; before TELL_ACK */
    TELL_ACK,    /* results up to this number are safe */
    TELL_DRAIN,
    TELL_BEAT,  /* number: counts */
    TELL_LEAVE, /* this session is over */
    TELL_COUNT
};

/* An agent's session: hello to loss. Numbers are never used again, and known to
 * that agent only: who knows one is believed. */
typedef uint64_t broker_session;

struct broker_effects {
    /* Down the lane, in this order. The edge batches and sends at the end of
     * its turn. *task is valid during the call. */
    void (*task)(void *ctx, broker_session agent, const struct lane_task *task);
    void (*tell)(void *ctx, broker_session agent, enum broker_tell what,
                 uint64_t number);
    /* The session is over: destroy the lane. */
    void (*drop)(void *ctx, broker_session agent, const char *why);
    /* To be stored, in this order; valid during the call. Also from inside
     * broker_run_begin. Of state RUNNING started is 0, for the core knows no
     * wall clock: now. */
    void (*record)(void *ctx, uint64_t run, const struct store_record *record);
    /* A run has come to its end, or (INTERRUPTED) is put aside. The core has
     * forgotten it when this returns. problem: as store_run_problem. Only from
     * inside broker_tick. */
    void (*ended)(void *ctx, uint64_t run, enum store_run_state state,
                  const json_t *output, const char *problem);
    void *ctx;
};

struct broker *broker_new(const struct broker_effects *effects, uint32_t epoch);
void broker_destroy(struct broker **self_p);

/* ---- runs ---- */

struct broker_run {
    uint64_t id;
    struct flow *flow;   /* checked; taken over */
    json_t *params;      /* borrowed, incref'ed */
    const char *home;    /* where it was asked for, or NULL */
    const void *program; /* see struct work_spec */
    size_t nprogram;
    const char *source_hash;
    json_t *env;     /* forwarded variables, an object, or NULL; borrowed. They
                    are like the surroundings: a task's own env goes first */
    int64_t timeout; /* of the whole run; 0: none */
    uint64_t seed;
    /* Going on with an earlier session: kept results, and (from) a task to be
     * executed again; PLAN_NONE: only what is needed. */
    const struct history *resume;
    uint32_t from;
    /* What had been cancelled of it in the session that goes on. */
    const struct plan_id *stops;
    size_t nstop;
    /* After a restart of the broker: what was running may still be held by
     * agents; nothing that had been started is started anew before `until`. */
    int64_t adopt_until; /* 0: not so */
};

/*
 * Begin; run->flow is taken over also if that fails (ERR_LIMIT: too many).
 * ERR_IMPOSSIBLE is not told here: agents may come; see broker_why and
 * broker_impossible.
 */
int broker_run_begin(struct broker *self, const struct broker_run *run,
                     int64_t now, struct err *err);
/* Start nothing more, end what runs; at_once: KILL. Unknown runs: nothing. */
void broker_run_cancel(struct broker *self, uint64_t run, bool at_once,
                       int64_t now);
/* The same with one instance, or with a whole task; the run goes on. */
void broker_run_stop(struct broker *self, uint64_t run, struct plan_id id,
                     bool at_once, int64_t now);
/* Let paused tasks of the run go on. */
void broker_run_approve(struct broker *self, uint64_t run, int64_t now);
/* The run in hand, or NULL. */
const struct run *broker_run_find(const struct broker *self, uint64_t run);
size_t broker_run_count(const struct broker *self);
/* The hashes, in a row, of the programs that runs in hand may still need. */
void broker_run_programs(const struct broker *self, struct buf *out);

/*
 * Why an instance that waits does so: sentences, one a line: what it waits for;
 * for one that is ready which agents can't take it and why. ERR_NOT_FOUND.
 */
int broker_why(const struct broker *self, uint64_t run, struct plan_id id,
               struct buf *out, struct err *err);

/*
 * A ready task of the run that no agent there is could ever run, since a second
 * or longer: what it asks for and what there is, as one sentence. False if
 * there is none (or there are no agents at all: then it waits for them).
 */
bool broker_impossible(const struct broker *self, uint64_t run, int64_t now,
                       struct buf *out);

/* The same of all runs: each such kind of task once, and again if meanwhile
 * some agent could. id: of the first task of the kind, all of it. */
typedef void broker_impossible_fn(void *ctx, uint64_t run, struct plan_id id,
                                  const char *text);
void broker_tell_impossible(struct broker *self, int64_t now,
                            broker_impossible_fn *fn, void *ctx);

/* ---- agents ---- */

/*
 * An agent says hello. *session, random before, is its new one; tickets[i]
 * (nheld of them) are what the held attempts are called from now on, 0: the
 * agent is to forget it (and end it if it runs); no ticket, but a name for a
 * result that is known already and may not be committed: it comes again. An
 * earlier session of the same incarnation ends here: what it does not hold any
 * more is requeued. ERR_INVALID: another agent has that name and is well;
 * ERR_LIMIT: too many.
 */
int broker_hello(struct broker *self, const struct agent_info *info,
                 const struct held *held, size_t nheld, int64_t now,
                 broker_session *session, uint32_t *tickets, struct err *err);

/* What came back. Sessions and tickets that are not known (any more) are counted
 * and dropped: false. */
bool broker_beat(struct broker *self, broker_session agent,
                 const struct beat *beat, int64_t now);
bool broker_started(struct broker *self, broker_session agent, uint32_t ticket,
                    int64_t now);
/* number: of the result, for the acknowledgement; 0: it is the edge's own word
 * (too large to travel, cached). result->value is borrowed. */
bool broker_result(struct broker *self, broker_session agent, uint64_t number,
                   const struct result *result, int64_t now);
/* Results before this number have not come. */
bool broker_misses(const struct broker *self, broker_session agent,
                   uint64_t number);
/* Not all that came back has been read: who was not heard may have spoken. */
void broker_unheard(struct broker *self, int64_t now);
/* One that was not asked to do so is leaving: it is given nothing more. */
bool broker_given_back(struct broker *self, broker_session agent,
                       uint32_t ticket, int64_t now);
/*
 * n bytes of output, which the edge puts into the open group; *ret: of what.
 * What is of no ticket is counted, too: the agent is to forget it.
 */
struct broker_attempt {
    uint64_t run;
    struct plan_id id;
    uint32_t attempt;
};
bool broker_output(struct broker *self, broker_session agent, uint32_t ticket,
                   size_t n, int64_t now, struct broker_attempt *ret);
/* Whose ticket this is. */
bool broker_find(const struct broker *self, broker_session agent,
                 uint32_t ticket, uint64_t *run, struct plan_id *id,
                 uint32_t *attempt);

enum broker_gone {
    GONE_LEFT,       /* it said so: nothing is held any more */
    GONE_CONNECTION, /* may say hello again within a second */
    GONE_STUCK,      /* its lane takes nothing */
};
void broker_gone(struct broker *self, broker_session agent,
                 enum broker_gone why, int64_t now);
/* Give it nothing more; it leaves when it has nothing left. By name. */
int broker_drain(struct broker *self, const char *name, struct err *err);

enum broker_agent_state {
    AGENT_JOINING,
    AGENT_UP,
    AGENT_SUSPECT,
    AGENT_DRAINING,
    AGENT_AWAY,
    AGENT_ASIDE, /* everything fails there at once: set aside for a while */
    AGENT_STATE_COUNT
};

extern const char *const broker_agent_state_names[AGENT_STATE_COUNT];

struct broker_agent {
    broker_session session;
    const struct agent_info *info;
    enum broker_agent_state state;
    uint32_t sent, running; /* of its ledger */
    uint32_t window;
    uint64_t finished; /* results, in this session */
    struct beat beat;
    int64_t heard;     /* monotonic */
    const char *aside; /* why, or NULL */
};
/* In order of name; fn returns false to stop. */
typedef bool broker_agent_fn(void *ctx, const struct broker_agent *agent);
void broker_agents(const struct broker *self, broker_agent_fn *fn, void *ctx);

/* ---- the store ---- */

/* Everything recorded so far is one group; its number, from 1. */
uint64_t broker_seal(struct broker *self);
/* The groups up to this one are committed. */
void broker_committed(struct broker *self, uint64_t group, int64_t now);

/*
 * Do what is due and hand out what is ready. The edge calls it once a turn,
 * after the events. Returns when it wants to be called next at the latest,
 * monotonic; SPAN_NEVER: only after an event.
 */
int64_t broker_tick(struct broker *self, int64_t now);

struct broker_counts {
    uint64_t tasks, results, late, requeued, lost_agents;
};
struct broker_counts broker_counts(const struct broker *self);

#endif
