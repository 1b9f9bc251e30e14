/* SPDX-License-Identifier: MPL-2.0 */
#include "store/db.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/span.h"
#include "store/schema.h"
#include "store/store.h"

#define BUSY_PATIENCE (60 * SPAN_SECOND)
#define BUSY_STEP     (SPAN_MS / 5)

/*
 * Frames of the log after which it is copied into the database: by whoever
 * commits, or, when nobody else has the store open, by whoever leaves. Short
 * runs one after another so pay for the two fsyncs of a copy once in twenty
 * times, and the next process has few frames to read.
 */
#define LOG_FRAMES      1000
#define LOG_FRAMES_LEFT 128

/*
 * A commit ends with a write, not with an fsync: what was committed survives
 * any death of the process. A power loss or a crash of the kernel may cost what
 * the kernel had not written yet, but never the database.
 */
static const char setup_sql[] = "PRAGMA synchronous = NORMAL;"
                                "PRAGMA journal_size_limit = 8388608;";

static const char *const stmt_sql[DB_STMT_COUNT] = {
    [DB_BEGIN] = "BEGIN IMMEDIATE",
    [DB_COMMIT] = "COMMIT",
    [DB_ROLLBACK] = "ROLLBACK",
    [DB_SOURCE_ADD] = "INSERT OR IGNORE INTO source(hash, text) VALUES(?, ?)",
    [DB_SOURCE_FIND] = "SELECT id FROM source WHERE hash = ?",
    [DB_SOURCE_DROP] = "DELETE FROM source WHERE id = ?1 AND NOT EXISTS"
                       " (SELECT 1 FROM run WHERE source = ?1)",
    [DB_RUN_ADD] = "INSERT INTO run(flow, name, file, source, program, cwd,"
                   " params, options, state, started, sessions)"
                   " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)",
    [DB_RUN_RESUME] = "UPDATE run SET state = ?2, sessions = sessions + ?3,"
                      " options = CASE ?3 WHEN 0 THEN options"
                      " ELSE json_remove(json_patch(coalesce(options, '{}'),"
                      " coalesce(?4, '{}')), '$.cancelled', '$.problem') END,"
                      " ended = NULL, output = NULL WHERE id = ?1",
    [DB_RUN_CANCEL] = "UPDATE run SET options = json_set("
                      "coalesce(options, '{}'), '$.cancelled', json('true'))"
                      " WHERE id = ?",
    [DB_RUN_END] = "UPDATE run SET state = ?2, output = ?3, ended = ?4"
                   " WHERE id = ?1",
    [DB_RUN_PROBLEM] = "UPDATE run SET options = json_set("
                       "coalesce(options, '{}'), '$.problem', json(?2))"
                       " WHERE id = ?1",
    [DB_RUN_GET] = "SELECT flow, name, file, program, cwd, params, options,"
                   " output, state, started, ended, sessions"
                   " FROM run WHERE id = ?",
    [DB_RUN_SOURCE] = "SELECT s.id, s.text FROM run r"
                      " JOIN source s ON s.id = r.source WHERE r.id = ?",
    [DB_RUN_DELETE] = "DELETE FROM run WHERE id = ?",
    [DB_RUN_EXISTS] = "SELECT id FROM run WHERE id = ?",
    [DB_RUN_NEWEST] = "SELECT id FROM run ORDER BY id DESC LIMIT 1",
    [DB_RUN_NAMED] = "SELECT id FROM run WHERE name = ?"
                     " ORDER BY id DESC LIMIT 1",
    [DB_RUN_IDS] = "SELECT id FROM run ORDER BY id DESC LIMIT ?",
    /* ?1 how many of the newest are kept (-1: all), ?2 the moment before
     * which a run must have ended to go whatever its place. */
    [DB_RUN_OLD] = "SELECT id FROM (SELECT id, ended,"
                   " row_number() OVER (ORDER BY id DESC) AS place FROM run"
                   " WHERE state IN ('succeeded', 'failed', 'cancelled'))"
                   " WHERE (?1 >= 0 AND place > ?1) OR ended < ?2"
                   " ORDER BY id",
    [DB_RUN_UNFINISHED] = "SELECT id FROM run WHERE state = 'running'"
                          " AND options ->> '$.broker' = 1 ORDER BY id",
    [DB_RUN_SUBMISSIONS] =
        "SELECT id, options ->> '$.submission' AS token FROM run"
        " WHERE id > (SELECT max(id) FROM run) - ?"
        " AND token IS NOT NULL ORDER BY id",
    [DB_BATCH_ADD] = "INSERT INTO batch(run, at, names, records)"
                     " VALUES(?, ?, ?, ?)",
    [DB_BATCH_NEXT] = "SELECT id, at, names, records FROM batch"
                      " WHERE run = ? AND id > ? ORDER BY id LIMIT 1",
    [DB_BATCH_DELETE] = "DELETE FROM batch WHERE id IN"
                        " (SELECT id FROM batch WHERE run = ? LIMIT 8)",
    [DB_BATCH_STRAY] = "SELECT DISTINCT run FROM batch"
                       " WHERE run NOT IN (SELECT id FROM run)",
    [DB_CACHE_GET] = "SELECT value FROM cache WHERE key = ? AND made >= ?",
    [DB_CACHE_PUT] = "INSERT OR REPLACE INTO cache(key, value, made)"
                     " VALUES(?, ?, ?)",
    [DB_CACHE_DROP] = "DELETE FROM cache WHERE made < ?",
    /* These tables are not in every store, and known to no earlier leat. */
    [DB_ENV_MAKE] = "CREATE TABLE IF NOT EXISTS env ("
                    " run INTEGER PRIMARY KEY, vars TEXT NOT NULL)",
    [DB_ENV_FOLLOW] = "CREATE TRIGGER IF NOT EXISTS env_goes AFTER DELETE"
                      " ON run BEGIN DELETE FROM env WHERE run = old.id; END",
    [DB_ENV_PUT] = "INSERT OR REPLACE INTO env(run, vars) VALUES(?, ?)",
    [DB_ENV_GET] = "SELECT vars FROM env WHERE run = ?",
    [DB_STOP_MAKE] = "CREATE TABLE IF NOT EXISTS stop ("
                     " run INTEGER NOT NULL, session INTEGER NOT NULL,"
                     " task INTEGER NOT NULL, child INTEGER NOT NULL,"
                     " PRIMARY KEY (run, session, task, child)) WITHOUT ROWID",
    [DB_STOP_FOLLOW] = "CREATE TRIGGER IF NOT EXISTS stop_goes AFTER DELETE"
                       " ON run BEGIN DELETE FROM stop WHERE run = old.id; END",
    [DB_STOP_ADD] = "INSERT OR IGNORE INTO stop(run, session, task, child)"
                    " SELECT id, sessions, ?2, ?3 FROM run WHERE id = ?1",
    [DB_STOP_EACH] = "SELECT s.task, s.child FROM stop s JOIN run r"
                     " ON r.id = s.run AND r.sessions = s.session"
                     " WHERE s.run = ?",
    [DB_EPOCH_MAKE] = "CREATE TABLE IF NOT EXISTS broker ("
                      " id INTEGER PRIMARY KEY CHECK (id = 1),"
                      " epoch INTEGER NOT NULL)",
    [DB_EPOCH_NEXT] = "INSERT INTO broker(id, epoch) VALUES(1, 1)"
                      " ON CONFLICT(id) DO UPDATE SET epoch = epoch + 1"
                      " RETURNING epoch",
    [DB_SYNC_FULL] = "PRAGMA synchronous = FULL",
    [DB_SYNC_NORMAL] = "PRAGMA synchronous = NORMAL",
    [DB_VACUUM] = "PRAGMA incremental_vacuum(1024)",
};

int
db_damaged(const struct db *self, const char *how, struct err *err)
{
    return err_set(err, ERR_INVALID,
                   "%s is damaged (%s); move its folder away to start a new "
                   "one, or recover it with: sqlite3 %s .recover",
                   self->path, how, self->path);
}

bool
db_is_full(int error)
{
    return error == ENOSPC || error == EDQUOT || error == EFBIG;
}

static int
read_only(const struct db *self, struct err *err)
{
    return err_set(err, ERR_UNAVAILABLE,
                   "can't write %s: it is read-only; choose another folder "
                   "with --store",
                   self->path);
}

/* The error for what SQLite has just said. */
static int
fail(const struct db *self, struct err *err)
{
    int code = sqlite3_errcode(self->handle) & 0xff;
    int error = code == SQLITE_IOERR || code == SQLITE_CANTOPEN
                    ? sqlite3_system_errno(self->handle)
                    : 0;

    if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB)
        return db_damaged(self, sqlite3_errmsg(self->handle), err);
    if (code == SQLITE_FULL || db_is_full(error))
        return err_set(err, ERR_UNAVAILABLE,
                       "can't write %s: %s; free some space and try again",
                       self->path, strerror(error ? error : ENOSPC));
    if (code == SQLITE_READONLY)
        return read_only(self, err);
    if (code == SQLITE_CANTOPEN)
        return err_set(err, ERR_UNAVAILABLE,
                       "can't open %s: %s; choose another folder with --store",
                       self->path,
                       error ? strerror(error) : sqlite3_errmsg(self->handle));
    if (code == SQLITE_BUSY)
        return err_set(err, ERR_UNAVAILABLE,
                       "%s is kept locked by another process; see who with: "
                       "fuser %s",
                       self->path, self->path);
    return err_set(err, ERR_UNAVAILABLE, "can't use %s: %s", self->path,
                   error ? strerror(error) : sqlite3_errmsg(self->handle));
}

static void
nap(int64_t span)
{
    struct timespec ts = {.tv_nsec = span * 1000};

    (void)nanosleep(&ts, NULL);
}

/*
 * Others hold the write lock for one short commit: look again soon. SQLite's
 * own handler would sleep up to 100 ms.
 */
static int
on_busy(void *ctx, int count)
{
    (void)ctx;
    if (count >= BUSY_PATIENCE / BUSY_STEP)
        return 0;
    nap(BUSY_STEP);
    return 1;
}

static int
on_commit(void *ctx, sqlite3 *handle, const char *name, int frames)
{
    struct db *self = ctx;

    self->frames = frames;
    if (frames >= LOG_FRAMES)
        (void)sqlite3_wal_checkpoint_v2(handle, name, SQLITE_CHECKPOINT_PASSIVE,
                                        NULL, NULL);
    return SQLITE_OK;
}

static int
exec_sql(struct db *self, const char *sql, struct err *err)
{
    if (sqlite3_exec(self->handle, sql, NULL, NULL, NULL) != SQLITE_OK)
        return fail(self, err);
    return 0;
}

int
db_ask(struct db *self, const char *sql, int64_t *ret, struct err *err)
{
    sqlite3_stmt *stmt = NULL;
    int rc = -1;

    if (sqlite3_prepare_v2(self->handle, sql, -1, &stmt, NULL) != SQLITE_OK ||
        sqlite3_step(stmt) != SQLITE_ROW) {
        (void)fail(self, err);
        goto out;
    }
    *ret = sqlite3_column_int64(stmt, 0);
    rc = 0;
out:
    (void)sqlite3_finalize(stmt);
    return rc;
}

/*
 * Is this a store that we can use? *fresh: it is an empty database, and may
 * become one.
 */
static int
check(struct db *self, bool *fresh, struct err *err)
{
    int64_t app = 0, version = 0, objects = 1;

    *fresh = false;
    if (db_ask(self, "PRAGMA application_id", &app, err) < 0)
        return -1;
    if (app == 0) {
        /* Another process may make it a store between any two looks: only
         * what is read after there was something is the last word. */
        if (db_ask(self, "SELECT count(*) FROM sqlite_schema", &objects, err) <
                0 ||
            db_ask(self, "PRAGMA application_id", &app, err) < 0)
            return -1;
        *fresh = objects == 0 && app == 0;
    }
    if (*fresh)
        return 0;
    if (db_ask(self, "PRAGMA user_version", &version, err) < 0)
        return -1;
    if (app != SCHEMA_APPLICATION)
        return err_set(err, ERR_INVALID,
                       "%s is not a store of leat's but another program's "
                       "database; choose another folder with --store",
                       self->path);
    if (version < STORE_VERSION)
        return db_damaged(self, "it has no version", err);
    if (version > STORE_VERSION)
        return err_set(err, ERR_INVALID,
                       "%s was written by a newer leat (store version %lld, "
                       "this one reads %d): update leat, or choose another "
                       "folder with --store",
                       self->path, (long long)version, STORE_VERSION);
    return 0;
}

/*
 * SQLite does not call the busy handler where two processes turn to WAL at
 * once and could wait for each other: one of them must let go and try again.
 */
static int
set_wal(struct db *self, struct err *err)
{
    int64_t until = span_mono() + BUSY_PATIENCE;
    sqlite3_stmt *stmt = NULL;
    bool wal = false;
    int rc;

    do {
        rc = sqlite3_prepare_v2(self->handle, "PRAGMA journal_mode = WAL", -1,
                                &stmt, NULL);
        if (rc == SQLITE_OK)
            rc = sqlite3_step(stmt);
        if (rc == SQLITE_ROW)
            wal =
                strcmp((const char *)sqlite3_column_text(stmt, 0), "wal") == 0;
        (void)sqlite3_finalize(stmt);
        if ((rc & 0xff) == SQLITE_BUSY)
            nap(BUSY_STEP);
    } while ((rc & 0xff) == SQLITE_BUSY && span_mono() < until);
    if (rc != SQLITE_ROW)
        return fail(self, err);
    if (!wal)
        return err_set(err, ERR_UNAVAILABLE,
                       "%s can't be shared between processes where it is (a "
                       "network file system?); choose a folder on a local "
                       "disk with --store",
                       self->path);
    return 0;
}

static int
make_schema(struct db *self, struct err *err)
{
    bool fresh = false;
    char *sql = NULL;
    int rc = -1;

    if (exec_sql(self, "PRAGMA auto_vacuum = INCREMENTAL", err) < 0 ||
        set_wal(self, err) < 0 || db_do(self, DB_BEGIN, err) < 0)
        return -1;
    /* Another process may have been faster. */
    if (check(self, &fresh, err) < 0)
        goto out;
    sql =
        mem_printf("%s PRAGMA application_id = %d; PRAGMA user_version = %d;",
                   fresh ? schema_sql : "", SCHEMA_APPLICATION, STORE_VERSION);
    if (exec_sql(self, sql, err) < 0 || db_do(self, DB_COMMIT, err) < 0)
        goto out;
    rc = 0;
out:
    free(sql);
    if (rc < 0)
        db_rollback(self);
    return rc;
}

/* What is in it may be nobody else's business; SQLite would make it for all to
 * read. Its other files are as this one is. */
static int
make_file(const struct db *self, struct err *err)
{
    int fd = open(self->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd >= 0)
        (void)close(fd);
    else if (db_is_full(errno))
        return err_set(err, ERR_UNAVAILABLE,
                       "can't write %s: %s; free some space and try again",
                       self->path, strerror(errno));
    return 0; /* else SQLite says what is wrong */
}

int
db_open(struct db *self, bool make, struct err *err)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
                SQLITE_OPEN_EXRESCODE | (make ? SQLITE_OPEN_CREATE : 0);
    bool fresh = false;
    int keep_wal = 1;

    if (make && make_file(self, err) < 0)
        return -1;
    if (sqlite3_open_v2(self->path, &self->handle, flags, NULL) != SQLITE_OK)
        return fail(self, err);
    (void)sqlite3_busy_handler(self->handle, on_busy, NULL);
    (void)sqlite3_wal_hook(self->handle, on_commit, self);
    /* SQLite falls back to reading by itself. */
    if (make && sqlite3_db_readonly(self->handle, NULL) == 1)
        return read_only(self, err);
    if (check(self, &fresh, err) < 0)
        return -1;
    if (fresh && !make)
        return err_set(err, ERR_NOT_FOUND, "%s is empty: nothing has run yet",
                       self->path);
    if (fresh && make_schema(self, err) < 0)
        return -1;
    /* Making the log anew costs more than all else in a short run. */
    (void)sqlite3_db_config(self->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1,
                            NULL);
    (void)sqlite3_file_control(self->handle, NULL, SQLITE_FCNTL_PERSIST_WAL,
                               &keep_wal);
    return exec_sql(self, setup_sql, err);
}

void
db_close(struct db *self)
{
    for (size_t i = 0; i < DB_STMT_COUNT; i++)
        (void)sqlite3_finalize(self->stmts[i]);
    if (self->frames > LOG_FRAMES_LEFT) {
        /*
         * First what is long, which holds nobody up; then what needs all
         * others to be away, without waiting for it.
         */
        (void)sqlite3_wal_checkpoint_v2(self->handle, NULL,
                                        SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
        (void)sqlite3_busy_handler(self->handle, NULL, NULL);
        (void)sqlite3_wal_checkpoint_v2(self->handle, NULL,
                                        SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    }
    (void)sqlite3_close(self->handle);
    free(self->path);
    *self = (struct db){0};
}

sqlite3_stmt *
db_stmt(struct db *self, enum db_stmt which, struct err *err)
{
    sqlite3_stmt **stmt = &self->stmts[which];

    if (!*stmt) {
        if (sqlite3_prepare_v3(self->handle, stmt_sql[which], -1,
                               SQLITE_PREPARE_PERSISTENT, stmt,
                               NULL) != SQLITE_OK) {
            (void)fail(self, err);
            return NULL;
        }
        return *stmt;
    }
    (void)sqlite3_reset(*stmt);
    (void)sqlite3_clear_bindings(*stmt);
    return *stmt;
}

int
db_next(struct db *self, sqlite3_stmt *stmt, bool *row, struct err *err)
{
    int rc = sqlite3_step(stmt);

    if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
        (void)fail(self, err);
        (void)sqlite3_reset(stmt);
        return -1;
    }
    *row = rc == SQLITE_ROW;
    if (!*row)
        (void)sqlite3_reset(stmt);
    return 0;
}

int
db_finish(struct db *self, sqlite3_stmt *stmt, struct err *err)
{
    bool row = true;

    while (row) {
        if (db_next(self, stmt, &row, err) < 0)
            return -1;
    }
    return 0;
}

int
db_do(struct db *self, enum db_stmt which, struct err *err)
{
    sqlite3_stmt *stmt = db_stmt(self, which, err);

    return stmt ? db_finish(self, stmt, err) : -1;
}

void
db_rollback(struct db *self)
{
    struct err ignored;

    /* SQLite may have rolled back by itself already. */
    if (!sqlite3_get_autocommit(self->handle))
        (void)db_do(self, DB_ROLLBACK, &ignored);
}

void
db_bind_text(sqlite3_stmt *stmt, int at, const char *text)
{
    (void)sqlite3_bind_text(stmt, at, text, -1, SQLITE_STATIC);
}

void
db_bind_int(sqlite3_stmt *stmt, int at, int64_t number)
{
    (void)sqlite3_bind_int64(stmt, at, number);
}

void
db_bind_json(sqlite3_stmt *stmt, int at, const json_t *value)
{
    if (value)
        (void)sqlite3_bind_text(
            stmt, at, json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY), -1,
            free);
}

char *
db_text(sqlite3_stmt *stmt, int at)
{
    return mem_dup((const char *)sqlite3_column_text(stmt, at));
}

int
db_json(struct db *self, sqlite3_stmt *stmt, int at, json_t **ret,
        struct err *err)
{
    const char *text = (const char *)sqlite3_column_text(stmt, at);
    json_t *value;

    if (!text)
        return 0;
    value = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    if (!value)
        return db_damaged(self, "a value in it is not JSON", err);
    *ret = value;
    return 0;
}
