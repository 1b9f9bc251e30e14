/* SPDX-License-Identifier: MPL-2.0 */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/file.h"
#include "cli/input.h"
#include "cli/json.h"
#include "flow/file.h"

struct checking {
    const struct cli *cli;
    bool quiet;
    json_t *files; /* for --json, or NULL */
};

static json_t *
errors_json(const struct diags *diags)
{
    json_t *list = json_array();

    for (size_t i = 0; i < diags->n; i++) {
        const struct diag *d = &diags->list[i];

        json_array_append_new(
            list, json_pack("{s:i, s:i, s:o, s:o}", "line", (int)d->place.line,
                            "column", (int)d->place.col, "text",
                            json_of_text(d->text, strlen(d->text)), "help",
                            d->help ? json_of_text(d->help, strlen(d->help))
                                    : json_null()));
    }
    return list;
}

static size_t
shown_tasks(const struct flow *flow)
{
    size_t n = 0;

    for (size_t i = 0; i < flow->ntask; i++)
        n += !flow->tasks[i].hidden;
    return n;
}

static void
tell(const struct checking *self, const char *name, const struct flow *flow,
     struct diags *diags)
{
    struct buf out = {0};
    size_t ntask = flow ? shown_tasks(flow) : 0;

    if (self->files) {
        json_array_append_new(
            self->files, json_pack("{s:o, s:b, s:o}", "file",
                                   json_of_text(name, strlen(name)), "ok",
                                   flow != NULL, "errors", errors_json(diags)));
        return;
    }
    if (!flow) {
        diags_print(diags, &out, self->cli->err.colour);
    } else if (!self->quiet) {
        term_put(&self->cli->err, &out, STYLE_PLAIN, name);
        buf_printf(&out, ": ok: %zu task%s, %zu parameter%s\n", ntask,
                   ntask == 1 ? "" : "s", flow->nparam,
                   flow->nparam == 1 ? "" : "s");
    }
    (void)term_write(&self->cli->err, &out);
    buf_release(&out);
}

static int
check_file(const struct checking *self, const char *file)
{
    struct diags diags = {0};
    struct flow *flow = NULL;
    char *text = NULL;
    size_t len = 0;
    struct err err;
    int code;

    if (file_read(file, &text, &len, &err) < 0)
        return cli_error(self->cli, &err);
    code = flow_parse(file_name(file), text, len, &flow, &diags) < 0
               ? EXIT_INVALID
               : EXIT_OK;
    tell(self, file_name(file), flow, &diags);
    diags_release(&diags);
    flow_destroy(&flow);
    free(text);
    return code;
}

static int
check_program(const struct checking *self)
{
    struct input input = {0};
    struct diags none = {0};
    int code = input_flow(&input, self->cli, NULL);

    if (code == EXIT_OK)
        tell(self, self->cli->name, input.flow, &none);
    input_release(&input);
    return code;
}

int
cmd_check(struct cli *cli, const struct args *args)
{
    struct checking self = {.cli = cli, .quiet = args_has(args, OPT_QUIET)};
    int code = EXIT_OK;

    if (args_has(args, OPT_JSON))
        self.files = json_array();
    if (cli->build)
        code = check_program(&self);
    for (size_t i = 0; i < args->nword; i++) {
        int one = check_file(&self, args->words[i]);

        if (code == EXIT_OK)
            code = one;
    }
    if (!self.files)
        return code;
    return cli_print_json(
        cli,
        json_pack("{s:s, s:o}", "schema", "leat.check/1", "files", self.files),
        code);
}
