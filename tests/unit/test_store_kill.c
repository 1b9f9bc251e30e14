/* SPDX-License-Identifier: MPL-2.0 */
/* Processes that share a store, and die in it. */
#include <errno.h>

#include "tests/unit/store_box.h"

#define ROUNDS  200
#define WRITERS 2
#define RACERS  6

/* What a writer says has been acknowledged to it. */
struct told {
    uint64_t run;
    uint32_t records, pieces;
};

static bool
tell(int fd, const struct told *told)
{
    return write(fd, told, sizeof *told) == (ssize_t)sizeof *told;
}

/* Write as fast as it goes, `rounds` times, and tell after each step. */
static int
write_away(const char *path, int fd, uint32_t rounds)
{
    static const char text[] = "some output\n";
    struct store *store = NULL;
    struct told told = {0};
    struct store_run run = {0};
    char flow[] = "f";
    struct err err;

    run.flow = flow;
    if (store_open(&store, path, STORE_WRITE, &err) < 0 ||
        store_run_begin(store, &run, &err) < 0)
        goto failed;
    told.run = run.id;
    if (!tell(fd, &told))
        return 1;
    for (uint32_t i = 0; i < rounds; i++) {
        uint32_t n = 1 + i % 7 * 50;

        for (uint32_t k = 0; k < n; k++) {
            struct store_record one = {.id = {1, told.records + k},
                                       .task = "t",
                                       .state = PLAN_SUCCEEDED,
                                       .code = -1};

            if (store_record(store, run.id, &one, &err) < 0)
                goto failed;
        }
        if (store_flush(store, &err) < 0)
            goto failed;
        told.records += n;
        if (!tell(fd, &told))
            return 1;
        if (store_output(store, run.id, (struct plan_id){1, told.pieces}, 1, 1,
                         text, sizeof text - 1, &err) < 0)
            goto failed;
        told.pieces++;
        if (!tell(fd, &told))
            return 1;
    }
    if (store_run_end(store, run.id, STORE_SUCCEEDED, NULL, NULL, &err) < 0)
        goto failed;
    store_close(&store);
    return 0;
failed:
    (void)fprintf(stderr, "%s\n", err.msg);
    return 1;
}

/* A writer in a process of its own; *fd tells. */
static pid_t
start_writer(const struct box *box, uint32_t rounds, int *fd)
{
    int ends[2];
    pid_t pid;

    assert_int_equal(pipe(ends), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)close(ends[0]);
        _exit(write_away(box->path, ends[1], rounds));
    }
    (void)close(ends[1]);
    *fd = ends[0];
    return pid;
}

struct count {
    uint32_t n;
    bool wrong;
};

static bool
count_record(void *ctx, const struct store_record *one)
{
    struct count *count = ctx;

    count->wrong |= one->id.child != count->n++;
    return true;
}

static bool
count_piece(void *ctx, const struct store_piece *piece)
{
    struct count *count = ctx;

    count->wrong |= piece->id.child != count->n++ || piece->n != 12;
    return true;
}

/* All that was acknowledged is there, in order; what is there more is whole. */
static void
assert_kept(struct box *box, const struct told *told)
{
    struct count records = {0}, pieces = {0};
    uint64_t offset = 0;

    if (store_records(box->store, told->run, count_record, &records,
                      &box->err) < 0 ||
        store_pieces(box->store, told->run, NULL, &offset, count_piece, &pieces,
                     &box->err) < 0)
        fail_msg("%s", box->err.msg);
    assert_false(records.wrong);
    assert_false(pieces.wrong);
    assert_true(records.n >= told->records);
    assert_true(pieces.n >= told->pieces);
}

static void
kill_after(struct box *box, unsigned messages, unsigned spin)
{
    struct told told = {0}, last = {0};
    int status, fd = -1;
    pid_t pid;

    store_close(&box->store);
    pid = start_writer(box, UINT32_MAX, &fd);
    for (unsigned i = 0; i < messages; i++)
        assert_int_equal(read(fd, &told, sizeof told), sizeof told);
    for (volatile unsigned i = 0; i < spin; i++)
        ;
    assert_int_equal(kill(pid, SIGKILL), 0);
    while (read(fd, &last, sizeof last) == (ssize_t)sizeof last)
        told = last;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    (void)close(fd);
    if (store_open(&box->store, box->path, STORE_WRITE, &box->err) < 0)
        fail_msg("%s", box->err.msg);
    if (told.run == 0)
        return;
    assert_kept(box, &told);
    assert_int_equal(state_of(box, told.run), STORE_INTERRUPTED);
    assert_int_equal(
        store_run_resume(box->store, told.run, NULL, NULL, &box->err), 0);
    assert_int_equal(store_output(box->store, told.run, (struct plan_id){0, 0},
                                  2, 1, "on", 2, &box->err),
                     0);
    end(box, told.run, STORE_SUCCEEDED);
}

static void
a_kill_at_any_moment_loses_nothing_acknowledged(void **state)
{
    struct box *box = *state;
    unsigned seed = 7;

    for (unsigned i = 0; i < ROUNDS; i++) {
        unsigned messages = (unsigned)rand_r(&seed) % 40;

        /* Often while it opens the store and begins its run. */
        if (i % 4 == 0)
            messages = 0;
        kill_after(box, messages, (unsigned)rand_r(&seed) % 3000000);
        if (i % 20 == 0)
            assert_sql(box, "PRAGMA integrity_check", "ok\n");
    }
    assert_sql(box, "PRAGMA integrity_check", "ok\n");
    assert_sql(box, "SELECT count(*) > 50 FROM runs", "1\n");
}

static void
two_writers_both_make_progress(void **state)
{
    struct box *box = *state;
    struct told told[WRITERS] = {0};
    int fds[WRITERS], status;
    pid_t pids[WRITERS];

    for (int i = 0; i < WRITERS; i++)
        pids[i] = start_writer(box, 400, &fds[i]);
    for (int i = 0; i < WRITERS; i++) {
        while (read(fds[i], &told[i], sizeof told[i]) ==
               (ssize_t)sizeof told[i])
            ;
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_int_equal(status, 0);
        (void)close(fds[i]);
        assert_int_equal(told[i].pieces, 400);
        assert_kept(box, &told[i]);
    }
    assert_sql(box, "SELECT group_concat(state) FROM runs",
               "succeeded,succeeded\n");
}

static int
race(const char *path, int start)
{
    struct store *store = NULL;
    struct store_run run = {0};
    char flow[] = "f", c;
    struct err err;

    run.flow = flow;
    (void)!read(start, &c, 1); /* ends when all are there */
    if (store_open(&store, path, STORE_WRITE, &err) < 0 ||
        store_run_begin(store, &run, &err) < 0 ||
        store_run_end(store, run.id, STORE_SUCCEEDED, NULL, NULL, &err) < 0) {
        (void)fprintf(stderr, "%s\n", err.msg);
        return 1;
    }
    store_close(&store);
    return 0;
}

static void
a_fresh_store_can_be_made_by_many_at_once(void **state)
{
    struct box *box = *state;

    store_close(&box->store);
    for (int round = 0; round < 10; round++) {
        pid_t pids[RACERS];
        int start[2], status;

        free(box->path);
        box->path = mem_printf("%s/%d", box->folder, round);
        assert_int_equal(pipe(start), 0);
        for (int i = 0; i < RACERS; i++) {
            pids[i] = fork();
            assert_true(pids[i] >= 0);
            if (pids[i] == 0) {
                (void)close(start[1]);
                _exit(race(box->path, start[0]));
            }
        }
        (void)close(start[0]);
        (void)close(start[1]);
        for (int i = 0; i < RACERS; i++) {
            assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
            assert_int_equal(status, 0);
        }
        assert_sql(box, "SELECT count(*), max(run) FROM runs", "6|6\n");
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_kill_at_any_moment_loses_nothing_acknowledged),
        TEST(two_writers_both_make_progress),
        TEST(a_fresh_store_can_be_made_by_many_at_once),
    };

    return cmocka_run_group_tests_name("store_kill", tests, NULL, NULL);
}
