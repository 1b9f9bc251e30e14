/* SPDX-License-Identifier: MPL-2.0 */
/* Real workers: this program itself, started again, is the flow's. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/worker.h"
#include "base/mem.h"
#include "base/span.h"
#include "flow/value.h"
#include "lib/api.h"
#include "lib/worker.h"
#include "proto/page.h"

#define MOST     20000
#define PATIENCE (30 * SPAN_SECOND)

/* ---- the flow ---- */

static json_t *
nothing(leat_task *task)
{
    (void)task;
    return NULL;
}

static json_t *
add(leat_task *task)
{
    return json_integer(leat_int(task, "a") + leat_int(task, "b"));
}

static json_t *
say(leat_task *task)
{
    printf("out of %lld\n", (long long)leat_task_index(task));
    leat_log(task, "err of attempt %u run %llu", leat_task_attempt(task),
             (unsigned long long)leat_task_run(task));
    return leat_has(task, "a") ? json_string("said") : NULL;
}

static json_t *
flood(leat_task *task)
{
    json_int_t n = leat_int(task, "a");

    for (json_int_t i = 0; i < n; i++)
        printf("%063lld\n", (long long)i);
    return NULL;
}

static json_t *
give_up(leat_task *task)
{
    leat_fail(task, "no more \xff paper");
}

static json_t *
leave_out(leat_task *task)
{
    leat_skip(task, "not today");
}

static json_t *
again(leat_task *task)
{
    leat_retry(task, "busy");
}

static json_t *
crash(leat_task *task)
{
    (void)task;
    printf("last words");
    (void)fflush(stdout);
    if (leat_has(task, "a"))
        abort();
    (void)kill(getpid(), SIGKILL);
    return NULL;
}

static json_t *
end(leat_task *task)
{
    printf("going\n");
    exit((int)leat_int(task, "a"));
}

/* Until it is ended; with `a`, only by KILL. */
static json_t *
hang(leat_task *task)
{
    printf("hanging\n");
    (void)fflush(stdout);
    if (leat_has(task, "a"))
        (void)signal(SIGTERM, SIG_IGN);
    if (leat_has(task, "b"))
        (void)fork();
    for (int i = 0; i < 1000; i++) /* some signals are none of its own */
        (void)pause();
    return NULL;
}

static json_t *
where(leat_task *task)
{
    char *cwd = getcwd(NULL, 0);
    const char *word = getenv("WORD");
    json_t *value = json_pack("[sssb]", cwd, word ? word : "",
                              leat_task_name(task), getenv(PAGE_ENV) != NULL);

    free(cwd);
    return value;
}

static json_t *
give_much(leat_task *task)
{
    size_t n = (size_t)leat_int(task, "a");
    char *text = mem_alloc(1, n + 1);
    json_t *value;

    memset(text, 'x', n);
    value = json_string(text);
    free(text);
    return value;
}

static json_t *
who(leat_task *task)
{
    (void)task;
    return json_integer(getpid());
}

static leat_fn *const functions[] = {
    nothing, add, say,  flood, give_up,   leave_out, again,
    crash,   end, hang, where, give_much, who};
static const char *const names[] = {
    "nothing", "add", "say",  "flood", "give_up",   "leave_out", "again",
    "crash",   "end", "hang", "where", "give_much", "who"};

/* The cause of what is proposed says what it is to do. */
static leat_state
handle(const leat_state_change *change, void *arg)
{
    const char *cause = change->cause ? change->cause : "";

    (void)arg;
    if (strcmp(cause, "skip") == 0)
        return LEAT_SKIPPED;
    if (strcmp(cause, "fail") == 0)
        leat_handler_fail(change, "%d of attempt %u",
                          (int)json_integer_value(change->value),
                          change->attempt);
    if (strcmp(cause, "crash") == 0)
        abort();
    if (strcmp(cause, "hang") == 0)
        (void)pause();
    printf("%s %s\n", change->task, leat_state_name(change->to));
    return change->to;
}

#define COUNT (sizeof functions / sizeof functions[0])

static leat_flow *
make_flow(const char *name)
{
    leat_flow *flow = leat_flow_new(name);

    for (size_t i = 0; i < COUNT; i++) {
        leat_ref task = leat_flow_add_task(flow, names[i], functions[i]);

        if (functions[i] == add)
            leat_task_on_state(task, handle, NULL);
    }
    assert_int_equal(leat_flow_check(flow, NULL), 0);
    return flow;
}

/* ---- the agent's side ---- */

/* One call and what became of it. */
struct made {
    struct work_spec spec;
    struct work work;
    struct result result; /* value and cause are ours */
    unsigned ended, not_begun, begun;
    struct buf out;
};

struct shop {
    leat_flow *flow;
    char *hash;
    char self[256];
    struct workers *workers;
    struct made *made; /* by ticket */
    uint32_t nmade;
    uint32_t ndone;
};

static void
on_began(void *ctx, uint32_t ticket)
{
    struct shop *shop = ctx;

    shop->made[ticket].begun++;
}

static void
on_output(void *ctx, uint32_t ticket, int stream, const char *data, size_t n)
{
    struct shop *shop = ctx;

    (void)stream;
    assert_int_equal(shop->made[ticket].ended, 0);
    buf_add(&shop->made[ticket].out, data, n);
}

static void
on_ended(void *ctx, const struct result *result)
{
    struct shop *shop = ctx;
    struct made *made = &shop->made[result->ticket];

    assert_true(result->ticket >= 1 && result->ticket <= shop->nmade);
    assert_int_equal(made->ended++, 0);
    made->result = *result;
    made->result.value = json_incref(result->value);
    made->result.cause = mem_dup(result->cause);
    shop->ndone++;
}

static void
on_not_begun(void *ctx, uint32_t ticket)
{
    struct shop *shop = ctx;

    shop->made[ticket].not_begun++;
    shop->ndone++;
}

static void
open_shop(struct shop *shop)
{
    struct workers_calls calls = {on_began, on_output, on_ended, on_not_begun,
                                  shop};
    struct err err;

    *shop = (struct shop){.flow = make_flow("w")};
    shop->hash = worker_flow_hash(api_flow(shop->flow));
    assert_true(readlink("/proc/self/exe", shop->self, sizeof shop->self - 1) >
                0);
    shop->made = mem_alloc(MOST + 1, sizeof *shop->made);
    assert_int_equal(workers_new(&shop->workers, 4, &calls, &err), 0);
}

static void
close_shop(struct shop *shop)
{
    workers_destroy(&shop->workers);
    for (uint32_t i = 1; i <= shop->nmade; i++) {
        struct made *made = &shop->made[i];

        json_decref(made->spec.params);
        json_decref(made->work.own);
        json_decref(made->work.env);
        json_decref(made->work.handle);
        json_decref(made->result.value);
        free((char *)(uintptr_t)made->result.cause);
        buf_release(&made->out);
    }
    free(shop->made);
    free(shop->hash);
    leat_flow_destroy(&shop->flow);
}

/* A call, not handed over yet. */
static struct made *
prepare(struct shop *shop, const char *name, json_t *own)
{
    struct made *made = &shop->made[++shop->nmade];
    uint32_t task = flow_find_task(api_flow(shop->flow), name);

    assert_true(shop->nmade <= MOST && task != UINT32_MAX);
    made->spec = (struct work_spec){
        .run = 7,
        .task = task,
        .flow = "w",
        .name = api_flow(shop->flow)->tasks[task].name,
        .kind = FLOW_CALL,
        .value = VALUE_JSON,
        .script = name,
        .grace = 5 * SPAN_SECOND,
        .params = json_object(),
        .source_hash = shop->hash,
    };
    made->work = (struct work){.spec = &made->spec,
                               .id = {task, PLAN_WHOLE},
                               .attempt = 2,
                               .own = own};
    return made;
}

static void
hand_over(struct shop *shop, struct made *made, uint32_t slot)
{
    const struct workers_call call = {
        .slot = slot,
        .ticket = (uint32_t)(made - shop->made),
        .work = &made->work,
        .program = shop->self,
    };

    workers_call(shop->workers, &call);
}

static struct made *
call(struct shop *shop, const char *name, json_t *own)
{
    struct made *made = prepare(shop, name, own);

    hand_over(shop, made, 0);
    return made;
}

/* One turn of an agent's loop. */
static void
turn(struct shop *shop)
{
    struct pollfd fd = {workers_fd(shop->workers), POLLIN, 0};
    int64_t until, left;

    workers_handle(shop->workers, span_mono(), &until);
    left = until == SPAN_NEVER ? SPAN_SECOND : until - span_mono();
    left = left < 0 ? 0 : left;
    (void)poll(&fd, 1, left > SPAN_SECOND ? 1000 : (int)((left + 999) / 1000));
    workers_handle(shop->workers, span_mono(), &until);
}

static void
work_until(struct shop *shop, const unsigned *what, unsigned n)
{
    int64_t end = span_mono() + PATIENCE;

    while (*what < n) {
        assert_true(span_mono() < end);
        turn(shop);
    }
}

static void
finish(struct shop *shop)
{
    work_until(shop, &shop->ndone, shop->nmade);
}

static void
assert_result(const struct made *made, enum plan_state state, const char *cause)
{
    assert_int_equal(made->ended, 1);
    assert_string_equal(plan_state_names[made->result.state],
                        plan_state_names[state]);
    if (cause)
        assert_string_equal(made->result.cause, cause);
    else
        assert_null(made->result.cause);
}

/* ---- tests ---- */

static void
calls_are_made_in_order_by_one_process(void **state)
{
    struct shop shop;
    struct made *sum, *first, *last;

    (void)state;
    open_shop(&shop);
    first = call(&shop, "who", NULL);
    sum = call(&shop, "add", json_pack("{s:i, s:i}", "a", 2, "b", 40));
    last = call(&shop, "who", NULL);
    finish(&shop);
    assert_result(sum, PLAN_SUCCEEDED, NULL);
    assert_int_equal(json_integer_value(sum->result.value), 42);
    assert_true(json_equal(first->result.value, last->result.value));
    assert_true(first->result.ended <= last->result.started);
    assert_int_equal(sum->result.code, -1);
    assert_int_equal(workers_count(shop.workers), 1);
    close_shop(&shop);
}

static void
ends_of_a_function_are_told(void **state)
{
    static const struct {
        const char *name;
        enum plan_state state;
        const char *cause;
    } table[] = {
        {"nothing", PLAN_SUCCEEDED, NULL},
        {"give_up", PLAN_FAILED, "no more \\xff paper"},
        {"leave_out", PLAN_SKIPPED, "not today"},
        {"again", PLAN_RETRYING, "busy"},
        {"add", PLAN_FAILED, "`add` has no argument `a`"},
    };
    struct shop shop;

    (void)state;
    open_shop(&shop);
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        (void)call(&shop, table[i].name, NULL);
    finish(&shop);
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        assert_result(&shop.made[i + 1], table[i].state, table[i].cause);
    close_shop(&shop);
}

/* Ask the handlers of a task. */
static struct made *
ask(struct shop *shop, const char *name, const char *cause)
{
    struct made *made = prepare(shop, name, NULL);
    json_t *value = json_integer(5);
    const struct run_change change = {
        .from = PLAN_RUNNING,
        .state = PLAN_FAILED,
        .value = value,
        .cause = cause,
    };

    made->spec.handlers = true;
    made->spec.timeout = 200 * SPAN_MS;
    made->work.handle = work_handle(&change);
    json_decref(value);
    hand_over(shop, made, 0);
    return made;
}

static void
assert_answer(const struct made *made, enum plan_state state, const char *cause)
{
    assert_result(made, PLAN_SUCCEEDED, cause);
    assert_int_equal(json_integer_value(made->result.value), state);
}

static void
handlers_answer_for_their_task(void **state)
{
    struct shop shop;
    struct made *agree, *skip, *fail, *crashed, *hung, *none, *sum;

    (void)state;
    open_shop(&shop);
    agree = ask(&shop, "add", "agree");
    skip = ask(&shop, "add", "skip");
    fail = ask(&shop, "add", "fail");
    finish(&shop);
    assert_answer(agree, PLAN_FAILED, NULL);
    assert_string_equal(buf_str(&agree->out), "add failed\n");
    assert_answer(skip, PLAN_SKIPPED, NULL);
    assert_answer(fail, PLAN_FAILED,
                  "its state handler failed: 5 of attempt 2");
    crashed = ask(&shop, "add", "crash");
    hung = ask(&shop, "add", "hang");
    finish(&shop);
    assert_result(crashed, PLAN_FAILED, "killed by signal 6 (Aborted)");
    if (hung->ended == 0) { /* it was with the one that crashed */
        hung = ask(&shop, "add", "hang");
        finish(&shop);
    }
    assert_result(hung, PLAN_TIMED_OUT, "timed out after 200 ms");
    none = ask(&shop, "nothing", "agree");
    sum = call(&shop, "add", json_pack("{s:i, s:i}", "a", 2, "b", 40));
    finish(&shop);
    assert_int_equal(none->result.refused, REFUSED_PROGRAM);
    assert_result(sum, PLAN_SUCCEEDED, NULL);
    close_shop(&shop);
}

static void
a_function_sees_parameters_under_its_arguments(void **state)
{
    struct shop shop;
    struct made *made;

    (void)state;
    open_shop(&shop);
    made = prepare(&shop, "add", json_pack("{s:i}", "a", 1));
    json_object_set_new(made->spec.params, "a", json_integer(100));
    json_object_set_new(made->spec.params, "b", json_integer(10));
    hand_over(&shop, made, 0);
    finish(&shop);
    assert_int_equal(json_integer_value(made->result.value), 11);
    close_shop(&shop);
}

static void
output_is_its_calls_and_comes_before_its_end(void **state)
{
    struct shop shop;
    struct made *mute, *loud, *child;

    (void)state;
    open_shop(&shop);
    mute = call(&shop, "nothing", NULL);
    loud = call(&shop, "say", json_pack("{s:i}", "a", 1));
    child = prepare(&shop, "say", NULL);
    child->work.id.child = 3;
    hand_over(&shop, child, 0);
    finish(&shop);
    assert_int_equal(mute->out.len, 0);
    assert_string_equal(buf_str(&loud->out),
                        "out of -1\nerr of attempt 2 run 7\n");
    assert_string_equal(json_string_value(loud->result.value), "said");
    assert_string_equal(buf_str(&child->out),
                        "out of 3\nerr of attempt 2 run 7\n");
    assert_result(child, PLAN_SUCCEEDED, NULL);
    close_shop(&shop);
}

static void
much_output_comes_whole(void **state)
{
    struct shop shop;
    struct made *made;

    (void)state;
    open_shop(&shop);
    made = call(&shop, "flood", json_pack("{s:i}", "a", 100000));
    finish(&shop);
    assert_int_equal(made->out.len, 6400000);
    for (size_t i = 0; i < 100000; i++) {
        char line[65];

        (void)snprintf(line, sizeof line, "%063zu\n", i);
        assert_memory_equal(made->out.data + 64 * i, line, 64);
    }
    close_shop(&shop);
}

static void
what_is_held_back_comes_later(void **state)
{
    struct shop shop;
    struct made *first, *flood;

    (void)state;
    open_shop(&shop);
    first = call(&shop, "nothing", NULL);
    work_until(&shop, &first->ended, 1);
    workers_hold(shop.workers, true);
    flood = call(&shop, "flood", json_pack("{s:i}", "a", 100000));
    for (int i = 0; i < 20; i++)
        turn(&shop);
    assert_int_equal(flood->out.len, 0);
    workers_hold(shop.workers, false);
    finish(&shop);
    assert_result(flood, PLAN_SUCCEEDED, NULL);
    assert_int_equal(flood->out.len, 6400000);

    workers_hold(shop.workers, true);
    flood = call(&shop, "crash", NULL); /* ends are seen all the same */
    finish(&shop);
    assert_int_equal(flood->result.code, 9);
    close_shop(&shop);
}

static void
a_value_that_is_too_long_to_travel_fails(void **state)
{
    struct shop shop;
    struct made *most, *more;

    (void)state;
    open_shop(&shop);
    most = call(&shop, "give_much",
                json_pack("{s:i}", "a", (int)LIMIT_TRAVEL_BYTES - 2));
    more = call(&shop, "give_much",
                json_pack("{s:i}", "a", (int)LIMIT_TRAVEL_BYTES));
    finish(&shop);
    assert_result(most, PLAN_SUCCEEDED, NULL);
    assert_int_equal(json_string_length(most->result.value),
                     LIMIT_TRAVEL_BYTES - 2);
    assert_int_equal(more->result.state, PLAN_FAILED);
    assert_non_null(more->result.cause);
    close_shop(&shop);
}

static void
many_calls_all_come_back(void **state)
{
    struct shop shop;

    (void)state;
    open_shop(&shop);
    for (uint32_t i = 0; i < MOST; i++)
        (void)call(&shop, "nothing", NULL);
    finish(&shop);
    for (uint32_t i = 1; i <= MOST; i++)
        assert_result(&shop.made[i], PLAN_SUCCEEDED, NULL);
    close_shop(&shop);
}

static void
a_crash_costs_its_call_and_nothing_else(void **state)
{
    struct shop shop;
    struct made *before, *killed, *after;

    (void)state;
    open_shop(&shop);
    for (int i = 0; i < 100; i++)
        before = call(&shop, "nothing", NULL);
    killed = call(&shop, "crash", NULL);
    after = call(&shop, "nothing", NULL);
    finish(&shop);
    for (uint32_t i = 1; i <= 100; i++)
        assert_result(&shop.made[i], PLAN_SUCCEEDED, NULL);
    assert_result(before, PLAN_SUCCEEDED, NULL);
    assert_result(killed, PLAN_FAILED, "killed by signal 9 (Killed)");
    assert_int_equal(killed->result.code, 9);
    assert_int_equal(after->ended, 0);
    assert_int_equal(after->not_begun, 1);

    after = call(&shop, "who", NULL); /* by a new one */
    finish(&shop);
    assert_result(after, PLAN_SUCCEEDED, NULL);
    close_shop(&shop);
}

static void
what_a_crashed_call_has_printed_is_not_lost(void **state)
{
    struct shop shop;
    struct made *made;

    (void)state;
    open_shop(&shop);
    made = call(&shop, "crash", json_pack("{s:i}", "a", 1));
    finish(&shop);
    assert_int_equal(made->result.state, PLAN_FAILED);
    assert_int_equal(made->result.code, SIGABRT);
    assert_string_equal(made->result.cause, "killed by signal 6 (Aborted)");
    assert_string_equal(buf_str(&made->out), "last words");
    close_shop(&shop);
}

static void
a_function_may_end_its_process(void **state)
{
    struct shop shop;
    struct made *well, *badly, *skips, *retries;

    (void)state;
    open_shop(&shop);
    well = call(&shop, "end", json_pack("{s:i}", "a", 0));
    finish(&shop);
    badly = call(&shop, "end", json_pack("{s:i}", "a", 3));
    finish(&shop);
    skips = prepare(&shop, "end", json_pack("{s:i}", "a", 77));
    skips->spec.exit_skip.bits[1] = UINT64_C(1) << (77 - 64);
    hand_over(&shop, skips, 0);
    finish(&shop);
    retries = prepare(&shop, "end", json_pack("{s:i}", "a", 75));
    retries->spec.exit_retry.bits[1] = UINT64_C(1) << (75 - 64);
    hand_over(&shop, retries, 0);
    finish(&shop);
    assert_result(well, PLAN_FAILED, "the function ended its process");
    assert_string_equal(buf_str(&well->out), "going\n");
    assert_result(badly, PLAN_FAILED, "exit code 3");
    assert_int_equal(badly->result.code, 3);
    assert_result(skips, PLAN_SKIPPED, "exit code 77");
    assert_result(retries, PLAN_RETRYING, "exit code 75");
    close_shop(&shop);
}

static void
a_call_that_takes_too_long_is_ended(void **state)
{
    struct shop shop;
    struct made *before, *hangs, *behind;

    (void)state;
    open_shop(&shop);
    before = call(&shop, "nothing", NULL);
    hangs = prepare(&shop, "hang", json_pack("{s:i}", "b", 1));
    hangs->spec.timeout = 100 * SPAN_MS;
    hand_over(&shop, hangs, 0);
    behind = call(&shop, "nothing", NULL);
    finish(&shop);
    assert_result(before, PLAN_SUCCEEDED, NULL);
    assert_result(hangs, PLAN_TIMED_OUT, "timed out after 100 ms");
    assert_true(hangs->result.ended - hangs->result.started >= 100 * SPAN_MS);
    assert_int_equal(hangs->result.code, -1);
    assert_int_equal(hangs->begun, 1);
    assert_non_null(strstr(buf_str(&hangs->out), "hanging\n"));
    assert_int_equal(behind->not_begun, 1);
    close_shop(&shop);
}

static void
one_that_does_not_heed_term_is_killed_after_its_grace(void **state)
{
    struct shop shop;
    struct made *made;

    (void)state;
    open_shop(&shop);
    made = prepare(&shop, "hang", json_pack("{s:i}", "a", 1));
    made->spec.timeout = 50 * SPAN_MS;
    made->spec.grace = 100 * SPAN_MS;
    hand_over(&shop, made, 0);
    finish(&shop);
    assert_result(made, PLAN_TIMED_OUT, "timed out after 50 ms");
    assert_true(made->result.ended - made->result.started >= 150 * SPAN_MS);
    close_shop(&shop);
}

static void
a_call_can_be_cancelled_before_and_after_it_has_begun(void **state)
{
    struct shop shop;
    struct made *hangs, *behind, *unsent, *last;

    (void)state;
    open_shop(&shop);
    hangs = call(&shop, "hang", NULL);
    behind = call(&shop, "nothing", NULL);
    work_until(&shop, &hangs->begun, 1);
    unsent = call(&shop, "nothing", NULL);
    workers_stop(shop.workers, (uint32_t)(unsent - shop.made), false);
    work_until(&shop, &unsent->ended, 1);
    assert_result(unsent, PLAN_CANCELLED, "cancelled");
    assert_int_equal(hangs->ended, 0);
    workers_stop(shop.workers, (uint32_t)(hangs - shop.made), false);
    finish(&shop);
    assert_result(hangs, PLAN_CANCELLED, "cancelled");
    assert_int_equal(behind->not_begun, 1);
    last = call(&shop, "nothing", NULL);
    finish(&shop);
    assert_result(last, PLAN_SUCCEEDED, NULL);
    close_shop(&shop);
}

static void
a_long_call_does_not_hold_up_results_of_short_ones(void **state)
{
    struct shop shop;
    struct made *plain, *told, *hangs;
    uint32_t ticket;

    (void)state;
    open_shop(&shop);
    for (int i = 0; i < 50; i++) {
        plain = call(&shop, "nothing", NULL);
        told = call(&shop, "say", json_pack("{s:i}", "a", 1));
    }
    hangs = call(&shop, "hang", NULL);
    ticket = (uint32_t)(hangs - shop.made);
    work_until(&shop, &shop.ndone, 100);
    assert_result(plain, PLAN_SUCCEEDED, NULL);
    assert_result(told, PLAN_SUCCEEDED, NULL);
    workers_stop(shop.workers, ticket, true);
    finish(&shop);
    for (uint32_t i = 1; i <= 100; i++) /* not once more by its last words */
        assert_int_equal(shop.made[i].out.len, i % 2 == 1 ? 0 : 33);
    assert_result(hangs, PLAN_CANCELLED, "cancelled");
    close_shop(&shop);
}

static void
calls_are_made_where_and_with_what_they_ask_for(void **state)
{
    struct shop shop;
    struct made *here, *there, *gone;
    struct workers_call it = {.program = shop.self, .cwd = "/usr"};
    char *cwd = getcwd(NULL, 0);

    (void)state;
    open_shop(&shop);
    here = call(&shop, "where", NULL);
    there = prepare(&shop, "where", NULL);
    there->work.env = json_pack("{s:s}", "WORD", "over");
    it.ticket = (uint32_t)(there - shop.made);
    it.work = &there->work;
    workers_call(shop.workers, &it);
    gone = prepare(&shop, "nothing", NULL);
    it.ticket = (uint32_t)(gone - shop.made);
    it.work = &gone->work;
    it.cwd = "/nowhere at all";
    workers_call(shop.workers, &it);
    finish(&shop);
    assert_string_equal(
        json_string_value(json_array_get(here->result.value, 0)), cwd);
    assert_string_equal(
        json_string_value(json_array_get(here->result.value, 1)), "");
    assert_false(json_is_true(json_array_get(here->result.value, 3)));
    assert_string_equal(
        json_string_value(json_array_get(there->result.value, 0)), "/usr");
    assert_string_equal(
        json_string_value(json_array_get(there->result.value, 1)), "over");
    assert_result(gone, PLAN_FAILED,
                  "can't go to /nowhere at all: No such file or directory");
    free(cwd);
    close_shop(&shop);
}

static void
slots_have_processes_of_their_own(void **state)
{
    struct shop shop;
    struct made *a, *b;

    (void)state;
    open_shop(&shop);
    a = prepare(&shop, "who", NULL);
    b = prepare(&shop, "who", NULL);
    hand_over(&shop, a, 0);
    hand_over(&shop, b, 3);
    finish(&shop);
    assert_false(json_equal(a->result.value, b->result.value));
    assert_int_equal(workers_count(shop.workers), 2);
    close_shop(&shop);
}

static void
another_environment_takes_another_process(void **state)
{
    const char *const env[] = {"WORD=gpu", NULL};
    struct shop shop;
    struct made *a, *b, *c;
    struct workers_call it = {.program = shop.self, .env = env};

    (void)state;
    open_shop(&shop);
    a = call(&shop, "who", NULL);
    b = prepare(&shop, "where", NULL);
    it.ticket = (uint32_t)(b - shop.made);
    it.work = &b->work;
    workers_call(shop.workers, &it);
    c = call(&shop, "who", NULL);
    finish(&shop);
    assert_string_equal(json_string_value(json_array_get(b->result.value, 1)),
                        "gpu");
    assert_false(json_equal(a->result.value, c->result.value));
    assert_int_equal(workers_count(shop.workers), 1);
    close_shop(&shop);
}

static void
assert_refused(const struct made *made, const char *word)
{
    assert_int_equal(made->ended, 1);
    assert_int_equal(made->result.state, PLAN_CRASHED);
    assert_int_equal(made->result.refused, REFUSED_PROGRAM);
    if (!strstr(made->result.cause, word))
        assert_string_equal(made->result.cause, word);
}

static void
what_is_no_program_for_it_is_refused(void **state)
{
    static const struct {
        const char *program, *why;
    } table[] = {
        {"/nowhere/at/all", "/nowhere/at/all"},
        {"/etc/passwd", "/etc/passwd"},
        {"/bin/true", "it ended before it served (exit code 0)"},
        {"/bin/ls", "it ended before it served"},
    };
    struct shop shop;

    (void)state;
    open_shop(&shop);
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct made *made = prepare(&shop, "nothing", NULL);
        const struct workers_call it = {
            .ticket = (uint32_t)(made - shop.made),
            .work = &made->work,
            .program = table[i].program,
        };

        workers_call(shop.workers, &it);
        finish(&shop);
        assert_refused(made, table[i].why);
    }
    close_shop(&shop);
}

static void
calls_of_another_flow_are_refused(void **state)
{
    struct shop shop;
    struct made *made, *late;

    (void)state;
    open_shop(&shop);
    made = prepare(&shop, "nothing", NULL);
    made->spec.source_hash = "abc";
    hand_over(&shop, made, 0);
    finish(&shop);
    assert_refused(made, "calls of another flow than `w`");
    made = call(&shop, "nothing", NULL);
    late = prepare(&shop, "nothing", NULL);
    late->spec.source_hash = "abc"; /* of a process that serves already */
    late->spec.run = 8;
    hand_over(&shop, late, 0);
    finish(&shop);
    assert_result(made, PLAN_SUCCEEDED, NULL);
    assert_refused(late, "the program's flow is not the one of the run");
    close_shop(&shop);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_are_made_in_order_by_one_process),
        cmocka_unit_test(ends_of_a_function_are_told),
        cmocka_unit_test(handlers_answer_for_their_task),
        cmocka_unit_test(a_function_sees_parameters_under_its_arguments),
        cmocka_unit_test(output_is_its_calls_and_comes_before_its_end),
        cmocka_unit_test(much_output_comes_whole),
        cmocka_unit_test(what_is_held_back_comes_later),
        cmocka_unit_test(a_value_that_is_too_long_to_travel_fails),
        cmocka_unit_test(many_calls_all_come_back),
        cmocka_unit_test(a_crash_costs_its_call_and_nothing_else),
        cmocka_unit_test(what_a_crashed_call_has_printed_is_not_lost),
        cmocka_unit_test(a_function_may_end_its_process),
        cmocka_unit_test(a_call_that_takes_too_long_is_ended),
        cmocka_unit_test(one_that_does_not_heed_term_is_killed_after_its_grace),
        cmocka_unit_test(a_call_can_be_cancelled_before_and_after_it_has_begun),
        cmocka_unit_test(a_long_call_does_not_hold_up_results_of_short_ones),
        cmocka_unit_test(calls_are_made_where_and_with_what_they_ask_for),
        cmocka_unit_test(slots_have_processes_of_their_own),
        cmocka_unit_test(another_environment_takes_another_process),
        cmocka_unit_test(what_is_no_program_for_it_is_refused),
        cmocka_unit_test(calls_of_another_flow_are_refused),
    };
    leat_flow *flow;
    leat_err err;

    if (!worker_is_wanted())
        return cmocka_run_group_tests(tests, NULL, NULL);
    flow = make_flow("w");
    (void)leat_flow_run(flow, NULL, NULL, &err);
    leat_flow_destroy(&flow);
    (void)fprintf(stderr, "%s\n", err.msg);
    return 1;
}
