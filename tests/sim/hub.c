/* SPDX-License-Identifier: MPL-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tests/sim/sim.h"

#define MS(n) ((int64_t)(n)*SPAN_MS)

/* ---- sessions ---- */

/* Sessions are whose they were given to: the host keeps the last. */
static struct host *
host_of(struct sim *s, uint64_t session)
{
    for (uint32_t i = 0; i < s->nhost; i++) {
        if (session != 0 && s->hosts[i].given == session)
            return &s->hosts[i];
    }
    return NULL;
}

/* ---- effects ---- */

struct story *
hub_story(struct sim *s, uint64_t run)
{
    if (run == 0 || run > s->nstory)
        sim_fail(s, "there is no run %llu", (unsigned long long)run);
    return s->stories[run - 1];
}

static void
on_task(void *ctx, broker_session session, const struct lane_task *task)
{
    struct sim *s = ctx;
    struct story *story = hub_story(s, task->work->spec->run);
    struct host *host = host_of(s, session);
    struct inst *inst = story_inst(story, task->work->id);
    struct message *message;

    sim_say(s, "  %s run %llu %s[%d] #%u to %s as %u",
            task->work->spec->handlers ? "handlers" : "task",
            (unsigned long long)story->run, task->work->spec->name,
            (int)task->work->id.child, task->work->attempt,
            host ? host->name : "nobody", task->ticket);
    if (!host)
        sim_fail(s, "a task is sent to no session");
    slip_add(s, (struct slip){session, task->ticket, task->work->attempt, inst,
                              task->work->spec->handlers});
    story_sent(story, task);
    message = message_new(host, MESSAGE_TASK, WAY_DOWN);
    message->incarnation = host->given_to;
    message->session = session;
    message->nth = ++host->down_sent;
    message->ticket = task->ticket;
    message->parcel = parcel_new(task->work);
    wire_send(s, message);
}

static void
check_on_disk(const struct sim *s, const struct receipt *receipt)
{
    const struct inst *inst = receipt->inst;

    if (!inst || receipt->refused || inst->stored_attempt > receipt->attempt ||
        (inst->stored_attempt == receipt->attempt &&
         inst->stored != PLAN_RUNNING))
        return;
    sim_fail(s,
             "result %d of session %llx is acknowledged, but run %llu "
             "task %u[%d] #%u is not on disk (%s #%u)",
             (int)receipt->number, (unsigned long long)receipt->session,
             (unsigned long long)inst->story->run, inst->id.task,
             (int)inst->id.child, receipt->attempt,
             plan_state_names[inst->stored], inst->stored_attempt);
}

/* What is acknowledged is on disk, or was never wanted; or it is kept. */
static void
check_ack(struct sim *s, uint64_t session, uint64_t number)
{
    struct hub *hub = &s->hub;
    uint64_t least = UINT64_MAX;
    uint64_t most = 0;
    uint64_t n = 0;

    for (size_t i = 0; i < hub->nreceipt; i++) {
        const struct receipt *receipt = &hub->receipts[i];

        if (receipt->session != session || receipt->number > number)
            continue;
        n++;
        least = receipt->number < least ? receipt->number : least;
        most = receipt->number > most ? receipt->number : most;
        if (!receipt->kept)
            check_on_disk(s, receipt);
    }
    if (n < number)
        sim_fail(s, "result %d of session %llx is acknowledged, %d came",
                 (int)number, (unsigned long long)session, (int)n);
}

/* A result that has come is to be kept, or is on disk now. */
static void
check_kept(struct sim *s, uint64_t session, uint32_t ticket, bool keep)
{
    struct hub *hub = &s->hub;
    size_t i = 0;

    while (i < hub->nreceipt && (hub->receipts[i].session != session ||
                                 hub->receipts[i].ticket != ticket))
        i++;
    if (i == hub->nreceipt || hub->receipts[i].kept == keep)
        sim_fail(s, "ticket %u of session %llx is %s", ticket,
                 (unsigned long long)session,
                 keep ? "to be kept, but had no result" : "not kept");
    hub->receipts[i].kept = keep;
    if (!keep)
        check_on_disk(s, &hub->receipts[i]);
}

static void
on_tell(void *ctx, broker_session session, enum broker_tell what,
        uint64_t number)
{
    struct sim *s = ctx;
    struct host *host = host_of(s, session);
    struct message *message;

    if (!host)
        sim_fail(s, "no session %llx is told anything",
                 (unsigned long long)session);
    if (what != TELL_BEAT && what != TELL_ACK && what != TELL_SAVED)
        sim_say(s, "  tell %s: %d %d", host->name, (int)what, (int)number);
    if (what == TELL_KEEP || what == TELL_DONE)
        check_kept(s, session, (uint32_t)number, what == TELL_KEEP);
    if (what == TELL_ACK)
        check_ack(s, session, number);
    if (what == TELL_SAVED)
        print_check_saved(s, session, number);
    message = message_new(host, MESSAGE_TELL, WAY_DOWN);
    message->incarnation = host->given_to;
    message->session = session;
    message->nth = ++host->down_sent;
    message->what = what;
    message->number = number;
    wire_send(s, message);
}

static void
on_drop(void *ctx, broker_session session, const char *why)
{
    struct sim *s = ctx;
    struct host *host = host_of(s, session);

    sim_say(s, "  %s is dropped: %s", host ? host->name : "somebody", why);
    if (!host)
        return;
    host->given = 0;
    wire_break(s, host, WAY_DOWN);
}

void
hub_note(struct sim *s, struct note note)
{
    struct group *group = &s->hub.filling;

    group->notes =
        mem_grow(group->notes, &group->cap, group->n + 1, sizeof *group->notes);
    group->notes[group->n++] = note;
    s->hub.dirty = true;
}

static void
on_record(void *ctx, uint64_t run, const struct store_record *record)
{
    struct sim *s = ctx;
    struct story *story = hub_story(s, run);

    story_recorded(story, record);
    hub_note(s, note_new(story, record));
}

static void
on_ended(void *ctx, uint64_t run, enum store_run_state state,
         const json_t *output, const char *problem)
{
    struct sim *s = ctx;
    struct story *story = hub_story(s, run);

    sim_say(s, "  run %llu ends %s %s", (unsigned long long)run,
            store_run_state_names[state], problem ? problem : "");
    if (story->ended)
        sim_fail(s, "run %llu ends twice", (unsigned long long)run);
    story->ended = true;
    slip_check_all(s);
    for (size_t i = 0; i < s->hub.nslip; i++) {
        if (s->hub.slips[i].inst->story == story)
            sim_fail(s, "run %llu ends with tickets out",
                     (unsigned long long)run);
    }
    hub_note(s,
             (struct note){.story = story,
                           .is_end = true,
                           .state = state,
                           .output = json_incref((json_t *)(uintptr_t)output)});
}

/* ---- the store ---- */

static void
group_release(struct group *group)
{
    for (size_t i = 0; i < group->n; i++)
        note_release(&group->notes[i]);
    free(group->notes);
    *group = (struct group){0};
}

static void
write_down(struct group *group)
{
    for (size_t i = 0; i < group->n; i++) {
        const struct note *note = &group->notes[i];

        if (note->is_print)
            print_written(note);
        else
            story_committed(note->story, note);
    }
    group_release(group);
}

/* The next to be written, when there is an end to it. */
static bool
write_some(struct sim *s, const struct group *group)
{
    for (size_t i = 0; i < group->n; i++) {
        if (!group->notes[i].is_print)
            continue;
        if (dice_one_in(&s->dice, 5))
            return false;
        print_written(&group->notes[i]);
    }
    return true;
}

static void
commit(struct sim *s, void *what, uint64_t number, uint64_t life)
{
    struct hub *hub = &s->hub;

    (void)what;
    if (life != hub->life || !hub->alive)
        return;
    if (hub->paused_until > s->now) {
        sim_at(s, hub->paused_until, commit, NULL, number, life);
        return;
    }
    while (hub->ngroup > 0 && hub->groups[0].number <= number) {
        write_down(&hub->groups[0]);
        hub->ngroup--;
        memmove(hub->groups, hub->groups + 1,
                hub->ngroup * sizeof *hub->groups);
    }
    sim_say(s, "  group %d is on disk", (int)number);
    broker_committed(hub->core, number, s->now);
    hub_turn(s);
}

static void
seal(struct sim *s)
{
    struct hub *hub = &s->hub;
    struct group *group;

    hub->dirty = false;
    hub->groups = mem_grow(hub->groups, &hub->cap_group, hub->ngroup + 1,
                           sizeof *hub->groups);
    group = &hub->groups[hub->ngroup++];
    *group = hub->filling;
    hub->filling = (struct group){0};
    group->number = broker_seal(hub->core);
    group->when = s->now + sim_span(s, 50, s->weather.commit);
    if (group->when < hub->commit_last)
        group->when = hub->commit_last;
    hub->commit_last = group->when;
    sim_say(s, "  group %d of %zu is sealed", (int)group->number, group->n);
    sim_at(s, group->when, commit, NULL, group->number, hub->life);
}

/* ---- a turn ---- */

static void
wake(struct sim *s, void *what, uint64_t a, uint64_t life)
{
    (void)what;
    if (s->hub.alive && life == s->hub.life && (int64_t)a == s->hub.wake)
        hub_turn(s);
}

void
hub_turn(struct sim *s)
{
    struct hub *hub = &s->hub;
    int64_t due;

    if (!hub->alive)
        return;
    if (hub->paused_until > s->now) {
        hub->wake = hub->paused_until;
        sim_at(s, hub->wake, wake, NULL, (uint64_t)hub->wake, hub->life);
        return;
    }
    due = broker_tick(hub->core, s->now);
    slip_check_all(s);
    if (hub->dirty)
        seal(s);
    if (due <= s->now)
        sim_fail(s, "the broker wants to be called in the past");
    hub->wake = due;
    if (due != SPAN_NEVER)
        sim_at(s, due, wake, NULL, (uint64_t)due, hub->life);
}

/* ---- what arrives ---- */

/* Something before it is missing: the edge ends the session. That nothing comes
 * behind a gap holds for what the broker has dropped, too. */
static bool
is_gap(struct sim *s, const struct message *message)
{
    struct host *host = message->host;

    if (message->way != WAY_UP || message->session != host->counted ||
        message->nth <= host->up_got)
        return false;
    if (message->nth == host->up_got + 1) {
        host->up_got++;
        return false;
    }
    sim_say(s, "  something of %s is missing", host->name);
    if (host->given == message->session) {
        on_tell(s, host->given, TELL_LEAVE, 0);
        broker_gone(s->hub.core, host->given, GONE_CONNECTION, s->now);
    }
    return true;
}

void
hub_arrived(struct sim *s, struct message *message)
{
    struct hub *hub = &s->hub;

    if (!hub->alive || is_gap(s, message)) {
        message_free(message);
        return;
    }
    hub_take(s, message);
    message_free(message);
    if (sim_chance(s, 80)) /* else with the next, in one turn */
        hub_turn(s);
    else
        sim_at(s, s->now + 5, wake, NULL, (uint64_t)(hub->wake = s->now + 5),
               hub->life);
}

static void
gone(struct sim *s, void *what, uint64_t session, uint64_t why)
{
    struct host *host = what;

    if (!s->hub.alive || host->given != session)
        return;
    if (s->hub.paused_until > s->now) {
        sim_at(s, s->hub.paused_until, gone, host, session, why);
        return;
    }
    sim_say(s, "the lane of %s is gone", host->name);
    broker_gone(s->hub.core, session, (enum broker_gone)why, s->now);
    hub_turn(s);
}

void
hub_gone(struct sim *s, struct host *host, enum broker_gone why)
{
    if (host->given != 0)
        sim_at(s, s->now + sim_span(s, 10, MS(5)), gone, host, host->given,
               why);
}

/* ---- life ---- */

void
hub_start(struct sim *s)
{
    struct broker_effects effects = {on_task,   on_tell,  on_drop,
                                     on_record, on_ended, s};
    struct hub *hub = &s->hub;
    bool first = hub->epoch == 0;

    hub->alive = true;
    hub->life++;
    hub->core = broker_new(&effects, ++hub->epoch);
    sim_say(s, "the broker starts, epoch %u", hub->epoch);
    for (uint32_t i = 0; i < s->nstory && !first; i++) {
        struct story *story = s->stories[i];

        if (story->phase != STORY_RUNS)
            continue;
        story_begin(story, s->now + MS(LIMIT_ADOPT_MS));
        if (story->cancelled) /* that is stored */
            broker_run_cancel(hub->core, story->run, false, s->now);
    }
    hub_turn(s);
}

static void
lost_broker(struct sim *s, void *what, uint64_t incarnation, uint64_t session)
{
    struct host *host = what;

    if (!host->alive || host->incarnation != incarnation ||
        host->session != session)
        return;
    if (host->paused_until > s->now) {
        sim_at(s, host->paused_until, lost_broker, host, incarnation, session);
        return;
    }
    host_lost_broker(host, s->now);
    host_turn(host);
}

/* What was on its way to the disk may have got there; output goes ahead of the
 * records of its group. */
static void
lose_groups(struct sim *s)
{
    struct hub *hub = &s->hub;
    size_t kept = dice_roll(&s->dice, (uint32_t)hub->ngroup + 1);
    bool more = true;

    sim_say(s, "the broker crashes, %zu of %zu groups are on disk", kept,
            hub->ngroup);
    for (size_t i = 0; i < hub->ngroup; i++) {
        if (i < kept) {
            write_down(&hub->groups[i]);
            continue;
        }
        more = more && write_some(s, &hub->groups[i]);
        group_release(&hub->groups[i]);
    }
    hub->ngroup = 0;
    group_release(&hub->filling);
}

void
hub_crash(struct sim *s)
{
    struct hub *hub = &s->hub;

    if (!hub->alive)
        return;
    lose_groups(s);
    while (hub->nslip > 0)
        slip_lose(s, &hub->slips[0]);
    broker_destroy(&hub->core);
    hub->alive = false;
    hub->life++;
    hub->paused_until = 0;
    hub->commit_last = 0;
    hub->nreceipt = hub->nheard = 0;
    hub->dirty = false;
    for (uint32_t i = 0; i < s->nhost; i++) {
        struct host *host = &s->hosts[i];

        host->given = 0;
        for (int way = 0; way < WAY_COUNT; way++)
            wire_break(s, host, (enum way)way);
        if (host->alive && sim_chance(s, 80))
            sim_at(s, s->now + sim_span(s, 10, MS(20)), lost_broker, host,
                   host->incarnation, host->session);
    }
}

void
hub_release(struct sim *s)
{
    struct hub *hub = &s->hub;

    for (size_t i = 0; i < hub->ngroup; i++)
        group_release(&hub->groups[i]);
    group_release(&hub->filling);
    free(hub->groups);
    free(hub->slips);
    free(hub->receipts);
    free(hub->heard);
    broker_destroy(&hub->core);
}
