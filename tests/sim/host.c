/* SPDX-License-Identifier: MPL-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tests/sim/sim.h"

#define MS(n) ((int64_t)(n)*SPAN_MS)

/* As flows and agents have them. */
static char cpus[] = "cpus";
static char memory[] = "memory";
static char gpus_name[] = "gpus";
static char licence[] = "licence";

/* ---- what the core tells the broker ---- */

static void
on_forget(void *ctx, const struct work *work)
{
    (void)ctx;
    parcel_free((struct parcel *)(uintptr_t)work);
}

static struct message *
back(struct host *self, enum message_kind kind)
{
    struct message *message = message_new(self, kind, WAY_UP);

    if (self->session == 0)
        sim_fail(self->sim, "%s speaks outside a session", self->name);
    message->session = self->session;
    message->nth = ++self->up_sent;
    return message;
}

static void
on_started(void *ctx, uint32_t ticket)
{
    struct host *self = ctx;
    struct message *message = back(self, MESSAGE_STARTED);

    message->ticket = ticket;
    wire_send(self->sim, message);
}

static void
on_output(void *ctx, const struct output *output)
{
    struct host *self = ctx;
    struct message *message = back(self, MESSAGE_OUTPUT);

    message->output = *output;
    message->output.data = NULL;
    self->printed += output->n;
    wire_send(self->sim, message);
}

static void
on_result(void *ctx, uint64_t number, const struct result *result)
{
    struct host *self = ctx;
    struct message *message = back(self, MESSAGE_RESULT);

    if (number != ++self->nsent)
        sim_fail(self->sim, "%s sends result %d after %d", self->name,
                 (int)number, (int)self->nsent - 1);
    message->number = number;
    message->result = *result;
    json_incref(result->value);
    message->result.cause = mem_dup(result->cause);
    message->result.cwd = mem_dup(result->cwd);
    wire_send(self->sim, message);
}

static void
on_given_back(void *ctx, uint32_t ticket)
{
    struct host *self = ctx;
    struct message *message = back(self, MESSAGE_GIVEN_BACK);

    message->ticket = ticket;
    wire_send(self->sim, message);
}

/* ---- the edge ---- */

void
host_lost_broker(struct host *self, int64_t since)
{
    if (!self->alive || self->session == 0)
        return;
    sim_say(self->sim, "%s has lost the broker", self->name);
    self->session = 0;
    agent_lost_broker(self->core, since);
    self->hello_due = self->sim->now + sim_span(self->sim, 0, MS(50));
    self->tag = 0;
}

static void
say_hello(struct host *self)
{
    struct sim *s = self->sim;
    struct message *message = message_new(self, MESSAGE_HELLO, WAY_CONTROL_UP);
    const struct held *held = agent_held(self->core, &message->n);

    message->held = mem_alloc(message->n, sizeof *held);
    if (message->n > 0)
        memcpy(message->held, held, message->n * sizeof *held);
    message->number = self->tag = ++self->ntag;
    self->hello_due = s->now + MS(250);
    wire_send(s, message);
}

static void
leave(struct host *self)
{
    struct sim *s = self->sim;

    sim_say(s, "%s leaves", self->name);
    if (self->ndoing > 0)
        sim_fail(s, "%s leaves, but does something", self->name);
    if (self->session != 0)
        wire_send(s, back(self, MESSAGE_LEAVING));
    agent_destroy(&self->core);
    self->alive = false;
    self->doomed = true;
}

static void
wake(struct sim *s, void *what, uint64_t a, uint64_t b)
{
    struct host *self = what;

    (void)b;
    if (self->alive && (int64_t)a == self->wake && self->wake == s->now)
        host_turn(self);
}

static int64_t
sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

void
host_turn(struct host *self)
{
    struct sim *s = self->sim;
    struct agent_state state;
    int64_t due = SPAN_NEVER;

    if (!self->alive || self->paused_until > s->now)
        return;
    if (self->session != 0 && s->now - self->heard >= MS(LIMIT_LOST_MS))
        host_lost_broker(self, s->now);
    if (self->session == 0 && s->now >= self->hello_due)
        say_hello(self);
    if (self->session != 0 && s->now >= self->beat_due) {
        struct message *message = back(self, MESSAGE_BEAT);

        message->beat.number = ++self->nbeat;
        self->beat_due = s->now + MS(LIMIT_BEAT_MS);
        wire_send(s, message);
    }
    due = agent_tick(self->core, s->now);
    if (due <= s->now)
        sim_fail(s, "%s wants to be called in the past", self->name);
    state = agent_state(self->core);
    if (state.running != self->ndoing)
        sim_fail(s, "%s counts %u running, but does %zu", self->name,
                 state.running, self->ndoing);
    if (state.may_leave) {
        leave(self);
        return;
    }
    if (self->session == 0)
        due = sooner(due, self->hello_due);
    else
        due = sooner(due,
                     sooner(self->beat_due, self->heard + MS(LIMIT_LOST_MS)));
    self->wake = due;
    if (due != SPAN_NEVER)
        sim_at(s, due, wake, self, (uint64_t)due, 0);
}

/* ---- what arrives ---- */

static void
take_task(struct host *self, struct message *message)
{
    struct lane_task task = {message->ticket, &message->parcel->work};
    struct err err;

    if (agent_task(self->core, &task, self->sim->now, &err) < 0)
        sim_fail(self->sim, "%s does not take ticket %u: %s", self->name,
                 message->ticket, err.msg);
    message->parcel = NULL;
}

/* What runs under the ticket has been told to end. */
static void
check_cancelled(const struct host *self, uint32_t ticket)
{
    for (size_t i = 0; i < self->ndoing; i++) {
        const struct doing *doing = &self->doing[i];

        if (agent_ticket(self->core, doing->own) == ticket && !doing->done &&
            !doing->stopped)
            sim_fail(self->sim, "%s goes on with ticket %u, which is cancelled",
                     self->name, ticket);
    }
}

/* Nothing but what was acknowledged is forgotten. */
static void
take_ack(struct host *self, uint64_t number)
{
    uint32_t left;

    if (number > self->nsent)
        sim_fail(self->sim, "%s: result %d is acknowledged, %d were sent",
                 self->name, (int)number, (int)self->nsent);
    agent_ack(self->core, number, self->sim->now);
    self->acked = number > self->acked ? number : self->acked;
    left = agent_state(self->core).spooled;
    if (left != self->nsent - self->acked + self->nkept)
        sim_fail(self->sim,
                 "%s has %u results, %d of %d are acknowledged, %d kept",
                 self->name, left, (int)self->acked, (int)self->nsent,
                 (int)self->nkept);
}

static void
take_tell(struct host *self, const struct message *message)
{
    int64_t now = self->sim->now;
    uint32_t ticket = (uint32_t)message->number;

    switch (message->what) {
    case TELL_CANCEL:
    case TELL_KILL:
        agent_cancel(self->core, ticket, message->what == TELL_KILL);
        check_cancelled(self, ticket);
        break;
    case TELL_RECALL:
        agent_recall(self->core, ticket);
        break;
    case TELL_KEEP:
        agent_keep(self->core, ticket);
        self->nkept++;
        self->sim->counts.kept++;
        break;
    case TELL_DONE:
        agent_done(self->core, ticket);
        self->nkept--;
        break;
    case TELL_SAVED:
        if (message->number > self->printed)
            sim_fail(self->sim, "%s: %d bytes are safe, %d were sent",
                     self->name, (int)message->number, (int)self->printed);
        agent_saved(self->core, message->number);
        break;
    case TELL_ACK:
        take_ack(self, message->number);
        break;
    case TELL_DRAIN:
        agent_drain(self->core, now);
        self->leaving = true;
        break;
    case TELL_LEAVE:
        host_lost_broker(self, now);
        break;
    case TELL_BEAT:
    case TELL_COUNT:
        break;
    }
}

static void
take_welcome(struct host *self, const struct message *message)
{
    if (message->number != self->tag || self->session != 0)
        return;
    sim_say(self->sim, "%s is welcome, session %llx", self->name,
            (unsigned long long)message->session);
    for (size_t i = 0; i < message->n; i++)
        self->sim->counts.adopted += message->tickets[i] != 0;
    self->nsent = self->acked = self->nkept = self->up_sent = self->down_got =
        0;
    self->printed = 0;
    self->tag = 0;
    self->session = message->session;
    self->heard = self->beat_due = self->sim->now;
    agent_welcome(self->core, message->epoch, message->tickets, message->n,
                  self->sim->now);
}

void
host_arrived(struct host *self, struct message *message)
{
    if (!self->alive || message->incarnation != self->incarnation) {
        message_free(message);
        return;
    }
    if (message->kind == MESSAGE_WELCOME) {
        take_welcome(self, message);
    } else if (message->kind == MESSAGE_TASK || message->kind == MESSAGE_TELL) {
        if (message->session == self->session &&
            message->nth != ++self->down_got) {
            host_lost_broker(self, self->sim->now);
        } else if (message->session == self->session) {
            self->heard = self->sim->now;
            if (message->kind == MESSAGE_TASK)
                take_task(self, message);
            else
                take_tell(self, message);
        }
    }
    message_free(message);
    host_turn(self);
}

/* ---- life ---- */

static void
draw_info(struct host *self, bool fine)
{
    struct sim *s = self->sim;
    bool rich = fine || sim_chance(s, 60);

    self->info = (struct agent_info){
        .name = self->name,
        .host = "host",
        .version = "0",
        .pid = self->nth,
        .slots = fine ? 4 : 1 + dice_roll(&s->dice, 4),
        .resources = self->resources,
        .nresource = rich ? 4 : 2,
        .labels = self->labels,
        .nlabel = 1,
    };
    self->resources[0] = (struct flow_resource){cpus, self->info.slots};
    self->resources[1] = (struct flow_resource){memory, 1e9};
    self->resources[2] =
        (struct flow_resource){gpus_name, 1 + dice_roll(&s->dice, 2)};
    self->resources[3] = (struct flow_resource){licence, 1};
    self->labels[0] = self->nth % 2 ? "zone=a" : "zone=b";
    self->refuses = !fine && sim_chance(s, 10);
}

void
host_join(struct sim *s, struct host *self, bool fine)
{
    struct agent_effects effects = {doing_start,   doing_stop, on_forget,
                                    on_started,    on_output,  on_result,
                                    on_given_back, self};
    struct agent_config config = {
        .fence = MS(LIMIT_FENCE_MS),
        .idle = fine || !sim_chance(s, 5) ? 0 : 20 * SPAN_SECOND,
        .lifetime = fine || !sim_chance(s, 5) ? 0 : 30 * SPAN_SECOND,
    };

    if (self->nth == 0) {
        self->sim = s;
        self->nth = (uint32_t)(self - s->hosts) + 1;
        (void)snprintf(self->name, sizeof self->name, "host%u", self->nth);
        draw_info(self, fine);
    }
    config.slots = self->info.slots;
    config.resources = self->resources;
    config.nresource = self->info.nresource;
    self->incarnation = s->dice = dice_mix(s->dice);
    self->info.incarnation = self->incarnation;
    self->alive = true;
    self->leaving = false;
    self->session = self->tag = 0;
    self->hello_due = s->now;
    self->core = agent_new(&config, &effects, s->now);
    sim_say(s, "%s joins: %u slots, %s%s", self->name, self->info.slots,
            self->labels[0], self->refuses ? ", refuses programs" : "");
    host_turn(self);
}

/* All its processes with it. */
void
host_kill(struct host *self, bool silent)
{
    struct sim *s = self->sim;

    if (!self->alive)
        return;
    sim_say(s, "%s is killed%s", self->name, silent ? " silently" : "");
    self->alive = false;
    self->paused_until = 0;
    for (size_t i = 0; i < self->ndoing; i++) {
        struct doing *doing = &self->doing[i];

        if (!doing->handlers) {
            doing->inst->live -= doing->begun && !doing->done;
            doing->inst->touched |= doing->begun;
        }
        doing_release(doing);
    }
    self->ndoing = 0;
    self->session = 0;
    agent_destroy(&self->core);
    for (int way = 0; way < WAY_COUNT; way++)
        wire_break(s, self, (enum way)way);
    if (!silent)
        hub_gone(s, self, GONE_CONNECTION);
}

void
host_release(struct host *self)
{
    for (size_t i = 0; i < self->ndoing; i++)
        doing_release(&self->doing[i]);
    free(self->doing);
    free(self->held);
    free(self->tickets);
    for (int way = 0; way < WAY_COUNT; way++)
        wire_release(&self->wires[way]);
    agent_destroy(&self->core);
}

void
host_check_empty(struct host *self)
{
    struct agent_state state;

    if (!self->alive)
        return;
    state = agent_state(self->core);
    if (self->leaving)
        sim_fail(self->sim, "%s was to leave, and has not", self->name);
    if (state.queued + state.running + state.spooled > 0)
        sim_fail(self->sim,
                 "%s has %u queued, %u running, %u spooled at the "
                 "end",
                 self->name, state.queued, state.running, state.spooled);
    if (state.kept > 0)
        sim_fail(self->sim, "%s keeps output at the end", self->name);
}
