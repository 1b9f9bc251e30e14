/* SPDX-License-Identifier: MPL-2.0 */
/*
 * wire_scan - looks through the bytes of a message before memory is spent on
 * it.
 */
#ifndef PROTO_WIRE_SCAN_H
#define PROTO_WIRE_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

/* The number in field 1, if the message begins with it. */
bool wire_scan_first(const unsigned char *message, size_t n, uint64_t *ret);

#endif
