/* SPDX-License-Identifier: MPL-2.0 */
#include "store/store.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "store/inside.h"

#define BATCH_BYTES ((size_t)256 << 10) /* of text, then it is committed */

const char *const store_run_state_names[STORE_RUN_STATE_COUNT] = {
    [STORE_RUNNING] = "running", [STORE_SUCCEEDED] = "succeeded",
    [STORE_FAILED] = "failed",   [STORE_CANCELLED] = "cancelled",
    [STORE_PAUSED] = "paused",   [STORE_INTERRUPTED] = "interrupted",
};

char *
store_default_folder(void)
{
    const char *folder = getenv("LEAT_STORE");
    const char *state = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");
    const struct passwd *who;

    if (folder && *folder)
        return mem_dup(folder);
    /* A relative one is to be ignored, says its specification. */
    if (state && *state == '/')
        return mem_printf("%s/leat", state);
    if (!home || !*home) {
        who = getpwuid(getuid());
        home = who ? who->pw_dir : "/";
    }
    return mem_printf("%s/.local/state/leat", home);
}

/* Make a folder and those above it. */
static int
make_folder(const char *folder, struct err *err)
{
    char *path = mem_dup(folder);
    char *slash = path;
    int rc = 0;

    while (rc == 0 && slash) {
        slash = strchr(slash + 1, '/');
        if (slash)
            *slash = '\0';
        if (mkdir(path, 0700) < 0 && errno != EEXIST)
            rc = err_set(err, ERR_UNAVAILABLE,
                         "can't make the folder %s: %s; choose another with "
                         "--store",
                         path, strerror(errno));
        if (slash)
            *slash = '/';
    }
    free(path);
    return rc;
}

static int
find_folder(const char *folder, enum store_mode mode, char **ret,
            struct err *err)
{
    struct stat st;
    char *inside;

    if (stat(folder, &st) < 0 && errno == ENOENT) {
        if (mode == STORE_READ)
            return err_set(err, ERR_NOT_FOUND,
                           "there is no store in %s: nothing has run yet",
                           folder);
        if (make_folder(folder, err) < 0)
            return -1;
    }
    /* With a dot behind it, a file is no folder. */
    inside = mem_printf("%s/.", folder);
    *ret = realpath(inside, NULL);
    free(inside);
    if (!*ret)
        return err_set(err, ERR_UNAVAILABLE,
                       "can't use the folder %s: %s; choose another with "
                       "--store",
                       folder, strerror(errno));
    return 0;
}

int
store_open(struct store **ret, const char *folder, enum store_mode mode,
           struct err *err)
{
    struct store *self = mem_alloc(1, sizeof *self);
    struct stat st;

    self->due = SPAN_NEVER;
    self->lock = -1;
    if (find_folder(folder, mode, &self->folder, err) < 0)
        goto failed;
    self->db.path = mem_printf("%s/leat.db", self->folder);
    if (mode == STORE_READ && stat(self->db.path, &st) < 0 && errno == ENOENT) {
        (void)err_set(err, ERR_NOT_FOUND,
                      "there is no store in %s: nothing has run yet",
                      self->folder);
        goto failed;
    }
    if (db_open(&self->db, mode == STORE_WRITE, err) < 0)
        goto failed;
    *ret = self;
    return 0;
failed:
    store_close(&self);
    return -1;
}

static void
live_release(struct live *self)
{
    outfile_close(&self->out);
    batch_release(&self->batch);
    extents_release(&self->extents);
}

void
store_close(struct store **self_p)
{
    struct store *self = *self_p;
    struct err ignored;

    if (!self)
        return;
    *self_p = NULL;
    if (self->due != SPAN_NEVER)
        (void)store_flush(self, &ignored);
    for (size_t i = 0; i < self->nlive; i++)
        live_release(&self->lives[i]);
    db_close(&self->db);
    if (self->lock >= 0)
        (void)close(self->lock);
    free(self->lives);
    free(self->folder);
    free(self);
}

void
store_share(struct store *self)
{
    assert(self->nlive == 0);
    self->shared = true;
}

void
store_run_release(struct store_run *self)
{
    free(self->flow);
    free(self->name);
    free(self->file);
    free(self->source);
    free(self->program);
    free(self->cwd);
    json_decref(self->params);
    json_decref(self->options);
    json_decref(self->env);
    json_decref(self->output);
    *self = (struct store_run){0};
}

char *
store_output_path(const struct store *self, uint64_t run)
{
    return mem_printf("%s/output/%llu", self->folder, (unsigned long long)run);
}

struct live *
store_live(struct store *self, uint64_t run)
{
    if (self->recent < self->nlive && self->lives[self->recent].run == run)
        return &self->lives[self->recent];
    for (size_t i = 0; i < self->nlive; i++) {
        if (self->lives[i].run == run) {
            self->recent = i;
            return &self->lives[i];
        }
    }
    return NULL;
}

struct live *
store_live_add(struct store *self, uint64_t run, const struct outfile *out)
{
    self->lives =
        mem_grow(self->lives, &self->cap, self->nlive + 1, sizeof *self->lives);
    self->lives[self->nlive] = (struct live){.run = run, .out = *out};
    return &self->lives[self->nlive++];
}

/* Equal flow files are stored once. */
static int
add_source(struct store *self, const struct store_run *run, int64_t *ret,
           struct err *err)
{
    unsigned char hash[crypto_generichash_BYTES];
    char hex[2 * sizeof hash + 1];
    sqlite3_stmt *stmt;
    bool row = false;

    (void)crypto_generichash(hash, sizeof hash,
                             (const unsigned char *)run->source,
                             run->source_len, NULL, 0);
    (void)sodium_bin2hex(hex, sizeof hex, hash, sizeof hash);
    stmt = db_stmt(&self->db, DB_SOURCE_FIND, err);
    if (!stmt)
        return -1;
    db_bind_text(stmt, 1, hex);
    if (db_next(&self->db, stmt, &row, err) < 0)
        return -1;
    if (row) {
        *ret = sqlite3_column_int64(stmt, 0);
        (void)sqlite3_reset(stmt);
        return 0;
    }
    stmt = db_stmt(&self->db, DB_SOURCE_ADD, err);
    if (!stmt)
        return -1;
    db_bind_text(stmt, 1, hex);
    (void)sqlite3_bind_text64(stmt, 2, run->source, run->source_len,
                              SQLITE_STATIC, SQLITE_UTF8);
    if (db_finish(&self->db, stmt, err) < 0)
        return -1;
    *ret = sqlite3_last_insert_rowid(self->db.handle);
    return 0;
}

static int
add_run(struct store *self, struct store_run *run, int64_t started,
        struct err *err)
{
    json_t *options = NULL;
    sqlite3_stmt *stmt;
    int64_t source = 0;

    if (run->source && add_source(self, run, &source, err) < 0)
        return -1;
    stmt = db_stmt(&self->db, DB_RUN_ADD, err);
    if (!stmt)
        return -1;
    if (run->options || run->env)
        options = store_forwarded_options(run->options, run->env);
    db_bind_text(stmt, 1, run->flow);
    db_bind_text(stmt, 2, run->name);
    db_bind_text(stmt, 3, run->file);
    if (source)
        db_bind_int(stmt, 4, source);
    db_bind_text(stmt, 5, run->program);
    db_bind_text(stmt, 6, run->cwd);
    db_bind_json(stmt, 7, run->params);
    db_bind_json(stmt, 8, options);
    db_bind_text(stmt, 9, store_run_state_names[STORE_RUNNING]);
    db_bind_int(stmt, 10, started);
    json_decref(options);
    if (db_finish(&self->db, stmt, err) < 0)
        return -1;
    run->id = (uint64_t)sqlite3_last_insert_rowid(self->db.handle);
    return store_forwarded_put(self, run->id, run->env, err);
}

int
store_run_begin(struct store *self, struct store_run *run, struct err *err)
{
    struct store_run made = *run;
    struct outfile out = {.fd = -1};
    char *path = NULL;
    int rc = -1;

    made.started = span_wall();
    made.ended = 0;
    made.sessions = 1;
    made.state = STORE_RUNNING;
    if (db_do(&self->db, DB_BEGIN, err) < 0)
        return -1;
    if (add_run(self, &made, made.started, err) < 0)
        goto out;
    /* Locked before anybody can see the run: it is never taken for dead. */
    path = store_output_path(self, made.id);
    if (outfile_create(&out, path, self->shared, err) < 0 ||
        db_do(&self->db, DB_COMMIT, err) < 0)
        goto out;
    (void)store_live_add(self, made.id, &out);
    *run = made;
    rc = 0;
out:
    if (rc < 0) {
        db_rollback(&self->db);
        if (out.fd >= 0) {
            (void)unlink(path);
            outfile_close(&out);
        }
    }
    free(path);
    return rc;
}

static int
add_batch(struct store *self, struct live *live, struct err *err)
{
    struct batch *batch = &live->batch;
    sqlite3_stmt *stmt;

    if (batch->n == 0)
        return 0;
    stmt = db_stmt(&self->db, DB_BATCH_ADD, err);
    if (!stmt)
        return -1;
    db_bind_int(stmt, 1, (int64_t)live->run);
    db_bind_int(stmt, 2, batch->at);
    db_bind_text(stmt, 3, batch_names(batch));
    db_bind_text(stmt, 4, batch_records(batch));
    return db_finish(&self->db, stmt, err);
}

static int
add_end(struct store *self, uint64_t run, enum store_run_state state,
        const json_t *output, struct err *err)
{
    sqlite3_stmt *stmt = db_stmt(&self->db, DB_RUN_END, err);

    if (!stmt)
        return -1;
    db_bind_int(stmt, 1, (int64_t)run);
    db_bind_text(stmt, 2, store_run_state_names[state]);
    db_bind_json(stmt, 3, output);
    db_bind_int(stmt, 4, span_wall());
    return db_finish(&self->db, stmt, err);
}

/* The message of an error may have been cut in the middle of a character. */
static int
add_problem(struct store *self, uint64_t run, const char *problem,
            struct err *err)
{
    sqlite3_stmt *stmt;
    json_t *text;

    if (!problem)
        return 0;
    stmt = db_stmt(&self->db, DB_RUN_PROBLEM, err);
    if (!stmt)
        return -1;
    text = json_stringn(problem, utf8_valid(problem, strlen(problem)));
    db_bind_int(stmt, 1, (int64_t)run);
    db_bind_json(stmt, 2, text);
    json_decref(text);
    return db_finish(&self->db, stmt, err);
}

static int
add_batches(struct store *self, struct err *err)
{
    for (size_t i = 0; i < self->nlive; i++) {
        if (add_batch(self, &self->lives[i], err) < 0)
            return -1;
    }
    return 0;
}

/* What was pending is committed. */
static void
forget_pending(struct store *self)
{
    for (size_t i = 0; i < self->nlive; i++)
        batch_clear(&self->lives[i].batch);
    self->due = SPAN_NEVER;
}

int
store_flush(struct store *self, struct err *err)
{
    if (self->due == SPAN_NEVER)
        return 0;
    if (db_do(&self->db, DB_BEGIN, err) < 0)
        return -1;
    if (add_batches(self, err) < 0 || db_do(&self->db, DB_COMMIT, err) < 0) {
        db_rollback(&self->db);
        return -1;
    }
    forget_pending(self);
    return 0;
}

/* Nothing of it is pending. */
static void
drop_live(struct store *self, struct live *live)
{
    live_release(live);
    *live = self->lives[--self->nlive];
}

int
store_run_let_go(struct store *self, uint64_t run, struct err *err)
{
    struct live *live = store_live(self, run);

    assert(live);
    if (store_flush(self, err) < 0)
        return -1;
    drop_live(self, live);
    return 0;
}

int
store_run_end(struct store *self, uint64_t run, enum store_run_state state,
              const json_t *output, const char *problem, struct err *err)
{
    struct live *live = store_live(self, run);

    assert(live && state != STORE_RUNNING && state < STORE_INTERRUPTED);
    if (db_do(&self->db, DB_BEGIN, err) < 0)
        return -1;
    if (add_batches(self, err) < 0 ||
        add_end(self, run, state, output, err) < 0 ||
        add_problem(self, run, problem, err) < 0 ||
        db_do(&self->db, DB_COMMIT, err) < 0) {
        db_rollback(&self->db);
        return -1;
    }
    forget_pending(self);
    drop_live(self, live);
    return 0;
}

/*
 * A large value is a batch of its own, so that each fits a frame. If what was
 * before it can't be committed they stay together.
 */
static int
set_apart(struct store *self, struct live *live,
          const struct store_record *record, struct err *err)
{
    int rc;

    batch_undo(&live->batch);
    rc = store_flush(self, err);
    batch_add(&live->batch, record);
    if (rc == 0)
        self->due = span_mono();
    return rc;
}

int
store_record(struct store *self, uint64_t run,
             const struct store_record *record, struct err *err)
{
    struct live *live = store_live(self, run);

    assert(live);
    if (live->extents.n > 0 && record->state != PLAN_RUNNING)
        extents_forget(&live->extents, record->id, record->attempt);
    batch_add(&live->batch, record);
    if (self->due == SPAN_NEVER)
        self->due = span_mono() + STORE_FLUSH_DUE;
    if (live->batch.records.len + live->batch.names.len < BATCH_BYTES)
        return 0;
    if (live->batch.n > 1 && batch_last_bytes(&live->batch) > BATCH_BYTES / 4 &&
        set_apart(self, live, record, err) < 0)
        return -1;
    return store_flush(self, err);
}

int64_t
store_due(const struct store *self)
{
    return self->due;
}

int
store_output(struct store *self, uint64_t run, struct plan_id id,
             uint32_t attempt, int stream, const char *data, size_t n,
             struct err *err)
{
    struct live *live = store_live(self, run);
    struct store_piece piece = {.id = id,
                                .attempt = attempt,
                                .stream = stream,
                                .when = span_wall(),
                                .data = data,
                                .n = n};

    assert(live);
    return outfile_append(&live->out, &piece, err);
}

int
store_output_at(struct store *self, uint64_t run,
                const struct store_piece *piece, uint64_t offset,
                struct err *err)
{
    struct live *live = store_live(self, run);
    struct store_piece rest = *piece;

    assert(live);
    rest.when = span_wall();
    if (piece->origin != 0)
        extents_leave_out(&live->extents, &rest, offset);
    if (rest.n == 0)
        return 0;
    if (outfile_append(&live->out, &rest, err) < 0)
        return -1;
    if (piece->origin != 0)
        *extents_end(&live->extents, piece) = offset + piece->n;
    return 0;
}
