/* SPDX-License-Identifier: MPL-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/span.h"
#include "base/utf8.h"
#include "cli/cli.h"
#include "cli/json.h"
#include "cli/which.h"

#define SHOWN 20 /* runs, unless said */

struct row {
    uint64_t id;
    char *flow; /* with the run's own name */
    enum store_run_state state;
    int64_t started, ended;
};

struct listing {
    const struct cli *cli;
    json_t *json; /* a list, or NULL */
    struct row *rows;
    size_t n, cap;
};

static bool
add(void *ctx, const struct store_run *run)
{
    struct listing *self = ctx;
    struct row row = {.id = run->id,
                      .state = run->state,
                      .started = run->started,
                      .ended = run->ended};

    if (self->json) {
        json_array_append_new(self->json, json_of_info(run));
        return true;
    }
    row.flow = run->name ? mem_printf("%s (%s)", run->flow, run->name)
                         : mem_dup(run->flow);
    self->rows =
        mem_grow(self->rows, &self->cap, self->n + 1, sizeof *self->rows);
    self->rows[self->n++] = row;
    return true;
}

static enum style
state_style(enum store_run_state state)
{
    static const enum style styles[STORE_RUN_STATE_COUNT] = {
        [STORE_RUNNING] = STYLE_CYAN,  [STORE_SUCCEEDED] = STYLE_GREEN,
        [STORE_FAILED] = STYLE_RED,    [STORE_CANCELLED] = STYLE_YELLOW,
        [STORE_PAUSED] = STYLE_YELLOW, [STORE_INTERRUPTED] = STYLE_YELLOW,
    };

    return styles[state];
}

static void
put_row(const struct listing *self, const struct row *row, int digits,
        struct buf *out)
{
    const char *state = store_run_state_names[row->state];
    int64_t end = row->ended;
    char text[SPAN_TEXT];

    if (row->state == STORE_RUNNING)
        end = span_wall();
    buf_printf(out, "%*" PRIu64 "  ", digits, row->id);
    term_put(&self->cli->out, out, state_style(row->state), state);
    term_pad(out, strlen(state), strlen("interrupted") + 2);
    buf_printf(out, "%s  ", span_moment(row->started, text));
    buf_printf(out, "%10s  ",
               end > 0 ? span_format(end - row->started, text) : "-");
    term_put(&self->cli->out, out, STYLE_BOLD, row->flow);
    buf_char(out, '\n');
}

static void
put_rows(const struct listing *self, bool quiet, struct buf *out)
{
    char widest[SPAN_TEXT];
    int digits = 0;

    if (self->n > 0)
        digits = snprintf(widest, sizeof widest, "%" PRIu64, self->rows[0].id);
    for (size_t i = 0; i < self->n; i++) {
        if (quiet)
            buf_printf(out, "%" PRIu64 "\n", self->rows[i].id);
        else
            put_row(self, &self->rows[i], digits, out);
    }
}

/* Without a store there simply are no runs yet: NULL. */
static int
open_runs(const struct cli *cli, struct runs **ret)
{
    struct err err;

    if (cli->config.broker)
        return which_open(cli, STORE_READ, ret);
    if (runs_of_store(ret, cli->config.store, STORE_READ, &err) == 0 ||
        err.code == ERR_NOT_FOUND)
        return EXIT_OK;
    return cli_fail(cli, EXIT_UNREACHABLE, "%s", err.msg);
}

int
cmd_ls(struct cli *cli, const struct args *args)
{
    struct listing self = {.cli = cli};
    struct runs *runs = NULL;
    struct buf out = {0};
    int64_t most = args_number(args, OPT_NUMBER, SHOWN);
    struct err err;
    int code = open_runs(cli, &runs);

    if (code != EXIT_OK)
        return code;
    if (args_has(args, OPT_JSON))
        self.json = json_array();
    if (runs && runs_list(runs, args_has(args, OPT_ALL) ? 0 : (size_t)most, add,
                          &self, &err) < 0)
        code = cli_error(cli, &err);
    if (self.json) {
        code = cli_print_json(
            cli,
            json_pack("{s:s, s:o}", "schema", "leat.runs/1", "runs", self.json),
            code);
    } else {
        put_rows(&self, args_has(args, OPT_QUIET), &out);
        code = cli_print(cli, &out, code);
    }
    for (size_t i = 0; i < self.n; i++)
        free(self.rows[i].flow);
    free(self.rows);
    buf_release(&out);
    runs_close(&runs);
    return code;
}
