/* SPDX-License-Identifier: MPL-2.0 */
/*
 * lane_out - Lane frames, written column by column as tasks come.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "flow/value.h"
#include "proto/convert.h"
#include "proto/frames.h"
#include "proto/limits.h"
#include "proto/pack.h"

#define NONE UINT32_MAX

/* Bytes for the envelope, heads of columns and what stands alone; and what a
 * task has at most besides its item and key. */
#define FRAME_ROOM  ((size_t)LIMIT_FRAME_BYTES - 256)
#define TASK_BYTES  ((size_t)4 * 5 + 2 * 6)
#define TASK_FIELDS 2
/* Fewer than the reader takes: messages inside need a little more. */
#define MOST_FIELDS (LIMIT_DECODE_COUNT - 4096u)

enum lane_field {
    LANE_SPECS = 1,
    LANE_TICKET,
    LANE_SPEC,
    LANE_CHILD,
    LANE_ATTEMPT,
    LANE_ITEM,
    LANE_KEY,
    LANE_CANCEL,
    LANE_KILL,
    LANE_RECALL,
    LANE_ACK,
    LANE_DRAIN,
    LANE_BEAT,
    LANE_LEAVE,
};

/* Where the spec of a task is in the frame. */
struct slot {
    uint64_t run;
    uint32_t task;
    uint32_t number; /* from 1; 0: the slot is free */
};

/* A column of which all or none are written: it begins with the first that is
 * not empty. */
struct sparse {
    struct buf bytes;
    uint32_t n;
};

struct lane_out {
    struct frames frames;
    /* of the frame that is being built */
    struct buf specs, ticket, spec, child, attempt;
    struct sparse item, key;
    struct buf cancel, kill, recall;
    uint64_t ack, beat;
    bool drain, leave;
    uint32_t ntask;
    size_t bytes, nfield; /* at most */
    struct slot *slots;
    size_t nslot; /* a power of two */
    uint32_t nspec;
    /* what the last spec has in common with others of its run, packed */
    uint64_t run;
    const json_t *params; /* of it; NULL: nothing is kept */
    struct buf common;
    /* of the task that is being put in */
    struct buf one_spec, one_item, scratch;
    size_t one_fields;
};

struct lane_out *
lane_out_new(void)
{
    struct lane_out *self = mem_alloc(1, sizeof *self);

    self->nslot = 16;
    self->slots = mem_alloc(self->nslot, sizeof *self->slots);
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
    buf_release(&self->specs);
    buf_release(&self->ticket);
    buf_release(&self->spec);
    buf_release(&self->child);
    buf_release(&self->attempt);
    buf_release(&self->item.bytes);
    buf_release(&self->key.bytes);
    buf_release(&self->cancel);
    buf_release(&self->kill);
    buf_release(&self->recall);
    buf_release(&self->common);
    buf_release(&self->one_spec);
    buf_release(&self->one_item);
    buf_release(&self->scratch);
    free(self->slots);
    free(self);
}

/* ---- ending a frame ---- */

static void
sparse_add(struct sparse *self, unsigned field, uint32_t index,
           const void *data, size_t n)
{
    if (n == 0 && self->n == 0)
        return;
    for (; self->n < index; self->n++)
        pack_element(&self->bytes, field, NULL, 0);
    pack_element(&self->bytes, field, data, n);
    self->n++;
}

static void
sparse_clear(struct sparse *self)
{
    buf_clear(&self->bytes);
    self->n = 0;
}

static void
clear(struct lane_out *self)
{
    buf_clear(&self->specs);
    buf_clear(&self->ticket);
    buf_clear(&self->spec);
    buf_clear(&self->child);
    buf_clear(&self->attempt);
    sparse_clear(&self->item);
    sparse_clear(&self->key);
    buf_clear(&self->cancel);
    buf_clear(&self->kill);
    buf_clear(&self->recall);
    self->ack = self->beat = 0;
    self->drain = self->leave = false;
    self->ntask = 0;
    self->bytes = self->nfield = 0;
    if (self->nspec > 0)
        memset(self->slots, 0, self->nslot * sizeof *self->slots);
    self->nspec = 0;
    self->params = NULL;
}

static bool
is_empty(const struct lane_out *self)
{
    return self->bytes == 0 && self->ack == 0 && self->beat == 0 &&
           !self->drain && !self->leave;
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
    buf_add(out, self->item.bytes.data, self->item.bytes.len);
    buf_add(out, self->key.bytes.data, self->key.bytes.len);
    pack_buf(out, LANE_CANCEL, &self->cancel);
    pack_buf(out, LANE_KILL, &self->kill);
    pack_buf(out, LANE_RECALL, &self->recall);
    pack_unsigned(out, LANE_ACK, self->ack);
    pack_unsigned(out, LANE_DRAIN, self->drain);
    pack_unsigned(out, LANE_BEAT, self->beat);
    pack_unsigned(out, LANE_LEAVE, self->leave);
    wire_seal(out, 0, WIRE_LANE);
    frames_filled(&self->frames);
    clear(self);
}

/* ---- specs ---- */

static struct slot *
find_slot(const struct lane_out *self, uint64_t run, uint32_t task)
{
    uint64_t mixed = (run << 32 ^ run ^ task) * UINT64_C(0x9e3779b97f4a7c15);
    size_t i = (size_t)(mixed >> 32) & (self->nslot - 1);
    struct slot *slot = &self->slots[i];

    while (slot->number > 0 && (slot->run != run || slot->task != task)) {
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
            *find_slot(self, old[i].run, old[i].task) = old[i];
    }
    free(old);
}

static uint32_t
find_spec(const struct lane_out *self, const struct work_spec *spec)
{
    return find_slot(self, spec->run, spec->task)->number - 1;
}

static uint32_t
add_spec(struct lane_out *self, const struct work_spec *spec)
{
    pack_buf(&self->specs, LANE_SPECS, &self->one_spec);
    self->nfield += self->one_fields;
    *find_slot(self, spec->run, spec->task) =
        (struct slot){spec->run, spec->task, ++self->nspec};
    if (self->nspec > self->nslot / 2)
        grow_slots(self);
    return self->nspec - 1;
}

static int
pack_checked(struct buf *out, unsigned field, const char *text,
             const char *what, struct err *err)
{
    size_t n = text ? strlen(text) : 0;

    if (utf8_valid(text, n) != n)
        return err_set(err, ERR_INVALID,
                       "%s is not UTF-8 text: it can't be sent to an agent",
                       what);
    pack_bytes(out, field, text, n);
    return 0;
}

static void
pack_codes(struct lane_out *self, unsigned field,
           const struct flow_codes *codes)
{
    if ((codes->bits[0] | codes->bits[1] | codes->bits[2] | codes->bits[3]) ==
        0)
        return;
    buf_clear(&self->scratch);
    for (unsigned i = 0; i < 4; i++)
        pack_number(&self->scratch, codes->bits[i]);
    pack_buf(&self->one_spec, field, &self->scratch);
}

static int
pack_resources(struct lane_out *self, const struct work_spec *spec,
               struct err *err)
{
    if (spec->nresource > LIMIT_LABELS)
        return err_set(err, ERR_LIMIT,
                       "it asks for %u resources; %u are the "
                       "most",
                       spec->nresource, LIMIT_LABELS);
    for (uint32_t i = 0; i < spec->nresource; i++) {
        const char *name = spec->resources[i].name;

        if (strlen(name) > LIMIT_NAME_BYTES)
            return err_set(err, ERR_LIMIT,
                           "a resource's name has more than %d bytes",
                           LIMIT_NAME_BYTES);
        buf_clear(&self->scratch);
        if (pack_checked(&self->scratch, 1, name, "a resource's name", err) < 0)
            return -1;
        pack_double(&self->scratch, 2, spec->resources[i].amount);
        pack_buf(&self->one_spec, 15, &self->scratch);
    }
    return 0;
}

/* Everything that is the run's: written once for specs that follow each other
 * in a frame. */
static int
pack_common(struct lane_out *self, const struct work_spec *spec,
            struct err *err)
{
    struct buf *out = &self->common;

    if (self->params && self->params == spec->params && self->run == spec->run)
        return 0;
    self->params = NULL;
    buf_clear(out);
    buf_clear(&self->scratch);
    if (json_object_size(spec->params) > 0)
        value_json(spec->params, &self->scratch);
    pack_buf(out, 16, &self->scratch);
    if (spec->home && strlen(spec->home) > LIMIT_PATH_BYTES)
        return err_set(err, ERR_LIMIT,
                       "the path of the folder of the run is too long");
    if (pack_checked(out, 17, spec->home, "the folder of the run", err) < 0)
        return -1;
    pack_bytes(out, 18, spec->program, spec->nprogram);
    pack_text(out, 19, spec->source_hash);
    self->params = spec->params;
    self->run = spec->run;
    return 0;
}

static int
pack_spec(struct lane_out *self, const struct work_spec *spec, struct err *err)
{
    struct buf *out = &self->one_spec;
    unsigned flags = (spec->exclusive ? SPEC_EXCLUSIVE : 0u) |
                     (spec->at_most_once ? SPEC_AT_MOST_ONCE : 0u) |
                     (spec->creates ? SPEC_CREATES : 0u);

    buf_clear(out);
    pack_unsigned(out, 1, spec->run);
    pack_unsigned(out, 2, spec->task);
    if (pack_checked(out, 3, spec->flow, "the flow's name", err) < 0 ||
        pack_checked(out, 4, spec->name, "the task's name", err) < 0)
        return -1;
    pack_unsigned(out, 5, (unsigned)spec->kind);
    pack_unsigned(out, 6, (unsigned)spec->value);
    if (pack_checked(out, 7, spec->script, "the script", err) < 0 ||
        pack_checked(out, 8, spec->shell, "the shell", err) < 0 ||
        pack_checked(out, 9, spec->when, "`when`", err) < 0 ||
        pack_common(self, spec, err) < 0)
        return -1;
    pack_codes(self, 10, &spec->exit_skip);
    pack_codes(self, 11, &spec->exit_retry);
    pack_signed(out, 12, spec->timeout);
    pack_signed(out, 13, spec->grace);
    pack_unsigned(out, 14, flags);
    if (pack_resources(self, spec, err) < 0)
        return -1;
    buf_add(out, self->common.data, self->common.len);
    self->one_fields = 24 + (size_t)4 * spec->nresource;
    return 0;
}

/* ---- items ---- */

static void
add_key(struct buf *out, const char *key)
{
    buf_char(out, out->len == 0 ? '{' : ',');
    buf_char(out, '"');
    buf_text(out, key);
    buf_add(out, "\":", 2);
}

static void
add_member(struct buf *out, const char *key, const json_t *value)
{
    if (!value)
        return;
    add_key(out, key);
    value_json(value, out);
}

static int
add_path(struct buf *out, const char *key, const char *path, struct err *err)
{
    json_t *value = path ? json_string(path) : NULL;

    if (path && !value)
        return err_set(err, ERR_INVALID,
                       "%s is not UTF-8 text: it can't be sent to an agent",
                       key);
    add_member(out, key, value);
    json_decref(value);
    return 0;
}

/* What work_item gives, as text. */
static int
pack_item(struct lane_out *self, const struct work *work, struct err *err)
{
    struct buf *out = &self->one_item;

    buf_clear(out);
    if (work->item) {
        buf_add(out, work->item, work->nitem);
        return 0;
    }
    add_member(out, "with", work->own);
    add_member(out, "env", work->env);
    add_member(out, "argv", work->argv);
    add_member(out, "stdin", work->input);
    if (add_path(out, "cwd", work->cwd, err) < 0 ||
        add_path(out, "creates", work->creates, err) < 0)
        return -1;
    if (out->len > 0)
        buf_char(out, '}');
    if (out->len > LIMIT_ITEM_BYTES)
        return err_set(err, ERR_LIMIT,
                       "its values have %zu bytes; %u are the most that travel "
                       "to an agent: write a file and give its path",
                       out->len, LIMIT_ITEM_BYTES);
    return 0;
}

/* ---- putting in ---- */

static bool
has_room(const struct lane_out *self, size_t bytes, size_t nfield)
{
    return self->bytes + bytes <= FRAME_ROOM &&
           self->nfield + nfield <= MOST_FIELDS && self->ntask < LIMIT_WINDOW;
}

/* Make sure that the frame has room for the task; *spec is the place of its
 * spec there. */
static int
make_room(struct lane_out *self, const struct work_spec *spec, size_t bytes,
          uint32_t *ret, struct err *err)
{
    uint32_t index = find_spec(self, spec);

    for (;;) {
        size_t fields = TASK_FIELDS, more = 0;

        if (index == NONE) {
            if (pack_spec(self, spec, err) < 0)
                return -1;
            more = self->one_spec.len + 6;
            fields += self->one_fields;
        }
        if (has_room(self, bytes + more, fields)) {
            self->bytes += bytes + more;
            self->nfield += TASK_FIELDS;
            *ret = index == NONE ? add_spec(self, spec) : index;
            return 0;
        }
        if (is_empty(self))
            break;
        end_frame(self);
        index = NONE;
    }
    return err_set(err, ERR_LIMIT,
                   "its script, parameters and values have %zu bytes; %zu are "
                   "the most that travel to an agent",
                   self->one_spec.len + bytes, FRAME_ROOM);
}

int
lane_out_task(struct lane_out *self, const struct lane_task *task,
              struct err *err)
{
    const struct work *work = task->work;
    const char *key = work->name ? work->name : "";
    size_t nkey = strcmp(key, work->spec->name) == 0 ? 0 : strlen(key);
    uint32_t spec = NONE;

    assert(task->ticket > 0 && work->attempt > 0);
    if (utf8_valid(key, nkey) != nkey || nkey > LIMIT_SHOWN_BYTES)
        nkey = 0;
    if (pack_item(self, work, err) < 0 ||
        make_room(self, work->spec, TASK_BYTES + self->one_item.len + nkey,
                  &spec, err) < 0)
        return -1;
    pack_number(&self->ticket, task->ticket);
    pack_number(&self->spec, spec);
    pack_number(&self->child,
                work->id.child == PLAN_WHOLE ? 0 : work->id.child + 1);
    pack_number(&self->attempt, work->attempt);
    sparse_add(&self->item, LANE_ITEM, self->ntask, self->one_item.data,
               self->one_item.len);
    sparse_add(&self->key, LANE_KEY, self->ntask, key, nkey);
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
lane_out_ack(struct lane_out *self, uint64_t number)
{
    self->ack = number;
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
