/* SPDX-License-Identifier: MPL-2.0 */
#include "cli/remote.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/span.h"
#include "proto/limits.h"

/* A standing broker that goes away is waited for so long: time to start it
 * again, or to move it. */
#define PATIENCE (300 * SPAN_SECOND)

enum remote_place
remote_place(const struct cli *cli, const struct args *args)
{
    if (args_has(args, OPT_SLOTS))
        return REMOTE_SLOTS;
    return cli->config.broker ? REMOTE_BROKER : REMOTE_NOT;
}

uint32_t
remote_slots(const struct args *args)
{
    int64_t n = args_number(args, OPT_SLOTS, 0);

    return n > 0 ? (uint32_t)n : cluster_cores();
}

/* ---- before ---- */

static int
check_slots(const struct remote *self)
{
    const struct arg *slots = args_find(self->args, OPT_SLOTS);

    if (slots && slots->text && slots->number > LIMIT_SLOTS)
        return cli_usage(self->cli, "-j wants a number from 1 to %u, not %s",
                         LIMIT_SLOTS, slots->text);
    return EXIT_OK;
}

/* Options that mean something only to who carries the run out. */
static int
check_options(const struct remote *self, const struct local_request *request)
{
    static const enum opt here[] = {OPT_LABEL, OPT_RESOURCE, OPT_NO_STORE};

    for (size_t i = 0; i < sizeof here / sizeof here[0]; i++) {
        if (self->place == REMOTE_BROKER && args_has(self->args, here[i]))
            return cli_usage(self->cli,
                             "--%s is about this machine; the run is for the "
                             "broker at %s (--local runs it here)",
                             opt_specs[here[i]].name, self->cli->config.broker);
    }
    if (request->resume && args_has(self->args, OPT_NO_CACHE))
        return cli_usage(self->cli, "--no-cache can't be changed when a broker "
                                    "goes on with a run");
    return EXIT_OK;
}

int
remote_check(const struct remote *self, const struct local_request *request)
{
    int code = check_slots(self);

    if (code == EXIT_OK && args_has(self->args, OPT_DETACH) &&
        self->place != REMOTE_BROKER)
        code = cli_usage(self->cli,
                         "--detach leaves the run to a broker%s: name one with "
                         "--broker",
                         self->place == REMOTE_SLOTS
                             ? ", and that of -j ends with this command"
                             : "");
    if (code == EXIT_OK && self->place != REMOTE_NOT)
        code = check_options(self, request);
    return code;
}

int
remote_open(struct remote *self, const struct local_request *request)
{
    bool kept = !args_has(self->args, OPT_NO_STORE);
    const char *address = self->cli->config.broker;
    struct client *client = NULL;
    struct err err;

    if (self->place == REMOTE_SLOTS) {
        if (cluster_start(&self->cluster, remote_slots(self->args),
                          kept ? self->cli->config.store : NULL, request,
                          &err) < 0)
            return cli_error(self->cli, &err);
        address = cluster_address(self->cluster);
    }
    if (client_open(&client, address, &err) < 0) {
        if (self->cluster)
            (void)cluster_check(self->cluster, &err);
        return cli_error(self->cli, &err);
    }
    self->runs = runs_of_broker(&client);
    return EXIT_OK;
}

/* ---- the run ---- */

static int
on_check(void *ctx, struct err *err)
{
    const struct remote *self = ctx;

    return self->cluster ? cluster_check(self->cluster, err) : 0;
}

int
remote_begin(struct remote *self, const struct local_request *request,
             const char *program, struct err *err)
{
    struct client *client = runs_client(self->runs);
    struct client_submit submit = {
        .request = request,
        .program = program,
        .program_travels = self->place == REMOTE_BROKER,
        .check = on_check,
        .ctx = self,
    };

    if (request->resume) {
        self->run = request->resume->info.id;
        return client_retry(client, request, err);
    }
    return client_submit(client, &submit, &self->run, err);
}

static void
on_lost(void *ctx, const char *text)
{
    const struct remote *self = ctx;

    watch_say(self->watch, text);
}

int
remote_follow(struct remote *self, const struct local_request *request,
              bool quiet, struct local_result *ret, struct err *err)
{
    struct client_follow follow = {
        .flow = request->flow,
        .params = request->params,
        .run = self->run,
        .resume = request->resume,
        .from = request->from,
        .watch = request->watch,
        .quiet = quiet,
        .leave = self->leave,
        .interrupt_fd = request->interrupt_fd,
        .patience = self->place == REMOTE_BROKER ? PATIENCE : 0,
        .lost = on_lost,
        .check = on_check,
        .ctx = self,
    };

    return client_follow(runs_client(self->runs), &follow, ret, err);
}

void
remote_leave(struct remote *self)
{
    runs_close(&self->runs);
    if (self->cluster)
        cluster_leave(self->cluster);
}

void
remote_close(struct remote *self)
{
    runs_close(&self->runs);
    cluster_stop(&self->cluster);
}
