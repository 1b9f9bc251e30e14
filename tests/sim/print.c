/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What is written has no contents: where it begins, how long it is and who
 * wrote it say all. The end of an attempt has in `cpu` and `memory` what it has
 * written, which comes with its record.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "tests/sim/sim.h"

#define PIECE 1000u /* at most */

/* ---- attempts ---- */

static struct doing *
find(const struct host *self, uint32_t origin)
{
    for (size_t i = 0; i < self->ndoing; i++) {
        if (self->doing[i].origin == origin && !self->doing[i].done)
            return &self->doing[i];
    }
    return NULL;
}

static void
print(struct sim *s, void *what, uint64_t origin, uint64_t incarnation)
{
    static const char data[PIECE];
    struct host *self = what;
    struct doing *doing;

    if (!self->alive || self->incarnation != incarnation ||
        !(doing = find(self, (uint32_t)origin)))
        return;
    if (self->paused_until > s->now) {
        sim_at(s, self->paused_until, print, self, origin, incarnation);
        return;
    }
    for (uint32_t n = dice_roll(&s->dice, 3) + 1; n > 0; n--) {
        struct output output = {
            .ticket = doing->own,
            .stream = (int)dice_roll(&s->dice, 2) + 1,
            .origin = doing->handlers ? 0 : doing->origin,
            .data = data,
            .n = dice_roll(&s->dice, PIECE) + 1,
        };

        output.offset = doing->written[output.stream];
        doing->written[output.stream] += output.n;
        agent_output(self->core, &output);
    }
    host_turn(self);
}

void
print_plan(struct host *self, const struct doing *doing, int64_t until)
{
    struct sim *s = self->sim;

    for (uint32_t n = dice_roll(&s->dice, 4); n > 0; n--)
        sim_at(s, s->now + sim_span(s, 0, until - s->now), print, self,
               doing->origin, self->incarnation);
}

void
print_sign(const struct doing *doing, struct result *result)
{
    if (!doing->begun)
        return;
    result->cpu = (int64_t)doing->written[1];
    result->memory =
        (int64_t)((uint64_t)doing->origin << 32 | doing->written[2]);
}

/* ---- the file ---- */

static bool
is_like(const struct store_piece *a, const struct store_piece *b)
{
    return a->origin == b->origin && a->stream == b->stream &&
           a->id.task == b->id.task && a->id.child == b->id.child &&
           a->attempt == b->attempt;
}

static uint64_t
on_disk(const struct story *story, const struct store_piece *of)
{
    uint64_t n = 0;

    for (size_t i = 0; i < story->nprint; i++)
        n += is_like(&story->prints[i], of) ? story->prints[i].n : 0;
    return n;
}

void
print_written(const struct note *note)
{
    struct story *story = note->story;
    struct sim *s = story->sim;
    struct store_piece rest = note->piece;
    uint64_t end = note->offset + rest.n, there = on_disk(story, &rest);

    if (rest.origin == 0) /* of handlers */
        return;
    extents_leave_out(&story->extents, &rest, note->offset);
    s->counts.again += rest.n < note->piece.n;
    if (rest.n == 0)
        return;
    if (end - rest.n != there)
        sim_fail(s,
                 "%s #%u writes %d bytes of stream %d at %d, where it has %d",
                 story_shown(story_inst(story, rest.id)), rest.attempt,
                 (int)rest.n, rest.stream, (int)(end - rest.n), (int)there);
    story->prints = mem_grow(story->prints, &story->cap_print,
                             story->nprint + 1, sizeof *story->prints);
    story->prints[story->nprint++] = rest;
    *extents_end(&story->extents, &rest) = end;
}

void
print_recorded(struct story *story, const struct store_record *record)
{
    struct store_piece of = {
        .id = record->id,
        .attempt = record->attempt,
        .origin = (uint32_t)((uint64_t)record->memory >> 32),
    };
    uint64_t want[] = {0, (uint64_t)record->cpu,
                       (uint64_t)record->memory & UINT32_MAX};

    if (record->state != PLAN_RUNNING)
        extents_forget(&story->extents, record->id, record->attempt);
    for (of.stream = 1; of.origin != 0 && of.stream <= 2; of.stream++) {
        if (on_disk(story, &of) != want[of.stream])
            sim_fail(story->sim,
                     "%s #%u is recorded %s with %d of %d bytes of stream %d",
                     story_shown(story_inst(story, of.id)), of.attempt,
                     plan_state_names[record->state], (int)on_disk(story, &of),
                     (int)want[of.stream], of.stream);
    }
}

void
print_taken_up(struct story *story, bool look)
{
    extents_release(&story->extents);
    for (size_t i = 0; look && i < story->nprint; i++)
        *extents_end(&story->extents, &story->prints[i]) += story->prints[i].n;
}

/* ---- the broker ---- */

void
print_arrived(struct sim *s, const struct message *message)
{
    struct hub *hub = &s->hub;
    const struct output *output = &message->output;
    const struct slip *slip = slip_find(hub, message->session, output->ticket);
    struct broker_attempt of;
    struct note note = {.is_print = true,
                        .piece = {.stream = output->stream,
                                  .origin = output->origin,
                                  .data = "",
                                  .n = output->n},
                        .offset = output->offset};

    if (message->host->given == message->session)
        message->host->heard_bytes += output->n;
    if (broker_output(hub->core, message->session, output->ticket, output->n,
                      s->now, &of) != (slip != NULL))
        sim_fail(s, "output of ticket %u: known to one only", output->ticket);
    if (!slip)
        return;
    note.story = slip->inst->story;
    note.piece.id = of.id;
    note.piece.attempt = of.attempt;
    if (of.run != note.story->run || of.id.task != slip->inst->id.task ||
        of.id.child != slip->inst->id.child || of.attempt != slip->attempt)
        sim_fail(s, "output of ticket %u is taken for another's",
                 output->ticket);
    if (output->origin == 0)
        return;
    hub->heard = mem_grow(hub->heard, &hub->cap_heard, hub->nheard + 1,
                          sizeof *hub->heard);
    hub->heard[hub->nheard++] =
        (struct heard){.session = message->session,
                       .upto = message->host->heard_bytes,
                       .story = note.story,
                       .piece = note.piece,
                       .end = output->offset + output->n};
    hub_note(s, note);
}

void
print_check_saved(struct sim *s, uint64_t session, uint64_t bytes)
{
    const struct hub *hub = &s->hub;

    for (size_t i = 0; i < hub->nheard; i++) {
        const struct heard *heard = &hub->heard[i];

        if (heard->session == session && heard->upto <= bytes &&
            on_disk(heard->story, &heard->piece) < heard->end)
            sim_fail(s,
                     "%d bytes of session %llx are told to be safe, but of %s "
                     "there are only %d of %d",
                     (int)bytes, (unsigned long long)session,
                     story_shown(story_inst(heard->story, heard->piece.id)),
                     (int)on_disk(heard->story, &heard->piece),
                     (int)heard->end);
    }
}
