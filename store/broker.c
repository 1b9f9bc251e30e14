/* SPDX-License-Identifier: MPL-2.0 */
/*
 * broker - what a broker needs of its store besides what every run does, and
 * the form in which records travel to its clients.
 *
 * A batch travels as three lines: its moment, its names, its records.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/inside.h"

/* Who holds the lock, as it says itself: "tcp://..., process 12". */
static int
locked_by_other(const char *folder, int fd, struct err *err)
{
    char who[200];
    ssize_t n = pread(fd, who, sizeof who - 1, 0);

    who[n > 0 ? n : 0] = '\0';
    who[strcspn(who, "\n")] = '\0';
    for (char *c = who; *c; c++) {
        if ((unsigned char)*c < ' ')
            *c = '?';
    }
    return err_set(err, ERR_UNAVAILABLE,
                   "the store %s belongs to another broker that is running "
                   "(%s); choose another folder with --store",
                   folder, *who ? who : "it does not say which");
}

int
store_lock(struct store *self, const char *who, struct err *err)
{
    char *path = mem_printf("%s/broker.lock", self->folder);
    char *text =
        mem_printf("leat-broker at %s, process %ld\n", who, (long)getpid());
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    int rc = -1;

    if (fd < 0) {
        (void)err_set(err, ERR_UNAVAILABLE, "can't write %s: %s", path,
                      strerror(errno));
        goto out;
    }
    if (fcntl(fd, F_OFD_SETLK, &lock) < 0) {
        if (errno == EAGAIN || errno == EACCES)
            (void)locked_by_other(self->folder, fd, err);
        else
            (void)err_set(err, ERR_UNAVAILABLE, "can't lock %s: %s", path,
                          strerror(errno));
        goto out;
    }
    if (ftruncate(fd, 0) < 0 ||
        pwrite(fd, text, strlen(text), 0) != (ssize_t)strlen(text)) {
        (void)err_set(err, ERR_UNAVAILABLE, "can't write %s: %s", path,
                      strerror(errno));
        goto out;
    }
    self->lock = fd;
    fd = -1;
    rc = 0;
out:
    if (fd >= 0)
        (void)close(fd);
    free(text);
    free(path);
    return rc;
}

static int
next_epoch(struct store *self, int64_t *ret, struct err *err)
{
    sqlite3_stmt *stmt;
    bool row = false;

    if (db_do(&self->db, DB_BEGIN, err) < 0)
        return -1;
    if (db_do(&self->db, DB_EPOCH_MAKE, err) < 0)
        goto failed;
    stmt = db_stmt(&self->db, DB_EPOCH_NEXT, err);
    if (!stmt || db_next(&self->db, stmt, &row, err) < 0)
        goto failed;
    *ret = row ? sqlite3_column_int64(stmt, 0) : 0;
    (void)sqlite3_reset(stmt);
    if (*ret < 1 || *ret > UINT32_MAX) {
        (void)db_damaged(&self->db, "a broker's epoch makes no sense", err);
        goto failed;
    }
    if (db_do(&self->db, DB_COMMIT, err) == 0)
        return 0;
failed:
    db_rollback(&self->db);
    return -1;
}

int
store_epoch_next(struct store *self, uint32_t *ret, struct err *err)
{
    int64_t epoch = 0;
    struct err ignored;
    int rc;

    if (db_do(&self->db, DB_SYNC_FULL, err) < 0)
        return -1;
    rc = next_epoch(self, &epoch, err);
    (void)db_do(&self->db, DB_SYNC_NORMAL, &ignored);
    if (rc == 0)
        *ret = (uint32_t)epoch;
    return rc;
}

int
store_run_cancel(struct store *self, uint64_t run, struct err *err)
{
    sqlite3_stmt *stmt = db_stmt(&self->db, DB_RUN_CANCEL, err);

    if (!stmt)
        return -1;
    (void)sqlite3_bind_int64(stmt, 1, (int64_t)run);
    return db_finish(&self->db, stmt, err);
}

static int
add_stop(struct store *self, uint64_t run, struct plan_id id, struct err *err)
{
    sqlite3_stmt *stmt;

    if (db_do(&self->db, DB_STOP_MAKE, err) < 0 ||
        db_do(&self->db, DB_STOP_FOLLOW, err) < 0)
        return -1;
    stmt = db_stmt(&self->db, DB_STOP_ADD, err);
    if (!stmt)
        return -1;
    db_bind_int(stmt, 1, (int64_t)run);
    db_bind_int(stmt, 2, id.task);
    db_bind_int(stmt, 3, id.child);
    return db_finish(&self->db, stmt, err);
}

int
store_run_stop(struct store *self, uint64_t run, struct plan_id id,
               struct err *err)
{
    if (db_do(&self->db, DB_BEGIN, err) < 0)
        return -1;
    if (add_stop(self, run, id, err) == 0 &&
        db_do(&self->db, DB_COMMIT, err) == 0)
        return 0;
    db_rollback(&self->db);
    return -1;
}

int
store_run_stops(struct store *self, uint64_t run, struct plan_id **ret,
                size_t *n, struct err *err)
{
    struct plan_id *ids = NULL;
    sqlite3_stmt *stmt = NULL;
    bool there = false, row = false;
    size_t nid = 0, cap = 0;
    int rc = store_has_table(self, "stop", &there, err);

    if (rc == 0 && there) {
        stmt = db_stmt(&self->db, DB_STOP_EACH, err);
        rc = stmt ? 0 : -1;
    }
    if (stmt)
        db_bind_int(stmt, 1, (int64_t)run);
    while (stmt && (rc = db_next(&self->db, stmt, &row, err)) == 0 && row) {
        ids = mem_grow(ids, &cap, nid + 1, sizeof *ids);
        ids[nid++] = (struct plan_id){(uint32_t)sqlite3_column_int64(stmt, 0),
                                      (uint32_t)sqlite3_column_int64(stmt, 1)};
    }
    if (rc < 0) {
        free(ids);
        return -1;
    }
    *ret = ids;
    *n = nid;
    return 0;
}

int
store_unfinished(struct store *self, uint64_t **ret, size_t *n, struct err *err)
{
    sqlite3_stmt *stmt = db_stmt(&self->db, DB_RUN_UNFINISHED, err);
    uint64_t *ids = NULL;
    size_t nid = 0, kept = 0;

    if (!stmt || store_ids(self, stmt, &ids, &nid, err) < 0)
        return -1;
    for (size_t i = 0; i < nid; i++) {
        if (!store_is_held(self, ids[i]))
            ids[kept++] = ids[i];
    }
    *ret = ids;
    *n = kept;
    return 0;
}

int
store_submissions(struct store *self, size_t most, store_submission_fn *fn,
                  void *ctx, struct err *err)
{
    sqlite3_stmt *stmt = db_stmt(&self->db, DB_RUN_SUBMISSIONS, err);
    bool row = false;
    int rc;

    if (!stmt)
        return -1;
    db_bind_int(stmt, 1, (int64_t)most);
    while ((rc = db_next(&self->db, stmt, &row, err)) == 0 && row) {
        const char *text = (const char *)sqlite3_column_text(stmt, 1);
        uint64_t token = text ? strtoull(text, NULL, 16) : 0;

        if (token != 0 &&
            !fn(ctx, (uint64_t)sqlite3_column_int64(stmt, 0), token))
            break;
    }
    (void)sqlite3_reset(stmt);
    return rc;
}

int
store_batches(struct store *self, uint64_t run, uint64_t after,
              store_batch_fn *fn, void *ctx, struct err *err)
{
    struct stored batch = {.id = (int64_t)after};
    struct buf text = {0};
    bool more = true;
    int rc;

    if (after > INT64_MAX)
        return err_set(err, ERR_INVALID, "there is no such batch");
    rc = store_must_exist(self, run, err);
    while (rc == 0 && more) {
        rc = store_next_batch(self, run, &batch, err);
        if (rc < 0 || batch.id == 0)
            break;
        buf_clear(&text);
        buf_number(&text, batch.at);
        buf_char(&text, '\n');
        buf_text(&text, batch.names);
        buf_char(&text, '\n');
        buf_text(&text, batch.records);
        more = fn(ctx, (uint64_t)batch.id, text.data, text.len);
        free(batch.names);
        free(batch.records);
    }
    buf_release(&text);
    return rc;
}

static bool
read_moment(const char *text, int64_t *ret)
{
    char *end = NULL;
    bool digits = text[*text == '-'] >= '0' && text[*text == '-'] <= '9';

    errno = 0;
    *ret = strtoll(text, &end, 10);
    return digits && errno == 0 && *end == '\0';
}

int
store_batch_records(const char *text, size_t n, store_record_fn *fn, void *ctx,
                    struct err *err)
{
    char *copy = mem_text(text, n);
    char *names = strchr(copy, '\n');
    char *records = names ? strchr(names + 1, '\n') : NULL;
    bool more = true;
    int64_t at = 0;
    int rc = -1;

    if (!records || strlen(copy) != n) {
        (void)err_set(err, ERR_INVALID, "a batch can't be read");
        goto out;
    }
    *names++ = '\0';
    *records++ = '\0';
    if (!read_moment(copy, &at)) {
        (void)err_set(err, ERR_INVALID, "a batch can't be read");
        goto out;
    }
    rc = batch_read(at, names, records, fn, ctx, &more, err);
out:
    free(copy);
    return rc;
}

int
store_output_pieces(const char *data, size_t n, store_piece_fn *fn, void *ctx,
                    struct err *err)
{
    return outfile_parse(data, n, fn, ctx, err);
}
