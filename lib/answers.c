/* SPDX-License-Identifier: MPL-2.0 */
#include "lib/answers.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/span.h"

#define ENOUGH_PLAIN (PAGE_PLAIN / 2)
#define ENOUGH_BYTES LIMIT_FRAME_BYTES
#define ENOUGH_TIME  SPAN_MS
#define HELD_NAP     50000 /* nanoseconds */

void
answers_init(struct answers *self, int fd, struct page *page)
{
    *self = (struct answers){.fd = fd, .page = page};
    self->out = return_out_new(0);
    self->plain = return_out_new(0);
    self->flushed = span_wall();
}

/* ---- sending ---- */

static void
send_all(const struct answers *self, const char *data, size_t n)
{
    while (n > 0) {
        ssize_t done = send(self->fd, data, n, MSG_NOSIGNAL);

        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            _exit(0); /* the agent has gone */
        data += done;
        n -= (size_t)done;
    }
}

/* The frame that was put together. */
static const struct buf *
frame(struct answers *self)
{
    const struct buf *frame = return_out_next(self->out);

    assert(frame);
    return frame;
}

static void
send_plain(struct answers *self, uint32_t n)
{
    const struct buf *made;

    for (uint32_t i = 0; i < n; i++) {
        const struct page_plain *plain = &self->page->plain[i];
        struct result result = {
            .ticket = plain->ticket,
            .state = PLAN_SUCCEEDED,
            .code = -1,
            .started = plain->began,
            .ended = plain->began + plain->took,
        };

        return_out_result(self->plain, i + 1, &result);
    }
    while ((made = return_out_next(self->plain))) {
        send_all(self, made->data, made->len);
        return_out_sent(self->plain);
    }
}

void
answers_flush(struct answers *self)
{
    struct page *page = self->page;
    uint32_t nplain = atomic_load(&page->nplain);
    uint32_t filled = atomic_load(&page->filled);

    self->flushed = span_wall();
    if (nplain == 0 && filled == 0)
        return;
    atomic_fetch_add(&page->turn, 1);
    if (nplain > 0)
        send_plain(self, nplain);
    send_all(self, page->unsent, filled);
    atomic_store(&page->nplain, 0);
    atomic_store(&page->filled, 0);
    atomic_fetch_add(&page->turn, 1);
}

/* Keep what was put together: one frame. */
static void
put_frame(struct answers *self)
{
    const struct buf *made = frame(self);
    struct page *page = self->page;
    uint32_t filled;

    if (made->len > sizeof page->unsent - atomic_load(&page->filled))
        answers_flush(self);
    filled = atomic_load(&page->filled);
    memcpy(page->unsent + filled, made->data, made->len);
    atomic_store(&page->filled, filled + (uint32_t)made->len);
    return_out_sent(self->out);
    self->noutput = 0;
}

/* ---- calls ---- */

/* The agent asks which call is being made, to end it, and another must not
 * begin meanwhile. */
static void
wait_while_held(struct answers *self)
{
    const struct timespec nap = {0, HELD_NAP};
    struct page *page = self->page;
    uint32_t hold;

    while ((hold = atomic_load(&page->hold)) != PAGE_GO) {
        if (hold == PAGE_END) {
            answers_flush(self);
            _exit(0);
        }
        (void)nanosleep(&nap, NULL);
    }
}

void
answers_begin(struct answers *self, uint32_t ticket, int64_t now)
{
    struct page *page = self->page;

    self->ticket = ticket;
    atomic_store_explicit(&page->began, now, memory_order_relaxed);
    atomic_store(&page->current, ticket);
    if (atomic_load(&page->hold) != PAGE_GO)
        wait_while_held(self);
}

/* Frames that are kept count, so that the agent knows each one again. */
static void
begin_frame(struct answers *self)
{
    if (self->noutput == 0)
        return_out_begin(self->out, ++self->frames);
}

void
answers_output(struct answers *self, int stream, const char *data, size_t n)
{
    while (n > 0) {
        size_t part = n < LIMIT_CHUNK_BYTES ? n : LIMIT_CHUNK_BYTES;

        if (self->noutput + part > LIMIT_CHUNK_BYTES)
            put_frame(self);
        begin_frame(self);
        return_out_output(self->out, &(struct output){.ticket = self->ticket,
                                                      .stream = stream,
                                                      .when = span_wall(),
                                                      .data = data,
                                                      .n = part});
        self->noutput += part;
        data += part;
        n -= part;
    }
}

static bool
is_plain(const struct answers *self, const struct result *result)
{
    return result->state == PLAN_SUCCEEDED && self->noutput == 0 &&
           (!result->value || json_is_null(result->value)) &&
           result->ended >= result->started &&
           result->ended - result->started <= UINT32_MAX;
}

static void
put_plain(struct answers *self, const struct result *result)
{
    struct page *page = self->page;
    uint32_t n = atomic_load_explicit(&page->nplain, memory_order_relaxed);

    page->plain[n] = (struct page_plain){
        self->ticket, (uint32_t)(result->ended - result->started),
        result->started};
    atomic_store_explicit(&page->nplain, n + 1, memory_order_release);
}

static void
put_result(struct answers *self, const struct result *result)
{
    /* A long value goes in a frame of its own: both must be one frame. */
    if (self->noutput > 0 && result->value)
        put_frame(self);
    begin_frame(self);
    return_out_result(self->out, 1, result);
    put_frame(self);
}

void
answers_end(struct answers *self, struct result *result)
{
    struct page *page = self->page;

    result->ticket = self->ticket;
    if (is_plain(self, result))
        put_plain(self, result);
    else
        put_result(self, result);
    if (atomic_load_explicit(&page->nplain, memory_order_relaxed) >=
            ENOUGH_PLAIN ||
        atomic_load_explicit(&page->filled, memory_order_relaxed) >=
            ENOUGH_BYTES ||
        result->ended - self->flushed > ENOUGH_TIME ||
        result->ended < self->flushed)
        answers_flush(self);
}
