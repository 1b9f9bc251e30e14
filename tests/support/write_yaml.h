/* SPDX-License-Identifier: MPL-2.0 */
/*
 * write_yaml - a document as somebody may write it in YAML: blocks or in one
 * line, this quote or that, as the dice fall.
 */
#ifndef SUPPORT_WRITE_YAML_H
#define SUPPORT_WRITE_YAML_H

#include <jansson.h>
#include <stdint.h>

#include "base/buf.h"

void write_yaml(const json_t *document, uint64_t *dice, struct buf *out);

#endif
