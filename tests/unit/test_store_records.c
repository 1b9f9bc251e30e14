/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/unit/store_box.h"

/* ---- records ---- */

static void
assert_text(const char *a, const char *b)
{
    if (!a || !b)
        assert_ptr_equal(a, b);
    else
        assert_string_equal(a, b);
}

struct expected {
    const struct store_record *records;
    size_t n, most;
};

static bool
compare(void *ctx, const struct store_record *got)
{
    struct expected *expected = ctx;
    const struct store_record *want = expected->records++;

    assert_true(expected->n-- > 0);
    assert_int_equal(got->id.task, want->id.task);
    assert_int_equal(got->id.child, want->id.child);
    assert_text(got->task, want->task);
    assert_text(got->key, want->key);
    assert_text(got->cause, want->cause);
    assert_text(got->cwd, want->cwd);
    assert_int_equal(got->attempt, want->attempt);
    assert_int_equal(got->state, want->state);
    assert_int_equal(got->children, want->children);
    assert_int_equal(got->code, want->code);
    assert_int_equal(got->started, want->started);
    assert_int_equal(got->ended, want->ended);
    assert_int_equal(got->cpu, want->cpu);
    assert_int_equal(got->memory, want->memory);
    assert_int_equal(got->value != NULL, want->value != NULL);
    if (got->value)
        assert_true(json_equal(got->value, want->value));
    return --expected->most > 0;
}

static void
assert_records(struct box *box, uint64_t run,
               const struct store_record *records, size_t n)
{
    struct expected expected = {records, n, SIZE_MAX};

    if (store_records(box->store, run, compare, &expected, &box->err) < 0)
        fail_msg("%s", box->err.msg);
    assert_int_equal(expected.n, 0);
}

#define NOW INT64_C(1790000000000000)

static void
records_come_back_as_they_were(void **state)
{
    struct box *box = *state;
    json_t *deep = json_pack("{s:[i,f,b,n,s#],s:s}", "a", -3, 0.1, 1,
                             "nul\0here", 8, "b", "\"\\\n\x01\u00e9");
    json_t *null = json_null(), *number = json_integer(INT64_MIN);
    const struct store_record records[] = {
        {.id = {0, PLAN_WHOLE},
         .task = "start",
         .attempt = 1,
         .state = PLAN_RUNNING,
         .code = -1,
         .started = NOW},
        {.id = {0, PLAN_WHOLE},
         .task = "start",
         .attempt = 1,
         .state = PLAN_SUCCEEDED,
         .value = deep,
         .code = 0,
         .started = NOW,
         .ended = NOW + 5,
         .cpu = 17,
         .memory = INT64_MAX},
        {.id = {3, PLAN_WHOLE},
         .task = "map",
         .state = PLAN_MAPPED,
         .children = UINT32_MAX,
         .code = -1},
        {.id = {3, 0},
         .task = "map",
         .key = "8,3",
         .attempt = UINT32_MAX,
         .state = PLAN_TIMED_OUT,
         .cause = "took \"too\" long\\\n\x1b\x7f",
         .code = -1,
         .started = NOW - 1,
         .ended = NOW - 2,
         .cwd = "/\xff/x"},
        {.id = {1, UINT32_MAX - 1},
         .task = "m\303\266p",
         .key = "",
         .state = PLAN_CANCELLED,
         .value = null,
         .code = INT32_MIN,
         .ended = NOW + 9},
        {.id = {3, 1},
         .task = "map",
         .state = PLAN_WAITING,
         .value = number,
         .code = 255,
         .cpu = -1,
         .memory = -1,
         .started = 1,
         .ended = INT64_MAX,
         .cause = ""},
        {.id = {UINT32_MAX, PLAN_WHOLE},
         .task = "",
         .state = PLAN_SKIPPED,
         .code = -1},
    };
    uint64_t run = begin(box, NULL);

    for (size_t i = 0; i < COUNT(records); i++) {
        record(box, run, &records[i]);
        /* some in batches of their own */
        if (i % 3 == 2)
            flush(box);
    }
    end(box, run, STORE_FAILED);
    assert_records(box, run, records, COUNT(records));
    reopen(box, STORE_READ);
    assert_records(box, run, records, COUNT(records));
    assert_sql(box, "SELECT count(*) FROM batch", "3\n");
    json_decref(deep);
    json_decref(number);
}

static void
a_reader_of_records_may_stop(void **state)
{
    const struct store_record one = {
        .id = {0, PLAN_WHOLE}, .task = "a", .state = PLAN_SKIPPED, .code = -1};
    const struct store_record all[] = {one, one, one};
    struct expected expected = {all, 2, 2};
    struct box *box = *state;
    uint64_t run = begin(box, NULL);

    for (int i = 0; i < 3; i++)
        record(box, run, &one);
    flush(box);
    assert_int_equal(
        store_records(box->store, run, compare, &expected, &box->err), 0);
    assert_int_equal(expected.n, 0);
}

static void
records_are_committed_when_flushed_or_many(void **state)
{
    struct box *box = *state;
    uint64_t run = begin(box, NULL);
    struct store_record one = {.task = "each",
                               .state = PLAN_SUCCEEDED,
                               .code = -1,
                               .attempt = 1,
                               .started = NOW,
                               .ended = NOW + 3};
    int64_t before = span_mono();

    assert_int_equal(store_due(box->store), SPAN_NEVER);
    record(box, run, &one);
    assert_true(store_due(box->store) >= before + STORE_FLUSH_DUE);
    assert_true(store_due(box->store) <= span_mono() + STORE_FLUSH_DUE);
    assert_sql(box, "SELECT count(*) FROM attempts", "0\n");
    flush(box);
    assert_int_equal(store_due(box->store), SPAN_NEVER);
    assert_sql(box, "SELECT count(*) FROM attempts", "1\n");
    for (uint32_t i = 0; i < 20000; i++) {
        one.id.child = i;
        record(box, run, &one);
    }
    assert_sql(box, "SELECT count(*) > 5000 FROM attempts", "1\n");
    store_close(&box->store); /* commits the rest */
    assert_sql(box, "SELECT count(*), max(child) FROM attempts",
               "20001|19999\n");
}

/* ---- views ---- */

static void
plain_sql_sees_runs_tasks_and_attempts(void **state)
{
    struct box *box = *state;
    json_t *value = json_pack("{s:s}", "a", "x");
    struct store_record one = {.id = {2, PLAN_WHOLE},
                               .task = "one",
                               .attempt = 1,
                               .state = PLAN_RETRYING,
                               .cause = "exit code 3",
                               .code = 3,
                               .started = NOW,
                               .ended = NOW + 10,
                               .cpu = 4,
                               .memory = 5,
                               .cwd = "/d"};
    struct store_record child = {.id = {0, 1},
                                 .task = "map\"x",
                                 .key = "k",
                                 .attempt = 1,
                                 .state = PLAN_SUCCEEDED,
                                 .code = -1};
    uint64_t run = begin(box, "night");

    record(box, run, &one);
    flush(box);
    record(box, run, &child);
    one.state = PLAN_SUCCEEDED;
    one.attempt = 2;
    one.value = value;
    one.cause = NULL;
    record(box, run, &one);
    end(box, run, STORE_SUCCEEDED);
    assert_sql(box,
               "SELECT run, flow, name, state, params, output, sessions, file,"
               " program, cwd, source, started <= ended FROM runs",
               "1|demo|night|succeeded|{\"stop\":5}|-|1|demo.yaml|-|/tmp|"
               "leat: 1\n|1\n");
    assert_sql(box,
               "SELECT run, task, child, key, attempt, state, value, cause,"
               " children, code, started, ended, cpu, memory, cwd, number"
               " FROM attempts ORDER BY record",
               "1|one|-|-|1|retrying|-|exit code 3|-|3|1790000000000000|"
               "1790000000000010|4|5|/d|2\n"
               "1|map\"x|1|k|1|succeeded|-|-|-|-|-|-|0|0|-|0\n"
               "1|one|-|-|2|succeeded|{\"a\":\"x\"}|-|-|3|1790000000000000|"
               "1790000000000010|4|5|/d|2\n");
    assert_sql(box, "SELECT task, attempt, state FROM tasks WHERE run = 1",
               "map\"x|1|succeeded\none|2|succeeded\n");
    json_decref(value);
}

static void
every_state_has_its_name_in_the_views(void **state)
{
    struct box *box = *state;
    uint64_t run = begin(box, NULL);
    struct buf expected = {0};
    static const char *const names[] = {
        "waiting",   "ready",     "running",        "retrying", "paused",
        "mapped",    "succeeded", "cached",         "skipped",  "failed",
        "timed-out", "crashed",   "trigger-failed", "cancelled"};

    assert_int_equal(COUNT(names), PLAN_STATE_COUNT);
    for (uint32_t i = 0; i < COUNT(names); i++) {
        struct store_record one = {.id = {i, PLAN_WHOLE},
                                   .task = "t",
                                   .state = (enum plan_state)i,
                                   .code = -1};

        record(box, run, &one);
        buf_printf(&expected, "%s\n", names[i]);
    }
    flush(box);
    assert_sql(box, "SELECT state FROM tasks ORDER BY number",
               buf_str(&expected));
    buf_release(&expected);
}

/* ---- output ---- */

static const struct plan_id child_0 = {5, 0}, child_1 = {5, 1},
                            all_children = {5, PLAN_WHOLE};

static void
output_is_heard_in_the_order_it_came(void **state)
{
    struct box *box = *state;
    uint64_t run = begin(box, NULL), offset = 0, from = 0;
    struct heard heard = {.most = 2};

    assert_heard(box, run, NULL, &offset, "");
    say(box, run, whole, 1, "one");
    say(box, run, child_0, 2, "two");
    assert_heard(box, run, NULL, &offset, "4.-1.1.1:one 5.0.1.2:two ");
    assert_heard(box, run, NULL, &offset, "");
    say(box, run, child_1, 0, "three");
    say(box, run, child_1, 0, "");
    assert_heard(box, run, NULL, &offset, "5.1.1.0:three ");
    end(box, run, STORE_FAILED);
    reopen(box, STORE_READ);
    offset = 0;
    assert_heard(box, run, &whole, &offset, "4.-1.1.1:one ");
    offset = 0;
    assert_heard(box, run, &child_1, &offset, "5.1.1.0:three ");
    offset = 0;
    assert_heard(box, run, &all_children, &offset,
                 "5.0.1.2:two 5.1.1.0:three ");
    assert_int_equal(
        store_pieces(box->store, run, NULL, &from, hear, &heard, &box->err), 0);
    /* What is refused comes again. */
    assert_string_equal(buf_str(&heard.text), "4.-1.1.1:one 5.0.1.2:two ");
    buf_release(&heard.text);
    assert_heard(box, run, NULL, &from, "5.0.1.2:two 5.1.1.0:three ");
}

struct sum {
    size_t n, pieces;
    unsigned wrong;
};

static bool
add_up(void *ctx, const struct store_piece *piece)
{
    struct sum *sum = ctx;

    for (size_t i = 0; i < piece->n; i++)
        sum->wrong += piece->data[i] != (char)((sum->n + i) % 251);
    sum->n += piece->n;
    sum->pieces++;
    return true;
}

static void
output_of_any_size_comes_back(void **state)
{
    struct box *box = *state;
    size_t n = (5u << 20) + 3, done = 0, step = 1;
    char *data = mem_alloc(n, 1);
    uint64_t run = begin(box, NULL), offset = 0;
    struct sum sum = {0};

    for (size_t i = 0; i < n; i++)
        data[i] = (char)(i % 251);
    while (done < n) {
        size_t part = step < n - done ? step : n - done;

        assert_int_equal(store_output(box->store, run, whole, 1, 1, data + done,
                                      part, &box->err),
                         0);
        done += part;
        step = step * 3 / 2 + 1;
    }
    assert_int_equal(
        store_pieces(box->store, run, NULL, &offset, add_up, &sum, &box->err),
        0);
    assert_int_equal(sum.n, n);
    assert_int_equal(sum.wrong, 0);
    free(data);
}

/* Whatever is behind the last whole piece is no piece, and goes on resume. */
static void
a_torn_tail_is_ignored(void **state)
{
    struct box *box = *state;
    uint64_t run = begin(box, NULL);
    char *path = output_path(box, run);
    struct stat st;

    say(box, run, whole, 1, "first");
    assert_int_equal(stat(path, &st), 0);
    say(box, run, whole, 1, "second");
    store_close(&box->store);
    assert_int_equal(store_open(&box->store, box->path, STORE_WRITE, &box->err),
                     0);
    for (off_t cut = 1; cut < 38; cut++) {
        uint64_t offset = 0;

        assert_int_equal(truncate(path, st.st_size + cut), 0);
        assert_heard(box, run, NULL, &offset, "4.-1.1.1:first ");
        assert_int_equal(offset, st.st_size);
    }
    assert_int_equal(store_run_resume(box->store, run, NULL, NULL, &box->err),
                     0);
    say(box, run, whole, 1, "third");
    {
        uint64_t offset = 0;

        assert_heard(box, run, NULL, &offset, "4.-1.1.1:first 4.-1.1.1:third ");
    }
    free(path);
}

static void
a_run_without_its_output_file_has_none(void **state)
{
    struct box *box = *state;
    uint64_t run = begin(box, NULL), offset = 0;
    char *path = output_path(box, run);

    store_close(&box->store);
    assert_int_equal(store_open(&box->store, box->path, STORE_WRITE, &box->err),
                     0);
    assert_int_equal(unlink(path), 0);
    assert_heard(box, run, NULL, &offset, "");
    assert_int_equal(state_of(box, run), STORE_INTERRUPTED);
    assert_int_equal(store_run_resume(box->store, run, NULL, NULL, &box->err),
                     0);
    say(box, run, whole, 1, "x");
    assert_heard(box, run, NULL, &offset, "4.-1.1.1:x ");
    free(path);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(records_come_back_as_they_were),
        TEST(a_reader_of_records_may_stop),
        TEST(records_are_committed_when_flushed_or_many),
        TEST(plain_sql_sees_runs_tasks_and_attempts),
        TEST(every_state_has_its_name_in_the_views),
        TEST(output_is_heard_in_the_order_it_came),
        TEST(output_of_any_size_comes_back),
        TEST(a_torn_tail_is_ignored),
        TEST(a_run_without_its_output_file_has_none),
    };

    return cmocka_run_group_tests_name("store_records", tests, NULL, NULL);
}
