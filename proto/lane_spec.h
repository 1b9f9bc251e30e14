/* SPDX-License-Identifier: MPL-2.0 */
/*
 * lane_spec - what tasks of a lane have in common, as messages.
 *
 * Parts of lane_out; nobody else includes this.
 */
#ifndef PROTO_LANE_SPEC_H
#define PROTO_LANE_SPEC_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "flow/work.h"

/* Fields of a Run, at most. */
#define LANE_RUN_FIELDS 8

/*
 * Append the content of a Run, or of a Spec, and say how many fields it may
 * have. ERR_INVALID, ERR_LIMIT: it can't travel.
 */
int lane_spec_run(struct buf *out, const struct work_spec *spec, uint32_t place,
                  struct err *err);
int lane_spec_task(struct buf *out, const struct work_spec *spec,
                   uint32_t place, size_t *nfield, struct err *err);

#endif
