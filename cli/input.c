/* SPDX-License-Identifier: MPL-2.0 */
#include "cli/input.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "cli/file.h"
#include "flow/file.h"
#include "flow/params.h"
#include "lib/api.h"

bool
input_is_run(const char *word)
{
    struct stat st;

    if (strcmp(word, "-") == 0)
        return false;
    if (word[strspn(word, "0123456789")] == '\0' || strcmp(word, "last") == 0)
        return true;
    /* A name with a dot or slash was meant as a file, there or not. */
    return stat(word, &st) < 0 && !strpbrk(word, "./");
}

/* ---- flows ---- */

static int
read_flow(struct input *self, const struct cli *cli, const char *file)
{
    struct diags diags = {0};
    struct buf out = {0};
    char *text = NULL;
    size_t len = 0;
    struct err err;

    if (file_read(file, &text, &len, &err) < 0)
        return cli_error(cli, &err);
    if (flow_parse(file_name(file), text, len, &self->flow, &diags) < 0) {
        diags_print(&diags, &out, cli->err.colour);
        (void)term_write(&cli->err, &out);
    }
    diags_release(&diags);
    buf_release(&out);
    free(text);
    return self->flow ? EXIT_OK : EXIT_INVALID;
}

static int
build_flow(struct input *self, const struct cli *cli)
{
    struct buf problems = {0};
    int code = EXIT_OK;

    self->program = api_build(cli->flow, cli->build);
    if (api_check(self->program, &problems) < 0)
        code = cli_fail(cli, EXIT_INVALID, "%s", buf_str(&problems));
    else
        self->flow = api_flow(self->program);
    buf_release(&problems);
    return code;
}

int
input_flow(struct input *self, const struct cli *cli, const char *file)
{
    return file ? read_flow(self, cli, file) : build_flow(self, cli);
}

void
input_release(struct input *self)
{
    if (self->program)
        leat_flow_destroy(&self->program);
    else
        flow_destroy(&self->flow);
    json_decref(self->params);
    *self = (struct input){0};
}

/* ---- help ---- */

void
input_describe(const struct flow *flow, const struct cli *cli, struct buf *out)
{
    if (flow->nparam > 0)
        buf_text(out, "\nParameters of ");
    if (flow->nparam > 0)
        term_put(&cli->out, out, STYLE_PLAIN, flow->name);
    if (flow->nparam > 0)
        buf_text(out, ":\n");
    for (size_t i = 0; i < flow->nparam; i++) {
        const struct flow_param *param = &flow->params[i];
        size_t width = utf8_width(param->name, strlen(param->name));

        buf_printf(out, "  %s", param->name);
        term_pad(out, width + 2, 26);
        param_describe(param, out);
        if (param->fallback) {
            buf_text(out, "; default ");
            value_brief(param->fallback, 60, out);
        }
        if (param->help) {
            buf_text(out, "; ");
            term_put(&cli->out, out, STYLE_PLAIN, param->help);
        }
        buf_char(out, '\n');
    }
}
