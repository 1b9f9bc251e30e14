/* SPDX-License-Identifier: MPL-2.0 */
/*
 * worker_impl - what the parts of the workers share: worker.c has the calls and
 * decides, worker_process.c starts a process and speaks to it, worker_end.c
 * finds out what its end means. Nobody else includes this.
 */
#ifndef AGENT_WORKER_IMPL_H
#define AGENT_WORKER_IMPL_H

#include <sys/queue.h>

#include "agent/worker.h"
#include "base/buf.h"
#include "exec/exec.h"
#include "proto/convert.h"
#include "proto/page.h"

/* What calls need, shared by those that need the same; strings behind it. */
struct need {
    size_t users;
    const char *program, *cwd; /* cwd may be NULL */
    const char *const *env;    /* or NULL */
};

struct call {
    TAILQ_ENTRY(call) link;
    uint32_t ticket;
    const struct work *work; /* borrowed */
    bool sent, begun;
    enum exec_end end; /* EXITED: none was asked for */
    bool at_once;
    struct need *need;
};

TAILQ_HEAD(call_list, call);

/* One slot: its calls, and the process that makes them. */
struct slot {
    TAILQ_ENTRY(slot) link; /* of those that have a process or calls */
    struct workers *owner;
    uint32_t number;
    bool active;
    struct call_list calls; /* those that were sent first */
    struct call *next;      /* the first that was not sent; or NULL */
    unsigned nsent;
    unsigned stops;  /* asked for since the last turn */
    unsigned barren; /* processes that ended in a row and gave nothing */
    /* The process: */
    bool alive;
    bool broken;       /* what it sent makes no sense */
    bool ending;       /* it was told to, or made to; nothing is sent */
    struct need *need; /* of the call it was started for; NULL: none */
    int fd;            /* -1: none */
    bool wants_out;    /* epoll watches for room */
    struct page *page;
    struct buf in;
    struct lane_out *out;
    size_t written;  /* of its first frame */
    uint64_t frames; /* that were handled, as they count */
    uint32_t taken_turn, taken_plain, taken_bytes;
    uint32_t last_current;
    bool stirred;        /* something went or came: look soon */
    struct call *victim; /* whom it is ended for */
    int64_t started, used, look_at, kill_at;
};

TAILQ_HEAD(slot_list, slot);

struct workers {
    struct workers_calls calls;
    struct exec *exec;
    int epoll;
    uint32_t nslot;
    struct slot **slots; /* made as they are needed */
    struct slot_list active;
    uint32_t alive;
    bool held;         /* nothing is read */
    struct need *last; /* of the last call, or NULL */
};

/* ---- calls ---- */

/* One user less; NULL is nothing. */
void need_release(struct need **self_p);
/* Can one process make calls of both? */
bool need_is_like(const struct need *a, const struct need *b);

struct call *slot_find(struct slot *self, uint32_t ticket);
/* Forget a call. */
void slot_drop(struct slot *self, struct call *call);
/* A call has ended: forget it and tell; result->ticket need not be set. */
void slot_end_call(struct slot *self, struct call *call,
                   const struct result *result);

/* ---- the process ---- */

/* Start one for this call. A failure is what becomes of the slot's calls. */
void process_start(struct slot *self, const struct call *call, int64_t now);
/* Send what was not sent yet of the calls that it is for. */
void process_send(struct slot *self);
/* Poll its socket for what is of interest now. */
void process_watch(struct slot *self);
/* Handle what it has sent. */
void process_receive(struct slot *self);
/* Take what it keeps in the page while a call goes on. */
void process_take(struct slot *self);
/* The same once it is gone. */
void process_take_rest(struct slot *self);
/* It is to end by itself: nothing more will come. */
void process_finish(struct slot *self);
/* What is here of it. */
void process_release(struct slot *self);
/* Is it one for this call? */
bool process_is_for(const struct slot *self, const struct call *call);

/* ---- its end ---- */

/* The process has ended. */
void slot_ended(struct slot *self, const struct exec_done *done);
/* None could be started. */
void slot_refuse(struct slot *self, const char *program,
                 enum item_refused refused, const char *cause);

#endif
