/* SPDX-License-Identifier: MPL-2.0 */
#include "proto/wire_scan.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/utf8.h"
#include "proto/limits.h"

enum wire_shape {
    SHAPE_VARINT = 0,
    SHAPE_64 = 1,
    SHAPE_LENGTH = 2,
};

struct scan {
    const uint8_t *at, *end;
    size_t nfield; /* all together */
};

static bool
read_varint(struct scan *self, uint64_t *ret)
{
    uint64_t value = 0;

    for (unsigned shift = 0; shift < 70 && self->at < self->end; shift += 7) {
        uint8_t byte = *self->at++;

        if (shift < 64)
            value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *ret = value;
            return true;
        }
    }
    return false;
}

static enum wire_shape
shape_of(const ProtobufCFieldDescriptor *field)
{
    if (field->flags & PROTOBUF_C_FIELD_FLAG_PACKED)
        return SHAPE_LENGTH;
    if (field->type == PROTOBUF_C_TYPE_STRING ||
        field->type == PROTOBUF_C_TYPE_BYTES ||
        field->type == PROTOBUF_C_TYPE_MESSAGE)
        return SHAPE_LENGTH;
    if (field->type == PROTOBUF_C_TYPE_DOUBLE)
        return SHAPE_64;
    return SHAPE_VARINT;
}

static int
fail(const ProtobufCMessageDescriptor *type,
     const ProtobufCFieldDescriptor *field, const char *what, struct err *err)
{
    return err_set(err, ERR_INVALID, "%s%s%s: %s", type->short_name,
                   field ? "." : "", field ? field->name : "", what);
}

/* Numbers of fields have no gaps (there is a test). */
static const ProtobufCFieldDescriptor *
find_field(const ProtobufCMessageDescriptor *type, uint64_t number)
{
    if (number == 0 || number > type->n_fields)
        return NULL;
    assert(type->fields[number - 1].id == number);
    return &type->fields[number - 1];
}

static int scan_message(struct scan *self,
                        const ProtobufCMessageDescriptor *type,
                        struct err *err);

/* Depth is that of the schema: no message contains itself. */
static int
scan_inside(struct scan *self, const ProtobufCMessageDescriptor *type,
            uint64_t n, struct err *err)
{
    struct scan inside = {self->at, self->at + n, self->nfield};

    if (scan_message(&inside, type, err) < 0)
        return -1;
    self->nfield = inside.nfield;
    return 0;
}

static int
scan_content(struct scan *self, const ProtobufCMessageDescriptor *type,
             const ProtobufCFieldDescriptor *field, struct err *err)
{
    enum wire_shape shape = shape_of(field);
    uint64_t n = 8;

    if (shape != SHAPE_64 && !read_varint(self, &n))
        return fail(type, field, "cut off", err);
    if (shape == SHAPE_VARINT)
        return 0;
    if (n > (uint64_t)(self->end - self->at))
        return fail(type, field, "cut off", err);
    if (field->type == PROTOBUF_C_TYPE_STRING &&
        utf8_valid((const char *)self->at, n) != n)
        return fail(type, field, "not UTF-8 text", err);
    if (field->type == PROTOBUF_C_TYPE_MESSAGE &&
        scan_inside(self, field->descriptor, n, err) < 0)
        return -1;
    self->at += n;
    return 0;
}

static int
scan_message(struct scan *self, const ProtobufCMessageDescriptor *type,
             struct err *err)
{
    uint64_t seen = 0;

    assert(type->n_fields < 64);
    while (self->at < self->end) {
        const ProtobufCFieldDescriptor *field;
        uint64_t tag;

        if (!read_varint(self, &tag))
            return fail(type, NULL, "cut off", err);
        field = find_field(type, tag >> 3);
        if (!field)
            return fail(type, NULL, "a field that is not known", err);
        if ((tag & 7) != (uint64_t)shape_of(field))
            return fail(type, field, "of another type", err);
        if (++self->nfield > LIMIT_DECODE_COUNT)
            return fail(type, NULL, "too many fields", err);
        if (field->label != PROTOBUF_C_LABEL_REPEATED &&
            seen & UINT64_C(1) << field->id)
            return fail(type, field, "there twice", err);
        seen |= UINT64_C(1) << field->id;
        if (scan_content(self, type, field, err) < 0)
            return -1;
    }
    return 0;
}

bool
wire_scan_first(const unsigned char *message, size_t n, uint64_t *ret)
{
    struct scan scan = {message, message + n, 0};
    uint64_t key = 0;

    return read_varint(&scan, &key) && key == (1u << 3 | SHAPE_VARINT) &&
           read_varint(&scan, ret);
}

int
wire_scan(const ProtobufCMessageDescriptor *type, const void *data, size_t n,
          struct err *err)
{
    const uint8_t *at = data;
    struct scan scan = {at, at + n, 0};

    return scan_message(&scan, type, err);
}
