/* SPDX-License-Identifier: MPL-2.0 */
/*
 * reader_submit - flows and programs on their way in.
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "broker/reader_impl.h"
#include "flow/file.h"
#include "flow/params.h"
#include "flow/value.h"
#include "flow/work.h"

#define CAUSE_BYTES ((size_t)64 << 10) /* of what is wrong with a flow */

/* ---- runs ---- */

/* All that is wrong, as a file's errors are shown. */
static void
refuse(struct broker_question *question, const struct buf *text)
{
    size_t n = text->len < CAUSE_BYTES ? text->len : CAUSE_BYTES;
    char *cut = mem_text(buf_str(text), utf8_valid(buf_str(text), n));

    (void)err_set(&question->err, ERR_INVALID, "the flow was refused");
    question->failed = true;
    broker_question_refuse(question, ERR_INVALID, cut);
    free(cut);
}

static int
check_hash(const struct broker_submission *submission, struct err *err)
{
    unsigned char hash[sizeof submission->source_hash];

    (void)crypto_generichash(hash, sizeof hash,
                             (const unsigned char *)submission->row.source,
                             submission->row.source_len, NULL, 0);
    if (memcmp(hash, submission->source_hash, sizeof hash) != 0)
        return err_set(err, ERR_INVALID,
                       "the flow that came is not the one that was announced");
    return 0;
}

static bool
is_hash(const struct buf *program)
{
    return work_program_is_hash(program->data, program->len);
}

/* Functions need a program that has them. */
static int
check_program(struct broker_reader *self, const struct broker_submission *in,
              struct err *err)
{
    const struct flow *flow = in->flow;

    if (is_hash(&in->program) &&
        !broker_programs_has(self->programs,
                             (const unsigned char *)in->program.data))
        return err_set(err, ERR_NOT_FOUND,
                       "the broker does not have the flow's program");
    for (uint32_t t = 0; in->program.len == 0 && t < flow->ntask; t++) {
        if (flow->tasks[t].kind == FLOW_CALL)
            return err_set(err, ERR_IMPOSSIBLE,
                           "task `%s` calls a C function, and no program came "
                           "with the flow",
                           flow->tasks[t].name);
    }
    return 0;
}

/* 0; -1 and the question has been refused. */
static int
parse(struct broker_question *question)
{
    struct broker_submission *in = question->submission;
    struct diags diags = {0};
    struct buf text = {0};
    json_t *params = NULL;
    int rc = flow_parse(in->row.file ? in->row.file : "flow", in->row.source,
                        in->row.source_len, &in->flow, &diags);

    if (rc < 0)
        diags_print(&diags, &text, false);
    else
        rc = params_bind(in->flow, in->row.params, &params, &text);
    if (rc < 0) {
        refuse(question, &text);
    } else {
        json_decref(in->row.params);
        in->row.params = params;
    }
    diags_release(&diags);
    buf_release(&text);
    return rc;
}

/* Known by it if it comes again: this broker's word, not the client's. */
static void
set_token(json_t *options, uint64_t token)
{
    char hex[17];

    (void)json_object_del(options, "submission");
    if (token == 0)
        return;
    (void)snprintf(hex, sizeof hex, "%016llx", (unsigned long long)token);
    (void)json_object_set_new(options, "submission", json_string(hex));
}

/* When its time is over, for a broker that is started again meanwhile; or that
 * it has no end, as it may have had one before. */
static void
set_until(json_t *options, int64_t timeout)
{
    (void)json_object_set_new(options, "until",
                              timeout > 0 ? json_integer(span_wall() + timeout)
                                          : json_null());
}

/* Who carries it out: this broker's word. */
static void
set_carrier(const struct broker_reader *self, json_t *options)
{
    if (self->cluster)
        (void)json_object_set_new(options, "cluster",
                                  json_string(self->cluster));
    else
        (void)json_object_set_new(options, "broker", json_true());
}

/* What is stored of the options: without the values of forwarded variables. */
static void
set_options(const struct broker_reader *self, struct broker_submission *in)
{
    json_t *made = in->options ? json_copy(in->options) : json_object();
    char hex[2 * PROGRAM_HASH + 1];

    (void)json_object_del(made, "env");
    (void)json_object_del(made, "broker");
    (void)json_object_del(made, "cluster");
    set_carrier(self, made);
    in->row.env = json_incref(in->env);
    if (in->timeout > 0)
        set_until(made, in->timeout);
    if (in->no_cache)
        (void)json_object_set_new(made, "no_cache", json_true());
    set_token(made, in->token);
    if (is_hash(&in->program)) {
        (void)sodium_bin2hex(hex, sizeof hex,
                             (const unsigned char *)in->program.data,
                             PROGRAM_HASH);
        (void)json_object_set_new(made, "program", json_string(hex));
    } else if (in->program.len > 0) {
        in->row.program = mem_text(in->program.data, in->program.len);
    }
    in->row.options = made;
}

void
broker_reader_submit(struct broker_reader *self,
                     struct broker_question *question)
{
    struct broker_submission *in = question->submission;
    struct err err;

    if (check_hash(in, &err) < 0) {
        broker_question_fail(question, &err);
        return;
    }
    if (parse(question) < 0)
        return;
    if (check_program(self, in, &err) < 0) {
        broker_question_fail(question, &err);
        return;
    }
    in->row.flow = mem_dup(in->flow->name);
    set_options(self, in);
}

/* ---- going on with an earlier run ---- */

static const char *
option_text(const json_t *options, const char *name)
{
    return json_string_value(json_object_get(options, name));
}

/* The variables it had, and what is given now. */
static int
find_env(struct broker_submission *ret, struct store *store, uint64_t run,
         struct err *err)
{
    json_t *env = NULL;

    if (store_run_env(store, run, &env, err) < 0)
        return -1;
    if (ret->env) {
        (void)json_object_update(env, ret->env);
        json_decref(ret->env);
        ret->row.env = json_incref(env);
    }
    ret->env = env;
    return 0;
}

int
broker_submission_of_history(struct broker_submission *ret, struct store *store,
                             struct history **history_p, struct err *err)
{
    const struct store_run *row = &(*history_p)->info;
    const char *hex = option_text(row->options, "program");
    unsigned char hash[PROGRAM_HASH];
    struct diags diags = {0};
    size_t n = 0;
    int rc;

    /* The history keeps its own flow: it needs it to the end. */
    rc = flow_parse(row->file ? row->file : "flow", row->source,
                    row->source_len, &ret->flow, &diags);
    diags_release(&diags);
    if (rc < 0)
        return err_set(err, ERR_INVALID,
                       "the flow of run %llu can't be read by this leat",
                       (unsigned long long)row->id);
    if (hex &&
        sodium_hex2bin(hash, sizeof hash, hex, strlen(hex), NULL, &n, NULL) ==
            0 &&
        n == sizeof hash)
        buf_add(&ret->program, hash, sizeof hash);
    else if (row->program)
        buf_text(&ret->program, row->program);
    if (find_env(ret, store, row->id, err) < 0)
        return -1;
    ret->no_cache = json_is_true(json_object_get(row->options, "no_cache"));
    (void)crypto_generichash(ret->source_hash, sizeof ret->source_hash,
                             (const unsigned char *)row->source,
                             row->source_len, NULL, 0);
    ret->history = *history_p;
    *history_p = NULL;
    return 0;
}

static int
read_history(struct broker_reader *self, struct broker_question *question,
             struct err *err)
{
    struct broker_submission *out = question->submission;
    struct history *history = NULL;
    struct plan_id from = {PLAN_NONE, PLAN_WHOLE};
    int rc = -1;

    if (history_load(&history, self->store, question->run, err) < 0)
        return -1;
    if (history->info.state == STORE_RUNNING) {
        (void)err_set(err, ERR_UNAVAILABLE, "run %llu is running",
                      (unsigned long long)question->run);
        goto out;
    }
    if (*question->text &&
        history_find(history, question->text, &from, err) < 0)
        goto out;
    out->from = from.task;
    if (broker_submission_of_history(out, self->store, &history, err) < 0)
        goto out;
    out->row.options =
        json_pack("{s:n, s:n}", "broker", "cluster"); /* as it was: gone */
    set_carrier(self, out->row.options);
    set_until(out->row.options, out->timeout);
    rc = check_program(self, out, err);
out:
    history_destroy(&history);
    return rc;
}

void
broker_reader_history(struct broker_reader *self,
                      struct broker_question *question)
{
    struct err err;

    if (read_history(self, question, &err) < 0)
        broker_question_fail(question, &err);
}

/* ---- programs ---- */

void
broker_reader_offer(struct broker_reader *self,
                    struct broker_question *question)
{
    struct err err;
    uint64_t had = 0;

    if (broker_programs_offer(self->programs, question->hash, question->bytes,
                              &question->data, &had, &err) < 0)
        broker_question_fail(question, &err);
    else
        broker_question_answer(question, had, NULL, false);
    question->offset = had;
}

void
broker_reader_piece(struct broker_reader *self,
                    struct broker_question *question)
{
    struct err err;

    if (broker_programs_write(self->programs, question->hash, question->bytes,
                              question->offset, question->data.data,
                              question->data.len, &err) < 0)
        broker_question_fail(question, &err);
    else if (question->offset + question->data.len >= question->bytes)
        broker_question_answer(question, question->bytes, NULL, false);
}

void
broker_reader_program(struct broker_reader *self,
                      struct broker_question *question)
{
    Wire__Chunk chunk = WIRE__CHUNK__INIT;
    struct buf data = {0};
    uint64_t bytes = 0;
    struct err err;

    if (broker_programs_read(self->programs, question->hash, question->offset,
                             LIMIT_CHUNK_BYTES, &data, &bytes, &err) < 0) {
        broker_question_fail(question, &err);
    } else if (data.len == 0) {
        broker_question_answer(question, bytes, NULL, false);
    } else {
        chunk.tag = question->tag;
        chunk.offset = question->offset;
        chunk.data.data = (uint8_t *)data.data;
        chunk.data.len = data.len;
        if (wire_encode(&question->frames, WIRE_CHUNK, &chunk.base, &err) < 0)
            broker_question_fail(question, &err);
    }
    buf_release(&data);
}
