/* SPDX-License-Identifier: MPL-2.0 */
/*
 * yaml_error - libyaml's complaints in plain words.
 */
#ifndef FLOW_YAML_ERROR_H
#define FLOW_YAML_ERROR_H

#include <stddef.h>
#include <yaml.h>

/*
 * What is wrong, at which character of the text, and what to do about it or
 * NULL.
 */
const char *yaml_error(const yaml_parser_t *parser, size_t *index,
                       const char **help);

/* The same where a tab stands. */
const char *yaml_error_tab(const char **help);

#endif
