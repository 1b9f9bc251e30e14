/* SPDX-License-Identifier: MPL-2.0 */
/*
 * server - the broker: its core between sockets, writer and reader.
 *
 * One loop in the main thread. A turn takes what has come, lets the core
 * decide, hands the writer one group of what is to be stored, and sends each
 * agent what is due for it.
 */
#ifndef BROKER_SERVER_H
#define BROKER_SERVER_H

#include <stdbool.h>

#include "base/err.h"

struct broker_server;

struct broker_server_options {
    const char *address;  /* as link_address makes it */
    unsigned first, last; /* ports of lanes */
    const char *store;    /* folder */
    bool temporary; /* of one run: others' runs are none of its business */
    int signals;    /* a signalfd: the first ends it */
    int lifeline;   /* readable: ends it; -1 */
};

/*
 * Open the store, take up the runs that an earlier broker left, bind. After
 * this agents and clients are served. ERR_UNAVAILABLE and others: one clear
 * text.
 */
int broker_server_new(struct broker_server **ret,
                      const struct broker_server_options *options,
                      struct err *err);
/* Until it is told to end. */
void broker_server_run(struct broker_server *self);
/* Commit all there is and close. ERR_UNAVAILABLE: not all could be. */
int broker_server_stop(struct broker_server **self_p, struct err *err);

#endif
