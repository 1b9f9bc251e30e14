/* SPDX-License-Identifier: MPL-2.0 */
/*
 * reader - the thread that reads: the store for whoever looks, flows that are
 * submitted, programs on disk.
 *
 * There are two: one for flows, which may take seconds, and one for all else.
 * Each has a handle of the store of its own. The main thread hands it questions
 * and gets each back once, with what came of it; `frames` is what the client is
 * to be sent, if anything.
 */
#ifndef BROKER_READER_H
#define BROKER_READER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "broker/client.h"
#include "broker/programs.h"
#include "broker/queue.h"
#include "flow/flow.h"
#include "proto/wire.h"
#include "store/history.h"
#include "store/store.h"

struct broker_reader;

enum broker_question_kind {
    QUESTION_LOOK,    /* comes back without frames: wait for news */
    QUESTION_ASK,     /* of people: FIND, RUNS, WHY of a run at its end */
    QUESTION_SUBMIT,  /* comes back with a flow, or with frames */
    QUESTION_HISTORY, /* for a retry: comes back with a history */
    QUESTION_OFFER,   /* a program comes */
    QUESTION_PIECE,   /* a piece of it; has frames when it was the last */
    QUESTION_PROGRAM, /* an agent wants a piece */
    QUESTION_COUNT
};

struct broker_look {
    uint64_t run, batch, offset;
    bool records, output, source, wait;
};

/* A run on its way in. */
struct broker_submission {
    /* name, file, cwd, source; then all that is stored; of a retry only what is
     * other from now on */
    struct store_run row;
    unsigned char source_hash[32];
    struct buf program; /* hash or path; or empty */
    json_t *options;    /* as it came */
    json_t *env;        /* forwarded variables, or NULL */
    int64_t timeout;
    bool no_cache;
    uint64_t token;    /* of the client, for when it asks again; 0: none */
    uint64_t bytes;    /* of source, announced */
    struct flow *flow; /* when it is parsed */
    /* A retry: what there was; and the task to begin from, or PLAN_NONE. */
    struct history *history;
    uint32_t from;
    /* After a restart: what was cancelled of it. */
    struct plan_id *stops;
    size_t nstop;
};

void broker_submission_destroy(struct broker_submission **self_p);

struct broker_question {
    struct broker_item item;
    enum broker_question_kind kind;
    struct broker_client client;
    uint64_t tag;
    /* For whoever asks: when, and what was committed then. */
    int64_t asked;
    uint64_t news;
    struct broker_look look;
    /* ASK, HISTORY */
    enum ask_what what;
    uint64_t run, number;
    char *text;
    struct broker_submission *submission; /* SUBMIT, HISTORY */
    /* OFFER, PIECE, PROGRAM */
    unsigned char hash[PROGRAM_HASH];
    uint64_t bytes, offset;
    struct buf data; /* OFFER: hashes of programs that have to stay */
    /* the answer */
    struct buf frames;
    struct err err;
    bool failed;
};

struct broker_question *broker_question_new(enum broker_question_kind kind,
                                            const struct broker_client *client,
                                            uint64_t tag);
void broker_question_destroy(struct broker_question **self_p);
/* The answer is an error: frames are made of *err. */
void broker_question_fail(struct broker_question *self, const struct err *err);
/* The same with a text of any length, in UTF-8. */
void broker_question_refuse(struct broker_question *self, enum err_code code,
                            char *text);
/* Append an answer: a number, a document (may be NULL). */
void broker_question_answer(struct broker_question *self, uint64_t number,
                            const json_t *document, bool more);

/* What it takes to go on with an earlier run of the store, whose history is
 * taken over on success. Has ret->env, that is given now, and all else is as it
 * was. */
int broker_submission_of_history(struct broker_submission *ret,
                                 struct store *store,
                                 struct history **history_p, struct err *err);

/*
 * Runs are marked as a standing broker's own; or, of a temporary cluster, with
 * its address, so that others who see its store can ask it. `cluster` is
 * borrowed; NULL: standing.
 */
int broker_reader_new(struct broker_reader **ret, const char *folder,
                      const char *cluster, struct err *err);
/* Questions under way are dropped. */
void broker_reader_stop(struct broker_reader **self_p);

void broker_reader_put(struct broker_reader *self,
                       struct broker_question *question);
/* Questions that are not back yet. */
size_t broker_reader_behind(const struct broker_reader *self);
int broker_reader_fd(const struct broker_reader *self);
/* One that is back, or NULL. */
struct broker_question *broker_reader_next(struct broker_reader *self);

#endif
