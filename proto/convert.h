/* SPDX-License-Identifier: MPL-2.0 */
/*
 * convert - between what the cores speak of (proto/items.h) and frames.
 *
 * Whatever is due goes into a lane_out (to an agent or a worker) or a
 * return_out (back): they put it together into as few frames as possible, none
 * above LIMIT_FRAME_BYTES, in order. The sender's loop is
 *
 *   while ((frame = lane_out_next(out)) &&
 *          link_send(socket, frame->data, frame->len, err) == 1)
 *       lane_out_sent(out);
 *
 * and the reader's is wire_decode, lane_read or return_read, wire_release.
 * A frame is begun by what is put in and ended by asking for it, so ask once a
 * turn, when everything is in.
 */
#ifndef PROTO_CONVERT_H
#define PROTO_CONVERT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "proto/items.h"
#include "proto/wire.h"

/* ---- down a lane ---- */

struct lane_out;

struct lane_out *lane_out_new(void);
void lane_out_destroy(struct lane_out **self_p);

/*
 * A task; nothing of it is kept. What tasks of a frame have in common goes once
 * (the same run and task have the same spec), what those of a run have (the
 * same spec->common, run and home) only if the receiver does not know it: see
 * LIMIT_LANE_RUNS. -1 if it can't travel: ERR_LIMIT,
 * its values or its script are too long; ERR_INVALID, a text is not UTF-8. Then
 * nothing was put in, and the attempt fails with that text.
 */
int lane_out_task(struct lane_out *self, const struct lane_task *task,
                  struct err *err);
void lane_out_cancel(struct lane_out *self, uint32_t ticket, bool at_once);
void lane_out_recall(struct lane_out *self, uint32_t ticket);
/* Nothing more will come of that run. */
void lane_out_forget(struct lane_out *self, uint64_t run);
/* Before an acknowledgement that is not for it; and what it waited for. */
void lane_out_keep(struct lane_out *self, uint32_t ticket);
void lane_out_done(struct lane_out *self, uint32_t ticket);
/* Of several in a frame the last counts. */
void lane_out_ack(struct lane_out *self, uint64_t number);
void lane_out_saved(struct lane_out *self, uint64_t bytes);
void lane_out_beat(struct lane_out *self, uint64_t number);
void lane_out_drain(struct lane_out *self);
void lane_out_leave(struct lane_out *self);

/* The frame to send next, NULL if there is none; valid until the next call. */
const struct buf *lane_out_next(struct lane_out *self);
void lane_out_sent(struct lane_out *self);
/* Of frames that wait, about. */
size_t lane_out_bytes(const struct lane_out *self);

/* In this order; a call that is NULL is left out. */
struct lane_calls {
    /* *task->work and its spec are the receiver's now, until lane_work_free;
     * the struct lane_task is not. NULL: they are freed. */
    void (*task)(void *ctx, const struct lane_task *task);
    void (*cancel)(void *ctx, uint32_t ticket, bool at_once);
    void (*recall)(void *ctx, uint32_t ticket);
    void (*saved)(void *ctx, uint64_t bytes);
    void (*keep)(void *ctx, uint32_t ticket);
    void (*done)(void *ctx, uint32_t ticket);
    void (*ack)(void *ctx, uint64_t number);
    void (*drain)(void *ctx);
    void (*beat)(void *ctx, uint64_t number);
    void (*leave)(void *ctx);
    /* Calls without `when` and `creates` go on to a worker: what is their own
     * comes as text, work.item, which nobody has looked at. */
    bool passes_on;
};

/* What the reader of one lane knows of runs. */
struct lane_in;

struct lane_in *lane_in_new(void);
void lane_in_destroy(struct lane_in **self_p);
/* Another lane begins. Works that were handed out stay as they are. */
void lane_in_clear(struct lane_in *self);

/*
 * Hand out what is in a Lane (of which wire_decode has said that it is right).
 * ERR_INVALID if JSON in it is malformed, or a run is not known: the sender is
 * broken; what came before it in the frame has been handed out.
 *
 * work.name is NULL for a call without `when` and `creates`, as work_gather has
 * it; otherwise it is never NULL.
 */
int lane_read(struct lane_in *in, const struct wire *wire,
              const struct lane_calls *calls, void *ctx, struct err *err);

/*
 * Read what lane_read passed on: own and the like are set, item is not any more.
 * Nothing if there is no item. ERR_INVALID: it is malformed.
 */
int lane_work_read(const struct work *work, struct err *err);

/* Of a work that lane_read handed out. It shares its spec with others of its
 * frame, and that what is the run's; the last one frees it. For one thread. NULL
 * is nothing. */
void lane_work_free(const struct work *work);

/* ---- back ---- */

struct return_out;

/* session: from the Welcome; a worker has 0. */
struct return_out *return_out_new(uint64_t session);
void return_out_destroy(struct return_out **self_p);
/* Forget everything that was not sent: another session begins. */
void return_out_begin(struct return_out *self, uint64_t session);

void return_out_started(struct return_out *self, uint32_t ticket);
/*
 * Results are read back with these very numbers; cheapest when they go up by
 * one. It always goes: a value that is too long makes it FAILED with a cause
 * that says so, a cause that is too long is cut, text that is not UTF-8 gets
 * escapes.
 */
void return_out_result(struct return_out *self, uint64_t number,
                       const struct result *result);
void return_out_given_back(struct return_out *self, uint32_t ticket);
/* Any length. Comes before the results of its frame when it is read. */
void return_out_output(struct return_out *self, const struct output *output);
void return_out_beat(struct return_out *self, const struct beat *beat);
void return_out_leaving(struct return_out *self);

const struct buf *return_out_next(struct return_out *self);
void return_out_sent(struct return_out *self);
size_t return_out_bytes(const struct return_out *self);

/* In this order; a call that is NULL is left out. Pointers are valid during
 * the call (result->value: incref it to keep it). */
struct return_calls {
    void (*beat)(void *ctx, const struct beat *beat);
    void (*started)(void *ctx, uint32_t ticket);
    void (*output)(void *ctx, const struct output *output);
    void (*result)(void *ctx, uint64_t number, const struct result *result);
    void (*given_back)(void *ctx, uint32_t ticket);
    void (*leaving)(void *ctx);
};

/* The session it belongs to is wire->as.back->session. ERR_INVALID as above. */
int return_read(const struct wire *wire, const struct return_calls *calls,
                void *ctx, struct err *err);

/* ---- control ---- */

/* Append a frame. ERR_LIMIT if it is too long for one. */
int hello_write(struct buf *out, uint64_t tag, const struct agent_info *info,
                const struct held *held, size_t nheld, struct err *err);
int welcome_write(struct buf *out, uint64_t tag, uint64_t session,
                  uint32_t epoch, const char *lane, const char *back,
                  const uint32_t *tickets, size_t nticket, struct err *err);
/* failed: what is wrong, or NULL. Always goes. */
void answer_write(struct buf *out, uint64_t tag, const struct err *failed,
                  uint64_t number);

/* A Hello; its texts are the message's, the arrays are its own. */
struct hello {
    uint64_t tag;
    struct agent_info info;
    struct held *held;
    size_t nheld;
};

void hello_read(struct hello *ret, const struct wire *wire);
void hello_release(struct hello *self);

#endif
