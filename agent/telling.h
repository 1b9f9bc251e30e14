/* SPDX-License-Identifier: MPL-2.0 */
/*
 * telling - what an agent tells its broker of what it carries out, and when
 * that is sent.
 *
 * Each frame wakes four threads. So what is told while there is enough to do
 * waits for more of it, but not for long. That an attempt has begun is told
 * before its end, or by it, if both would go together.
 *
 * Borrows the session, for life.
 */
#ifndef AGENT_TELLING_H
#define AGENT_TELLING_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/core.h"
#include "agent/session.h"

struct telling;

struct telling *telling_new(struct session *session);
void telling_destroy(struct telling **self_p);

/* A session begins: what was not sent in the last one is forgotten. */
void telling_begin(struct telling *self);

/* Only within a session. enough: every slot has another task in wait, so that
 * nobody needs to know at once. */
void telling_started(struct telling *self, uint32_t ticket);
void telling_result(struct telling *self, uint64_t number,
                    const struct result *result, bool enough, int64_t now);
void telling_given_back(struct telling *self, uint32_t ticket);

/* A beat, if it is time for one; when it is time for the next. */
int64_t telling_beat(struct telling *self, const struct agent_state *state,
                     int64_t now);

/* Send what there is, or let it wait; when to do so again. */
int64_t telling_send(struct telling *self, bool enough, int64_t now);

#endif
