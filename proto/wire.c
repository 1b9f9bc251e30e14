/* SPDX-License-Identifier: MPL-2.0 */
#include "proto/wire.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <wire.pb-c.h>
#include <xxhash.h>

#include "base/mem.h"
#include "proto/limits.h"
#include "proto/wire_check.h"
#include "proto/wire_scan.h"

#define MOST_BYTES  (LIMIT_FRAME_BYTES - WIRE_ENVELOPE)
#define ARENA_CHUNK 4096u

const char *const wire_type_names[WIRE_TYPE_END] = {
    [WIRE_NONE] = "none",       [WIRE_LANE] = "lane",
    [WIRE_RETURN] = "return",   [WIRE_HELLO] = "hello",
    [WIRE_WELCOME] = "welcome", [WIRE_SUBMIT] = "submit",
    [WIRE_CHUNK] = "chunk",     [WIRE_BLOB] = "blob",
    [WIRE_ANSWER] = "answer",   [WIRE_ASK] = "ask",
    [WIRE_LOOK] = "look",       [WIRE_SEEN] = "seen",
};

/* ---- memory of one message ---- */

struct chunk {
    struct chunk *next;
    max_align_t room[];
};

struct arena {
    ProtobufCAllocator allocator;
    struct chunk *chunks;
    char *at;
    size_t left;         /* behind `at` */
    size_t bytes, count; /* given out */
    bool refused;
};

static void
arena_grow(struct arena *self, size_t n)
{
    size_t cap = 0;
    /* not zeroed: pages that are never used cost nothing */
    struct chunk *chunk = mem_grow(NULL, &cap, sizeof *chunk + n, 1);

    chunk->next = self->chunks;
    self->chunks = chunk;
    self->at = (char *)chunk->room;
    self->left = n;
}

static void *
arena_alloc(void *data, size_t n)
{
    struct arena *self = data;
    size_t most = LIMIT_DECODE_BYTES - self->bytes;
    char *at;

    if (n > most - 7 || self->count >= LIMIT_DECODE_COUNT) {
        self->refused = true;
        return NULL;
    }
    n = (n + 7) & ~(size_t)7;
    if (n > self->left)
        arena_grow(self, n > ARENA_CHUNK ? n : ARENA_CHUNK);
    at = self->at;
    self->at += n;
    self->left -= n;
    self->bytes += n;
    self->count++;
    return at;
}

static void
arena_free(void *data, void *p)
{
    (void)data;
    (void)p;
}

static void
free_chunks(struct chunk *chunk)
{
    while (chunk) {
        struct chunk *next = chunk->next;

        free(chunk);
        chunk = next;
    }
}

/* ---- the envelope ---- */

static void
put_u32(unsigned char *at, uint32_t n)
{
    for (unsigned i = 0; i < 4; i++)
        at[i] = (unsigned char)(n >> 8 * i);
}

static uint32_t
get_u32(const unsigned char *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
           (uint32_t)at[3] << 24;
}

static uint32_t
check_of(const void *message, size_t n)
{
    return (uint32_t)XXH3_64bits(message, n);
}

int
wire_frame_bytes(const void *data, size_t n, size_t *ret, struct err *err)
{
    const unsigned char *at = data;
    uint32_t length;

    if (n < WIRE_ENVELOPE) {
        *ret = 0;
        return 0;
    }
    if (at[0] != 'l' || at[1] != 'T')
        return err_set(err, ERR_INVALID, "not a frame of leat");
    if (at[2] != WIRE_VERSION)
        return err_set(err, ERR_DENIED,
                       "the peer speaks version %u of the protocol, this is "
                       "version %d",
                       at[2], WIRE_VERSION);
    if (at[3] == 0 || at[3] >= WIRE_TYPE_END)
        return err_set(err, ERR_INVALID, "a message of unknown type %u", at[3]);
    length = get_u32(at + 4);
    if (length > MOST_BYTES)
        return err_set(err, ERR_INVALID, "a frame of %u bytes; %u are the most",
                       length, MOST_BYTES);
    *ret = WIRE_ENVELOPE + (size_t)length;
    return 0;
}

static int
open_envelope(const void *data, size_t n, struct err *err)
{
    const unsigned char *at = data;
    size_t bytes = 0;

    if (wire_frame_bytes(data, n, &bytes, err) < 0)
        return -1;
    if (bytes == 0 || bytes != n)
        return err_set(err, ERR_INVALID, "a frame whose length is wrong");
    if (check_of(at + WIRE_ENVELOPE, n - WIRE_ENVELOPE) != get_u32(at + 8))
        return err_set(err, ERR_INVALID, "a damaged frame");
    return 0;
}

/* ---- messages ---- */

static int
unpack(struct wire *ret, const unsigned char *message, size_t n,
       struct err *err)
{
    const ProtobufCMessageDescriptor *type = wire_rows[ret->type].type;
    struct arena arena = {.allocator = {arena_alloc, arena_free, &arena}};

    if (wire_scan(type, message, n, err) < 0)
        return -1;
    arena_grow(&arena, ARENA_CHUNK + 4 * n);
    ret->as.base =
        protobuf_c_message_unpack(type, &arena.allocator, n, message);
    ret->memory = arena.chunks;
    if (ret->as.base)
        return 0;
    return err_set(err, ERR_INVALID, "%s: %s", type->short_name,
                   arena.refused ? "takes too much memory" : "malformed");
}

int
wire_decode(struct wire *ret, const void *data, size_t n, struct err *err)
{
    const unsigned char *at = data;
    struct wire wire = {0};

    if (open_envelope(data, n, err) < 0)
        return -1;
    wire.type = (enum wire_type)at[3];
    if (unpack(&wire, at + WIRE_ENVELOPE, n - WIRE_ENVELOPE, err) < 0 ||
        wire_rows[wire.type].check(&wire, err) < 0) {
        wire_release(&wire);
        return -1;
    }
    *ret = wire;
    return 0;
}

uint64_t
wire_session(const void *data, size_t n)
{
    const unsigned char *at = data;
    uint64_t session = 0;
    struct err ignored;

    if (open_envelope(data, n, &ignored) < 0 || at[3] != WIRE_RETURN ||
        !wire_scan_first(at + WIRE_ENVELOPE, n - WIRE_ENVELOPE, &session))
        return 0;
    return session;
}

void
wire_release(struct wire *self)
{
    free_chunks(self->memory);
    *self = (struct wire){0};
}

int
wire_encode(struct buf *out, enum wire_type type,
            const ProtobufCMessage *message, struct err *err)
{
    size_t n = protobuf_c_message_get_packed_size(message);
    size_t start = out->len;
    char *at;

    assert(message->descriptor == wire_rows[type].type);
    if (n > MOST_BYTES)
        return err_set(err, ERR_LIMIT,
                       "a message of %zu bytes (%s); %u are the most", n,
                       wire_type_names[type], MOST_BYTES);
    at = buf_reserve(out, WIRE_ENVELOPE + n);
    (void)protobuf_c_message_pack(message, (uint8_t *)at + WIRE_ENVELOPE);
    buf_added(out, WIRE_ENVELOPE + n);
    wire_seal(out, start, type);
    return 0;
}

void
wire_seal(struct buf *frame, size_t at, enum wire_type type)
{
    unsigned char *envelope = (unsigned char *)frame->data + at;
    const unsigned char *message = envelope + WIRE_ENVELOPE;
    size_t n = frame->len - at - WIRE_ENVELOPE;

    assert(n <= MOST_BYTES);
    envelope[0] = 'l';
    envelope[1] = 'T';
    envelope[2] = WIRE_VERSION;
    envelope[3] = (unsigned char)type;
    put_u32(envelope + 4, (uint32_t)n);
    put_u32(envelope + 8, check_of(message, n));
}
