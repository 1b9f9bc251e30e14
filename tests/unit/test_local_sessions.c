/* SPDX-License-Identifier: MPL-2.0 */
/* Runs in a store: gone on with, cached, and given up when it fails. */
#include <errno.h>
#include <sys/resource.h>

#include "tests/support/valgrind.h"
#include "tests/unit/local_world.h"

static struct history *
load(struct box *box, uint64_t id)
{
    struct history *history = NULL;

    if (history_load(&history, box->store, id, &box->err) < 0)
        fail_msg("%s", box->err.msg);
    return history;
}

static void
a_later_session_runs_where_the_first_was_asked_for(void **state)
{
    static const char *text =
        HEAD "  a: { run: 'pwd; [[ $LEAT_ATTEMPT != 1 ]]' }\n";
    struct box *box = *state;
    struct history *history = NULL;
    char *expected = NULL;

    for (int session = 1; session <= 3; session++) {
        struct world w = {0};
        struct store_run info;

        world_init(&w, text);
        if (session > 1)
            history = load(box, 1);
        world_store(&w, box, &info, history);
        if (session == 2)
            run_to_end(&w, STORE_SUCCEEDED);
        if (session == 3) {
            w.request.from = 0;
            free(history->info.cwd);
            history->info.cwd = mem_dup("/nowhere/at/all");
            run_to_end(&w, STORE_SUCCEEDED);
            assert_int_equal(
                run_attempts(w.result.run, (struct plan_id){0, PLAN_WHOLE}), 3);
        }
        if (session == 1)
            run_to_end(&w, STORE_FAILED);
        expected = session == 2 ? mem_printf("a 1: %s\n", box->folder) : NULL;
        if (expected)
            assert_string_equal(buf_str(&w.output), expected);
        free(expected);
        history_destroy(&history);
        world_release(&w);
    }
    history = load(box, 1);
    assert_non_null(strstr(history->tasks[0].item.cwd, "/leat-"));
    assert_int_equal(rmdir(history->tasks[0].item.cwd), 0);
    history_destroy(&history);
}

static json_t *
tell_where(leat_task *task)
{
    char *here = getcwd(NULL, 0);
    json_t *value = json_string(here);

    free(here);
    if (leat_task_attempt(task) > 1)
        return value;
    json_decref(value);
    leat_fail(task, "not yet");
}

static void
a_function_is_called_where_the_run_was_asked_for(void **state)
{
    static const char *text =
        HEAD "  a: { call: where }\n  b: { call: where, timeout: 1m }\n";
    struct box *box = *state;
    struct history *history = NULL;
    char *here, *after;

    not_under_valgrind();
    here = getcwd(NULL, 0);
    for (int session = 1; session <= 2; session++) {
        struct world w = {0};
        struct store_run info;

        world_init(&w, text);
        set_call(&w, "a", tell_where, NULL);
        set_call(&w, "b", tell_where, NULL);
        world_store(&w, box, &info, history);
        run_to_end(&w, session == 1 ? STORE_FAILED : STORE_SUCCEEDED);
        for (uint32_t t = 0; t < 2 && session == 2; t++) {
            json_t *value =
                run_value(w.result.run, (struct plan_id){t, PLAN_WHOLE});

            assert_string_equal(json_string_value(value), box->folder);
            json_decref(value);
        }
        history_destroy(&history);
        world_release(&w);
        history = load(box, 1);
    }
    history_destroy(&history);
    after = getcwd(NULL, 0);
    assert_string_equal(here, after);
    free(here);
    free(after);
}

static void
a_later_session_may_find_fewer_children(void **state)
{
    static const char *text =
        HEAD "  l: { run: 'seq $((3 - LEAT_ATTEMPT))', value: lines }\n"
             "  m: { each: { i: '${l}' }, run: 'true' }\n";
    struct box *box = *state;
    struct history *history = NULL;

    for (int session = 1; session <= 2; session++) {
        struct world w = {0};
        struct store_run info;

        world_init(&w, text);
        world_store(&w, box, &info, history);
        w.request.from = session == 1 ? PLAN_NONE : 0;
        run_to_end(&w, STORE_SUCCEEDED);
        history_destroy(&history);
        world_release(&w);
        history = load(box, 1);
        assert_int_equal(history->tasks[1].nchild, 3 - session);
        assert_int_equal(history->tasks[1].count[PLAN_SUCCEEDED], 3 - session);
    }
    history_destroy(&history);
}

static void
what_was_cached_is_not_executed(void **state)
{
    static const char *text =
        HEAD "  f: { call: count, cache: { for: 1h } }\noutput: '${f}'\n";
    struct box *box = *state;
    int n = 0;

    for (int i = 0; i < 3; i++) {
        struct world w = {0};
        struct store_run info;

        world_init(&w, text);
        set_call(&w, "f", count, &n);
        world_store(&w, box, &info, NULL);
        w.request.no_cache = i == 2;
        run_to_end(&w, STORE_SUCCEEDED);
        assert_int_equal(n, i < 2 ? 1 : 2);
        assert_int_equal(w.result.id, i + 1);
        assert_int_equal(json_integer_value(w.result.output), n);
        world_release(&w);
    }
}

/* ---- the store fails ---- */

static json_t *
fill_disk(leat_task *task)
{
    struct rlimit low = {0};

    (void)getrlimit(RLIMIT_FSIZE, &low);
    *(rlim_t *)leat_task_data(task) = low.rlim_cur;
    low.rlim_cur = 1;
    (void)setrlimit(RLIMIT_FSIZE, &low);
    return NULL;
}

static void
empty_disk(rlim_t before)
{
    struct rlimit limit = {0};

    (void)getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = before;
    (void)setrlimit(RLIMIT_FSIZE, &limit);
}

/* A run whose store fails after the first task. */
static void
run_onto_full_disk(struct world *w, struct box *box, const char *text)
{
    struct store_run info;
    rlim_t before = RLIM_INFINITY;
    struct err err = {0};

    world_init(w, text);
    set_call(w, "full", fill_disk, &before);
    world_store(w, box, &info, NULL);
    assert_int_equal(go(w, &err), -1);
    empty_disk(before);
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    assert_non_null(w->result.run);
    assert_int_equal(w->result.id, 1);
    assert_int_equal(w->result.state, STORE_INTERRUPTED);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    w->request.store = NULL;
    w->request.info = NULL;
}

static void
what_runs_is_ended_when_the_store_fails(void **state)
{
    static const char *text =
        HEAD "  full: { call: full }\n"
             "  a: { run: 'echo x; [[ $LEAT_ATTEMPT == 2 ]] || read -r x <> "
             "<(:)' }\n"
             "  b: { needs: a, run: 'true' }\n";
    struct box *box = *state;
    struct world w = {0}, again = {0};
    struct history *history = NULL;
    struct store_run info;

    (void)signal(SIGXFSZ, SIG_IGN);
    run_onto_full_disk(&w, box, text);
    assert_int_equal(state_in(&w, "a"), PLAN_CANCELLED);
    world_release(&w);
    reopen(box, STORE_WRITE);
    history = load(box, 1);
    assert_int_equal(history->info.state, STORE_INTERRUPTED);
    world_init(&again, text);
    set_call(&again, "full", speak, NULL);
    world_store(&again, box, &info, history);
    run_to_end(&again, STORE_SUCCEEDED);
    history_destroy(&history);
    world_release(&again);
}

static void
what_the_store_can_not_know_of_is_not_started(void **state)
{
    struct box *box = *state;
    struct world w = {0};

    (void)signal(SIGXFSZ, SIG_IGN);
    run_onto_full_disk(&w, box,
                       HEAD "  full: { call: full }\n"
                            "  once: { run: 'echo started', at-most-once: "
                            "true }\n");
    assert_string_equal(buf_str(&w.output), "");
    world_release(&w);
}

static json_t *
take_a_while(leat_task *task)
{
    int64_t until = span_wall() + 2 * STORE_FLUSH_DUE;

    (void)task;
    while (span_wall() < until)
        continue;
    return NULL;
}

static bool
count_success(void *ctx, const struct store_record *record)
{
    *(int *)ctx += record->state == PLAN_SUCCEEDED;
    return true;
}

/* How many have succeeded, as another reader of the store sees it. */
static json_t *
look_into_store(leat_task *task)
{
    struct store *store = NULL;
    struct err err;
    int n = 0;

    if (store_open(&store, leat_task_data(task), STORE_READ, &err) < 0 ||
        store_records(store, leat_task_run(task), count_success, &n, &err) < 0)
        fail_msg("%s", err.msg);
    store_close(&store);
    return json_integer(n);
}

static void
a_long_call_is_recorded_before_the_next_begins(void **state)
{
    struct box *box = *state;
    struct store_run info;
    struct world w = {0};

    world_init(&w, HEAD "  long: { call: f }\n  look: { call: f }\n"
                        "output: ${look}\n");
    set_call(&w, "long", take_a_while, NULL);
    set_call(&w, "look", look_into_store, box->path);
    world_store(&w, box, &info, NULL);
    run_to_end(&w, STORE_SUCCEEDED);
    assert_int_equal(json_integer_value(w.result.output), 1);
    world_release(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_later_session_runs_where_the_first_was_asked_for),
        TEST(a_function_is_called_where_the_run_was_asked_for),
        TEST(a_later_session_may_find_fewer_children),
        TEST(a_long_call_is_recorded_before_the_next_begins),
        TEST(what_was_cached_is_not_executed),
        TEST(what_runs_is_ended_when_the_store_fails),
        TEST(what_the_store_can_not_know_of_is_not_started),
    };

    return cmocka_run_group_tests_name("local_sessions", tests, NULL, NULL);
}
