/* SPDX-License-Identifier: MPL-2.0 */
/*
 * room - what an agent has to give, and what of it is taken.
 *
 * Amounts are kept in ten-thousandths, so that fractions add up. A slot is
 * where one C call after another is made; what has no resources but its cpu
 * and is known to be short may stand there behind others.
 */
#ifndef AGENT_ROOM_H
#define AGENT_ROOM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "flow/flow.h"

struct room;

struct room *agent_room_new(uint32_t slots,
                            const struct flow_resource *resources, uint32_t n);
void agent_room_destroy(struct room **self_p);

enum room_kind {
    ROOM_COMMAND,
    ROOM_CALL,  /* needs a slot of its own */
    ROOM_SHORT, /* a C call that may share one; has no needs of its own */
};

struct room_need {
    uint32_t what; /* private */
    uint32_t zero; /* needs are compared as bytes */
    int64_t amount;
};

/*
 * What `resources` are here, cpus first: ret has room for n + 1; returns how
 * many. 0: there is not so much of something; `why` says of what.
 */
uint32_t agent_room_needs(const struct room *self,
                          const struct flow_resource *resources, uint32_t n,
                          struct room_need *ret, struct buf *why);

/* What was given to one attempt. */
struct room_given {
    uint32_t slot;
    bool slotted;   /* the slot counts it */
    int64_t length; /* ROOM_SHORT: how long it probably takes, nanoseconds */
    uint32_t ngpu;
    uint32_t *gpus; /* owned */
};

/* How long it probably takes: not known. */
#define ROOM_UNKNOWN INT64_MAX

/*
 * Take what is needed, if it is there; ret->length is set for ROOM_SHORT. O(1)
 * but for GPUs.
 */
bool agent_room_take(struct room *self, enum room_kind kind,
                     const struct room_need *needs, uint32_t nneed,
                     struct room_given *ret);
void agent_room_give_back(struct room *self, enum room_kind kind,
                          const struct room_need *needs, uint32_t nneed,
                          struct room_given *given);

#endif
