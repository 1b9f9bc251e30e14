/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The core among fake agents to whom anything happens: whatever the order,
 * nothing is begun twice that must not be, and in the end every run ends.
 * SEEDS=n runs n of them, SEED=n just one.
 */
#include "tests/support/seeds.h"
#include "tests/unit/broker_world.h"

#define STEPS  400
#define AGENTS 3

static const char *const flows[] = {
    (HEAD "  m: { each: { i: 1..30 }, run: x }\n"
          "  n: { each: { i: '${m}' }, run: x }\n"),
    (HEAD
     "  a: { run: x, at-most-once: true }\n"
     "  b: { needs: [a], run: x, at-most-once: true,"
     " trigger: all-finished }\n"
     "  c: { needs: [b], run: x, exclusive: true, trigger: all-finished }\n"),
    (HEAD "  m: { each: { i: 1..20 }, run: x, resources: { cpus: 2 },"
          " exclusive: true }\n"),
    ("leat: 1\nname: test\nlimits: { db: 2 }\ntasks:\n"
     "  m: { each: { i: 1..20 }, run: x, tags: [db],"
     " retry: { times: 2, delay: 1 } }\n"
     "  z: { needs: [m], call: f, trigger: all-finished }\n"),
    ("leat: 1\nname: test\nmax-fails: 3\ntasks:\n"
     "  m: { each: { i: 1..40 }, run: x }\n"),
};

struct chaos {
    struct broker_world *w;
    struct held held[4096];
    struct given moved[4096];
    uint32_t tickets[4096];
    uint64_t random;
    bool here[AGENTS];
    uint64_t incarnation[AGENTS], nincarnation;
};

static uint32_t
draw(struct chaos *c, uint32_t below)
{
    c->random ^= c->random << 13;
    c->random ^= c->random >> 7;
    c->random ^= c->random << 17;
    return (uint32_t)((c->random >> 11) % below);
}

static const char *
name_of(uint32_t agent)
{
    static const char *const names[AGENTS] = {"red", "green", "blue"};

    return names[agent];
}

/* What an agent that is gone held is gone with it. */
static void
forget(struct chaos *c, broker_session session)
{
    struct broker_world *w = c->w;
    size_t n = 0;

    for (size_t i = 0; i < w->ngiven; i++) {
        if (w->given[i].session != session)
            w->given[n++] = w->given[i];
    }
    w->ngiven = n;
}

static void
say_hello(struct chaos *c, uint32_t agent)
{
    struct broker_world *w = c->w;
    struct held *held = c->held;
    struct given *moved = c->moved;
    uint32_t *tickets = c->tickets;
    broker_session old = 0;
    size_t n = 0;
    struct err err;

    if (c->incarnation[agent] == 0)
        c->incarnation[agent] = ++c->nincarnation;
    else
        old = member(w, name_of(agent))->session;
    for (size_t i = 0; i < w->ngiven; i++) {
        const struct given *g = &w->given[i];

        if (g->session != old || old == 0 || draw(c, 8) == 0)
            continue;
        moved[n] = *g;
        held[n++] = (struct held){g->run, g->id, g->attempt, 1,
                                  draw(c, 2) ? HELD_RUNNING : HELD_QUEUED};
    }
    if (w->nmember == COUNT_MEMBERS) {
        memmove(w->members, w->members + 1,
                (COUNT_MEMBERS - 1) * sizeof w->members[0]);
        w->nmember--;
    }
    if (hello(w, name_of(agent), agent + 1, c->incarnation[agent], held, n,
              tickets, &err) < 0)
        fail_msg("%s", err.msg);
    forget(c, old);
    for (size_t i = 0; i < n; i++) {
        if (tickets[i] == 0)
            continue;
        moved[i].session = member(w, name_of(agent))->session;
        moved[i].ticket = tickets[i];
        w->given[w->ngiven++] = moved[i];
    }
    c->here[agent] = true;
}

static void
leave(struct chaos *c, uint32_t agent, enum broker_gone why, bool dies)
{
    broker_session session = member(c->w, name_of(agent))->session;

    broker_gone(c->w->broker, session, why, c->w->now);
    c->here[agent] = false;
    if (!dies && why != GONE_LEFT)
        return;
    forget(c, session);
    c->incarnation[agent] = 0;
}

/* Unasked, as an agent does that is going to leave. */
static void
gives_back(struct chaos *c, const struct given *g)
{
    (void)broker_given_back(c->w->broker, g->session, g->ticket, c->w->now);
    for (uint32_t a = 0; a < AGENTS; a++) {
        if (c->here[a] && member(c->w, name_of(a))->session == g->session)
            leave(c, a, GONE_LEFT, true);
    }
}

/* Something comes back from an agent that is here. */
static void
end_ticket(struct chaos *c, uint32_t i)
{
    static const enum plan_state states[] = {PLAN_SUCCEEDED, PLAN_FAILED,
                                             PLAN_SUCCEEDED, PLAN_CANCELLED,
                                             PLAN_SUCCEEDED, PLAN_RETRYING};
    struct broker_world *w = c->w;
    struct given g = w->given[i];
    struct result result = {.ticket = g.ticket,
                            .state = states[draw(c, 6)],
                            .code = -1,
                            .started = w->wall,
                            .ended = w->wall + draw(c, 3) * 30 * MS};

    if (draw(c, 3) == 0) {
        (void)broker_started(w->broker, g.session, g.ticket, w->now);
        return;
    }
    w->ngiven--;
    memmove(&w->given[i], &w->given[i + 1],
            (w->ngiven - i) * sizeof w->given[0]);
    if (draw(c, 16) == 0) {
        gives_back(c, &g);
        return;
    }
    if (draw(c, 20) == 0)
        result.refused = REFUSED_SHORT;
    (void)broker_result(w->broker, g.session, ++member_of(w, g.session)->number,
                        &result, w->now);
}

static bool
is_here(struct chaos *c, broker_session session)
{
    for (uint32_t a = 0; a < AGENTS; a++) {
        if (c->here[a] && member(c->w, name_of(a))->session == session)
            return true;
    }
    return false;
}

static void
step(struct chaos *c, bool trouble)
{
    struct broker_world *w = c->w;
    uint32_t agent = draw(c, AGENTS);
    struct beat b = {0};
    uint32_t what = draw(c, 100);

    if (!c->here[agent]) {
        if (what < 20 || !trouble)
            say_hello(c, agent);
    } else if (what < 60 && w->ngiven > 0) {
        uint32_t i = draw(c, (uint32_t)w->ngiven);

        if (is_here(c, w->given[i].session))
            end_ticket(c, i);
    } else if (what < 80) {
        if (!broker_beat(w->broker, member(w, name_of(agent))->session, &b,
                         w->now))
            c->here[agent] = false; /* it was lost, and notices */
    } else if (what < 83 && trouble) {
        leave(c, agent, GONE_CONNECTION, draw(c, 2) == 0);
    } else if (what < 84 && trouble) {
        leave(c, agent, GONE_LEFT, true);
    } else if (what < 85 && trouble) {
        broker_run_cancel(w->broker, 1 + draw(c, 6), draw(c, 2) == 0, w->now);
    } else if (what < 90) {
        store(w);
    } else {
        w->now +=
            draw(c, 5) == 0 && trouble ? draw(c, 4000) * MS : draw(c, 200) * MS;
    }
    tick(w);
    buf_clear(&w->journal);
}

/* Nobody is given more than there is, nor anything twice. */
static void
check_given(struct chaos *c)
{
    struct broker_world *w = c->w;

    for (size_t i = 0; i < w->ngiven; i++) {
        const struct given *a = &w->given[i];
        const struct run *run = broker_run_find(w->broker, a->run);
        uint64_t r;
        struct plan_id id;
        uint32_t attempt;

        if (!broker_find(w->broker, a->session, a->ticket, &r, &id, &attempt))
            continue; /* it is not the broker's any more */
        assert_non_null(run);
        assert_int_equal(plan_state(run_plan(run), a->id), PLAN_RUNNING);
        for (size_t k = 0; k < i; k++) {
            const struct given *b = &w->given[k];

            assert_false(a->run == b->run && a->id.task == b->id.task &&
                         a->id.child == b->id.child &&
                         broker_find(w->broker, b->session, b->ticket, &r, &id,
                                     &attempt));
        }
    }
}

static void
check_counts(struct chaos *c)
{
    struct broker_world *w = c->w;

    for (uint64_t run = 1; run <= w->nrun; run++) {
        const struct run *r = broker_run_find(w->broker, run);

        if (r && strcmp(run_flow(r)->tasks[0].name, "m") == 0 &&
            run_flow(r)->nlimit > 0)
            assert_true(plan_children_in(run_plan(r), 0, PLAN_RUNNING) <= 2);
    }
}

static void
go(struct broker_world *w, uint64_t seed)
{
    struct chaos *c = mem_alloc(1, sizeof *c);
    size_t nflow = sizeof flows / sizeof flows[0];

    c->w = w;
    c->random = seed * 2654435761 + 1;
    for (int i = 0; i < STEPS; i++) {
        if (i % 80 == 0)
            submit(w, flows[draw(c, (uint32_t)nflow)]);
        step(c, true);
        check_given(c);
        check_counts(c);
    }
    for (int i = 0; i < 60000 && broker_run_count(w->broker) > 0; i++)
        step(c, false);
    if (broker_run_count(w->broker) > 0)
        fail_msg("seed %u: %zu runs do not end", (unsigned)seed,
                 broker_run_count(w->broker));
    free(c);
}

static void
run_seed(uint64_t seed)
{
    void *w;

    (void)setup(&w);
    go(w, seed);
    (void)teardown(&w);
}

static void
whatever_happens_every_run_ends(void **state)
{
    (void)state;
    seeds_run(300, run_seed);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_happens_every_run_ends),
    };

    return cmocka_run_group_tests_name("broker_random", tests, NULL, NULL);
}
