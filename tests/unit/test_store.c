/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/unit/store_box.h"

/* ---- runs ---- */

static void
a_run_comes_back_as_it_was(void **state)
{
    struct box *box = *state;
    char flow[] = "f", name[] = "n\"1", file[] = "x.yaml", program[] = "/p",
         source[] = "a\nb\n", cwd[] = "/somewhere";
    struct store_run in = {.flow = flow,
                           .name = name,
                           .file = file,
                           .source = source,
                           .source_len = 4,
                           .program = program,
                           .cwd = cwd};
    struct store_run out = {0};
    json_t *output = json_pack("[i,s]", 1, "two");

    in.params = json_pack("{s:s}", "x", "y");
    in.options = json_pack("{s:[s]}", "env", "HOME");
    assert_int_equal(store_run_begin(box->store, &in, &box->err), 0);
    assert_int_equal(in.id, 1);
    assert_int_equal(
        store_run_end(box->store, 1, STORE_SUCCEEDED, output, &box->err), 0);
    reopen(box, STORE_READ);
    assert_int_equal(store_run_get(box->store, 1, true, &out, &box->err), 0);
    assert_string_equal(out.flow, flow);
    assert_string_equal(out.name, name);
    assert_string_equal(out.file, file);
    assert_string_equal(out.source, source);
    assert_int_equal(out.source_len, 4);
    assert_string_equal(out.program, program);
    assert_string_equal(out.cwd, cwd);
    assert_true(json_equal(out.params, in.params));
    assert_true(json_equal(out.options, in.options));
    assert_true(json_equal(out.output, output));
    assert_int_equal(out.state, STORE_SUCCEEDED);
    assert_int_equal(out.started, in.started);
    assert_true(out.ended >= out.started);
    assert_int_equal(out.sessions, 1);
    store_run_release(&out);
    json_decref(in.params);
    json_decref(in.options);
    json_decref(output);
}

static void
a_run_without_anything_optional(void **state)
{
    struct box *box = *state;
    char flow[] = "f";
    struct store_run in = {.flow = flow}, out = {0};

    assert_int_equal(store_run_begin(box->store, &in, &box->err), 0);
    assert_int_equal(store_run_get(box->store, 1, true, &out, &box->err), 0);
    assert_null(out.name);
    assert_null(out.file);
    assert_null(out.source);
    assert_null(out.program);
    assert_null(out.cwd);
    assert_null(out.params);
    assert_null(out.options);
    assert_null(out.output);
    assert_int_equal(out.state, STORE_RUNNING);
    assert_int_equal(out.ended, 0);
    store_run_release(&out);
}

static void
equal_flow_files_are_stored_once(void **state)
{
    struct box *box = *state;

    end(box, begin(box, NULL), STORE_FAILED);
    end(box, begin(box, NULL), STORE_FAILED);
    assert_sql(box, "SELECT count(*) FROM source", "1\n");
    assert_sql(box, "SELECT count(DISTINCT source), count(source) FROM runs",
               "1|2\n");
    assert_int_equal(store_remove(box->store, 1, &box->err), 0);
    assert_sql(box, "SELECT count(*) FROM source", "1\n");
    assert_int_equal(store_remove(box->store, 2, &box->err), 0);
    assert_sql(box, "SELECT count(*) FROM source", "0\n");
}

static void
an_id_is_never_used_again(void **state)
{
    struct box *box = *state;

    end(box, begin(box, NULL), STORE_FAILED);
    end(box, begin(box, NULL), STORE_FAILED);
    assert_int_equal(store_remove(box->store, 2, &box->err), 0);
    assert_int_equal(begin(box, NULL), 3);
}

struct seen_runs {
    uint64_t ids[8];
    size_t n;
    struct store *store; /* looked at again from inside */
};

static bool
see_run(void *ctx, const struct store_run *run)
{
    struct seen_runs *seen = ctx;
    struct store_run again = {0};
    struct err err;

    seen->ids[seen->n++] = run->id;
    assert_null(run->source);
    assert_int_equal(store_run_get(seen->store, run->id, true, &again, &err),
                     0);
    assert_non_null(again.source);
    store_run_release(&again);
    return run->id != 2;
}

static void
runs_are_listed_newest_first(void **state)
{
    struct box *box = *state;
    struct seen_runs seen = {.store = box->store};

    for (int i = 0; i < 4; i++)
        end(box, begin(box, NULL), STORE_FAILED);
    assert_int_equal(store_runs(box->store, 2, see_run, &seen, &box->err), 0);
    assert_int_equal(seen.n, 2);
    assert_int_equal(seen.ids[0], 4);
    seen.n = 0;
    assert_int_equal(store_runs(box->store, 0, see_run, &seen, &box->err), 0);
    assert_int_equal(seen.n, 3);
    assert_int_equal(seen.ids[2], 2);
}

static void
runs_are_found_by_number_name_and_last(void **state)
{
    static const struct {
        const char *which;
        uint64_t id;
        const char *error;
    } rows[] = {
        {"1", 1, NULL},
        {"03", 3, NULL},
        {"last", 3, NULL},
        {"night", 3, NULL},
        {"day", 1, NULL},
        {"12", 0, "there is no run 12; the newest is 3"},
        {"0", 0, "there is no run 0; the newest is 3"},
        {"18446744073709551617", 0,
         "no run is named `18446744073709551617`; see: leat ls"},
        {"x", 0, "no run is named `x`; see: leat ls"},
        {"", 0, "no run is named ``; see: leat ls"},
        {"-1", 0, "no run is named `-1`; see: leat ls"},
    };
    struct box *box = *state;
    uint64_t id = 99;

    assert_int_equal(store_find(box->store, "last", &id, &box->err), -1);
    assert_string_equal(box->err.msg,
                        "there is no last run: nothing has run yet");
    assert_int_equal(store_find(box->store, "1", &id, &box->err), -1);
    assert_string_equal(box->err.msg, "there is no run 1: nothing has run yet");
    end(box, begin(box, "day"), STORE_FAILED);
    end(box, begin(box, "night"), STORE_FAILED);
    end(box, begin(box, "night"), STORE_FAILED);
    for (size_t i = 0; i < COUNT(rows); i++) {
        id = 0;
        if (store_find(box->store, rows[i].which, &id, &box->err) < 0) {
            assert_non_null(rows[i].error);
            assert_int_equal(box->err.code, ERR_NOT_FOUND);
            assert_string_equal(box->err.msg, rows[i].error);
        }
        assert_int_equal(id, rows[i].id);
    }
}

static void
a_missing_run_is_not_found(void **state)
{
    struct box *box = *state;
    struct store_run run = {0};
    uint64_t offset = 0;

    assert_int_equal(store_run_get(box->store, 7, true, &run, &box->err), -1);
    assert_int_equal(box->err.code, ERR_NOT_FOUND);
    box->err.code = ERR_NONE;
    assert_int_equal(store_records(box->store, 7, NULL, NULL, &box->err), -1);
    assert_int_equal(box->err.code, ERR_NOT_FOUND);
    box->err.code = ERR_NONE;
    assert_int_equal(
        store_pieces(box->store, 7, NULL, &offset, NULL, NULL, &box->err), -1);
    assert_int_equal(box->err.code, ERR_NOT_FOUND);
    box->err.code = ERR_NONE;
    assert_int_equal(store_remove(box->store, 7, &box->err), -1);
    assert_int_equal(box->err.code, ERR_NOT_FOUND);
    box->err.code = ERR_NONE;
    assert_int_equal(store_run_resume(box->store, 7, &box->err), -1);
    assert_int_equal(box->err.code, ERR_NOT_FOUND);
    assert_string_equal(box->err.msg, "there is no run 7: nothing has run yet");
}

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

struct heard {
    struct buf text;
    size_t most;
};

static bool
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

static void
say(struct box *box, uint64_t run, struct plan_id id, int stream,
    const char *text)
{
    if (store_output(box->store, run, id, 1, stream, text, strlen(text),
                     &box->err) < 0)
        fail_msg("%s", box->err.msg);
}

/* What is heard from an offset on. */
static void
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

static const struct plan_id whole = {4, PLAN_WHOLE}, child_0 = {5, 0},
                            child_1 = {5, 1}, all_children = {5, PLAN_WHOLE};

static void
output_is_heard_in_the_order_it_came(void **state)
{
    struct box *box = *state;
    uint64_t run = begin(box, NULL), offset = 0, from = 0;
    struct heard heard = {.most = 1};

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
    assert_string_equal(buf_str(&heard.text), "4.-1.1.1:one ");
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

static char *
output_path(const struct box *box, uint64_t run)
{
    return mem_printf("%s/output/%llu", box->path, (unsigned long long)run);
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
    assert_int_equal(store_run_resume(box->store, run, &box->err), 0);
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
    assert_int_equal(store_run_resume(box->store, run, &box->err), 0);
    say(box, run, whole, 1, "x");
    assert_heard(box, run, NULL, &offset, "4.-1.1.1:x ");
    free(path);
}

/* ---- who holds a run ---- */

static void
a_run_that_nobody_holds_is_interrupted(void **state)
{
    struct box *box = *state;
    uint64_t run = begin(box, NULL);
    struct store_run info = {0};

    assert_int_equal(state_of(box, run), STORE_RUNNING);
    reopen(box, STORE_WRITE);
    assert_int_equal(state_of(box, run), STORE_INTERRUPTED);
    assert_int_equal(store_run_resume(box->store, run, &box->err), 0);
    assert_int_equal(store_run_get(box->store, run, false, &info, &box->err),
                     0);
    assert_int_equal(info.state, STORE_RUNNING);
    assert_int_equal(info.sessions, 2);
    store_run_release(&info);
    end(box, run, STORE_PAUSED);
    assert_int_equal(state_of(box, run), STORE_PAUSED);
}

/* A second handle in this process must neither miss nor drop the lock. */
static void
a_second_handle_sees_the_run_running(void **state)
{
    struct box *box = *state, other = {.path = box->path};
    uint64_t run = begin(box, NULL), offset = 0;
    char *expected = mem_printf("it is running in process %ld", (long)getpid());
    pid_t pid;
    int status;

    say(box, run, whole, 1, "x");
    assert_int_equal(
        store_open(&other.store, box->path, STORE_WRITE, &other.err), 0);
    assert_int_equal(state_of(&other, run), STORE_RUNNING);
    assert_heard(&other, run, NULL, &offset, "4.-1.1.1:x ");
    assert_int_equal(store_run_resume(other.store, run, &other.err), -1);
    assert_int_equal(other.err.code, ERR_UNAVAILABLE);
    assert_non_null(strstr(other.err.msg, expected));
    assert_int_equal(store_remove(other.store, run, &other.err), -1);
    assert_non_null(strstr(other.err.msg, expected));
    store_close(&other.store);
    pid = fork();
    if (pid == 0) {
        struct err err;

        _exit(store_open(&other.store, box->path, STORE_WRITE, &err) < 0 ||
              store_run_resume(other.store, run, &err) == 0 ||
              !strstr(err.msg, expected));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    free(expected);
}

/* A forked call of a C function outlives its parent here. */
static void
a_forked_child_does_not_hold_the_run(void **state)
{
    struct box *box = *state;
    int ids[2], stay[2];
    uint64_t run = 0;
    pid_t pid;
    int status;

    assert_int_equal(pipe(ids), 0);
    assert_int_equal(pipe(stay), 0);
    store_close(&box->store);
    pid = fork();
    if (pid == 0) {
        char c;

        (void)close(stay[1]);
        assert_int_equal(
            store_open(&box->store, box->path, STORE_WRITE, &box->err), 0);
        run = begin(box, NULL);
        if (fork() == 0) {
            (void)!read(stay[0], &c, 1); /* until the test is over */
            _exit(0);
        }
        (void)!write(ids[1], &run, sizeof run);
        _exit(0);
    }
    assert_int_equal(read(ids[0], &run, sizeof run), sizeof run);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(store_open(&box->store, box->path, STORE_WRITE, &box->err),
                     0);
    assert_int_equal(state_of(box, run), STORE_INTERRUPTED);
    assert_int_equal(store_run_resume(box->store, run, &box->err), 0);
    (void)close(stay[1]);
    (void)close(stay[0]);
    (void)close(ids[0]);
    (void)close(ids[1]);
}

/* ---- keeping it small ---- */

static void
a_removed_run_is_gone_with_its_output(void **state)
{
    struct box *box = *state;
    uint64_t run = begin(box, NULL);
    char *path = output_path(box, run);
    struct store_record one = {.task = "t", .code = -1};

    record(box, run, &one);
    assert_int_equal(store_remove(box->store, run, &box->err), -1);
    assert_int_equal(box->err.code, ERR_UNAVAILABLE);
    assert_string_equal(box->err.msg,
                        "can't remove run 1: it is running in this process");
    end(box, run, STORE_SUCCEEDED);
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(store_remove(box->store, run, &box->err), 0);
    assert_int_equal(access(path, F_OK), -1);
    assert_sql(box, "SELECT (SELECT count(*) FROM run), count(*) FROM batch",
               "0|0\n");
    free(path);
}

static void
pruning_keeps_the_newest_and_the_unfinished(void **state)
{
    static const enum store_run_state states[] = {STORE_SUCCEEDED, STORE_PAUSED,
                                                  STORE_FAILED, STORE_CANCELLED,
                                                  STORE_SUCCEEDED};
    struct box *box = *state;
    size_t removed = 99;

    for (size_t i = 0; i < COUNT(states); i++)
        end(box, begin(box, NULL), states[i]);
    assert_int_equal(begin(box, NULL), 6);
    reopen(box, STORE_WRITE); /* now it is interrupted */
    assert_int_equal(begin(box, NULL), 7);
    assert_int_equal(store_prune(box->store, 0, 0, &removed, &box->err), 0);
    assert_int_equal(removed, 0);
    assert_int_equal(store_prune(box->store, 2, 0, &removed, &box->err), 0);
    assert_int_equal(removed, 2);
    assert_sql(box, "SELECT group_concat(run) FROM runs", "2,4,5,6,7\n");
    assert_int_equal(
        store_prune(box->store, 0, 3600 * SPAN_SECOND, &removed, &box->err), 0);
    assert_int_equal(removed, 0);
    assert_int_equal(store_prune(box->store, 0, 1, &removed, &box->err), 0);
    assert_int_equal(removed, 2);
    assert_sql(box, "SELECT group_concat(run) FROM runs", "2,6,7\n");
}

static void
pruning_gives_the_room_back(void **state)
{
    struct box *box = *state;
    uint64_t run = begin(box, NULL);
    struct store_record one = {.task = "t", .code = -1};
    size_t removed = 0;

    for (uint32_t i = 0; i < 300000; i++) {
        one.id.child = i;
        record(box, run, &one);
    }
    end(box, run, STORE_SUCCEEDED);
    end(box, begin(box, NULL), STORE_SUCCEEDED);
    assert_sql(box, "SELECT page_count > 1000 FROM pragma_page_count", "1\n");
    assert_int_equal(store_prune(box->store, 1, 0, &removed, &box->err), 0);
    assert_int_equal(removed, 1);
    assert_sql(box, "SELECT page_count < 50 FROM pragma_page_count", "1\n");
    assert_sql(box, "PRAGMA integrity_check", "ok\n");
}

static void
cached_values_come_back_while_they_are_young(void **state)
{
    struct box *box = *state;
    json_t *value = json_pack("{s:[i]}", "x", 1), *got = NULL;

    assert_int_equal(
        store_cache_get(box->store, "k", SPAN_SECOND, &got, &box->err), -1);
    assert_int_equal(box->err.code, ERR_NOT_FOUND);
    assert_int_equal(store_cache_put(box->store, "k", json_null(), &box->err),
                     0);
    assert_int_equal(store_cache_put(box->store, "k", value, &box->err), 0);
    reopen(box, STORE_WRITE);
    assert_int_equal(
        store_cache_get(box->store, "k", 3600 * SPAN_SECOND, &got, &box->err),
        0);
    assert_true(json_equal(got, value));
    assert_int_equal(
        store_cache_get(box->store, "K", SPAN_SECOND, &got, &box->err), -1);
    free(sql(box, "UPDATE cache SET made = made - 60000000"));
    assert_int_equal(
        store_cache_get(box->store, "k", SPAN_SECOND, &got, &box->err), -1);
    assert_int_equal(box->err.code, ERR_NOT_FOUND);
    json_decref(value);
    json_decref(got);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_run_comes_back_as_it_was),
        TEST(a_run_without_anything_optional),
        TEST(equal_flow_files_are_stored_once),
        TEST(an_id_is_never_used_again),
        TEST(runs_are_listed_newest_first),
        TEST(runs_are_found_by_number_name_and_last),
        TEST(a_missing_run_is_not_found),
        TEST(records_come_back_as_they_were),
        TEST(a_reader_of_records_may_stop),
        TEST(records_are_committed_when_flushed_or_many),
        TEST(plain_sql_sees_runs_tasks_and_attempts),
        TEST(every_state_has_its_name_in_the_views),
        TEST(output_is_heard_in_the_order_it_came),
        TEST(output_of_any_size_comes_back),
        TEST(a_torn_tail_is_ignored),
        TEST(a_run_without_its_output_file_has_none),
        TEST(a_run_that_nobody_holds_is_interrupted),
        TEST(a_second_handle_sees_the_run_running),
        TEST(a_forked_child_does_not_hold_the_run),
        TEST(a_removed_run_is_gone_with_its_output),
        TEST(pruning_keeps_the_newest_and_the_unfinished),
        TEST(pruning_gives_the_room_back),
        TEST(cached_values_come_back_while_they_are_young),
    };

    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
