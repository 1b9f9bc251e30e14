/* SPDX-License-Identifier: MPL-2.0 */
#include "lib/picture.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/span.h"
#include "base/utf8.h"
#include "flow/value.h"
#include "proto/limits.h"

#define NOTE_BYTES  160 /* of a value in a note */
#define PARAM_BYTES 60  /* of a parameter's value */

#define NEUTRAL                         \
    {                                   \
        "#f4f4f4", "#2a2d31", "#8c8c8c" \
    }
#define AMISS                           \
    {                                   \
        "#fbe4d6", "#45270f", "#d55e00" \
    }
#define LATER                           \
    {                                   \
        "#fbf6d0", "#3a3508", "#b09a00" \
    }

const struct picture_style picture_styles[PLAN_STATE_COUNT] = {
    [PLAN_WAITING] = NEUTRAL,
    [PLAN_READY] = NEUTRAL,
    [PLAN_RUNNING] = {"#dcebf7", "#0f2f45", "#0072b2"},
    [PLAN_RETRYING] = LATER,
    [PLAN_PAUSED] = LATER,
    [PLAN_MAPPED] = NEUTRAL,
    [PLAN_SUCCEEDED] = {"#dff3ec", "#0d3527", "#009e73"},
    [PLAN_CACHED] = {"#e1f1fa", "#14344a", "#56b4e9"},
    [PLAN_SKIPPED] = NEUTRAL,
    [PLAN_FAILED] = AMISS,
    [PLAN_TIMED_OUT] = {"#fdf0d3", "#40300a", "#e69f00"},
    [PLAN_CRASHED] = {"#f7e6f0", "#3f1d33", "#b8508f"},
    [PLAN_TRIGGER_FAILED] = AMISS,
    [PLAN_CANCELLED] = {"#e8e8e8", "#1f2124", "#5c5c5c"},
};

/* Text from outside on one line, nothing in it that moves a cursor. */
static void
add_safe(struct buf *out, const char *text)
{
    size_t n;

    for (const char *s = text; *s; s += n) {
        n = strcspn(s, "\t\n");
        utf8_escape(out, s, n);
        if (s[n] == '\0')
            break;
        buf_char(out, ' ');
        n++;
    }
}

static char *
safe(const char *text)
{
    struct buf out = {0};

    if (!text)
        return NULL;
    add_safe(&out, text);
    return buf_take(&out);
}

static void
add_value(struct buf *out, const json_t *value, size_t most)
{
    struct buf brief = {0};

    value_brief(value, most, &brief);
    add_safe(out, buf_str(&brief));
    buf_release(&brief);
}

/* A value to compare with: a string without quotes. */
static void
add_plain(struct buf *out, const json_t *value)
{
    if (json_is_string(value))
        add_safe(out, json_string_value(value));
    else
        add_value(out, value, PARAM_BYTES);
}

/* The bytes of the character at text. */
static size_t
char_size(const char *text)
{
    size_t n = 1;

    while (((unsigned char)text[n] & 0xc0) == 0x80)
        n++;
    return n;
}

void
picture_cut(struct buf *out, const char *text, size_t columns)
{
    size_t n = 0;

    if (utf8_width(text, strlen(text)) <= columns) {
        buf_text(out, text);
        return;
    }
    while (utf8_width(text, n + char_size(text + n)) < columns)
        n += char_size(text + n);
    buf_add(out, text, n);
    buf_text(out, "\u2026");
}

void
picture_cut_front(struct buf *out, const char *text, size_t columns)
{
    if (utf8_width(text, strlen(text)) > columns) {
        while (utf8_width(text, strlen(text)) >= columns)
            text += char_size(text);
        buf_text(out, "\u2026");
    }
    buf_text(out, text);
}

const char *
picture_label(const struct picture_box *box)
{
    return box->merge ? "first" : box->name;
}

static void
add_took(struct buf *out, int64_t took)
{
    char text[SPAN_TEXT];

    if (took > 0)
        buf_printf(out, " %s", span_format(took, text));
}

/* 1,234,567 */
static void
add_count(struct buf *out, uint32_t n)
{
    if (n >= 1000) {
        add_count(out, n / 1000);
        buf_printf(out, ",%03u", n % 1000);
    } else {
        buf_printf(out, "%u", n);
    }
}

static void
add_children(const struct picture_box *box, struct buf *out)
{
    const char *between = ": ";

    add_count(out, box->nchild);
    buf_text(out, box->nchild == 1 ? " child" : " children");
    /* Ends first: they are what one looks for. */
    for (int i = 0; i < PLAN_STATE_COUNT; i++) {
        int state = (i + PLAN_SUCCEEDED) % PLAN_STATE_COUNT;

        if (box->count[state] == 0)
            continue;
        buf_text(out, between);
        if (box->count[state] == box->nchild)
            buf_text(out, box->nchild == 1 ? "" : "all ");
        else
            add_count(out, box->count[state]);
        if (box->count[state] < box->nchild)
            buf_char(out, ' ');
        buf_text(out, plan_state_names[state]);
        between = ", ";
    }
    if (box->took > 0)
        buf_char(out, ',');
}

void
picture_status(const struct picture_box *box, struct buf *out)
{
    if (box->nchild > 0)
        add_children(box, out);
    else
        buf_text(out, plan_state_names[box->state]);
    add_took(out, box->took);
    if (box->attempt > 1)
        buf_printf(out, ", %u attempts", box->attempt);
}

struct layout_edge *
picture_edges(const struct picture *self)
{
    struct layout_edge *edges = mem_alloc(self->nline, sizeof *edges);

    for (size_t i = 0; i < self->nline; i++)
        edges[i] = (struct layout_edge){self->lines[i].from, self->lines[i].to};
    return edges;
}

static int64_t
took(const struct history_item *item)
{
    return item->started > 0 && item->ended > item->started
               ? item->ended - item->started
               : 0;
}

/* Why it did not succeed, else what it gave. */
static char *
make_note(const struct history_item *item)
{
    struct buf out = {0};

    if (item->cause)
        return safe(item->cause);
    if (!item->value || json_is_null(item->value))
        return NULL;
    add_value(&out, item->value, NOTE_BYTES);
    return buf_take(&out);
}

static void
make_cells(struct picture_box *box, const struct history_task *task)
{
    box->cells = mem_alloc(box->nchild, sizeof *box->cells);
    for (uint32_t i = 0; i < box->nchild; i++) {
        const struct history_item *child = &task->children[i];

        box->cells[i] = (struct picture_cell){
            .label = child->key ? safe(child->key) : mem_printf("#%u", i),
            .note = make_note(child),
            .state = child->state,
            .took = took(child),
        };
    }
}

/* From the first start of a child to the last end. */
static int64_t
children_took(const struct history_task *task)
{
    struct history_item whole = {0};

    for (uint32_t i = 0; i < task->nchild; i++) {
        const struct history_item *child = &task->children[i];

        if (child->started > 0 &&
            (whole.started == 0 || child->started < whole.started))
            whole.started = child->started;
        if (child->ended > whole.ended)
            whole.ended = child->ended;
    }
    return took(&whole);
}

static void
add_history(struct picture_box *box, const struct history *history,
            uint32_t number)
{
    const struct history_task *task = &history->tasks[number];

    box->state = history_state(history, number);
    box->attempt = task->item.attempt;
    box->note = make_note(&task->item);
    box->nchild = task->nchild;
    box->took = task->nchild > 0 ? children_took(task) : took(&task->item);
    memcpy(box->count, task->count, sizeof box->count);
    if (box->nchild > 0 && box->nchild <= LIMIT_DRAWN_CHILDREN)
        make_cells(box, task);
}

static char *
each_keys(const struct flow_task *task)
{
    struct buf out = {0};

    for (uint32_t i = 0; i < task->neach; i++) {
        if (out.len > 0)
            buf_text(&out, ", ");
        add_safe(&out, task->each[i].name);
    }
    return out.len > 0 ? buf_take(&out) : NULL;
}

/* The condition that is about something else than an upstream task. */
static char *
case_without_line(const struct flow_task *task)
{
    struct buf out = {0};

    for (uint32_t i = 0; i < task->ncase; i++) {
        const struct flow_case *c = &task->cases[i];

        if (c->of->kind != TMPL_REF || c->of->ref->scope == REF_TASK)
            continue;
        if (out.len > 0)
            buf_text(&out, ", ");
        add_safe(&out, c->of->ref->name);
        buf_text(&out, " = ");
        add_plain(&out, c->is);
    }
    return out.len > 0 ? buf_take(&out) : NULL;
}

static void
make_boxes(struct picture *self, const struct flow *flow,
           const struct history *history)
{
    self->nbox = (uint32_t)flow->ntask;
    self->boxes = mem_alloc(self->nbox, sizeof *self->boxes);
    for (uint32_t i = 0; i < self->nbox; i++) {
        const struct flow_task *task = &flow->tasks[i];
        struct picture_box *box = &self->boxes[i];

        box->name = safe(task->name);
        box->merge = task->hidden;
        box->each = each_keys(task);
        box->only = case_without_line(task);
        if (history)
            add_history(box, history, i);
    }
}

static int
compare_edges(const void *a, const void *b)
{
    const struct plan_edge *x = a, *y = b;

    if (x->from != y->from)
        return x->from < y->from ? -1 : 1;
    if (x->to != y->to)
        return x->to < y->to ? -1 : 1;
    return (int)x->kind - (int)y->kind;
}

/* The value that a task must have given for `to` to run, or NULL. */
static char *
case_value(const struct flow_task *to, uint32_t from)
{
    struct buf out = {0};

    for (uint32_t i = 0; i < to->ncase; i++) {
        const struct flow_case *c = &to->cases[i];

        if (c->of->kind != TMPL_REF || c->of->ref->scope != REF_TASK ||
            c->of->ref->index != from)
            continue;
        add_plain(&out, c->is);
        return buf_take(&out);
    }
    return NULL;
}

static void
make_lines(struct picture *self, const struct flow *flow)
{
    size_t n = 0;
    struct plan_edge *edges = flow_edges(flow, &n);

    if (n > 0)
        qsort(edges, n, sizeof *edges, compare_edges);
    self->lines = mem_alloc(n, sizeof *self->lines);
    for (size_t i = 0; i < n; i++) {
        const struct plan_edge *e = &edges[i];
        struct picture_line *line = &self->lines[self->nline];
        bool again = i > 0 && e[-1].from == e->from && e[-1].to == e->to;

        if (again) {
            line[-1].each = line[-1].each || e->kind == PLAN_EDGE_CHILD;
            continue;
        }
        *line = (struct picture_line){
            .from = e->from,
            .to = e->to,
            .each = e->kind == PLAN_EDGE_CHILD,
            .equal = case_value(&flow->tasks[e->to], e->from),
        };
        self->nline++;
    }
    free(edges);
}

static char *
run_line(const struct history *history)
{
    const struct store_run *run = &history->info;
    struct buf out = {0};
    char text[SPAN_TEXT];

    buf_printf(&out, "run %llu %s", (unsigned long long)run->id,
               store_run_state_names[run->state]);
    if (run->ended > run->started)
        add_took(&out, run->ended - run->started);
    if (run->started > 0)
        buf_printf(&out, ", begun %s", span_moment(run->started, text));
    return buf_take(&out);
}

/* With a run the values it was given, else the defaults. */
static char *
params_line(const struct flow *flow, const struct history *history)
{
    struct buf out = {0};

    for (size_t i = 0; i < flow->nparam; i++) {
        const struct flow_param *param = &flow->params[i];
        const json_t *value = param->fallback;

        if (history && history->info.params)
            value = json_object_get(history->info.params, param->name);
        if (out.len > 0)
            buf_text(&out, ", ");
        add_safe(&out, param->name);
        if (value) {
            buf_text(&out, " = ");
            add_value(&out, value, PARAM_BYTES);
        }
    }
    return out.len > 0 ? buf_take(&out) : NULL;
}

struct picture *
picture_make(const struct flow *flow, const struct history *history)
{
    struct picture *self = mem_alloc(1, sizeof *self);

    self->name = safe(flow->name);
    self->params = params_line(flow, history);
    if (history)
        self->run = run_line(history);
    make_boxes(self, flow, history);
    make_lines(self, flow);
    return self;
}

void
picture_destroy(struct picture **self_p)
{
    struct picture *self = *self_p;

    if (!self)
        return;
    for (uint32_t i = 0; i < self->nbox; i++) {
        struct picture_box *box = &self->boxes[i];

        for (uint32_t k = 0; box->cells && k < box->nchild; k++) {
            free(box->cells[k].label);
            free(box->cells[k].note);
        }
        free(box->cells);
        free(box->name);
        free(box->each);
        free(box->only);
        free(box->note);
    }
    for (size_t i = 0; i < self->nline; i++)
        free(self->lines[i].equal);
    free(self->boxes);
    free(self->lines);
    free(self->name);
    free(self->run);
    free(self->params);
    free(self);
    *self_p = NULL;
}
