/* SPDX-License-Identifier: MPL-2.0 */
/*
 * tokens - which submissions have become which runs.
 *
 * A client whose connection breaks before its answer comes submits again with
 * the same token, and gets the same run: also from a broker that was started
 * again meanwhile, for tokens are stored with their runs. The last
 * LIMIT_SUBMISSIONS are known; 0 is none, and never known.
 *
 *   [new] --begin--> [under way] --stored--> [a run's]
 *                         '--failed--> [new]
 */
#ifndef BROKER_TOKENS_H
#define BROKER_TOKENS_H

#include <stdbool.h>
#include <stdint.h>

#include "broker/reader.h"
#include "store/store.h"

struct broker_tokens;

struct broker_tokens *broker_tokens_new(void);
void broker_tokens_destroy(struct broker_tokens **self_p);
/* Those of earlier brokers. */
int broker_tokens_load(struct broker_tokens *self, struct store *store,
                       struct err *err);

/* The run that the token has become, or 0. */
uint64_t broker_tokens_run(const struct broker_tokens *self, uint64_t token);
/* True: go on with it. False: it is under way, and the question waits. */
bool broker_tokens_begin(struct broker_tokens *self, uint64_t token,
                         struct broker_question *question);
/* It has become a run, or (0) none. Who waits is appended to *waiting. */
void broker_tokens_end(struct broker_tokens *self, uint64_t token, uint64_t run,
                       struct broker_items *waiting);

#endif
