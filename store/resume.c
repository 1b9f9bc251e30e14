/* SPDX-License-Identifier: MPL-2.0 */
/*
 * resume - runs that are gone on with.
 */
#include <stdlib.h>
#include <unistd.h>

#include "store/inside.h"

static int
set_resumed(struct store *self, uint64_t run, int sessions, struct err *err)
{
    sqlite3_stmt *stmt = db_stmt(&self->db, DB_RUN_RESUME, err);

    if (!stmt)
        return -1;
    db_bind_int(stmt, 1, (int64_t)run);
    db_bind_text(stmt, 2, store_run_state_names[STORE_RUNNING]);
    db_bind_int(stmt, 3, sessions);
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
keep_going(struct store *self, uint64_t run, int sessions,
           struct extents *extents, struct err *err)
{
    if (sessions > 0)
        extents_release(extents);
    if (extents->n == 0)
        return 0;
    return store_records(self, run, forget_ended, extents, err);
}

/* ---- going on ---- */

static int
go_on(struct store *self, uint64_t run, int sessions, struct err *err)
{
    char *path = store_output_path(self, run);
    struct extents extents = {0};
    struct outfile out = {.fd = -1};
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
    if (set_resumed(self, run, sessions, err) < 0)
        goto out;
    /* Removed before we had the lock? Then the file is a new one. */
    if (sqlite3_changes(self->db.handle) == 0) {
        (void)unlink(path);
        (void)store_must_exist(self, run, err);
        goto out;
    }
    if (keep_going(self, run, sessions, &extents, err) < 0)
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
store_run_resume(struct store *self, uint64_t run, struct err *err)
{
    return go_on(self, run, 1, err);
}

int
store_run_hold(struct store *self, uint64_t run, struct err *err)
{
    return go_on(self, run, 0, err);
}
