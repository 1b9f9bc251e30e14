/* SPDX-License-Identifier: MPL-2.0 */
#include <string.h>

#include "cli/file.h"
#include "cli/input.h"
#include "cli/which.h"
#include "lib/graph.h"

static int
unknown_format(const struct cli *cli, const char *name)
{
    return cli_usage(
        cli, "unknown format %s; there are text, svg, dot and mermaid", name);
}

/* By --format, else by the ending of the file, else text. */
static int
choose_format(const struct cli *cli, const struct args *args,
              enum graph_format *ret)
{
    static const struct {
        const char *ending;
        enum graph_format format;
    } endings[] = {
        {".svg", GRAPH_SVG},     {".dot", GRAPH_DOT},  {".gv", GRAPH_DOT},
        {".mmd", GRAPH_MERMAID}, {".txt", GRAPH_TEXT},
    };
    const char *name = args_text(args, OPT_FORMAT);
    const char *file = args_text(args, OPT_OUTPUT);
    const char *ending = file ? strrchr(file, '.') : NULL;

    *ret = GRAPH_TEXT;
    for (int f = 0; name && f < GRAPH_FORMAT_COUNT; f++) {
        if (strcmp(graph_format_names[f], name) == 0) {
            *ret = (enum graph_format)f;
            return EXIT_OK;
        }
    }
    if (name)
        return unknown_format(cli, name);
    if (!ending)
        return EXIT_OK;
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        if (strcmp(endings[i].ending, ending) == 0) {
            *ret = endings[i].format;
            return EXIT_OK;
        }
    }
    return cli_usage(
        cli, "the ending of %s tells no format; say one with --format", file);
}

static int
draw(const struct cli *cli, const struct args *args, const struct flow *flow,
     const struct history *history)
{
    const char *file = args_text(args, OPT_OUTPUT);
    struct graph_options options = {
        .colour = cli->out.colour && !file,
        .width = cli->out.width,
    };
    struct buf out = {0};
    struct err err;
    int code = choose_format(cli, args, &options.format);

    if (code != EXIT_OK)
        return code;
    if (graph_draw(flow, history, &options, &out, &err) < 0 ||
        (file && file_write(file, buf_str(&out), out.len, &err) < 0))
        code = cli_error(cli, &err);
    else if (!file)
        code = cli_print(cli, &out, EXIT_OK);
    buf_release(&out);
    return code;
}

static int
draw_run(const struct cli *cli, const struct args *args)
{
    struct which which = {0};
    int code = which_run(&which, cli, args->words[0]);

    if (code == EXIT_OK)
        code = draw(cli, args, which.history->flow, which.history);
    which_release(&which);
    return code;
}

int
cmd_graph(struct cli *cli, const struct args *args)
{
    struct input input = {0};
    int code;

    if (args->nword > 0 && (cli->build || input_is_run(args->words[0])))
        return draw_run(cli, args);
    code = input_flow(&input, cli, cli->build ? NULL : args->words[0]);
    if (code == EXIT_OK)
        code = draw(cli, args, input.flow, NULL);
    input_release(&input);
    return code;
}
