/* SPDX-License-Identifier: MPL-2.0 */
/*
 * told - passes on what a lane or a return has, and notes what its reader was
 * told, a line each.
 */
#ifndef SUPPORT_TOLD_H
#define SUPPORT_TOLD_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "proto/convert.h"
#include "proto/wire.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

struct told {
    struct lane_in *in; /* made when it is needed */
    struct buf text;
    struct lane_task *tasks; /* kept */
    size_t ntask, cap;
};

void told_release(struct told *self);

/* For lane_calls, with a struct told: notes the task, and keeps it. */
void told_task(void *ctx, const struct lane_task *task);
/* For return_read, with a struct told. */
extern const struct return_calls told_return;
int read_lane(struct told *told, const struct wire *wire, struct err *err);

/* A frame is decoded, and what the packer of protobuf-c makes of the same
 * message is the same bytes. */
void decode(struct wire *ret, const struct buf *frame);

/* Pass on everything there is; how many frames it took. */
size_t pass_lane(struct lane_out *out, struct told *told);
size_t pass_return(struct return_out *out, uint64_t session, struct told *told);

/* ---- what is sent ---- */

/* A C function of run 7. */
struct work_spec spec_of(uint32_t task, const char *name);
/* The first attempt of a child, or PLAN_WHOLE. */
struct work work_of(const struct work_spec *spec, uint32_t child);
void put_task(struct lane_out *out, uint32_t ticket, const struct work *work);

#endif
