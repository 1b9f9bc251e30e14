/* SPDX-License-Identifier: MPL-2.0 */
#include "cli/which.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void
which_release(struct which *self)
{
    history_destroy(&self->history);
    runs_close(&self->runs);
    free(self->ids);
    self->ids = NULL;
}

int
which_needs_broker(const struct cli *cli)
{
    return cli->config.broker
               ? EXIT_OK
               : cli_usage(cli, "needs a broker: name one with --broker "
                                "ADDRESS, LEAT_BROKER or in config.yaml");
}

int
which_broker(const struct cli *cli, struct client **ret)
{
    int code = which_needs_broker(cli);
    struct err err;

    if (code != EXIT_OK)
        return code;
    return client_open(ret, cli->config.broker, &err) < 0 ? cli_error(cli, &err)
                                                          : EXIT_OK;
}

int
which_open(const struct cli *cli, enum store_mode mode, struct runs **ret)
{
    struct client *client = NULL;
    struct err err;
    int code;

    if (cli->config.broker) {
        code = which_broker(cli, &client);
        if (code == EXIT_OK)
            *ret = runs_of_broker(&client);
        return code;
    }
    if (runs_of_store(ret, cli->config.store, mode, &err) == 0)
        return EXIT_OK;
    if (err.code == ERR_NOT_FOUND)
        return cli_fail(cli, EXIT_NOT_FOUND, "%s", err.msg);
    return cli_fail(cli, EXIT_UNREACHABLE, "%s", err.msg);
}

static int
load(struct which *self, const struct cli *cli, const char *name)
{
    uint64_t run = 0;
    struct err err;

    if (runs_find(self->runs, name ? name : "last", &run, &err) < 0 ||
        runs_history(self->runs, run, &self->history, &err) < 0)
        return cli_error(cli, &err);
    return EXIT_OK;
}

int
which_run(struct which *self, const struct cli *cli, const char *name)
{
    int code = which_open(cli, STORE_READ, &self->runs);

    self->whole = true;
    return code == EXIT_OK ? load(self, cli, name) : code;
}

static void
add(struct which *self, struct plan_id id, size_t *cap)
{
    self->ids = mem_grow(self->ids, cap, self->nid + 1, sizeof *self->ids);
    self->ids[self->nid++] = id;
}

static void
add_failed(struct which *self, size_t *cap)
{
    const struct history *history = self->history;

    for (size_t t = 0; t < history->flow->ntask; t++) {
        const struct history_task *task = &history->tasks[t];
        struct plan_id id = {(uint32_t)t, PLAN_WHOLE};

        if (plan_state_is_failure(task->item.state))
            add(self, id, cap);
        for (id.child = 0; id.child < task->nchild; id.child++) {
            if (plan_state_is_failure(task->children[id.child].state))
                add(self, id, cap);
        }
    }
}

static int
select_tasks(struct which *self, const struct cli *cli, const char *task)
{
    struct plan_id id;
    struct err err;
    size_t cap = 0;

    if (strcmp(task, ":failed") == 0) {
        add_failed(self, &cap);
        if (self->nid > 0)
            return EXIT_OK;
        return cli_fail(cli, EXIT_NOT_FOUND,
                        "nothing has failed in run %" PRIu64,
                        self->history->info.id);
    }
    if (task[0] == ':')
        return cli_usage(cli, "unknown selection %s (there is :failed)", task);
    if (history_find(self->history, task, &id, &err) < 0)
        return cli_error(cli, &err);
    add(self, id, &cap);
    return EXIT_OK;
}

static bool
is_number(const char *text)
{
    return text[0] != '\0' && text[strspn(text, "0123456789")] == '\0';
}

/* A name without a run: a task of the last run, else it names a run. */
static int
guess(struct which *self, const struct cli *cli, const char *name)
{
    uint64_t run = 0;
    struct plan_id id;
    struct err err, other;
    size_t cap = 0;
    int code = load(self, cli, NULL);

    if (code != EXIT_OK)
        return code;
    if (history_find(self->history, name, &id, &err) == 0) {
        add(self, id, &cap);
        return EXIT_OK;
    }
    if (runs_find(self->runs, name, &run, &other) < 0)
        return cli_error(cli, &err);
    history_destroy(&self->history);
    self->whole = true;
    return load(self, cli, name);
}

int
which_task(struct which *self, const struct cli *cli, const char *name)
{
    const char *slash = strchr(name, '/');
    const char *bracket = strchr(name, '[');
    int code = which_open(cli, STORE_READ, &self->runs);
    char *run;

    if (code != EXIT_OK)
        return code;
    if (slash && bracket && bracket < slash)
        slash = NULL;
    if (!slash && name[0] == ':') {
        code = load(self, cli, NULL);
        return code == EXIT_OK ? select_tasks(self, cli, name) : code;
    }
    if (!slash && (is_number(name) || strcmp(name, "last") == 0)) {
        self->whole = true;
        return load(self, cli, name);
    }
    if (!slash)
        return guess(self, cli, name);
    run = mem_text(name, (size_t)(slash - name));
    code = load(self, cli, run);
    free(run);
    return code == EXIT_OK ? select_tasks(self, cli, slash + 1) : code;
}

void
which_quote(struct buf *out, const char *text)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "0123456789_-./:=,@%+";

    if (text[0] != '\0' && text[strspn(text, plain)] == '\0') {
        buf_text(out, text);
        return;
    }
    buf_char(out, '\'');
    for (; *text; text++) {
        if (*text == '\'')
            buf_text(out, "'\\''");
        else
            buf_char(out, *text);
    }
    buf_char(out, '\'');
}

void
which_name(struct buf *out, uint64_t run, const char *task)
{
    char *name = mem_printf("%" PRIu64 "/%s", run, task);

    which_quote(out, name);
    free(name);
}
