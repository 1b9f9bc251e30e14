/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A store in a folder of its own for each test, and short words for it.
 */
#ifndef TESTS_UNIT_STORE_BOX_H
#define TESTS_UNIT_STORE_BOX_H

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
/* cmocka needs those above */
#include <cmocka.h>

#include "base/folder.h"
#include "base/mem.h"
#include "store/store.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

struct box {
    char folder[64]; /* of the test; the store is in it */
    char *path;      /* the store's folder */
    struct store *store;
    struct err err;
};

static inline int
set_up(void **state)
{
    struct box *box = mem_alloc(1, sizeof *box);

    (void)snprintf(box->folder, sizeof box->folder, "/tmp/test-store-XXXXXX");
    assert_non_null(mkdtemp(box->folder));
    box->path = mem_printf("%s/a/store", box->folder);
    assert_int_equal(store_open(&box->store, box->path, STORE_WRITE, &box->err),
                     0);
    *state = box;
    return 0;
}

static inline int
tear_down(void **state)
{
    struct box *box = *state;

    store_close(&box->store);
    folder_remove(box->folder);
    free(box->path);
    free(box);
    return 0;
}

static inline void
reopen(struct box *box, enum store_mode mode)
{
    store_close(&box->store);
    assert_int_equal(store_open(&box->store, box->path, mode, &box->err), 0);
}

/* A run of a small flow; the caller ends it. */
static inline uint64_t
begin(struct box *box, const char *name)
{
    char flow[] = "demo", file[] = "demo.yaml", source[] = "leat: 1\n",
         cwd[] = "/tmp";
    struct store_run run = {.flow = flow,
                            .name = mem_dup(name),
                            .file = file,
                            .source = source,
                            .source_len = sizeof source - 1,
                            .cwd = cwd,
                            .params = json_pack("{s:i}", "stop", 5)};

    assert_int_equal(store_run_begin(box->store, &run, &box->err), 0);
    assert_int_equal(run.sessions, 1);
    assert_true(run.started > 0);
    free(run.name);
    json_decref(run.params);
    return run.id;
}

static inline void
end(struct box *box, uint64_t run, enum store_run_state state)
{
    assert_int_equal(
        store_run_end(box->store, run, state, NULL, NULL, &box->err), 0);
}

static inline void
record(struct box *box, uint64_t run, const struct store_record *one)
{
    if (store_record(box->store, run, one, &box->err) < 0)
        fail_msg("%s", box->err.msg);
}

static inline void
flush(struct box *box)
{
    if (store_flush(box->store, &box->err) < 0)
        fail_msg("%s", box->err.msg);
}

static inline enum store_run_state
state_of(struct box *box, uint64_t id)
{
    struct store_run run = {0};
    enum store_run_state state;

    if (store_run_get(box->store, id, false, &run, &box->err) < 0)
        fail_msg("%s", box->err.msg);
    state = run.state;
    store_run_release(&run);
    return state;
}

/* What plain SQL says: columns joined by |, rows by newlines. */
static inline char *
sql(const struct box *box, const char *text)
{
    char *path = mem_printf("%s/leat.db", box->path);
    struct buf out = {0};
    sqlite3 *db = NULL;
    sqlite3_stmt *stmt = NULL;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_prepare_v2(db, text, -1, &stmt, NULL) != SQLITE_OK)
        fail_msg("%s", sqlite3_errmsg(db));
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        for (int i = 0; i < sqlite3_column_count(stmt); i++) {
            const char *cell = (const char *)sqlite3_column_text(stmt, i);

            buf_printf(&out, "%s%s", i ? "|" : "", cell ? cell : "-");
        }
        buf_char(&out, '\n');
    }
    (void)sqlite3_finalize(stmt);
    (void)sqlite3_close(db);
    free(path);
    return buf_take(&out);
}

static inline void
assert_sql(const struct box *box, const char *text, const char *expected)
{
    char *got = sql(box, text);

    assert_string_equal(got, expected);
    free(got);
}

/* A message with FOLDER for the test's folder. */
static inline void
assert_message(const struct box *box, enum err_code code, const char *expected)
{
    size_t n = strlen(box->folder);
    struct buf got = {0};

    for (const char *s = box->err.msg; *s; s++) {
        if (strncmp(s, box->folder, n) == 0) {
            buf_text(&got, "FOLDER");
            s += n - 1;
        } else {
            buf_char(&got, *s);
        }
    }
    assert_string_equal(buf_str(&got), expected);
    assert_int_equal(box->err.code, code);
    buf_release(&got);
}

static inline void
overwrite(const struct box *box, const char *below, const char *data, size_t n,
          off_t at)
{
    char *path = mem_printf("%s/%s", box->folder, below);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, data, n, at), n);
    (void)close(fd);
    free(path);
}

struct heard {
    struct buf text;
    size_t most;
};

static inline bool
hear(void *ctx, const struct store_piece *piece)
{
    struct heard *heard = ctx;

    assert_true(piece->when > 0);
    buf_printf(&heard->text, "%u.%d.%u.%d:", piece->id.task,
               (int)piece->id.child, piece->attempt, piece->stream);
    buf_add(&heard->text, piece->data, piece->n);
    buf_char(&heard->text, ' ');
    return --heard->most > 0;
}

static inline void
say(struct box *box, uint64_t run, struct plan_id id, int stream,
    const char *text)
{
    if (store_output(box->store, run, id, 1, stream, text, strlen(text),
                     &box->err) < 0)
        fail_msg("%s", box->err.msg);
}

/* What is heard from an offset on. */
static inline void
assert_heard(struct box *box, uint64_t run, const struct plan_id *only,
             uint64_t *offset, const char *expected)
{
    struct heard heard = {.most = SIZE_MAX};

    if (store_pieces(box->store, run, only, offset, hear, &heard, &box->err) <
        0)
        fail_msg("%s", box->err.msg);
    assert_string_equal(buf_str(&heard.text), expected);
    buf_release(&heard.text);
}

static inline char *
output_path(const struct box *box, uint64_t run)
{
    return mem_printf("%s/output/%llu", box->path, (unsigned long long)run);
}

/* A task of its own. */
static const struct plan_id whole = {4, PLAN_WHOLE};

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

#endif
