/* SPDX-License-Identifier: MPL-2.0 */
/*
 * read_value - JSON values, with and without references, from a flow file.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "flow/read.h"
#include "flow/value.h"

static const char any_value[] = "a value (null or \"\" if there is none)";

/* ---- constants ---- */

static void
add_item(struct reading *self, const struct node *item, void *into)
{
    json_t *value = read_json(self, item);

    if (value)
        json_array_append_new(into, value);
}

static void
add_entry(struct reading *self, const struct node *key, const struct node *node,
          void *into)
{
    json_t *value = read_json(self, node);

    if (value)
        json_object_setn_new_nocheck(into, yaml_text(&self->yaml, key),
                                     key->len, value);
}

json_t *
read_json(struct reading *self, const struct node *node)
{
    const char *text = yaml_text(&self->yaml, node);
    json_t *whole;

    if (node->kind == NODE_SCALAR) {
        if (!read_is_scalar(self, node, any_value))
            return NULL;
        return node->plain ? value_from_word(text, node->len)
                           : json_stringn_nocheck(text, node->len);
    }
    if (node->kind == NODE_LIST) {
        whole = json_array();
        read_items(self, node, any_value, add_item, whole);
    } else {
        whole = json_object();
        read_entries(self, node, any_value, add_entry, whole);
    }
    return whole;
}

/* ---- with references ---- */

struct placing {
    const struct node *node;
    size_t from;
};

static void
set_place(void *ctx, struct ref *ref)
{
    const struct placing *placing = ctx;
    struct flow_place place;

    ref->offset += (uint32_t)placing->from;
    place = yaml_place_at(placing->node, ref->offset, 1);
    ref->line = place.line;
    ref->col = place.col;
}

struct tmpl *
read_part(struct reading *self, const struct node *node, size_t from,
          size_t len)
{
    struct placing placing = {node, from};
    struct tmpl *tmpl = NULL;
    struct err err;
    size_t at;

    if (tmpl_parse(yaml_text(&self->yaml, node) + from, len, &tmpl, &at, &err) <
        0) {
        diags_add(self->diags, yaml_place_at(node, from + at, 1), NULL, "%s",
                  err.msg);
        return NULL;
    }
    tmpl_each_ref(tmpl, set_place, &placing);
    return tmpl;
}

struct tmpl *
read_text_tmpl(struct reading *self, const struct node *node, const char *what)
{
    if (!read_is_scalar(self, node, what))
        return NULL;
    return read_part(self, node, 0, node->len);
}

/* No dollar sign anywhere in it. */
static bool
is_constant(const struct reading *self, const struct node *node)
{
    const struct node *item = yaml_first(node);

    if (node->kind == NODE_SCALAR)
        return !memchr(yaml_text(&self->yaml, node), '$', node->len);
    for (; item; item = yaml_next(&self->yaml, item)) {
        if (!is_constant(self, item))
            return false;
    }
    return true;
}

static void
append_tmpl(struct reading *self, const struct node *item, void *into)
{
    struct tmpl *part = read_tmpl(self, item);

    if (part)
        tmpl_append(into, &part);
}

static void
set_tmpl(struct reading *self, const struct node *key, const struct node *node,
         void *into)
{
    struct tmpl *part = read_tmpl(self, node);
    char *name;

    if (!part)
        return;
    name = read_copy(self, key);
    tmpl_set(into, name, &part);
    free(name);
}

struct tmpl *
read_tmpl(struct reading *self, const struct node *node)
{
    struct tmpl *whole;

    if (is_constant(self, node)) {
        json_t *value = read_json(self, node);

        return value ? tmpl_const(value) : NULL;
    }
    if (node->kind == NODE_SCALAR)
        return read_part(self, node, 0, node->len);
    if (node->kind == NODE_LIST) {
        whole = tmpl_list();
        read_items(self, node, any_value, append_tmpl, whole);
    } else {
        whole = tmpl_object();
        read_entries(self, node, any_value, set_tmpl, whole);
    }
    return whole;
}
