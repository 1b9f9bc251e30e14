/* SPDX-License-Identifier: MPL-2.0 */
/*
 * net - the broker's sockets: control (ROUTER), return (PULL), and a lane for
 * each agent.
 *
 * They announce events on one epoll descriptor of the caller's. What woke it
 * is of no matter but for lanes: control and return are looked at in each turn,
 * and drained until nothing is there or the caller has enough.
 */
#ifndef BROKER_NET_H
#define BROKER_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <czmq.h>

#include "base/err.h"
#include "broker/client.h"
#include "broker/lane.h"

struct broker_net;

struct broker_net_options {
    const char *address;  /* as link_address makes it */
    unsigned first, last; /* ports of lanes */
    int epoll;
};

/* Binds control and return. ERR_UNAVAILABLE. */
int broker_net_new(struct broker_net **ret,
                   const struct broker_net_options *options, struct err *err);
/* Lanes too. */
void broker_net_destroy(struct broker_net **self_p);

/* ---- frames ---- */

/* The next frame, the caller's from then on; NULL: none is there. What can't be
 * one of ours (several parts, strange names) is dropped and counted. */
zframe_t *broker_net_control(struct broker_net *self,
                             struct broker_client *client);
zframe_t *broker_net_return(struct broker_net *self);
/* Something is left in it, as far as is known. */
bool broker_net_control_waits(struct broker_net *self);
bool broker_net_return_waits(struct broker_net *self);
/* Send all frames in the buffer; a client that is gone gets nothing. */
void broker_net_send(struct broker_net *self,
                     const struct broker_client *client, const char *frames,
                     size_t n);
/* How many were dropped since it was asked last. */
uint64_t broker_net_garbage(struct broker_net *self);

/* ---- lanes ---- */

/* Where agents push to, as a Welcome says it: ":PORT" or an endpoint. */
const char *broker_net_back(const struct broker_net *self);
/*
 * A lane for a new session; *told is where its agent pulls from, as a Welcome
 * says it, a heap string. ERR_UNAVAILABLE: no port of the range is free.
 */
int broker_net_open(struct broker_net *self, broker_session session,
                    int64_t now, char **told, struct err *err);
/* NULL: there is none (any more). */
struct broker_lane *broker_net_lane(struct broker_net *self,
                                    broker_session session);
/* It is to be seen to in this turn: it has something to send, or an event. */
void broker_net_wake(struct broker_net *self, broker_session session);
/* A run has ended: lanes need not know of it any more. */
void broker_net_forget(struct broker_net *self, uint64_t run);
/* The core has dropped the session. */
void broker_net_drop(struct broker_net *self, broker_session session,
                     int64_t now);

/* Send what is due; fn is told of lanes that are no good any more. */
typedef void broker_gone_fn(void *ctx, broker_session session,
                            enum broker_gone why);
void broker_net_turn(struct broker_net *self, int64_t now, broker_gone_fn *fn,
                     void *ctx);
/* When the next is due without an event. */
int64_t broker_net_due(const struct broker_net *self);

#endif
