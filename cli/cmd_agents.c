/* SPDX-License-Identifier: MPL-2.0 */
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/span.h"
#include "base/utf8.h"
#include "cli/which.h"

#define LOOK_MS 50 /* between looks, with --wait */

static const char *
text_of(const json_t *agent, const char *key)
{
    const char *text = json_string_value(json_object_get(agent, key));

    return text ? text : "";
}

static json_int_t
number_of(const json_t *agent, const char *key)
{
    return json_integer_value(json_object_get(agent, key));
}

static size_t
ready(const json_t *agents)
{
    size_t n = 0;

    for (size_t i = 0; i < json_array_size(agents); i++)
        n += strcmp(text_of(json_array_get(agents, i), "state"), "up") == 0;
    return n;
}

/* ---- the table ---- */

static void
put_agent(const struct cli *cli, const json_t *agent, size_t column,
          struct buf *out)
{
    const char *name = text_of(agent, "name");
    const char *state = text_of(agent, "state");
    const char *aside = text_of(agent, "aside");

    term_put(&cli->out, out, STYLE_BOLD, name);
    term_pad(out, utf8_width(name, strlen(name)), column + 2);
    term_put(&cli->out, out,
             strcmp(state, "up") == 0 ? STYLE_GREEN : STYLE_YELLOW, state);
    term_pad(out, strlen(state), strlen("draining") + 2);
    buf_printf(out,
               "%5" JSON_INTEGER_FORMAT "  %7" JSON_INTEGER_FORMAT
               "  %6" JSON_INTEGER_FORMAT "  %8" JSON_INTEGER_FORMAT "  ",
               number_of(agent, "slots"), number_of(agent, "running"),
               number_of(agent, "queued"), number_of(agent, "finished"));
    term_put(&cli->out, out, STYLE_PLAIN, text_of(agent, "host"));
    if (aside[0] != '\0') {
        buf_text(out, "  ");
        term_put(&cli->out, out, STYLE_PLAIN, aside);
    }
    buf_char(out, '\n');
}

static void
put_table(const struct cli *cli, const json_t *agents, bool quiet,
          struct buf *out)
{
    size_t column = strlen("AGENT");

    for (size_t i = 0; i < json_array_size(agents); i++) {
        const char *name = text_of(json_array_get(agents, i), "name");
        size_t width = utf8_width(name, strlen(name));

        column = width > column ? width : column;
    }
    if (!quiet && json_array_size(agents) > 0) {
        buf_text(out, "AGENT");
        term_pad(out, strlen("AGENT"), column + 2);
        buf_text(out, "STATE     SLOTS  RUNNING  QUEUED  FINISHED  HOST\n");
    }
    for (size_t i = 0; i < json_array_size(agents); i++) {
        const json_t *agent = json_array_get(agents, i);

        if (!quiet) {
            put_agent(cli, agent, column, out);
            continue;
        }
        term_put(&cli->out, out, STYLE_PLAIN, text_of(agent, "name"));
        buf_char(out, '\n');
    }
}

/* ---- waiting ---- */

struct asking {
    const struct cli *cli;
    struct client *client; /* NULL: the broker is not there, or no more */
    bool told;             /* that it is waited for */
};

/* The list as it is now. */
static int
ask_once(struct asking *self, json_t **ret, struct err *err)
{
    if (!self->client &&
        client_open(&self->client, self->cli->config.broker, err) < 0)
        return -1;
    if (client_ask(self->client, ASK_AGENTS, 0, NULL, 0, ret, NULL, err) == 0)
        return 0;
    client_close(&self->client);
    return -1;
}

/* A broker that is not up yet is worth waiting for, if one waits at all. */
static int
tell_away(struct asking *self, bool waits, const struct err *err)
{
    if (!waits || err->code != ERR_UNAVAILABLE)
        return cli_error(self->cli, err);
    if (!self->told)
        (void)cli_fail(self->cli, 0, "%s; waiting for it", err->msg);
    self->told = true;
    return EXIT_OK;
}

/* The list, once as many are ready as are wanted. */
static int
ask(struct asking *self, const struct args *args, json_t **ret)
{
    int64_t wanted = args_number(args, OPT_WAIT, 0);
    int64_t end = args_has(args, OPT_TIMEOUT)
                      ? span_mono() + args_number(args, OPT_TIMEOUT, 0)
                      : SPAN_NEVER;
    struct err err;

    for (;;) {
        int rc = ask_once(self, ret, &err);
        bool late = span_mono() >= end;
        size_t n = rc == 0 ? ready(*ret) : 0;
        int code = EXIT_OK;

        if (rc == 0 && (int64_t)n >= wanted)
            return EXIT_OK;
        if (rc < 0)
            code = tell_away(self, wanted > 0 && !late, &err);
        else if (late)
            code =
                cli_fail(self->cli, EXIT_TIMED_OUT,
                         "only %zu of %" PRId64 " agents are ready", n, wanted);
        if (code != EXIT_OK)
            return code;
        json_decref(*ret);
        *ret = NULL;
        (void)poll(NULL, 0, LOOK_MS);
    }
}

/* Every agent has every field. */
static void
complete(json_t *agents)
{
    for (size_t i = 0; i < json_array_size(agents); i++) {
        json_t *agent = json_array_get(agents, i);

        if (!json_object_get(agent, "aside"))
            (void)json_object_set_new(agent, "aside", json_null());
    }
}

static int
print(const struct cli *cli, const struct args *args, json_t *agents)
{
    struct buf out = {0};
    int code;

    complete(agents);
    if (args_has(args, OPT_JSON))
        return cli_print_json(cli,
                              json_pack("{s:s, s:O}", "schema", "leat.agents/1",
                                        "agents", agents),
                              EXIT_OK);
    put_table(cli, agents, args_has(args, OPT_QUIET), &out);
    if (json_array_size(agents) == 0 && !args_has(args, OPT_QUIET))
        (void)cli_fail(cli, 0,
                       "the broker at %s has no agents: start one with "
                       "leat-agent",
                       cli->config.broker);
    code = cli_print(cli, &out, EXIT_OK);
    buf_release(&out);
    return code;
}

int
cmd_agents(struct cli *cli, const struct args *args)
{
    struct asking asking = {.cli = cli};
    json_t *agents = NULL;
    int code = which_needs_broker(cli);

    if (code == EXIT_OK)
        code = ask(&asking, args, &agents);
    if (code == EXIT_OK)
        code = print(cli, args, agents);
    json_decref(agents);
    client_close(&asking.client);
    return code;
}
