/* SPDX-License-Identifier: MPL-2.0 */
#include "broker/submit.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include <wire.pb-c.h>

#include "base/mem.h"
#include "base/span.h"
#include "flow/value.h"
#include "proto/limits.h"

#define LATE      (30 * SPAN_SECOND)
#define ALL_BYTES ((uint64_t)2 * LIMIT_FILE_BYTES)
#define UPLOADS   LIMIT_CLIENTS

struct upload {
    TAILQ_ENTRY(upload) link; /* that heard of last at the end */
    struct broker_client client;
    uint64_t tag;
    uint64_t bytes, offset; /* in all; and come so far */
    int64_t heard;
    struct broker_submission *submission; /* NULL: a program */
    size_t cap;
    unsigned char hash[PROGRAM_HASH];
};
TAILQ_HEAD(uploads, upload);

struct broker_submit {
    struct uploads uploads;
    size_t n;
    uint64_t bytes; /* of flows that were announced and not read yet */
};

struct broker_submit *
broker_submit_new(void)
{
    struct broker_submit *self = mem_alloc(1, sizeof *self);

    TAILQ_INIT(&self->uploads);
    return self;
}

static void
free_upload(struct upload *upload)
{
    broker_submission_destroy(&upload->submission);
    free(upload);
}

static void
remove_upload(struct broker_submit *self, struct upload *upload)
{
    TAILQ_REMOVE(&self->uploads, upload, link);
    self->n--;
    if (upload->submission)
        self->bytes -= upload->bytes;
    free_upload(upload);
}

void
broker_submit_destroy(struct broker_submit **self_p)
{
    struct broker_submit *self = *self_p;
    struct upload *upload, *after;

    if (!self)
        return;
    *self_p = NULL;
    for (upload = TAILQ_FIRST(&self->uploads); upload; upload = after) {
        after = TAILQ_NEXT(upload, link);
        free_upload(upload);
    }
    free(self);
}

static struct upload *
find(struct broker_submit *self, const struct broker_client *client,
     uint64_t tag)
{
    struct upload *upload;

    TAILQ_FOREACH(upload, &self->uploads, link) {
        if (upload->tag == tag && upload->client.n == client->n &&
            memcmp(upload->client.name, client->name, client->n) == 0)
            return upload;
    }
    return NULL;
}

/* ---- flows ---- */

static char *
text_or_null(const char *text)
{
    return *text ? mem_dup(text) : NULL;
}

/* An object, or nothing. */
static int
read_object(const ProtobufCBinaryData *bytes, const char *what, json_t **ret,
            struct err *err)
{
    json_t *json = NULL;

    if (bytes->len == 0) {
        *ret = json_object();
        return 0;
    }
    if (value_parse(VALUE_JSON, (const char *)bytes->data, bytes->len, &json,
                    err) < 0)
        return err_prefix(err, "%s: ", what);
    if (!json_is_object(json)) {
        json_decref(json);
        return err_set(err, ERR_INVALID, "%s: not an object", what);
    }
    *ret = json;
    return 0;
}

/* Forwarded variables: names and texts. */
static int
take_env(struct broker_submission *in, struct err *err)
{
    json_t *env = json_object_get(in->options, "env");
    const char *name;
    json_t *value;

    if (!env || json_is_null(env))
        return 0;
    if (!json_is_object(env))
        return err_set(err, ERR_INVALID, "options: `env` is not an object");
    json_object_foreach(env, name, value) {
        if (!json_is_string(value) || !*name || strchr(name, '='))
            return err_set(err, ERR_INVALID,
                           "options: `env` is not of names and texts");
    }
    in->env = json_incref(env);
    return 0;
}

/* Microseconds. */
static int
take_timeout(struct broker_submission *in, struct err *err)
{
    const json_t *timeout = json_object_get(in->options, "timeout");

    if (!timeout || json_is_null(timeout))
        return 0;
    if (!json_is_integer(timeout) || json_integer_value(timeout) < 0 ||
        json_integer_value(timeout) > (json_int_t)LIMIT_SPAN_US)
        return err_set(err, ERR_INVALID, "options: `timeout` is no time");
    in->timeout = json_integer_value(timeout);
    return 0;
}

int
broker_submit_options(const ProtobufCBinaryData *bytes,
                      struct broker_submission *ret, struct err *err)
{
    if (read_object(bytes, "options", &ret->options, err) < 0 ||
        take_env(ret, err) < 0 || take_timeout(ret, err) < 0)
        return -1;
    return 0;
}

static int
read_submit(const Wire__Submit *message, struct broker_submission *in,
            struct err *err)
{
    if (read_object(&message->params, "params", &in->row.params, err) < 0 ||
        broker_submit_options(&message->options, in, err) < 0)
        return -1;
    /* They travel with every task. */
    if (message->params.len > LIMIT_ITEM_BYTES)
        return err_set(err, ERR_LIMIT,
                       "the parameters are %zu KiB of JSON; at most %u KiB "
                       "travel with a task: write them to a file and pass its "
                       "name",
                       message->params.len >> 10, LIMIT_ITEM_BYTES >> 10);
    in->row.name = text_or_null(message->name);
    in->row.file = text_or_null(message->file);
    in->row.cwd = text_or_null(message->cwd);
    buf_add(&in->program, message->program.data, message->program.len);
    memcpy(in->source_hash, message->source_hash.data, sizeof in->source_hash);
    in->bytes = message->source_bytes;
    in->timeout = message->timeout;
    in->no_cache = message->no_cache;
    in->token = message->token;
    in->from = PLAN_NONE;
    return 0;
}

/* NULL: there are too many. */
static struct upload *
add(struct broker_submit *self, const struct broker_client *client,
    uint64_t tag, int64_t now, struct err *err)
{
    struct upload *upload = find(self, client, tag);

    if (upload)
        remove_upload(self, upload);
    if (self->n >= UPLOADS) {
        (void)err_set(err, ERR_LIMIT,
                      "the broker is being sent %zu things already", self->n);
        return NULL;
    }
    upload = mem_alloc(1, sizeof *upload);
    upload->client = *client;
    upload->tag = tag;
    upload->heard = now;
    TAILQ_INSERT_TAIL(&self->uploads, upload, link);
    self->n++;
    return upload;
}

int
broker_submit_begin(struct broker_submit *self,
                    const struct broker_client *client,
                    const Wire__Submit *message, int64_t now, struct err *err)
{
    struct broker_submission *in;
    struct upload *upload = NULL;

    if (self->bytes + message->source_bytes > ALL_BYTES)
        return err_set(err, ERR_UNAVAILABLE,
                       "the broker is being sent too much: try again later");
    in = mem_alloc(1, sizeof *in);
    if (read_submit(message, in, err) == 0)
        upload = add(self, client, message->tag, now, err);
    if (!upload) {
        broker_submission_destroy(&in);
        return -1;
    }
    upload->submission = in;
    upload->bytes = in->bytes;
    self->bytes += in->bytes;
    return 0;
}

/* Room comes with what comes: what is announced costs nothing. */
static void
take_flow(struct upload *upload, const ProtobufCBinaryData *data)
{
    struct store_run *row = &upload->submission->row;

    row->source =
        mem_grow(row->source, &upload->cap, row->source_len + data->len + 1, 1);
    memcpy(row->source + row->source_len, data->data, data->len);
    row->source_len += data->len;
    row->source[row->source_len] = '\0';
}

static struct broker_question *
flow_question(struct upload *upload)
{
    struct broker_question *question =
        broker_question_new(QUESTION_SUBMIT, &upload->client, upload->tag);

    question->submission = upload->submission;
    upload->submission = NULL;
    return question;
}

/* ---- programs ---- */

int
broker_submit_offered(struct broker_submit *self,
                      const struct broker_question *offer, int64_t now,
                      struct err *err)
{
    struct upload *upload = add(self, &offer->client, offer->tag, now, err);

    if (!upload)
        return -1;
    upload->bytes = offer->bytes;
    upload->offset = offer->offset;
    memcpy(upload->hash, offer->hash, sizeof upload->hash);
    return 0;
}

static struct broker_question *
piece_question(const struct upload *upload, const Wire__Chunk *message)
{
    struct broker_question *question =
        broker_question_new(QUESTION_PIECE, &upload->client, upload->tag);

    memcpy(question->hash, upload->hash, sizeof question->hash);
    question->bytes = upload->bytes;
    question->offset = message->offset;
    buf_add(&question->data, message->data.data, message->data.len);
    return question;
}

/* ---- both ---- */

int
broker_submit_chunk(struct broker_submit *self,
                    const struct broker_client *client,
                    const Wire__Chunk *message, int64_t now,
                    struct broker_question **ret, struct err *err)
{
    struct upload *upload = find(self, client, message->tag);
    bool is_flow;

    *ret = NULL;
    if (!upload)
        return 0;
    if (message->offset != upload->offset ||
        message->data.len > upload->bytes - upload->offset) {
        remove_upload(self, upload);
        return err_set(err, ERR_INVALID,
                       "a piece came that is not the next one");
    }
    is_flow = upload->submission != NULL;
    if (is_flow)
        take_flow(upload, &message->data);
    else
        *ret = piece_question(upload, message);
    upload->offset += message->data.len;
    upload->heard = now;
    TAILQ_REMOVE(&self->uploads, upload, link);
    TAILQ_INSERT_TAIL(&self->uploads, upload, link);
    if (upload->offset < upload->bytes)
        return 0;
    if (is_flow)
        *ret = flow_question(upload);
    remove_upload(self, upload);
    return 0;
}

void
broker_submit_read(struct broker_submit *self,
                   const struct broker_submission *submission)
{
    self->bytes -= submission->bytes;
}

void
broker_submit_forget(struct broker_submit *self,
                     const struct broker_client *client, uint64_t tag)
{
    struct upload *upload = find(self, client, tag);

    if (upload)
        remove_upload(self, upload);
}

struct broker_question *
broker_submit_late(struct broker_submit *self, int64_t now)
{
    struct upload *upload = TAILQ_FIRST(&self->uploads);
    struct broker_question *question;
    struct err err;

    if (!upload || now - upload->heard < LATE)
        return NULL;
    question =
        broker_question_new(QUESTION_PIECE, &upload->client, upload->tag);
    (void)err_set(&err, ERR_UNAVAILABLE,
                  "of %llu bytes only %llu came, and nothing for %d s",
                  (unsigned long long)upload->bytes,
                  (unsigned long long)upload->offset,
                  (int)(LATE / SPAN_SECOND));
    broker_question_fail(question, &err);
    remove_upload(self, upload);
    return question;
}

int64_t
broker_submit_next(const struct broker_submit *self)
{
    const struct upload *upload = TAILQ_FIRST(&self->uploads);

    return upload ? upload->heard + LATE : SPAN_NEVER;
}
