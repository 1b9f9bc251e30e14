/* SPDX-License-Identifier: MPL-2.0 */
/*
 * look - reading what was stored.
 *
 * No statement is left in the middle while a caller's function is called: it
 * may use the store as it likes, and a long look holds nobody up.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/inside.h"

int
store_has_table(struct store *self, const char *name, bool *ret,
                struct err *err)
{
    char *sql = mem_printf("SELECT count(*) FROM sqlite_schema"
                           " WHERE type = 'table' AND name = '%s'",
                           name);
    int64_t n = 0;
    int rc = db_ask(&self->db, sql, &n, err);

    free(sql);
    *ret = n > 0;
    return rc;
}

pid_t
store_run_process(struct store *self, uint64_t run)
{
    pid_t holder;
    char *path;
    int fd;

    if (store_live(self, run))
        return getpid();
    path = store_output_path(self, run);
    fd = outfile_look(path);
    holder = fd >= 0 ? outfile_holder(fd) : 0;
    outfile_let_go(fd);
    free(path);
    return holder;
}

bool
store_is_held(struct store *self, uint64_t run)
{
    return store_run_process(self, run) != 0;
}

/* The id that a statement gives, 0 for none. */
static int
ask_id(struct store *self, sqlite3_stmt *stmt, uint64_t *ret, struct err *err)
{
    bool row = false;

    if (db_next(&self->db, stmt, &row, err) < 0)
        return -1;
    *ret = row ? (uint64_t)sqlite3_column_int64(stmt, 0) : 0;
    (void)sqlite3_reset(stmt);
    return 0;
}

static int
newest(struct store *self, uint64_t *ret, struct err *err)
{
    sqlite3_stmt *stmt = db_stmt(&self->db, DB_RUN_NEWEST, err);

    return stmt ? ask_id(self, stmt, ret, err) : -1;
}

static int
no_run(struct store *self, const char *which, struct err *err)
{
    uint64_t last = 0;

    if (newest(self, &last, err) < 0)
        return -1;
    if (last == 0)
        return err_set(err, ERR_NOT_FOUND,
                       "there is no run %s: nothing has run yet", which);
    return err_set(err, ERR_NOT_FOUND, "there is no run %s; the newest is %llu",
                   which, (unsigned long long)last);
}

int
store_must_exist(struct store *self, uint64_t run, struct err *err)
{
    sqlite3_stmt *stmt = db_stmt(&self->db, DB_RUN_EXISTS, err);
    char which[24];
    uint64_t found = 0;

    if (!stmt)
        return -1;
    db_bind_int(stmt, 1, (int64_t)run);
    if (ask_id(self, stmt, &found, err) < 0)
        return -1;
    if (found)
        return 0;
    (void)snprintf(which, sizeof which, "%llu", (unsigned long long)run);
    return no_run(self, which, err);
}

/* Digits only, and of a size that an id can have. */
static bool
read_id(const char *text, uint64_t *ret)
{
    size_t n = strspn(text, "0123456789");

    if (n == 0 || text[n] != '\0' || n > 18)
        return false;
    *ret = strtoull(text, NULL, 10);
    return true;
}

int
store_find(struct store *self, const char *which, uint64_t *ret,
           struct err *err)
{
    sqlite3_stmt *stmt;
    uint64_t id = 0;

    if (read_id(which, &id)) {
        if (store_must_exist(self, id, err) < 0)
            return -1;
        *ret = id;
        return 0;
    }
    if (strcmp(which, "last") == 0) {
        if (newest(self, &id, err) < 0)
            return -1;
        if (id == 0)
            return err_set(err, ERR_NOT_FOUND,
                           "there is no last run: nothing has run yet");
        *ret = id;
        return 0;
    }
    stmt = db_stmt(&self->db, DB_RUN_NAMED, err);
    if (!stmt)
        return -1;
    db_bind_text(stmt, 1, which);
    if (ask_id(self, stmt, &id, err) < 0)
        return -1;
    if (id == 0)
        return err_set(err, ERR_NOT_FOUND, "no run is named `%s`; see: leat ls",
                       which);
    *ret = id;
    return 0;
}

static int
read_state(struct store *self, const char *text, uint64_t run,
           enum store_run_state *ret, struct err *err)
{
    size_t state = 0;

    while (state < STORE_INTERRUPTED &&
           (!text || strcmp(store_run_state_names[state], text) != 0))
        state++;
    if (state == STORE_INTERRUPTED)
        return db_damaged(&self->db, "a run has no state", err);
    *ret = (enum store_run_state)state;
    if (*ret == STORE_RUNNING && !store_is_held(self, run))
        *ret = STORE_INTERRUPTED;
    return 0;
}

/* The columns of DB_RUN_GET. */
static int
read_run(struct store *self, sqlite3_stmt *stmt, struct store_run *run,
         struct err *err)
{
    run->flow = db_text(stmt, 0);
    run->name = db_text(stmt, 1);
    run->file = db_text(stmt, 2);
    run->program = db_text(stmt, 3);
    run->cwd = db_text(stmt, 4);
    run->started = sqlite3_column_int64(stmt, 9);
    run->ended = sqlite3_column_int64(stmt, 10);
    run->sessions = (uint32_t)sqlite3_column_int64(stmt, 11);
    if (db_json(&self->db, stmt, 5, &run->params, err) < 0 ||
        db_json(&self->db, stmt, 6, &run->options, err) < 0 ||
        db_json(&self->db, stmt, 7, &run->output, err) < 0)
        return -1;
    return read_state(self, (const char *)sqlite3_column_text(stmt, 8), run->id,
                      &run->state, err);
}

static int
read_source(struct store *self, struct store_run *run, struct err *err)
{
    sqlite3_stmt *stmt = db_stmt(&self->db, DB_RUN_SOURCE, err);
    bool row = false;

    if (!stmt)
        return -1;
    db_bind_int(stmt, 1, (int64_t)run->id);
    if (db_next(&self->db, stmt, &row, err) < 0)
        return -1;
    if (row) {
        const char *text = (const char *)sqlite3_column_text(stmt, 1);

        run->source_len = (size_t)sqlite3_column_bytes(stmt, 1);
        run->source = mem_text(text, run->source_len);
        (void)sqlite3_reset(stmt);
    }
    return 0;
}

/* *found is false if there is no such run. */
static int
get_row(struct store *self, uint64_t id, bool with_source, bool *found,
        struct store_run *ret, struct err *err)
{
    sqlite3_stmt *stmt = db_stmt(&self->db, DB_RUN_GET, err);
    struct store_run run = {.id = id};
    int rc;

    if (!stmt)
        return -1;
    db_bind_int(stmt, 1, (int64_t)id);
    if (db_next(&self->db, stmt, found, err) < 0)
        return -1;
    if (!*found)
        return 0;
    rc = read_run(self, stmt, &run, err);
    (void)sqlite3_reset(stmt);
    if (rc == 0 && with_source)
        rc = read_source(self, &run, err);
    if (rc < 0)
        store_run_release(&run);
    else
        *ret = run;
    return rc;
}

/*
 * Its lock is looked at after its row: one that has come to its end between the
 * two was not interrupted. Then the row says so.
 */
static int
get_run(struct store *self, uint64_t id, bool with_source, bool *found,
        struct store_run *ret, struct err *err)
{
    int rc = get_row(self, id, with_source, found, ret, err);

    if (rc < 0 || !*found || ret->state != STORE_INTERRUPTED)
        return rc;
    store_run_release(ret);
    return get_row(self, id, with_source, found, ret, err);
}

int
store_run_get(struct store *self, uint64_t run, bool with_source,
              struct store_run *ret, struct err *err)
{
    bool found = false;

    if (get_run(self, run, with_source, &found, ret, err) < 0)
        return -1;
    return found ? 0 : store_must_exist(self, run, err);
}

int
store_ids(struct store *self, sqlite3_stmt *stmt, uint64_t **ret, size_t *n,
          struct err *err)
{
    uint64_t *ids = NULL;
    size_t nid = 0, cap = 0;
    bool row = true;

    for (;;) {
        if (db_next(&self->db, stmt, &row, err) < 0) {
            free(ids);
            return -1;
        }
        if (!row)
            break;
        ids = mem_grow(ids, &cap, nid + 1, sizeof *ids);
        ids[nid++] = (uint64_t)sqlite3_column_int64(stmt, 0);
    }
    *ret = ids;
    *n = nid;
    return 0;
}

int
store_runs(struct store *self, size_t most, store_run_fn *fn, void *ctx,
           struct err *err)
{
    sqlite3_stmt *stmt = db_stmt(&self->db, DB_RUN_IDS, err);
    uint64_t *ids = NULL;
    size_t n = 0;
    bool more = true;
    int rc = 0;

    if (!stmt)
        return -1;
    db_bind_int(stmt, 1, most ? (int64_t)most : -1);
    if (store_ids(self, stmt, &ids, &n, err) < 0)
        return -1;
    for (size_t i = 0; i < n && more && rc == 0; i++) {
        struct store_run run = {0};
        bool found = false;

        rc = get_run(self, ids[i], false, &found, &run, err);
        if (rc == 0 && found)
            more = fn(ctx, &run);
        store_run_release(&run);
    }
    free(ids);
    return rc;
}

int
store_next_batch(struct store *store, uint64_t run, struct stored *self,
                 struct err *err)
{
    sqlite3_stmt *stmt = db_stmt(&store->db, DB_BATCH_NEXT, err);
    bool row = false;

    if (!stmt)
        return -1;
    db_bind_int(stmt, 1, (int64_t)run);
    db_bind_int(stmt, 2, self->id);
    if (db_next(&store->db, stmt, &row, err) < 0)
        return -1;
    *self = (struct stored){0};
    if (!row)
        return 0;
    self->id = sqlite3_column_int64(stmt, 0);
    self->at = sqlite3_column_int64(stmt, 1);
    self->names = db_text(stmt, 2);
    self->records = db_text(stmt, 3);
    (void)sqlite3_reset(stmt);
    return 0;
}

int
store_records(struct store *self, uint64_t run, store_record_fn *fn, void *ctx,
              struct err *err)
{
    struct stored batch = {0};
    bool more = true;

    if (store_must_exist(self, run, err) < 0)
        return -1;
    while (more) {
        struct err ignored;
        int rc;

        if (store_next_batch(self, run, &batch, err) < 0)
            return -1;
        if (batch.id == 0)
            return 0;
        rc = batch_read(batch.at, batch.names, batch.records, fn, ctx, &more,
                        &ignored);
        free(batch.names);
        free(batch.records);
        if (rc < 0)
            return db_damaged(&self->db, "records in it can't be read", err);
    }
    return 0;
}

/* *opened is to be let go; -1: the descriptor of a run that we hold. */
static int
open_output(struct store *self, uint64_t run, int *fd, char **path, int *opened,
            struct err *err)
{
    struct live *live = store_live(self, run);

    *opened = -1;
    *path = store_output_path(self, run);
    if (live) {
        *fd = live->out.fd;
        return 0;
    }
    *opened = *fd = outfile_look(*path);
    if (*fd >= 0)
        return 0;
    if (errno == ENOENT)
        return store_must_exist(self, run, err);
    return err_set(err, ERR_UNAVAILABLE, "can't read %s: %s", *path,
                   strerror(errno));
}

int
store_pieces(struct store *self, uint64_t run, const struct plan_id *only,
             uint64_t *offset, store_piece_fn *fn, void *ctx, struct err *err)
{
    char *path = NULL;
    int fd = -1, opened = -1;
    int rc = open_output(self, run, &fd, &path, &opened, err);

    if (rc == 0 && fd >= 0)
        rc = outfile_read(fd, path, only, offset, fn, ctx, err);
    outfile_let_go(opened);
    free(path);
    return rc;
}

int
store_output_raw(struct store *self, uint64_t run, uint64_t *offset,
                 size_t most, struct buf *out, bool *more, struct err *err)
{
    char *path = NULL;
    int fd = -1, opened = -1;
    int rc = open_output(self, run, &fd, &path, &opened, err);

    *more = false;
    if (rc == 0 && fd >= 0)
        rc = outfile_copy(fd, path, offset, most, out, more, err);
    outfile_let_go(opened);
    free(path);
    return rc;
}
