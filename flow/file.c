/* SPDX-License-Identifier: MPL-2.0 */
#include "flow/file.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "flow/read.h"
#include "proto/limits.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

/* ---- top keys that need little ---- */

static void
read_flow_name(struct reading *self, const struct node *value, void *into)
{
    char *name = NULL;

    (void)into;
    if (!read_name(self, value, "the name of a flow", &name))
        return;
    free(self->flow->name);
    self->flow->name = name;
}

static void
read_help(struct reading *self, const struct node *value, void *into)
{
    (void)into;
    read_text(self, value, "a text for people", &self->flow->help);
}

static void
read_max_fails(struct reading *self, const struct node *value, void *into)
{
    int64_t number;

    (void)into;
    if (!read_int(self, value, 0, UINT32_MAX, &number))
        return;
    self->flow->max_fails = (uint32_t)number;
    self->flow->has_max_fails = true;
}

static void
read_handlers(struct reading *self, const struct node *value, void *into)
{
    (void)into;
    read_bool(self, value, &self->flow->handled);
}

static void
add_limit(struct reading *self, const struct node *key,
          const struct node *value, void *into)
{
    struct flow *flow = self->flow;
    struct flow_limit limit = {0};
    int64_t most;

    (void)into;
    if (!read_name(self, key, "a tag", &limit.tag))
        return;
    if (read_int(self, value, 1, UINT32_MAX, &most))
        limit.most = (uint32_t)most;
    flow->limits[flow->nlimit++] = limit;
}

static void
read_limits(struct reading *self, const struct node *value, void *into)
{
    self->flow->limits = mem_alloc(value->len, sizeof *self->flow->limits);
    read_entries(self, value, "tags and how many tasks run at once", add_limit,
                 into);
}

static void
read_output(struct reading *self, const struct node *value, void *into)
{
    (void)into;
    self->flow->output = read_tmpl(self, value);
}

static void
add_reference(struct reading *self, const struct node *value, void *into)
{
    struct flow *flow = self->flow;
    char *name = NULL;
    uint32_t task;

    (void)into;
    if (!read_text(self, value, "the name of a task", &name))
        return;
    task = read_task_name(self, value, name);
    if (task != UINT32_MAX)
        flow->reference[flow->nreference++] = task;
    free(name);
}

static void
read_reference(struct reading *self, const struct node *value, void *into)
{
    self->flow->reference = mem_alloc(value->kind == NODE_LIST ? value->len : 1,
                                      sizeof *self->flow->reference);
    read_items(self, value, "a list of tasks", add_reference, into);
}

/* ---- defaults ---- */

static void
resolve_default(void *ctx, struct ref *ref)
{
    struct reading *self = ctx;
    struct flow_place place = {ref->line, ref->col, 1};
    uint32_t param = flow_find_param(self->flow, ref->name);
    const char *near;

    ref->scope = REF_PARAM;
    if (param != UINT32_MAX) {
        ref->index = param;
        return;
    }
    near = flow_near(self->flow, ref->name, FLOW_NAMES_PARAMS);
    diags_add(self->diags, place,
              near ? mem_printf("did you mean `%s`?", near)
                   : mem_dup("what all tasks share may name parameters only"),
              "there is no parameter `%s`", ref->name);
}

/* Copies of the defaults must mean the same in every task. */
static void
resolve_defaults(struct reading *self)
{
    struct flow_options *options = self->flow->options[0];

    for (uint32_t i = 0; i < options->nenv; i++)
        tmpl_each_ref(options->env[i].value, resolve_default, self);
    tmpl_each_ref(options->cwd, resolve_default, self);
}

static void
read_defaults(struct reading *self, const struct node *value, void *into)
{
    struct read_target target = {.options = self->flow->options[0]};

    (void)into;
    read_keys(self, value, &read_options_table, &target, NULL);
}

/* env, cwd and shell at the top are those of the defaults. */
static void
read_shared(struct reading *self, const char *key)
{
    const struct node *root = &self->yaml.nodes[0];
    const struct node *value = read_find(self, root, key);
    const struct node *defaults = read_find(self, root, "defaults");
    struct read_target target = {.options = self->flow->options[0]};

    if (!value)
        return;
    if (defaults && read_find(self, defaults, key)) {
        diags_add(self->diags, yaml_place(value), NULL,
                  "`%s` stands both here and in `defaults`", key);
        return;
    }
    for (size_t i = 0; i < read_options_table.n; i++) {
        if (strcmp(read_options_table.keys[i].name, key) == 0)
            read_options_table.keys[i].read(self, value, &target);
    }
}

/* ---- the whole ---- */

/* Read in the order in which they need each other, not as they stand. */
static const struct read_key top_keys[] = {
    READ_KEY("leat", NULL),
    READ_KEY("name", read_flow_name),
    READ_KEY("help", read_help),
    READ_KEY("params", read_params),
    READ_KEY("defaults", read_defaults),
    READ_KEY("env", NULL),
    READ_KEY("cwd", NULL),
    READ_KEY("shell", NULL),
    READ_KEY("limits", read_limits),
    READ_KEY("max-fails", read_max_fails),
    READ_KEY("handlers", read_handlers),
    READ_KEY("tasks", read_tasks),
    READ_KEY("output", read_output),
    READ_KEY("reference", read_reference),
};

static void
read_nothing(struct reading *self, const struct node *value, void *into)
{
    (void)self;
    (void)value;
    (void)into;
}

/* Finds unknown keys only. */
static void
check_top_keys(struct reading *self, const struct node *root)
{
    struct read_key keys[COUNT(top_keys)];
    struct read_table table = {"a flow", keys, COUNT(keys), NULL};

    memcpy(keys, top_keys, sizeof keys);
    for (size_t i = 0; i < COUNT(keys); i++)
        keys[i].read = read_nothing;
    read_keys(self, root, &table, NULL, NULL);
}

static bool
read_version(struct reading *self, const struct node *root)
{
    const struct node *version = read_find(self, root, "leat");

    if (version && read_is(self, version, "1"))
        return true;
    if (version) {
        diags_add(self->diags, yaml_place(version), NULL,
                  "this leat reads flow files of version 1 only");
        return false;
    }
    if (!root->cut)
        diags_add(self->diags, (struct flow_place){1, 1, 1},
                  mem_dup("write `leat: 1` in the first line"),
                  "a flow file says which version it is of");
    return true;
}

static void
read_flow(struct reading *self, const struct node *root)
{
    static const char *const shared[] = {"env", "cwd", "shell"};

    if (root->kind != NODE_MAP) {
        read_expected(self, root, "a mapping: the keys of a flow");
        return;
    }
    if (!read_version(self, root))
        return;
    check_top_keys(self, root);
    for (size_t i = 0; i < COUNT(top_keys); i++) {
        const struct node *value = read_find(self, root, top_keys[i].name);

        if (value && top_keys[i].read)
            top_keys[i].read(self, value, NULL);
        if (top_keys[i].read != read_defaults)
            continue;
        for (size_t k = 0; k < COUNT(shared); k++)
            read_shared(self, shared[k]);
        resolve_defaults(self);
    }
    if (self->flow->ntask == 0 && self->diags->n == 0 && !root->cut)
        diags_add(self->diags, yaml_place(root), NULL,
                  "a flow needs `tasks`, at least one");
}

/* "dir/nightly.yaml" is named nightly, if that can be a name. */
static char *
base_name(const char *file)
{
    const char *slash = strrchr(file, '/');
    const char *base = slash ? slash + 1 : file;
    const char *dot = strrchr(base, '.');
    char *name =
        mem_text(base, dot && dot > base ? (size_t)(dot - base) : strlen(base));

    if (flow_name_is_valid(name))
        return name;
    free(name);
    return mem_dup("flow");
}

static struct flow *
new_flow(const char *name, const char *text, size_t len)
{
    char *base = base_name(name);
    struct flow *flow = flow_new(base);

    free(base);
    flow->file = mem_dup(name);
    flow->source = mem_text(text, len);
    flow->source_len = len;
    return flow;
}

static void
release(struct reading *self)
{
    for (size_t i = 0; i < self->nmerge; i++) {
        free(self->merges[i].name);
        free(self->merges[i].needs);
    }
    free(self->merges);
    yaml_release(&self->yaml);
    flow_destroy(&self->flow);
}

/* Before anything of that size is copied. */
static bool
is_small_enough(size_t len, struct diags *diags)
{
    if (len <= LIMIT_FILE_BYTES)
        return true;
    diags_add(diags, (struct flow_place){0}, NULL,
              "the file has %zu bytes; %u are the most", len, LIMIT_FILE_BYTES);
    return false;
}

int
flow_parse(const char *name, const char *text, size_t len, struct flow **ret,
           struct diags *diags)
{
    static const char mark[] = "\xef\xbb\xbf"; /* some editors begin with it */
    size_t skip = len >= 3 && memcmp(text, mark, 3) == 0 ? 3 : 0;
    struct reading reading = {.diags = diags};
    size_t before = diags->n;
    int rc = -1;

    text += skip;
    len -= skip;
    diags->file = name;
    diags->text = text;
    diags->len = len;
    if (!is_small_enough(len, diags))
        return -1;
    reading.flow = new_flow(name, text, len);
    if (yaml_read(&reading.yaml, text, len, diags)) {
        bool whole = !reading.yaml.cut;

        read_flow(&reading, &reading.yaml.nodes[0]);
        yaml_release(&reading.yaml); /* flow_check takes its memory */
        if (whole && diags->n < LIMIT_ERRORS)
            rc = flow_check(reading.flow, diags);
    } else if (diags->n == before) {
        diags_add(diags, (struct flow_place){0}, NULL,
                  "the file is empty; a flow needs `leat: 1` and `tasks`");
    }
    if (diags->n > before)
        rc = -1;
    if (rc == 0) {
        *ret = reading.flow;
        reading.flow = NULL;
    }
    release(&reading);
    return rc;
}
