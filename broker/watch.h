/* SPDX-License-Identifier: MPL-2.0 */
/*
 * watch - who waits for news of which run.
 *
 * A look that found nothing new is parked with its run until something of the
 * run has been committed, or for a few seconds; then it is asked again. A
 * client that has gone is no matter: its answer is dropped, and no other look
 * of it comes.
 */
#ifndef BROKER_WATCH_H
#define BROKER_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "broker/reader.h"

struct broker_watch;

struct broker_watch *broker_watch_new(void);
void broker_watch_destroy(struct broker_watch **self_p);

void broker_watch_begin(struct broker_watch *self, uint64_t run);
/* Something of the run goes into this group. */
void broker_watch_touch(struct broker_watch *self, uint64_t run,
                        uint64_t group);
/* It has come to its end, in this group. */
void broker_watch_end(struct broker_watch *self, uint64_t run, uint64_t group);

/* Park a look, which is taken over. ERR_LIMIT: too many, not taken. */
int broker_watch_park(struct broker_watch *self,
                      struct broker_question **question_p, int64_t now,
                      struct err *err);
/* The groups up to this one are committed. */
void broker_watch_committed(struct broker_watch *self, uint64_t group);
/* A look to be asked again, or NULL. One whose time is up waits no more. */
struct broker_question *broker_watch_due(struct broker_watch *self,
                                         int64_t now);
/* When to ask that again; monotonic. */
int64_t broker_watch_next(const struct broker_watch *self);

#endif
