/* SPDX-License-Identifier: MPL-2.0 */
/*
 * server_control - messages of clients and agents, by type.
 */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/span.h"
#include "broker/server_impl.h"
#include "proto/convert.h"
#include "proto/link.h"

typedef void on_message(struct broker_server *self,
                        const struct broker_client *client,
                        const struct wire *wire);

/* ---- agents ---- */

static void
send_buf(struct broker_server *self, const struct broker_client *client,
         const struct buf *out)
{
    broker_net_send(self->net, client, out->data, out->len);
}

/* A session with its lane. */
static int
welcome(struct broker_server *self, const struct broker_client *client,
        const struct hello *hello, broker_session session,
        const uint32_t *tickets, struct buf *out, struct err *err)
{
    char *lane = NULL;
    int rc = -1;

    if (broker_net_open(self->net, session, self->now, &lane, err) == 0)
        rc = welcome_write(out, hello->tag, session, self->epoch, lane,
                           broker_net_back(self->net), tickets, hello->nheld,
                           err);
    if (rc == 0) {
        broker_lane_set_agent(broker_net_lane(self->net, session), client,
                              hello->tag);
        log_info("agent_up",
                 "agent=%s host=%s slots=%u session=%llu lane=%s held=%zu",
                 hello->info.name, hello->info.host, hello->info.slots,
                 (unsigned long long)session & LINK_SECRET_SHOWN, lane,
                 hello->nheld);
    }
    free(lane);
    return rc;
}

/* Not while that was said of it within a minute. */
static void
tell_unwanted(struct broker_server *self, const struct agent_info *info,
              const struct err *err)
{
    unsigned i = 0;

    while (i < UNWANTED &&
           (self->unwanted[i].incarnation != info->incarnation ||
            self->now - self->unwanted[i].told > 60 * SPAN_SECOND))
        i++;
    if (i < UNWANTED)
        return;
    i = self->nunwanted++ % UNWANTED;
    self->unwanted[i].incarnation = info->incarnation;
    self->unwanted[i].told = self->now;
    log_warn("agent_refused", "agent=%s text=%s", info->name,
             log_quote(err->msg, (char[LOG_QUOTED]){0}));
}

void
broker_server_tell_over(struct broker_server *self, broker_session session,
                        const char *why)
{
    struct broker_lane *lane =
        self->net ? broker_net_lane(self->net, session) : NULL;
    struct broker_client client;
    struct buf out = {0};
    uint64_t tag = 0;
    struct err err;

    if (!lane || !broker_lane_take_agent(lane, &client, &tag))
        return;
    (void)err_set(&err, ERR_UNAVAILABLE, "%s", why);
    answer_write(&out, tag, &err, 0);
    send_buf(self, &client, &out);
    buf_release(&out);
}

static void
on_hello(struct broker_server *self, const struct broker_client *client,
         const struct wire *wire)
{
    struct hello hello;
    struct buf out = {0};
    broker_session session = 0;
    uint32_t *tickets;
    struct err err;

    randombytes_buf(&session, sizeof session);
    hello_read(&hello, wire);
    tickets = mem_alloc(hello.nheld, sizeof *tickets);
    if (broker_hello(self->core, &hello.info, hello.held, hello.nheld,
                     self->now, &session, tickets, &err) < 0) {
        tell_unwanted(self, &hello.info, &err);
        answer_write(&out, hello.tag, &err, 0);
    } else if (welcome(self, client, &hello, session, tickets, &out, &err) <
               0) {
        log_error("lane_failed", "agent=%s text=%s", hello.info.name,
                  log_quote(err.msg, (char[LOG_QUOTED]){0}));
        broker_gone(self->core, session, GONE_CONNECTION, self->now);
        buf_clear(&out);
        answer_write(&out, hello.tag, &err, 0);
    }
    send_buf(self, client, &out);
    buf_release(&out);
    free(tickets);
    hello_release(&hello);
}

/* ---- flows and programs that come ---- */

static void
on_submit(struct broker_server *self, const struct broker_client *client,
          const struct wire *wire)
{
    const Wire__Submit *submit = wire->as.submit;
    uint64_t run = broker_tokens_run(self->tokens, submit->token);
    struct err err;

    if (run != 0)
        broker_server_known(self, client, submit->tag, run);
    else if (broker_server_admit(self, &err) < 0 ||
             broker_submit_begin(self->submit, client, submit, self->now,
                                 &err) < 0)
        broker_server_fail(self, client, submit->tag, &err);
}

static void
on_chunk(struct broker_server *self, const struct broker_client *client,
         const struct wire *wire)
{
    const Wire__Chunk *chunk = wire->as.chunk;
    struct broker_question *question = NULL;
    struct err err;

    if (broker_submit_chunk(self->submit, client, chunk, self->now, &question,
                            &err) < 0)
        broker_server_fail(self, client, chunk->tag, &err);
    else if (question)
        broker_server_put(self, question);
    if (question && question->kind == QUESTION_SUBMIT)
        self->entering++;
}

/* A client has a program to send, or an agent wants a piece of one. */
static void
on_blob(struct broker_server *self, const struct broker_client *client,
        const struct wire *wire)
{
    const Wire__Blob *blob = wire->as.blob;
    struct broker_question *question = broker_question_new(
        blob->bytes > 0 ? QUESTION_OFFER : QUESTION_PROGRAM, client, blob->tag);

    memcpy(question->hash, blob->hash.data, sizeof question->hash);
    question->bytes = blob->bytes;
    question->offset = blob->offset;
    if (question->kind == QUESTION_OFFER)
        broker_run_programs(self->core, &question->data);
    broker_server_put(self, question);
}

/* ---- people ---- */

static void
on_ask(struct broker_server *self, const struct broker_client *client,
       const struct wire *wire)
{
    broker_server_ask(self, client, wire->as.ask);
}

static void
on_look(struct broker_server *self, const struct broker_client *client,
        const struct wire *wire)
{
    const Wire__Look *look = wire->as.look;
    struct broker_question *question =
        broker_question_new(QUESTION_LOOK, client, look->tag);

    question->look = (struct broker_look){.run = look->run,
                                          .batch = look->batch,
                                          .offset = look->offset,
                                          .records = look->records,
                                          .output = look->output,
                                          .source = look->source,
                                          .wait = look->wait};
    broker_server_put(self, question);
}

void
broker_server_control(struct broker_server *self,
                      const struct broker_client *client,
                      const struct wire *wire)
{
    static on_message *const handlers[WIRE_TYPE_END] = {
        [WIRE_HELLO] = on_hello, [WIRE_SUBMIT] = on_submit,
        [WIRE_CHUNK] = on_chunk, [WIRE_BLOB] = on_blob,
        [WIRE_ASK] = on_ask,     [WIRE_LOOK] = on_look,
    };
    struct err err;

    if (handlers[wire->type]) {
        handlers[wire->type](self, client, wire);
        return;
    }
    (void)err_set(&err, ERR_INVALID, "a %s came to control",
                  wire_type_names[wire->type]);
    broker_server_garbage(self, &err);
}
