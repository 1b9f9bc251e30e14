/* SPDX-License-Identifier: MPL-2.0 */
/*
 * tidy - what keeps a store small; and the cache, which is small.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/inside.h"

static int
run_with_id(struct store *self, enum db_stmt which, int64_t id, struct err *err)
{
    sqlite3_stmt *stmt = db_stmt(&self->db, which, err);

    if (!stmt)
        return -1;
    db_bind_int(stmt, 1, id);
    return db_finish(&self->db, stmt, err);
}

static int
source_of(struct store *self, uint64_t run, int64_t *ret, struct err *err)
{
    sqlite3_stmt *stmt = db_stmt(&self->db, DB_RUN_SOURCE, err);
    bool row = false;

    if (!stmt)
        return -1;
    db_bind_int(stmt, 1, (int64_t)run);
    if (db_next(&self->db, stmt, &row, err) < 0)
        return -1;
    *ret = row ? sqlite3_column_int64(stmt, 0) : 0;
    (void)sqlite3_reset(stmt);
    return 0;
}

static int
delete_run(struct store *self, uint64_t run, struct err *err)
{
    int64_t source = 0;

    if (db_do(&self->db, DB_BEGIN, err) < 0)
        return -1;
    if (source_of(self, run, &source, err) < 0 ||
        run_with_id(self, DB_RUN_DELETE, (int64_t)run, err) < 0 ||
        run_with_id(self, DB_SOURCE_DROP, source, err) < 0 ||
        db_do(&self->db, DB_COMMIT, err) < 0) {
        db_rollback(&self->db);
        return -1;
    }
    return 0;
}

/* A few at a time: others may want to commit between. */
static int
delete_batches(struct store *self, uint64_t run, struct err *err)
{
    do {
        if (run_with_id(self, DB_BATCH_DELETE, (int64_t)run, err) < 0)
            return -1;
    } while (sqlite3_changes(self->db.handle) > 0);
    return 0;
}

int
store_remove(struct store *self, uint64_t run, struct err *err)
{
    char *path = store_output_path(self, run);
    int fd = -1, rc = -1;

    if (store_must_exist(self, run, err) < 0)
        goto out;
    /* With its lock, so that nobody goes on with it meanwhile. */
    if (store_live(self, run)) {
        (void)err_set(err, ERR_UNAVAILABLE,
                      "can't remove run %llu: it is running in this process",
                      (unsigned long long)run);
        goto out;
    }
    if (outfile_claim(path, self->shared, &fd, err) < 0) {
        (void)err_prefix(err,
                         "can't remove run %llu: ", (unsigned long long)run);
        goto out;
    }
    /* First, because a full disk may be why: rows need room to go. */
    if (fd >= 0 && ftruncate(fd, 0) < 0) {
        (void)err_set(err, ERR_UNAVAILABLE, "can't write %s: %s", path,
                      strerror(errno));
        goto out;
    }
    if (delete_run(self, run, err) < 0)
        goto out;
    (void)unlink(path);
    rc = delete_batches(self, run, err);
out:
    if (fd >= 0)
        (void)close(fd);
    free(path);
    return rc;
}

/* Give what was freed back to the file system, a short commit at a time. */
static int
shrink(struct store *self, struct err *err)
{
    int64_t left = 0, before;

    do {
        before = left;
        if (db_do(&self->db, DB_VACUUM, err) < 0 ||
            db_ask(&self->db, "PRAGMA freelist_count", &left, err) < 0)
            return -1;
    } while (left > 0 && left != before);
    return 0;
}

/* A run that is gone, or is gone on with, since we looked is no failure. */
static int
remove_old(struct store *self, uint64_t run, size_t *removed, struct err *err)
{
    if (store_remove(self, run, err) == 0) {
        (*removed)++;
        return 0;
    }
    if (err->code == ERR_NOT_FOUND || store_is_held(self, run))
        return 0;
    return -1;
}

/* What a removal that was killed has left. */
static int
delete_strays(struct store *self, struct err *err)
{
    sqlite3_stmt *stmt = db_stmt(&self->db, DB_BATCH_STRAY, err);
    uint64_t *ids = NULL;
    size_t n = 0;
    int rc = 0;

    if (!stmt || store_ids(self, stmt, &ids, &n, err) < 0)
        return -1;
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = delete_batches(self, ids[i], err);
    free(ids);
    return rc;
}

int
store_prune(struct store *self, size_t keep, int64_t age, size_t *removed,
            struct err *err)
{
    sqlite3_stmt *stmt = db_stmt(&self->db, DB_RUN_OLD, err);
    int64_t now = span_wall();
    uint64_t *ids = NULL;
    size_t n = 0, count = 0;
    int rc = 0;

    if (!stmt)
        return -1;
    db_bind_int(stmt, 1, keep ? (int64_t)keep : -1);
    db_bind_int(stmt, 2, age ? now - age : INT64_MIN);
    if (store_ids(self, stmt, &ids, &n, err) < 0)
        return -1;
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = remove_old(self, ids[i], &count, err);
    free(ids);
    if (rc < 0 || delete_strays(self, err) < 0 ||
        run_with_id(self, DB_CACHE_DROP, now - STORE_CACHE_KEEP, err) < 0 ||
        shrink(self, err) < 0)
        return -1;
    *removed = count;
    return 0;
}

int
store_cache_get(struct store *self, const char *key, int64_t max_age,
                json_t **ret, struct err *err)
{
    sqlite3_stmt *stmt = db_stmt(&self->db, DB_CACHE_GET, err);
    bool row = false;
    int rc;

    if (!stmt)
        return -1;
    db_bind_text(stmt, 1, key);
    db_bind_int(stmt, 2, span_wall() - max_age);
    if (db_next(&self->db, stmt, &row, err) < 0)
        return -1;
    if (!row)
        return err_set(err, ERR_NOT_FOUND, "it is not in the cache");
    rc = db_json(&self->db, stmt, 0, ret, err);
    (void)sqlite3_reset(stmt);
    return rc;
}

int
store_cache_put(struct store *self, const char *key, const json_t *value,
                struct err *err)
{
    sqlite3_stmt *stmt = db_stmt(&self->db, DB_CACHE_PUT, err);

    if (!stmt)
        return -1;
    db_bind_text(stmt, 1, key);
    db_bind_json(stmt, 2, value);
    db_bind_int(stmt, 3, span_wall());
    return db_finish(&self->db, stmt, err);
}
