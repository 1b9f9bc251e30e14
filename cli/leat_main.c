/* SPDX-License-Identifier: MPL-2.0 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/names.h"
#include "base/utf8.h"
#include "cli/cli.h"
#include "cli/input.h"
#include "cli/which.h"
#include "lib/api.h"
#include "lib/worker.h"
#include "proto/link.h"

static int
exit_of(enum err_code code)
{
    static const int exits[ERR_CODE_COUNT] = {
        [ERR_INVALID] = EXIT_INVALID,     [ERR_LIMIT] = EXIT_INVALID,
        [ERR_NOT_FOUND] = EXIT_NOT_FOUND, [ERR_UNAVAILABLE] = EXIT_UNREACHABLE,
        [ERR_DENIED] = EXIT_DENIED,       [ERR_IMPOSSIBLE] = EXIT_IMPOSSIBLE,
        [ERR_SYSTEM] = EXIT_UNREACHABLE,
    };

    return code > ERR_NONE && code < ERR_CODE_COUNT ? exits[code] : EXIT_BUG;
}

/* Newlines in a message are ours; all else from outside is escaped. */
static void
put_message(struct buf *out, const char *text)
{
    for (;;) {
        size_t n = strcspn(text, "\n");

        utf8_escape(out, text, n);
        buf_char(out, '\n');
        if (text[n] == '\0')
            return;
        text += n + 1;
    }
}

static void
say(const struct cli *self, const char *prefix, const char *text)
{
    struct buf out = {0};

    buf_printf(&out, "%s: ", prefix);
    put_message(&out, text);
    (void)term_write(&self->err, &out);
    buf_release(&out);
}

int
cli_fail(const struct cli *self, int code, const char *fmt, ...)
{
    char *text = NULL;
    va_list ap;

    va_start(ap, fmt);
    if (vasprintf(&text, fmt, ap) >= 0)
        say(self, self->name, text);
    va_end(ap);
    free(text);
    return code;
}

int
cli_error(const struct cli *self, const struct err *err)
{
    say(self, self->name, err->msg);
    return exit_of(err->code);
}

int
cli_usage(const struct cli *self, const char *fmt, ...)
{
    const char *command = self->command ? self->command->name : "";
    const char *space = self->command ? " " : "";
    char *prefix = mem_printf("%s%s%s", self->name, space, command);
    char *text = NULL;
    char *all;
    va_list ap;

    va_start(ap, fmt);
    if (vasprintf(&text, fmt, ap) < 0)
        text = NULL;
    va_end(ap);
    all = mem_printf("%s\nsee %s --help", text ? text : "wrong usage", prefix);
    say(self, prefix, all);
    free(all);
    free(text);
    free(prefix);
    return EXIT_USAGE;
}

int
cli_print(const struct cli *self, const struct buf *text, int code)
{
    if (term_write(&self->out, text) == 0)
        return code;
    return cli_fail(self, EXIT_UNREACHABLE,
                    "can't write to standard output: %s", strerror(errno));
}

int
cli_print_json(const struct cli *self, json_t *document, int code)
{
    char *text = json_dumps(document, JSON_INDENT(2) | JSON_ENCODE_ANY);
    struct buf out = {0};

    if (text) {
        buf_text(&out, text);
        buf_char(&out, '\n');
    }
    json_decref(document);
    free(text);
    code = cli_print(self, &out, code);
    buf_release(&out);
    return code;
}

const struct command *
cli_find(const struct cli *self, const char *name)
{
    for (size_t i = 0; i < cli_ncommand; i++) {
        if (strcmp(cli_commands[i].name, name) == 0 &&
            !(self->build && cli_commands[i].only_leat))
            return &cli_commands[i];
    }
    return NULL;
}

static int
unknown_command(const struct cli *self, const char *name)
{
    const char **names = mem_alloc(cli_ncommand, sizeof *names);
    const char *near;

    for (size_t i = 0; i < cli_ncommand; i++)
        names[i] = cli_commands[i].name;
    near = names_near(name, names, cli_ncommand);
    if (near)
        (void)cli_usage(self, "unknown command %s (did you mean %s?)", name,
                        near);
    else
        (void)cli_usage(self, "unknown command %s", name);
    free(names);
    return EXIT_USAGE;
}

static int
show_help(const struct cli *self, const struct command *command,
          const char *flow)
{
    struct input input = {0};
    struct buf out = {0};
    int code = EXIT_OK;

    cli_help(self, command, &out);
    if (command ? command->takes_flow && (flow || self->build)
                : self->build != NULL) {
        code = input_flow(&input, self, self->build ? NULL : flow);
        if (code == EXIT_OK)
            input_describe(input.flow, self, &out);
        input_release(&input);
    }
    code = cli_print(self, &out, code);
    buf_release(&out);
    return code;
}

int
cli_show_help(const struct cli *self, const char *name)
{
    const struct command *command = name ? cli_find(self, name) : NULL;

    if (name && !command)
        return unknown_command(self, name);
    return show_help(self, command, NULL);
}

/* A program that is a flow takes no flow, but maybe a run in its place. */
static int
check_words(const struct cli *self, size_t nword)
{
    const struct command *command = self->command;
    size_t least = command->least, most = command->most;

    if (self->build && command->takes_flow) {
        least = 0;
        most = strstr(command->usage, "|RUN") ? 1 : 0;
    }
    if (nword < least)
        return cli_usage(self, "needs %s", command->usage);
    if (nword > most && most == 0)
        return cli_usage(self, "takes no argument");
    if (nword > most)
        return cli_usage(self, "takes one argument, not %zu", nword);
    return EXIT_OK;
}

static bool
takes(const struct command *command, enum opt opt)
{
    for (size_t i = 0; command->options[i] != OPT_COUNT; i++) {
        if (command->options[i] == opt)
            return true;
    }
    return false;
}

/* It works here or at a broker; --slots of others is not about here. */
static bool
has_choice(const struct command *command)
{
    return takes(command, OPT_LOCAL);
}

static void
say_place(struct cli *self, const char *flag, const char *where)
{
    buf_printf(&self->place, " --%s", flag);
    if (where) {
        buf_char(&self->place, ' ');
        which_quote(&self->place, where);
    }
}

/* What a flag names goes before what is configured; what else is not where a
 * command would look. */
static void
settle_place(struct cli *self, const struct args *args)
{
    const char *broker = args_text(args, OPT_BROKER);
    const char *configured = self->config.broker;

    if (args_text(args, OPT_STORE))
        say_place(self, "store", args_text(args, OPT_STORE));
    else if (broker && (!configured || strcmp(broker, configured) != 0))
        say_place(self, "broker", broker);
    else if (!broker && configured && has_choice(self->command) &&
             (args_has(args, OPT_LOCAL) || args_has(args, OPT_SLOTS)))
        say_place(self, "local", NULL);
    if (args_text(args, OPT_STORE))
        config_set_store(&self->config, args_text(args, OPT_STORE), FROM_FLAG);
    if (broker)
        config_set_broker(&self->config, broker, FROM_FLAG);
    else if (has_choice(self->command) &&
             (args_has(args, OPT_LOCAL) || args_has(args, OPT_STORE) ||
              args_has(args, OPT_SLOTS)))
        config_set_broker(&self->config, NULL, FROM_FLAG);
}

static int
check_place(const struct cli *self, const struct args *args)
{
    static const enum opt here[] = {OPT_SLOTS, OPT_LOCAL, OPT_STORE};

    const char *broker = self->config.broker;
    struct err err;

    /* Wherever it is from, it is said before anything else is done. */
    if (broker && takes(self->command, OPT_BROKER) &&
        link_address_check(broker, &err) < 0)
        return cli_usage(self, "%s", err.msg);
    if (!args_has(args, OPT_BROKER) || !has_choice(self->command))
        return EXIT_OK;
    for (size_t i = 0; i < sizeof here / sizeof here[0]; i++) {
        if (args_has(args, here[i]))
            return cli_usage(self, "--broker and --%s exclude each other",
                             opt_specs[here[i]].name);
    }
    return EXIT_OK;
}

static bool
is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

/* Its arguments are none of ours. */
static int
pass_on(struct cli *self, int argc, char **argv)
{
    const struct args args = {.words = argv + 1, .nword = (size_t)argc - 1};

    if (argc == 2 && is_help(argv[1]))
        return show_help(self, self->command, NULL);
    return self->command->run(self, &args);
}

static int
run_command(struct cli *self, int argc, char **argv)
{
    const struct command *command = self->command;
    struct args args = {0};
    struct err err;
    int code;

    if (command->passes)
        return pass_on(self, argc, argv);
    if (args_parse(&args, command->options, command->stop, argc, argv, &err) <
        0)
        return cli_usage(self, "%s", err.msg);
    settle_place(self, &args);
    if (args_has(&args, OPT_HELP))
        code = show_help(self, command, args.nword == 1 ? args.words[0] : NULL);
    else if ((code = check_place(self, &args)) == EXIT_OK &&
             (code = check_words(self, args.nword)) == EXIT_OK)
        code = command->run(self, &args);
    args_release(&args);
    return code;
}

static int
dispatch(struct cli *self, int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "--help";

    if (is_help(name))
        return show_help(self, NULL, NULL);
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0)
        name = "version";
    self->command = cli_find(self, name);
    if (!self->command && name[0] == '-')
        return cli_usage(self, "unknown option %s before a command", name);
    if (!self->command)
        return unknown_command(self, name);
    return run_command(self, argc - 1, argv + 1);
}

/* Started by an agent, to call the flow's functions. */
static int
serve(const struct cli *cli)
{
    struct input input = {0};
    struct err err;
    int code = input_flow(&input, cli, NULL);

    if (code == EXIT_OK &&
        worker_serve(input.flow,
                     api_has_handlers(input.program) ? api_handle : NULL,
                     input.program, &err) < 0)
        code = cli_error(cli, &err);
    input_release(&input);
    return code;
}

int
leat_main(int argc, char **argv, const char *name, leat_build_fn *build)
{
    struct cli cli = {.name = "leat", .build = build, .flow = name};
    struct buf problems = {0};
    int code;

    if (build)
        cli.name = argc > 0 ? argv[0] : name;
    term_init(&cli.err, STDERR_FILENO, COLOUR_AUTO);
    term_init(&cli.out, STDOUT_FILENO, COLOUR_AUTO);
    if (build && worker_is_wanted()) {
        code = serve(&cli);
    } else if (config_load(&cli.config, &problems) < 0) {
        (void)term_write(&cli.err, &problems);
        code = EXIT_USAGE;
    } else {
        term_init(&cli.err, STDERR_FILENO, cli.config.colour);
        term_init(&cli.out, STDOUT_FILENO, cli.config.colour);
        code = dispatch(&cli, argc, argv);
    }
    buf_release(&problems);
    buf_release(&cli.place);
    config_release(&cli.config);
    return code;
}
