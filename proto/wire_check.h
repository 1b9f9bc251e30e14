/* SPDX-License-Identifier: MPL-2.0 */
/*
 * wire_check - is a decoded message right by itself?
 */
#ifndef PROTO_WIRE_CHECK_H
#define PROTO_WIRE_CHECK_H

#include "proto/wire.h"

#define WIRE_HASH 32 /* bytes */

typedef int wire_check_fn(const struct wire *wire, struct err *err);

/* One row a type of message. */
struct wire_row {
    const ProtobufCMessageDescriptor *type;
    wire_check_fn *check;
};

extern const struct wire_row wire_rows[WIRE_TYPE_END];

#endif
