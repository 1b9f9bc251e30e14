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
        store_run_end(box->store, 1, STORE_SUCCEEDED, output, NULL, &box->err),
        0);
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
    assert_int_equal(store_run_resume(box->store, 7, NULL, NULL, &box->err),
                     -1);
    assert_int_equal(box->err.code, ERR_NOT_FOUND);
    assert_string_equal(box->err.msg, "there is no run 7: nothing has run yet");
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
    assert_int_equal(store_run_resume(box->store, run, NULL, NULL, &box->err),
                     0);
    assert_int_equal(store_run_get(box->store, run, false, &info, &box->err),
                     0);
    assert_int_equal(info.state, STORE_RUNNING);
    assert_int_equal(info.sessions, 2);
    store_run_release(&info);
    end(box, run, STORE_PAUSED);
    assert_int_equal(state_of(box, run), STORE_PAUSED);
}

static void
a_problem_lasts_until_the_run_goes_on(void **state)
{
    struct box *box = *state;
    uint64_t run = begin(box, NULL), other = begin(box, NULL);
    struct store_run info = {0};
    /* An error's message, cut in the middle of a character. */
    const char cut[] = "no \xc3";

    assert_int_equal(store_run_end(box->store, run, STORE_CANCELLED, NULL,
                                   STORE_TIMED_OUT, &box->err),
                     0);
    assert_int_equal(
        store_run_end(box->store, other, STORE_FAILED, NULL, cut, &box->err),
        0);
    reopen(box, STORE_WRITE);
    assert_int_equal(store_run_get(box->store, run, false, &info, &box->err),
                     0);
    assert_string_equal(store_run_problem(&info), STORE_TIMED_OUT);
    assert_true(store_run_timed_out(&info));
    store_run_release(&info);
    assert_int_equal(store_run_get(box->store, other, false, &info, &box->err),
                     0);
    assert_string_equal(store_run_problem(&info), "no ");
    assert_false(store_run_timed_out(&info));
    store_run_release(&info);
    assert_int_equal(store_run_resume(box->store, run, NULL, NULL, &box->err),
                     0);
    end(box, run, STORE_CANCELLED);
    assert_int_equal(store_run_get(box->store, run, false, &info, &box->err),
                     0);
    assert_null(store_run_problem(&info));
    assert_false(store_run_timed_out(&info));
    store_run_release(&info);
}

static void
assert_env(struct box *box, uint64_t run, const char *expected)
{
    json_t *env = NULL;
    char *text;

    assert_int_equal(store_run_env(box->store, run, &env, &box->err), 0);
    text = json_dumps(env, JSON_COMPACT | JSON_SORT_KEYS);
    assert_string_equal(text, expected);
    json_decref(env);
    free(text);
}

static void
forwarded_variables_are_kept_apart(void **state)
{
    struct box *box = *state;
    char flow[] = "f";
    struct store_run run = {.flow = flow}, bare = {.flow = flow}, info = {0};
    json_t *other = json_pack("{s:i}", "until", 7);

    assert_int_equal(store_run_begin(box->store, &bare, &box->err), 0);
    assert_env(box, bare.id, "{}");
    run.env = json_pack("{s:s, s:s}", "KEY", "hush", "HOST", "there");
    assert_int_equal(store_run_begin(box->store, &run, &box->err), 0);
    assert_env(box, run.id, "{\"HOST\":\"there\",\"KEY\":\"hush\"}");
    assert_env(box, bare.id, "{}");
    end(box, run.id, STORE_FAILED);
    assert_sql(box, "SELECT * FROM runs WHERE options LIKE '%hush%'", "");
    /* They stay, unless there are others. */
    assert_int_equal(
        store_run_resume(box->store, run.id, other, NULL, &box->err), 0);
    end(box, run.id, STORE_FAILED);
    assert_env(box, run.id, "{\"HOST\":\"there\",\"KEY\":\"hush\"}");
    json_object_clear(run.env);
    json_object_set_new(run.env, "MORE", json_string("x"));
    reopen(box, STORE_WRITE);
    assert_int_equal(
        store_run_resume(box->store, run.id, NULL, run.env, &box->err), 0);
    end(box, run.id, STORE_FAILED);
    assert_env(box, run.id, "{\"MORE\":\"x\"}");
    assert_int_equal(store_run_get(box->store, run.id, true, &info, &box->err),
                     0);
    assert_null(info.env);
    assert_sql(box, "SELECT options FROM runs WHERE run = 2",
               "{\"env\":[\"MORE\"],\"until\":7}\n");
    assert_int_equal(store_remove(box->store, run.id, &box->err), 0);
    assert_sql(box, "SELECT count(*) FROM env", "0\n");
    assert_env(box, run.id, "{}");
    store_run_release(&info);
    json_decref(run.env);
    json_decref(other);
}

static void
only_its_owner_may_read_a_store(void **state)
{
    struct box *box = *state;
    char *path = mem_printf("%s/leat.db", box->path);
    struct stat st;

    (void)begin(box, NULL);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    free(path);
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
    assert_int_equal(store_run_resume(other.store, run, NULL, NULL, &other.err),
                     -1);
    assert_int_equal(other.err.code, ERR_UNAVAILABLE);
    assert_non_null(strstr(other.err.msg, expected));
    assert_int_equal(store_remove(other.store, run, &other.err), -1);
    assert_non_null(strstr(other.err.msg, expected));
    store_close(&other.store);
    pid = fork();
    if (pid == 0) {
        struct err err;

        _exit(store_open(&other.store, box->path, STORE_WRITE, &err) < 0 ||
              store_run_resume(other.store, run, NULL, NULL, &err) == 0 ||
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
    assert_int_equal(store_run_resume(box->store, run, NULL, NULL, &box->err),
                     0);
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
    free(sql(box, "INSERT INTO batch(run, at, names, records)"
                  " VALUES(77, 0, '{}', '[]')"));
    assert_int_equal(store_prune(box->store, 1, 0, &removed, &box->err), 0);
    assert_int_equal(removed, 1);
    assert_sql(box, "SELECT count(*) FROM batch", "0\n");
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
        TEST(a_run_that_nobody_holds_is_interrupted),
        TEST(a_problem_lasts_until_the_run_goes_on),
        TEST(forwarded_variables_are_kept_apart),
        TEST(only_its_owner_may_read_a_store),
        TEST(a_second_handle_sees_the_run_running),
        TEST(a_forked_child_does_not_hold_the_run),
        TEST(a_removed_run_is_gone_with_its_output),
        TEST(pruning_keeps_the_newest_and_the_unfinished),
        TEST(pruning_gives_the_room_back),
        TEST(cached_values_come_back_while_they_are_young),
    };

    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
