/* SPDX-License-Identifier: MPL-2.0 */
/*
 * reader_look - what a run has come to since a place.
 *
 * The row is read first: if it says that the run is at its end, all that
 * belongs to it is found after that. A large row travels alone, when there is
 * nothing else to tell.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "broker/reader_impl.h"
#include "flow/value.h"

#define ROW_SMALL  ((size_t)64 << 10)
#define BATCHES    256u                /* in a frame */
#define ALL_ENOUGH ((size_t)512 << 10) /* then no further batch is added */

struct seen {
    struct buf row, output;
    struct Wire__Batch batches[BATCHES];
    struct Wire__Batch *list[BATCHES];
    size_t nbatch;
    size_t bytes; /* of batches */
    size_t room;  /* for batches */
    bool more, too_long;
    uint64_t offset;
};

static bool
take_batch(void *ctx, uint64_t number, const char *text, size_t n)
{
    struct seen *seen = ctx;
    Wire__Batch *batch = &seen->batches[seen->nbatch];

    if (seen->bytes + n + 32 > seen->room) {
        seen->more = true;
        seen->too_long = seen->nbatch == 0;
        return false;
    }
    *batch = (Wire__Batch)WIRE__BATCH__INIT;
    batch->number = number;
    batch->text.data = (uint8_t *)mem_text(text, n);
    batch->text.len = n;
    seen->list[seen->nbatch++] = batch;
    seen->bytes += n + 32;
    if (seen->nbatch < BATCHES && seen->bytes < ALL_ENOUGH)
        return true;
    seen->more = true; /* perhaps; the next look will tell */
    return false;
}

static void
release(struct seen *seen)
{
    for (size_t i = 0; i < seen->nbatch; i++)
        free(seen->batches[i].text.data);
    buf_release(&seen->row);
    buf_release(&seen->output);
    free(seen);
}

/* What is too long for a frame even alone is left out, and said so. */
static void
write_row(const struct store_run *run, struct buf *out)
{
    json_t *json = store_run_to_json(run);
    size_t n;

    value_json(json, out);
    n = out->len;
    if (n > FRAME_ROOM) {
        buf_clear(out);
        (void)json_object_del(json, "output");
        (void)json_object_set_new(json, "too_long",
                                  json_integer((json_int_t)n));
        value_json(json, out);
    }
    if (out->len > FRAME_ROOM) {
        buf_clear(out);
        (void)json_object_del(json, "params");
        (void)json_object_del(json, "options");
        value_json(json, out);
    }
    json_decref(json);
}

static int
read_batches(struct broker_reader *self, const struct broker_look *look,
             struct seen *seen, struct err *err)
{
    seen->room = FRAME_ROOM - (seen->row.len <= ROW_SMALL ? seen->row.len : 0);
    if (store_batches(self->store, look->run, look->batch, take_batch, seen,
                      err) < 0)
        return -1;
    if (seen->too_long)
        return err_set(err, ERR_LIMIT,
                       "run %llu has values that are too long to travel: look "
                       "at it where the broker's store is",
                       (unsigned long long)look->run);
    return 0;
}

/* A piece of the source, which is in the run already. */
static void
cut_source(const struct broker_look *look, const struct store_run *run,
           struct seen *seen)
{
    size_t left = look->offset < run->source_len
                      ? run->source_len - (size_t)look->offset
                      : 0;
    size_t n = left < LIMIT_CHUNK_BYTES ? left : LIMIT_CHUNK_BYTES;

    if (n > 0)
        buf_add(&seen->output, run->source + look->offset, n);
    seen->offset = look->offset + n;
    seen->more = left > n;
}

static int
read_output(struct broker_reader *self, const struct broker_look *look,
            struct seen *seen, struct err *err)
{
    bool more = false;
    /* A large one gives way: it comes when there is nothing else. */
    size_t row = seen->row.len <= ROW_SMALL ? seen->row.len : 0;

    if (seen->bytes + row + LIMIT_CHUNK_BYTES > FRAME_ROOM) {
        seen->more = true;
        return 0;
    }
    if (store_output_raw(self->store, look->run, &seen->offset,
                         LIMIT_CHUNK_BYTES, &seen->output, &more, err) < 0)
        return -1;
    seen->more = seen->more || more;
    return 0;
}

static int
read_all(struct broker_reader *self, const struct broker_look *look,
         const struct store_run *run, struct seen *seen, struct err *err)
{
    bool large;

    write_row(run, &seen->row);
    large = seen->row.len > ROW_SMALL;
    if (look->records && read_batches(self, look, seen, err) < 0)
        return -1;
    if (look->source)
        cut_source(look, run, seen);
    else if (look->output && read_output(self, look, seen, err) < 0)
        return -1;
    /* Large, and not alone: the next time. */
    if (large && (seen->nbatch > 0 || seen->output.len > 0)) {
        seen->more = true;
        buf_clear(&seen->row);
    }
    return 0;
}

static void
write_seen(struct broker_question *question, const struct seen *seen)
{
    Wire__Seen message = WIRE__SEEN__INIT;
    struct err err;

    message.tag = question->tag;
    message.run.data = (uint8_t *)seen->row.data;
    message.run.len = seen->row.len;
    message.batches = (Wire__Batch **)(uintptr_t)seen->list;
    message.n_batches = seen->nbatch;
    message.offset = seen->offset;
    message.output.data = (uint8_t *)seen->output.data;
    message.output.len = seen->output.len;
    message.more = seen->more;
    if (wire_encode(&question->frames, WIRE_SEEN, &message.base, &err) < 0)
        broker_question_fail(question, &err);
}

void
broker_reader_look(struct broker_reader *self, struct broker_question *question)
{
    const struct broker_look *look = &question->look;
    struct seen *seen = mem_alloc(1, sizeof *seen);
    struct store_run run = {0};
    struct err err;
    bool nothing;

    seen->offset = look->offset;
    if (store_run_get(self->store, look->run, look->source, &run, &err) < 0 ||
        read_all(self, look, &run, seen, &err) < 0) {
        broker_question_fail(question, &err);
        goto out;
    }
    nothing = seen->nbatch == 0 && seen->output.len == 0 && !seen->more &&
              (run.state == STORE_RUNNING || run.state == STORE_INTERRUPTED);
    if (!look->wait || !nothing)
        write_seen(question, seen);
out:
    store_run_release(&run);
    release(seen);
}
