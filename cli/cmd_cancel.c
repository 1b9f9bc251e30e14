/* SPDX-License-Identifier: MPL-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/which.h"

struct cancel {
    const struct cli *cli;
    struct runs *runs;
    uint64_t run;
    const char *task; /* NULL: the whole run */
    bool now;
};

/* What has ended already is no wrong flow. */
static int
refused(const struct cli *cli, const struct err *err)
{
    int code = cli_error(cli, err);

    return code == EXIT_INVALID ? EXIT_FAILED : code;
}

/* "12", or "12/train[8,3]", of which *task is what follows the slash. */
static char *
run_of(const char *word, const char **task)
{
    const char *slash = strchr(word, '/');

    *task = slash ? slash + 1 : NULL;
    return slash ? mem_text(word, (size_t)(slash - word)) : mem_dup(word);
}

static int
ask(const struct cancel *self, struct client *client)
{
    struct err err;

    if (client_ask(client, ASK_CANCEL, self->run, self->task, self->now, NULL,
                   NULL, &err) < 0)
        return refused(self->cli, &err);
    return EXIT_OK;
}

static int
has_ended(const struct cancel *self, enum store_run_state state)
{
    return cli_fail(self->cli, EXIT_FAILED,
                    "run %" PRIu64 " has ended already: %s", self->run,
                    store_run_state_names[state]);
}

static bool
is_cancelled(const struct cancel *self, const struct history *history)
{
    struct plan_id id;
    struct err err;

    if (!self->task)
        return history->info.state == STORE_CANCELLED;
    if (history_find(history, self->task, &id, &err) < 0)
        return false;
    if (id.child == PLAN_WHOLE)
        return history_state(history, id.task) == PLAN_CANCELLED;
    return history_item(history, id)->state == PLAN_CANCELLED;
}

/* A cluster ends with its run, which may be what it was asked for: an answer
 * that nobody has read by then is lost. */
static int
see_end(const struct cancel *self, const struct err *lost)
{
    struct history *history = NULL;
    struct err err;
    int code;

    if (runs_history(self->runs, self->run, &history, &err) < 0)
        return cli_error(self->cli, &err);
    if (history->info.state == STORE_RUNNING)
        code = refused(self->cli, lost);
    else if (is_cancelled(self, history))
        code = EXIT_OK;
    else
        code = has_ended(self, history->info.state);
    history_destroy(&history);
    return code;
}

/* The cluster that was made for it. */
static int
ask_cluster(const struct cancel *self, const char *address)
{
    struct client *client = NULL;
    struct err err;
    int rc;

    rc = client_open(&client, address, &err);
    if (rc == 0)
        rc = client_ask(client, ASK_CANCEL, self->run, self->task, self->now,
                        NULL, NULL, &err);
    client_close(&client);
    if (rc == 0)
        return EXIT_OK;
    return err.code == ERR_UNAVAILABLE ? see_end(self, &err)
                                       : refused(self->cli, &err);
}

/* As Ctrl-C there does; see signals.h. */
static int
interrupt(const struct cancel *self, pid_t process)
{
    if (self->task)
        return cli_usage(self->cli,
                         "run %" PRIu64 " is carried out by process %ld, "
                         "which ends all of it or nothing: cancel the run",
                         self->run, (long)process);
    if (kill(process, self->now ? SIGUSR1 : SIGTERM) < 0)
        return cli_fail(self->cli, errno == EPERM ? EXIT_DENIED : EXIT_FAILED,
                        "can't end process %ld, which carries out run %" PRIu64
                        ": %s",
                        (long)process, self->run, strerror(errno));
    return EXIT_OK;
}

static int
end_here(const struct cancel *self)
{
    pid_t process = store_run_process(runs_store(self->runs), self->run);
    struct store_run info = {0};
    const char *cluster;
    struct err err;
    int code;

    if (runs_get(self->runs, self->run, false, &info, &err) < 0)
        return cli_error(self->cli, &err);
    cluster = store_run_cluster(&info);
    if (info.state != STORE_RUNNING)
        code = has_ended(self, info.state);
    else if (process > 0)
        code = interrupt(self, process);
    else if (cluster)
        code = ask_cluster(self, cluster);
    else
        code = cli_fail(self->cli, EXIT_FAILED,
                        "run %" PRIu64 " is a broker's: name it with --broker "
                        "ADDRESS",
                        self->run);
    store_run_release(&info);
    return code;
}

static int
cancel(struct cancel *self, const char *word)
{
    struct client *client = runs_client(self->runs);
    char *name = run_of(word, &self->task);
    const char *task = self->task;
    struct err err;
    int code;

    if (task && (task[0] == '\0' || task[0] == ':'))
        code = cli_usage(self->cli,
                         "%s: what can be cancelled is RUN, RUN/TASK or "
                         "RUN/TASK[KEY]",
                         word);
    else if (runs_find(self->runs, name, &self->run, &err) < 0)
        code = cli_error(self->cli, &err);
    else
        code = client ? ask(self, client) : end_here(self);
    free(name);
    return code;
}

int
cmd_cancel(struct cli *cli, const struct args *args)
{
    struct cancel self = {.cli = cli, .now = args_has(args, OPT_NOW)};
    int code = which_open(cli, STORE_READ, &self.runs);

    if (code != EXIT_OK)
        return code;
    for (size_t i = 0; i < args->nword; i++) {
        int one = cancel(&self, args->words[i]);

        code = code == EXIT_OK ? one : code;
        if (one == EXIT_OK && !args_has(args, OPT_QUIET))
            (void)cli_fail(cli, 0, "%s%s%srun %" PRIu64 " is being %s",
                           self.task ? "`" : "", self.task ? self.task : "",
                           self.task ? "` of " : "", self.run,
                           self.now ? "killed" : "cancelled");
    }
    runs_close(&self.runs);
    return code;
}
