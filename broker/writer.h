/* SPDX-License-Identifier: MPL-2.0 */
/*
 * writer - the thread that owns the writing store.
 *
 * The main thread collects what is to be written in a group and seals it now
 * and then; the writer does all groups that have come meanwhile with one commit,
 * and then says so. What can't be written (the disk is full) is tried again
 * until it can: nothing of it is lost, and nothing later overtakes it.
 */
#ifndef BROKER_WRITER_H
#define BROKER_WRITER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "broker/queue.h"
#include "store/store.h"

struct broker_writer;

/*
 * Takes the store over, which must be shared (store_share). Then no other
 * thread may touch this handle.
 */
int broker_writer_new(struct broker_writer **ret, struct store **store_p,
                      struct err *err);
/*
 * Writes what was sealed, for `patience` microseconds at most if that fails,
 * ends the thread and closes the store. True: all of it is committed.
 */
bool broker_writer_stop(struct broker_writer **self_p, int64_t patience);

/* ---- into the open group; what is passed is copied ---- */

void broker_writer_record(struct broker_writer *self, uint64_t run,
                          const struct store_record *record);
/* See store_output_at. */
void broker_writer_output(struct broker_writer *self, uint64_t run,
                          const struct store_piece *piece, uint64_t offset);
/* INTERRUPTED: it stays in state running, held by nobody. */
void broker_writer_end(struct broker_writer *self, uint64_t run,
                       enum store_run_state state, const json_t *output,
                       const char *problem);
void broker_writer_cache(struct broker_writer *self, const char *key,
                         const json_t *value);

/* ---- questions, answered by a broker_wrote with their tag (never NULL) ---- */

/* Takes the contents of *run over. */
void broker_writer_begin(struct broker_writer *self, struct store_run *run,
                         void *tag);
/* Go on with a run: a further session, with the options and the env of *change
 * (see store_run_resume). */
void broker_writer_go_on(struct broker_writer *self, uint64_t run,
                         const struct store_run *change, void *tag);
/* That it, or only one instance or task of it, is to be cancelled; it goes on
 * here until it is ended. */
void broker_writer_cancel(struct broker_writer *self, uint64_t run,
                          const struct plan_id *only, void *tag);
void broker_writer_remove(struct broker_writer *self, uint64_t run, void *tag);
void broker_writer_prune(struct broker_writer *self, size_t keep, int64_t age,
                         void *tag);

/* Hand the open group over, if there is anything in it; `group`: its number
 * when it is committed. */
void broker_writer_seal(struct broker_writer *self, uint64_t group);
/* Does somebody wait for what is in the open group? */
bool broker_writer_is_urgent(const struct broker_writer *self);
/* Bytes that are not committed yet. */
size_t broker_writer_behind(const struct broker_writer *self);

/* ---- what it says ---- */

enum broker_wrote_what {
    WROTE_GROUP,   /* all groups up to `number` are committed */
    WROTE_RUN,     /* begun, or gone on with: `run` */
    WROTE_NOTED,   /* that a run is to be cancelled */
    WROTE_REMOVED, /* `number`: how many */
    WROTE_TROUBLE, /* nothing can be written: *err; it tries on */
    WROTE_WELL,    /* ... now it could */
};

struct broker_wrote {
    struct broker_item item;
    enum broker_wrote_what what;
    bool failed; /* RUN, NOTED and REMOVED: *err */
    void *tag;
    uint64_t run, number;
    size_t bytes; /* private */
    struct err err;
};

int broker_writer_fd(const struct broker_writer *self);
/* The next, to be freed by free(); NULL: none. */
struct broker_wrote *broker_writer_next(struct broker_writer *self);

#endif
