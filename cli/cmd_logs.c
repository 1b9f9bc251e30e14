/* SPDX-License-Identifier: MPL-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/span.h"
#include "base/utf8.h"
#include "cli/json.h"
#include "cli/lines.h"
#include "cli/which.h"

#define HOUR      (3600 * SPAN_SECOND)
#define OUT_BYTES (64u << 10) /* gathered before they are written */

struct logs {
    const struct cli *cli;
    struct which which;
    bool raw, json, names;
    bool running;     /* more will come: what is not known yet can wait */
    bool looked;      /* for a newer history, this time */
    uint32_t attempt; /* 0: all */
    struct lines lines;
    struct plan_id named; /* whose name is in `name` */
    struct buf name;
    struct buf out;
    int code; /* what writing has come to */
};

static void
flush(struct logs *self)
{
    self->code = cli_print(self->cli, &self->out, self->code);
    buf_clear(&self->out);
}

/* A child's name is recorded when it begins, shortly before or after this. */
static bool
is_known(const struct logs *self, struct plan_id id)
{
    const struct history_task *task = &self->which.history->tasks[id.task];

    return id.child == PLAN_WHOLE ||
           (id.child < task->nchild && task->children[id.child].attempt > 0);
}

/* A child that began after the history was read needs a newer one. */
static void
look_again(struct logs *self)
{
    struct history *newer = NULL;
    struct err err;

    self->looked = true;
    if (runs_history(self->which.runs, self->which.history->info.id, &newer,
                     &err) < 0)
        return;
    history_destroy(&self->which.history);
    self->which.history = newer;
}

static const char *
name_of(struct logs *self, struct plan_id id)
{
    if (plan_id_is(self->named, id))
        return buf_str(&self->name);
    buf_clear(&self->name);
    if (id.child == PLAN_WHOLE ||
        id.child < self->which.history->tasks[id.task].nchild)
        history_name(self->which.history, id, &self->name);
    else
        buf_printf(&self->name, "%s[#%u]",
                   self->which.history->flow->tasks[id.task].name, id.child);
    self->named = id;
    return buf_str(&self->name);
}

static void
put_json(struct logs *self, const struct lines_source *source, int64_t when,
         const char *text, size_t n)
{
    static const char *const streams[] = {"leat", "stdout", "stderr"};
    const char *name = name_of(self, source->id);
    json_t *json = json_pack(
        "{s:s, s:I, s:o, s:I, s:s, s:o, s:o}", "schema", "leat.log/1", "run",
        (json_int_t)self->which.history->info.id, "task",
        json_of_text(name, strlen(name)), "attempt",
        (json_int_t)source->attempt, "stream",
        streams[source->stream >= 0 && source->stream <= 2 ? source->stream
                                                           : 0],
        "time", json_of_moment(when), "text", json_of_text(text, n));
    char *line = json_dumps(json, JSON_COMPACT);

    buf_text(&self->out, line ? line : "");
    buf_char(&self->out, '\n');
    free(line);
    json_decref(json);
}

static void
on_line(void *ctx, const struct lines_source *source, int64_t when,
        const char *text, size_t n)
{
    struct logs *self = ctx;

    if (self->json) {
        put_json(self, source, when, text, n);
        return;
    }
    if (self->names) {
        term_put(&self->cli->out, &self->out, STYLE_BOLD,
                 name_of(self, source->id));
        buf_text(&self->out, " | ");
    }
    utf8_escape(&self->out, text, n);
    buf_char(&self->out, '\n');
}

static bool
is_wanted(const struct logs *self, const struct store_piece *piece)
{
    if (self->attempt > 0 && piece->attempt != self->attempt)
        return false;
    for (size_t i = 0; i < self->which.nid; i++) {
        const struct plan_id *id = &self->which.ids[i];

        if (id->task == piece->id.task &&
            (id->child == PLAN_WHOLE || id->child == piece->id.child))
            return true;
    }
    return self->which.whole;
}

static bool
on_piece(void *ctx, const struct store_piece *piece)
{
    struct logs *self = ctx;
    struct lines_source source = {piece->id, piece->attempt, piece->stream};

    if (!is_wanted(self, piece) ||
        piece->id.task >= self->which.history->flow->ntask)
        return true;
    if (!is_known(self, piece->id) && !self->looked)
        look_again(self);
    if (!is_known(self, piece->id) && self->running)
        return false;
    if (self->raw)
        buf_add(&self->out, piece->data, piece->n);
    else
        lines_add(&self->lines, &source, piece->when, piece->data, piece->n);
    if (self->out.len >= OUT_BYTES)
        flush(self);
    return self->code == EXIT_OK;
}

static int
read_once(struct logs *self, uint64_t *offset)
{
    const struct plan_id *only =
        self->which.nid == 1 ? &self->which.ids[0] : NULL;
    struct err err;

    self->looked = false;
    if (runs_pieces(self->which.runs, self->which.history->info.id, only,
                    offset, on_piece, self, &err) < 0)
        self->code = cli_error(self->cli, &err);
    flush(self);
    return self->code;
}

static bool
is_running(const struct logs *self)
{
    struct store_run info = {0};
    bool running = false;
    struct err err;

    if (runs_get(self->which.runs, self->which.history->info.id, false, &info,
                 &err) == 0)
        running = info.state == STORE_RUNNING;
    store_run_release(&info);
    return running;
}

static void
wait_for_more(struct logs *self, uint64_t offset)
{
    uint64_t run = self->which.history->info.id;
    struct err err;

    if (runs_wait(self->which.runs, run, true, offset, HOUR, &err) < 0)
        self->code = cli_error(self->cli, &err);
}

static void
print(struct logs *self, bool follow)
{
    uint64_t offset = 0;

    do {
        /* Asked before reading: what came until it ended is read then. */
        self->running = follow && is_running(self);
        if (read_once(self, &offset) != EXIT_OK)
            return;
        if (self->running)
            wait_for_more(self, offset);
    } while (self->running && self->code == EXIT_OK);
    lines_end(&self->lines, NULL);
    flush(self);
}

/* Lines need names where they may come from more than one task. */
static bool
needs_names(const struct which *which)
{
    return which->whole || which->nid != 1 ||
           (which->ids[0].child == PLAN_WHOLE &&
            which->history->flow->tasks[which->ids[0].task].mapped);
}

int
cmd_logs(struct cli *cli, const struct args *args)
{
    struct logs self = {
        .cli = cli,
        .raw = args_has(args, OPT_RAW),
        .json = args_has(args, OPT_JSON),
        .attempt = (uint32_t)args_number(args, OPT_ATTEMPT, 0),
        .named = {PLAN_NONE, PLAN_WHOLE},
    };

    if (self.raw && self.json)
        return cli_usage(cli, "--raw and --json exclude each other");
    self.lines = (struct lines){.fn = on_line, .ctx = &self};
    self.code =
        which_task(&self.which, cli, args->nword > 0 ? args->words[0] : "last");
    if (self.code == EXIT_OK) {
        self.names = needs_names(&self.which);
        print(&self, args_has(args, OPT_FOLLOW));
    }
    lines_release(&self.lines);
    buf_release(&self.name);
    buf_release(&self.out);
    which_release(&self.which);
    return self.code;
}
