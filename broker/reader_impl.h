/* SPDX-License-Identifier: MPL-2.0 */
/*
 * reader_impl - what the parts of the reader share: reader.c has the thread,
 * reader_look.c runs as they come to be, reader_ask.c what people ask,
 * reader_submit.c flows and programs. Nobody else includes this.
 */
#ifndef BROKER_READER_IMPL_H
#define BROKER_READER_IMPL_H

#include <pthread.h>
#include <wire.pb-c.h>

#include "broker/reader.h"
#include "proto/limits.h"

/* Room in a frame for all that is neither row, batches nor output. */
#define FRAME_REST ((size_t)2 << 10)
#define FRAME_ROOM ((size_t)LIMIT_FRAME_BYTES - FRAME_REST)

struct broker_reader {
    struct broker_items back; /* the main thread's */
    size_t behind;
    pthread_t thread;
    struct store *store; /* the reader's */
    struct broker_programs *programs;
    const char *cluster; /* borrowed; its address, NULL: a standing broker */
    struct broker_queue *in, *out;
};

void broker_reader_look(struct broker_reader *self,
                        struct broker_question *question);
void broker_reader_ask(struct broker_reader *self,
                       struct broker_question *question);
void broker_reader_submit(struct broker_reader *self,
                          struct broker_question *question);
void broker_reader_history(struct broker_reader *self,
                           struct broker_question *question);
void broker_reader_offer(struct broker_reader *self,
                         struct broker_question *question);
void broker_reader_piece(struct broker_reader *self,
                         struct broker_question *question);
void broker_reader_program(struct broker_reader *self,
                           struct broker_question *question);

#endif
