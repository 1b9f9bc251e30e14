/* SPDX-License-Identifier: MPL-2.0 */
/*
 * read_place - where a task runs: resources, tags, labels, its environment.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "flow/read.h"
#include "flow/size.h"
#include "proto/limits.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

#define MAX_AMOUNT 1e18

/* ---- resources ---- */

static bool
read_memory(struct reading *self, const struct node *value, const char *what,
            double *ret)
{
    char *text = NULL;
    double bytes = 0;
    bool ok;

    if (!read_text(self, value, what, &text))
        return false;
    ok = size_read(text, &bytes) == 0;
    if (ok)
        *ret = bytes;
    else
        read_expected(self, value, what);
    free(text);
    return ok;
}

static void
add_resource(struct reading *self, const struct node *key,
             const struct node *value, void *into)
{
    struct flow_options *options = into;
    bool memory = read_is(self, key, "memory");
    const char *what =
        memory ? "an amount of memory such as 512MiB or 4GB, above 0"
               : "an amount above 0";
    struct flow_resource resource = {0};

    if (!read_name(self, key, "the name of a resource", &resource.name))
        return;
    options->resources[options->nresource++] = resource;
    if (!(memory ? read_memory(self, value, what, &resource.amount)
                 : read_float(self, value, what, &resource.amount)))
        return;
    if (resource.amount <= 0 || resource.amount > MAX_AMOUNT)
        read_expected(self, value, what);
    options->resources[options->nresource - 1] = resource;
}

void
read_resources(struct reading *self, const struct node *value, void *into)
{
    struct flow_options *options = read_own_options(self, into);

    while (options->nresource > 0)
        free(options->resources[--options->nresource].name);
    free(options->resources);
    options->resources = mem_alloc(value->len, sizeof *options->resources);
    read_entries(self, value, "names of resources and amounts", add_resource,
                 options);
}

/* ---- tags, labels, environment ---- */

static void
add_tag(struct reading *self, const struct node *value, void *into)
{
    struct flow_options *options = into;
    char *name = NULL;

    if (read_name(self, value, "a tag", &name))
        options->tags[options->ntag++] = name;
}

void
read_tags(struct reading *self, const struct node *value, void *into)
{
    struct flow_options *options = read_own_options(self, into);

    while (options->ntag > 0)
        free(options->tags[--options->ntag]);
    free(options->tags);
    options->tags = mem_alloc(value->kind == NODE_SCALAR ? 1 : value->len,
                              sizeof *options->tags);
    read_items(self, value, "a list of tags", add_tag, options);
}

static void
add_label(struct reading *self, const struct node *key,
          const struct node *value, void *into)
{
    struct flow_options *options = into;
    struct flow_bind bind = {.place = yaml_place(key)};

    if (!read_name(self, key, "the name of a label", &bind.name))
        return;
    if (!read_is_scalar(self, value, "the value of a label, a string")) {
        free(bind.name);
        return;
    }
    bind.value = tmpl_const(
        json_stringn_nocheck(yaml_text(&self->yaml, value), value->len));
    options->where[options->nwhere++] = bind;
}

void
read_where(struct reading *self, const struct node *value, void *into)
{
    struct flow_options *options = read_own_options(self, into);

    for (; options->nwhere > 0; options->nwhere--) {
        free(options->where[options->nwhere - 1].name);
        tmpl_destroy(&options->where[options->nwhere - 1].value);
    }
    free(options->where);
    options->where = mem_alloc(value->len, sizeof *options->where);
    read_entries(self, value, "labels of machines and their values", add_label,
                 options);
}

static bool
is_environment_name(const char *name)
{
    return flow_name_is_valid(name) && !strchr(name, '-') &&
           strncmp(name, "LEAT_", 5) != 0;
}

/* One of a name that is there already replaces it: the defaults' env. */
static void
set_env(struct flow_options *options, struct flow_bind *bind)
{
    for (uint32_t i = 0; i < options->nenv; i++) {
        struct flow_bind *old = &options->env[i];

        if (strcmp(old->name, bind->name) == 0) {
            free(old->name);
            tmpl_destroy(&old->value);
            *old = *bind;
            return;
        }
    }
    options->env[options->nenv++] = *bind;
}

static void
add_env(struct reading *self, const struct node *key, const struct node *value,
        void *into)
{
    struct flow_bind bind = {.place = yaml_place(key)};

    bind.name = read_copy(self, key);
    if (!is_environment_name(bind.name))
        diags_add(self->diags, bind.place,
                  mem_dup("letters, digits and _; names that begin with LEAT_ "
                          "are leat's own"),
                  "`%.*s` can't be the name of an environment variable",
                  LIMIT_NAME_BYTES, bind.name);
    bind.value = read_text_tmpl(self, value, "a string");
    if (bind.value)
        set_env(into, &bind);
    else
        free(bind.name);
}

void
read_env(struct reading *self, const struct node *value, void *into)
{
    struct flow_options *options = read_own_options(self, into);
    size_t cap = options->nenv;

    options->env = mem_grow(options->env, &cap, options->nenv + value->len,
                            sizeof *options->env);
    read_entries(self, value, "environment variables and their values", add_env,
                 options);
}

void
read_cwd(struct reading *self, const struct node *value, void *into)
{
    struct flow_options *options = read_own_options(self, into);
    struct tmpl *cwd = read_text_tmpl(self, value, "a directory");

    if (!cwd)
        return;
    tmpl_destroy(&options->cwd);
    options->cwd = cwd;
}

void
read_shell(struct reading *self, const struct node *value, void *into)
{
    static const char what[] = "the command line of a shell such as `sh -eu`";
    struct flow_options *options = read_own_options(self, into);

    if (!read_text(self, value, what, &options->shell))
        return;
    if (options->shell[strspn(options->shell, " \t\n")] == '\0')
        read_expected(self, value, what);
}
