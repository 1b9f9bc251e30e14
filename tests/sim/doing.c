/* SPDX-License-Identifier: MPL-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tests/sim/sim.h"

#define MS(n) ((int64_t)(n)*SPAN_MS)

static void begin(struct sim *s, void *what, uint64_t own,
                  uint64_t incarnation);
static void end(struct sim *s, void *what, uint64_t nth, uint64_t incarnation);

/* ---- attempts ---- */

static struct doing *
find_doing(struct host *self, uint32_t own)
{
    for (size_t i = 0; i < self->ndoing; i++) {
        if (self->doing[i].own == own)
            return &self->doing[i];
    }
    return NULL;
}

static struct doing
take_doing(struct host *self, struct doing *doing)
{
    struct doing taken = *doing;
    size_t i = (size_t)(doing - self->doing);

    self->ndoing--;
    memmove(doing, doing + 1, (self->ndoing - i) * sizeof *doing);
    return taken;
}

void
doing_release(struct doing *self)
{
    json_decref(self->outcome.value);
    free(self->gpus);
}

static bool
is_short(const struct doing *doing)
{
    const struct work_spec *spec = doing->work->spec;

    return doing->handlers ||
           (doing->call && !spec->when && !doing->work->creates &&
            spec->timeout == 0 && spec->nresource == 0 && !spec->exclusive &&
            !spec->at_most_once);
}

static double
asked(const struct doing *doing, const char *name)
{
    const struct work_spec *spec = doing->work->spec;

    for (uint32_t i = 0; i < spec->nresource; i++) {
        if (strcmp(spec->resources[i].name, name) == 0)
            return spec->resources[i].amount;
    }
    return strcmp(name, "cpus") == 0 ? 1 : 0;
}

/* Short calls in one slot take a cpu together. */
static double
taken(const struct host *self, const char *name)
{
    bool is_cpus = strcmp(name, "cpus") == 0;
    uint64_t slots = 0;
    double sum = 0;

    for (size_t i = 0; i < self->ndoing; i++) {
        const struct doing *doing = &self->doing[i];

        if (is_short(doing) && (slots >> doing->slot & 1) == 0) {
            slots |= UINT64_C(1) << doing->slot;
            sum += is_cpus;
        } else if (!is_short(doing)) {
            sum += asked(doing, name);
        }
    }
    return sum;
}

/* Each has its share of those it was given: whole ones, then the rest. */
static void
check_gpus(const struct host *self)
{
    double used[8] = {0};

    for (size_t i = 0; i < self->ndoing; i++) {
        double left = asked(&self->doing[i], "gpus");

        for (uint32_t k = 0; k < self->doing[i].ngpu; k++) {
            used[self->doing[i].gpus[k] % 8] += left < 1 ? left : 1;
            left -= 1;
        }
        if (left > 1e-6)
            sim_fail(self->sim, "%s gave too few GPUs", self->name);
    }
    for (uint32_t k = 0; k < 8; k++) {
        if (used[k] > 1 + 1e-6)
            sim_fail(self->sim, "%s gave GPU %u away twice", self->name, k);
    }
}

static void
check_room(const struct host *self)
{
    for (uint32_t i = 0; i < self->info.nresource; i++) {
        const struct flow_resource *has = &self->resources[i];

        if (taken(self, has->name) > has->amount * (1 + 1e-9))
            sim_fail(self->sim, "%s uses %g of %g %s", self->name,
                     taken(self, has->name), has->amount, has->name);
    }
    check_gpus(self);
    for (size_t i = 0; i < self->ndoing; i++) {
        for (size_t k = 0; k < i; k++) {
            const struct doing *a = &self->doing[i], *b = &self->doing[k];

            if (a->call && b->call && a->slot == b->slot &&
                !(is_short(a) && is_short(b)))
                sim_fail(self->sim, "%s calls twice at once in slot %u",
                         self->name, a->slot);
        }
    }
}

static bool
has_call_before(const struct host *self, const struct doing *doing)
{
    for (size_t i = 0; &self->doing[i] != doing; i++) {
        if (self->doing[i].call && self->doing[i].slot == doing->slot)
            return true;
    }
    return false;
}

static void
begin_next_call(struct host *self, uint32_t slot)
{
    for (size_t i = 0; i < self->ndoing; i++) {
        if (!self->doing[i].call || self->doing[i].slot != slot)
            continue;
        sim_at(self->sim, self->sim->now + sim_span(self->sim, 1, 50), begin,
               self, self->doing[i].own, self->incarnation);
        return;
    }
}

void
doing_start(void *ctx, uint32_t own, uint32_t slot, const struct work *work,
            const uint32_t *gpus, uint32_t ngpu)
{
    struct host *self = ctx;
    struct sim *s = self->sim;
    struct story *story = s->stories[work->spec->run - 1];
    struct doing doing = {.own = own,
                          .slot = slot,
                          .work = work,
                          .story = story,
                          .inst = story_inst(story, work->id),
                          .handlers = work->spec->handlers,
                          .call = work->spec->kind == FLOW_CALL,
                          .ngpu = ngpu};

    if (own == 0 || find_doing(self, own) || slot >= self->info.slots)
        sim_fail(s, "%s starts %u in slot %u", self->name, own, slot);
    doing.gpus = mem_alloc(ngpu, sizeof *gpus);
    if (ngpu > 0)
        memcpy(doing.gpus, gpus, ngpu * sizeof *gpus);
    self->doing =
        mem_grow(self->doing, &self->cap_doing, self->ndoing + 1, sizeof doing);
    self->doing[self->ndoing++] = doing;
    sim_say(s, "  %s starts %u: run %llu %s[%d] #%u", self->name, own,
            (unsigned long long)work->spec->run, work->spec->name,
            (int)work->id.child, work->attempt);
    check_room(self);
    if (!doing.call || !has_call_before(self, &self->doing[self->ndoing - 1]))
        sim_at(s, s->now + sim_span(s, 1, 3000), begin, self, own,
               self->incarnation);
}

static void
send_end(struct host *self, struct doing *doing, int64_t when)
{
    doing->nth = ++self->nnth;
    sim_at(self->sim, when, end, self, doing->nth, self->incarnation);
}

static enum item_refused
draw_refused(struct host *self, const struct doing *doing)
{
    struct sim *s = self->sim;

    if (doing->call && self->refuses)
        return REFUSED_PROGRAM;
    if (s->weather.refusals && !s->healed && sim_chance(s, 2))
        return REFUSED_SHORT;
    return REFUSED_NOT;
}

static void
refuse(struct host *self, struct doing *doing, enum item_refused why)
{
    struct doing over = take_doing(self, doing);
    struct result result = {.ticket = over.own,
                            .state = PLAN_CRASHED,
                            .cause = why == REFUSED_PROGRAM
                                         ? "it can't be run here"
                                         : "short of something",
                            .code = -1,
                            .refused = why};

    sim_say(self->sim, "  %s refuses %u", self->name, over.own);
    agent_ended(self->core, &result, self->sim->now);
    if (over.call)
        begin_next_call(self, over.slot);
    doing_release(&over);
}

/* Handlers agree. */
static struct run_outcome
agree(const struct doing *doing)
{
    const struct work *work = doing->work;

    return (struct run_outcome){
        .state = PLAN_SUCCEEDED,
        .value = json_incref(json_object_get(work->handle, "to"))};
}

/* Fate has its say at once; it may be ended before. */
static void
begin_now(struct host *self, struct doing *doing)
{
    struct sim *s = self->sim;
    bool tells = !doing->call || sim_chance(s, 70);
    int64_t length;
    uint32_t own = doing->own;

    sim_say(s, "  %s begins %u", self->name, own);
    doing->outcome = doing->handlers ? agree(doing)
                                     : story_begins(doing->story, doing->work);
    doing->begun = true;
    doing->since = s->now;
    doing->inst->live += !doing->handlers;
    if (doing->call && dice_roll(&s->dice, 1000) < s->weather.crashes) {
        json_decref(doing->outcome.value);
        doing->outcome = (struct run_outcome){.state = PLAN_CRASHED,
                                              .cause = "its worker crashed"};
        doing->stopped = true;
        doing->inst->touched |= !doing->handlers;
    }
    doing->origin = ++s->norigin;
    length = sim_span(s, 1, s->weather.length);
    send_end(self, doing, s->now + length);
    print_plan(self, doing, s->now + length);
    if (tells)
        agent_began(self->core, own);
}

static void
begin(struct sim *s, void *what, uint64_t own, uint64_t incarnation)
{
    struct host *self = what;
    struct doing *doing;
    enum item_refused refused;

    if (!self->alive || self->incarnation != incarnation ||
        !(doing = find_doing(self, (uint32_t)own)) || doing->begun ||
        doing->stopped)
        return;
    if (self->paused_until > s->now) {
        sim_at(s, self->paused_until, begin, self, own, incarnation);
        return;
    }
    refused = draw_refused(self, doing);
    if (refused != REFUSED_NOT)
        refuse(self, doing, refused);
    else
        begin_now(self, doing);
    host_turn(self);
}

/* Those behind one that crashed its worker. */
static void
not_begun(struct host *self, uint32_t slot)
{
    for (size_t i = 0; i < self->ndoing;) {
        struct doing over;

        if (!self->doing[i].call || self->doing[i].slot != slot) {
            i++;
            continue;
        }
        over = take_doing(self, &self->doing[i]);
        doing_release(&over);
        agent_not_begun(self->core, over.own);
    }
}

static void
report(struct sim *s, void *what, uint64_t own, uint64_t incarnation)
{
    struct host *self = what;
    struct doing over;
    struct result result;

    if (!self->alive || self->incarnation != incarnation)
        return;
    if (self->paused_until > s->now) {
        sim_at(s, self->paused_until, report, self, own, incarnation);
        return;
    }
    over = take_doing(self, find_doing(self, (uint32_t)own));
    sim_say(s, "  %s ends %u %s", self->name, over.own,
            plan_state_names[over.outcome.state]);
    result = (struct result){.ticket = over.own,
                             .state = over.outcome.state,
                             .value = over.outcome.value,
                             .cause = over.outcome.cause,
                             .code = -1,
                             .started = over.since,
                             .ended = s->now};
    print_sign(&over, &result);
    agent_ended(self->core, &result, s->now);
    if (over.call && over.stopped)
        not_begun(self, over.slot);
    else if (over.call)
        begin_next_call(self, over.slot);
    doing_release(&over);
    host_turn(self);
}

static void
end(struct sim *s, void *what, uint64_t nth, uint64_t incarnation)
{
    struct host *self = what;

    if (!self->alive || self->incarnation != incarnation)
        return;
    for (size_t i = 0; i < self->ndoing; i++) {
        struct doing *doing = &self->doing[i];

        if (doing->nth != nth || doing->done)
            continue;
        doing->done = true;
        doing->inst->live -= !doing->handlers;
        if (!doing->stopped && !doing->handlers)
            doing->inst->genuine |= UINT64_C(1) << (doing->work->attempt % 64);
        s->progress = s->now;
        report(s, self, doing->own, incarnation);
        return;
    }
}

static void
never_begun(struct sim *s, void *what, uint64_t own, uint64_t incarnation)
{
    struct host *self = what;
    struct doing *doing;
    struct doing over;

    if (!self->alive || self->incarnation != incarnation ||
        !(doing = find_doing(self, (uint32_t)own)))
        return;
    if (self->paused_until > s->now) {
        sim_at(s, self->paused_until, never_begun, self, own, incarnation);
        return;
    }
    over = take_doing(self, doing);
    if (over.call) {
        agent_not_begun(self->core, over.own);
        begin_next_call(self, over.slot);
    } else {
        struct result result = {.ticket = over.own,
                                .state = PLAN_CANCELLED,
                                .cause = "it was ended",
                                .code = -1};

        agent_ended(self->core, &result, s->now);
    }
    doing_release(&over);
    host_turn(self);
}

void
doing_stop(void *ctx, uint32_t own, bool at_once)
{
    struct host *self = ctx;
    struct sim *s = self->sim;
    struct doing *doing = find_doing(self, own);

    if (!doing)
        sim_fail(s, "%s stops %u, which it does not do", self->name, own);
    sim_say(s, "  %s stops %u%s", self->name, own, at_once ? " at once" : "");
    if (self->session == 0 && !doing->handlers) /* not by the broker's order */
        doing->inst->touched = true;
    if (doing->done)
        return;
    if (!doing->begun) {
        if (!doing->stopped)
            sim_at(s, s->now + sim_span(s, 1, 5000), never_begun, self, own,
                   self->incarnation);
        doing->stopped = true;
        return;
    }
    if (doing->stopped && !at_once)
        return;
    doing->stopped = true;
    json_decref(doing->outcome.value);
    doing->outcome =
        (struct run_outcome){.state = PLAN_CANCELLED, .cause = "it was ended"};
    send_end(self, doing, s->now + sim_span(s, 0, MS(at_once ? 20 : 2000)));
}
