/* SPDX-License-Identifier: MPL-2.0 */
#include "cli/watch.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/span.h"
#include "base/utf8.h"
#include "cli/bar.h"
#include "cli/which.h"

#define COLUMN_MOST 24              /* longer names are not waited for */
#define DRAW_EVERY  (100 * SPAN_MS) /* between two pictures of the bar */
#define TAIL_BYTES  400             /* of a line in a report */

/* ---- writing ---- */

/* What takes the bar off the screen. */
#define CLEAR "\r\033[K"

/* The lines that are due, and the bar below them again: in one piece. */
static void
flush(struct watch *self)
{
    struct buf all = {0};

    if (self->out.len == 0 && self->results_out.len == 0)
        return;
    if (self->bar.len > 0)
        buf_text(&all, CLEAR);
    buf_add(&all, buf_str(&self->out), self->out.len);
    if (self->results_out.len > 0) {
        (void)term_write(&self->cli->err, &all);
        (void)term_write(&self->cli->out, &self->results_out);
        buf_clear(&all);
    }
    buf_add(&all, buf_str(&self->bar), self->bar.len);
    /* Nobody reads any more: the run goes on all the same. */
    (void)term_write(&self->cli->err, &all);
    buf_clear(&self->out);
    buf_clear(&self->results_out);
    buf_release(&all);
}

static uint64_t
count_of(const struct plan *plan, bool (*wanted)(enum plan_state))
{
    uint64_t n = 0;

    for (int state = 0; state < PLAN_STATE_COUNT; state++) {
        if (state != PLAN_MAPPED && wanted((enum plan_state)state))
            n += plan_count(plan, (enum plan_state)state);
    }
    return n;
}

static bool
is_any(enum plan_state state)
{
    (void)state;
    return true;
}

static const char *
name_of(struct watch *self, const struct run *run, struct plan_id id)
{
    if (!plan_id_is(self->named, id)) {
        buf_clear(&self->name);
        run_name(run, id, &self->name);
        self->named = id;
    }
    return buf_str(&self->name);
}

static void
draw(struct watch *self, const struct run *run)
{
    const struct plan *plan = run_plan(run);
    int64_t now = span_mono();
    struct bar bar = {.elapsed = now - self->started};
    struct term term = self->cli->err;
    struct buf line = {0};

    if (self->quiet || !term.tty || now - self->drawn < DRAW_EVERY)
        return;
    self->drawn = now;
    term_resize(&term);
    bar.done = count_of(plan, plan_state_is_final);
    bar.total = count_of(plan, is_any);
    bar.kept = self->kept;
    bar.failed = count_of(plan, plan_state_is_failure);
    if (self->running.task != PLAN_NONE)
        bar.running = name_of(self, run, self->running);
    buf_clear(&self->bar);
    bar_put(&bar, term.width - 1, &self->bar);
    buf_text(&line, CLEAR);
    buf_add(&line, buf_str(&self->bar), self->bar.len);
    (void)term_write(&term, &line);
    buf_release(&line);
}

/* ---- lines ---- */

static void
put_name(struct watch *self, struct buf *out, const struct term *term,
         const char *name, const char *mark)
{
    size_t width = utf8_width(name, strlen(name));

    if (width > self->column && width <= COLUMN_MOST)
        self->column = width;
    term_put(term, out, STYLE_BOLD, name);
    term_pad(out, width, self->column);
    buf_text(out, mark);
}

/*
 * A program that shows progress of its own overwrites its line: the last
 * state of it is what counts.
 */
static void
keep_last(const char **text, size_t *n)
{
    const char *at = memrchr(*text, '\r', *n);

    if (!at)
        return;
    *n -= (size_t)(at + 1 - *text);
    *text = at + 1;
}

/* Output that is a task's value, of which not all is shown. */
static bool
is_cut(const struct watch *self, const struct lines_source *source)
{
    const struct flow_task *task = &self->flow->tasks[source->id.task];

    return source->stream == 1 && !self->verbose && !self->results &&
           task->value != VALUE_NONE && task->kind != FLOW_CALL &&
           !task->creates;
}

static void
put_line(struct buf *out, const char *text, size_t n, bool cut)
{
    size_t shown = n;

    if (cut && n > WATCH_BYTES) {
        shown = WATCH_BYTES;
        while (shown > 0 && ((unsigned char)text[shown] & 0xc0) == 0x80)
            shown--;
    }
    utf8_escape(out, text, shown);
    if (shown < n)
        buf_printf(out, "... (%zu bytes)", n);
    buf_char(out, '\n');
}

/* The name of the instance is in `name`. */
static void
put_held_back(struct watch *self, const struct open_one *one)
{
    uint64_t n = one->nvalue - WATCH_LINES;

    if (one->nvalue <= WATCH_LINES || self->quiet)
        return;
    put_name(self, &self->out, &self->cli->err, buf_str(&self->name), " | ");
    buf_printf(&self->out, "... %" PRIu64 " more line%s: ", n,
               n == 1 ? "" : "s");
    if (self->id > 0) {
        buf_printf(&self->out, "%s logs ", self->cli->name);
        which_name(&self->out, self->id, buf_str(&self->name));
    } else {
        buf_text(&self->out, "-v shows all");
    }
    buf_char(&self->out, '\n');
}

static void
on_line(void *ctx, const struct lines_source *source, int64_t when,
        const char *text, size_t n)
{
    struct watch *self = ctx;
    bool result = self->results && source->stream == 1;
    struct buf *out = result ? &self->results_out : &self->out;
    const struct term *term = result ? &self->cli->out : &self->cli->err;

    struct open_one *one = open_get(&self->open, source->id);
    bool cut = is_cut(self, source);

    (void)when;
    /* Results without names go on as they are, but whole. */
    if (self->many && self->results && !self->tag) {
        buf_add(out, text, n);
        buf_char(out, '\n');
    }
    keep_last(&text, &n);
    open_line(one, mem_text(text, n < TAIL_BYTES ? n : TAIL_BYTES));
    if (self->results ? !self->tag : self->quiet)
        return;
    if (cut && ++one->nvalue > WATCH_LINES)
        return;
    put_name(self, out, term, name_of(self, self->run, source->id), " | ");
    put_line(out, text, n, cut);
}

static void
on_output(void *ctx, const struct run *run, struct plan_id id, int stream,
          const char *data, size_t n)
{
    struct watch *self = ctx;
    struct lines_source source = {id, run_attempts(run, id), stream};

    self->run = run;
    lines_add(&self->lines, &source, 0, data, n);
    if (self->results && !self->tag && !self->many)
        buf_add(stream == 1 ? &self->results_out : &self->out, data, n);
    flush(self);
}

/* ---- outcomes ---- */

static void
put_outcome(struct watch *self, const struct run *run,
            const struct run_change *change)
{
    const struct open_one *one = open_find(&self->open, change->id);
    int64_t took = change->took;
    char text[SPAN_TEXT];

    if (took == 0 && one && one->started > 0)
        took = span_mono() - one->started;
    put_name(self, &self->out, &self->cli->err, name_of(self, run, change->id),
             " : ");
    term_put(&self->cli->err, &self->out, term_state_style(change->state),
             plan_state_names[change->state]);
    if (took > 0 && plan_state_is_final(change->state) && change->attempt > 0)
        buf_printf(&self->out, " in %s", span_format(took, text));
    if (change->cause) {
        buf_text(&self->out, ": ");
        term_put(&self->cli->err, &self->out, STYLE_PLAIN, change->cause);
    }
    if (change->state == PLAN_RETRYING) {
        int64_t wait = change->until - span_mono();

        buf_printf(&self->out, "; attempt %" PRIu32 " in %s",
                   change->attempt + 1, span_format(wait > 0 ? wait : 0, text));
    }
    buf_char(&self->out, '\n');
}

/* Whether the state of this instance is worth a line of its own. */
static bool
is_told(const struct watch *self, const struct run_change *change)
{
    const struct watch_map *map = &self->maps[change->id.task];

    if (self->quiet || self->flow->tasks[change->id.task].hidden)
        return false;
    if (change->state == PLAN_RUNNING)
        return self->verbose;
    if (change->state == PLAN_MAPPED)
        return false;
    if (self->verbose)
        return true;
    if (change->kept ||
        (change->state == PLAN_CANCELLED && change->attempt == 0))
        return false;
    /* With the commands' own output on show, success need not be told. */
    if (self->results && plan_state_is_success(change->state))
        return false;
    return change->id.child == PLAN_WHOLE || map->n <= WATCH_CHILDREN ||
           (plan_state_is_failure(change->state) &&
            self->nfailure < WATCH_FAILURES);
}

static void
put_map(struct watch *self, const struct run *run, uint32_t task)
{
    const struct watch_map *map = &self->maps[task];
    const char *between = ": ";
    char text[SPAN_TEXT];

    put_name(self, &self->out, &self->cli->err, self->flow->tasks[task].name,
             " : ");
    buf_printf(&self->out, "%" PRIu32 " children", map->n);
    for (int s = PLAN_SUCCEEDED; s < PLAN_STATE_COUNT; s++) {
        enum plan_state state = (enum plan_state)s;
        uint32_t n = plan_children_in(run_plan(run), task, state);

        if (n == 0)
            continue;
        buf_printf(&self->out, "%s%" PRIu32 " ", between, n);
        term_put(&self->cli->err, &self->out, term_state_style(state),
                 plan_state_names[state]);
        between = ", ";
    }
    buf_printf(&self->out, " in %s\n",
               span_format(span_mono() - map->started, text));
}

static void
count_child(struct watch *self, const struct run *run,
            const struct run_change *change)
{
    struct watch_map *map = &self->maps[change->id.task];

    if (!plan_state_is_final(change->state) || ++map->done < map->n)
        return;
    if (map->n > WATCH_CHILDREN && !self->quiet && !self->results &&
        !self->flow->tasks[change->id.task].hidden)
        put_map(self, run, change->id.task);
}

/* A later session has come to something new. */
static void
forget_failure(struct watch *self, struct plan_id id)
{
    size_t i = 0;

    while (i < self->nfailure && (self->failures[i].id.task != id.task ||
                                  self->failures[i].id.child != id.child))
        i++;
    if (i == self->nfailure)
        return;
    while (self->failures[i].ntail > 0)
        free(self->failures[i].tail[--self->failures[i].ntail]);
    self->nfailure--;
    memmove(&self->failures[i], &self->failures[i + 1],
            (self->nfailure - i) * sizeof *self->failures);
    self->failures[self->nfailure] = (struct watch_failure){0};
}

static void
remember_failure(struct watch *self, const struct run_change *change)
{
    struct watch_failure *failure = &self->failures[self->nfailure];
    struct open_one *one = open_find(&self->open, change->id);

    if (self->nfailure == WATCH_FAILURES)
        return;
    self->nfailure++;
    failure->id = change->id;
    failure->state = change->state;
    if (!one)
        return;
    memcpy(failure->tail, one->tail, sizeof failure->tail);
    failure->ntail = one->ntail;
    one->ntail = 0;
}

static void
begin(struct watch *self, const struct run_change *change)
{
    self->running = change->id;
    open_remove(&self->open, change->id);
    if (change->id.child == PLAN_WHOLE ||
        self->maps[change->id.task].n <= WATCH_CHILDREN || self->verbose ||
        self->cli->err.tty)
        open_get(&self->open, change->id)->started = span_mono();
}

/* Of a short attempt of a cluster's often only the end is recorded. */
static void
tell_begun(struct watch *self, const struct run *run,
           const struct run_change *change)
{
    const struct run_change begun = {
        .id = change->id, .state = PLAN_RUNNING, .attempt = change->attempt};

    if (change->attempt == 0 || change->kept ||
        change->state == PLAN_CANCELLED || !is_told(self, &begun) ||
        (change->state != PLAN_RETRYING && !plan_state_is_final(change->state)))
        return;
    if (open_find(&self->open, change->id))
        return;
    begin(self, &begun);
    put_outcome(self, run, &begun);
}

/* All that it wrote has come. */
static void
complete(struct watch *self, const struct run *run, struct plan_id id)
{
    const struct open_one *one;

    if (self->lines.nopen > 0)
        lines_end(&self->lines, &id);
    one = open_find(&self->open, id);
    if (!one || one->nvalue == 0)
        return;
    (void)name_of(self, run, id);
    put_held_back(self, one);
}

/* It is not at work any more. */
static void
forget(struct watch *self, struct plan_id id)
{
    const struct open_one *other;

    open_remove(&self->open, id);
    if (!self->many || self->running.task != id.task ||
        self->running.child != id.child)
        return;
    other = open_any(&self->open);
    self->running = other ? other->id : (struct plan_id){PLAN_NONE, PLAN_WHOLE};
}

static void
on_changed(void *ctx, const struct run *run, const struct run_change *change)
{
    struct watch *self = ctx;
    struct watch_map *map = &self->maps[change->id.task];

    self->run = run;
    if (change->state == PLAN_MAPPED)
        *map = (struct watch_map){
            .n = plan_children(run_plan(run), change->id.task),
            .started = span_mono()};
    if (change->state == PLAN_RUNNING) {
        begin(self, change);
    } else {
        tell_begun(self, run, change);
        complete(self, run, change->id);
    }
    self->kept += change->kept;
    if (self->nfailure > 0)
        forget_failure(self, change->id);
    if (is_told(self, change))
        put_outcome(self, run, change);
    if (plan_state_is_failure(change->state))
        remember_failure(self, change);
    if (change->id.child != PLAN_WHOLE)
        count_child(self, run, change);
    if (change->state != PLAN_RUNNING)
        forget(self, change->id);
    flush(self);
}

static void
on_begun(void *ctx, uint64_t id)
{
    struct watch *self = ctx;

    self->id = id;
}

static void
on_tick(void *ctx, const struct run *run)
{
    draw(ctx, run);
}

/* ---- life ---- */

void
watch_init(struct watch *self)
{
    self->lines = (struct lines){.fn = on_line, .ctx = self};
    self->maps = mem_alloc(self->flow->ntask, sizeof *self->maps);
    self->named = self->running = (struct plan_id){PLAN_NONE, PLAN_WHOLE};
    self->started = span_mono();
    for (size_t i = 0; i < self->flow->ntask; i++) {
        const struct flow_task *task = &self->flow->tasks[i];
        size_t width = utf8_width(task->name, strlen(task->name));

        if (!task->hidden && width > self->column && width <= COLUMN_MOST)
            self->column = width;
    }
}

void
watch_release(struct watch *self)
{
    while (self->nfailure > 0) {
        struct watch_failure *failure = &self->failures[--self->nfailure];

        while (failure->ntail > 0)
            free(failure->tail[--failure->ntail]);
    }
    open_release(&self->open);
    lines_release(&self->lines);
    buf_release(&self->out);
    buf_release(&self->results_out);
    buf_release(&self->name);
    buf_release(&self->bar);
    free(self->maps);
    self->maps = NULL;
}

struct local_watch
watch_calls(struct watch *self)
{
    return (struct local_watch){.begun = on_begun,
                                .changed = on_changed,
                                .output = on_output,
                                .tick = on_tick,
                                .ctx = self};
}

void
watch_say(struct watch *self, const char *text)
{
    buf_printf(&self->out, "%s: ", self->cli->name);
    term_put(&self->cli->err, &self->out, STYLE_PLAIN, text);
    buf_char(&self->out, '\n');
    flush(self);
}

void
watch_end(struct watch *self)
{
    struct buf clear = {0};

    lines_end(&self->lines, NULL);
    if (self->bar.len > 0)
        buf_text(&clear, CLEAR);
    buf_release(&self->bar);
    (void)term_write(&self->cli->err, &clear);
    buf_release(&clear);
    flush(self);
}
