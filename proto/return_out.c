/* SPDX-License-Identifier: MPL-2.0 */
/*
 * return_out - Return frames, written column by column as results come.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "flow/value.h"
#include "proto/convert.h"
#include "proto/frames.h"
#include "proto/limits.h"
#include "proto/pack.h"

#define FRAME_ROOM  ((size_t)LIMIT_FRAME_BYTES - 256)
#define PLAIN_BYTES ((size_t)5 + 10 + 5)
#define MOST_FIELDS (LIMIT_DECODE_COUNT - 4096u)
/* A result or a piece of output: what there is of it besides text. */
#define MESSAGE_BYTES ((size_t)128)
#define RESULT_FIELDS 12
#define OUTPUT_FIELDS 7

enum return_field {
    RETURN_SESSION = 1,
    RETURN_FIRST,
    RETURN_PLAIN,
    RETURN_BEGAN,
    RETURN_TOOK,
    RETURN_RESULTS,
    RETURN_STARTED,
    RETURN_GIVEN_BACK,
    RETURN_OUTPUT,
    RETURN_BEAT,
    RETURN_LEAVING,
};

struct return_out {
    struct frames frames;
    uint64_t session;
    /* of the frame that is being built */
    uint64_t first, nresult; /* numbers of results: first.. */
    struct buf plain, began, took;
    int64_t before; /* when the last of them began */
    struct buf results, started, given_back, output, beat;
    bool has_beat, leaving;
    size_t bytes, nfield; /* at most */
    struct buf one, scratch;
};

struct return_out *
return_out_new(uint64_t session)
{
    struct return_out *self = mem_alloc(1, sizeof *self);

    self->session = session;
    return self;
}

void
return_out_destroy(struct return_out **self_p)
{
    struct return_out *self = *self_p;

    *self_p = NULL;
    if (!self)
        return;
    frames_release(&self->frames);
    buf_release(&self->plain);
    buf_release(&self->began);
    buf_release(&self->took);
    buf_release(&self->results);
    buf_release(&self->started);
    buf_release(&self->given_back);
    buf_release(&self->output);
    buf_release(&self->beat);
    buf_release(&self->one);
    buf_release(&self->scratch);
    free(self);
}

/* ---- frames ---- */

static void
clear(struct return_out *self)
{
    self->first = self->nresult = 0;
    buf_clear(&self->plain);
    buf_clear(&self->began);
    buf_clear(&self->took);
    self->before = 0;
    buf_clear(&self->results);
    buf_clear(&self->started);
    buf_clear(&self->given_back);
    buf_clear(&self->output);
    buf_clear(&self->beat);
    self->has_beat = self->leaving = false;
    self->bytes = self->nfield = 0;
}

void
return_out_begin(struct return_out *self, uint64_t session)
{
    frames_clear(&self->frames);
    clear(self);
    self->session = session;
}

static bool
is_empty(const struct return_out *self)
{
    return self->bytes == 0 && !self->leaving;
}

static void
end_frame(struct return_out *self)
{
    struct buf *out = frames_add(&self->frames);

    (void)buf_reserve(out, WIRE_ENVELOPE);
    buf_added(out, WIRE_ENVELOPE);
    pack_unsigned(out, RETURN_SESSION, self->session);
    pack_unsigned(out, RETURN_FIRST, self->first);
    pack_buf(out, RETURN_PLAIN, &self->plain);
    pack_buf(out, RETURN_BEGAN, &self->began);
    pack_buf(out, RETURN_TOOK, &self->took);
    buf_add(out, self->results.data, self->results.len);
    pack_buf(out, RETURN_STARTED, &self->started);
    pack_buf(out, RETURN_GIVEN_BACK, &self->given_back);
    buf_add(out, self->output.data, self->output.len);
    if (self->has_beat)
        pack_element(out, RETURN_BEAT, self->beat.data, self->beat.len);
    pack_unsigned(out, RETURN_LEAVING, self->leaving);
    wire_seal(out, 0, WIRE_RETURN);
    frames_filled(&self->frames);
    clear(self);
}

/* Count in what is put in next, in a new frame if this one is full. */
static void
make_room(struct return_out *self, size_t bytes, size_t nfield)
{
    if (self->bytes + bytes > FRAME_ROOM ||
        self->nfield + nfield > MOST_FIELDS || self->nresult >= LIMIT_WINDOW)
        end_frame(self);
    self->bytes += bytes;
    self->nfield += nfield;
}

static void
add_ticket(struct return_out *self, struct buf *column, uint32_t ticket)
{
    make_room(self, 5, 0);
    pack_number(column, ticket);
}

void
return_out_started(struct return_out *self, uint32_t ticket)
{
    add_ticket(self, &self->started, ticket);
}

void
return_out_given_back(struct return_out *self, uint32_t ticket)
{
    add_ticket(self, &self->given_back, ticket);
}

/* ---- results ---- */

/* Nothing to tell but that it went well, and when. */
static bool
is_plain(const struct result *result)
{
    int64_t took = result->ended - result->started;

    return result->state == PLAN_SUCCEEDED &&
           (!result->value || json_is_null(result->value)) && !result->cause &&
           result->code == -1 && result->cpu == 0 && result->memory == 0 &&
           !result->cwd && result->refused == REFUSED_NOT &&
           result->started >= 0 && took >= 0 && took <= UINT32_MAX;
}

static void
add_plain(struct return_out *self, const struct result *result)
{
    pack_number(&self->plain, result->ticket);
    pack_number(&self->began, pack_zigzag(result->started - self->before));
    pack_number(&self->took, (uint64_t)(result->ended - result->started));
    self->before = result->started;
}

/* As much of a text as may travel, UTF-8 in any case. */
static void
pack_cut(struct return_out *self, unsigned field, const char *text, size_t most)
{
    struct buf *safe = &self->scratch;
    size_t n = strlen(text);

    buf_clear(safe);
    if (utf8_valid(text, n) == n)
        buf_add(safe, text, n);
    else
        utf8_escape(safe, text, n);
    n = safe->len;
    if (n > most) {
        for (n = most; n > 0 && (safe->data[n] & 0xc0) == 0x80;)
            n--;
    }
    pack_bytes(&self->one, field, safe->data, n);
}

static int64_t
not_negative(int64_t n)
{
    return n < 0 ? 0 : n;
}

static void
pack_result(struct return_out *self, const struct result *result)
{
    struct buf *out = &self->one;
    enum plan_state state = result->state;
    char too_long[LIMIT_CAUSE_BYTES];
    const char *cause = result->cause;

    buf_clear(&self->scratch);
    if (result->value && !json_is_null(result->value))
        value_json(result->value, &self->scratch);
    if (self->scratch.len > LIMIT_TRAVEL_BYTES) {
        (void)snprintf(too_long, sizeof too_long,
                       "the value has %zu bytes; %u are the most that travel "
                       "from an agent: write a file and give its path",
                       self->scratch.len, LIMIT_TRAVEL_BYTES);
        buf_clear(&self->scratch);
        state = PLAN_FAILED;
        cause = too_long;
    }
    buf_clear(out);
    pack_unsigned(out, 1, result->ticket);
    pack_unsigned(out, 2, (unsigned)state);
    pack_buf(out, 3, &self->scratch);
    if (cause)
        pack_cut(self, 4, cause, LIMIT_CAUSE_BYTES);
    pack_signed(out, 5, result->code < -1 ? -1 : result->code);
    pack_signed(out, 6, not_negative(result->started));
    pack_signed(out, 7, not_negative(result->ended));
    pack_signed(out, 8, not_negative(result->cpu));
    pack_signed(out, 9, not_negative(result->memory));
    if (result->cwd)
        pack_cut(self, 10, result->cwd, LIMIT_PATH_BYTES);
    pack_unsigned(out, 11, (unsigned)result->refused);
}

/* Plain ones are numbered before the others, so that one which comes after
 * another is written like it. */
void
return_out_result(struct return_out *self, uint64_t number,
                  const struct result *result)
{
    assert(number > 0 && result->ticket > 0);
    if (self->nresult > 0 && number != self->first + self->nresult)
        end_frame(self);
    if (self->results.len == 0 && is_plain(result)) {
        make_room(self, PLAIN_BYTES, 0);
        add_plain(self, result);
    } else {
        pack_result(self, result);
        make_room(self, self->one.len + 6, RESULT_FIELDS);
        pack_element(&self->results, RETURN_RESULTS, self->one.data,
                     self->one.len);
    }
    if (self->nresult++ == 0)
        self->first = number;
}

/* ---- the rest ---- */

void
return_out_output(struct return_out *self, const struct output *output)
{
    size_t done = 0;

    assert(output->ticket > 0 && output->stream >= 0 && output->stream <= 2);
    while (done < output->n) {
        size_t piece = output->n - done;

        if (piece > LIMIT_CHUNK_BYTES)
            piece = LIMIT_CHUNK_BYTES;
        make_room(self, MESSAGE_BYTES + piece, OUTPUT_FIELDS);
        buf_clear(&self->one);
        pack_unsigned(&self->one, 1, output->ticket);
        pack_unsigned(&self->one, 2, (unsigned)output->stream);
        pack_signed(&self->one, 3, output->when);
        pack_bytes(&self->one, 4, output->data + done, piece);
        pack_unsigned(&self->one, 5, output->offset + done);
        pack_unsigned(&self->one, 6, output->origin);
        pack_element(&self->output, RETURN_OUTPUT, self->one.data,
                     self->one.len);
        done += piece;
    }
}

void
return_out_beat(struct return_out *self, const struct beat *beat)
{
    make_room(self, MESSAGE_BYTES, 8);
    self->has_beat = true;
    buf_clear(&self->beat);
    pack_unsigned(&self->beat, 1, beat->number);
    pack_unsigned(&self->beat, 2, beat->queued);
    pack_unsigned(&self->beat, 3, beat->running);
    pack_double(&self->beat, 4, beat->load);
    pack_unsigned(&self->beat, 5, beat->memory);
}

void
return_out_leaving(struct return_out *self)
{
    self->leaving = true;
}

const struct buf *
return_out_next(struct return_out *self)
{
    if (!frames_next(&self->frames) && !is_empty(self))
        end_frame(self);
    return frames_next(&self->frames);
}

void
return_out_sent(struct return_out *self)
{
    frames_sent(&self->frames);
}

size_t
return_out_bytes(const struct return_out *self)
{
    return self->frames.bytes + self->bytes;
}
