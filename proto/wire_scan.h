/* SPDX-License-Identifier: MPL-2.0 */
/*
 * wire_scan - looks through the bytes of a message before memory is spent on
 * it.
 */
#ifndef PROTO_WIRE_SCAN_H
#define PROTO_WIRE_SCAN_H

#include <stddef.h>

#include <protobuf-c/protobuf-c.h>

#include "base/err.h"

/*
 * Is this a message as we write it? Every field known, of the right wire type
 * and not cut off, single ones there once at most, strings UTF-8 without NUL,
 * no more fields than LIMIT_DECODE_COUNT; also in the messages inside.
 * ERR_INVALID.
 */
int wire_scan(const ProtobufCMessageDescriptor *type, const void *data,
              size_t n, struct err *err);

#endif
