/* SPDX-License-Identifier: MPL-2.0 */
/*
 * file - flow files: strict YAML, or JSON of the same shape.
 */
#ifndef FLOW_FILE_H
#define FLOW_FILE_H

#include <stddef.h>

#include "flow/diag.h"
#include "flow/flow.h"

/*
 * Parse and check a flow file. `name` is what messages call it. Every error
 * goes to `diags`, whose file and text are set to name and text. Returns 0 and
 * *ret (the caller's), or -1 with at least one error in diags. The text is
 * copied; it need not end with a NUL.
 */
int flow_parse(const char *name, const char *text, size_t len,
               struct flow **ret, struct diags *diags);

#endif
