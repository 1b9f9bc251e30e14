/* SPDX-License-Identifier: MPL-2.0 */
#include <string.h>

#include "cli/cli.h"

#define COLUMN 26 /* where the help of an option begins */

/*
 * What the table says of leat, said of a program that is a flow itself: it
 * takes no flow file.
 */
static void
put_usage(const struct cli *self, const struct command *command,
          struct buf *out)
{
    const char *usage = command->usage;
    size_t flow = strlen("FLOW");

    if (self->build && command->takes_flow &&
        strncmp(usage, "FLOW", flow) == 0) {
        usage += flow;
        if (strncmp(usage, "|RUN", 4) == 0) {
            buf_text(out, " [RUN]");
            usage += 4;
        }
        usage += strspn(usage, ". ");
    }
    if (usage[0] != '\0')
        buf_printf(out, " %s", usage);
    buf_text(out, " [OPTION]...\n");
}

static void
put_example(const struct cli *self, const char *line, size_t n, struct buf *out)
{
    static const char file[] = ".yaml";

    buf_text(out, "  ");
    for (size_t i = 0; i < n; i++) {
        if (line[i] == '@') {
            buf_text(out, self->name);
            continue;
        }
        buf_char(out, line[i]);
        if (!self->build || out->len < sizeof file - 1 ||
            memcmp(out->data + out->len - (sizeof file - 1), file,
                   sizeof file - 1) != 0)
            continue;
        while (out->data[out->len - 1] != ' ')
            out->data[--out->len] = '\0';
        out->data[--out->len] = '\0';
    }
    buf_char(out, '\n');
}

static void
put_examples(const struct cli *self, const char *examples, struct buf *out)
{
    buf_text(out, strchr(examples, '\n')[1] ? "\nExamples:\n" : "\nExample:\n");
    while (*examples) {
        size_t n = strcspn(examples, "\n");

        put_example(self, examples, n, out);
        examples += n + 1;
    }
}

static void
put_option(const struct opt_spec *spec, struct buf *out)
{
    size_t from = out->len;

    if (spec->letter)
        buf_printf(out, "  -%c, --%s", spec->letter, spec->name);
    else
        buf_printf(out, "      --%s", spec->name);
    if (spec->value)
        buf_printf(out, spec->kind == KIND_MAYBE ? " [%s]" : " %s",
                   spec->value);
    if (out->len - from >= COLUMN) {
        buf_char(out, '\n');
        from = out->len;
    }
    term_pad(out, out->len - from, COLUMN);
    buf_printf(out, "%s\n", spec->help);
}

/* What is in force, for those that use a store. */
static void
put_settings(const struct cli *self, const struct command *command,
             struct buf *out)
{
    for (size_t i = 0; command->options[i] != OPT_COUNT; i++) {
        if (command->options[i] == OPT_BROKER && self->config.broker) {
            buf_text(out, "\nThe broker is ");
            term_put(&self->out, out, STYLE_PLAIN, self->config.broker);
            buf_printf(out, " (%s).\n",
                       config_broker_origin(self->config.broker_from));
        }
        if (command->options[i] != OPT_STORE)
            continue;
        buf_text(out, "\nThe store is ");
        term_put(&self->out, out, STYLE_PLAIN, self->config.store);
        buf_printf(out, " (%s).\n",
                   config_origin_name(self->config.store_from));
    }
}

static void
help_command(const struct cli *self, const struct command *command,
             struct buf *out)
{
    buf_printf(out, "Usage: %s %s", self->name, command->name);
    put_usage(self, command, out);
    buf_printf(out, "\n%c%s.\n", command->summary[0] - 'a' + 'A',
               command->summary + 1);
    if (command->flow && !self->build)
        buf_printf(out, "%s\n", command->flow);
    if (command->more)
        buf_printf(out, "%s\n", command->more);
    buf_text(out, "\nOptions:\n");
    for (size_t i = 0; command->options[i] != OPT_COUNT; i++)
        put_option(&opt_specs[command->options[i]], out);
    put_settings(self, command, out);
    put_examples(self, command->examples, out);
}

void
cli_help(const struct cli *self, const struct command *command, struct buf *out)
{
    if (command) {
        help_command(self, command, out);
        return;
    }
    buf_printf(out, "Usage: %s COMMAND [ARGUMENT]...\n\n", self->name);
    buf_text(out, self->build
                      ? "This program is a flow; its tasks are C functions.\n"
                      : "Run flows: graphs of tasks with parameters.\n");
    buf_text(out, "\nCommands:\n");
    for (size_t i = 0; i < cli_ncommand; i++) {
        if (cli_find(self, cli_commands[i].name))
            buf_printf(out, "  %-12s%s\n", cli_commands[i].name,
                       cli_commands[i].summary);
    }
    buf_printf(out, "\n\"%s COMMAND --help\" says more.\n", self->name);
}
