/* SPDX-License-Identifier: MPL-2.0 */
/*
 * core_impl - what the parts of the agent's core share: core.c takes in events,
 * entry.c knows what is held, queue.c starts it, spool.c keeps results and
 * sessions, outbox.c output. Nobody else includes this.
 */
#ifndef AGENT_CORE_IMPL_H
#define AGENT_CORE_IMPL_H

#include <sys/queue.h>

#include "agent/core.h"
#include "agent/outbox.h"
#include "agent/room.h"

#define NONE UINT32_MAX
/* Attempts in hand: LIMIT_HELD, and what is being ended as nobody wants it. */
#define PLACES AGENT_PLACES

enum phase {
    FREE,
    QUEUED,
    STARTED, /* handed out by the effect start */
    SPOOLED,
};

/* What it is found by: its ticket, or what it is an attempt of. */
enum { BY_TICKET, BY_ATTEMPT, NAME_COUNT };

struct name {
    uint64_t key;
    uint32_t next; /* entry in the same chain */
};

/* Chains by the lower bits of their keys, which follow each other as a rule. */
struct lookup {
    uint32_t *first;
    uint32_t size; /* a power of two */
    uint32_t n;
};

/* What is held is chained by numbers: the array moves when it grows. */
struct chain {
    uint32_t first, last;
    uint32_t n;
};

/* An attempt that is held. */
struct entry {
    uint32_t ticket; /* in this session; 0: nobody wants it any more */
    uint16_t age;    /* how often this place was used: part of `own` */
    uint8_t phase;
    bool began;
    bool cancelled; /* ... before it began: then it does not begin again */
    bool fenced;
    bool exclusive;
    bool handlers;         /* not an attempt; of this session only */
    bool kept;             /* SPOOLED: acknowledgements are not for it */
    uint32_t next, before; /* in its chain */
    uint64_t order;        /* of arrival */
    struct request *request;
    const struct work *work; /* borrowed from the edge until it has ended */
    struct room_given given;
    struct name names[NAME_COUNT];
    struct held held;
    struct result result; /* SPOOLED: owned */
    uint64_t number;      /* of the result; 0: not sent in this session */
};

/* Tasks that need the same wait in one queue. */
struct request {
    TAILQ_ENTRY(request) link;
    enum room_kind kind;
    bool guarded; /* exclusive, at-most-once: starts in a session only */
    bool blocked; /* there was no room for it in this turn */
    uint32_t users;
    struct chain queue;
    uint32_t nneed;
    struct room_need needs[];
};

/* How long calls of a task take; another one may take the place. */
struct measure {
    uint64_t run;
    uint32_t task;
    bool handlers;
    int64_t mean; /* see span_follow */
};

#define MEASURES 1024

struct agent {
    struct agent_effects effects;
    struct agent_config config; /* resources: NULL, see room */
    struct room *room;
    int64_t born;
    bool draining;
    int64_t idle_since; /* SPAN_NEVER: it has something, or nobody looked */
    bool idle_over;

    bool in_session;
    int64_t alone_since; /* SPAN_NEVER: nobody has said since when */
    bool is_fenced;      /* all exclusive ones were ended, none can start */
    uint32_t epoch;
    uint64_t last; /* number of a result */

    struct entry *entries;
    size_t cap_entry;
    uint32_t nentry;    /* places ever used */
    struct chain empty; /* ... and free now; the longest free goes first */
    struct lookup names[NAME_COUNT];
    uint64_t norder;
    uint32_t count[SPOOLED + 1]; /* of entries by phase */

    TAILQ_HEAD(, request) requests;
    struct request *small; /* the one of ROOM_SHORT, which stays; or NULL */
    struct chain spool;    /* in the order of numbers */
    struct chain kept;     /* results of this session, out of their order */
    struct outbox outbox;
    struct measure *measures;

    struct held *held; /* the last hello's */
    uint32_t *held_own;
    size_t nheld;
};

/* ---- entry.c ---- */

void agent_chain_add(struct agent *self, struct chain *chain, uint32_t i);
void agent_chain_remove(struct agent *self, struct chain *chain, uint32_t i);

/* A place, with nothing but its order; its phase is FREE still. */
uint32_t agent_entry_new(struct agent *self);
uint32_t agent_entry_own(const struct agent *self, uint32_t i);
/* NONE: there is none with that name. */
uint32_t agent_entry_by_own(const struct agent *self, uint32_t own);
uint32_t agent_entry_by_ticket(const struct agent *self, uint32_t ticket);
/* Names: one may be taken away twice. The first entry with that key, or the
 * next one after i. */
void agent_name_add(struct agent *self, unsigned kind, uint32_t i,
                    uint64_t key);
void agent_name_remove(struct agent *self, unsigned kind, uint32_t i);
uint32_t agent_name_find(const struct agent *self, unsigned kind, uint64_t key);
uint32_t agent_name_next(const struct agent *self, unsigned kind, uint32_t i);
void agent_names_clear(struct agent *self, unsigned kind);
void agent_entry_set_phase(struct agent *self, uint32_t i, enum phase phase);
/* It waits no more, or runs no more: room and work are given back. */
void agent_entry_let_go(struct agent *self, uint32_t i);
/* Nobody wants it any more: it is not found by its ticket. */
void agent_entry_disown(struct agent *self, uint32_t i);
void agent_entry_free(struct agent *self, uint32_t i);
/* To the broker: one that is queued, or all attempts that are. */
void agent_entry_give_back(struct agent *self, uint32_t i);
void agent_entry_give_back_all(struct agent *self);

/* ---- queue.c ---- */

/* A new one. False: there will never be room for it; says why. */
bool agent_queue_add(struct agent *self, uint32_t i, struct buf *why);
/* It was started, but has not begun: back to its place. */
void agent_queue_again(struct agent *self, uint32_t i);
/* Out of the queue, or its room back. */
void agent_queue_leave(struct agent *self, uint32_t i);
/* It has ended, and took so long. */
void agent_queue_measure(struct agent *self, uint32_t i,
                         const struct result *result);
/* Start what has room. */
void agent_queue_start(struct agent *self);

/* ---- spool.c ---- */

/* Let it go and keep its result (copied), to be sent when there is a session. */
void agent_spool_add(struct agent *self, uint32_t i,
                     const struct result *result);

#endif
