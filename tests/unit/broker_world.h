/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The broker's core among fake agents: everything it says is one line of a
 * journal, and what it has handed out is in a list.
 */
#ifndef TESTS_UNIT_BROKER_WORLD_H
#define TESTS_UNIT_BROKER_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka needs those above */
#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "broker/core.h"
#include "flow/file.h"
#include "flow/params.h"

#define HEAD          "leat: 1\nname: test\ntasks:\n"
#define MS            SPAN_MS
#define COUNT_MEMBERS 64
#define ENDED         2048

/* Something that an agent was given and has not given back or ended. */
struct given {
    broker_session session;
    uint32_t ticket;
    uint64_t run;
    struct plan_id id;
    uint32_t attempt;
    char name[64]; /* "a", "m[3]", "a#2" for a second attempt; "a?failed": its
                      handlers are asked */
};

struct member {
    broker_session session;
    char name[16];
    uint64_t incarnation;
    uint64_t number; /* of its last result */
};

struct broker_world {
    struct broker *broker;
    struct buf journal;
    struct given given[4096];
    size_t ngiven;
    struct given ended[ENDED]; /* the last of which results were sent */
    size_t nended;
    struct member members[COUNT_MEMBERS];
    size_t nmember;
    int64_t now, next, wall;
    uint64_t nrun, nsession;
    bool records, beats, env;  /* journal them too */
    const char *const *labels; /* of agents to join */
    uint32_t nlabel;
    const struct flow_resource *resources;
    uint32_t nresource;
    json_t *output;  /* of the last run that ended */
    size_t nprogram; /* of the last task */
};

static inline struct member *
member_of(struct broker_world *w, broker_session session)
{
    for (size_t i = w->nmember; i-- > 0;) {
        if (w->members[i].session == session)
            return &w->members[i];
    }
    fail_msg("no such session");
    return &w->members[0];
}

static inline struct member *
member(struct broker_world *w, const char *name)
{
    for (size_t i = w->nmember; i-- > 0;) {
        if (strcmp(w->members[i].name, name) == 0)
            return &w->members[i];
    }
    fail_msg("no agent %s", name);
    return &w->members[0];
}

static inline void
put_question(const struct work *work, struct buf *name)
{
    struct run_change change;
    struct err err;

    assert_int_equal(work_from_handle(&change, work->handle, &err), 0);
    buf_printf(name, "?%s", plan_state_names[change.state]);
}

static inline void
on_task(void *ctx, broker_session session, const struct lane_task *task)
{
    struct broker_world *w = ctx;
    struct given *g = &w->given[w->ngiven++];
    const struct run *run = broker_run_find(w->broker, task->work->spec->run);
    struct buf name = {0};

    assert_true(w->ngiven <= 4096);
    assert_int_not_equal(task->ticket, 0);
    w->nprogram = task->work->spec->nprogram;
    run_name(run, task->work->id, &name);
    if (task->work->spec->handlers)
        put_question(task->work, &name);
    if (task->work->attempt > 1)
        buf_printf(&name, "#%u", task->work->attempt);
    *g = (struct given){
        session,        task->ticket,        task->work->spec->run,
        task->work->id, task->work->attempt, ""};
    (void)snprintf(g->name, sizeof g->name, "%s", buf_str(&name));
    buf_release(&name);
    buf_printf(&w->journal, "%s task %s", member_of(w, session)->name, g->name);
    if (w->env) {
        buf_char(&w->journal, ' ');
        value_json(task->work->env, &w->journal);
    }
    buf_char(&w->journal, '\n');
}

static inline struct given *
find_ticket(struct broker_world *w, broker_session session, uint32_t ticket)
{
    for (size_t i = 0; i < ENDED; i++) {
        if (w->ended[i].session == session && w->ended[i].ticket == ticket)
            return &w->ended[i];
    }
    for (size_t i = 0; i < w->ngiven; i++) {
        if (w->given[i].session == session && w->given[i].ticket == ticket)
            return &w->given[i];
    }
    return NULL;
}

static inline void
on_tell(void *ctx, broker_session session, enum broker_tell what,
        uint64_t number)
{
    static const char *const names[TELL_COUNT] = {
        "cancel", "kill", "recall", "keep", "done",
        "saved",  "ack",  "drain",  "beat", "leave"};
    struct broker_world *w = ctx;
    const struct given *g;

    if (what == TELL_BEAT && !w->beats)
        return;
    buf_printf(&w->journal, "%s %s", member_of(w, session)->name, names[what]);
    if (what <= TELL_DONE) {
        g = find_ticket(w, session, (uint32_t)number);
        buf_printf(&w->journal, " %s", g ? g->name : "?");
    } else if (what == TELL_ACK || what == TELL_SAVED) {
        buf_printf(&w->journal, " %u", (unsigned)number);
    }
    buf_char(&w->journal, '\n');
}

static inline void
on_drop(void *ctx, broker_session session, const char *why)
{
    struct broker_world *w = ctx;

    buf_printf(&w->journal, "%s dropped: %s\n", member_of(w, session)->name,
               why);
}

static inline void
on_record(void *ctx, uint64_t run, const struct store_record *r)
{
    struct broker_world *w = ctx;

    if (!w->records)
        return;
    buf_printf(&w->journal, "%u %s", (unsigned)run, r->task);
    if (r->id.child != PLAN_WHOLE && r->key)
        buf_printf(&w->journal, "[%s]", r->key);
    else if (r->id.child != PLAN_WHOLE)
        buf_printf(&w->journal, "[#%u]", r->id.child);
    if (r->attempt > 1)
        buf_printf(&w->journal, "#%u", r->attempt);
    buf_printf(&w->journal, " %s", plan_state_names[r->state]);
    if (r->value && !json_is_null(r->value)) {
        buf_char(&w->journal, ' ');
        value_json(r->value, &w->journal);
    }
    if (r->cause)
        buf_printf(&w->journal, ": %s", r->cause);
    if (r->code >= 0)
        buf_printf(&w->journal, " (code %d, %lld ms)", r->code,
                   (long long)((r->ended - r->started) / MS));
    buf_char(&w->journal, '\n');
}

static inline void
on_ended(void *ctx, uint64_t run, enum store_run_state state,
         const json_t *output, const char *problem)
{
    struct broker_world *w = ctx;

    buf_printf(&w->journal, "run %u %s", (unsigned)run,
               store_run_state_names[state]);
    if (output && !json_is_null(output)) {
        buf_char(&w->journal, ' ');
        value_json(output, &w->journal);
    }
    if (problem)
        buf_printf(&w->journal, ": %s", problem);
    buf_char(&w->journal, '\n');
}

static inline int
setup(void **state)
{
    struct broker_world *w = mem_alloc(1, sizeof *w);
    struct broker_effects effects = {on_task,   on_tell,  on_drop,
                                     on_record, on_ended, w};

    w->broker = broker_new(&effects, 1);
    w->now = w->wall = 1000 * SPAN_SECOND;
    *state = w;
    return 0;
}

static inline int
teardown(void **state)
{
    struct broker_world *w = *state;

    broker_destroy(&w->broker);
    buf_release(&w->journal);
    free(w);
    return 0;
}

/* ---- runs ---- */

static inline struct flow *
parse(const char *text)
{
    struct diags diags = {0};
    struct buf shown = {0};
    struct flow *flow = NULL;

    if (flow_parse("test.yaml", text, strlen(text), &flow, &diags) < 0) {
        diags_print(&diags, &shown, false);
        fail_msg("%s", buf_str(&shown));
    }
    diags_release(&diags);
    return flow;
}

static inline void
submit_as(struct broker_world *w, struct broker_run *run, const char *text)
{
    struct buf problems = {0};
    json_t *given = json_object();
    json_t *bound = NULL;
    struct err err;

    run->flow = parse(text);
    assert_int_equal(params_bind(run->flow, given, &bound, &problems), 0);
    run->params = bound;
    if (!run->resume)
        run->id = ++w->nrun;
    run->seed = 1;
    assert_int_equal(broker_run_begin(w->broker, run, w->now, &err), 0);
    json_decref(given);
    json_decref(bound);
}

static inline void
submit(struct broker_world *w, const char *text)
{
    struct broker_run run = {.from = PLAN_NONE};

    submit_as(w, &run, text);
}

/* ---- turns ---- */

static inline void
tick(struct broker_world *w)
{
    w->next = broker_tick(w->broker, w->now);
}

static inline void
pass(struct broker_world *w, int64_t span)
{
    w->now += span;
    w->wall += span;
    tick(w);
}

/* Everything recorded is on disk now. */
static inline void
store(struct broker_world *w)
{
    broker_committed(w->broker, broker_seal(w->broker), w->now);
}

static inline void
check(struct broker_world *w, const char *journal)
{
    assert_string_equal(buf_str(&w->journal), journal);
    buf_clear(&w->journal);
}

/* ---- agents ---- */

static inline int
hello(struct broker_world *w, const char *name, uint32_t slots,
      uint64_t incarnation, const struct held *held, size_t nheld,
      uint32_t *tickets, struct err *err)
{
    struct member *m = &w->members[w->nmember];
    struct agent_info info = {
        .name = name,
        .host = "earth",
        .version = "1",
        .pid = 17,
        .incarnation = incarnation,
        .slots = slots,
        .resources = w->resources,
        .nresource = w->nresource,
        .labels = w->labels,
        .nlabel = w->nlabel,
    };

    m->session = ++w->nsession << 10;
    if (broker_hello(w->broker, &info, held, nheld, w->now, &m->session,
                     tickets, err) < 0)
        return -1;
    w->nmember++;
    (void)snprintf(m->name, sizeof m->name, "%s", name);
    m->incarnation = incarnation;
    m->number = 0;
    return 0;
}

static inline void
beat(struct broker_world *w, const char *name)
{
    struct beat b = {.number = 1};

    assert_true(broker_beat(w->broker, member(w, name)->session, &b, w->now));
}

static inline void
join(struct broker_world *w, const char *name, uint32_t slots)
{
    struct err err;

    if (hello(w, name, slots, 100 + w->nmember, NULL, 0, NULL, &err) < 0)
        fail_msg("%s", err.msg);
    beat(w, name);
}

/* What was given under a name, the newest; it is out of the list then. */
static inline struct given
take_given(struct broker_world *w, const char *name)
{
    for (size_t i = w->ngiven; i-- > 0;) {
        struct given g = w->given[i];

        if (strcmp(g.name, name) != 0)
            continue;
        w->ngiven--;
        memmove(&w->given[i], &w->given[i + 1],
                (w->ngiven - i) * sizeof w->given[0]);
        return g;
    }
    fail_msg("%s was not given to anybody", name);
    return (struct given){0};
}

static inline const struct given *
peek_given(struct broker_world *w, const char *name)
{
    for (size_t i = w->ngiven; i-- > 0;) {
        if (strcmp(w->given[i].name, name) == 0)
            return &w->given[i];
    }
    fail_msg("%s was not given to anybody", name);
    return &w->given[0];
}

static inline bool
send_result(struct broker_world *w, const char *name, struct result result)
{
    struct given g = take_given(w, name);

    w->ended[w->nended++ % ENDED] = g;
    result.ticket = g.ticket;
    return broker_result(w->broker, g.session,
                         ++member_of(w, g.session)->number, &result, w->now);
}

/* It ends so after a time of its own; the broker's clock stands. */
static inline void
end_as(struct broker_world *w, const char *name, enum plan_state state,
       int64_t took)
{
    struct result result = {
        .state = state,
        .code = state == PLAN_SUCCEEDED ? 0 : 1,
        .cause = state == PLAN_SUCCEEDED ? NULL : "scripted",
        .started = w->wall,
        .ended = w->wall + took,
    };

    assert_true(send_result(w, name, result));
}

static inline void
ok(struct broker_world *w, const char *name)
{
    end_as(w, name, PLAN_SUCCEEDED, SPAN_SECOND);
}

/* What handlers answer. */
static inline void
handlers_say(struct broker_world *w, const char *name, enum plan_state state,
             const char *cause)
{
    struct result result = {
        .state = PLAN_SUCCEEDED,
        .code = -1,
        .value = json_integer(state),
        .cause = cause,
        .started = w->wall,
        .ended = w->wall + 10,
    };

    assert_true(send_result(w, name, result));
    json_decref(result.value);
}

static inline void
refuse(struct broker_world *w, const char *name, enum item_refused why)
{
    struct result result = {
        .state = PLAN_CRASHED,
        .code = -1,
        .cause = why == REFUSED_PROGRAM ? "wrong architecture" : "no memory",
        .refused = why,
    };

    assert_true(send_result(w, name, result));
}

static inline void
began(struct broker_world *w, const char *name)
{
    const struct given *g = peek_given(w, name);

    assert_true(broker_started(w->broker, g->session, g->ticket, w->now));
}

static inline void
give_back(struct broker_world *w, const char *name)
{
    struct given g = take_given(w, name);

    assert_true(broker_given_back(w->broker, g.session, g.ticket, w->now));
}

static inline void
gone(struct broker_world *w, const char *name, enum broker_gone why)
{
    broker_gone(w->broker, member(w, name)->session, why, w->now);
}

static inline uint32_t
count_given(const struct broker_world *w, const char *agent)
{
    uint32_t n = 0;

    for (size_t i = 0; i < w->ngiven; i++) {
        for (size_t k = 0; k < w->nmember; k++) {
            if (w->members[k].session == w->given[i].session &&
                strcmp(w->members[k].name, agent) == 0)
                n++;
        }
    }
    return n;
}

static inline void
check_why(struct broker_world *w, uint64_t run, struct plan_id id,
          const char *text)
{
    struct buf out = {0};
    struct err err;

    assert_int_equal(broker_why(w->broker, run, id, &out, &err), 0);
    assert_string_equal(buf_str(&out), text);
    buf_release(&out);
}

/* Silence of a length, with everybody else's beats. */
static inline void
silence(struct broker_world *w, const char *of, int64_t span)
{
    for (int64_t left = span; left > 0; left -= SPAN_SECOND) {
        w->now += left < SPAN_SECOND ? left : SPAN_SECOND;
        for (size_t i = 0; i < w->nmember; i++) {
            struct beat b = {0};

            if (strcmp(w->members[i].name, of) != 0)
                (void)broker_beat(w->broker, w->members[i].session, &b, w->now);
        }
        tick(w);
    }
}

#endif
