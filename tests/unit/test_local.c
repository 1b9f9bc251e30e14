/* SPDX-License-Identifier: MPL-2.0 */
/* Real runs through the local executor, with a store and without. */
#include "tests/unit/store_box.h"

#include <errno.h>
#include <sys/resource.h>
#include <time.h>

#include "flow/file.h"
#include "flow/params.h"
#include "lib/leat.h"
#include "lib/local.h"
#include "tests/support/valgrind.h"

#define HEAD "leat: 1\nname: test\ntasks:\n"

/* A run of a flow, and what was heard of it. */
struct world {
    struct flow *flow;
    struct local_watch watch;
    struct local_request request;
    struct local_result result;
    struct buf output; /* "task: text" of each piece */
    int pipe[2];       /* of interrupts */
    /* What is written to it when this state, or this output, comes. */
    enum plan_state interrupt_at;
    const char *interrupt_on;
    const char *interrupts;
};

static void
interrupt(const struct world *w)
{
    size_t n = strlen(w->interrupts);

    assert_int_equal(write(w->pipe[1], w->interrupts, n), n);
}

static void
on_changed(void *ctx, const struct run *run, const struct run_change *change)
{
    const struct world *w = ctx;

    assert_non_null(run);
    if (w->interrupt_at != PLAN_WAITING && change->state == w->interrupt_at)
        interrupt(w);
}

static void
on_output(void *ctx, const struct run *run, struct plan_id id, int stream,
          const char *data, size_t n)
{
    struct world *w = ctx;

    buf_printf(&w->output, "%s %d: ", run_flow(run)->tasks[id.task].name,
               stream);
    buf_add(&w->output, data, n);
    if (w->interrupt_on && strncmp(data, w->interrupt_on, n) == 0)
        interrupt(w);
}

static struct flow *
parse(const char *text)
{
    struct diags diags = {0};
    struct buf shown = {0};
    struct flow *flow = NULL;

    if (flow_parse("test.yaml", text, strlen(text), &flow, &diags) < 0) {
        diags_print(&diags, &shown, false);
        fail_msg("%s", buf_str(&shown));
    }
    diags_release(&diags);
    return flow;
}

static void
world_init(struct world *w, const char *text)
{
    struct buf problems = {0};
    json_t *none = json_object();

    w->flow = parse(text);
    assert_int_equal(params_bind(w->flow, none, &w->request.params, &problems),
                     0);
    json_decref(none);
    assert_int_equal(pipe2(w->pipe, O_CLOEXEC), 0);
    w->watch = (struct local_watch){
        .changed = on_changed, .output = on_output, .ctx = w};
    w->request.flow = w->flow;
    w->request.watch = &w->watch;
    w->request.interrupt_fd = w->pipe[0];
    w->request.from = PLAN_NONE;
}

/* The function of a task written as `call:`. */
static void
set_call(struct world *w, const char *task, leat_fn *fn, void *data)
{
    uint32_t t = flow_find_task(w->flow, task);

    assert_true(t != UINT32_MAX);
    w->flow->tasks[t].call = (flow_fn *)fn;
    w->flow->tasks[t].data = data;
}

static int
go(struct world *w, struct err *err)
{
    return local_run(&w->request, &w->result, err);
}

static void
run_to_end(struct world *w, enum store_run_state state)
{
    struct err err;

    if (go(w, &err) < 0)
        fail_msg("%s", err.msg);
    assert_int_equal(w->result.state, state);
}

static enum plan_state
state_in(const struct world *w, const char *task)
{
    struct plan_id id = {flow_find_task(w->flow, task), PLAN_WHOLE};

    return plan_state(run_plan(w->result.run), id);
}

static void
world_release(struct world *w)
{
    local_result_release(&w->result);
    json_decref(w->request.params);
    buf_release(&w->output);
    flow_destroy(&w->flow);
    for (int i = 0; i < 2; i++) {
        if (w->pipe[i] >= 0)
            (void)close(w->pipe[i]);
    }
}

/* A session of a run in the store; `again` is the one before. */
static void
world_store(struct world *w, struct box *box, struct store_run *info,
            const struct history *again)
{
    *info = (struct store_run){.flow = w->flow->name,
                               .source = w->flow->source,
                               .source_len = w->flow->source_len,
                               .cwd = box->folder,
                               .params = w->request.params};
    w->request.store = box->store;
    w->request.info = info;
    w->request.resume = again;
}

static json_t *
count(leat_task *task)
{
    int *n = leat_task_data(task);

    return json_integer(++*n);
}

/* ---- what a run gives ---- */

static void
a_run_gives_its_output(void **state)
{
    struct world w = {0};
    int n = 0;

    (void)state;
    world_init(&w, HEAD "  a: { run: echo 4, value: int }\n"
                        "  f: { call: count, needs: a }\n"
                        "output: ['${a}', '${f}']\n");
    set_call(&w, "f", count, &n);
    run_to_end(&w, STORE_SUCCEEDED);
    assert_int_equal(w.result.id, 0);
    assert_int_equal(json_integer_value(json_array_get(w.result.output, 0)), 4);
    assert_int_equal(json_integer_value(json_array_get(w.result.output, 1)), 1);
    assert_null(w.result.problem);
    world_release(&w);
}

static void
an_output_that_can_not_be_made_fails_the_run(void **state)
{
    struct world w = {0};

    (void)state;
    world_init(&w, HEAD "  a: { run: 'echo []', value: json }\n"
                        "output: '${a[3]}'\n");
    run_to_end(&w, STORE_FAILED);
    assert_non_null(strstr(w.result.problem, "output: "));
    assert_null(w.result.output);
    world_release(&w);
}

static void
what_can_not_run_here_is_not_begun(void **state)
{
    static const struct local_resource licence = {"licence", 2};
    static const char *const label = "room=cellar";
    struct world w = {0};
    struct err err;

    (void)state;
    world_init(&w, HEAD "  a: { run: 'true', resources: { licence: 2 }, "
                        "where: { room: cellar } }\n");
    assert_int_equal(go(&w, &err), -1);
    assert_int_equal(err.code, ERR_IMPOSSIBLE);
    assert_null(w.result.run);
    w.request.resources = &licence;
    w.request.nresource = 1;
    assert_int_equal(go(&w, &err), -1);
    assert_int_equal(err.code, ERR_IMPOSSIBLE);
    w.request.labels = &label;
    w.request.nlabel = 1;
    run_to_end(&w, STORE_SUCCEEDED);
    world_release(&w);
}

static void
a_function_that_is_not_here_is_not_called(void **state)
{
    struct world w = {0};
    struct err err;

    (void)state;
    world_init(&w, HEAD "  a: { call: elsewhere }\n");
    assert_int_equal(go(&w, &err), -1);
    assert_int_equal(err.code, ERR_IMPOSSIBLE);
    assert_non_null(strstr(err.msg, "`elsewhere`"));
    assert_null(w.result.run);
    world_release(&w);
}

static void
a_pause_ends_the_session(void **state)
{
    struct world w = {0};

    (void)state;
    world_init(&w, HEAD "  a: { run: 'true', trigger: manual-only }\n"
                        "  b: { run: 'true' }\n");
    run_to_end(&w, STORE_PAUSED);
    assert_int_equal(state_in(&w, "a"), PLAN_PAUSED);
    assert_int_equal(state_in(&w, "b"), PLAN_SUCCEEDED);
    world_release(&w);
}

/* ---- ends from outside ---- */

static void
an_interrupt_before_the_first_task_starts_nothing(void **state)
{
    struct world w = {.interrupts = "x"};
    int n = 0;

    (void)state;
    world_init(&w, HEAD "  f: { call: count }\n");
    set_call(&w, "f", count, &n);
    interrupt(&w);
    run_to_end(&w, STORE_CANCELLED);
    assert_int_equal(n, 0);
    assert_int_equal(w.result.interrupts, 1);
    assert_string_equal(
        run_cause(w.result.run, (struct plan_id){0, PLAN_WHOLE}),
        "the run was cancelled");
    world_release(&w);
}

static void
an_interrupt_ends_a_retry_that_waits(void **state)
{
    struct world w = {.interrupts = "x", .interrupt_at = PLAN_RETRYING};

    (void)state;
    world_init(&w,
               HEAD "  a: { run: 'false', retry: { times: 1, delay: 1h } }\n"
                    "  b: { run: 'true' }\n");
    run_to_end(&w, STORE_CANCELLED);
    assert_int_equal(state_in(&w, "a"), PLAN_CANCELLED);
    world_release(&w);
}

static void
the_second_interrupt_kills(void **state)
{
    struct world w = {.interrupts = "xx", .interrupt_on = "ready\n"};

    (void)state;
    world_init(&w, HEAD "  a: { run: \"trap '' TERM; echo ready; while :; do "
                        "read -t 1 x <> <(:) || :; done\", grace: 1h }\n");
    run_to_end(&w, STORE_CANCELLED);
    assert_int_equal(w.result.interrupts, 2);
    assert_int_equal(state_in(&w, "a"), PLAN_CANCELLED);
    world_release(&w);
}

static void
an_interrupt_during_when_starts_no_task(void **state)
{
    struct world w = {.interrupts = "x", .interrupt_on = "ready\n"};
    int n = 0;

    (void)state;
    world_init(&w,
               HEAD "  f: { call: count, when: \"trap 'exit 0' TERM; echo "
                    "ready; while :; do read -t 1 x <> <(:) || :; done\" }\n");
    set_call(&w, "f", count, &n);
    run_to_end(&w, STORE_CANCELLED);
    assert_int_equal(n, 0);
    assert_int_equal(state_in(&w, "f"), PLAN_CANCELLED);
    world_release(&w);
}

static void
the_time_out_of_the_run_ends_a_retry_that_waits(void **state)
{
    struct world w = {.request.timeout = 30 * SPAN_MS};

    (void)state;
    world_init(&w,
               HEAD "  a: { run: 'false', retry: { times: 1, delay: 1h } }\n");
    run_to_end(&w, STORE_CANCELLED);
    assert_true(w.result.timed_out);
    assert_int_equal(w.result.interrupts, 0);
    world_release(&w);
}

static int64_t
cpu_used(void)
{
    struct timespec used;

    assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used), 0);
    return used.tv_sec * SPAN_SECOND + used.tv_nsec / 1000;
}

static void
waiting_takes_no_time_of_the_processor(void **state)
{
    struct world w = {0};
    int64_t before;

    (void)state;
    /* Longer than exec looks after what ended, and nobody left to interrupt. */
    world_init(&w, HEAD "  a: { run: '[[ $LEAT_ATTEMPT == 2 ]]', retry: { "
                        "times: 1, delay: 800ms } }\n");
    (void)close(w.pipe[1]);
    w.pipe[1] = -1;
    before = cpu_used();
    run_to_end(&w, STORE_SUCCEEDED);
    assert_in_range(cpu_used() - before, 0, 150 * SPAN_MS);
    world_release(&w);
}

/* ---- C functions ---- */

static json_t *
write_odd_bytes(leat_task *task)
{
    (void)task;
    assert_int_equal(write(STDOUT_FILENO, "\xff\xd8", 2), 2);
    assert_int_equal(write(STDERR_FILENO, "\xff", 1), 1);
    assert_int_equal(write(STDERR_FILENO, "\n", 1), 1);
    return NULL;
}

static json_t *
close_stdout(leat_task *task)
{
    (void)task;
    printf("last\n");
    (void)fflush(stdout);
    (void)close(STDOUT_FILENO);
    return NULL;
}

static json_t *
speak(leat_task *task)
{
    printf("from %s\n", leat_task_name(task));
    return NULL;
}

static void
what_functions_write_is_theirs(void **state)
{
    struct world w = {0};

    not_under_valgrind();
    (void)state;
    world_init(&w, HEAD "  a: { call: a }\n  b: { call: b }\n"
                        "  c: { call: c }\n  d: { call: c, timeout: 1m }\n");
    set_call(&w, "a", write_odd_bytes, NULL);
    set_call(&w, "b", close_stdout, NULL);
    set_call(&w, "c", speak, NULL);
    set_call(&w, "d", speak, NULL);
    run_to_end(&w, STORE_SUCCEEDED);
    assert_string_equal(buf_str(&w.output),
                        "a 1: \xff\xd8"
                        "a 2: \xff\nb 1: last\nc 1: from c\nd 1: from d\n");
    world_release(&w);
}

static json_t *
leave(leat_task *task)
{
    const char *how = leat_task_data(task);

    printf("why\n");
    if (strcmp(how, "exit") == 0)
        exit(3);
    (void)fflush(stdout);
    abort();
}

/* What a process that a function ends has said, and how it ended. */
static int
leave_by(const char *how, char *said, size_t size)
{
    int status = 0, fds[2];
    ssize_t n;
    pid_t pid;

    assert_int_equal(pipe(fds), 0);
    (void)fflush(NULL);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        const struct rlimit no_core = {0};
        struct world w = {0};
        struct err err;
        char *copy = mem_dup(how);

        (void)setrlimit(RLIMIT_CORE, &no_core);
        (void)dup2(fds[1], STDOUT_FILENO);
        (void)signal(SIGABRT, SIG_DFL);
        world_init(&w, HEAD "  a: { call: leave }\n");
        set_call(&w, "a", leave, copy);
        (void)go(&w, &err);
        _exit(99);
    }
    (void)close(fds[1]);
    n = read(fds[0], said, size - 1);
    said[n > 0 ? n : 0] = '\0';
    (void)close(fds[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void
the_last_words_of_a_function_that_ends_the_process_are_seen(void **state)
{
    char said[64];
    int status;

    not_under_valgrind();
    (void)state;
    status = leave_by("exit", said, sizeof said);
    assert_string_equal(said, "why\n");
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 3);
    status = leave_by("abort", said, sizeof said);
    assert_string_equal(said, "why\n");
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

/* ---- commands ---- */

static void
a_command_knows_where_it_is(void **state)
{
    struct world w = {0};

    (void)state;
    assert_int_equal(setenv("LEAT_INDEX", "7", 1), 0);
    world_init(&w, HEAD "  a: { run: 'env | grep ^LEAT_ | sort' }\n"
                        "  m: { each: { i: [x] }, run: 'echo $LEAT_TASK "
                        "$LEAT_INDEX' }\n");
    run_to_end(&w, STORE_SUCCEEDED);
    assert_string_equal(buf_str(&w.output),
                        "a 1: LEAT_ATTEMPT=1\nLEAT_FLOW=test\nLEAT_TASK=a\n"
                        "m 1: m[x] 0\n");
    (void)unsetenv("LEAT_INDEX");
    world_release(&w);
}

static void
what_is_created_is_looked_for_where_the_task_runs(void **state)
{
    struct box *box = *state;
    struct world w = {0};
    char *text =
        mem_printf(HEAD "  a: { run: 'echo >made', creates: made, cwd: %s }\n"
                        "  b: { run: 'false', creates: made, cwd: %s, "
                        "needs: a }\n"
                        "  c: { run: 'true', creates: never, cwd: %s }\n",
                   box->folder, box->folder, box->folder);

    world_init(&w, text);
    run_to_end(&w, STORE_FAILED);
    assert_int_equal(state_in(&w, "a"), PLAN_SUCCEEDED);
    assert_int_equal(state_in(&w, "b"), PLAN_CACHED);
    assert_int_equal(state_in(&w, "c"), PLAN_FAILED);
    world_release(&w);
    free(text);
}

/* ---- sessions ---- */

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
        cmocka_unit_test(a_run_gives_its_output),
        cmocka_unit_test(an_output_that_can_not_be_made_fails_the_run),
        cmocka_unit_test(what_can_not_run_here_is_not_begun),
        cmocka_unit_test(a_function_that_is_not_here_is_not_called),
        cmocka_unit_test(a_pause_ends_the_session),
        cmocka_unit_test(an_interrupt_before_the_first_task_starts_nothing),
        cmocka_unit_test(an_interrupt_ends_a_retry_that_waits),
        cmocka_unit_test(the_second_interrupt_kills),
        cmocka_unit_test(an_interrupt_during_when_starts_no_task),
        cmocka_unit_test(the_time_out_of_the_run_ends_a_retry_that_waits),
        cmocka_unit_test(waiting_takes_no_time_of_the_processor),
        cmocka_unit_test(what_functions_write_is_theirs),
        cmocka_unit_test(
            the_last_words_of_a_function_that_ends_the_process_are_seen),
        cmocka_unit_test(a_command_knows_where_it_is),
        TEST(what_is_created_is_looked_for_where_the_task_runs),
        TEST(a_later_session_runs_where_the_first_was_asked_for),
        TEST(a_function_is_called_where_the_run_was_asked_for),
        TEST(a_later_session_may_find_fewer_children),
        TEST(a_long_call_is_recorded_before_the_next_begins),
        TEST(what_was_cached_is_not_executed),
        TEST(what_runs_is_ended_when_the_store_fails),
        TEST(what_the_store_can_not_know_of_is_not_started),
    };

    return cmocka_run_group_tests_name("local", tests, NULL, NULL);
}
