/* SPDX-License-Identifier: MPL-2.0 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/file.h"
#include "cli/input.h"
#include "cli/node.h"
#include "flow/params.h"
#include "flow/yaml.h"

/* All that is gathered before the parameters are bound at once. */
struct gather {
    const struct flow *flow;
    const struct args *args;
    char *file_text; /* of -P */
    struct yaml yaml;
    struct diags diags; /* about -P's file */
    json_t *given;      /* checked values by name */
    bool *told;         /* of a parameter something is wrong already */
    struct buf problems;
};

/* ---- where a value may come from ---- */

/* -p NAME=VALUE: the value that was given last, or NULL. */
static const char *
flag_of(const struct args *args, const char *name)
{
    const char *found = NULL;
    size_t n = strlen(name);

    for (size_t i = 0; i < args->n; i++) {
        const char *text = args->list[i].text;

        if (args->list[i].opt == OPT_PARAM && strncmp(text, name, n) == 0 &&
            text[n] == '=')
            found = text + n + 1;
    }
    return found;
}

/* LEAT_PARAM_name, as it is written or in capitals. */
static const char *
variable_of(const char *name)
{
    char *variable = mem_printf("LEAT_PARAM_%s", name);
    const char *found;

    for (char *c = variable; *c; c++)
        *c = *c == '-' ? '_' : *c;
    found = getenv(variable);
    for (char *c = variable; *c; c++)
        *c = (char)toupper((unsigned char)*c);
    if (!found)
        found = getenv(variable);
    free(variable);
    return found;
}

static const struct node *
node_of(const struct gather *self, const char *name)
{
    const struct node *root = self->yaml.nodes;

    return root ? node_find(&self->yaml, root, name) : NULL;
}

/* ---- one parameter ---- */

static void
complain(struct gather *self, size_t i, const struct node *node,
         const struct err *err)
{
    const char *name = self->flow->params[i].name;

    self->told[i] = true;
    if (node)
        diags_add(&self->diags, yaml_place(node), NULL, "parameter `%s`: %s",
                  name, err->msg);
    else
        buf_printf(&self->problems, "parameter `%s`: %s\n", name, err->msg);
}

static int
value_of_node(const struct gather *self, const struct flow_param *param,
              const struct node *node, json_t **ret, struct err *err)
{
    bool loose = param->type == PARAM_JSON || param->type == PARAM_ANY;
    char *text;
    int rc;

    if (node->kind != NODE_SCALAR || loose) {
        *ret = node_json(&self->yaml, node);
        rc = param_check(param, *ret, err);
        if (rc < 0)
            json_decref(*ret);
        return rc;
    }
    text = mem_text(yaml_text(&self->yaml, node), node->len);
    rc = param_parse(param, text, ret, err);
    free(text);
    return rc;
}

static void
gather_one(struct gather *self, size_t i)
{
    const struct flow_param *param = &self->flow->params[i];
    const char *text = flag_of(self->args, param->name);
    const struct node *node = text ? NULL : node_of(self, param->name);
    json_t *value = NULL;
    struct err err;
    int rc;

    if (!text && !node)
        text = variable_of(param->name);
    if (!text && !node)
        return;
    if (node)
        rc = value_of_node(self, param, node, &value, &err);
    else
        rc = param_parse(param, text, &value, &err);
    if (rc < 0)
        complain(self, i, node, &err);
    else
        json_object_set_new(self->given, param->name, value);
}

/* Names that the flow does not have are for params_bind to complain of. */
static void
gather_unknown(struct gather *self)
{
    const struct node *root = self->yaml.nodes;

    for (size_t i = 0; i < self->args->n; i++) {
        const struct arg *arg = &self->args->list[i];
        char *name;

        if (arg->opt != OPT_PARAM)
            continue;
        name = mem_text(arg->text, strcspn(arg->text, "="));
        if (flow_find_param(self->flow, name) == UINT32_MAX)
            json_object_set_new_nocheck(self->given, name, json_null());
        free(name);
    }
    for (const struct node *key = root ? yaml_first(root) : NULL; key;
         key = yaml_next(&self->yaml, yaml_next(&self->yaml, key))) {
        char *name = mem_text(yaml_text(&self->yaml, key), key->len);

        if (flow_find_param(self->flow, name) == UINT32_MAX)
            json_object_set_new(self->given, name, json_null());
        free(name);
    }
}

/* ---- the file of -P ---- */

static int
read_params_file(struct gather *self, const struct cli *cli)
{
    const char *file = args_text(self->args, OPT_PARAMS);
    size_t len = 0;
    struct err err;

    if (!file)
        return EXIT_OK;
    if (file_read(file, &self->file_text, &len, &err) < 0)
        return cli_error(cli, &err);
    self->diags.file = file_name(file);
    self->diags.text = self->file_text;
    self->diags.len = len;
    if (yaml_read(&self->yaml, self->file_text, len, &self->diags) &&
        self->yaml.nodes[0].kind != NODE_MAP && self->diags.n == 0)
        diags_add(&self->diags, yaml_place(&self->yaml.nodes[0]),
                  mem_dup("write it as NAME: VALUE, one a line"),
                  "parameters are a mapping of names to values");
    if (self->diags.n > 0 || self->yaml.n == 0)
        yaml_release(&self->yaml);
    return EXIT_OK;
}

/* ---- all together ---- */

/* Of a parameter that is wrong it need not be said that it is missing. */
static bool
is_told(const struct gather *self, const char *line)
{
    for (size_t i = 0; i < self->flow->nparam; i++) {
        char *start = mem_printf("parameter `%s` is required",
                                 self->flow->params[i].name);
        bool told = self->told[i] && strncmp(line, start, strlen(start)) == 0;

        free(start);
        if (told)
            return true;
    }
    return false;
}

static void
bind(struct gather *self, struct input *input)
{
    struct buf more = {0};
    char *rest, *line;

    (void)params_bind(self->flow, self->given, &input->params, &more);
    rest = buf_take(&more);
    for (char *at = rest; (line = strsep(&at, "\n")) != NULL && at;) {
        if (!is_told(self, line))
            buf_printf(&self->problems, "%s\n", line);
    }
    free(rest);
}

static int
tell(struct gather *self, const struct cli *cli, const char *flow)
{
    struct buf out = {0};
    char *text = buf_take(&self->problems);
    char *line;

    if (self->diags.n > 0)
        diags_print(&self->diags, &out, cli->err.colour);
    for (char *at = text; (line = strsep(&at, "\n")) != NULL && at;) {
        term_put(&cli->err, &out, STYLE_PLAIN, flow);
        buf_text(&out, ": ");
        term_put(&cli->err, &out, STYLE_PLAIN, line);
        buf_char(&out, '\n');
    }
    free(text);
    (void)term_write(&cli->err, &out);
    buf_release(&out);
    return EXIT_INVALID;
}

/* Tasks run elsewhere than here: a path must mean the same there. */
static void
make_absolute(const struct flow *flow, json_t *params)
{
    char *here = getcwd(NULL, 0);

    for (size_t i = 0; here && i < flow->nparam; i++) {
        const char *name = flow->params[i].name;
        const char *path = json_string_value(json_object_get(params, name));
        char *whole;

        if (flow->params[i].type != PARAM_PATH || !path || path[0] == '/')
            continue;
        whole = mem_printf("%s/%s", strcmp(here, "/") == 0 ? "" : here, path);
        json_object_set_new_nocheck(params, name, json_string_nocheck(whole));
        free(whole);
    }
    free(here);
}

int
input_params(struct input *self, const struct cli *cli, const struct args *args)
{
    struct gather gather = {
        .flow = self->flow, .args = args, .given = json_object()};
    const char *flow = self->flow->file ? self->flow->file : self->flow->name;
    int code = read_params_file(&gather, cli);

    gather.told = mem_alloc(self->flow->nparam, sizeof *gather.told);
    if (code != EXIT_OK)
        goto out;
    for (size_t i = 0; i < self->flow->nparam; i++)
        gather_one(&gather, i);
    gather_unknown(&gather);
    bind(&gather, self);
    if (gather.problems.len > 0 || gather.diags.n > 0)
        code = tell(&gather, cli, flow);
    else
        make_absolute(self->flow, self->params);
out:
    yaml_release(&gather.yaml);
    diags_release(&gather.diags);
    buf_release(&gather.problems);
    json_decref(gather.given);
    free(gather.told);
    free(gather.file_text);
    return code;
}
