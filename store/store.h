/* SPDX-License-Identifier: MPL-2.0 */
/*
 * store - runs on disk.
 *
 * A SQLite database in WAL mode, leat.db, and beside it an append-only file of
 * output for each run, output/ID. Any number of processes share a store
 * without waiting for each other: each commits in groups, briefly. What was
 * committed survives the death of the process at any moment; what exactly is
 * kept of the last few milliseconds before it is not promised. A power loss
 * may cost what the kernel had not written yet, half a minute as a rule, but
 * not the database.
 *
 * A run belongs to the process that began it, which holds a lock on the run's
 * output file; a run in state running whose lock nobody holds is interrupted.
 * A forked child does not hold it, and must neither use nor close the store.
 *
 * Records of attempts are committed in batches, one row a batch. Three views
 * show everything to plain SQL; tables are the store's own. Times are
 * microseconds, moments since 1970 (UTC); what is unknown or none is NULL.
 *
 *   runs      run, flow, name, state (running also when interrupted), started,
 *             ended, params, output, options (JSON), sessions, file, program,
 *             cwd, source
 *   attempts  a row a record: run, task (its name), child (index), key, attempt
 *             (0: never started), state, value (JSON), cause, children (of
 *             state mapped), code, started, ended, cpu, memory (bytes), cwd (if
 *             not the run's), number (of the task in its flow), record (grows)
 *   tasks     the last record of each task and child, with the same columns
 *
 *   SELECT task, key, state, (ended - started) / 1e6 AS seconds
 *   FROM tasks WHERE run = 12 AND state <> 'succeeded';
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "flow/plan.h"

#define STORE_VERSION   1
#define STORE_FLUSH_DUE (10 * SPAN_MS) /* a record waits no longer than this */
/* A cache entry older than this is dropped by store_prune. */
#define STORE_CACHE_KEEP (INT64_C(400) * 86400 * SPAN_SECOND)

struct store;

enum store_mode {
    STORE_WRITE, /* made if it does not exist */
    STORE_READ,  /* ERR_NOT_FOUND if it does not exist */
};

/*
 * Open the store in a folder. Fails with ERR_UNAVAILABLE if it can't be read or
 * written, ERR_INVALID if it is damaged or from a newer leat; each message
 * names the file and what to do.
 */
int store_open(struct store **ret, const char *folder, enum store_mode mode,
               struct err *err);
/* Commits what is pending first; errors there are lost, so flush before. */
void store_close(struct store **self_p);

/*
 * Before anything is begun: other threads of this process look at the same
 * runs through handles of their own. Locks then belong to descriptors instead
 * of the process, which must not fork; who holds a run is told without a
 * process number.
 */
void store_share(struct store *self);

/* The folder of --store, LEAT_STORE or $XDG_STATE_HOME/leat; a heap string. */
char *store_default_folder(void);

enum store_run_state {
    STORE_RUNNING,
    STORE_SUCCEEDED,
    STORE_FAILED,
    STORE_CANCELLED,
    STORE_PAUSED,
    STORE_INTERRUPTED, /* never written: running, and nobody holds the lock */
    STORE_RUN_STATE_COUNT
};

extern const char *const store_run_state_names[STORE_RUN_STATE_COUNT];

/* A run as it is stored. Strings are owned when returned, else borrowed. */
struct store_run {
    uint64_t id;
    char *flow;   /* its name */
    char *name;   /* --name, or NULL */
    char *file;   /* the flow file or program as named, or NULL */
    char *source; /* the flow file's text, or the C flow as JSON */
    size_t source_len;
    char *program; /* absolute path of a C flow's program, or NULL */
    char *cwd;
    json_t *params;
    json_t *options; /* "env": names of forwarded variables, "problem", ... */
    json_t *env;     /* their values, by name; only for store_run_begin */
    json_t *output;  /* NULL until it has succeeded */
    enum store_run_state state;
    int64_t started;   /* wall clock, microseconds */
    int64_t ended;     /* 0: not yet */
    uint32_t sessions; /* 1, and one more for each retry */
};

void store_run_release(struct store_run *self);

/*
 * Why it failed though its tasks did not, or was cancelled though nobody asked
 * for it, as a sentence; or NULL.
 */
const char *store_run_problem(const struct store_run *self);
/* The address of the temporary cluster that carries it out, if one does; NULL.
 * Means nothing any more when the run is not running. */
const char *store_run_cluster(const struct store_run *self);
/* It was cancelled for its time: its problem is STORE_TIMED_OUT. */
bool store_run_timed_out(const struct store_run *self);
#define STORE_TIMED_OUT "the run took longer than its time-out"

/*
 * Begin a run: id, started and sessions are set and committed, the lock is
 * held. Ids count from 1 and are never used again. The names of run->env are
 * added to the stored options.
 */
int store_run_begin(struct store *self, struct store_run *run, struct err *err);
/*
 * Go on with a run: takes the lock (ERR_UNAVAILABLE if it is held, here or by
 * another process), counts the session, sets it running. What is to be other
 * than before: members of its options (null: gone), and all its forwarded
 * variables; each may be NULL.
 */
int store_run_resume(struct store *self, uint64_t run, const json_t *options,
                     const json_t *env, struct err *err);
/* The same without counting a session: a broker goes on with its own, and with
 * the attempts that agents still have. */
int store_run_hold(struct store *self, uint64_t run, struct err *err);
/* Flush and unlock it, still in state running: someone may go on with it. */
int store_run_let_go(struct store *self, uint64_t run, struct err *err);
/*
 * End it: flushes, commits the state with the output and the problem (both may
 * be NULL), unlocks. If that fails the run is still held, and can be ended
 * again.
 */
int store_run_end(struct store *self, uint64_t run, enum store_run_state state,
                  const json_t *output, const char *problem, struct err *err);

/* The process that carries a run out; -1: one that can't be seen, 0: none. */
pid_t store_run_process(struct store *self, uint64_t run);

/* A change of one instance, or the end of an attempt. All borrowed. */
struct store_record {
    struct plan_id id;
    const char *task;      /* its name */
    const char *key;       /* a child's own key ("8,3"), or NULL */
    uint32_t attempt;      /* 0: never started */
    enum plan_state state; /* final, RUNNING, RETRYING, PAUSED or MAPPED */
    const json_t *value;
    const char *cause;
    uint32_t children;      /* MAPPED: how many */
    int code;               /* exit code or signal; -1: none */
    int64_t started, ended; /* wall; 0: unknown */
    int64_t cpu, memory;
    const char *cwd; /* where it ran, if not in the run's folder; or NULL */
};

/*
 * Add a record to the pending batch of the run. A batch is committed by
 * store_flush, or by itself when it is large. Fails if that commit fails
 * (ERR_UNAVAILABLE: disk full, ...): nothing that was committed is lost, and
 * what is pending, this record too, stays so: a later flush may succeed.
 */
int store_record(struct store *self, uint64_t run,
                 const struct store_record *record, struct err *err);
int store_flush(struct store *self, struct err *err);
/* When the pending batch is due, monotonic; SPAN_NEVER: nothing pending. */
int64_t store_due(const struct store *self);

/*
 * Append output of an attempt of the run that this process holds; it is with
 * the kernel when the call returns. stream: 1 stdout, 2 stderr, 0 leat's own
 * words.
 */
int store_output(struct store *self, uint64_t run, struct plan_id id,
                 uint32_t attempt, int stream, const char *data, size_t n,
                 struct err *err);

/* ---- looking back ---- */

/*
 * "12", "last" or a --name (the newest with it); ERR_NOT_FOUND says more. What
 * has digits only is a number.
 */
int store_find(struct store *self, const char *which, uint64_t *ret,
               struct err *err);

/* Without source unless asked for, always without env. ERR_NOT_FOUND. */
int store_run_get(struct store *self, uint64_t run, bool with_source,
                  struct store_run *ret, struct err *err);

/* The forwarded variables of a run, by name: a new object. For whoever goes on
 * with the run: their values may be secrets. */
int store_run_env(struct store *self, uint64_t run, json_t **ret,
                  struct err *err);

/* Newest first, at most `most` (0: all), without source; fn returns false to
 * stop. */
typedef bool store_run_fn(void *ctx, const struct store_run *run);
int store_runs(struct store *self, size_t most, store_run_fn *fn, void *ctx,
               struct err *err);

/* Every committed record of a run in the order it was made. */
typedef bool store_record_fn(void *ctx, const struct store_record *record);
int store_records(struct store *self, uint64_t run, store_record_fn *fn,
                  void *ctx, struct err *err);

/*
 * The output of a run in the order it came; `only` NULL: of all tasks; with
 * child PLAN_WHOLE: of a task with all its children. `offset` (0 at first) is
 * moved behind what was read, so that -f can go on from there. A piece for which
 * the function returns false is the last, and counts as not read.
 */
struct store_piece {
    struct plan_id id;
    uint32_t attempt;
    int stream;
    uint32_t origin; /* see store_output_at */
    int64_t when;    /* wall */
    const char *data;
    size_t n;
};
typedef bool store_piece_fn(void *ctx, const struct store_piece *piece);
int store_pieces(struct store *self, uint64_t run, const struct plan_id *only,
                 uint64_t *offset, store_piece_fn *fn, void *ctx,
                 struct err *err);

/* Delete a run with its output. ERR_UNAVAILABLE while it is running. */
int store_remove(struct store *self, uint64_t run, struct err *err);

/*
 * Retention: delete finished runs past the `keep` newest (0: no bound) and
 * those that ended more than `age` microseconds ago (0: no bound). Interrupted
 * and paused runs stay. Sets *removed.
 */
int store_prune(struct store *self, size_t keep, int64_t age, size_t *removed,
                struct err *err);

/* ---- cache ---- */

/* A value by its key (any string), not older than max_age; ERR_NOT_FOUND. */
int store_cache_get(struct store *self, const char *key, int64_t max_age,
                    json_t **ret, struct err *err);
int store_cache_put(struct store *self, const char *key, const json_t *value,
                    struct err *err);

/* ---- for brokers, and for their clients ---- */

/*
 * One standing broker a store: holds FOLDER/broker.lock until the handle is
 * closed. `who` is written into it for others' errors: "tcp://127.0.0.1:7100".
 * ERR_UNAVAILABLE names who has it.
 */
int store_lock(struct store *self, const char *who, struct err *err);

/* How often a broker was started on this store, now one more; committed, and
 * safe from a power loss. */
int store_epoch_next(struct store *self, uint32_t *ret, struct err *err);

/*
 * Append output that may come again. offset: of its first byte among all of
 * its attempt's stream that come from the same origin; what is there already
 * is left out, also after a store_run_hold. Origin 0: nothing is. Its time is
 * now.
 */
int store_output_at(struct store *self, uint64_t run,
                    const struct store_piece *piece, uint64_t offset,
                    struct err *err);

/* That somebody wants it cancelled is in its options ("cancelled": true) and
 * committed, until a further session begins. */
int store_run_cancel(struct store *self, uint64_t run, struct err *err);

/* The same of one instance, or a whole task, and all that were so; a heap
 * array. */
int store_run_stop(struct store *self, uint64_t run, struct plan_id id,
                   struct err *err);
int store_run_stops(struct store *self, uint64_t run, struct plan_id **ret,
                    size_t *n, struct err *err);

/* Runs whose options say "broker", in state running and held by nobody, oldest
 * first: a heap array. */
int store_unfinished(struct store *self, uint64_t **ret, size_t *n,
                     struct err *err);

/* Of the newest `most` runs those whose options have a "submission" (a token,
 * 16 digits in hex; 0 is none), oldest first; fn returns false to stop. */
typedef bool store_submission_fn(void *ctx, uint64_t run, uint64_t token);
int store_submissions(struct store *self, size_t most, store_submission_fn *fn,
                      void *ctx, struct err *err);

/*
 * The committed batches of a run behind number `after` (0: all), as one text
 * each that store_batch_records reads; numbers grow. fn returns false to stop.
 * A batch that was recorded through a broker fits a frame.
 */
typedef bool store_batch_fn(void *ctx, uint64_t number, const char *text,
                            size_t n);
int store_batches(struct store *self, uint64_t run, uint64_t after,
                  store_batch_fn *fn, void *ctx, struct err *err);
/* Each record of such a text. ERR_INVALID if it is none; records before the
 * damage have been given. */
int store_batch_records(const char *text, size_t n, store_record_fn *fn,
                        void *ctx, struct err *err);

/*
 * Append whole pieces of output as they are stored, from *offset (0 at first),
 * which is moved behind them: at most `most` bytes, but one piece if there is
 * any. *more: there is more already.
 */
int store_output_raw(struct store *self, uint64_t run, uint64_t *offset,
                     size_t most, struct buf *out, bool *more, struct err *err);
/* Each piece of what store_output_raw has given. ERR_INVALID. */
int store_output_pieces(const char *data, size_t n, store_piece_fn *fn,
                        void *ctx, struct err *err);

/* The row of a run as an object, with "source" if the struct has it; new. */
json_t *store_run_to_json(const struct store_run *run);
/* And back, checked; a state may be "interrupted". ERR_INVALID. */
int store_run_from_json(struct store_run *ret, const json_t *json,
                        struct err *err);

#endif
