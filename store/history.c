/* SPDX-License-Identifier: MPL-2.0 */
#include "store/history.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "flow/file.h"
#include "proto/limits.h"

static void
item_release(struct history_item *item)
{
    json_decref(item->value);
    free(item->cause);
    free(item->key);
    free(item->cwd);
}

void
history_destroy(struct history **self_p)
{
    struct history *self = *self_p;

    if (!self)
        return;
    for (size_t t = 0; self->flow && t < self->flow->ntask; t++) {
        struct history_task *task = &self->tasks[t];

        item_release(&task->item);
        for (uint32_t k = 0; k < task->nchild; k++)
            item_release(&task->children[k]);
        free(task->children);
    }
    free(self->tasks);
    free(self->room);
    flow_destroy(&self->flow);
    store_run_release(&self->info);
    free(self);
    *self_p = NULL;
}

/* The first record of a child makes room for it and those before. */
static struct history_item *
child_item(struct history *self, const struct store_record *record)
{
    struct history_task *task = &self->tasks[record->id.task];
    uint32_t need = record->id.child + 1;

    if (need > task->nchild) {
        size_t cap = self->room[record->id.task];

        task->children =
            mem_grow(task->children, &cap, need, sizeof *task->children);
        self->room[record->id.task] = cap;
        memset(task->children + task->nchild, 0,
               (need - task->nchild) * sizeof *task->children);
        for (uint32_t k = task->nchild; k < need; k++)
            task->children[k].code = -1;
        task->nchild = need;
    }
    return &task->children[record->id.child];
}

static void
take_record(struct history_item *item, const struct store_record *record,
            uint64_t order)
{
    uint32_t attempt = item->attempt;
    int64_t started = item->started;

    item_release(item);
    *item = (struct history_item){
        .state = record->state,
        .attempt = record->attempt,
        .code = record->code,
        .value = json_incref((json_t *)(uintptr_t)record->value),
        .cause = mem_dup(record->cause),
        .key = mem_dup(record->key),
        .cwd = mem_dup(record->cwd),
        .started = record->started,
        .ended = record->ended,
        .cpu = record->cpu,
        .memory = record->memory,
        .order = order,
    };
    /* The end of an attempt may leave out what its start said. */
    if (item->started == 0 && attempt == record->attempt)
        item->started = started;
}

/* A later session may have found more children, or fewer. */
static void
take_number_of_children(struct history *self, const struct store_record *record)
{
    struct history_task *task = &self->tasks[record->id.task];
    struct store_record last = *record;

    while (task->nchild > record->children)
        item_release(&task->children[--task->nchild]);
    last.id.child = record->children - 1;
    if (record->children > task->nchild && record->children <= LIMIT_CHILDREN)
        (void)child_item(self, &last);
}

void
history_add(struct history *self, const struct store_record *record)
{
    uint64_t order = ++self->nrecord;

    if (record->id.task >= self->flow->ntask)
        return;
    if (record->id.child == PLAN_WHOLE)
        take_record(&self->tasks[record->id.task].item, record, order);
    else if (record->id.child < LIMIT_CHILDREN)
        take_record(child_item(self, record), record, order);
    if (record->state == PLAN_MAPPED)
        take_number_of_children(self, record);
}

static bool
on_record(void *ctx, const struct store_record *record)
{
    history_add(ctx, record);
    return true;
}

void
history_end(struct history *self)
{
    for (size_t t = 0; t < self->flow->ntask; t++) {
        struct history_task *task = &self->tasks[t];

        for (uint32_t k = 0; k < task->nchild; k++)
            task->count[task->children[k].state]++;
    }
}

static int
parse_source(struct history *self, struct err *err)
{
    struct diags diags = {0};
    int rc = flow_parse(self->info.file ? self->info.file : self->info.flow,
                        self->info.source, self->info.source_len, &self->flow,
                        &diags);

    if (rc < 0)
        (void)err_set(err, ERR_INVALID,
                      "the flow of run %llu can't be read by this leat: %s",
                      (unsigned long long)self->info.id,
                      diags.n > 0 ? diags.list[0].text : "it is empty");
    diags_release(&diags);
    return rc;
}

int
history_begin(struct history **ret, struct store_run *info, struct err *err)
{
    struct history *self = mem_alloc(1, sizeof *self);

    self->info = *info;
    *info = (struct store_run){0};
    if (parse_source(self, err) < 0) {
        history_destroy(&self);
        return -1;
    }
    self->tasks = mem_alloc(self->flow->ntask, sizeof *self->tasks);
    for (size_t t = 0; t < self->flow->ntask; t++)
        self->tasks[t].item.code = -1;
    self->room = mem_alloc(self->flow->ntask, sizeof *self->room);
    *ret = self;
    return 0;
}

int
history_load(struct history **ret, struct store *store, uint64_t run,
             struct err *err)
{
    struct store_run info = {0};
    struct history *self = NULL;

    if (store_run_get(store, run, true, &info, err) < 0 ||
        history_begin(&self, &info, err) < 0)
        return -1;
    if (store_records(store, run, on_record, self, err) < 0) {
        history_destroy(&self);
        return -1;
    }
    history_end(self);
    *ret = self;
    return 0;
}

const struct history_item *
history_item(const struct history *self, struct plan_id id)
{
    const struct history_task *task = &self->tasks[id.task];

    return id.child == PLAN_WHOLE ? &task->item : &task->children[id.child];
}

void
history_name(const struct history *self, struct plan_id id, struct buf *out)
{
    const char *key;

    buf_text(out, self->flow->tasks[id.task].name);
    if (id.child == PLAN_WHOLE)
        return;
    key = history_item(self, id)->key;
    if (key)
        buf_printf(out, "[%s]", key);
    else
        buf_printf(out, "[#%u]", id.child);
}

static int
find_child(const struct history *self, struct plan_id *id, const char *key,
           size_t n, struct err *err)
{
    const struct history_task *task = &self->tasks[id->task];

    if (n > 1 && key[0] == '#') {
        char *end = NULL;
        unsigned long k = strtoul(key + 1, &end, 10);

        if (end == key + n && k < task->nchild) {
            id->child = (uint32_t)k;
            return 0;
        }
    }
    for (uint32_t k = 0; k < task->nchild; k++) {
        const char *own = task->children[k].key;

        if (own && strlen(own) == n && memcmp(own, key, n) == 0) {
            id->child = k;
            return 0;
        }
    }
    return err_set(err, ERR_NOT_FOUND,
                   "`%s` has %u children, but none is [%.*s]; [#0] is the "
                   "first by number",
                   self->flow->tasks[id->task].name, task->nchild, (int)n, key);
}

int
history_find(const struct history *self, const char *name, struct plan_id *ret,
             struct err *err)
{
    const char *bracket = strchr(name, '[');
    size_t n = strlen(name);
    char *task = mem_text(name, bracket ? (size_t)(bracket - name) : n);
    struct plan_id id = {flow_find_task(self->flow, task), PLAN_WHOLE};
    int rc = 0;

    if (id.task == UINT32_MAX)
        rc = err_set(err, ERR_NOT_FOUND, "run %llu (%s) has no task `%s`",
                     (unsigned long long)self->info.id, self->flow->name, task);
    else if (bracket && name[n - 1] != ']')
        rc = err_set(err, ERR_NOT_FOUND, "`%s`: the ] is missing", name);
    else if (bracket)
        rc = find_child(self, &id, bracket + 1,
                        n - (size_t)(bracket - name) - 2, err);
    free(task);
    if (rc == 0)
        *ret = id;
    return rc;
}

enum plan_state
history_state(const struct history *self, uint32_t task)
{
    /* The worst first; what is not finished before what is. */
    static const enum plan_state order[] = {
        PLAN_RUNNING,   PLAN_RETRYING,  PLAN_PAUSED,  PLAN_WAITING,
        PLAN_FAILED,    PLAN_TIMED_OUT, PLAN_CRASHED, PLAN_TRIGGER_FAILED,
        PLAN_CANCELLED, PLAN_SUCCEEDED, PLAN_CACHED,  PLAN_SKIPPED,
    };
    const struct history_task *t = &self->tasks[task];

    if (t->item.state != PLAN_MAPPED)
        return t->item.state;
    if (t->nchild == 0)
        return PLAN_SUCCEEDED;
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        if (t->count[order[i]] > 0)
            return order[i];
    }
    return PLAN_WAITING;
}

/* ---- going on ---- */

/* What is kept of the history, to be put into the order of its records. */
struct keeping {
    struct kept {
        struct plan_id id;
        const struct history_item *item;
    } * list;
    size_t n, cap;
};

static void
add_item(struct keeping *self, struct plan_id id,
         const struct history_item *item)
{
    if (item->attempt == 0 && item->state == PLAN_WAITING)
        return;
    self->list =
        mem_grow(self->list, &self->cap, self->n + 1, sizeof *self->list);
    self->list[self->n++] = (struct kept){id, item};
}

static int
by_order(const void *left, const void *right)
{
    const struct kept *a = left, *b = right;

    return a->item->order < b->item->order ? -1 : 1;
}

void
history_keep(const struct history *self, struct run *run, uint32_t from)
{
    struct keeping all = {0};

    for (size_t t = 0; t < self->flow->ntask; t++) {
        const struct history_task *task = &self->tasks[t];
        struct plan_id id = {(uint32_t)t, PLAN_WHOLE};

        add_item(&all, id, &task->item);
        for (id.child = 0; id.child < task->nchild; id.child++)
            add_item(&all, id, &task->children[id.child]);
    }
    if (all.n > 1)
        qsort(all.list, all.n, sizeof *all.list, by_order);
    for (size_t i = 0; i < all.n; i++) {
        const struct history_item *item = all.list[i].item;

        run_keep(run, all.list[i].id, item->state, item->value, item->attempt);
    }
    free(all.list);
    run_approve_all(run);
    if (from != PLAN_NONE)
        run_forget(run, from);
}
