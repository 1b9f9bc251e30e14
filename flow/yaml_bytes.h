/* SPDX-License-Identifier: MPL-2.0 */
/*
 * yaml_bytes - is this text that a flow file may have?
 */
#ifndef FLOW_YAML_BYTES_H
#define FLOW_YAML_BYTES_H

#include <stdbool.h>
#include <stddef.h>

#include "flow/diag.h"

/*
 * False, and one error, if the text is not UTF-8 or holds a character that
 * YAML does not have or takes for something else. *ascii tells if there is
 * nothing but ASCII.
 */
bool yaml_check_bytes(const char *text, size_t len, bool *ascii,
                      struct diags *diags);

#endif
