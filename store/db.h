/* SPDX-License-Identifier: MPL-2.0 */
/*
 * db - the SQLite database of a store: opened, checked, its statements.
 *
 * Private to the store. One thread. Every failure becomes a sentence that
 * names the file and what to do about it.
 */
#ifndef STORE_DB_H
#define STORE_DB_H

#include <jansson.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum db_stmt {
    DB_BEGIN,
    DB_COMMIT,
    DB_ROLLBACK,
    DB_SOURCE_ADD,
    DB_SOURCE_FIND,
    DB_SOURCE_DROP,
    DB_RUN_ADD,
    DB_RUN_RESUME,
    DB_RUN_CANCEL,
    DB_RUN_END,
    DB_RUN_PROBLEM,
    DB_RUN_GET,
    DB_RUN_SOURCE,
    DB_RUN_DELETE,
    DB_RUN_EXISTS,
    DB_RUN_NEWEST,
    DB_RUN_NAMED,
    DB_RUN_IDS,
    DB_RUN_OLD,
    DB_RUN_UNFINISHED,
    DB_RUN_SUBMISSIONS,
    DB_BATCH_ADD,
    DB_BATCH_NEXT,
    DB_BATCH_DELETE,
    DB_BATCH_STRAY,
    DB_CACHE_GET,
    DB_CACHE_PUT,
    DB_CACHE_DROP,
    DB_ENV_MAKE,
    DB_ENV_FOLLOW,
    DB_ENV_PUT,
    DB_ENV_GET,
    DB_STOP_MAKE,
    DB_STOP_FOLLOW,
    DB_STOP_ADD,
    DB_STOP_EACH,
    DB_EPOCH_MAKE,
    DB_EPOCH_NEXT,
    DB_SYNC_FULL,
    DB_SYNC_NORMAL,
    DB_VACUUM,
    DB_STMT_COUNT
};

struct db {
    sqlite3 *handle;
    char *path;
    sqlite3_stmt *stmts[DB_STMT_COUNT]; /* prepared when first needed */
    int frames;                         /* in the log after our last commit */
};

/*
 * Open the database at self->path, which is set; with `make` it is made if it
 * does not exist. On failure self is to be closed all the same.
 */
int db_open(struct db *self, bool make, struct err *err);
void db_close(struct db *self);

/* A statement, reset, with nothing bound; NULL if it can't be prepared. */
sqlite3_stmt *db_stmt(struct db *self, enum db_stmt which, struct err *err);
/* Step to the next row; *row is false at the end, where it is reset. */
int db_next(struct db *self, sqlite3_stmt *stmt, bool *row, struct err *err);
/* Step to the end and reset. */
int db_finish(struct db *self, sqlite3_stmt *stmt, struct err *err);
/* A statement without bindings, to its end. */
int db_do(struct db *self, enum db_stmt which, struct err *err);
/* Undo what was begun; what went wrong is known already. */
void db_rollback(struct db *self);

/* The number that a statement, used once, gives. */
int db_ask(struct db *self, const char *sql, int64_t *ret, struct err *err);

/* NULL binds NULL. All borrow their text until the statement is reset. */
void db_bind_text(sqlite3_stmt *stmt, int at, const char *text);
void db_bind_int(sqlite3_stmt *stmt, int at, int64_t number);
/* As compact JSON; NULL binds NULL. */
void db_bind_json(sqlite3_stmt *stmt, int at, const json_t *value);

/* A column as a heap string, NULL if it is NULL. */
char *db_text(sqlite3_stmt *stmt, int at);
/* A column as JSON, NULL if it is NULL. */
int db_json(struct db *self, sqlite3_stmt *stmt, int at, json_t **ret,
            struct err *err);

/* Is this errno one of those that mean: no room? */
bool db_is_full(int error);

/* The error for what is stored making no sense. */
int db_damaged(const struct db *self, const char *how, struct err *err);

#endif
