/* SPDX-License-Identifier: MPL-2.0 */
#include "cli/node.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "flow/value.h"

const struct node *
node_find(const struct yaml *yaml, const struct node *map, const char *key)
{
    size_t n = strlen(key);
    const struct node *at;

    if (map->kind != NODE_MAP)
        return NULL;
    for (at = yaml_first(map); at; at = yaml_next(yaml, at)) {
        const struct node *value = yaml_next(yaml, at);

        if (at->len == n && memcmp(yaml_text(yaml, at), key, n) == 0)
            return value;
        at = value;
    }
    return NULL;
}

static json_t *
list_json(const struct yaml *yaml, const struct node *node)
{
    json_t *list = json_array();
    const struct node *at;

    for (at = yaml_first(node); at; at = yaml_next(yaml, at))
        json_array_append_new(list, node_json(yaml, at));
    return list;
}

static json_t *
map_json(const struct yaml *yaml, const struct node *node)
{
    json_t *map = json_object();
    const struct node *at;

    for (at = yaml_first(node); at; at = yaml_next(yaml, at)) {
        char *key = mem_text(yaml_text(yaml, at), at->len);

        at = yaml_next(yaml, at);
        json_object_set_new(map, key, node_json(yaml, at));
        free(key);
    }
    return map;
}

json_t *
node_json(const struct yaml *yaml, const struct node *node)
{
    if (node->kind == NODE_LIST)
        return list_json(yaml, node);
    if (node->kind == NODE_MAP)
        return map_json(yaml, node);
    if (node->plain)
        return value_from_word(yaml_text(yaml, node), node->len);
    return json_stringn(yaml_text(yaml, node), node->len);
}
