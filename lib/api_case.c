/* SPDX-License-Identifier: MPL-2.0 */
/*
 * api_case - branches: case, switch and merge.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "lib/api.h"

void
api_block_release(struct api_block *block)
{
    tmpl_destroy(&block->of);
    json_decref(block->is);
    free(block->where);
}

/* Put a condition on a task; takes both. */
static void
add_case(struct flow_task *task, struct tmpl *of, json_t *is)
{
    task->cases = api_append(task->cases, task->ncase, sizeof *task->cases);
    task->cases[task->ncase++] = (struct flow_case){of, is};
}

int
leat_case_begin(leat_flow *flow, const char *where, leat_ref cond, json_t *is)
{
    struct api_call call = {flow, where, "leat_case", NULL, NULL};
    struct api_block *block;

    if (!is)
        api_problem(&call, "the value is NULL (json_null() is null)");
    flow->blocks = mem_grow(flow->blocks, &flow->cap_block, flow->nblock + 1,
                            sizeof *flow->blocks);
    block = &flow->blocks[flow->nblock++];
    *block = (struct api_block){
        .where = mem_dup(where),
        .of = api_tmpl(&call, cond),
        .is = is,
        .first = (uint32_t)flow->flow->ntask,
    };
    return 1;
}

/* Does a task depend on another one of its block? */
struct upstream {
    const struct flow *flow;
    uint32_t first;
    uint32_t task;
    bool inside;
};

static void
see_upstream(void *ctx, struct ref *ref)
{
    struct upstream *self = ctx;
    uint32_t i = ref->index;

    if (ref->scope == REF_UNRESOLVED)
        i = flow_find_task(self->flow, ref->name);
    else if (ref->scope != REF_TASK)
        return;
    if (i != UINT32_MAX && i >= self->first && i != self->task)
        self->inside = true;
}

static bool
is_inner(const struct flow *flow, uint32_t first, uint32_t i)
{
    struct upstream self = {flow, first, i, false};
    struct flow_task *task = &flow->tasks[i];

    for (uint32_t k = 0; k < task->nneeds; k++) {
        if (task->needs[k] >= first)
            return true;
    }
    api_each_ref(task, see_upstream, &self);
    return self.inside;
}

int
leat_case_end(leat_flow *flow)
{
    struct api_block block;
    struct flow *f = flow->flow;

    if (flow->nblock == 0)
        return 0;
    block = flow->blocks[--flow->nblock];
    for (uint32_t i = block.first; block.of && block.is && i < f->ntask; i++) {
        if (!is_inner(f, block.first, i))
            add_case(&f->tasks[i], tmpl_copy(block.of), json_incref(block.is));
    }
    api_block_release(&block);
    return 0;
}

void
leat_switch_v(leat_flow *flow, const char *where, leat_ref cond,
              const leat_branch *branches)
{
    struct api_call call = {flow, where, "leat_switch", NULL, NULL};
    struct tmpl *of = api_may_add(&call) ? api_tmpl(&call, cond) : NULL;

    for (; branches->is || branches->task.flow; branches++) {
        uint32_t i;

        call.name = NULL;
        i = api_task(&call, branches->task);
        if (!branches->is)
            api_problem(&call, "the value is NULL (json_null() is null)");
        if (of && branches->is && i != UINT32_MAX)
            add_case(&flow->flow->tasks[i], tmpl_copy(of),
                     json_incref(branches->is));
        json_decref(branches->is);
    }
    tmpl_destroy(&of);
}

/* Prefect's merge: not_all_skipped, and not skipped with a branch. */
static struct flow_options *
merge_options(leat_flow *flow)
{
    if (!flow->merge) {
        flow->merge = flow_options_new(flow->flow);
        flow->merge->trigger = TRIGGER_NOT_ALL_SKIPPED;
        flow->merge->skip_on_skip = false;
    }
    return flow->merge;
}

leat_ref
leat_merge_v(leat_flow *flow, const char *where, const leat_ref *branches)
{
    struct api_call call = {flow, where, "leat_merge", NULL, NULL};
    leat_ref merge;
    uint32_t i;

    if (!api_may_add(&call))
        return api_bad(flow);
    i = api_add_counted(flow, "merge");
    merge = api_ref(flow, API_TASK, i);
    flow->flow->tasks[i].kind = FLOW_MERGE;
    flow->flow->tasks[i].options = merge_options(flow);
    for (; branches->kind != API_NONE; branches++) {
        uint32_t branch;

        call.name = NULL;
        branch = api_task(&call, *branches);
        if (branch != UINT32_MAX)
            api_add_need(&flow->flow->tasks[i], branch);
    }
    return merge;
}
