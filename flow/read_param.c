/* SPDX-License-Identifier: MPL-2.0 */
/*
 * read_param - the parameters that a flow file declares.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "flow/read.h"
#include "proto/limits.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static void
read_type(struct reading *self, const struct node *value, void *into)
{
    struct flow_param *param = into;
    size_t type;

    if (read_choice(self, value, "a type of parameters", param_type_names,
                    PARAM_ANY, &type))
        param->type = (enum param_type)type;
}

/* A plain 5 is a number, but text where the parameter is text. */
static json_t *
read_as_type(struct reading *self, const struct node *value,
             const struct flow_param *param)
{
    bool text = param->type == PARAM_STRING || param->type == PARAM_PATH;

    if (!text || value->kind != NODE_SCALAR)
        return read_json(self, value);
    if (!read_is_scalar(self, value, "a string"))
        return NULL;
    return json_stringn_nocheck(yaml_text(&self->yaml, value), value->len);
}

static void
read_default(struct reading *self, const struct node *value, void *into)
{
    struct flow_param *param = into;

    param->fallback = read_as_type(self, value, param);
}

static void
read_min(struct reading *self, const struct node *value, void *into)
{
    struct flow_param *param = into;

    param->has_min = read_float(self, value, "a number", &param->min);
}

static void
read_max(struct reading *self, const struct node *value, void *into)
{
    struct flow_param *param = into;

    param->has_max = read_float(self, value, "a number", &param->max);
}

static void
add_choice(struct reading *self, const struct node *value, void *into)
{
    const struct flow_param *param = into;
    json_t *choice = read_as_type(self, value, param);

    if (choice)
        json_array_append_new(param->choices, choice);
}

static void
read_choices(struct reading *self, const struct node *value, void *into)
{
    struct flow_param *param = into;

    if (value->kind != NODE_LIST || value->len == 0) {
        read_expected(self, value, "a list of the values that are allowed");
        return;
    }
    param->choices = json_array();
    read_items(self, value, "a list", add_choice, param);
}

static void
read_pattern(struct reading *self, const struct node *value, void *into)
{
    read_text(self, value, "an extended regular expression",
              &((struct flow_param *)into)->pattern);
}

static void
read_help(struct reading *self, const struct node *value, void *into)
{
    read_text(self, value, "a sentence for people",
              &((struct flow_param *)into)->help);
}

/* The type is read before all other keys: they depend on it. */
static void
read_nothing(struct reading *self, const struct node *value, void *into)
{
    (void)self;
    (void)value;
    (void)into;
}

static const struct read_key param_keys[] = {
    READ_KEY("type", read_nothing),    READ_KEY("default", read_default),
    READ_KEY("min", read_min),         READ_KEY("max", read_max),
    READ_KEY("choices", read_choices), READ_KEY("pattern", read_pattern),
    READ_KEY("help", read_help),
};
static const struct read_table param_table = {"a parameter", param_keys,
                                              COUNT(param_keys), NULL};

static void
add_param(struct reading *self, const struct node *key,
          const struct node *value, void *into)
{
    char *name = NULL;
    uint32_t number;
    struct flow_param *param;
    const struct node *type;

    (void)into;
    if (!read_name(self, key, "the name of a parameter", &name))
        return;
    number = flow_add_param(self->flow, name);
    free(name);
    param = &self->flow->params[number];
    param->place = yaml_place(key);
    type = read_find(self, value, "type");
    if (type)
        read_type(self, type, param);
    read_keys(self, value, &param_table, param, NULL);
}

void
read_params(struct reading *self, const struct node *node, void *into)
{
    if (node->kind == NODE_MAP && node->len / 2 > LIMIT_PARAMS)
        diags_add(self->diags, yaml_place(node), NULL,
                  "%u parameters; %u are the most", node->len / 2,
                  LIMIT_PARAMS);
    else
        read_entries(self, node, "names of parameters and what they take",
                     add_param, into);
}
