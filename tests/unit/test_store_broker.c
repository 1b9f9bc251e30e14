/* SPDX-License-Identifier: MPL-2.0 */
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>

#include "tests/unit/store_box.h"

/* ---- epoch and lock ---- */

static void
epochs_count_starts(void **state)
{
    struct box *box = *state;
    uint32_t epoch = 0;

    assert_int_equal(store_epoch_next(box->store, &epoch, &box->err), 0);
    assert_int_equal(epoch, 1);
    assert_int_equal(store_epoch_next(box->store, &epoch, &box->err), 0);
    assert_int_equal(epoch, 2);
    reopen(box, STORE_WRITE);
    assert_int_equal(store_epoch_next(box->store, &epoch, &box->err), 0);
    assert_int_equal(epoch, 3);
}

static void
an_epoch_leaves_the_store_readable_by_every_leat(void **state)
{
    struct box *box = *state;
    uint32_t epoch = 0;

    assert_int_equal(store_epoch_next(box->store, &epoch, &box->err), 0);
    assert_sql(box, "PRAGMA user_version", "1\n");
    assert_int_equal(begin(box, NULL), 1);
}

static void
a_store_has_one_broker(void **state)
{
    struct box *box = *state;
    struct store *other = NULL;
    char *expected = mem_printf(
        "the store FOLDER/a/store belongs to another broker that is running "
        "(leat-broker at tcp://127.0.0.1:7100, process %ld); choose another "
        "folder with --store",
        (long)getpid());

    assert_int_equal(store_lock(box->store, "tcp://127.0.0.1:7100", &box->err),
                     0);
    assert_int_equal(store_open(&other, box->path, STORE_WRITE, &box->err), 0);
    assert_int_equal(store_lock(other, "ipc:///x", &box->err), -1);
    assert_message(box, ERR_UNAVAILABLE, expected);
    store_close(&box->store);
    assert_int_equal(store_lock(other, "ipc:///x", &box->err), 0);
    store_close(&other);
    free(expected);
}

/* ---- runs that end while somebody looks ---- */

struct ending {
    struct box *box;
    atomic_uint_fast64_t begun, seen; /* runs: one ends once it was seen */
};

static void *
begin_and_end(void *arg)
{
    struct ending *all = arg;

    for (int i = 0; i < 300; i++) {
        uint64_t run = begin(all->box, NULL);

        atomic_store(&all->begun, run);
        while (atomic_load(&all->seen) < run)
            ;
        end(all->box, run, STORE_SUCCEEDED);
    }
    return NULL;
}

static void
a_run_that_ends_is_never_seen_as_interrupted(void **state)
{
    struct box *box = *state;
    struct ending all = {.box = box};
    struct store *reader = NULL;
    struct store_run run = {0};
    pthread_t thread;

    store_share(box->store);
    assert_int_equal(store_open(&reader, box->path, STORE_READ, &box->err), 0);
    assert_int_equal(pthread_create(&thread, NULL, begin_and_end, &all), 0);
    for (uint64_t id = 1; id <= 300;) {
        struct err err;

        if (atomic_load(&all.begun) < id)
            continue;
        assert_int_equal(store_run_get(reader, id, false, &run, &err), 0);
        atomic_store(&all.seen, id);
        assert_int_not_equal(run.state, STORE_INTERRUPTED);
        id += run.state == STORE_SUCCEEDED;
        store_run_release(&run);
    }
    (void)pthread_join(thread, NULL);
    store_close(&reader);
}

/* ---- runs that a broker goes on with ---- */

static uint64_t
begin_with(struct box *box, json_t *options)
{
    char flow[] = "f";
    struct store_run run = {.flow = flow, .options = options};

    assert_int_equal(store_run_begin(box->store, &run, &box->err), 0);
    json_decref(options);
    return run.id;
}

static void
what_a_broker_left_running_is_found(void **state)
{
    struct box *box = *state;
    uint64_t *ids = NULL, left;
    size_t n = 0;

    (void)begin(box, NULL); /* not a broker's */
    (void)begin_with(box, json_pack("{s:b}", "broker", 0));
    left = begin_with(box, json_pack("{s:b}", "broker", 1));
    end(box, begin_with(box, json_pack("{s:b}", "broker", 1)), STORE_FAILED);
    assert_int_equal(store_unfinished(box->store, &ids, &n, &box->err), 0);
    assert_int_equal(n, 0); /* this process holds it */
    free(ids);
    reopen(box, STORE_WRITE);
    assert_int_equal(store_unfinished(box->store, &ids, &n, &box->err), 0);
    assert_int_equal(n, 1);
    assert_int_equal(ids[0], left);
    free(ids);
}

static void
holding_a_run_counts_no_session(void **state)
{
    struct box *box = *state;
    uint64_t run = begin(box, NULL);
    struct store_run row = {0};

    record(box, run,
           &(struct store_record){
               .id = whole, .task = "t", .code = -1, .state = PLAN_RUNNING});
    assert_int_equal(store_run_let_go(box->store, run, &box->err), 0);
    assert_int_equal(state_of(box, run), STORE_INTERRUPTED);
    assert_sql(box, "SELECT task, state FROM tasks", "t|running\n");
    assert_int_equal(store_run_hold(box->store, run, &box->err), 0);
    assert_int_equal(store_run_get(box->store, run, false, &row, &box->err), 0);
    assert_int_equal(row.state, STORE_RUNNING);
    assert_int_equal(row.sessions, 1);
    store_run_release(&row);
    end(box, run, STORE_SUCCEEDED);
}

/* ---- output that comes again ---- */

static void
print(struct box *box, uint64_t run, const struct store_piece *of,
      uint64_t offset, const char *text)
{
    struct store_piece piece = *of;

    piece.id = whole;
    piece.attempt = 1;
    piece.data = text;
    piece.n = strlen(text);
    if (store_output_at(box->store, run, &piece, offset, &box->err) < 0)
        fail_msg("%s", box->err.msg);
}

static const struct store_piece stdout_of = {.stream = 1, .origin = 77};

static const struct store_piece stderr_of = {.stream = 2, .origin = 77};

static const struct store_piece elsewhere = {.stream = 1, .origin = 78};

static const struct store_piece words = {.stream = 0};

static void
output_that_is_there_is_left_out(void **state)
{
    struct box *box = *state;
    uint64_t run = begin(box, NULL), offset = 0;

    print(box, run, &stdout_of, 0, "abc");
    print(box, run, &stdout_of, 0, "abc");
    print(box, run, &stdout_of, 1, "b");
    print(box, run, &stderr_of, 0, "123");
    print(box, run, &stdout_of, 2, "cde");
    print(box, run, &stderr_of, 3, "4");
    print(box, run, &words, 0, "so");
    print(box, run, &words, 0, "so");
    assert_heard(box, run, NULL, &offset,
                 "4.-1.1.1:abc 4.-1.1.2:123 4.-1.1.1:de 4.-1.1.2:4 "
                 "4.-1.1.0:so 4.-1.1.0:so ");
    end(box, run, STORE_SUCCEEDED);
}

static void
output_that_is_there_is_known_by_the_next_broker(void **state)
{
    struct box *box = *state;
    uint64_t run = begin(box, NULL), offset = 0;

    print(box, run, &stdout_of, 0, "abc");
    print(box, run, &stderr_of, 0, "12");
    print(box, run, &words, 0, "so");
    reopen(box, STORE_WRITE);
    assert_int_equal(store_run_hold(box->store, run, &box->err), 0);
    print(box, run, &stdout_of, 0, "abcd");
    print(box, run, &stderr_of, 1, "23");
    /* What came just before the end is known as well. */
    reopen(box, STORE_WRITE);
    assert_int_equal(store_run_hold(box->store, run, &box->err), 0);
    print(box, run, &stdout_of, 3, "de");
    assert_heard(box, run, NULL, &offset,
                 "4.-1.1.1:abc 4.-1.1.2:12 4.-1.1.0:so 4.-1.1.1:d 4.-1.1.2:3 "
                 "4.-1.1.1:e ");
    end(box, run, STORE_SUCCEEDED);
}

static void
output_from_another_origin_begins_anew(void **state)
{
    struct box *box = *state;
    uint64_t run = begin(box, NULL), offset = 0;

    print(box, run, &stdout_of, 0, "abc");
    print(box, run, &elsewhere, 0, "ab");
    reopen(box, STORE_WRITE);
    assert_int_equal(store_run_hold(box->store, run, &box->err), 0);
    print(box, run, &elsewhere, 0, "abcde");
    assert_heard(box, run, NULL, &offset,
                 "4.-1.1.1:abc 4.-1.1.1:ab 4.-1.1.1:cde ");
    end(box, run, STORE_SUCCEEDED);
}

static void
output_of_what_has_ended_is_not_remembered(void **state)
{
    struct box *box = *state;
    uint64_t run = begin(box, NULL), offset = 0;

    print(box, run, &stdout_of, 0, "abc");
    record(box, run,
           &(struct store_record){.id = whole,
                                  .task = "t",
                                  .code = -1,
                                  .attempt = 1,
                                  .state = PLAN_RETRYING});
    print(box, run, &stdout_of, 0, "abc");
    reopen(box, STORE_WRITE);
    assert_int_equal(store_run_hold(box->store, run, &box->err), 0);
    print(box, run, &stdout_of, 0, "abc");
    end(box, run, STORE_FAILED);
    assert_int_equal(store_run_resume(box->store, run, NULL, NULL, &box->err),
                     0);
    print(box, run, &stdout_of, 0, "abc");
    assert_heard(box, run, NULL, &offset,
                 "4.-1.1.1:abc 4.-1.1.1:abc 4.-1.1.1:abc 4.-1.1.1:abc ");
    end(box, run, STORE_FAILED);
}

static int
open_descriptors(void)
{
    int n = 0;

    for (int fd = 0; fd < 1024; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static void
looking_through_another_handle_keeps_a_shared_run_held(void **state)
{
    struct box *box = *state;
    struct store *reader = NULL;
    uint64_t run, offset = 0;
    struct buf out = {0};
    bool more = false;
    struct store_run row = {0};
    int before = 0;

    store_share(box->store);
    run = begin(box, NULL);
    say(box, run, whole, 1, "hello");
    assert_int_equal(store_open(&reader, box->path, STORE_READ, &box->err), 0);
    for (int i = 0; i < 5; i++) {
        offset = 0;
        assert_int_equal(store_output_raw(reader, run, &offset, 1024, &out,
                                          &more, &box->err),
                         0);
        assert_int_equal(store_run_get(reader, run, false, &row, &box->err), 0);
        assert_int_equal(row.state, STORE_RUNNING);
        store_run_release(&row);
        if (i == 0) /* the database is open now */
            before = open_descriptors();
    }
    assert_int_equal(open_descriptors(), before);
    store_close(&reader);
    /* Another process sees the lock too. */
    if (fork() == 0) {
        struct store *third = NULL;
        bool held = store_open(&third, box->path, STORE_READ, &box->err) == 0 &&
                    store_run_get(third, run, false, &row, &box->err) == 0 &&
                    row.state == STORE_RUNNING;

        _exit(held ? 0 : 1);
    }
    {
        int status = -1;

        assert_true(wait(&status) > 0);
        assert_int_equal(status, 0);
    }
    buf_release(&out);
    end(box, run, STORE_SUCCEEDED);
    assert_int_equal(store_remove(box->store, run, &box->err), 0);
}

static void
what_was_cancelled_is_known_until_the_next_session(void **state)
{
    struct box *box = *state;
    uint64_t run = begin(box, NULL), other = begin(box, NULL);
    struct plan_id *ids = NULL;
    size_t n = 7;

    assert_int_equal(store_run_stops(box->store, run, &ids, &n, &box->err), 0);
    assert_int_equal(n, 0);
    for (uint32_t i = 0; i < 3; i++) {
        struct plan_id id = {4, i == 2 ? PLAN_WHOLE : i % 2};

        assert_int_equal(store_run_stop(box->store, run, id, &box->err), 0);
        assert_int_equal(store_run_stop(box->store, run, id, &box->err), 0);
    }
    assert_int_equal(store_run_stops(box->store, other, &ids, &n, &box->err),
                     0);
    assert_int_equal(n, 0);
    reopen(box, STORE_WRITE);
    assert_int_equal(store_run_hold(box->store, run, &box->err), 0);
    assert_int_equal(store_run_stops(box->store, run, &ids, &n, &box->err), 0);
    assert_int_equal(n, 3);
    assert_int_equal(ids[0].task, 4);
    assert_int_equal(ids[0].child, 0);
    assert_int_equal(ids[2].child, PLAN_WHOLE);
    free(ids);
    end(box, run, STORE_FAILED);
    assert_int_equal(store_run_resume(box->store, run, NULL, NULL, &box->err),
                     0);
    assert_int_equal(store_run_stops(box->store, run, &ids, &n, &box->err), 0);
    assert_int_equal(n, 0);
    end(box, run, STORE_FAILED);
    assert_int_equal(store_remove(box->store, run, &box->err), 0);
    assert_sql(box, "SELECT count(*) FROM stop", "0\n");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(epochs_count_starts),
        TEST(an_epoch_leaves_the_store_readable_by_every_leat),
        TEST(a_store_has_one_broker),
        TEST(a_run_that_ends_is_never_seen_as_interrupted),
        TEST(what_a_broker_left_running_is_found),
        TEST(holding_a_run_counts_no_session),
        TEST(output_that_is_there_is_left_out),
        TEST(output_that_is_there_is_known_by_the_next_broker),
        TEST(output_from_another_origin_begins_anew),
        TEST(output_of_what_has_ended_is_not_remembered),
        TEST(looking_through_another_handle_keeps_a_shared_run_held),
        TEST(what_was_cancelled_is_known_until_the_next_session),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
