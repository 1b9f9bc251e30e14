/* SPDX-License-Identifier: MPL-2.0 */
/*
 * sim - the cores of broker and agents in a world of one clock and one seed.
 *
 *   story  a run: its flow, what must become of it, what becomes of it
 *   judge  what must hold of it at any time
 *   hub    the broker: its core, an edge and a store; crashes, restarts
 *   slip   tickets that are out
 *   host   an agent: its core and an edge
 *   doing  its attempts, which take their time
 *   print  what they write, and what the store has of it
 *   wire   what is on its way between a host and the hub, and gets lost
 *   faults what goes wrong, and when
 *
 * Everything that happens is an event; each is handled to its end before the
 * next. What must hold at any time is checked where it could break.
 */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "agent/core.h"
#include "base/buf.h"
#include "base/span.h"
#include "broker/core.h"
#include "store/extents.h"
#include "tests/support/fate.h"
#include "tests/support/random_flow.h"
#include "tests/support/reference_run.h"

#define SIM_HOSTS   16
#define SIM_STORIES 3

struct sim;
struct host;
struct slip;
struct story;
struct inst;

/* ---- time and chance: clock.c ---- */

typedef void event_fn(struct sim *s, void *what, uint64_t a, uint64_t b);

struct event {
    int64_t when;
    uint64_t order;
    event_fn *fn;
    void *what;
    void (*drop)(void *what); /* what is owned, if the world ends first */
    uint64_t a, b;
};

struct clock {
    struct event *heap;
    size_t n, cap;
    uint64_t norder;
};

void sim_at(struct sim *s, int64_t when, event_fn *fn, void *what, uint64_t a,
            uint64_t b);
void sim_at_owned(struct sim *s, int64_t when, event_fn *fn, void *what,
                  void (*drop)(void *), uint64_t a);
/* Handle the next; false if there is none. */
bool sim_step(struct sim *s);
void sim_clear(struct sim *s);

/* Of a hundred. */
bool sim_chance(struct sim *s, uint32_t percent);
/* lo to hi, microseconds; mostly short. */
int64_t sim_span(struct sim *s, int64_t lo, int64_t hi);

/* V=1 prints it. */
void sim_say(const struct sim *s, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Something does not hold: says what, and how to see it again. */
_Noreturn void sim_fail(const struct sim *s, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* ---- runs: story.c, judge.c ---- */

/* A task or child of a run, as those see it who look on. */
struct inst {
    struct story *story;
    struct plan_id id;
    /* What the broker has recorded; after a restart, what is committed. */
    enum plan_state state;
    uint32_t attempt;
    uint32_t final_in; /* session of the run in which its end was recorded */
    bool kept;         /* its end is from an earlier one, and stays */
    enum plan_state stored;
    uint32_t stored_attempt, running_stored;
    uint64_t stored_order;
    uint32_t mapped_in; /* session in which it got its children */
    /* The ticket that is out; 0: none. */
    uint64_t session;
    uint32_t ticket;
    /* What agents really do. */
    uint64_t begun;   /* attempts that have begun, by number */
    uint64_t genuine; /* ... and came to their own end */
    uint32_t starts, accepted, losses, given_back;
    uint32_t live; /* are being carried out now */
    bool touched;  /* a fault may have changed what becomes of it */
    /* What its state handlers have agreed to since the broker started: the
     * attempt, and the states proposed, a bit each. */
    uint32_t agreed_attempt, agreed;
    uint32_t
        came; /* the attempt of the last result, its change may be pending */
    bool stopped; /* it was cancelled by itself, in this session */
};

struct insts {
    struct inst *whole;
    struct inst **children;
    uint32_t n;
};

/* A record in the store. */
struct note {
    struct story *story;
    struct store_record record; /* owned */
    bool is_end;
    enum store_run_state state; /* of the run */
    json_t *output;
    bool is_print;
    struct store_piece piece; /* without data */
    uint64_t offset;
};

enum story_phase {
    STORY_TOLD,  /* not begun yet */
    STORY_RUNS,  /* as the store has it: running */
    STORY_RESTS, /* put aside: paused tasks */
    STORY_OVER,
};

struct story {
    struct sim *sim;
    uint64_t run;
    enum story_phase phase;
    bool ended; /* the core has ended it; not committed yet */
    enum store_run_state state;
    json_t *output;
    uint32_t session; /* times it was begun */
    char *text;       /* the flow */
    struct flow *flow;
    json_t *params;
    struct fate fate;
    struct ref_run *want;
    struct insts *insts;
    struct note *notes; /* committed */
    size_t nnote, cap_note;
    struct store_piece *prints; /* the file of output */
    size_t nprint, cap_print;
    struct extents extents; /* the store's, while a broker has the run */
    int64_t adopt_until;
    bool cancelled;
    struct plan_id *stops; /* cancelled by themselves; that is stored */
    size_t nstop, cap_stop;
    bool fell;  /* more failed than may */
    bool anew;  /* what had failed is executed again, in this session */
    bool again; /* ... or was, in one before it */
    uint32_t nfailed;
    struct plan_id *strange; /* came to another end than the reference's */
    size_t nstrange, cap_strange;
};

struct story *story_new(struct sim *s, uint64_t run);
void story_destroy(struct story **self_p);
const char *story_shown(const struct inst *inst);
struct inst *story_inst(struct story *self, struct plan_id id);
typedef void story_inst_fn(struct story *self, struct inst *inst);
void story_each(struct story *self, story_inst_fn *fn);
const struct flow_options *story_options(const struct inst *inst);
bool story_is_failure(enum plan_state state);
/* Hand it to the broker; resume: from what is committed. */
void story_begin(struct story *self, int64_t adopt_until);
/* Cancel one instance, or a whole task; it goes on. */
void story_stop(struct story *self, struct plan_id id);

/* What was out has come back. */
void story_came(const struct slip *slip, const struct result *result);
/* The broker has recorded this. */
void story_recorded(struct story *self, const struct store_record *record);
void story_committed(struct story *self, const struct note *note);
/* The broker sends it, or asks its handlers. */
void story_sent(struct story *self, const struct lane_task *task);
/* What an agent holds: the broker must let it go on. */
bool story_must_adopt(struct story *self, const struct held *held);
/* An attempt begins: how it will end, as its fate is. */
struct run_outcome story_begins(struct story *self, const struct work *work);
/* All is over: it must be as the reference says. */
void story_check_end(struct story *self);

/* What is recorded; copies. */
struct note note_new(struct story *story, const struct store_record *record);
void note_release(struct note *self);

/* ---- what is on its way: wire.c ---- */

enum way { WAY_DOWN, WAY_UP, WAY_CONTROL_DOWN, WAY_CONTROL_UP, WAY_COUNT };

enum message_kind {
    MESSAGE_TASK,
    MESSAGE_TELL,
    MESSAGE_WELCOME,
    MESSAGE_TURNED_AWAY,
    MESSAGE_HELLO,
    MESSAGE_BEAT,
    MESSAGE_STARTED,
    MESSAGE_OUTPUT,
    MESSAGE_RESULT,
    MESSAGE_GIVEN_BACK,
    MESSAGE_LEAVING,
};

/* A work that travels, and stays with the agent. */
struct parcel {
    struct work work;
    struct work_spec spec;
};

struct message {
    enum message_kind kind;
    struct host *host;
    uint64_t incarnation;
    uint64_t session;
    enum way way;
    uint64_t nth; /* of its session and way, as frames are numbered */
    int64_t when; /* it arrives, unless it is held up */
    enum broker_tell what;
    uint64_t number; /* of a result, a tell; a hello's tag */
    uint32_t ticket, epoch;
    struct parcel *parcel;
    struct output output; /* without data */
    struct result result; /* owned */
    struct beat beat;
    struct held *held;
    uint32_t *tickets;
    size_t n;
};

/* One direction of a connection. */
struct wire {
    struct message **queue; /* in order */
    size_t n, cap;
    int64_t stalled; /* nothing arrives before */
};

struct message *message_new(struct host *host, enum message_kind kind,
                            enum way way);
void message_free(void *message);
void parcel_free(struct parcel *self);
struct parcel *parcel_new(const struct work *work);
/* Takes it over. */
void wire_send(struct sim *s, struct message *message);
/* What is on its way is lost, but for the first of it. */
void wire_break(struct sim *s, struct host *host, enum way way);
/* What held it up is over. */
void wire_wake(struct sim *s, struct host *host, enum way way);
void wire_release(struct wire *self);

/* ---- an agent: host.c ---- */

/* An attempt that was started, or handlers that are called. */
struct doing {
    uint32_t own, slot;
    const struct work *work;
    struct story *story;
    struct inst *inst;
    bool handlers;
    bool call, begun, done;
    bool stopped;
    uint64_t nth; /* its end, in case that changes */
    int64_t since;
    struct run_outcome outcome;
    uint32_t origin;
    uint64_t written[3]; /* bytes, a stream */
    uint32_t *gpus;
    uint32_t ngpu;
};

struct host {
    struct sim *sim;
    uint32_t nth;
    char name[16];
    bool alive, leaving, doomed; /* doomed: it will not come back */
    int64_t paused_until;
    int64_t weak_until; /* was paused: can't fence itself off in time */
    uint64_t incarnation;
    struct agent *core;
    struct agent_info info;
    struct flow_resource resources[4];
    const char *labels[1];
    bool refuses; /* can't run programs */
    /* the edge */
    uint64_t session; /* 0: none */
    uint64_t tag;     /* of the hello that is asked; 0: none */
    uint64_t ntag;
    int64_t hello_due, beat_due, heard, tick_due;
    uint64_t nbeat;
    int64_t wake;
    struct doing *doing;
    size_t ndoing, cap_doing;
    uint64_t nnth;
    uint64_t nsent, acked; /* results in this session */
    uint64_t nkept;        /* ... that wait by themselves, of those acked */
    uint64_t printed;      /* bytes, likewise */
    /* what the broker has given it last */
    uint64_t given;    /* session; 0: it was dropped */
    uint64_t counted;  /* session, dropped or not */
    uint64_t given_to; /* incarnation */
    /* What it held then, and what that is called. */
    struct held *held;
    uint32_t *tickets;
    size_t nheld;
    /* messages in this session, that both sides count */
    uint64_t down_sent, down_got, up_sent, up_got;
    uint64_t heard_bytes; /* of output, by the broker */
    struct wire wires[WAY_COUNT];
};

void host_join(struct sim *s, struct host *self, bool fine);
void host_kill(struct host *self, bool silent);
void host_release(struct host *self);
void host_arrived(struct host *self, struct message *message);
void host_turn(struct host *self);
void host_check_empty(struct host *self);
/* Its connection is gone, and it has noticed. */
void host_lost_broker(struct host *self, int64_t since);

/* ---- attempts of an agent: doing.c ---- */

void doing_start(void *ctx, uint32_t own, uint32_t slot,
                 const struct work *work, const uint32_t *gpus, uint32_t ngpu);
void doing_stop(void *ctx, uint32_t own, bool at_once);
void doing_release(struct doing *self);

/* ---- what attempts write: print.c ---- */

/* It will write now and then until that moment. */
void print_plan(struct host *self, const struct doing *doing, int64_t until);
/* The end of an attempt tells what it has written. */
void print_sign(const struct doing *doing, struct result *result);

/* Output arrives at the broker. */
void print_arrived(struct sim *s, const struct message *message);
/* The broker says so: it must be on disk. */
void print_check_saved(struct sim *s, uint64_t session, uint64_t bytes);

/* The store writes it, or a record. */
void print_written(const struct note *note);
void print_recorded(struct story *story, const struct store_record *record);
/* A broker takes the run up: it looks into the file, if agents may have
 * something of it still. */
void print_taken_up(struct story *story, bool look);

/* ---- the broker: hub.c ---- */

/* A ticket that is out. */
struct slip {
    uint64_t session;
    uint32_t ticket;
    uint32_t attempt;
    struct inst *inst;
    bool handlers; /* of it are asked: it is no attempt */
};

/* A result that has arrived. */
struct receipt {
    uint64_t session, number;
    uint32_t ticket;
    struct inst *inst; /* NULL: the core did not want it */
    uint32_t attempt;
    enum plan_state state;
    bool refused;
    bool kept; /* acknowledgements are not for it */
};

/* Output that has arrived. */
struct heard {
    uint64_t session, upto; /* bytes of it */
    struct story *story;
    struct store_piece piece; /* without data */
    uint64_t end;             /* in its stream */
};

struct group {
    uint64_t number;
    struct note *notes;
    size_t n, cap;
    int64_t when;
};

struct hub {
    bool alive;
    int64_t paused_until;
    struct broker *core;
    uint32_t epoch;
    uint64_t nsession;
    struct slip *slips;
    size_t nslip, cap_slip;
    struct receipt *receipts;
    size_t nreceipt, cap_receipt;
    struct heard *heard;
    size_t nheard, cap_heard;
    struct group filling;
    struct group *groups; /* on their way to the disk */
    size_t ngroup, cap_group;
    int64_t commit_last;
    bool dirty;
    int64_t wake;
    uint64_t life;
};

void hub_start(struct sim *s);
void hub_crash(struct sim *s);
void hub_release(struct sim *s);
void hub_arrived(struct sim *s, struct message *message);
void hub_gone(struct sim *s, struct host *host, enum broker_gone why);
void hub_turn(struct sim *s);
/* There is one, or the broker speaks of what is none. */
struct story *hub_story(struct sim *s, uint64_t run);
/* For the group that is being filled. */
void hub_note(struct sim *s, struct note note);
/* What is in a message that arrived: arrive.c. */
void hub_take(struct sim *s, struct message *message);

/* ---- tickets that are out: slip.c ---- */

struct slip *slip_find(struct hub *hub, uint64_t session, uint32_t ticket);
void slip_add(struct sim *s, struct slip slip);
void slip_remove(struct hub *hub, struct slip *slip);
/* It is lost with its agent, or with the broker. */
void slip_lose(struct sim *s, struct slip *slip);
/* The broker may have taken back what is out. */
void slip_check(struct sim *s, struct inst *inst);
void slip_check_all(struct sim *s);

/* ---- the world ---- */

struct weather {
    bool calm;
    int64_t delay;  /* of messages, at most */
    int64_t length; /* of attempts, at most */
    int64_t commit; /* at most */
    int64_t until;  /* when faults stop */
    uint32_t nfault;
    uint32_t crashes; /* of workers, of a thousand calls */
    bool refusals;
};

struct sim {
    uint64_t seed, dice;
    bool loud;
    int64_t now;
    uint64_t nevent;
    int64_t progress; /* when something went on last */
    struct clock clock;
    struct weather weather;
    struct hub hub;
    struct host hosts[SIM_HOSTS];
    uint32_t nhost;
    struct story *stories[SIM_STORIES];
    uint32_t nstory;
    uint32_t norigin;
    bool healed;
    struct sim_counts {
        uint64_t starts, losses, crashes, adopted, late, again, answers, kept,
            known;
    } counts;
};

void faults_plan(struct sim *s);

#endif
