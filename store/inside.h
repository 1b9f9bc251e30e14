/* SPDX-License-Identifier: MPL-2.0 */
/*
 * inside - what the files of the store share.
 */
#ifndef STORE_INSIDE_H
#define STORE_INSIDE_H

#include "store/batch.h"
#include "store/db.h"
#include "store/extents.h"
#include "store/outfile.h"
#include "store/store.h"

/* A run that this handle holds. */
struct live {
    uint64_t run;
    struct outfile out;
    struct batch batch;
    struct extents extents; /* of attempts that go on */
};

struct store {
    struct db db;
    char *folder; /* absolute: a task may change the directory */
    struct live *lives;
    size_t nlive, cap;
    size_t recent; /* the one last asked for */
    int64_t due;   /* monotonic; SPAN_NEVER: nothing is pending */
    bool shared;   /* locks belong to descriptors */
    int lock;      /* of the folder, by a broker; -1 */
};

/* NULL if this handle does not hold the run. */
struct live *store_live(struct store *self, uint64_t run);
/* Takes the file over; valid until the next. */
struct live *store_live_add(struct store *self, uint64_t run,
                            const struct outfile *out);

/* The path of a run's output, a heap string. */
char *store_output_path(const struct store *self, uint64_t run);

/* The options of a run that goes on with these variables (or NULL): with their
 * names as "env"; new. And the values, where only store_run_env finds them. */
json_t *store_forwarded_options(const json_t *options, const json_t *env);
int store_forwarded_put(struct store *self, uint64_t run, const json_t *env,
                        struct err *err);

/* Is there a table of this name? */
int store_has_table(struct store *self, const char *name, bool *ret,
                    struct err *err);

/* Does somebody, this process or another, hold the run? */
bool store_is_held(struct store *self, uint64_t run);

/* Is there such a run? If not, ERR_NOT_FOUND with the newest there is. */
int store_must_exist(struct store *self, uint64_t run, struct err *err);

/* A batch as it is stored. */
struct stored {
    int64_t id, at;
    char *names, *records;
};

/* The batch behind self->id; id becomes 0 if there is none. */
int store_next_batch(struct store *store, uint64_t run, struct stored *self,
                     struct err *err);

/* The ids that a statement gives, a heap array. */
int store_ids(struct store *self, sqlite3_stmt *stmt, uint64_t **ret, size_t *n,
              struct err *err);

#endif
