/* SPDX-License-Identifier: MPL-2.0 */
/*
 * SEEDS=n runs that many worlds, as many at once as there are processors, FROM
 * a seed on; SEED=n just one, and V=1 tells all that happens there.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "tests/sim/sim.h"

#define PATIENCE (400 * SPAN_SECOND) /* attempts, leases, waits to retry */
#define EVENTS   3000000             /* of one world */

/* ---- one world ---- */

static bool
is_over(const struct sim *s)
{
    for (uint32_t i = 0; i < s->nstory; i++) {
        if (s->stories[i]->phase != STORY_OVER)
            return false;
    }
    return s->healed;
}

static void
step(struct sim *s)
{
    if (!sim_step(s))
        sim_fail(s, "nothing will happen any more");
    if (s->nevent > EVENTS)
        sim_fail(s, "too much happens");
    if (s->healed && s->now > s->progress + PATIENCE) {
        for (uint32_t i = 0; i < s->nstory; i++)
            sim_say(s, "run %u is %s", i + 1,
                    s->stories[i]->phase == STORY_OVER ? "over" : "not over");
        sim_fail(s, "nothing goes on any more");
    }
}

static bool
check_agent(void *ctx, const struct broker_agent *agent)
{
    if (agent->sent + agent->running > 0)
        sim_fail(ctx, "the broker waits for %u tickets of %s at the end",
                 agent->sent + agent->running, agent->info->name);
    return true;
}

static void
check_all(struct sim *s)
{
    int64_t until = s->now + 15 * SPAN_SECOND;

    while (s->now < until)
        step(s);
    for (uint32_t i = 0; i < s->nstory; i++)
        story_check_end(s->stories[i]);
    for (uint32_t i = 0; i < s->nhost; i++)
        host_check_empty(&s->hosts[i]);
    if (broker_run_count(s->hub.core) > 0)
        sim_fail(s, "the broker has runs still");
    broker_agents(s->hub.core, check_agent, s);
}

static void
add_counts(struct sim_counts *to, const struct sim *s)
{
    to->starts += s->counts.starts;
    to->losses += s->counts.losses;
    to->crashes += s->counts.crashes;
    to->adopted += s->counts.adopted;
    to->late += s->counts.late;
    to->answers += s->counts.answers;
    to->again += s->counts.again;
    to->kept += s->counts.kept;
    to->known += s->counts.known;
}

static void
run_seed(uint64_t seed, bool loud, struct sim_counts *counts)
{
    struct sim *s = mem_alloc(1, sizeof *s);

    s->seed = seed;
    s->dice = dice_mix(seed);
    s->loud = loud;
    s->nstory = 1 + dice_roll(&s->dice, SIM_STORIES);
    for (uint32_t i = 0; i < s->nstory; i++)
        s->stories[i] = story_new(s, i + 1);
    faults_plan(s);
    hub_start(s);
    while (!is_over(s))
        step(s);
    check_all(s);
    add_counts(counts, s);
    sim_say(s, "the end, after %llu events", (unsigned long long)s->nevent);
    for (uint32_t i = 0; i < s->nhost; i++)
        host_release(&s->hosts[i]);
    hub_release(s);
    sim_clear(s);
    for (uint32_t i = 0; i < s->nstory; i++)
        story_destroy(&s->stories[i]);
    free(s);
}

/* ---- many ---- */

static uint64_t
number(const char *name, uint64_t fallback)
{
    const char *text = getenv(name);

    return text && *text ? strtoull(text, NULL, 10) : fallback;
}

static void
run_share(uint64_t from, uint64_t n, uint64_t share, uint64_t nshare)
{
    struct sim_counts counts = {0};

    for (uint64_t i = share; i < n; i += nshare)
        run_seed(from + i, false, &counts);
    (void)printf(
        "sim: %llu attempts, %llu tickets lost, %llu crashes, "
        "%llu adopted, %llu late, %llu pieces twice, "
        "%llu answers of handlers, %llu results kept, %llu known\n",
        (unsigned long long)counts.starts, (unsigned long long)counts.losses,
        (unsigned long long)counts.crashes, (unsigned long long)counts.adopted,
        (unsigned long long)counts.late, (unsigned long long)counts.again,
        (unsigned long long)counts.answers, (unsigned long long)counts.kept,
        (unsigned long long)counts.known);
}

static int
run_all(uint64_t from, uint64_t n)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    uint64_t nshare = cpus > 1 ? (uint64_t)cpus : 1;
    int failed = 0;

    (void)fflush(NULL);
    for (uint64_t i = 0; i < nshare; i++) {
        pid_t pid = fork();

        if (pid < 0) {
            perror("sim: fork");
            return 1;
        }
        if (pid == 0) {
            run_share(from, n, i, nshare);
            exit(0);
        }
    }
    for (uint64_t i = 0; i < nshare; i++) {
        int status;

        if (wait(&status) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
            failed = 1;
    }
    if (!failed)
        (void)printf("sim: %llu seeds from %llu on hold\n",
                     (unsigned long long)n, (unsigned long long)from);
    return failed;
}

int
main(void)
{
    struct sim_counts counts = {0};
    const char *seed = getenv("SEED");

    if (seed && *seed) {
        run_seed(number("SEED", 0), number("V", 0) > 0, &counts);
        (void)printf("sim: seed %s holds\n", seed);
        return 0;
    }
    return run_all(number("FROM", 0), number("SEEDS", 2000));
}
