/* SPDX-License-Identifier: MPL-2.0 */
/*
 * lane_out - Lane frames, written column by column as tasks come.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "proto/convert.h"
#include "proto/frames.h"
#include "proto/lane_spec.h"
#include "proto/limits.h"
#include "proto/pack.h"

#define NONE UINT32_MAX

/* Bytes for the envelope, heads of columns and what stands alone; and what a
 * task has at most besides its item and key. */
#define FRAME_ROOM  ((size_t)LIMIT_FRAME_BYTES - 256)
#define TASK_BYTES  ((size_t)5 * 5 + 6)
#define TASK_FIELDS 1
/* Fewer than the reader takes: messages inside need a little more. */
#define MOST_FIELDS (LIMIT_DECODE_COUNT - 4096u)

enum lane_field {
    LANE_SPECS = 1,
    LANE_TICKET,
    LANE_SPEC,
    LANE_CHILD,
    LANE_ATTEMPT,
    LANE_ITEMS,
    LANE_KEY,
    LANE_CANCEL,
    LANE_KILL,
    LANE_RECALL,
    LANE_ACK,
    LANE_DRAIN,
    LANE_BEAT,
    LANE_LEAVE,
    LANE_SAVED,
    LANE_RUNS,
    LANE_FORGET,
    LANE_ITEM,
    LANE_KEEP,
    LANE_DONE,
};

/* A run that the receiver knows. */
struct place {
    bool taken;
    uint64_t common, run; /* of its specs */
    char *home;           /* "": none */
    uint64_t frame;       /* that spoke of it last */
};

/* Where the spec of a task is in the frame. */
struct slot {
    uint32_t place, task;
    bool handlers;
    uint32_t number; /* from 1; 0: the slot is free */
};

struct lane_out {
    struct frames frames;
    struct place places[LIMIT_LANE_RUNS];
    uint32_t recent; /* of them: the last task's */
    /* of the frame that is being built */
    uint64_t frame; /* its number, from 1 */
    struct buf runs, specs, ticket, spec, child, attempt;
    /* all or none: they begin with the first that is not empty */
    struct buf items, item, key;
    uint32_t nitem, nkey;
    struct buf cancel, kill, recall, forget, keep, done;
    uint64_t ack, saved, beat;
    bool drain, leave;
    uint32_t ntask;
    size_t bytes, nfield; /* at most */
    struct slot *slots;
    size_t nslot; /* a power of two */
    uint32_t nspec;
    /* of the task that is being put in: what the receiver does not know yet */
    struct buf one_run, one_spec, one_item;
    bool lacks_run;
    uint32_t one_place;
    size_t one_fields;
};

struct lane_out *
lane_out_new(void)
{
    struct lane_out *self = mem_alloc(1, sizeof *self);

    self->nslot = 16;
    self->slots = mem_alloc(self->nslot, sizeof *self->slots);
    self->frame = 1;
    return self;
}

void
lane_out_destroy(struct lane_out **self_p)
{
    struct lane_out *self = *self_p;

    *self_p = NULL;
    if (!self)
        return;
    frames_release(&self->frames);
    for (size_t i = 0; i < LIMIT_LANE_RUNS; i++)
        free(self->places[i].home);
    buf_release(&self->runs);
    buf_release(&self->specs);
    buf_release(&self->ticket);
    buf_release(&self->spec);
    buf_release(&self->child);
    buf_release(&self->attempt);
    buf_release(&self->items);
    buf_release(&self->item);
    buf_release(&self->key);
    buf_release(&self->cancel);
    buf_release(&self->kill);
    buf_release(&self->recall);
    buf_release(&self->forget);
    buf_release(&self->keep);
    buf_release(&self->done);
    buf_release(&self->one_run);
    buf_release(&self->one_spec);
    buf_release(&self->one_item);
    free(self->slots);
    free(self);
}

/* ---- ending a frame ---- */

static void
add_item(struct lane_out *self, const char *item, size_t n)
{
    if (n == 0 && self->nitem == 0)
        return;
    for (; self->nitem < self->ntask; self->nitem++)
        pack_number(&self->item, 0);
    pack_number(&self->item, n);
    buf_add(&self->items, item, n);
    self->nitem++;
}

static void
add_shown(struct lane_out *self, const char *key, size_t n)
{
    if (n == 0 && self->nkey == 0)
        return;
    for (; self->nkey < self->ntask; self->nkey++)
        pack_element(&self->key, LANE_KEY, NULL, 0);
    pack_element(&self->key, LANE_KEY, key, n);
    self->nkey++;
}

static void
clear(struct lane_out *self)
{
    self->frame++;
    buf_clear(&self->runs);
    buf_clear(&self->specs);
    buf_clear(&self->ticket);
    buf_clear(&self->spec);
    buf_clear(&self->child);
    buf_clear(&self->attempt);
    buf_clear(&self->items);
    buf_clear(&self->item);
    buf_clear(&self->key);
    self->nitem = self->nkey = 0;
    buf_clear(&self->cancel);
    buf_clear(&self->kill);
    buf_clear(&self->recall);
    buf_clear(&self->forget);
    buf_clear(&self->keep);
    buf_clear(&self->done);
    self->ack = self->saved = self->beat = 0;
    self->drain = self->leave = false;
    self->ntask = 0;
    self->bytes = self->nfield = 0;
    if (self->nspec > 0)
        memset(self->slots, 0, self->nslot * sizeof *self->slots);
    self->nspec = 0;
}

static bool
is_empty(const struct lane_out *self)
{
    return self->bytes == 0 && self->ack == 0 && self->saved == 0 &&
           self->beat == 0 && !self->drain && !self->leave;
}

static void
end_frame(struct lane_out *self)
{
    struct buf *out = frames_add(&self->frames);

    (void)buf_reserve(out, WIRE_ENVELOPE);
    buf_added(out, WIRE_ENVELOPE);
    buf_add(out, self->specs.data, self->specs.len);
    pack_buf(out, LANE_TICKET, &self->ticket);
    pack_buf(out, LANE_SPEC, &self->spec);
    pack_buf(out, LANE_CHILD, &self->child);
    pack_buf(out, LANE_ATTEMPT, &self->attempt);
    pack_buf(out, LANE_ITEMS, &self->items);
    buf_add(out, self->key.data, self->key.len);
    pack_buf(out, LANE_CANCEL, &self->cancel);
    pack_buf(out, LANE_KILL, &self->kill);
    pack_buf(out, LANE_RECALL, &self->recall);
    pack_unsigned(out, LANE_ACK, self->ack);
    pack_unsigned(out, LANE_DRAIN, self->drain);
    pack_unsigned(out, LANE_BEAT, self->beat);
    pack_unsigned(out, LANE_LEAVE, self->leave);
    pack_unsigned(out, LANE_SAVED, self->saved);
    buf_add(out, self->runs.data, self->runs.len);
    pack_buf(out, LANE_FORGET, &self->forget);
    pack_buf(out, LANE_ITEM, &self->item);
    pack_buf(out, LANE_KEEP, &self->keep);
    pack_buf(out, LANE_DONE, &self->done);
    wire_seal(out, 0, WIRE_LANE);
    frames_filled(&self->frames);
    clear(self);
}

/* ---- runs ---- */

static bool
is_at(const struct place *place, const struct work_spec *spec)
{
    return place->taken && place->common == spec->common &&
           place->run == spec->run &&
           strcmp(place->home, spec->home ? spec->home : "") == 0;
}

/* NONE: the receiver does not know it. */
static uint32_t
find_place(struct lane_out *self, const struct work_spec *spec)
{
    if (is_at(&self->places[self->recent], spec))
        return self->recent;
    for (uint32_t i = 0; i < LIMIT_LANE_RUNS; i++) {
        if (is_at(&self->places[i], spec))
            return i;
    }
    return NONE;
}

/* One that is free, or was not spoken of for longest. */
static uint32_t
oldest_place(const struct lane_out *self)
{
    uint64_t least = UINT64_MAX;
    uint32_t best = 0;

    for (uint32_t i = 0; i < LIMIT_LANE_RUNS; i++) {
        const struct place *place = &self->places[i];
        uint64_t frame = place->frame;

        if (!place->taken && frame != self->frame)
            frame = 0;
        if (frame >= least)
            continue;
        least = frame;
        best = i;
    }
    return best;
}

static void
take_place(struct lane_out *self, uint32_t i, const struct work_spec *spec)
{
    struct place *place = &self->places[i];

    free(place->home);
    *place = (struct place){.taken = true,
                            .common = spec->common,
                            .run = spec->run,
                            .home = mem_dup(spec->home ? spec->home : "")};
}

/* ---- specs ---- */

static struct slot *
find_slot(const struct lane_out *self, uint32_t place, uint32_t task,
          bool handlers)
{
    uint64_t mixed = ((uint64_t)place << 33 | (uint64_t)handlers << 32 | task) *
                     UINT64_C(0x9e3779b97f4a7c15);
    size_t i = (size_t)(mixed >> 32) & (self->nslot - 1);
    struct slot *slot = &self->slots[i];

    while (slot->number > 0 && (slot->place != place || slot->task != task ||
                                slot->handlers != handlers)) {
        i = (i + 1) & (self->nslot - 1);
        slot = &self->slots[i];
    }
    return slot;
}

static void
grow_slots(struct lane_out *self)
{
    struct slot *old = self->slots;
    size_t n = self->nslot;

    self->nslot *= 2;
    self->slots = mem_alloc(self->nslot, sizeof *self->slots);
    for (size_t i = 0; i < n; i++) {
        if (old[i].number > 0)
            *find_slot(self, old[i].place, old[i].task, old[i].handlers) =
                old[i];
    }
    free(old);
}

/* Pack of a spec and its run what the receiver lacks; *index is where the spec
 * is in the frame, or NONE. */
static int
pack_lacking(struct lane_out *self, const struct work_spec *spec,
             uint32_t *index, struct err *err)
{
    uint32_t place = find_place(self, spec);

    buf_clear(&self->one_run);
    buf_clear(&self->one_spec);
    self->one_fields = 0;
    self->lacks_run = place == NONE;
    self->one_place = self->lacks_run ? oldest_place(self) : place;
    *index = NONE;
    if (!self->lacks_run)
        *index = find_slot(self, place, spec->task, spec->handlers)->number - 1;
    if (*index != NONE)
        return 0;
    if (lane_spec_task(&self->one_spec, spec, self->one_place,
                       &self->one_fields, err) < 0)
        return -1;
    if (!self->lacks_run)
        return 0;
    self->one_fields += LANE_RUN_FIELDS;
    return lane_spec_run(&self->one_run, spec, self->one_place, err);
}

/* ... and put it in. */
static uint32_t
add_lacking(struct lane_out *self, const struct work_spec *spec, uint32_t index)
{
    uint32_t place = self->one_place;

    if (self->lacks_run) {
        pack_element(&self->runs, LANE_RUNS, self->one_run.data,
                     self->one_run.len);
        take_place(self, place, spec);
    }
    self->recent = place;
    self->places[place].frame = self->frame;
    if (index != NONE)
        return index;
    pack_element(&self->specs, LANE_SPECS, self->one_spec.data,
                 self->one_spec.len);
    *find_slot(self, place, spec->task, spec->handlers) =
        (struct slot){place, spec->task, spec->handlers, ++self->nspec};
    if (self->nspec > self->nslot / 2)
        grow_slots(self);
    return self->nspec - 1;
}

static int
get_item(struct lane_out *self, const struct work *work, const char **item,
         size_t *n, struct err *err)
{
    buf_clear(&self->one_item);
    if (!work->item && work_item(work, &self->one_item, err) < 0)
        return -1;
    *item = work->item ? work->item : self->one_item.data;
    *n = work->item ? work->nitem : self->one_item.len;
    if (*n > LIMIT_ITEM_BYTES)
        return err_set(err, ERR_LIMIT,
                       "its values have %zu bytes; %u are the most that travel "
                       "to an agent: write a file and give its path",
                       *n, LIMIT_ITEM_BYTES);
    return 0;
}

/* ---- putting in ---- */

static bool
has_room(const struct lane_out *self, size_t bytes, size_t nfield)
{
    return self->bytes + bytes <= FRAME_ROOM &&
           self->nfield + nfield <= MOST_FIELDS && self->ntask < LIMIT_WINDOW;
}

/* A place may not mean two runs in one frame. */
static bool
is_place_spoken_of(const struct lane_out *self)
{
    return self->lacks_run &&
           self->places[self->one_place].frame == self->frame;
}

/* Make sure that the frame has room for the task; *ret is the place of its
 * spec there. */
static int
make_room(struct lane_out *self, const struct work_spec *spec, size_t bytes,
          uint32_t *ret, struct err *err)
{
    uint32_t index = NONE;
    size_t all;

    for (;;) {
        if (pack_lacking(self, spec, &index, err) < 0)
            return -1;
        all = bytes + self->one_run.len + self->one_spec.len + 12;
        if (has_room(self, all, TASK_FIELDS + self->one_fields) &&
            !is_place_spoken_of(self))
            break;
        if (is_empty(self))
            return err_set(err, ERR_LIMIT,
                           "its script, parameters and values have %zu bytes; "
                           "%zu are the most that travel to an agent",
                           all, FRAME_ROOM);
        end_frame(self);
    }
    self->bytes += index == NONE ? all : bytes;
    self->nfield += TASK_FIELDS + self->one_fields;
    *ret = add_lacking(self, spec, index);
    return 0;
}

int
lane_out_task(struct lane_out *self, const struct lane_task *task,
              struct err *err)
{
    const struct work *work = task->work;
    const char *key = work->name ? work->name : "";
    size_t nkey = strcmp(key, work->spec->name) == 0 ? 0 : strlen(key);
    const char *item;
    size_t nitem;
    uint32_t spec = NONE;

    assert(task->ticket > 0 && (work->attempt > 0 || work->spec->handlers));
    if (utf8_valid(key, nkey) != nkey || nkey > LIMIT_SHOWN_BYTES)
        nkey = 0;
    if (get_item(self, work, &item, &nitem, err) < 0 ||
        make_room(self, work->spec, TASK_BYTES + nitem + nkey, &spec, err) < 0)
        return -1;
    pack_number(&self->ticket, task->ticket);
    pack_number(&self->spec, spec);
    pack_number(&self->child,
                work->id.child == PLAN_WHOLE ? 0 : work->id.child + 1);
    pack_number(&self->attempt, work->attempt);
    add_item(self, item, nitem);
    add_shown(self, key, nkey);
    self->ntask++;
    return 0;
}

static void
add_ticket(struct lane_out *self, struct buf *column, uint32_t ticket)
{
    if (!has_room(self, 5, 0))
        end_frame(self);
    self->bytes += 5;
    pack_number(column, ticket);
}

void
lane_out_cancel(struct lane_out *self, uint32_t ticket, bool at_once)
{
    add_ticket(self, at_once ? &self->kill : &self->cancel, ticket);
}

void
lane_out_recall(struct lane_out *self, uint32_t ticket)
{
    add_ticket(self, &self->recall, ticket);
}

void
lane_out_keep(struct lane_out *self, uint32_t ticket)
{
    add_ticket(self, &self->keep, ticket);
}

void
lane_out_done(struct lane_out *self, uint32_t ticket)
{
    add_ticket(self, &self->done, ticket);
}

void
lane_out_forget(struct lane_out *self, uint64_t run)
{
    for (uint32_t i = 0; i < LIMIT_LANE_RUNS; i++) {
        if (!self->places[i].taken || self->places[i].run != run)
            continue;
        add_ticket(self, &self->forget, i);
        self->places[i].taken = false;
        self->places[i].frame = self->frame;
    }
}

void
lane_out_ack(struct lane_out *self, uint64_t number)
{
    self->ack = number;
}

void
lane_out_saved(struct lane_out *self, uint64_t bytes)
{
    self->saved = bytes;
}

void
lane_out_beat(struct lane_out *self, uint64_t number)
{
    self->beat = number;
}

void
lane_out_drain(struct lane_out *self)
{
    self->drain = true;
}

void
lane_out_leave(struct lane_out *self)
{
    self->leave = true;
}

const struct buf *
lane_out_next(struct lane_out *self)
{
    if (!frames_next(&self->frames) && !is_empty(self))
        end_frame(self);
    return frames_next(&self->frames);
}

void
lane_out_sent(struct lane_out *self)
{
    frames_sent(&self->frames);
}

size_t
lane_out_bytes(const struct lane_out *self)
{
    return self->frames.bytes + self->bytes;
}
