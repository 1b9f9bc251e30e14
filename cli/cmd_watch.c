/* SPDX-License-Identifier: MPL-2.0 */
#include <inttypes.h>

#include "base/span.h"
#include "cli/carry.h"
#include "cli/json.h"
#include "cli/remote.h"
#include "cli/report.h"
#include "cli/signals.h"
#include "cli/watch.h"
#include "cli/which.h"

struct watching {
    struct cli *cli;
    const struct args *args;
    struct which which;
    struct watch watch;
    struct local_result result;
};

static int
print_json(const struct watching *self, int code)
{
    struct history *history = NULL;
    struct err err;

    if (runs_history(self->which.runs, self->result.id, &history, &err) < 0)
        return cli_error(self->cli, &err);
    code = cli_print_json(self->cli, json_of_history(history), code);
    history_destroy(&history);
    return code;
}

/* Ctrl-C: the run is not ours to end. */
static int
leave(const struct watching *self)
{
    (void)cli_fail(self->cli, 0,
                   "run %" PRIu64 " goes on; to follow it again: %s watch "
                   "%" PRIu64 "%s",
                   self->result.id, self->cli->name, self->result.id,
                   buf_str(&self->cli->place));
    return 128 + signals_first();
}

static int
conclude(struct watching *self)
{
    int code = carry_exit(self->result.state, self->result.timed_out);
    struct store_run info = {0};
    struct buf out = {0};
    int64_t elapsed = 0;
    struct err err;

    if (runs_get(self->which.runs, self->result.id, false, &info, &err) == 0)
        elapsed = (info.ended > 0 ? info.ended : span_wall()) - info.started;
    store_run_release(&info);
    report_put(&self->watch, &self->result, elapsed, &out);
    (void)term_write(&self->cli->err, &out);
    buf_release(&out);
    return args_has(self->args, OPT_JSON) ? print_json(self, code) : code;
}

static int
follow(struct watching *self)
{
    const struct history *history = self->which.history;
    struct local_watch calls = watch_calls(&self->watch);
    struct local_request request = {
        .flow = history->flow,
        .params = history->info.params,
        .watch = &calls,
    };
    struct remote remote = {
        .cli = self->cli,
        .args = self->args,
        .place = REMOTE_BROKER,
        .runs = self->which.runs,
        .run = history->info.id,
        .leave = true,
        .watch = &self->watch,
    };
    struct err err;
    int rc;

    if (signals_begin(NULL, &request.interrupt_fd, &err) < 0)
        return cli_error(self->cli, &err);
    rc = remote_follow(&remote, &request, self->watch.quiet, &self->result,
                       &err);
    watch_end(&self->watch);
    signals_end();
    if (rc < 0)
        return cli_error(self->cli, &err);
    return self->result.state == STORE_RUNNING ? leave(self) : conclude(self);
}

int
cmd_watch(struct cli *cli, const struct args *args)
{
    struct watching self = {.cli = cli, .args = args};
    int code;

    if (!cli->config.broker)
        return cli_usage(cli, "needs a broker (--broker, LEAT_BROKER); what a "
                              "run of this machine writes is followed by logs "
                              "-f");
    code = which_run(&self.which, cli, args->nword > 0 ? args->words[0] : NULL);
    if (code == EXIT_OK) {
        self.watch = (struct watch){
            .cli = cli,
            .flow = self.which.history->flow,
            .quiet = args_has(args, OPT_QUIET),
            .verbose = args_has(args, OPT_VERBOSE),
            .many = true,
        };
        watch_init(&self.watch);
        /* It runs since then, not since it is looked at. */
        self.watch.started -= span_wall() - self.which.history->info.started;
        code = follow(&self);
        watch_release(&self.watch);
    }
    local_result_release(&self.result);
    which_release(&self.which);
    return code;
}
