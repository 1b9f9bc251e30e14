/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/sim/sim.h"

#define SECONDS(n) ((int64_t)(n)*SPAN_SECOND)

/* ---- what goes wrong ---- */

static struct host *
pick(struct sim *s)
{
    return &s->hosts[dice_roll(&s->dice, s->nhost)];
}

static void
join(struct sim *s, void *what, uint64_t fine, uint64_t b)
{
    struct host *host = what;

    (void)b;
    if (!host->alive && !host->doomed)
        host_join(s, host, fine);
}

/* A new one, if there is a place. */
static void
join_new(struct sim *s, bool fine)
{
    if (s->nhost < SIM_HOSTS - (fine ? 0 : 2))
        host_join(s, &s->hosts[s->nhost++], fine);
}

static int64_t
later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static void
fault_kill(struct sim *s)
{
    struct host *host = pick(s);

    if (!host->alive)
        return;
    host_kill(host, sim_chance(s, 30));
    if (sim_chance(s, 80))
        sim_at(s, s->now + sim_span(s, 1000, SECONDS(15)), join, host, false,
               0);
    else
        host->doomed = true;
}

static void
fault_break_down(struct sim *s)
{
    struct host *host = pick(s);

    sim_say(s, "the lane of %s breaks", host->name);
    wire_break(s, host, WAY_DOWN);
    hub_gone(s, host, sim_chance(s, 20) ? GONE_STUCK : GONE_CONNECTION);
}

static void
notice(struct sim *s, void *what, uint64_t incarnation, uint64_t session)
{
    struct host *host = what;

    if (!host->alive || host->incarnation != incarnation ||
        host->session != session)
        return;
    if (host->paused_until > s->now) {
        sim_at(s, host->paused_until, notice, host, incarnation, session);
        return;
    }
    host_lost_broker(host, s->now);
    host_turn(host);
}

static void
fault_break_up(struct sim *s)
{
    struct host *host = pick(s);

    sim_say(s, "the way back of %s breaks", host->name);
    wire_break(s, host, WAY_UP);
    sim_at(s, s->now + sim_span(s, 10, 5000), notice, host, host->incarnation,
           host->session);
}

static void
fault_break_all(struct sim *s)
{
    struct host *host = pick(s);

    sim_say(s, "all ways of %s break", host->name);
    for (int way = 0; way < WAY_COUNT; way++)
        wire_break(s, host, (enum way)way);
    hub_gone(s, host, GONE_CONNECTION);
    sim_at(s, s->now + sim_span(s, 10, 5000), notice, host, host->incarnation,
           host->session);
}

/* It was connected again at once: only their numbers tell. */
static void
fault_lose_some(struct sim *s)
{
    struct host *host = pick(s);

    sim_say(s, "something of %s is lost", host->name);
    wire_break(s, host, sim_chance(s, 50) ? WAY_UP : WAY_DOWN);
}

static void
fault_stall(struct sim *s)
{
    struct host *host = pick(s);
    int64_t until = s->now + sim_span(s, 1000, SECONDS(16));
    uint32_t which = dice_roll(&s->dice, 3);

    if (s->weather.length > SECONDS(20) && sim_chance(s, 50))
        until = s->now + SECONDS(30 + dice_roll(&s->dice, 90));
    sim_say(s, "%s %s until %.6f", host->name,
            which == 0   ? "hears nothing"
            : which == 1 ? "is not heard"
                         : "is cut off",
            (double)until / SPAN_SECOND);
    if (which != 1)
        host->wires[WAY_DOWN].stalled = host->wires[WAY_CONTROL_DOWN].stalled =
            until;
    if (which != 0)
        host->wires[WAY_UP].stalled = host->wires[WAY_CONTROL_UP].stalled =
            until;
}

static void
resume(struct sim *s, void *what, uint64_t a, uint64_t b)
{
    (void)s;
    (void)a;
    (void)b;
    host_turn(what);
}

static void
fault_pause(struct sim *s)
{
    struct host *host = pick(s);

    if (!host->alive)
        return;
    host->paused_until =
        later(host->paused_until, s->now + sim_span(s, 1000, SECONDS(14)));
    sim_say(s, "%s is paused until %.6f", host->name,
            (double)host->paused_until / SPAN_SECOND);
    sim_at(s, host->paused_until, resume, host, 0, 0);
}

static void
fault_leave(struct sim *s)
{
    struct host *host = pick(s);

    if (!host->alive || host->paused_until > s->now)
        return;
    sim_say(s, "%s is asked to leave", host->name);
    agent_drain(host->core, s->now);
    host->leaving = true;
    host_turn(host);
}

static void
fault_drain(struct sim *s)
{
    struct host *host = pick(s);
    struct err err;

    if (!s->hub.alive || s->hub.paused_until > s->now)
        return;
    sim_say(s, "%s is drained", host->name);
    (void)broker_drain(s->hub.core, host->name, &err);
    hub_turn(s);
}

static void
fault_join(struct sim *s)
{
    join_new(s, false);
}

static void
restart(struct sim *s, void *what, uint64_t a, uint64_t b)
{
    (void)what;
    (void)a;
    (void)b;
    if (!s->hub.alive)
        hub_start(s);
}

static void
fault_crash(struct sim *s)
{
    if (!s->hub.alive)
        return;
    hub_crash(s);
    sim_at(s, s->now + sim_span(s, 1000, SECONDS(14)), restart, NULL, 0, 0);
}

static void
fault_hub_pause(struct sim *s)
{
    if (!s->hub.alive)
        return;
    s->hub.paused_until =
        later(s->hub.paused_until, s->now + sim_span(s, 1000, SECONDS(14)));
    sim_say(s, "the broker is paused until %.6f",
            (double)s->hub.paused_until / SPAN_SECOND);
    hub_turn(s);
}

static void
fault_cancel(struct sim *s)
{
    struct story *story = s->stories[dice_roll(&s->dice, s->nstory)];

    if (!s->hub.alive || s->hub.paused_until > s->now ||
        story->phase != STORY_RUNS || story->ended || sim_chance(s, 50))
        return;
    sim_say(s, "run %llu is cancelled", (unsigned long long)story->run);
    story->cancelled = true;
    broker_run_cancel(s->hub.core, story->run, sim_chance(s, 30), s->now);
    hub_turn(s);
}

/* One of its tasks, or a child that is there or is to come. */
static void
fault_stop(struct sim *s)
{
    struct story *story = s->stories[dice_roll(&s->dice, s->nstory)];
    struct plan_id id = {0, PLAN_WHOLE};
    uint32_t n;

    id.task = dice_roll(&s->dice, (uint32_t)story->flow->ntask);
    n = ref_run_children(story->want, id.task);
    if (n > 0 && sim_chance(s, 70))
        id.child = dice_roll(&s->dice, n);
    if (!s->hub.alive || s->hub.paused_until > s->now ||
        story->phase != STORY_RUNS || story->ended ||
        story->flow->tasks[id.task].hidden)
        return;
    story_stop(story, id);
    hub_turn(s);
}

#define FAULT_STALL 0

static void (*const faults[])(struct sim *) = {
    [FAULT_STALL] = fault_stall,
    fault_kill,
    fault_kill,
    fault_break_down,
    fault_break_up,
    fault_break_all,
    fault_lose_some,
    fault_stall,
    fault_stall,
    fault_pause,
    fault_pause,
    fault_leave,
    fault_drain,
    fault_join,
    fault_join,
    fault_crash,
    fault_crash,
    fault_hub_pause,
    fault_cancel,
    fault_stop,
    fault_stop,
};

static void
strike(struct sim *s, void *what, uint64_t which, uint64_t b)
{
    (void)what;
    (void)b;
    if (s->nhost > 0)
        faults[which](s);
}

/* ---- and all is well again ---- */

static void
heal(struct sim *s, void *what, uint64_t a, uint64_t b)
{
    (void)what;
    (void)a;
    (void)b;
    sim_say(s, "all is well from now on");
    s->healed = true;
    s->progress = s->now;
    for (uint32_t i = 0; i < s->nhost; i++) {
        struct host *host = &s->hosts[i];

        for (int way = 0; way < WAY_COUNT; way++)
            host->wires[way].stalled = 0;
        host->paused_until = 0;
        host_turn(host);
    }
    s->hub.paused_until = 0;
    for (uint32_t i = 0; i < s->nhost; i++) {
        for (int way = 0; way < WAY_COUNT; way++)
            wire_wake(s, &s->hosts[i], (enum way)way);
    }
    if (!s->hub.alive)
        hub_start(s);
    join_new(s, true);
    join_new(s, true);
    hub_turn(s);
}

/* ---- people ---- */

static void
tell_story(struct sim *s, void *what, uint64_t a, uint64_t b)
{
    struct story *story = what;

    (void)a;
    (void)b;
    if (!s->hub.alive || s->hub.paused_until > s->now) {
        sim_at(s, s->now + SPAN_SECOND / 2, tell_story, story, 0, 0);
        return;
    }
    story_begin(story, 0);
    hub_turn(s);
}

/* Now and then somebody lets paused tasks go on. */
static void
approve(struct sim *s, void *what, uint64_t a, uint64_t b)
{
    (void)what;
    (void)a;
    (void)b;
    sim_at(s, s->now + sim_span(s, SECONDS(1), SECONDS(5)), approve, NULL, 0,
           0);
    if (!s->hub.alive || s->hub.paused_until > s->now)
        return;
    for (uint32_t i = 0; i < s->nstory; i++) {
        struct story *story = s->stories[i];

        if (story->phase == STORY_RESTS)
            story_begin(story, 0);
        if (story->phase == STORY_RUNS && !story->ended)
            broker_run_approve(s->hub.core, story->run, s->now);
    }
    hub_turn(s);
}

static void
draw_weather(struct sim *s)
{
    static const int64_t delays[] = {100, 1000, 20000};
    static const int64_t lengths[] = {300, 2000, 300000, 12000000, 150000000};
    struct weather *w = &s->weather;

    w->calm = dice_one_in(&s->dice, 6);
    w->delay = delays[dice_roll(&s->dice, 3)];
    w->length = lengths[dice_roll(&s->dice, 5)];
    w->commit = dice_one_in(&s->dice, 4) ? 800000 : 6000;
    w->until =
        SECONDS(dice_roll(&s->dice, dice_one_in(&s->dice, 3) ? 300 : 40));
    if (w->calm) {
        w->until = 0;
        return;
    }
    w->nfault = 1 + dice_roll(&s->dice, 14);
    w->crashes = dice_one_in(&s->dice, 3) ? 60 : 0;
    w->refusals = dice_one_in(&s->dice, 3);
}

void
faults_plan(struct sim *s)
{
    uint32_t nhost = 1 + dice_roll(&s->dice, 4);

    draw_weather(s);
    for (uint32_t i = 0; i < nhost && !s->weather.calm; i++)
        sim_at(s, sim_span(s, 0, SECONDS(2)), join, &s->hosts[s->nhost++],
               false, 0);
    for (uint32_t i = 0; i < s->nstory; i++)
        sim_at(s, sim_span(s, 0, SECONDS(5)), tell_story, s->stories[i], 0, 0);
    for (uint32_t i = 0; i < s->weather.nfault; i++) {
        uint32_t which = dice_roll(&s->dice, sizeof faults / sizeof faults[0]);

        /* Long attempts and long silences: leases are for those. */
        if (s->weather.length > SECONDS(20) && sim_chance(s, 40))
            which = FAULT_STALL;
        sim_at(s, sim_span(s, 0, s->weather.until), strike, NULL, which, 0);
    }
    sim_at(s, s->weather.until, heal, NULL, 0, 0);
    sim_at(s, SPAN_SECOND, approve, NULL, 0, 0);
}
