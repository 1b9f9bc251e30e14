/* SPDX-License-Identifier: MPL-2.0 */
/*
 * answers - what a worker has to tell its agent, on its way there.
 *
 * Results and output are kept in the page that both share until there is enough
 * to send, or nothing more to do. See proto/page.h.
 */
#ifndef LIB_ANSWERS_H
#define LIB_ANSWERS_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "proto/convert.h"
#include "proto/page.h"

struct answers {
    int fd;            /* the socket; borrowed */
    struct page *page; /* borrowed */
    uint32_t ticket;   /* of the call that is being made */
    uint64_t frames;   /* that went through unsent */
    int64_t flushed;   /* wall */
    struct return_out *plain;
    struct return_out *out; /* one frame at a time */
    size_t noutput;         /* bytes in it */
};

void answers_init(struct answers *self, int fd, struct page *page);

/* A call is about to be made. Ends the process if the agent wants that. */
void answers_begin(struct answers *self, uint32_t ticket, int64_t now);
/* What it printed; stream 1 or 2. */
void answers_output(struct answers *self, int stream, const char *data,
                    size_t n);
/* It has ended; result->ticket is set here. */
void answers_end(struct answers *self, struct result *result);

/* Send all there is. Ends the process if nobody is there to take it. */
void answers_flush(struct answers *self);

#endif
