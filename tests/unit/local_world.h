/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Real runs through the local executor, and what was heard of them.
 */
#ifndef TESTS_UNIT_LOCAL_WORLD_H
#define TESTS_UNIT_LOCAL_WORLD_H

#include "tests/unit/store_box.h"

#include "flow/file.h"
#include "flow/params.h"
#include "lib/leat.h"
#include "lib/local.h"

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

static inline void
interrupt(const struct world *w)
{
    size_t n = strlen(w->interrupts);

    assert_int_equal(write(w->pipe[1], w->interrupts, n), n);
}

static inline void
on_changed(void *ctx, const struct run *run, const struct run_change *change)
{
    const struct world *w = ctx;

    assert_non_null(run);
    if (w->interrupt_at != PLAN_WAITING && change->state == w->interrupt_at)
        interrupt(w);
}

static inline void
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

static inline struct flow *
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

static inline void
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
static inline void
set_call(struct world *w, const char *task, leat_fn *fn, void *data)
{
    uint32_t t = flow_find_task(w->flow, task);

    assert_true(t != UINT32_MAX);
    w->flow->tasks[t].call = (flow_fn *)fn;
    w->flow->tasks[t].data = data;
}

static inline int
go(struct world *w, struct err *err)
{
    return local_run(&w->request, &w->result, err);
}

static inline void
run_to_end(struct world *w, enum store_run_state state)
{
    struct err err;

    if (go(w, &err) < 0)
        fail_msg("%s", err.msg);
    assert_int_equal(w->result.state, state);
}

static inline enum plan_state
state_in(const struct world *w, const char *task)
{
    struct plan_id id = {flow_find_task(w->flow, task), PLAN_WHOLE};

    return plan_state(run_plan(w->result.run), id);
}

static inline void
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
static inline void
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

static inline json_t *
count(leat_task *task)
{
    int *n = leat_task_data(task);

    return json_integer(++*n);
}

static inline json_t *
speak(leat_task *task)
{
    printf("from %s\n", leat_task_name(task));
    return NULL;
}

#endif
