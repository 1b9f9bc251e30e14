/* SPDX-License-Identifier: MPL-2.0 */
#include <string.h>

#include "cli/cli.h"

/* The program's last part, and that as a name of a shell function. */
struct names {
    const char *program;
    char function[64];
};

static void
find_names(struct names *self, const struct cli *cli)
{
    const char *slash = strrchr(cli->name, '/');
    size_t n = 1;

    self->program = slash ? slash + 1 : cli->name;
    self->function[0] = '_';
    for (const char *c = self->program; *c && n < 63; c++)
        self->function[n++] = strspn(c, "abcdefghijklmnopqrstuvwxyz"
                                        "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                        "0123456789_") > 0
                                  ? *c
                                  : '_';
    self->function[n] = '\0';
}

static bool
takes_flow(const struct cli *cli, const struct command *command)
{
    return command->words == KIND_FLOW && !(cli->build && command->takes_flow);
}

static void
put_commands(const struct cli *cli, struct buf *out)
{
    for (size_t i = 0; i < cli_ncommand; i++) {
        if (cli_find(cli, cli_commands[i].name))
            buf_printf(out, "%s%s", i > 0 ? " " : "", cli_commands[i].name);
    }
}

/* ---- bash ---- */

/* What completes a word of a kind; "" is nothing. */
static const char *
bash_words(enum opt_kind kind)
{
    static const char runs[] = "-W \"last $(\"$program\" ls -q 2>/dev/null)\"";

    switch (kind) {
    case KIND_FILE:
        return "-f";
    case KIND_FLOW:
        return "-f -X '!*.@(yaml|yml|json)' -o plusdirs";
    case KIND_FOLDER:
        return "-d";
    case KIND_RUN:
    case KIND_TASK:
        return runs;
    case KIND_FORMAT:
        return "-W 'text svg dot mermaid'";
    case KIND_SHELL:
        return "-W 'bash zsh'";
    case KIND_VERB:
        return "-W 'start stop ls'";
    case KIND_COMMAND:
        return "-W \"$commands\"";
    case KIND_TEXT:
        return "-c -o default";
    case KIND_NONE:
    case KIND_NUMBER:
    case KIND_MAYBE:
    case KIND_SPAN:
    case KIND_PAIR:
        break;
    }
    return "";
}

static void
bash_option_values(struct buf *out)
{
    for (int i = 0; i < OPT_COUNT; i++) {
        const struct opt_spec *spec = &opt_specs[i];
        const char *words = bash_words(spec->kind);

        if (!spec->kind || spec->kind == KIND_MAYBE)
            continue;
        buf_text(out, "    ");
        if (spec->letter)
            buf_printf(out, "-%c|", spec->letter);
        if (spec->kind == KIND_TEXT || words[0] == '\0')
            buf_printf(out, "--%s) return ;;\n", spec->name);
        else
            buf_printf(out,
                       "--%s) mapfile -t COMPREPLY < <(compgen %s -- \"$cur\");"
                       " return ;;\n",
                       spec->name, words);
    }
}

static void
bash_commands(const struct cli *cli, struct buf *out)
{
    for (size_t i = 0; i < cli_ncommand; i++) {
        const struct command *command = &cli_commands[i];

        buf_printf(out, "    %s)\n        options='", command->name);
        for (size_t k = 0; command->options[k] != OPT_COUNT; k++)
            buf_printf(out, "%s--%s", k > 0 ? " " : "",
                       opt_specs[command->options[k]].name);
        buf_text(out, "'\n");
        if (command->most > 0 &&
            (command->words != KIND_FLOW || takes_flow(cli, command)))
            buf_printf(out, "        words=(%s)\n", bash_words(command->words));
        buf_text(out, "        ;;\n");
    }
}

static void
put_bash(const struct cli *cli, const struct names *names, struct buf *out)
{
    buf_printf(out, "# bash completion for %s\n%s() {\n", names->program,
               names->function);
    buf_text(out, "    local program=${COMP_WORDS[0]} "
                  "cur=${COMP_WORDS[COMP_CWORD]}\n"
                  "    local prev=${COMP_WORDS[COMP_CWORD-1]} options='' "
                  "words=()\n"
                  "    local commands='");
    put_commands(cli, out);
    buf_text(out, "'\n    COMPREPLY=()\n"
                  "    if ((COMP_CWORD == 1)); then\n"
                  "        mapfile -t COMPREPLY < <(compgen -W "
                  "\"$commands\" -- \"$cur\")\n"
                  "        return\n"
                  "    fi\n"
                  "    case $prev in\n");
    bash_option_values(out);
    buf_text(out, "    esac\n    case ${COMP_WORDS[1]} in\n");
    bash_commands(cli, out);
    buf_text(out, "    esac\n"
                  "    if [[ $cur == -* ]]; then\n"
                  "        mapfile -t COMPREPLY < <(compgen -W \"$options\" -- "
                  "\"$cur\")\n"
                  "    elif ((${#words[@]})); then\n"
                  "        mapfile -t COMPREPLY < <(compgen \"${words[@]}\" -- "
                  "\"$cur\")\n"
                  "    fi\n"
                  "}\n");
    buf_printf(out, "shopt -s extglob\ncomplete -o bashdefault -F %s %s\n",
               names->function, names->program);
}

/* ---- zsh ---- */

static const char *
zsh_action(enum opt_kind kind)
{
    switch (kind) {
    case KIND_FILE:
        return "_files";
    case KIND_FLOW:
        return "_files -g \"*.(yaml|yml|json)\"";
    case KIND_FOLDER:
        return "_files -/";
    case KIND_RUN:
    case KIND_TASK:
        return "(last ${(f)runs})";
    case KIND_FORMAT:
        return "(text svg dot mermaid)";
    case KIND_SHELL:
        return "(bash zsh)";
    case KIND_VERB:
        return "(start stop ls)";
    case KIND_COMMAND:
        return "(${commands%%:*})";
    case KIND_TEXT:
        return "_default";
    case KIND_NONE:
    case KIND_NUMBER:
    case KIND_MAYBE:
    case KIND_SPAN:
    case KIND_PAIR:
        break;
    }
    return "";
}

/* Inside '...[HERE]...' of _arguments. */
static void
zsh_text(struct buf *out, const char *text)
{
    for (; *text; text++) {
        if (strchr("[]:\\", *text))
            buf_char(out, '\\');
        if (*text == '\'')
            buf_text(out, "'\\'");
        buf_char(out, *text);
    }
}

static void
zsh_option(struct buf *out, const struct opt_spec *spec)
{
    buf_text(out, "            '*'");
    if (spec->letter)
        buf_printf(out, "{-%c,--%s}", spec->letter, spec->name);
    else
        buf_printf(out, "--%s", spec->name);
    if (spec->kind && !spec->letter)
        buf_char(out, '=');
    buf_text(out, "'[");
    zsh_text(out, spec->help);
    buf_char(out, ']');
    if (spec->kind) {
        buf_text(out, spec->kind == KIND_MAYBE ? "::" : ":");
        zsh_text(out, spec->value);
        buf_printf(out, ":%s",
                   spec->kind == KIND_TEXT ? "" : zsh_action(spec->kind));
    }
    buf_text(out, "' \\\n");
}

static void
zsh_commands(const struct cli *cli, struct buf *out)
{
    for (size_t i = 0; i < cli_ncommand; i++) {
        const struct command *command = &cli_commands[i];
        bool words = command->most > 0 &&
                     (command->words != KIND_FLOW || takes_flow(cli, command));

        buf_printf(out, "    %s)\n        _arguments \\\n", command->name);
        for (size_t k = 0; command->options[k] != OPT_COUNT; k++)
            zsh_option(out, &opt_specs[command->options[k]]);
        if (words)
            buf_printf(out, "            '*:%s:%s'\n", command->name,
                       zsh_action(command->words));
        else
            buf_text(out, "            '*: :'\n");
        buf_text(out, "        ;;\n");
    }
}

static void
put_zsh(const struct cli *cli, const struct names *names, struct buf *out)
{
    buf_printf(out,
               "#compdef %s\n%s() {\n    local -a commands\n"
               "    local runs\n    commands=(\n",
               names->program, names->function);
    for (size_t i = 0; i < cli_ncommand; i++) {
        buf_printf(out, "        '%s:", cli_commands[i].name);
        zsh_text(out, cli_commands[i].summary);
        buf_text(out, "'\n");
    }
    buf_text(out, "    )\n"
                  "    if ((CURRENT == 2)); then\n"
                  "        _describe command commands\n"
                  "        return\n"
                  "    fi\n"
                  "    runs=$(${words[1]} ls -q 2>/dev/null)\n"
                  "    shift words\n"
                  "    ((CURRENT--))\n"
                  "    case ${words[1]} in\n");
    zsh_commands(cli, out);
    buf_printf(out,
               "    esac\n}\n"
               "if [[ ${funcstack[1]} == %s ]]; then\n    %s \"$@\"\n"
               "else\n    compdef %s %s\nfi\n",
               names->function, names->function, names->function,
               names->program);
}

int
cmd_completion(struct cli *cli, const struct args *args)
{
    struct names names;
    struct buf out = {0};
    int code;

    find_names(&names, cli);
    if (strcmp(args->words[0], "bash") == 0)
        put_bash(cli, &names, &out);
    else if (strcmp(args->words[0], "zsh") == 0)
        put_zsh(cli, &names, &out);
    else
        return cli_usage(cli, "unknown shell %s; there are bash and zsh",
                         args->words[0]);
    code = cli_print(cli, &out, EXIT_OK);
    buf_release(&out);
    return code;
}
