/* SPDX-License-Identifier: MPL-2.0 */
/*
 * client - a connection to a broker.
 *
 * One thread, one question at a time, each with its answer; what takes long is
 * asked for with `wait` and answered when there is something. A broker that is
 * away is known at once (ERR_UNAVAILABLE, with address and cause); one that
 * goes away later is waited for where the caller says so, and questions are
 * asked again, for they may be.
 */
#ifndef LIB_CLIENT_H
#define LIB_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "lib/local.h"
#include "proto/wire.h"
#include "store/history.h"

struct client;

/* address: as link_address takes it. ERR_DENIED: the broker speaks another
 * version of the protocol. */
int client_open(struct client **ret, const char *address, struct err *err);
void client_close(struct client **self_p);

/* Readable during waits: every byte is an interrupt, given to the callback of
 * whoever waits; -1: none. */
void client_set_interrupt(struct client *self, int fd);

/* Ask and get the document (may be NULL) and number of the answer. An answer
 * with a code is -1 and *err. */
int client_ask(struct client *self, enum ask_what what, uint64_t run,
               const char *text, uint64_t number, json_t **document,
               uint64_t *answer, struct err *err);

/* What is submitted besides what local_request has. */
struct client_submit {
    const struct local_request *request; /* flow, params, info, timeout, ... */
    const char *program;  /* path of a C flow's program, or NULL */
    bool program_travels; /* false: the cluster is this machine */
    /* Asked when the broker is lost, if not NULL: -1 and *err ends it. */
    int (*check)(void *ctx, struct err *err);
    void *ctx;
};

/* The run is stored when this returns. A broker that goes away meanwhile is
 * waited for. */
int client_submit(struct client *self, const struct client_submit *submit,
                  uint64_t *run, struct err *err);

/* Go on with the run that request->resume is of: from, env and timeout count. */
int client_retry(struct client *self, const struct local_request *request,
                 struct err *err);

/*
 * Follow a run to its end: watch's callbacks are called as by local_run, *ret is
 * as local_run leaves it (its run follows the broker's). The first interrupt
 * cancels the run, the second kills; with `leave` one only ends the watching
 * (ret->state RUNNING). A broker that goes away is waited for, for `patience`
 * microseconds, and told of by one line through *lost.
 *
 * -1: the broker is away for too long (ERR_UNAVAILABLE) or sends what is no run
 * of this flow; ret->run is set if anything was heard of the run.
 */
struct client_follow {
    const struct flow *flow;
    json_t *params;
    uint64_t run;
    const struct history *resume; /* earlier sessions, not to be told again */
    uint32_t from; /* with resume: executed again from here; or PLAN_NONE */
    const struct local_watch *watch; /* NULL: no output is fetched */
    /* Only the end is waited for: records and output are fetched afterwards, if
     * it did not succeed. Without a watch, records in any case. */
    bool quiet;
    bool leave;
    int interrupt_fd; /* -1: none */
    int64_t patience;
    /* Also told of what only other agents could go on with. */
    void (*lost)(void *ctx, const char *text);
    /* Asked every 100 ms or so, if not NULL: -1 and *err ends the following. */
    int (*check)(void *ctx, struct err *err);
    void *ctx;
};
int client_follow(struct client *self, const struct client_follow *follow,
                  struct local_result *ret, struct err *err);

#endif
