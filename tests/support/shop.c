/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/support/shop.h"

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/span.h"
#include "lib/api.h"
#include "lib/worker.h"
#include "proto/page.h"

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

void
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

void
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

struct made *
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

void
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

struct made *
call(struct shop *shop, const char *name, json_t *own)
{
    struct made *made = prepare(shop, name, own);

    hand_over(shop, made, 0);
    return made;
}

void
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

void
work_until(struct shop *shop, const unsigned *what, unsigned n)
{
    int64_t end = span_mono() + PATIENCE;

    while (*what < n) {
        assert_true(span_mono() < end);
        turn(shop);
    }
}

void
finish(struct shop *shop)
{
    work_until(shop, &shop->ndone, shop->nmade);
}

void
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

int
shop_serve(void)
{
    leat_flow *flow = make_flow("w");
    leat_err err;

    (void)leat_flow_run(flow, NULL, NULL, &err);
    leat_flow_destroy(&flow);
    (void)fprintf(stderr, "%s\n", err.msg);
    return 1;
}
