/* SPDX-License-Identifier: MPL-2.0 */
/*
 * lane - one agent's way down: a PUSH socket of its own, from hello to loss.
 *
 * Collects what the core says in a turn and sends it at the turn's end in as
 * few frames as possible; what does not go waits for room.
 *
 *   [WAITING] --its peer is there--> [OPEN] --peer gone--> gone: CONNECTION
 *       |                              '----full for LIMIT_STUCK_MS--> STUCK
 *       '--nobody came in time--> gone: CONNECTION
 */
#ifndef BROKER_LANE_H
#define BROKER_LANE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "broker/client.h"
#include "broker/core.h"

struct broker_lane;

/* Bind it. Takes the endpoint over; ERR_UNAVAILABLE: it can't be had. */
int broker_lane_new(struct broker_lane **ret, broker_session session,
                    char **endpoint_p, int64_t now, struct err *err);
void broker_lane_destroy(struct broker_lane **self_p);

/* Close a socket that is bound there, and remove what libzmq leaves of it. */
void broker_lane_unbind(void **socket_p, const char *endpoint);

broker_session broker_lane_session(const struct broker_lane *self);
const char *broker_lane_endpoint(const struct broker_lane *self);
int broker_lane_fd(const struct broker_lane *self);

/* Its agent, as control calls it, and the tag of its hello. */
void broker_lane_set_agent(struct broker_lane *self,
                           const struct broker_client *client, uint64_t tag);
/* For the one time that it is told of the end; false: it was. */
bool broker_lane_take_agent(struct broker_lane *self,
                            struct broker_client *client, uint64_t *tag);

/* -1 *err: it can't travel, and never will. */
int broker_lane_task(struct broker_lane *self, const struct lane_task *task,
                     struct err *err);
/* The run has ended: nothing more will come of it. */
void broker_lane_forget(struct broker_lane *self, uint64_t run);
void broker_lane_tell(struct broker_lane *self, enum broker_tell what,
                      uint64_t number);

/*
 * Send what there is. What is wrong with the lane, if anything: GONE_CONNECTION
 * or GONE_STUCK; GONE_LEFT: nothing.
 */
enum broker_gone broker_lane_turn(struct broker_lane *self, int64_t now);
/* When to call it again without an event. */
int64_t broker_lane_due(const struct broker_lane *self);

/* The core has dropped it: send what is left, a moment. */
void broker_lane_retire(struct broker_lane *self, int64_t now);
bool broker_lane_is_retired(const struct broker_lane *self);
bool broker_lane_is_done(const struct broker_lane *self, int64_t now);

/* ---- values to be kept when the attempt succeeds ---- */

/* Takes both over; folder: where it is to run, *folder_p may be NULL. */
void broker_lane_note_key(struct broker_lane *self, uint32_t ticket,
                          char **key_p, char **folder_p);
/* A heap string; NULL: there is none, or it ran elsewhere than it was to, in
 * `cwd` (NULL: not told), and nobody should get its value for the key. */
char *broker_lane_take_key(struct broker_lane *self, uint32_t ticket,
                           const char *cwd);

#endif
