/* SPDX-License-Identifier: MPL-2.0 */
#include "store/batch.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/span.h"

/* Six numbers, and what stands between them. */
#define FIELDS ((size_t)6 * (BUF_NUMBER + 1) + 8)

void
batch_release(struct batch *self)
{
    buf_release(&self->names);
    buf_release(&self->records);
    free(self->named);
    *self = (struct batch){0};
}

void
batch_clear(struct batch *self)
{
    buf_clear(&self->names);
    buf_clear(&self->records);
    self->n = 0;
}

/* Bytes that are not UTF-8 (a path can have any) stay as they are. */
static void
add_string(struct buf *out, const char *s)
{
    buf_char(out, '"');
    while (*s) {
        size_t n = 0;

        while ((unsigned char)s[n] >= ' ' && s[n] != '"' && s[n] != '\\')
            n++;
        buf_add(out, s, n);
        s += n;
        if (*s == '"' || *s == '\\') {
            buf_char(out, '\\');
            buf_char(out, *s++);
        } else if (*s) {
            buf_printf(out, "\\u%04x", (unsigned char)*s++);
        }
    }
    buf_char(out, '"');
}

static void
add_value(struct buf *out, const json_t *value)
{
    size_t room = 64, n;
    char *at;

    if (json_is_integer(value)) {
        buf_number(out, json_integer_value(value));
        return;
    }
    at = buf_reserve(out, room);
    n = json_dumpb(value, at, room, JSON_COMPACT | JSON_ENCODE_ANY);
    if (n > room) {
        at = buf_reserve(out, n);
        (void)json_dumpb(value, at, n, JSON_COMPACT | JSON_ENCODE_ANY);
    }
    if (n == 0) /* it contains itself */
        buf_text(out, "null");
    else
        buf_added(out, n);
}

/* The key of one more member; the first opens the object. */
static void
add_key(struct buf *out, char key, bool *open)
{
    const char text[] = {*open ? ',' : '{', '"', key, '"', ':'};

    buf_add(out, text, sizeof text);
    *open = true;
}

static void
add_member_text(struct buf *out, char key, const char *text, bool *open)
{
    if (!text)
        return;
    add_key(out, key, open);
    add_string(out, text);
}

static void
add_member_number(struct buf *out, char key, int64_t number, bool *open)
{
    add_key(out, key, open);
    buf_number(out, number);
}

static void
add_rare(struct buf *out, const struct store_record *record)
{
    bool open = false;

    buf_char(out, ',');
    if (record->value) {
        add_key(out, 'v', &open);
        add_value(out, record->value);
    }
    add_member_text(out, 'c', record->cause, &open);
    add_member_text(out, 'k', record->key, &open);
    add_member_text(out, 'w', record->cwd, &open);
    if (record->children)
        add_member_number(out, 'n', record->children, &open);
    if (record->code != -1)
        add_member_number(out, 'x', record->code, &open);
    if (record->cpu)
        add_member_number(out, 'u', record->cpu, &open);
    if (record->memory)
        add_member_number(out, 'm', record->memory, &open);
    buf_char(out, '}');
}

static bool
has_rare(const struct store_record *record)
{
    return record->value || record->cause || record->key || record->cwd ||
           record->children || record->code != -1 || record->cpu ||
           record->memory;
}

/* The name of a task whose children are in the batch, once. */
static void
add_name(struct batch *self, uint32_t task, const char *name)
{
    size_t old = self->cap;

    if (task >= self->cap) {
        self->named = mem_grow(self->named, &self->cap, (size_t)task + 1,
                               sizeof *self->named);
        memset(self->named + old, 0, (self->cap - old) * sizeof *self->named);
    }
    if (self->named[task] == self->round)
        return;
    self->named[task] = self->round;
    buf_text(&self->names, self->names.len ? ",\"" : "{\"");
    buf_number(&self->names, task);
    buf_text(&self->names, "\":");
    add_string(&self->names, name);
}

/* ",TIME" or ",null". */
static char *
put_time(char *at, bool known, int64_t moment, int64_t from)
{
    *at++ = ',';
    if (known)
        return buf_put_number(at, (int64_t)((uint64_t)moment - (uint64_t)from));
    for (const char *null = "null"; *null; null++)
        *at++ = *null;
    return at;
}

static void
start(struct batch *self, const struct store_record *record)
{
    self->round++;
    self->at = record->started ? record->started
               : record->ended ? record->ended
                               : span_wall();
}

void
batch_add(struct batch *self, const struct store_record *record)
{
    struct buf *out = &self->records;
    char *at;

    if (self->n++ == 0)
        start(self, record);
    self->last = out->len;
    at = buf_reserve(out, FIELDS);
    *at++ = out->len ? ',' : '[';
    *at++ = '[';
    at = buf_put_number(at, record->id.task);
    *at++ = ',';
    if (record->id.child == PLAN_WHOLE) {
        buf_added(out, (size_t)(at - (out->data + out->len)));
        add_string(out, record->task);
        at = buf_reserve(out, FIELDS);
    } else {
        if (record->id.task >= self->cap ||
            self->named[record->id.task] != self->round)
            add_name(self, record->id.task, record->task);
        at = buf_put_number(at, record->id.child);
    }
    *at++ = ',';
    at = buf_put_number(at, record->attempt);
    *at++ = ',';
    at = buf_put_number(at, (int64_t)record->state);
    at = put_time(at, record->started != 0, record->started, self->at);
    at = put_time(at, record->ended != 0, record->ended,
                  record->started ? record->started : self->at);
    buf_added(out, (size_t)(at - (out->data + out->len)));
    if (has_rare(record))
        add_rare(out, record);
    buf_char(out, ']');
}

void
batch_undo(struct batch *self)
{
    self->records.len = self->last;
    self->n--;
}

size_t
batch_last_bytes(const struct batch *self)
{
    return self->records.len - self->last;
}

/* Put a bracket behind the text without counting it: more may follow. */
static const char *
closed(struct buf *text, char bracket, const char *empty)
{
    char *at;

    if (text->len == 0)
        return empty;
    at = buf_reserve(text, 1);
    at[0] = bracket;
    at[1] = '\0';
    return text->data;
}

const char *
batch_names(struct batch *self)
{
    return closed(&self->names, '}', "{}");
}

const char *
batch_records(struct batch *self)
{
    return closed(&self->records, ']', "[]");
}
