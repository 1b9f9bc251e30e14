/* SPDX-License-Identifier: MPL-2.0 */
/*
 * batch - records of attempts as one row of text, and back.
 *
 * Private to the store; schema.c has the form.
 */
#ifndef STORE_BATCH_H
#define STORE_BATCH_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "store/store.h"

/* A batch of zeroes is empty. */
struct batch {
    size_t n;           /* records in it */
    int64_t at;         /* the moment that times count from */
    struct buf names;   /* {"7":"train", of tasks whose children are in it */
    struct buf records; /* [..., */
    size_t last;        /* where the last record begins */
    /* By task number: the round in which it was last named. */
    uint32_t *named;
    size_t cap;
    uint32_t round;
};

void batch_release(struct batch *self);
void batch_clear(struct batch *self);
void batch_add(struct batch *self, const struct store_record *record);

/* Take the last record, of several, back; and how long it is. */
void batch_undo(struct batch *self);
size_t batch_last_bytes(const struct batch *self);

/* The texts as they are stored; valid until the next change. */
const char *batch_names(struct batch *self);
const char *batch_records(struct batch *self);

/*
 * Call fn for each record of a stored batch. *more becomes false if fn wants
 * no more. Fails with ERR_INVALID if the text is not a batch.
 */
int batch_read(int64_t at, const char *names, const char *records,
               store_record_fn *fn, void *ctx, bool *more, struct err *err);

#endif
