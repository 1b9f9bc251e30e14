/* SPDX-License-Identifier: MPL-2.0 */
#include "cli/carry.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/span.h"
#include "base/utf8.h"
#include "cli/json.h"
#include "cli/machine.h"
#include "cli/remote.h"
#include "cli/report.h"
#include "cli/signals.h"
#include "cli/watch.h"
#include "flow/value.h"
#include "lib/api.h"
#include "lib/local.h"

/* A run on its way. */
struct carrying {
    const struct carry *carry;
    struct cli cli;      /* its terms are duplicates: see local_watch */
    struct store *store; /* NULL: not kept, or a broker's */
    struct remote remote;
    struct store_run info;
    json_t *env; /* that is passed on, by name; or NULL */
    struct machine machine;
    struct watch watch;
    struct local_result result;
    bool has_result;
    int64_t elapsed;
    int signal; /* that ended it, or 0 */
};

int
carry_exit(enum store_run_state state, bool timed_out)
{
    static const int exits[STORE_RUN_STATE_COUNT] = {
        [STORE_RUNNING] = EXIT_FAILED, [STORE_SUCCEEDED] = EXIT_OK,
        [STORE_FAILED] = EXIT_FAILED,  [STORE_CANCELLED] = EXIT_CANCELLED,
        [STORE_PAUSED] = EXIT_FAILED,  [STORE_INTERRUPTED] = EXIT_FAILED,
    };

    return timed_out ? EXIT_TIMED_OUT : exits[state];
}

/* ---- before ---- */

static int
check_environment(const struct cli *cli, const struct args *args)
{
    for (size_t i = 0; i < args->n; i++) {
        const char *text = args->list[i].text;
        const char *value;

        if (args->list[i].opt != OPT_ENV)
            continue;
        if (text[0] == '=' || text[0] == '\0')
            return cli_usage(cli, "--env wants NAME or NAME=VALUE, not \"%s\"",
                             text);
        value = strchr(text, '=');
        if (!value)
            value = getenv(text);
        if (!value)
            return cli_usage(cli, "--env %s: there is no such variable here",
                             text);
        if (utf8_valid(value, strlen(value)) != strlen(value))
            return cli_usage(cli, "--env %.*s: its value is not UTF-8 text",
                             (int)strcspn(text, "="), text);
    }
    return EXIT_OK;
}

/* What --env passes on, by name; NULL: nothing. */
static json_t *
read_environment(const struct args *args)
{
    json_t *env = json_object();

    for (size_t i = 0; i < args->n; i++) {
        const char *text = args->list[i].text;
        size_t n;

        if (args->list[i].opt != OPT_ENV)
            continue;
        n = strcspn(text, "=");
        json_object_setn_new(
            env, text, n,
            json_string(text[n] == '=' ? text + n + 1 : getenv(text)));
    }
    if (json_object_size(env) > 0)
        return env;
    json_decref(env);
    return NULL;
}

/* Our own is that of tasks here, and of a cluster of our own. */
static void
set_environment(json_t *env)
{
    const char *name;
    json_t *value;

    json_object_foreach(env, name, value)
        (void)setenv(name, json_string_value(value), 1);
}

/* What the run had passed on before, too, if that is in our store. */
static int
forward(struct carrying *self)
{
    const struct carry *carry = self->carry;
    json_t *before = NULL;
    struct err err;

    self->env = read_environment(carry->args);
    if (carry->resume && self->store) {
        if (store_run_env(self->store, carry->resume->info.id, &before, &err) <
            0)
            return cli_error(carry->cli, &err);
        set_environment(before);
        if (self->env)
            (void)json_object_update_missing(self->env, before);
        json_decref(before);
    }
    set_environment(self->env);
    return EXIT_OK;
}

static void
describe(struct carrying *self)
{
    const struct flow *flow = self->carry->input->flow;
    struct store_run *info = &self->info;

    info->flow = mem_dup(flow->name);
    info->name = mem_dup(args_text(self->carry->args, OPT_NAME));
    info->file = mem_dup(flow->file);
    info->params = json_incref(self->carry->input->params);
    info->options = json_object();
    info->env = json_incref(self->env);
    info->cwd = getcwd(NULL, 0);
    info->started = span_wall();
    info->sessions = 1;
    if (self->cli.build) {
        free(info->file);
        info->file = mem_dup(self->cli.name);
        info->program = realpath("/proc/self/exe", NULL);
        info->source = flow_to_text(flow);
        info->source_len = strlen(info->source);
    } else {
        info->source =
            mem_text(flow->source ? flow->source : "", flow->source_len);
        info->source_len = flow->source_len;
    }
}

static int
duplicate(const struct cli *cli, struct term *term)
{
    term->fd = fcntl(term->fd, F_DUPFD_CLOEXEC, 3);
    if (term->fd >= 0)
        return EXIT_OK;
    return cli_fail(cli, EXIT_UNREACHABLE,
                    "standard output or error is closed");
}

static int
open_store(struct carrying *self)
{
    const struct cli *cli = self->carry->cli;
    struct err err;

    if (args_has(self->carry->args, OPT_NO_STORE) ||
        store_open(&self->store, cli->config.store, STORE_WRITE, &err) == 0)
        return EXIT_OK;
    return cli_fail(cli, EXIT_UNREACHABLE, "%s%s", err.msg,
                    self->carry->resume ? ""
                                        : "\n--no-store runs without keeping "
                                          "anything");
}

static int
prepare(struct carrying *self)
{
    const struct carry *carry = self->carry;
    int code = check_environment(carry->cli, carry->args);

    if (code == EXIT_OK)
        code = machine_read(&self->machine, carry->cli, carry->args);
    if (code == EXIT_OK)
        code = duplicate(carry->cli, &self->cli.err);
    if (code == EXIT_OK)
        code = duplicate(carry->cli, &self->cli.out);
    if (code == EXIT_OK && self->remote.place == REMOTE_NOT)
        code = open_store(self);
    if (code == EXIT_OK)
        code = forward(self);
    if (code != EXIT_OK)
        return code;
    if (!carry->resume)
        describe(self);
    self->watch = (struct watch){
        .cli = &self->cli,
        .flow = carry->input->flow,
        .quiet = args_has(carry->args, OPT_QUIET),
        .verbose = args_has(carry->args, OPT_VERBOSE),
        .results = carry->results,
        .tag = carry->tag,
        .many = self->remote.place != REMOTE_NOT,
    };
    watch_init(&self->watch);
    return EXIT_OK;
}

/* ---- after ---- */

static int
print_output(const struct carrying *self)
{
    const json_t *output = self->result.output;
    struct buf out = {0};
    int code;

    if (!self->carry->input->flow->output || !output)
        return EXIT_OK;
    if (json_is_string(output))
        value_text(output, &out);
    else
        value_json(output, &out);
    buf_char(&out, '\n');
    code = cli_print(&self->cli, &out, EXIT_OK);
    buf_release(&out);
    return code;
}

static int
print_json(struct carrying *self, int code)
{
    struct history *history = NULL;
    struct err err;
    int rc;

    if (!self->store && !self->remote.runs) {
        self->info.state = self->result.state;
        self->info.output = json_incref(self->result.output);
        if (self->result.problem)
            json_object_set_new(self->info.options, "problem",
                                json_of_text(self->result.problem,
                                             strlen(self->result.problem)));
        self->info.ended = span_wall();
        return cli_print_json(&self->cli,
                              json_of_run(self->result.run, &self->info), code);
    }
    if (self->store)
        rc = history_load(&history, self->store, self->result.id, &err);
    else
        rc = runs_history(self->remote.runs, self->result.id, &history, &err);
    if (rc < 0)
        return cli_error(&self->cli, &err);
    code = cli_print_json(&self->cli, json_of_history(history), code);
    history_destroy(&history);
    return code;
}

static void
prune(const struct carrying *self)
{
    const struct config *config = &self->cli.config;
    size_t removed = 0;
    struct err err;

    if (store_prune(self->store, config->keep, config->max_age, &removed,
                    &err) < 0)
        (void)cli_fail(&self->cli, 0, "old runs were not removed: %s", err.msg);
}

static int
exit_of(const struct carrying *self)
{
    if (!self->result.timed_out && self->result.interrupts > 0)
        return EXIT_SIGNAL + self->signal;
    return carry_exit(self->result.state, self->result.timed_out);
}

static int
conclude(struct carrying *self)
{
    struct buf out = {0};
    int code = exit_of(self);

    report_put(&self->watch, &self->result, self->elapsed, &out);
    (void)term_write(&self->cli.err, &out);
    buf_release(&out);
    if (args_has(self->carry->args, OPT_JSON)) {
        code = print_json(self, code);
    } else if (code == EXIT_OK) {
        code = print_output(self);
    }
    if (self->store)
        prune(self);
    return code;
}

/* The store failed on the way: what it has is safe. */
static int
give_up(struct carrying *self, const struct err *err)
{
    int code = cli_error(&self->cli, err);

    if (self->has_result && self->result.id > 0)
        (void)cli_fail(&self->cli, code,
                       "run %" PRIu64 " was interrupted by this; go on with: "
                       "%s retry %" PRIu64 "%s",
                       self->result.id, self->cli.name, self->result.id,
                       buf_str(&self->cli.place));
    return code;
}

/* ---- the run ---- */

/* All that can't run here is told before anything does. */
static int
check_machine(const struct carrying *self, const struct local_request *request)
{
    const struct flow *flow = request->flow;
    struct diags diags = {
        .file = flow->file ? flow->file : self->cli.name,
        .text = flow->source,
        .len = flow->source_len,
    };
    struct buf out = {0};
    int code = EXIT_OK;

    /* What a broker has taken once it can go on with: it has the program. */
    if (!(request->elsewhere && request->resume))
        local_check(request, &diags);
    if (diags.n > 0) {
        code = EXIT_IMPOSSIBLE;
        diags_print(&diags, &out, self->cli.err.colour);
        (void)term_write(&self->cli.err, &out);
    }
    diags_release(&diags);
    buf_release(&out);
    return code;
}

static int
carry_here(struct carrying *self, const struct local_request *request)
{
    struct err err;
    int64_t started = span_mono();
    int rc = local_run(request, &self->result, &err);

    self->has_result = rc == 0 || self->result.run;
    self->elapsed = span_mono() - started;
    watch_end(&self->watch);
    self->signal = signals_first();
    return rc < 0 ? give_up(self, &err) : conclude(self);
}

/* The run goes on without us, or will when its broker is there again. */
static int
lose(const struct carrying *self, const struct err *err)
{
    int code = cli_error(&self->cli, err);
    uint64_t run = self->remote.run;

    if (run > 0 && self->remote.place == REMOTE_BROKER)
        (void)cli_fail(&self->cli, code,
                       "run %" PRIu64 " is the broker's; see how it goes on "
                       "with: %s watch %" PRIu64 "%s",
                       run, self->cli.name, run, buf_str(&self->cli.place));
    else if (run > 0 && !args_has(self->carry->args, OPT_NO_STORE))
        (void)cli_fail(&self->cli, code,
                       "run %" PRIu64 " was interrupted by this; go on with: "
                       "%s retry %" PRIu64 "%s",
                       run, self->cli.name, run, buf_str(&self->cli.place));
    return code;
}

/* As the broker has it by now. */
static int
print_begun(const struct carrying *self)
{
    struct history *history = NULL;
    struct err err;
    int code;

    if (runs_history(self->remote.runs, self->remote.run, &history, &err) < 0)
        return cli_error(&self->cli, &err);
    code = cli_print_json(&self->cli, json_of_history(history), EXIT_OK);
    history_destroy(&history);
    return code;
}

static int
print_number(const struct carrying *self)
{
    struct buf out = {0};
    int code;

    if (args_has(self->carry->args, OPT_JSON))
        return print_begun(self);

    buf_printf(&out, "%" PRIu64 "\n", self->remote.run);
    code = cli_print(&self->cli, &out, EXIT_OK);
    buf_release(&out);
    return code;
}

/* What was kept is in the store of local runs: that is ours again. */
static int
take_back(struct carrying *self)
{
    if (self->remote.place != REMOTE_SLOTS)
        return EXIT_OK;
    if (args_has(self->carry->args, OPT_NO_STORE))
        self->result.id = 0;
    remote_leave(&self->remote);
    return open_store(self);
}

static int
follow(struct carrying *self, const struct local_request *request)
{
    bool quiet = self->watch.quiet && !self->watch.results;
    int64_t started = span_mono();
    struct err err;
    int rc, code;

    rc = remote_follow(&self->remote, request, quiet, &self->result, &err);
    self->has_result = rc == 0 || self->result.run;
    self->elapsed = span_mono() - started;
    watch_end(&self->watch);
    self->signal = signals_first();
    if (rc < 0)
        return lose(self, &err);
    code = take_back(self);
    return code == EXIT_OK ? conclude(self) : code;
}

static int
carry_remotely(struct carrying *self, const struct local_request *request)
{
    struct err err;
    int code = remote_open(&self->remote, request);

    if (code != EXIT_OK)
        return code;
    if (remote_begin(&self->remote, request, self->info.program, &err) < 0)
        return lose(self, &err);
    if (args_has(self->carry->args, OPT_DETACH))
        return print_number(self);
    return follow(self, request);
}

static int
run(struct carrying *self)
{
    const struct carry *carry = self->carry;
    leat_flow *program = carry->input->program;
    struct local_watch calls = watch_calls(&self->watch);
    struct local_request request = {
        .flow = carry->input->flow,
        .params = carry->input->params,
        .store = self->store,
        .info = &self->info,
        .resume = carry->resume,
        .from = carry->from,
        .env = self->env,
        .watch = &calls,
        .handle = program && api_has_handlers(program) ? api_handle : NULL,
        .handle_ctx = program,
        .resources = self->machine.resources,
        .nresource = self->machine.nresource,
        .labels = (const char *const *)self->machine.labels,
        .nlabel = self->machine.nlabel,
        .elsewhere = self->remote.place == REMOTE_BROKER,
        .timeout = args_number(carry->args, OPT_TIMEOUT, 0),
        .no_cache = args_has(carry->args, OPT_NO_CACHE),
        .settled = !carry->input->program,
    };
    struct err err;
    int code = remote_check(&self->remote, &request);

    if (self->remote.place == REMOTE_SLOTS)
        request.slots = remote_slots(carry->args);
    if (code == EXIT_OK)
        code = check_machine(self, &request);
    if (code != EXIT_OK)
        return code;
    if (signals_begin(&self->cli.err, &request.interrupt_fd, &err) < 0)
        return cli_error(&self->cli, &err);
    code = self->remote.place == REMOTE_NOT ? carry_here(self, &request)
                                            : carry_remotely(self, &request);
    remote_close(&self->remote);
    signals_end();
    return code;
}

int
carry_out(const struct carry *self)
{
    struct carrying all = {.carry = self, .cli = *self->cli};
    int code;

    all.cli.err.fd = STDERR_FILENO;
    all.cli.out.fd = STDOUT_FILENO;
    all.remote = (struct remote){.cli = &all.cli,
                                 .args = self->args,
                                 .place = remote_place(self->cli, self->args),
                                 .watch = &all.watch};
    code = prepare(&all);
    if (code == EXIT_OK)
        code = run(&all);
    if (all.watch.maps)
        watch_release(&all.watch);
    if (all.has_result)
        local_result_release(&all.result);
    if (all.cli.err.fd > STDERR_FILENO)
        (void)close(all.cli.err.fd);
    if (all.cli.out.fd > STDERR_FILENO)
        (void)close(all.cli.out.fd);
    machine_release(&all.machine);
    store_run_release(&all.info);
    json_decref(all.env);
    store_close(&all.store);
    return code;
}
