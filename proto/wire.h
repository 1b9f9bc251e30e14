/* SPDX-License-Identifier: MPL-2.0 */
/*
 * wire - from messages to frames and back, with every bound.
 *
 * A frame is an envelope of 12 bytes and a protobuf message:
 *
 *   magic "lT" | version u8 | type u8 | length u32 LE | check u32 LE | message
 *
 * `check` is the low half of XXH3-64 of the message. The envelope is looked at
 * before anything is decoded; what is decoded may take no more than
 * LIMIT_DECODE_BYTES of memory, of an allocator that frees it all at once. After
 * wire_decode a message is right by itself: lengths, ranges, UTF-8, columns of
 * equal length; whether it makes sense now is its receiver's business.
 */
#ifndef PROTO_WIRE_H
#define PROTO_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include <protobuf-c/protobuf-c.h>

#include "base/buf.h"
#include "base/err.h"

#define WIRE_VERSION  1
#define WIRE_ENVELOPE 12

enum wire_type {
    WIRE_NONE, /* of a struct wire of zeroes */
    WIRE_LANE,
    WIRE_RETURN,
    WIRE_HELLO,
    WIRE_WELCOME,
    WIRE_SUBMIT,
    WIRE_CHUNK,
    WIRE_BLOB,
    WIRE_ANSWER,
    WIRE_ASK,
    WIRE_LOOK,
    WIRE_SEEN,
    WIRE_TYPE_END
};

extern const char *const wire_type_names[WIRE_TYPE_END];

enum ask_what {
    ASK_VERSION, /* document: {"version", "epoch", ...} */
    ASK_FIND,    /* text: "12", "last", a name; number */
    ASK_RUNS,    /* number: at most; documents, `more` */
    ASK_CANCEL,  /* run; text: a task as shown, or ""; number 1: kill */
    ASK_RETRY,   /* run; text: a task to start from, or ""; options */
    ASK_REMOVE,  /* run */
    ASK_AGENTS,  /* document: a list */
    ASK_DRAIN,   /* text: an agent's name */
    ASK_WHY,     /* run, text: a task as shown, or ""; document: sentences */
    ASK_PRUNE,   /* number: keep; text: span; number of removed */
    ASK_COUNT
};

/* A decoded message: .base is of the type's own struct (Wire__Lane, ...). */
struct wire {
    enum wire_type type;
    union {
        ProtobufCMessage *base;
        struct Wire__Lane *lane;
        struct Wire__Return *back;
        struct Wire__Hello *hello;
        struct Wire__Welcome *welcome;
        struct Wire__Submit *submit;
        struct Wire__Chunk *chunk;
        struct Wire__Blob *blob;
        struct Wire__Answer *answer;
        struct Wire__Ask *ask;
        struct Wire__Look *look;
        struct Wire__Seen *seen;
    } as;
    void *memory; /* private */
};

/*
 * Decode one frame. ERR_INVALID: it is no frame of ours, damaged, or breaks a
 * rule; the text says what, without quoting what came. ERR_DENIED: another
 * version of the protocol (which).
 */
int wire_decode(struct wire *ret, const void *data, size_t n, struct err *err);
void wire_release(struct wire *self);

/* Of a Return that was refused, in a whole frame: which session it says it is
 * of. 0: it does not. */
uint64_t wire_session(const void *data, size_t n);

/* Only the envelope: how long the whole frame is, for streams of frames. 0 if n
 * is not yet WIRE_ENVELOPE. */
int wire_frame_bytes(const void *data, size_t n, size_t *ret, struct err *err);

/* Append the frame of a message. ERR_LIMIT if it is past LIMIT_FRAME_BYTES. */
int wire_encode(struct buf *out, enum wire_type type,
                const ProtobufCMessage *message, struct err *err);

/* Put the envelope in front of a message that was written otherwise: there are
 * WIRE_ENVELOPE bytes of room at `at`, and the message is all behind it. */
void wire_seal(struct buf *frame, size_t at, enum wire_type type);

#endif
