/* SPDX-License-Identifier: MPL-2.0 */
/*
 * server_impl - what the parts of the server share: server.c has the loop,
 * server_effects.c what the core wants done, server_runs.c runs as they begin,
 * server_control.c messages of clients and agents, server_ask.c people's
 * questions, server_return.c what comes back. Nobody else includes this.
 */
#ifndef BROKER_SERVER_IMPL_H
#define BROKER_SERVER_IMPL_H

#include <wire.pb-c.h>

#include "base/log.h"
#include "base/span.h"
#include "broker/core.h"
#include "broker/net.h"
#include "broker/reader.h"
#include "broker/server.h"
#include "broker/submit.h"
#include "broker/tokens.h"
#include "broker/watch.h"
#include "broker/writer.h"
#include "proto/limits.h"
#include "proto/wire.h"

/* The end of an attempt that was never sent. */
struct unsent {
    broker_session agent;
    uint32_t ticket;
    enum plan_state state;
    json_t *value;
    char *cause;
};

#define UNWANTED 16

struct broker_server {
    struct broker_server_options options;
    struct broker *core;
    struct broker_net *net;
    struct broker_writer *writer;
    struct broker_reader *reader;
    struct broker_reader *parser; /* of large flows, which take long; or NULL */
    struct broker_watch *watch;
    struct broker_submit *submit;
    struct broker_tokens *tokens;
    struct store *cache; /* values by key, read in this thread */
    uint32_t epoch;
    int poll; /* epoll */
    int64_t now;
    uint64_t sealed, committed; /* groups */
    int64_t sealed_at;
    bool recorded; /* something is in the group after `sealed` */
    bool ending;
    char *trouble;   /* why nothing can be written; NULL: it can */
    size_t entering; /* runs between their Submit and their beginning */
    struct unsent *unsent;
    size_t nunsent, cap_unsent;
    uint64_t *uncached; /* runs that look nothing up */
    size_t nuncached, cap_uncached;
    struct broker_submission **taken; /* at the start */
    size_t ntaken, cap_taken;
    int64_t look_at; /* when to look again for what nobody can run */
    /* Frames that were no good, told once a second. */
    uint64_t garbage;
    char garbage_text[LOG_QUOTED];
    int64_t garbage_told, refused_told;
    int64_t files_at; /* when to see whether one can still be opened */
    /* Agents that are refused say hello again and again: told once a minute. */
    struct {
        uint64_t incarnation;
        int64_t told;
    } unwanted[UNWANTED];
    unsigned nunwanted;
};

/* ---- server.c ---- */

/* Send what the question has come to; it is gone then. */
void broker_server_answer(struct broker_server *self,
                          struct broker_question **question_p);
void broker_server_fail(struct broker_server *self,
                        const struct broker_client *client, uint64_t tag,
                        const struct err *err);
void broker_server_put(struct broker_server *self,
                       struct broker_question *question);
void broker_server_garbage(struct broker_server *self, const struct err *err);

/* ---- server_effects.c ---- */

struct broker_effects broker_server_effects(struct broker_server *self);
/* Report the ends of what was never sent; false: there were none. */
bool broker_server_report_unsent(struct broker_server *self);

/* Tell of tasks that no agent could run; when to ask again. */
int64_t broker_server_tell_impossible(struct broker_server *self);

/* ---- server_runs.c ---- */

/* Before there is a writer: take hold of what an earlier broker left; and when
 * there is one: go on with it. */
int broker_server_take_up(struct broker_server *self, struct store *store,
                          struct err *err);
void broker_server_begin_taken(struct broker_server *self);
/* What the writer says of a run; takes the question over. */
void broker_server_run_stored(struct broker_server *self,
                              const struct broker_wrote *wrote);
/* It is asked again; its pieces will be dropped. */
void broker_server_known(struct broker_server *self,
                         const struct broker_client *client, uint64_t tag,
                         uint64_t run);
/* What comes back from the reader. */
void broker_server_read(struct broker_server *self,
                        struct broker_question *question);
/* Room for one more run? */
int broker_server_admit(const struct broker_server *self, struct err *err);

/* ---- the rest ---- */

void broker_server_control(struct broker_server *self,
                           const struct broker_client *client,
                           const struct wire *wire);
/* The agent of a session, if it can be reached: it is over, and why. */
void broker_server_tell_over(struct broker_server *self, broker_session session,
                             const char *why);
void broker_server_ask(struct broker_server *self,
                       const struct broker_client *client,
                       const Wire__Ask *ask);
void broker_server_return(struct broker_server *self, const struct wire *wire);
/*
 * Something that an agent has said was not heard. It is told to say hello
 * anew, and then says it again; until then nothing is acknowledged, lest that
 * were taken for what was not heard. agent: 0 if nobody can tell.
 */
void broker_server_unheard(struct broker_server *self, broker_session agent,
                           const struct err *err);

#endif
