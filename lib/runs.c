/* SPDX-License-Identifier: MPL-2.0 */
#include "lib/runs.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "flow/value.h"
#include "lib/client_impl.h"
#include "proto/limits.h"

#define LOOK_MS  100                /* between looks into a store */
#define AGAIN_MS 250                /* between attempts to reach a broker */
#define PATIENCE (60 * SPAN_SECOND) /* with a broker that went away */

struct runs {
    struct store *store;   /* or */
    struct client *client; /* never both */
};

/* ---- life ---- */

int
runs_of_store(struct runs **ret, const char *folder, enum store_mode mode,
              struct err *err)
{
    struct store *store = NULL;

    if (store_open(&store, folder, mode, err) < 0)
        return -1;
    *ret = mem_alloc(1, sizeof **ret);
    (*ret)->store = store;
    return 0;
}

struct runs *
runs_of_broker(struct client **client_p)
{
    struct runs *self = mem_alloc(1, sizeof *self);

    self->client = *client_p;
    *client_p = NULL;
    return self;
}

void
runs_close(struct runs **self_p)
{
    struct runs *self = *self_p;

    if (!self)
        return;
    store_close(&self->store);
    client_close(&self->client);
    free(self);
    *self_p = NULL;
}

struct store *
runs_store(struct runs *self)
{
    return self->store;
}

struct client *
runs_client(struct runs *self)
{
    return self->client;
}

/* ---- a broker's looks ---- */

static int
send_look(struct client *client, const Wire__Look *asked, struct err *err)
{
    Wire__Look look = *asked;

    look.tag = ++client->tag;
    return client_send(client, WIRE_LOOK, &look.base, err);
}

/* 1: *ret is a Seen, to be released; 0: `until` has come; -1: *err. */
static int
await_seen(struct client *client, int64_t until, struct wire *ret,
           struct err *err)
{
    for (;;) {
        enum client_step step =
            client_next(client, client->tag, until, ret, err);

        if (step == CLIENT_LATE)
            return 0;
        if (step == CLIENT_LOST || step == CLIENT_BAD)
            return -1;
        if (step == CLIENT_GOT)
            break;
    }
    if (ret->type == WIRE_SEEN)
        return 1;
    if (ret->type == WIRE_ANSWER && ret->as.answer->code != ERR_NONE)
        (void)client_refused(ret->as.answer, err);
    else
        (void)client_bad_answer(client, wire_type_names[ret->type], err);
    wire_release(ret);
    return -1;
}

static int
look(struct client *client, const Wire__Look *asked, struct wire *ret,
     struct err *err)
{
    int rc;

    if (send_look(client, asked, err) < 0)
        return -1;
    rc = await_seen(client, span_mono() + CLIENT_ANSWER, ret, err);
    if (rc == 0)
        (void)err_set(err, ERR_UNAVAILABLE, "the broker at %s does not answer",
                      client->address);
    return rc == 1 ? 0 : -1;
}

static int
read_run(const Wire__Seen *seen, struct store_run *ret, struct err *err)
{
    json_t *json = NULL;
    int rc;

    if (value_parse(VALUE_JSON, (const char *)seen->run.data, seen->run.len,
                    &json, err) < 0)
        return -1;
    rc = store_run_from_json(ret, json, err);
    json_decref(json);
    return rc;
}

/* ---- one run, and all ---- */

int
runs_find(struct runs *self, const char *which, uint64_t *ret, struct err *err)
{
    if (self->store)
        return store_find(self->store, which, ret, err);
    return client_ask(self->client, ASK_FIND, 0, which, 0, NULL, ret, err);
}

/* It comes in pieces, as output does. */
static int
read_source(struct client *client, struct store_run *run, struct err *err)
{
    Wire__Look asked;
    struct buf text = {0};
    bool more = true;

    wire__look__init(&asked);
    asked.run = run->id;
    asked.source = true;
    while (more) {
        struct wire message;
        const Wire__Seen *seen;

        if (look(client, &asked, &message, err) < 0) {
            buf_release(&text);
            return -1;
        }
        seen = message.as.seen;
        if (seen->output.len > LIMIT_FILE_BYTES - text.len) {
            wire_release(&message);
            buf_release(&text);
            return err_set(err, ERR_LIMIT, "the flow of run %llu is too large",
                           (unsigned long long)run->id);
        }
        buf_add(&text, seen->output.data, seen->output.len);
        asked.offset = text.len;
        more = seen->more && seen->output.len > 0;
        wire_release(&message);
    }
    free(run->source);
    run->source_len = text.len;
    run->source = buf_take(&text);
    return 0;
}

int
runs_get(struct runs *self, uint64_t run, bool with_source,
         struct store_run *ret, struct err *err)
{
    Wire__Look asked;
    struct wire message;
    int rc;

    wire__look__init(&asked);
    if (self->store)
        return store_run_get(self->store, run, with_source, ret, err);
    asked.run = run;
    if (look(self->client, &asked, &message, err) < 0)
        return -1;
    rc = read_run(message.as.seen, ret, err);
    wire_release(&message);
    if (rc == 0 && with_source && read_source(self->client, ret, err) < 0) {
        store_run_release(ret);
        rc = -1;
    }
    return rc;
}

int
runs_list(struct runs *self, size_t most, store_run_fn *fn, void *ctx,
          struct err *err)
{
    json_t *list = NULL;
    bool more = true;
    int rc = 0;

    if (self->store)
        return store_runs(self->store, most, fn, ctx, err);
    if (client_ask(self->client, ASK_RUNS, 0, NULL, most, &list, NULL, err) < 0)
        return -1;
    for (size_t i = 0; i < json_array_size(list) && more && rc == 0; i++) {
        struct store_run run = {0};

        rc = store_run_from_json(&run, json_array_get(list, i), err);
        if (rc == 0)
            more = fn(ctx, &run);
        store_run_release(&run);
    }
    json_decref(list);
    return rc;
}

/* ---- its records ---- */

static bool
on_record(void *ctx, const struct store_record *record)
{
    history_add(ctx, record);
    return true;
}

static int
take_batches(struct history *history, const Wire__Seen *seen, uint64_t *batch,
             struct err *err)
{
    for (size_t i = 0; i < seen->n_batches; i++) {
        const ProtobufCBinaryData *text = &seen->batches[i]->text;

        if (store_batch_records((const char *)text->data, text->len, on_record,
                                history, err) < 0)
            return -1;
        *batch = seen->batches[i]->number;
    }
    return 0;
}

static int
add_records(struct client *client, struct history *history, struct err *err)
{
    Wire__Look asked;
    bool more = true;
    int rc = 0;

    wire__look__init(&asked);
    asked.run = history->info.id;
    asked.records = true;
    while (more && rc == 0) {
        struct wire message;

        if (look(client, &asked, &message, err) < 0)
            return -1;
        rc = take_batches(history, message.as.seen, &asked.batch, err);
        more = message.as.seen->more;
        wire_release(&message);
    }
    return rc;
}

int
runs_history(struct runs *self, uint64_t run, struct history **ret,
             struct err *err)
{
    struct history *history = NULL;
    struct store_run info = {0};

    if (self->store)
        return history_load(ret, self->store, run, err);
    if (runs_get(self, run, true, &info, err) < 0 ||
        history_begin(&history, &info, err) < 0)
        return -1;
    if (add_records(self->client, history, err) < 0) {
        history_destroy(&history);
        return -1;
    }
    history_end(history);
    *ret = history;
    return 0;
}

/* ---- its output ---- */

struct pieces {
    const struct plan_id *only;
    store_piece_fn *fn;
    void *ctx;
    const char *end; /* of what was read */
    bool more;
};

static bool
on_piece(void *ctx, const struct store_piece *piece)
{
    struct pieces *self = ctx;
    const struct plan_id *only = self->only;

    if (!only ||
        (only->task == piece->id.task &&
         (only->child == PLAN_WHOLE || only->child == piece->id.child)))
        self->more = self->fn(self->ctx, piece);
    if (self->more)
        self->end = piece->data + piece->n;
    return self->more;
}

/* Output as it is stored: from *offset on, which is moved behind what is read. */
static int
take_pieces(struct pieces *self, const Wire__Seen *seen, uint64_t *offset,
            struct err *err)
{
    const char *data = (const char *)seen->output.data;
    size_t n = seen->output.len;

    if (seen->offset < n)
        return err_set(err, ERR_INVALID, "output is told of a wrong place");
    self->end = data;
    if (n > 0 && store_output_pieces(data, n, on_piece, self, err) < 0)
        return -1;
    *offset = seen->offset - n + (size_t)(self->end - data);
    return 0;
}

int
runs_pieces(struct runs *self, uint64_t run, const struct plan_id *only,
            uint64_t *offset, store_piece_fn *fn, void *ctx, struct err *err)
{
    struct pieces pieces = {.only = only, .fn = fn, .ctx = ctx, .more = true};
    Wire__Look asked;
    bool more = true;
    int rc = 0;

    wire__look__init(&asked);
    if (self->store)
        return store_pieces(self->store, run, only, offset, fn, ctx, err);
    asked.run = run;
    asked.output = true;
    while (more && pieces.more && rc == 0) {
        struct wire message;

        asked.offset = *offset;
        if (look(self->client, &asked, &message, err) < 0)
            return -1;
        rc = take_pieces(&pieces, message.as.seen, offset, err);
        more = message.as.seen->more;
        wire_release(&message);
    }
    return rc;
}

/* ---- removing ---- */

int
runs_remove(struct runs *self, uint64_t run, struct err *err)
{
    if (self->store)
        return store_remove(self->store, run, err);
    return client_ask(self->client, ASK_REMOVE, run, NULL, 0, NULL, NULL, err);
}

int
runs_prune(struct runs *self, size_t keep, int64_t age, size_t *removed,
           struct err *err)
{
    uint64_t number = 0;
    char *span;
    int rc;

    if (self->store)
        return store_prune(self->store, keep, age, removed, err);
    span = age > 0 ? mem_printf("%lldus", (long long)age) : mem_dup("");
    rc = client_ask(self->client, ASK_PRUNE, 0, span, keep, NULL, &number, err);
    free(span);
    if (rc == 0)
        *removed = (size_t)number;
    return rc;
}

/* ---- waiting ---- */

static int
wait_for_store(struct runs *self, uint64_t run, bool output, int64_t timeout,
               struct err *err)
{
    int64_t now = span_mono();
    int64_t end = timeout < SPAN_NEVER - now ? now + timeout : SPAN_NEVER;
    bool running = true;

    while (running && span_mono() < end) {
        struct store_run info = {0};

        if (store_run_get(self->store, run, false, &info, err) < 0)
            return -1;
        running = info.state == STORE_RUNNING;
        store_run_release(&info);
        if (!running)
            break;
        (void)poll(NULL, 0, LOOK_MS);
        if (output)
            break; /* whoever asks looks himself */
    }
    return 0;
}

static int
reach_again(struct client *client, struct err *err)
{
    int64_t until = span_mono() + PATIENCE;

    while (client_connect_again(client, err) < 0) {
        if (err->code != ERR_UNAVAILABLE || span_mono() >= until)
            return -1;
        (void)poll(NULL, 0, AGAIN_MS);
    }
    return 0;
}

int
runs_wait(struct runs *self, uint64_t run, bool output, uint64_t offset,
          int64_t timeout, struct err *err)
{
    int64_t now = span_mono();
    int64_t until = timeout < SPAN_NEVER - now ? now + timeout : SPAN_NEVER;
    Wire__Look asked;

    wire__look__init(&asked);
    if (self->store)
        return wait_for_store(self, run, output, timeout, err);
    asked.run = run;
    asked.output = output;
    asked.offset = offset;
    asked.wait = true;
    for (;;) {
        struct wire message;
        int rc = send_look(self->client, &asked, err);

        if (rc == 0)
            rc = await_seen(self->client, until, &message, err);
        if (rc == 1)
            wire_release(&message);
        if (rc >= 0)
            return 0;
        if (err->code != ERR_UNAVAILABLE || reach_again(self->client, err) < 0)
            return -1;
    }
}
