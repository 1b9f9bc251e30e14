/* SPDX-License-Identifier: MPL-2.0 */
/*
 * core_impl - what the parts of the broker's core share: core.c turns it all,
 * lives.c and attempts.c have the runs, handlers.c what their handlers are
 * asked, ledger.c the tickets; hello.c, agents.c, acks.c, loss.c and aside.c
 * have the sessions; classes.c what asks for the same, schedule.c who gets
 * what, why.c and impossible.c the reasons. Nobody else includes this.
 */
#ifndef BROKER_CORE_IMPL_H
#define BROKER_CORE_IMPL_H

#include <sys/queue.h>

#include "base/names.h"
#include "broker/core.h"
#include "flow/work.h"
#include "proto/limits.h"

#define NO_TICKET UINT32_MAX
/* Of an agent's array; numbers of tickets have it in their lower half. */
#define PLACE_BITS 16
#define PLACES     (UINT32_C(1) << PLACE_BITS)
#define AGENT_SETS (LIMIT_AGENTS / 64)
#define MS(n)      ((int64_t)(n)*SPAN_MS)

/* Resources by number: these three, and then whatever else is named. */
enum { RESOURCE_CPUS, RESOURCE_MEMORY, RESOURCE_GPUS, RESOURCE_FIXED };

/* Bytes of memory, millionths of anything else: sums must come out even. */
struct need {
    uint32_t resource;
    int64_t amount;
};

struct room {
    int64_t has, used;
};

/* Tasks of a run that may run in the same places at the same price. */
struct class
{
    const struct flow_options *options; /* of one of them */
    struct need *needs;                 /* cpus first, always there */
    uint32_t nneed;
    uint32_t *limits; /* of the flow, by number */
    uint32_t nlimit;
    bool exclusive, program;
    bool plain;       /* one cpu and nothing else: may wait at an agent */
    uint64_t blocked; /* nobody had room for it at this version */
    int64_t unfit;    /* since when no agent is fit for it; 0: some is */
    bool told;        /* ... and that was said */
    /* Agents that have all it asks for, busy or not. */
    uint64_t fit_version;
    uint64_t fit[AGENT_SETS];
    int64_t mean; /* of attempts: see span_follow */
    uint32_t nmeasured;
    uint32_t nsent;
    int64_t
        bytes; /* of what is an attempt's own, moving; a few are looked at */
};

/* An agent that can't run the program of a run. */
struct refusal {
    broker_session session;
};

struct crash {
    struct plan_id id;
    uint32_t n;
};

/*
 * A change of state that the handlers of a task are to be asked about, by an
 * agent: waiting here, or with a ticket. What became of it meanwhile the run
 * knows.
 */
struct ask {
    TAILQ_ENTRY(ask) link; /* of those that wait */
    struct plan_id id;
    uint32_t attempt;
    enum plan_state state; /* that is proposed */
    /* The result that it comes from. */
    bool has_result;
    struct result result; /* without value and cause; its cwd is owned */
};
TAILQ_HEAD(asks, ask);

/* A run in hand. It lives at least as long as tickets and leases name it. */
struct life {
    TAILQ_ENTRY(life) link; /* in the order they began */
    struct broker *broker;
    uint64_t id;
    struct flow *flow;
    struct run *run;
    json_t *params, *env;
    char *home, *source_hash;
    void *program;
    size_t nprogram;
    struct work_spec spec; /* of the last task: children in a row share it */
    uint32_t *class_of;    /* by task */
    struct class *classes;
    uint32_t nclass;  /* of tasks; behind them that of handlers */
    bool handled;     /* some task has handlers */
    struct asks asks; /* those that wait */
    uint32_t nask;
    uint32_t *limit_used; /* by the flow's limits */
    uint32_t inflight;    /* tickets and leases */
    struct crash *crashes;
    size_t ncrash, cap_crash;
    struct refusal *refusals;
    size_t nrefusal, cap_refusal;
    char *refused; /* the last cause */
    int64_t wake, deadline;
    int64_t adopt_until, lease_until; /* after a restart; 0: not so */
    enum run_step step;
    bool unsettled; /* something happened since run_settle */
    bool cancelled, killed, timed_out;
    struct plan_id *kills; /* of run_stop: to be ended at once */
    size_t nkill, cap_kill;
    bool fell;     /* it ended itself: max-fails */
    bool recalled; /* ... and what it needs no more was asked back */
    bool adopting; /* what is handed out stays here */
    /* What the result of an instance that is being reported adds to it. */
    struct plan_id reported;
    const struct result *result;
};
TAILQ_HEAD(lives, life);

enum phase {
    PHASE_STORING, /* goes out when its record is committed */
    PHASE_SENT,
    PHASE_RUNNING,
};

struct ticket {
    struct life *life; /* NULL: free */
    struct ask *ask;   /* owned: handlers are asked; NULL: an attempt */
    struct plan_id id;
    uint32_t attempt;
    uint32_t class;
    uint32_t before, after; /* in the order they were given; free: the next */
    uint16_t nth;           /* use of this place: the ticket's upper half */
    uint8_t phase;          /* enum phase */
    bool slow;              /* may hold a slot for long */
    bool recalled;
    int64_t given;
};

/*
 * A result that is recorded nowhere yet, for its change of state is pending: the
 * handlers are asked. Its agent keeps it until that is on disk.
 */
struct kept {
    uint32_t ticket;
    uint64_t number; /* 0: it was told in an earlier session, and is to come */
    uint64_t run;
    struct plan_id id;
    uint32_t attempt;
    uint64_t group; /* with which it is safe; 0: it is pending still */
    bool told;      /* acknowledgements up to its number are not for it */
};

/* What is safe with a group: results by number, output in bytes. */
struct ack {
    uint64_t group, number, output;
};

struct peer {
    broker_session session; /* the low byte is its place */
    uint32_t place;
    struct agent_info info;        /* owned, all of it */
    enum broker_agent_state state; /* JOINING, UP, SUSPECT or AWAY */
    bool draining;
    bool dropped; /* the edge was told that it is over */
    int64_t heard, away_until, beat_due;
    int64_t pause_until, aside_until; /* 0: not so */
    char *aside;
    struct beat beat;
    uint64_t nbeat;
    struct ack got, noted; /* so far; the last with a group */
    struct ack *acks;
    size_t nack, cap_ack;
    uint32_t nexpected; /* results that were told in an earlier session */
    struct kept *kept;
    size_t nkept, cap_kept;
    uint64_t nsettled; /* see struct broker: when it was last looked at them */
    uint64_t due; /* with this group some of those told are safe; 0: none is */
    uint64_t pending; /* number of the first that is, and untold; 0: none is */
    struct ack acked; /* so far */
    int64_t acked_at; /* when it was */
    struct ticket *tickets;
    size_t cap_ticket;
    uint32_t nticket; /* places ever used */
    uint32_t free;    /* the first free one, or NO_TICKET */
    uint32_t first, last;
    uint32_t nsent, nrunning, nrecalled; /* nsent: storing too */
    uint32_t nslow;
    uint32_t window;    /* as it was last */
    struct room *rooms; /* by resource */
    uint64_t finished, succeeded;
    int64_t progress; /* last result */
    /* Attempts in a row that failed at once. */
    uint32_t streak;
    int64_t streak_since, success_at;
    uint64_t streak_run;
    uint32_t streak_task;
    bool streak_varies; /* more than one task */
};

/* An exclusive attempt that may go on at an agent that was lost. */
struct lease {
    struct life *life;
    struct plan_id id;
    uint32_t attempt;
    uint64_t incarnation;
    bool started;
    int64_t until;
    char *agent;
};

/* What is sent as soon as its record is on disk. */
struct storing {
    broker_session session;
    uint32_t ticket;
    uint64_t group;
};

struct broker {
    struct broker_effects effects;
    uint32_t epoch;
    struct lives lives;
    size_t nlife;
    struct peer *peers[LIMIT_AGENTS];
    uint32_t npeer;       /* places in use lie below it */
    int64_t agents_since; /* there are any; never 0 */
    struct lease *leases;
    size_t nlease, cap_lease;
    struct storing *storing;
    size_t nstoring, cap_storing;
    struct names resources;
    char **resource_names;
    size_t nresource, cap_resource;
    uint64_t version;     /* of the world: room was freed, an agent came */
    uint64_t fit_version; /* of the agents and what they have */
    uint64_t group;       /* being filled */
    uint64_t committed;
    bool recorded;       /* something is in it */
    uint64_t nsettled;   /* asks that are settled, so far */
    struct life **ready; /* that have something to hand out */
    size_t nready, cap_ready;
    struct peer *roomy[LIMIT_AGENTS]; /* with a free cpu, or part of one */
    size_t nroomy;
    struct buf key, item; /* of the last */
    struct broker_counts counts;
};

/* ---- lives.c ---- */

struct life *broker_life_find(const struct broker *self, uint64_t run);
void broker_life_destroy(struct life **self_p);
void broker_life_settle(struct life *self, int64_t now);
void broker_life_cancel(struct life *self, bool at_once, int64_t now);
/* It is to be ended, all of the run or it by itself; and so. */
bool broker_life_is_ending(const struct life *self, struct plan_id id,
                           enum broker_tell *how);
/* Its end, if it has come: then the life is gone. */
bool broker_life_end(struct life *self);
/* Recall what has not started: the run needs it no more. */
void broker_life_fell(struct life *self);

/* ---- attempts.c ---- */

/* The run tells of a change. */
void broker_life_changed(void *ctx, const struct run_change *change);
/* Report the end of an attempt; of the result all but the ticket. */
void broker_life_report(struct life *self, struct plan_id id,
                        const struct result *result, int64_t now);
void broker_life_end_as(struct life *self, struct plan_id id,
                        enum plan_state state, const char *cause, int64_t now);
/* As its run is, or it by itself. */
void broker_life_end_cancelled(struct life *self, struct plan_id id,
                               int64_t now);
/* It was started and its agent is lost; blamed or not. */
void broker_life_lost(struct life *self, struct plan_id id, const char *agent,
                      bool blame, int64_t now);
void broker_life_give_back(struct life *self, struct plan_id id);
/* An attempt has begun: a record, if it is worth one. */
void broker_life_started(struct life *self, struct plan_id id,
                         uint32_t attempt);
/* All that carrying out an attempt takes, until the next one; false: it has been
 * reported. */
bool broker_life_work(struct life *self, struct plan_id id, struct work *work,
                      int64_t now);

/* ---- handlers.c ---- */

/* A hook of the run. */
enum plan_state broker_life_handle(void *ctx, struct run_change *change);
/* The first that waits, out of the queue; NULL: there is none (any more). */
struct ask *broker_ask_take(struct life *life);
/* It was not answered, and nobody is to blame. Takes it. */
void broker_ask_again(struct life *life, struct ask *ask);
/* What came back. Takes it. */
void broker_ask_result(struct life *life, struct ask *ask,
                       const struct result *result);
/* Nobody who is there can run the program. */
void broker_asks_refuse(struct life *life, const char *cause);
/* The run was cancelled: what waits is as it was proposed. */
void broker_asks_cancel(struct life *life);
bool broker_ask_is_pending(const struct life *life, const struct ask *ask);
/* What this attempt was told to have come to waits for handlers. */
bool broker_life_is_asking(const struct life *life, struct plan_id id,
                           uint32_t attempt);
/* To the agent that it has a ticket of. */
void broker_ask_send(struct broker *self, struct peer *peer,
                     const struct ticket *t);
void broker_ask_destroy(struct life *life, struct ask **ask_p);
/* Those that an agent (or NULL) has tickets of, at the end of all. */
void broker_asks_forget(const struct peer *peer);

/* ---- ledger.c ---- */

/* NULL: it has as many as can be. Valid until the next. */
struct ticket *broker_ticket_add(struct peer *peer, struct life *life,
                                 struct plan_id id, uint32_t attempt,
                                 enum phase phase, int64_t now);
/* Takes the ask, if there is a place. */
struct ticket *broker_ticket_add_ask(struct peer *peer, struct life *life,
                                     struct ask *ask, int64_t now);
struct ticket *broker_ticket_find(const struct peer *peer, uint32_t number);
uint32_t broker_ticket_number(const struct peer *peer, const struct ticket *t);
void broker_ticket_remove(struct broker *self, struct peer *peer,
                          struct ticket *t);
void broker_ticket_send(struct broker *self, struct peer *peer,
                        struct ticket *t, int64_t now);
void broker_ticket_recall(struct broker *self, struct peer *peer,
                          struct ticket *t);
/* What waited for the groups that are committed now. */
void broker_send_stored(struct broker *self, int64_t now);

/* Is it this instance, or (child PLAN_WHOLE) one of this task? */
bool broker_is_of(struct plan_id id, struct plan_id all);

/* ---- agents.c ---- */

struct peer *broker_peer_find(const struct broker *self,
                              broker_session session);
/* May be given something now, or asked. One that drains is asked as long as
 * it holds results that wait for handlers: it can't leave before, and there may
 * be nobody else. */
bool broker_peer_takes(const struct peer *self, bool asks);
/* It has a ticket for one more, and a hello has room for it. */
bool broker_peer_has_places(const struct peer *self);
/* What it is told may arrive; else it is told once it is up. */
bool broker_peer_has_lane(const struct peer *self);
int64_t broker_peers_tick(struct broker *self, int64_t now);
enum broker_agent_state broker_peer_state(const struct peer *self);

/* ---- acks.c ---- */

/*
 * An agent that says hello has a result that was told before: the nth of what it
 * holds. It may not be on disk, and must be kept until then. So it comes again,
 * and is acknowledged like any other; returns what it is called, which is no
 * ticket that is ever given out.
 */
uint32_t broker_acks_expect(const struct broker *self, struct peer *peer,
                            const struct held *held, uint32_t nth);
/* A result of no ticket that is out. */
void broker_acks_known(struct peer *peer, uint32_t ticket, uint64_t number);
/* A result that has come is safe only when its change is. */
void broker_acks_keep(struct peer *peer, const struct ticket *t,
                      uint32_t ticket, uint64_t number);
void broker_acks_note(struct broker *self, uint64_t group);
/* Returns when to ask again. */
int64_t broker_acks_send(struct broker *self, int64_t now);

/* ---- hello.c ---- */

void broker_peer_destroy(struct peer **self_p);

/* ---- aside.c ---- */

/* What a result says of the agent that it comes from. */
void broker_peer_judge(struct broker *self, struct peer *peer,
                       const struct ticket *t, const struct result *result,
                       int64_t now);

/* ---- loss.c ---- */

enum loss {
    LOSS_AGENT,   /* nothing is known of it any more */
    LOSS_LEFT,    /* it said that it leaves, and has ended everything */
    LOSS_ATTEMPT, /* it is well, but holds this attempt no more */
};

/* Tell the edge, once, that the session is over. */
void broker_peer_drop(struct broker *self, struct peer *peer, const char *why);
/* ... with all that it held; the peer is gone then. */
void broker_peer_lose(struct broker *self, struct peer *peer, enum loss loss,
                      const char *why, int64_t now);
void broker_ticket_lose(struct broker *self, struct peer *peer,
                        struct ticket *ticket, enum loss why, int64_t now);
void broker_lease_remove(struct broker *self, size_t i);
int64_t broker_leases_tick(struct broker *self, int64_t now);
/* Of a run that is cancelled; or only of one instance, or of a whole task. */
void broker_leases_drop(struct broker *self, const struct life *life,
                        const struct plan_id *only);

/* ---- classes.c ---- */

uint32_t broker_resource(struct broker *self, const char *name);
void broker_rooms_init(struct broker *self, struct peer *peer);
const char *broker_label(const struct agent_info *info, const char *name);
bool broker_is_refused(const struct life *life, const struct peer *peer);
void broker_classes_init(struct life *life);
void broker_classes_release(struct life *life);
/* Count the room of an attempt in (+1) or out (-1), at an agent or (NULL) only
 * what the flow's limits say. */
void broker_class_occupy(struct life *life, struct class *class,
                         struct peer *peer, int sign);
bool broker_class_is_fit(struct life *life, struct class *class,
                         const struct peer *peer);
bool broker_class_has_fit(struct life *life, struct class *class);
/* All that has what it asks for, but can't run the program, if any. */
bool broker_class_is_refused(const struct life *life,
                             const struct class *class);
bool broker_class_has_room(const struct class *class, const struct peer *peer);
bool broker_class_is_limited(const struct life *life,
                             const struct class *class);

/* ---- measure.c ---- */

void broker_class_measure(struct class *class, int64_t took);
/* Look at what goes along with an attempt, now and then. */
void broker_class_weigh(struct class *class, const struct work *work);
/* It is known, and short enough to lie in wait at an agent. */
bool broker_class_is_short(const struct class *class);

/* ---- schedule.c ---- */

void broker_schedule(struct broker *self, int64_t now);
/* Ask for tickets back that others could begin sooner; when to look again. */
int64_t broker_rebalance(struct broker *self, int64_t now);

/* ---- impossible.c ---- */

/* "4 gpus", "1.5 GiB of memory"; without what it is of. */
void broker_say_amount(const struct broker *self, uint32_t resource,
                       int64_t units, struct buf *out);
void broker_say_bare(uint32_t resource, int64_t units, struct buf *out);
bool broker_has_label(const struct peer *peer, const struct flow_bind *where);
size_t broker_count_agents(const struct broker *self);

#endif
