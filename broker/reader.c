/* SPDX-License-Identifier: MPL-2.0 */
#include "broker/reader.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "broker/reader_impl.h"
#include "flow/value.h"

/* ---- questions ---- */

void
broker_submission_destroy(struct broker_submission **self_p)
{
    struct broker_submission *self = *self_p;

    if (!self)
        return;
    *self_p = NULL;
    store_run_release(&self->row);
    buf_release(&self->program);
    json_decref(self->options);
    json_decref(self->env);
    flow_destroy(&self->flow);
    history_destroy(&self->history);
    free(self->stops);
    free(self);
}

struct broker_question *
broker_question_new(enum broker_question_kind kind,
                    const struct broker_client *client, uint64_t tag)
{
    struct broker_question *self = mem_alloc(1, sizeof *self);

    self->kind = kind;
    if (client)
        self->client = *client;
    self->tag = tag;
    return self;
}

void
broker_question_destroy(struct broker_question **self_p)
{
    struct broker_question *self = *self_p;

    if (!self)
        return;
    *self_p = NULL;
    free(self->text);
    broker_submission_destroy(&self->submission);
    buf_release(&self->data);
    buf_release(&self->frames);
    free(self);
}

static void
write_answer(struct buf *out, const Wire__Answer *answer)
{
    Wire__Answer plain = *answer;
    struct err err;

    if (wire_encode(out, WIRE_ANSWER, &answer->base, &err) == 0)
        return;
    /* Not UTF-8, or too long for a frame. */
    plain.code = ERR_SYSTEM;
    plain.text = err.msg;
    plain.document.len = 0;
    (void)wire_encode(out, WIRE_ANSWER, &plain.base, &err);
}

void
broker_question_refuse(struct broker_question *self, enum err_code code,
                       char *text)
{
    Wire__Answer answer;

    wire__answer__init(&answer);
    answer.tag = self->tag;
    answer.code = (uint32_t)code;
    answer.text = text;
    write_answer(&self->frames, &answer);
}

void
broker_question_fail(struct broker_question *self, const struct err *err)
{
    self->failed = true;
    self->err = *err;
    broker_question_refuse(self, err->code, self->err.msg);
}

void
broker_question_answer(struct broker_question *self, uint64_t number,
                       const json_t *document, bool more)
{
    Wire__Answer answer;
    struct buf text = {0};

    wire__answer__init(&answer);
    if (document)
        value_json(document, &text);
    answer.tag = self->tag;
    answer.number = number;
    answer.document.data = (uint8_t *)text.data;
    answer.document.len = text.len;
    answer.more = more;
    write_answer(&self->frames, &answer);
    buf_release(&text);
}

/* ---- the thread ---- */

static void (*const answers[QUESTION_COUNT])(struct broker_reader *,
                                             struct broker_question *) = {
    [QUESTION_LOOK] = broker_reader_look,
    [QUESTION_ASK] = broker_reader_ask,
    [QUESTION_SUBMIT] = broker_reader_submit,
    [QUESTION_HISTORY] = broker_reader_history,
    [QUESTION_OFFER] = broker_reader_offer,
    [QUESTION_PIECE] = broker_reader_piece,
    [QUESTION_PROGRAM] = broker_reader_program,
};

static void *
work(void *arg)
{
    struct broker_reader *self = arg;
    struct broker_items items = STAILQ_HEAD_INITIALIZER(items);
    bool last = false;

    while (!last) {
        broker_queue_wait(self->in, -1);
        broker_queue_take(self->in, &items);
        while (!STAILQ_EMPTY(&items)) {
            struct broker_question *question =
                (struct broker_question *)STAILQ_FIRST(&items);

            STAILQ_REMOVE_HEAD(&items, link);
            /* One that is no question is the sign to go. */
            last = last || question->kind == QUESTION_COUNT;
            if (!last)
                answers[question->kind](self, question);
            broker_queue_put(self->out, &question->item);
        }
    }
    return NULL;
}

/* ---- the main thread ---- */

void
broker_reader_put(struct broker_reader *self, struct broker_question *question)
{
    self->behind++;
    broker_queue_put(self->in, &question->item);
}

size_t
broker_reader_behind(const struct broker_reader *self)
{
    return self->behind;
}

int
broker_reader_fd(const struct broker_reader *self)
{
    return broker_queue_fd(self->out);
}

struct broker_question *
broker_reader_next(struct broker_reader *self)
{
    struct broker_question *question;

    if (STAILQ_EMPTY(&self->back))
        broker_queue_take(self->out, &self->back);
    question = (struct broker_question *)STAILQ_FIRST(&self->back);
    if (!question)
        return NULL;
    STAILQ_REMOVE_HEAD(&self->back, link);
    self->behind--;
    return question;
}

int
broker_reader_new(struct broker_reader **ret, const char *folder,
                  const char *cluster, struct err *err)
{
    struct broker_reader *self = mem_alloc(1, sizeof *self);
    int rc;

    STAILQ_INIT(&self->back);
    self->cluster = cluster;
    self->programs = broker_programs_new(folder);
    if (store_open(&self->store, folder, STORE_READ, err) < 0 ||
        broker_queue_new(&self->in, err) < 0 ||
        broker_queue_new(&self->out, err) < 0)
        goto failed;
    rc = pthread_create(&self->thread, NULL, work, self);
    if (rc != 0) {
        (void)err_set(err, ERR_UNAVAILABLE, "can't start a thread: %s",
                      strerror(rc));
        goto failed;
    }
    *ret = self;
    return 0;
failed:
    broker_queue_destroy(&self->in);
    broker_queue_destroy(&self->out);
    broker_programs_destroy(&self->programs);
    store_close(&self->store);
    free(self);
    return -1;
}

void
broker_reader_stop(struct broker_reader **self_p)
{
    struct broker_reader *self = *self_p;
    struct broker_question *question;

    if (!self)
        return;
    *self_p = NULL;
    broker_reader_put(self, broker_question_new(QUESTION_COUNT, NULL, 0));
    (void)pthread_join(self->thread, NULL);
    while ((question = broker_reader_next(self)))
        broker_question_destroy(&question);
    broker_queue_destroy(&self->in);
    broker_queue_destroy(&self->out);
    broker_programs_destroy(&self->programs);
    store_close(&self->store);
    free(self);
}
