/* SPDX-License-Identifier: MPL-2.0 */
/*
 * resume - runs that are gone on with.
 */
#include <stdlib.h>
#include <unistd.h>

#include "store/inside.h"

/* A further session of a run: what is other in it. */
struct session {
    int count; /* 0: it is the same session */
    const json_t *options, *env;
};

static int
set_resumed(struct store *self, uint64_t run, const struct session *session,
            struct err *err)
{
    sqlite3_stmt *stmt = db_stmt(&self->db, DB_RUN_RESUME, err);
    json_t *options;

    if (!stmt)
        return -1;
    options = store_forwarded_options(session->options, session->env);
    db_bind_int(stmt, 1, (int64_t)run);
    db_bind_text(stmt, 2, store_run_state_names[STORE_RUNNING]);
    db_bind_int(stmt, 3, session->count);
    db_bind_json(stmt, 4, options);
    json_decref(options);
    return db_finish(&self->db, stmt, err);
}

/* ---- the output that is there ---- */

static bool
count_piece(void *ctx, const struct store_piece *piece)
{
    if (piece->origin != 0)
        *extents_end(ctx, piece) += piece->n;
    return true;
}

static bool
forget_ended(void *ctx, const struct store_record *record)
{
    if (record->state != PLAN_RUNNING)
        extents_forget(ctx, record->id, record->attempt);
    return true;
}

/* Only of attempts that somebody may carry out still. */
static int
keep_going(struct store *self, uint64_t run, const struct session *session,
           struct extents *extents, struct err *err)
{
    if (session->count > 0)
        extents_release(extents);
    if (extents->n == 0)
        return 0;
    return store_records(self, run, forget_ended, extents, err);
}

/* ---- going on ---- */

/* *found is false if there is no such run any more. */
static int
commit_resumed(struct store *self, uint64_t run, const struct session *session,
               bool *found, struct err *err)
{
    int rc = db_do(&self->db, DB_BEGIN, err);

    if (rc == 0)
        rc = set_resumed(self, run, session, err);
    *found = rc == 0 && sqlite3_changes(self->db.handle) > 0;
    if (rc == 0 && *found)
        rc = store_forwarded_put(self, run, session->env, err);
    if (rc == 0)
        rc = db_do(&self->db, DB_COMMIT, err);
    if (rc < 0)
        db_rollback(&self->db);
    return rc;
}

static int
go_on(struct store *self, uint64_t run, const struct session *session,
      struct err *err)
{
    char *path = store_output_path(self, run);
    struct extents extents = {0};
    struct outfile out = {.fd = -1};
    bool found = false;
    int rc = -1;

    if (store_must_exist(self, run, err) < 0)
        goto out;
    if (store_live(self, run)) {
        (void)err_set(
            err, ERR_UNAVAILABLE,
            "can't go on with run %llu: it is running in this process",
            (unsigned long long)run);
        goto out;
    }
    if (outfile_resume(&out, path, self->shared, count_piece, &extents, err) <
        0) {
        (void)err_prefix(
            err, "can't go on with run %llu: ", (unsigned long long)run);
        goto out;
    }
    if (commit_resumed(self, run, session, &found, err) < 0)
        goto out;
    /* Removed before we had the lock? Then the file is a new one. */
    if (!found) {
        (void)unlink(path);
        (void)store_must_exist(self, run, err);
        goto out;
    }
    if (keep_going(self, run, session, &extents, err) < 0)
        goto out;
    store_live_add(self, run, &out)->extents = extents;
    extents = (struct extents){0};
    rc = 0;
out:
    if (rc < 0 && out.fd >= 0)
        outfile_close(&out);
    extents_release(&extents);
    free(path);
    return rc;
}

int
store_run_resume(struct store *self, uint64_t run, const json_t *options,
                 const json_t *env, struct err *err)
{
    struct session session = {.count = 1, .options = options, .env = env};

    return go_on(self, run, &session, err);
}

int
store_run_hold(struct store *self, uint64_t run, struct err *err)
{
    struct session session = {.count = 0};

    return go_on(self, run, &session, err);
}
