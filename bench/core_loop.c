/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The broker's rules alone: a mapped C task of n children, agents of four slots
 * each that end everything at once, nothing sent and nothing stored.
 *
 *     core_loop [tasks] [agents]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "broker/core.h"
#include "flow/file.h"
#include "flow/params.h"

struct queue {
    broker_session session;
    uint32_t *tickets;
    size_t n, cap;
    uint64_t number;
};

struct bench {
    struct broker *broker;
    struct queue agents[LIMIT_AGENTS];
    size_t nagent;
    uint64_t nrecord;
    bool ended;
};

static void
on_task(void *ctx, broker_session agent, const struct lane_task *task)
{
    struct bench *self = ctx;
    struct queue *q = &self->agents[agent % LIMIT_AGENTS];

    q->tickets = mem_grow(q->tickets, &q->cap, q->n + 1, sizeof *q->tickets);
    q->tickets[q->n++] = task->ticket;
}

static void
on_tell(void *ctx, broker_session agent, enum broker_tell what, uint64_t number)
{
    (void)ctx;
    (void)agent;
    (void)what;
    (void)number;
}

static void
on_drop(void *ctx, broker_session agent, const char *why)
{
    (void)ctx;
    (void)agent;
    (void)why;
}

static void
on_record(void *ctx, uint64_t run, const struct store_record *record)
{
    struct bench *self = ctx;

    (void)run;
    (void)record;
    self->nrecord++;
}

static void
on_ended(void *ctx, uint64_t run, enum store_run_state state,
         const json_t *output, const char *problem)
{
    struct bench *self = ctx;

    (void)run;
    (void)output;
    (void)problem;
    self->ended = state == STORE_SUCCEEDED;
}

static int
begin(struct bench *self, long n, struct err *err)
{
    char *text = mem_printf("leat: 1\nname: loop\ntasks:\n"
                            "  m: { each: { i: 1..%ld }, call: noop }\n",
                            n);
    struct broker_run run = {.id = 1, .from = PLAN_NONE, .seed = 1};
    struct diags diags = {0};
    struct buf problems = {0};
    json_t *given = json_object();
    int rc = flow_parse("loop.yaml", text, strlen(text), &run.flow, &diags);

    if (rc == 0)
        rc = params_bind(run.flow, given, &run.params, &problems);
    if (rc == 0)
        rc = broker_run_begin(self->broker, &run, 0, err);
    json_decref(run.params);
    json_decref(given);
    buf_release(&problems);
    diags_release(&diags);
    free(text);
    return rc;
}

static int
join(struct bench *self, size_t n, struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        char *name = mem_printf("agent-%zu", i);
        struct agent_info info = {
            .name = name, .version = "1", .incarnation = i + 1, .slots = 4};
        struct beat beat = {0};
        broker_session session = i;
        int rc =
            broker_hello(self->broker, &info, NULL, 0, 0, &session, NULL, err);

        free(name);
        if (rc < 0)
            return -1;
        (void)broker_beat(self->broker, session, &beat, 0);
        self->agents[session % LIMIT_AGENTS].session = session;
    }
    self->nagent = n;
    return 0;
}

/* What was given since the last turn has ended. */
static void
answer(struct bench *self, struct queue *q, int64_t now)
{
    struct result result = {
        .state = PLAN_SUCCEEDED, .code = -1, .started = 1, .ended = 2};
    struct beat beat = {0};
    size_t n = q->n;

    (void)broker_beat(self->broker, q->session, &beat, now);
    q->n = 0;
    for (size_t i = 0; i < n; i++) {
        result.ticket = q->tickets[i];
        (void)broker_result(self->broker, q->session, ++q->number, &result,
                            now);
    }
}

int
main(int argc, char **argv)
{
    static const struct broker_effects effects = {on_task,   on_tell,  on_drop,
                                                  on_record, on_ended, NULL};
    struct broker_effects own = effects;
    struct bench *self = mem_alloc(1, sizeof *self);
    long n = argc > 1 ? strtol(argv[1], NULL, 10) : 1000000;
    long agents = argc > 2 ? strtol(argv[2], NULL, 10) : 2;
    struct err err = {.msg = "the flow is wrong"};
    int64_t begun, turns = 0;
    bool ended;

    own.ctx = self;
    self->broker = broker_new(&own, 1);
    if (begin(self, n, &err) < 0 || join(self, (size_t)agents, &err) < 0) {
        (void)fprintf(stderr, "core_loop: %s\n", err.msg);
        return 1;
    }
    begun = span_mono();
    for (; !self->ended; turns++) {
        (void)broker_tick(self->broker, turns);
        for (size_t i = 0; i < self->nagent; i++)
            answer(self, &self->agents[i], turns);
        broker_committed(self->broker, broker_seal(self->broker), turns);
    }
    begun = span_mono() - begun;
    (void)printf("%ld tasks, %ld agents, %lld turns, %llu records: %.0f/s\n", n,
                 agents, (long long)turns, (unsigned long long)self->nrecord,
                 (double)n * 1e6 / (double)begun);
    ended = self->ended;
    for (size_t i = 0; i < LIMIT_AGENTS; i++)
        free(self->agents[i].tickets);
    broker_destroy(&self->broker);
    free(self);
    return ended ? 0 : 1;
}
