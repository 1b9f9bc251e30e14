/* SPDX-License-Identifier: MPL-2.0 */
/*
 * sample - one right message of each type, and what is wrong with others.
 */
#ifndef SUPPORT_SAMPLE_H
#define SUPPORT_SAMPLE_H

#include <stddef.h>
#include <stdint.h>

#include <wire.pb-c.h>

#include "base/buf.h"
#include "proto/wire.h"

/* All of them, and what they consist of, to be made wrong. */
struct sample {
    Wire__Amount amount, *amounts[1];
    Wire__Run run, *runs_known[1];
    Wire__Spec spec, *specs[1];
    uint64_t codes[4];
    uint32_t one[2], zero[2], five[2];
    int64_t began[2];
    uint32_t item[2];
    char *keys[2];
    char *labels[1];
    Wire__Lane lane;
    Wire__Result result, *results[1];
    Wire__Output output, *outputs[1];
    Wire__Beat beat;
    Wire__Return back;
    uint64_t runs[1];
    Wire__Hello hello;
    Wire__Welcome welcome;
    Wire__Submit submit;
    Wire__Chunk chunk;
    Wire__Blob blob;
    Wire__Answer answer;
    Wire__Ask ask;
    Wire__Look look;
    Wire__Batch batch, *batches[1];
    Wire__Seen seen;
    const ProtobufCMessage *of[WIRE_TYPE_END];
};

/* To be freed. */
struct sample *sample_new(void);

/* An envelope around any bytes. */
void wrap(struct buf *out, enum wire_type type, const void *data, size_t n);
/* What is wrong with a message; "" if nothing is. It is in *err. */
const char *wrong_with(enum wire_type type, const void *data, size_t n,
                       struct err *err);
const char *wrong_with_message(enum wire_type type, const void *message,
                               struct err *err);

#endif
