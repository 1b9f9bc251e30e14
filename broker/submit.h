/* SPDX-License-Identifier: MPL-2.0 */
/*
 * submit - what clients are sending up in pieces: flows and programs.
 *
 * A flow is put together here and becomes one question for the reader; each
 * piece of a program becomes one at once. Pieces of what was never announced,
 * or was refused, are no error: they were on their way.
 */
#ifndef BROKER_SUBMIT_H
#define BROKER_SUBMIT_H

#include <protobuf-c/protobuf-c.h>
#include <stdint.h>

#include "broker/reader.h"

struct broker_submit;

struct broker_submit *broker_submit_new(void);
void broker_submit_destroy(struct broker_submit **self_p);

/* The options of a Submit or of a retry, for *ret: all of them; and which the
 * broker knows, `env` and `timeout`, each by itself. */
int broker_submit_options(const ProtobufCBinaryData *bytes,
                          struct broker_submission *ret, struct err *err);

/* A Submit. ERR_INVALID, ERR_LIMIT, ERR_UNAVAILABLE: it is refused. */
int broker_submit_begin(struct broker_submit *self,
                        const struct broker_client *client,
                        const struct Wire__Submit *message, int64_t now,
                        struct err *err);
/* A program was offered, and pieces from `offset` on are to come. */
int broker_submit_offered(struct broker_submit *self,
                          const struct broker_question *offer, int64_t now,
                          struct err *err);
/* A Chunk. *ret: a question for the reader, or NULL. */
int broker_submit_chunk(struct broker_submit *self,
                        const struct broker_client *client,
                        const struct Wire__Chunk *message, int64_t now,
                        struct broker_question **ret, struct err *err);
/* A flow that was put together here has been read, or refused. */
void broker_submit_read(struct broker_submit *self,
                        const struct broker_submission *submission);
/* What this client sends with this tag is not wanted any more. */
void broker_submit_forget(struct broker_submit *self,
                          const struct broker_client *client, uint64_t tag);
/* One that nothing came of for long, gone with this: its answer; or NULL. */
struct broker_question *broker_submit_late(struct broker_submit *self,
                                           int64_t now);
int64_t broker_submit_next(const struct broker_submit *self);

#endif
