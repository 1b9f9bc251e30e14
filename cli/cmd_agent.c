/* SPDX-License-Identifier: MPL-2.0 */
/* Agents on other hosts: started, stopped and listed through ssh. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/span.h"
#include "cli/cli.h"
#include "cli/hosts.h"
#include "cli/there.h"
#include "cli/there_script.h"
#include "cli/which.h"
#include "lib/cluster.h"

#define CHUNK    65536              /* bytes of the program read at once */
#define PATIENCE (60 * SPAN_SECOND) /* with a host that says nothing */

struct agents {
    const struct cli *cli;
    const struct args *args;
    const char *broker;
    struct hosts names;
    struct host *hosts; /* in the same order */
    /* Of one script: not for hosts on which the one before has failed. */
    struct remote_host *remotes;
    struct host **asked;
    bool copying; /* a step on the way: only what fails is told */
};

/* ---- one script on the hosts ---- */

static void
on_done(void *ctx, struct remote_host *remote)
{
    struct agents *self = ctx;
    struct host *host = self->asked[remote - self->remotes];
    struct buf line = {0};

    there_read(host, remote);
    remote_host_release(remote);
    if (args_has(self->args, OPT_JSON) ||
        (self->copying && host->there == THERE_COPIED))
        return;
    there_put(host, &line);
    (void)cli_print(self->cli, &line, EXIT_OK);
    buf_release(&line);
}

static int
run_script(struct agents *self, const char *shell, const struct buf *input)
{
    struct remote_script script = {
        .ssh = getenv("LEAT_SSH"),
        .shell = shell,
        .input = buf_str(input),
        .ninput = input->len,
        .timeout = PATIENCE,
    };
    struct err err;
    size_t n = 0;

    for (size_t i = 0; i < self->names.n; i++) {
        if (!there_is_well(self->hosts[i].there))
            continue;
        self->remotes[n] = (struct remote_host){.name = self->hosts[i].name};
        self->asked[n++] = &self->hosts[i];
    }
    if (remote_run(self->remotes, n, &script, on_done, self, &err) < 0)
        return cli_error(self->cli, &err);
    return EXIT_OK;
}

/* ---- start ---- */

/* The agent's own command line there, quoted. */
static void
put_words(const struct agents *self, struct buf *out)
{
    static const enum opt passed[] = {OPT_SLOTS, OPT_LABEL, OPT_RESOURCE};
    const struct args *args = self->args;

    which_quote(out, self->broker);
    if (args_has(args, OPT_INSECURE) || self->cli->config.insecure)
        buf_text(out, " --insecure");
    for (size_t i = 0; i < args->n; i++) {
        for (size_t k = 0; k < sizeof passed / sizeof passed[0]; k++) {
            if (args->list[i].opt != passed[k] || !args->list[i].text)
                continue; /* -j alone: as many as there are cores */
            buf_printf(out, " --%s ", opt_specs[passed[k]].name);
            which_quote(out, args->list[i].text);
        }
    }
}

static int
read_program(const struct cli *cli, struct buf *out)
{
    char *path = NULL;
    ssize_t n = -1;
    struct err err;
    int fd;

    if (cluster_program(&path, "leat-agent", &err) < 0)
        return cli_error(cli, &err);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && (n = read(fd, buf_reserve(out, CHUNK), CHUNK)) > 0)
        buf_added(out, (size_t)n);
    if (n < 0)
        (void)cli_fail(cli, EXIT_NOT_FOUND, "can't read %s: %s", path,
                       strerror(errno));
    if (fd >= 0)
        (void)close(fd);
    free(path);
    return n < 0 ? EXIT_NOT_FOUND : EXIT_OK;
}

/* Bring the agent's program to the hosts that have none. */
static int
copy(struct agents *self)
{
    struct buf program = {0};
    struct buf shell = {0};
    int code = read_program(self->cli, &program);

    if (code == EXIT_OK) {
        there_script_copy(&shell);
        self->copying = true;
        code = run_script(self, buf_str(&shell), &program);
        self->copying = false;
    }
    buf_release(&shell);
    buf_release(&program);
    return code;
}

static int
start(struct agents *self)
{
    struct buf script = {0};
    struct buf words = {0};
    int code = EXIT_OK;

    if (strncmp(self->broker, "ipc://", 6) == 0)
        return cli_usage(self->cli,
                         "agents on other hosts can't reach a broker at %s: "
                         "its address must be tcp://HOST",
                         self->broker);
    if (args_has(self->args, OPT_COPY))
        code = copy(self);
    if (code == EXIT_OK) {
        put_words(self, &words);
        there_script_start(&script, self->broker, buf_str(&words));
        code = run_script(self, "sh -s", &script);
    }
    buf_release(&words);
    buf_release(&script);
    return code;
}

/* ---- stop and ls ---- */

static int
stop(struct agents *self)
{
    struct buf script = {0};
    int code;

    there_script_stop(&script, self->broker);
    code = run_script(self, "sh -s", &script);
    buf_release(&script);
    return code;
}

static int
list(struct agents *self)
{
    struct buf script = {0};
    int code;

    there_script_ls(&script, self->broker);
    code = run_script(self, "sh -s", &script);
    buf_release(&script);
    return code;
}

/* ---- what came of it ---- */

/* What is known of hosts from now on, for ls and stop without any. */
static int
remember(const struct agents *self)
{
    bool *up = mem_alloc(self->names.n, sizeof *up);
    struct hosts known = {0};
    struct err err;
    int rc = 0;

    for (size_t i = 0; i < self->names.n && rc == 0; i++) {
        const struct host *host = &self->hosts[i];

        /* Of a host that was not reached nothing new is known. */
        if (!there_is_up(host->there) && !there_is_well(host->there))
            continue;
        up[known.n] = there_is_up(host->there);
        rc = hosts_add(&known, host->name, &err);
    }
    if (rc == 0)
        rc = hosts_remember(self->broker, &known, up, &err);
    hosts_release(&known);
    free(up);
    return rc == 0 ? EXIT_OK : cli_error(self->cli, &err);
}

static json_t *
to_json(const struct agents *self)
{
    json_t *hosts = json_array();

    for (size_t i = 0; i < self->names.n; i++)
        json_array_append_new(hosts, there_to_json(&self->hosts[i]));
    return json_pack("{s:s, s:s, s:o}", "schema", "leat.hosts/1", "broker",
                     self->broker, "hosts", hosts);
}

static int
conclude(const struct agents *self)
{
    int code = remember(self);

    for (size_t i = 0; i < self->names.n && code == EXIT_OK; i++) {
        if (!there_is_well(self->hosts[i].there))
            code = EXIT_FAILED;
    }
    if (args_has(self->args, OPT_JSON))
        return cli_print_json(self->cli, to_json(self), code);
    return code;
}

/* ---- the command ---- */

static const struct verb {
    const char *name;
    int (*run)(struct agents *self);
    bool needs_hosts;
} verbs[] = {
    {"start", start, true},
    {"stop", stop, false},
    {"ls", list, false},
};

static const struct verb *
find_verb(const char *name)
{
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    }
    return NULL;
}

static int
gather_hosts(struct agents *self, bool needed)
{
    const struct args *args = self->args;
    struct err err;

    for (size_t i = 1; i < args->nword; i++) {
        if (hosts_add(&self->names, args->words[i], &err) < 0)
            return cli_error(self->cli, &err);
    }
    if (args_has(args, OPT_HOSTS) &&
        hosts_read(&self->names, args_text(args, OPT_HOSTS), &err) < 0)
        return cli_error(self->cli, &err);
    if (self->names.n > 0)
        return EXIT_OK;
    if (needed)
        return cli_usage(self->cli, "which hosts? HOST... or --hosts-file");
    if (!args_has(args, OPT_HOSTS))
        hosts_recall(&self->names, self->broker);
    return EXIT_OK;
}

static int
run_verb(struct agents *self, const struct verb *verb)
{
    size_t n = self->names.n;
    int code;

    self->hosts = mem_alloc(n, sizeof *self->hosts);
    self->remotes = mem_alloc(n, sizeof *self->remotes);
    self->asked = mem_alloc(n, sizeof(struct host *));
    for (size_t i = 0; i < n; i++)
        self->hosts[i].name = self->names.list[i];
    code = verb->run(self);
    if (code == EXIT_OK)
        code = conclude(self);
    for (size_t i = 0; i < n; i++)
        there_release(&self->hosts[i]);
    free(self->asked);
    free(self->remotes);
    free(self->hosts);
    return code;
}

int
cmd_agent(struct cli *cli, const struct args *args)
{
    struct agents self = {.cli = cli, .args = args};
    const struct verb *verb = find_verb(args->words[0]);
    int code;

    if (!verb)
        return cli_usage(cli,
                         "start, stop or ls, not \"%s\"; an agent of this "
                         "machine is leat-agent ADDRESS",
                         args->words[0]);
    self.broker = cli->config.broker;
    if (!self.broker)
        return cli_usage(cli, "needs a broker: name one with --broker "
                              "ADDRESS, LEAT_BROKER or in config.yaml");
    code = gather_hosts(&self, verb->needs_hosts);
    if (code == EXIT_OK)
        code = run_verb(&self, verb);
    hosts_release(&self.names);
    return code;
}
