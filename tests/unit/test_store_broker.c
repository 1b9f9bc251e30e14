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

/* ---- batches that travel ---- */

struct got {
    struct buf text;
    uint64_t last;
    size_t n, most, longest;
    struct err err;
};

static bool
tell_record(void *ctx, const struct store_record *record)
{
    struct got *got = ctx;

    buf_printf(&got->text, "%s.%d=%s%s%s ", record->task, (int)record->id.child,
               plan_state_names[record->state], record->cause ? ":" : "",
               record->cause ? record->cause : "");
    return true;
}

static bool
take_batch(void *ctx, uint64_t number, const char *text, size_t n)
{
    struct got *got = ctx;

    assert_true(number > got->last);
    got->last = number;
    if (n > got->longest)
        got->longest = n;
    buf_text(&got->text, "| ");
    if (store_batch_records(text, n, tell_record, got, &got->err) < 0)
        fail_msg("%s", got->err.msg);
    return ++got->n < got->most;
}

static void
batches_come_from_a_number_on(void **state)
{
    struct box *box = *state;
    uint64_t run = begin(box, NULL), other = begin(box, NULL);
    struct got got = {.most = SIZE_MAX};
    struct store_record one = {
        .id = {0, PLAN_WHOLE}, .task = "a", .code = -1, .state = PLAN_RUNNING};

    assert_int_equal(
        store_batches(box->store, run, 0, take_batch, &got, &box->err), 0);
    assert_int_equal(got.n, 0);
    record(box, run, &one);
    record(box, other, &one);
    one = (struct store_record){.id = {1, 0},
                                .task = "m",
                                .code = -1,
                                .state = PLAN_FAILED,
                                .cause = "two\nlines"};
    record(box, run, &one);
    flush(box);
    assert_int_equal(
        store_batches(box->store, run, 0, take_batch, &got, &box->err), 0);
    assert_string_equal(buf_str(&got.text),
                        "| a.-1=running m.0=failed:two\nlines ");
    buf_clear(&got.text);
    one.state = PLAN_SUCCEEDED;
    one.cause = NULL;
    record(box, run, &one);
    flush(box);
    assert_int_equal(
        store_batches(box->store, run, got.last, take_batch, &got, &box->err),
        0);
    assert_string_equal(buf_str(&got.text), "| m.0=succeeded ");
    buf_clear(&got.text);
    got = (struct got){.most = 1, .text = got.text};
    assert_int_equal(
        store_batches(box->store, run, 0, take_batch, &got, &box->err), 0);
    assert_int_equal(got.n, 1);
    assert_int_equal(
        store_batches(box->store, 77, 0, take_batch, &got, &box->err), -1);
    assert_int_equal(box->err.code, ERR_NOT_FOUND);
    buf_release(&got.text);
}

static void
what_is_no_batch_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "\n",
        "\n\n",
        "1\n{}",
        "x\n{}\n[]",
        "1x\n{}\n[]",
        " 1\n{}\n[]",
        "1\n{}\n[[]]",
        "1\n{}\n[[0,\"a\",1]]",
        "1\n{}\n[[0,0,1,6,0,0]]",
        "99999999999999999999\n{}\n[]",
        "1\n{}\n[[0,\"a\",1,6,0,0]] ",
    };
    struct box *box = *state;
    struct got got = {.most = 1};
    const char nul[] = "1\n{}\n[[0,\"a\",1,6,0,0]\0]";

    for (size_t i = 0; i < COUNT(bad); i++) {
        if (store_batch_records(bad[i], strlen(bad[i]), tell_record, &got,
                                &box->err) == 0)
            fail_msg("accepted: %s", bad[i]);
        assert_int_equal(box->err.code, ERR_INVALID);
    }
    assert_int_equal(
        store_batch_records(nul, sizeof nul - 1, tell_record, &got, &box->err),
        -1);
    buf_release(&got.text);
}

/* Small records and large ones in turn. */
static void
every_batch_fits_a_frame(void **state)
{
    struct box *box = *state;
    uint64_t run = begin(box, NULL);
    struct got got = {.most = SIZE_MAX};
    size_t n = (size_t)890 << 10;
    char *large = mem_alloc(n + 1, 1);
    json_t *value;

    memset(large, 'x', n);
    value = json_string(large);
    for (uint32_t k = 0; k < 4000; k++) {
        bool is_large = k % 1500 == 700;
        struct store_record one = {.id = {1, k},
                                   .task = "mapped",
                                   .code = -1,
                                   .attempt = 1,
                                   .state = PLAN_SUCCEEDED,
                                   .cause = "of a hundred bytes: .............."
                                            "..............................",
                                   .value = is_large ? value : NULL};

        record(box, run, &one);
    }
    flush(box);
    assert_int_equal(
        store_batches(box->store, run, 0, take_batch, &got, &box->err), 0);
    assert_true(got.longest > n);
    assert_true(got.longest < n + 1000);
    assert_sql(box, "SELECT count(*), count(DISTINCT child) FROM attempts",
               "4000|4000\n");
    json_decref(value);
    free(large);
    buf_release(&got.text);
}

/* ---- output that travels ---- */

static void
output_travels_in_whole_pieces(void **state)
{
    struct box *box = *state;
    uint64_t run = begin(box, NULL), offset = 0, end_at;
    struct heard heard = {.most = SIZE_MAX};
    struct buf out = {0};
    bool more = false;

    say(box, run, whole, 1, "one");
    say(box, run, whole, 2, "two");
    say(box, run, whole, 1, "three");
    /* Two pieces with their heads of 32 bytes. */
    assert_int_equal(
        store_output_raw(box->store, run, &offset, 70, &out, &more, &box->err),
        0);
    assert_true(more);
    assert_int_equal(out.len, 70);
    assert_int_equal(
        store_output_pieces(out.data, out.len, hear, &heard, &box->err), 0);
    assert_string_equal(buf_str(&heard.text), "4.-1.1.1:one 4.-1.1.2:two ");
    buf_clear(&heard.text);
    buf_clear(&out);
    /* One at least, whatever the bound. */
    assert_int_equal(
        store_output_raw(box->store, run, &offset, 1, &out, &more, &box->err),
        0);
    assert_false(more);
    assert_int_equal(
        store_output_pieces(out.data, out.len, hear, &heard, &box->err), 0);
    assert_string_equal(buf_str(&heard.text), "4.-1.1.1:three ");
    end_at = offset;
    buf_clear(&out);
    assert_int_equal(
        store_output_raw(box->store, run, &offset, 70, &out, &more, &box->err),
        0);
    assert_int_equal(offset, end_at);
    assert_int_equal(out.len, 0);
    assert_false(more);
    buf_release(&out);
    buf_release(&heard.text);
}

static void
a_large_write_becomes_pieces_that_travel(void **state)
{
    struct box *box = *state;
    uint64_t run = begin(box, NULL), offset = 0;
    size_t n = (size_t)3 << 20, got = 0, rounds = 0;
    char *data = mem_alloc(n + 1, 1);
    struct buf out = {0};
    bool more = true;

    memset(data, 'y', n);
    say(box, run, whole, 1, data);
    while (more) {
        buf_clear(&out);
        assert_int_equal(store_output_raw(box->store, run, &offset,
                                          (size_t)256 << 10, &out, &more,
                                          &box->err),
                         0);
        assert_true(out.len <= (size_t)256 << 10);
        got += out.len;
        rounds++;
    }
    assert_int_equal(rounds, 13);
    assert_int_equal(got, n + rounds * 32);
    buf_release(&out);
    free(data);
}

static void
what_is_no_output_is_refused(void **state)
{
    struct box *box = *state;
    uint64_t run = begin(box, NULL), offset = 0;
    struct heard heard = {.most = SIZE_MAX};
    struct buf out = {0};
    bool more = false;

    say(box, run, whole, 1, "one");
    assert_int_equal(
        store_output_raw(box->store, run, &offset, 99, &out, &more, &box->err),
        0);
    for (size_t n = 1; n < out.len; n++)
        assert_int_equal(
            store_output_pieces(out.data, n, hear, &heard, &box->err), -1);
    out.data[5] ^= 1;
    assert_int_equal(
        store_output_pieces(out.data, out.len, hear, &heard, &box->err), -1);
    assert_int_equal(heard.text.len, 0);
    buf_release(&out);
    /* Of a run without output, and of none. */
    assert_int_equal(
        store_output_raw(box->store, 5, &offset, 99, &out, &more, &box->err),
        -1);
    assert_int_equal(box->err.code, ERR_NOT_FOUND);
    buf_release(&heard.text);
}

/* ---- rows ---- */

static void
a_row_travels_as_json(void **state)
{
    struct box *box = *state;
    uint64_t run = begin(box, "name");
    struct store_run in = {0}, out = {0};
    json_t *json, *again;

    end(box, run, STORE_CANCELLED);
    assert_int_equal(store_run_get(box->store, run, true, &in, &box->err), 0);
    in.output = json_pack("[i]", 3);
    in.options = json_pack("{s:b}", "broker", 1);
    json = store_run_to_json(&in);
    assert_int_equal(store_run_from_json(&out, json, &box->err), 0);
    assert_int_equal(out.id, run);
    assert_int_equal(out.state, STORE_CANCELLED);
    assert_string_equal(out.name, "name");
    assert_string_equal(out.source, in.source);
    assert_int_equal(out.source_len, in.source_len);
    assert_int_equal(out.ended, in.ended);
    assert_null(out.program);
    again = store_run_to_json(&out);
    assert_true(json_equal(json, again));
    json_decref(json);
    json_decref(again);
    store_run_release(&in);
    store_run_release(&out);
}

static void
a_row_that_makes_no_sense_is_refused(void **state)
{
    static const char *const bad[] = {
        "[]",
        "{}",
        "{\"run\":0,\"flow\":\"f\",\"state\":\"failed\"}",
        "{\"run\":-1,\"flow\":\"f\",\"state\":\"failed\"}",
        "{\"run\":1.5,\"flow\":\"f\",\"state\":\"failed\"}",
        "{\"run\":1,\"state\":\"failed\"}",
        "{\"run\":1,\"flow\":\"f\"}",
        "{\"run\":1,\"flow\":\"f\",\"state\":\"odd\"}",
        "{\"run\":1,\"flow\":\"f\\u0000\",\"state\":\"failed\"}",
        "{\"run\":1,\"flow\":[],\"state\":\"failed\"}",
        "{\"run\":1,\"flow\":\"f\",\"state\":\"failed\",\"params\":[]}",
        "{\"run\":1,\"flow\":\"f\",\"state\":\"failed\",\"sessions\":0}",
        "{\"run\":1,\"flow\":\"f\",\"state\":\"failed\",\"name\":1}",
    };
    struct box *box = *state;

    for (size_t i = 0; i < COUNT(bad); i++) {
        json_t *json = json_loads(bad[i], JSON_ALLOW_NUL, NULL);
        struct store_run out = {0};

        assert_non_null(json);
        if (store_run_from_json(&out, json, &box->err) == 0)
            fail_msg("accepted: %s", bad[i]);
        assert_int_equal(box->err.code, ERR_INVALID);
        json_decref(json);
    }
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
        TEST(batches_come_from_a_number_on),
        TEST(what_is_no_batch_is_refused),
        TEST(every_batch_fits_a_frame),
        TEST(output_travels_in_whole_pieces),
        TEST(a_large_write_becomes_pieces_that_travel),
        TEST(what_is_no_output_is_refused),
        TEST(a_row_travels_as_json),
        TEST(a_row_that_makes_no_sense_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
