/* SPDX-License-Identifier: MPL-2.0 */
/*
 * client_mirror - a run that goes on at a broker, as it is known here.
 *
 * Takes what a Seen brings, records and output, and calls the watch with both
 * in the order in which they came to be. That is by their times, as they come
 * apart: at the latest when a child has not been heard of, its output waits for
 * the record that makes it, and what an attempt has written goes before its end.
 */
#ifndef LIB_CLIENT_MIRROR_H
#define LIB_CLIENT_MIRROR_H

#include "lib/client.h"
#include "store/store.h"

struct mirror_record; /* a record that waits */
struct mirror_piece;  /* output that waits */

struct mirror {
    const struct client_follow *follow;
    const struct local_watch *watch; /* or NULL */
    struct run *run;
    const struct store_record *record; /* that is being applied */
    uint64_t skip; /* records that are known already: of earlier sessions */
    bool queueing; /* records wait for the output that comes with them */
    struct mirror_record *queue;
    size_t first, n, cap;
    int64_t time;                /* of the last record in the queue */
    struct mirror_piece *pieces; /* that are not told yet: in their order */
    uint32_t *by_id;             /* the same by instance, then by order */
    size_t npiece, cap_piece;
    bool failed; /* *err */
    struct err err;
};

int mirror_init(struct mirror *self, const struct client_follow *follow,
                struct err *err);
/* The run stays where it is, if it was taken out. */
void mirror_release(struct mirror *self);

/* As a Batch brings them, and the Output. */
int mirror_batch(struct mirror *self, const char *text, size_t n,
                 struct err *err);
int mirror_output(struct mirror *self, const char *data, size_t n,
                  struct err *err);
/* No more output belongs to the records that came so far. */
int mirror_settle(struct mirror *self, struct err *err);

#endif
