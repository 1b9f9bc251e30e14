/* SPDX-License-Identifier: MPL-2.0 */
/*
 * node - what config and parameter files need of a YAML tree.
 */
#ifndef CLI_NODE_H
#define CLI_NODE_H

#include <jansson.h>

#include "flow/yaml.h"

/* The value of a mapping under a key, or NULL. */
const struct node *node_find(const struct yaml *yaml, const struct node *map,
                             const char *key);

/*
 * The JSON value of a node. A plain scalar that is a JSON number, true, false
 * or null is that, any other a string.
 */
json_t *node_json(const struct yaml *yaml, const struct node *node);

#endif
