/* SPDX-License-Identifier: MPL-2.0 */
#include <errno.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include "tests/unit/store_box.h"

/* In forked children, where cmocka's own asserts would run the other tests. */
#define NEED(what)                                                     \
    do {                                                               \
        if (!(what)) {                                                 \
            (void)fprintf(stderr, "%s:%d: not so: %s: %s\n", __FILE__, \
                          __LINE__, #what, box->err.msg);              \
            return 1;                                                  \
        }                                                              \
    } while (0)

#define CHILD_SKIP 77

typedef int child_fn(struct box *box);

/* Run fn in a process of its own, because what it does can't be undone. */
static void
in_child(struct box *box, child_fn *fn)
{
    int status = 0;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0)
        _exit(fn(box));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == CHILD_SKIP) {
        print_message("not allowed to mount here: skipped\n");
        skip();
    }
    assert_int_equal(status, 0);
}

static int
change_directory(struct box *box)
{
    struct store_run run = {0};
    char flow[] = "f";

    store_close(&box->store);
    NEED(chdir(box->folder) == 0);
    NEED(store_open(&box->store, "b/c", STORE_WRITE, &box->err) == 0);
    NEED(chdir("/") == 0);
    run.flow = flow;
    NEED(store_run_begin(box->store, &run, &box->err) == 0);
    NEED(store_output(box->store, run.id, (struct plan_id){0, 0}, 1, 1, "x", 1,
                      &box->err) == 0);
    NEED(store_run_end(box->store, run.id, STORE_FAILED, NULL, NULL,
                       &box->err) == 0);
    store_close(&box->store);
    NEED(chdir(box->folder) == 0);
    NEED(access("b/c/output/1", F_OK) == 0);
    return 0;
}

static void
a_task_may_change_the_directory(void **state)
{
    in_child(*state, change_directory);
}

/* ---- what was stored makes no sense ---- */

static bool
ignore_record(void *ctx, const struct store_record *one)
{
    (void)ctx;
    (void)one;
    return true;
}

static void
damaged_records_are_an_error(void **state)
{
    static const char *const bad[] = {
        "",
        "[",
        "]",
        "[]",
        "x",
        "[[",
        "[[]]",
        "[[0,\"a\",1,6,0,0]",
        "[[0,\"a\",1,6,0,0],]",
        "[[0,\"a\",1,14,0,0]]",
        "[[0,\"a\",1,-1,0,0]]",
        "[[0,\"a\",1,6,0]]",
        "[[0,\"a\",1,6,0,nul]]",
        "[[0,\"a\",1,6,0,0,{}]]",
        "[[0,\"a\",1,6,0,0,{\"z\":1}]]",
        "[[0,\"a\",1,6,0,0,{\"v\":}]]",
        "[[0,\"a\",1,6,0,0,{\"v\":[1}]]",
        "[[0,\"a\",1,6,0,0,{\"v\":1]",
        "[[0,\"a\",1,6,0,0,{\"c\":\"x]]",
        "[[0,\"a\",1,6,0,0,{\"c\":\"\\",
        "[[0,\"a\",1,6,0,0,{\"c\":\"\\u00",
        "[[0,\"a\",1,6,0,0,{\"c\":\"\\u0000\"}]]",
        "[[0,\"a\",1,6,0,0,{\"c\":\"\\u0041\"}]]",
        "[[0,\"a\",1,6,0,0,{\"x\":99999999999}]]",
        "[[0,\"a",
        "[[99999999999,\"a\",1,6,0,0]]",
        "[[9,1,1,6,0,0]]",
        "[[0,4294967295,1,6,0,0]]",
        "[[0,\"a\",1,6,0,0]][",
        "[[0,\"a\",1,6,99999999999999999999,0]]",
    };
    struct box *box = *state;
    uint64_t run = begin(box, NULL);
    struct store_record one = {.id = {0, 0}, .task = "t", .code = -1};

    record(box, run, &one);
    end(box, run, STORE_FAILED);
    for (size_t i = 0; i < COUNT(bad); i++) {
        char *update = sqlite3_mprintf("UPDATE batch SET records = %Q", bad[i]);

        free(sql(box, update));
        sqlite3_free(update);
        box->err = (struct err){0};
        if (store_records(box->store, run, ignore_record, NULL, &box->err) == 0)
            fail_msg("%s", bad[i]);
        assert_int_equal(box->err.code, ERR_INVALID);
    }
    assert_message(
        box, ERR_INVALID,
        "FOLDER/a/store/leat.db is damaged (records in it can't be read); "
        "move its folder away to start a new one, or recover it with: sqlite3 "
        "FOLDER/a/store/leat.db .recover");
    free(sql(box, "UPDATE batch SET records = '[[0,0,1,6,0,0]]',"
                  " names = '{\"0\":1}'"));
    assert_int_equal(
        store_records(box->store, run, ignore_record, NULL, &box->err), -1);
}

static bool
ignore_piece(void *ctx, const struct store_piece *piece)
{
    (void)ctx;
    (void)piece;
    return true;
}

static void
damaged_output_is_an_error(void **state)
{
    struct box *box = *state;
    uint64_t offset = 0;

    end(box, begin(box, NULL), STORE_FAILED);
    overwrite(box, "a/store/output/1", "leatout\2", 8, 0);
    assert_int_equal(store_pieces(box->store, 1, NULL, &offset, ignore_piece,
                                  NULL, &box->err),
                     -1);
    assert_message(box, ERR_INVALID,
                   "FOLDER/a/store/output/1 was written by a newer leat "
                   "(output version 2, this one reads 1): update leat");
    overwrite(box, "a/store/output/1", "nonsense", 8, 0);
    assert_int_equal(store_pieces(box->store, 1, NULL, &offset, ignore_piece,
                                  NULL, &box->err),
                     -1);
    assert_message(box, ERR_INVALID,
                   "FOLDER/a/store/output/1 is damaged (it does not begin as "
                   "an output file); move it away to see the rest of the "
                   "run");
    assert_int_equal(store_remove(box->store, 1, &box->err), 0);
}

static void
a_damaged_run_is_an_error(void **state)
{
    struct box *box = *state;
    struct store_run run = {0};

    end(box, begin(box, NULL), STORE_FAILED);
    free(sql(box, "UPDATE run SET params = '{'"));
    assert_int_equal(store_run_get(box->store, 1, true, &run, &box->err), -1);
    assert_int_equal(box->err.code, ERR_INVALID);
    free(sql(box, "UPDATE run SET params = NULL, state = 'x'"));
    box->err.code = ERR_NONE;
    assert_int_equal(store_run_get(box->store, 1, true, &run, &box->err), -1);
    assert_int_equal(box->err.code, ERR_INVALID);
}

/* ---- no room, no right ---- */

static bool
count_one(void *ctx, const struct store_record *one)
{
    size_t *n = ctx;

    (void)one;
    (*n)++;
    return true;
}

static size_t
count_records(struct box *box, uint64_t run)
{
    size_t n = 0;

    if (store_records(box->store, run, count_one, &n, &box->err) < 0)
        return SIZE_MAX;
    return n;
}

static bool
sound(struct box *box)
{
    char *path = mem_printf("%s/leat.db", box->path);
    sqlite3_stmt *stmt = NULL;
    sqlite3 *db = NULL;
    bool ok = sqlite3_open(path, &db) == SQLITE_OK &&
              sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &stmt,
                                 NULL) == SQLITE_OK &&
              sqlite3_step(stmt) == SQLITE_ROW &&
              strcmp((const char *)sqlite3_column_text(stmt, 0), "ok") == 0;

    (void)sqlite3_finalize(stmt);
    (void)sqlite3_close(db);
    free(path);
    return ok;
}

/* A file system of the box's own, of so many bytes; seen by nobody else. */
static int
mount_own(struct box *box, const char *size)
{
    if (unshare(CLONE_NEWNS) < 0 ||
        mount("none", "/", "", MS_REC | MS_PRIVATE, NULL) < 0)
        return -1;
    store_close(&box->store);
    return mount("tmpfs", box->path, "tmpfs", 0, size);
}

/* All of it or nothing, also of what becomes several pieces. */
static int
write_too_much(struct box *box, uint64_t run)
{
    size_t n = 2 << 20;
    char *data = mem_alloc(n, 1);
    char *path = output_path(box, run);
    struct stat before, after;

    NEED(stat(path, &before) == 0);
    NEED(store_output(box->store, run, whole, 1, 1, data, n, &box->err) < 0);
    NEED(stat(path, &after) == 0 && after.st_size == before.st_size);
    free(data);
    free(path);
    return 0;
}

static int
fill_the_disk(struct box *box)
{
    struct store_record one = {.task = "t", .code = -1, .cause = "no reason"};
    char flow[] = "f", text[4096] = {0};
    struct store_run run = {.flow = flow};
    char *expected = mem_printf("can't write %s/leat.db: No space left on "
                                "device; free some space and try again",
                                box->path);
    char *output = mem_printf("can't write %s/output/1: No space left on "
                              "device; free some space and try again",
                              box->path);
    char *room = mem_printf("%s/room", box->path);
    size_t n = 0, flushed = 0;
    int fd;

    if (mount_own(box, "size=1m") < 0)
        return CHILD_SKIP;
    NEED(store_open(&box->store, box->path, STORE_WRITE, &box->err) == 0);
    NEED(store_run_begin(box->store, &run, &box->err) == 0);
    NEED(write_too_much(box, run.id) == 0);
    fd = open(room, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    NEED(fd >= 0 && ftruncate(fd, 0) == 0);
    NEED(posix_fallocate(fd, 0, 256 << 10) == 0);
    do {
        flushed = n;
        for (int i = 0; i < 100; i++, n++)
            NEED(store_record(box->store, run.id, &one, &box->err) == 0);
    } while (store_flush(box->store, &box->err) == 0);
    NEED(box->err.code == ERR_UNAVAILABLE);
    NEED(strcmp(box->err.msg, expected) == 0);
    while (store_output(box->store, run.id, one.id, 1, 1, text, sizeof text,
                        &box->err) == 0)
        ;
    NEED(box->err.code == ERR_UNAVAILABLE);
    NEED(strcmp(box->err.msg, output) == 0);
    NEED(store_flush(box->store, &box->err) < 0);
    NEED(store_run_end(box->store, run.id, STORE_FAILED, NULL, NULL,
                       &box->err) < 0);
    NEED(count_records(box, run.id) == flushed);
    /* With room again all goes on, and nothing is missing. */
    NEED(unlink(room) == 0 && close(fd) == 0);
    NEED(store_output(box->store, run.id, one.id, 1, 1, text, 1, &box->err) ==
         0);
    NEED(store_run_end(box->store, run.id, STORE_FAILED, NULL, NULL,
                       &box->err) == 0);
    NEED(count_records(box, run.id) == n);
    store_close(&box->store);
    NEED(sound(box));
    free(expected);
    free(output);
    free(room);
    return 0;
}

static void
a_full_disk_is_said_and_loses_nothing(void **state)
{
    in_child(*state, fill_the_disk);
}

static int
use_read_only(struct box *box)
{
    char flow[] = "f";
    struct store_run run = {.flow = flow};
    char *expected = mem_printf("can't write %s/leat.db: it is read-only; "
                                "choose another folder with --store",
                                box->path);
    struct store_record one = {.task = "t", .code = -1};

    if (mount_own(box, "size=4m") < 0)
        return CHILD_SKIP;
    NEED(store_open(&box->store, box->path, STORE_WRITE, &box->err) == 0);
    NEED(store_run_begin(box->store, &run, &box->err) == 0);
    NEED(store_record(box->store, run.id, &one, &box->err) == 0);
    store_close(&box->store);
    NEED(mount("none", box->path, "", MS_REMOUNT | MS_RDONLY, NULL) == 0);
    NEED(store_open(&box->store, box->path, STORE_WRITE, &box->err) < 0);
    NEED(box->err.code == ERR_UNAVAILABLE);
    NEED(strcmp(box->err.msg, expected) == 0);
    NEED(store_open(&box->store, box->path, STORE_READ, &box->err) == 0);
    NEED(count_records(box, 1) == 1);
    NEED(state_of(box, 1) == STORE_INTERRUPTED);
    NEED(store_remove(box->store, 1, &box->err) < 0);
    NEED(box->err.code == ERR_UNAVAILABLE);
    store_close(&box->store);
    free(expected);
    return 0;
}

static void
a_read_only_store_can_be_read(void **state)
{
    in_child(*state, use_read_only);
}

/* Everything that a run does, while no file may grow past the limit. */
static int
run_within(struct box *box, rlim_t limit)
{
    struct rlimit old, low;
    char flow[] = "f", text[700] = {0};
    struct store_run run = {.flow = flow};
    struct store_record one = {.task = "t", .code = -1, .cause = text};
    size_t acknowledged = 0, output = 0, n = 0;
    bool began = false;

    memset(text, 'x', sizeof text - 1);
    NEED(getrlimit(RLIMIT_FSIZE, &old) == 0);
    low = old;
    low.rlim_cur = limit;
    NEED(setrlimit(RLIMIT_FSIZE, &low) == 0);
    if (store_open(&box->store, box->path, STORE_WRITE, &box->err) == 0)
        began = store_run_begin(box->store, &run, &box->err) == 0;
    while (began && n < 60) {
        if (store_record(box->store, run.id, &one, &box->err) < 0)
            break;
        n++;
        if (store_flush(box->store, &box->err) < 0)
            break;
        acknowledged = n;
        if (store_output(box->store, run.id, one.id, 1, 1, text, sizeof text,
                         &box->err) < 0)
            break;
        output++;
    }
    if (n < 60)
        NEED(box->err.code == ERR_UNAVAILABLE);
    store_close(&box->store);
    NEED(setrlimit(RLIMIT_FSIZE, &old) == 0);
    NEED(store_open(&box->store, box->path, STORE_WRITE, &box->err) == 0);
    if (began) {
        size_t found = count_records(box, run.id);

        NEED(found == acknowledged || found == n);
        NEED(state_of(box, run.id) == STORE_INTERRUPTED);
        NEED(store_run_resume(box->store, run.id, NULL, NULL, &box->err) == 0);
        NEED(store_run_end(box->store, run.id, STORE_FAILED, NULL, NULL,
                           &box->err) == 0);
    }
    store_close(&box->store);
    NEED(sound(box));
    return 0;
}

static int
run_within_limits(struct box *box)
{
    (void)signal(SIGXFSZ, SIG_IGN);
    store_close(&box->store);
    for (rlim_t limit = 0; limit < 330000; limit += 1511) {
        char *old = box->path;

        box->path =
            mem_printf("%s/%llu", box->folder, (unsigned long long)limit);
        free(old);
        if (run_within(box, limit) != 0)
            return 1;
    }
    return 0;
}

static void
a_write_that_fails_anywhere_loses_nothing(void **state)
{
    in_child(*state, run_within_limits);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_task_may_change_the_directory),
        TEST(damaged_records_are_an_error),
        TEST(damaged_output_is_an_error),
        TEST(a_damaged_run_is_an_error),
        TEST(a_full_disk_is_said_and_loses_nothing),
        TEST(a_read_only_store_can_be_read),
        TEST(a_write_that_fails_anywhere_loses_nothing),
    };

    return cmocka_run_group_tests_name("store_faults", tests, NULL, NULL);
}
