/* SPDX-License-Identifier: MPL-2.0 */
/*
 * By hand, because a tree of JSON values for each of a million records would
 * cost a microsecond each. What was stored is ours, but a disk may have
 * changed it: nothing is believed.
 */
#include <limits.h>
#include <string.h>

#include "store/batch.h"

struct scan {
    const char *at; /* the text ends with a NUL */
    bool bad;
    json_t *names;
    uint32_t task; /* whose name was last looked up */
    const char *task_name;
    json_t *value;
    struct buf name, key, cause, cwd;
};

/* The NUL at the end is a character, but nothing is behind it. */
static bool
accept(struct scan *self, char c)
{
    if (*self->at != c)
        return false;
    if (c)
        self->at++;
    return true;
}

static void
expect(struct scan *self, char c)
{
    if (!accept(self, c))
        self->bad = true;
}

static int64_t
scan_number(struct scan *self, int64_t least, int64_t most)
{
    bool minus = accept(self, '-');
    const char *from = self->at;
    uint64_t n = 0;
    int64_t number;

    while (*self->at >= '0' && *self->at <= '9')
        n = n * 10 + (uint64_t)(*self->at++ - '0');
    number = (int64_t)(minus ? 0 - n : n);
    if (self->at == from || self->at - from > 19 || number < least ||
        number > most) {
        self->bad = true;
        return least;
    }
    return number;
}

/* The four digits behind \u; control characters are all that is written so. */
static char
scan_code(struct scan *self)
{
    unsigned code = 0;

    for (int i = 0; i < 4; i++) {
        char c = *self->at;
        const char *hex = "0123456789abcdef", *digit = strchr(hex, c);

        if (c == '\0' || !digit) {
            self->bad = true;
            return ' ';
        }
        code = code * 16 + (unsigned)(digit - hex);
        self->at++;
    }
    if (code == 0 || code >= ' ')
        self->bad = true;
    return (char)code;
}

static const char *
scan_string(struct scan *self, struct buf *out)
{
    buf_clear(out);
    expect(self, '"');
    while (!self->bad && !accept(self, '"')) {
        size_t n = strcspn(self->at, "\"\\");

        buf_add(out, self->at, n);
        self->at += n;
        if (accept(self, '\\')) {
            if (accept(self, 'u'))
                buf_char(out, scan_code(self));
            else if (*self->at)
                buf_char(out, *self->at++);
        } else if (*self->at == '\0') {
            self->bad = true;
        }
    }
    return buf_str(out);
}

static const json_t *
scan_value(struct scan *self)
{
    json_error_t error;

    json_decref(self->value);
    self->value = json_loads(
        self->at, JSON_DECODE_ANY | JSON_DISABLE_EOF_CHECK | JSON_ALLOW_NUL,
        &error);
    if (self->value)
        self->at += error.position;
    else
        self->bad = true;
    return self->value;
}

static int64_t
scan_time(struct scan *self, int64_t from)
{
    if (accept(self, 'n')) {
        if (strncmp(self->at, "ull", 3) != 0)
            self->bad = true;
        else
            self->at += 3;
        return 0;
    }
    return (int64_t)((uint64_t)from +
                     (uint64_t)scan_number(self, INT64_MIN, INT64_MAX));
}

static void
scan_member(struct scan *self, struct store_record *record)
{
    char key;

    expect(self, '"');
    key = *self->at;
    if (key)
        self->at++;
    expect(self, '"');
    expect(self, ':');
    if (self->bad)
        return;
    if (key == 'v')
        record->value = scan_value(self);
    else if (key == 'c')
        record->cause = scan_string(self, &self->cause);
    else if (key == 'k')
        record->key = scan_string(self, &self->key);
    else if (key == 'w')
        record->cwd = scan_string(self, &self->cwd);
    else if (key == 'n')
        record->children = (uint32_t)scan_number(self, 0, UINT32_MAX);
    else if (key == 'x')
        record->code = (int)scan_number(self, INT_MIN, INT_MAX);
    else if (key == 'u')
        record->cpu = scan_number(self, INT64_MIN, INT64_MAX);
    else if (key == 'm')
        record->memory = scan_number(self, INT64_MIN, INT64_MAX);
    else
        self->bad = true;
}

static void
scan_rare(struct scan *self, struct store_record *record)
{
    expect(self, '{');
    do {
        scan_member(self, record);
    } while (!self->bad && accept(self, ','));
    expect(self, '}');
}

/* Children come in long rows of one task. */
static const char *
task_name(struct scan *self, uint32_t task)
{
    if (self->task != task || !self->task_name) {
        buf_clear(&self->name);
        buf_printf(&self->name, "%u", task);
        self->task_name = json_string_value(
            json_object_get(self->names, buf_str(&self->name)));
        self->task = task;
    }
    if (!self->task_name)
        self->bad = true;
    return self->task_name;
}

static void
scan_record(struct scan *self, int64_t at, struct store_record *record)
{
    *record = (struct store_record){.code = -1};
    expect(self, '[');
    record->id.task = (uint32_t)scan_number(self, 0, UINT32_MAX);
    expect(self, ',');
    if (*self->at == '"') {
        record->id.child = PLAN_WHOLE;
        record->task = scan_string(self, &self->name);
    } else {
        record->id.child = (uint32_t)scan_number(self, 0, UINT32_MAX - 1);
        record->task = task_name(self, record->id.task);
    }
    expect(self, ',');
    record->attempt = (uint32_t)scan_number(self, 0, UINT32_MAX);
    expect(self, ',');
    record->state = (enum plan_state)scan_number(self, 0, PLAN_STATE_COUNT - 1);
    expect(self, ',');
    record->started = scan_time(self, at);
    expect(self, ',');
    record->ended = scan_time(self, record->started ? record->started : at);
    if (accept(self, ','))
        scan_rare(self, record);
    expect(self, ']');
}

int
batch_read(int64_t at, const char *names, const char *records,
           store_record_fn *fn, void *ctx, bool *more, struct err *err)
{
    struct scan scan = {.at = records};
    int rc;

    scan.names = json_loads(names, 0, NULL);
    expect(&scan, '[');
    do {
        struct store_record record;

        scan_record(&scan, at, &record);
        if (!scan.bad)
            *more = fn(ctx, &record);
    } while (!scan.bad && *more && accept(&scan, ','));
    if (!scan.bad && *more) {
        expect(&scan, ']');
        expect(&scan, '\0');
    }
    rc = scan.bad ? err_set(err, ERR_INVALID, "a batch can't be read") : 0;
    json_decref(scan.value);
    json_decref(scan.names);
    buf_release(&scan.name);
    buf_release(&scan.key);
    buf_release(&scan.cause);
    buf_release(&scan.cwd);
    return rc;
}
