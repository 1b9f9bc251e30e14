/* SPDX-License-Identifier: MPL-2.0 */
#include "lib/client_mirror.h"

#include <stdlib.h>

#include "base/bits.h"
#include "base/mem.h"
#include "base/span.h"

/* What is written last is read up to so long after the process has ended. */
#define LATE (2 * SPAN_MS)

struct mirror_record {
    struct store_record record; /* its texts and value are owned */
    int64_t time;
};

struct mirror_piece {
    struct store_piece piece;
    char *kept; /* its data, if that is not borrowed */
    bool told;
};

/* ---- applying ---- */

static void
on_changed(void *ctx, const struct run_change *change)
{
    struct mirror *self = ctx;
    struct run_change told = *change;

    if (!self->watch || !self->watch->changed)
        return;
    if (self->record && self->record->started > 0 &&
        self->record->ended > self->record->started)
        told.took = self->record->ended - self->record->started;
    self->watch->changed(self->watch->ctx, self->run, &told);
}

/* Attempts of earlier sessions. */
static uint32_t
attempts_before(const struct mirror *self, struct plan_id id)
{
    const struct history *before = self->follow->resume;

    if (!before || id.task >= before->flow->ntask ||
        (id.child != PLAN_WHOLE && id.child >= before->tasks[id.task].nchild))
        return 0;
    return history_item(before, id)->attempt;
}

/* When the next attempt is due; how it was scattered is not recorded. */
static int64_t
due(const struct mirror *self, const struct store_record *record)
{
    const struct flow_retry *retry =
        &self->follow->flow->tasks[record->id.task].options->retry;
    uint32_t before = attempts_before(self, record->id);
    double delay = (double)retry->delay;

    for (uint32_t i = before + 1; i < record->attempt && delay < 1e15; i++) {
        if (retry->backoff == 1 ||
            (retry->max > 0 && delay > (double)retry->max))
            break;
        delay *= retry->backoff;
    }
    if (retry->max > 0 && delay > (double)retry->max)
        delay = (double)retry->max;
    return span_mono() + (int64_t)delay;
}

static bool
is_known(const struct mirror *self, struct plan_id id)
{
    return id.task < self->follow->flow->ntask &&
           (id.child == PLAN_WHOLE ||
            id.child < plan_children(run_plan(self->run), id.task));
}

/* What it wrote has told already that it runs. */
static bool
is_told(const struct mirror *self, const struct store_record *record)
{
    return record->state == PLAN_RUNNING && is_known(self, record->id) &&
           plan_state(run_plan(self->run), record->id) == PLAN_RUNNING &&
           run_attempts(self->run, record->id) == record->attempt;
}

static void
apply(struct mirror *self, const struct store_record *record)
{
    struct run_change change = {
        .id = record->id,
        .state = record->state,
        .attempt = record->attempt,
        .value = record->value,
        .cause = record->cause,
    };

    if (self->failed || is_told(self, record))
        return;
    if (record->id.task < self->follow->flow->ntask &&
        record->state == PLAN_RETRYING)
        change.until = due(self, record);
    self->record = record;
    self->failed =
        run_follow(self->run, &change, record->children, &self->err) < 0;
    self->record = NULL;
}

/* ---- the queue ---- */

static void
record_release(struct mirror_record *self)
{
    json_decref((json_t *)(uintptr_t)self->record.value);
    free((char *)(uintptr_t)self->record.cause);
}

static void
push(struct mirror *self, const struct store_record *record)
{
    struct mirror_record *own;

    self->queue =
        mem_grow(self->queue, &self->cap, self->n + 1, sizeof *self->queue);
    own = &self->queue[self->n++];
    own->record = *record;
    (void)json_incref((json_t *)(uintptr_t)record->value);
    own->record.cause = mem_dup(record->cause);
    own->record.task = own->record.key = own->record.cwd = NULL;
    if (record->ended > 0)
        self->time = record->ended + LATE;
    else if (record->started > 0)
        self->time = record->started;
    own->time = self->time;
}

/* Output may be here before the record that its attempt runs, if there ever is
 * one: it is with the kernel at once, records are committed together. */
static void
set_running(struct mirror *self, const struct store_piece *piece)
{
    const struct store_record record = {
        .id = piece->id,
        .attempt = piece->attempt,
        .state = PLAN_RUNNING,
    };

    if (piece->attempt > run_attempts(self->run, piece->id))
        apply(self, &record);
}

static void
tell_piece(struct mirror *self, struct mirror_piece *own)
{
    const struct store_piece *piece = &own->piece;

    if (self->failed || !is_known(self, piece->id))
        return; /* maybe the record of its map is not committed yet */
    own->told = true;
    set_running(self, piece);
    if (!self->failed)
        self->watch->output(self->watch->ctx, self->run, piece->id,
                            piece->stream, piece->data, piece->n);
}

static int
compare_ids(struct plan_id a, struct plan_id b)
{
    if (a.task != b.task)
        return a.task < b.task ? -1 : 1;
    return a.child < b.child ? -1 : a.child > b.child;
}

/* Output is read when there is time, so a piece of another one may be before
 * what belongs to this record: that goes first. */
static void
tell_output_of(struct mirror *self, const struct store_record *record)
{
    size_t low = 0, high = self->npiece;

    if (!self->by_id || record->state == PLAN_RUNNING ||
        record->state == PLAN_MAPPED)
        return;
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (compare_ids(self->pieces[self->by_id[middle]].piece.id,
                        record->id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < self->npiece; low++) {
        struct mirror_piece *own = &self->pieces[self->by_id[low]];

        if (compare_ids(own->piece.id, record->id) != 0)
            break;
        if (!own->told && own->piece.attempt <= record->attempt)
            tell_piece(self, own);
    }
}

static void
apply_first(struct mirror *self)
{
    struct mirror_record *first = &self->queue[self->first++];

    tell_output_of(self, &first->record);
    apply(self, &first->record);
    record_release(first);
    if (self->first == self->n)
        self->first = self->n = 0;
}

/* Its inputs ended before it could begin, whatever the clocks say. */
static bool
waits_for_inputs(const struct mirror *self, struct plan_id id)
{
    return plan_state(run_plan(self->run), id) == PLAN_WAITING;
}

/* Whether the first in the queue came to be before a piece of output. */
static bool
is_before(const struct mirror *self, const struct store_piece *piece)
{
    const struct mirror_record *first;
    bool same;

    if (self->first == self->n)
        return false;
    first = &self->queue[self->first];
    same = plan_id_is(first->record.id, piece->id);
    if (same && first->record.attempt >= piece->attempt)
        return first->record.state == PLAN_RUNNING ||
               first->record.state == PLAN_MAPPED;
    return !is_known(self, piece->id) || first->time < piece->when ||
           waits_for_inputs(self, piece->id);
}

/* ---- what comes ---- */

static bool
on_record(void *ctx, const struct store_record *record)
{
    struct mirror *self = ctx;

    if (self->skip > 0)
        self->skip--;
    else if (self->queueing)
        push(self, record);
    else
        apply(self, record);
    return !self->failed;
}

static bool
on_piece(void *ctx, const struct store_piece *piece)
{
    struct mirror *self = ctx;
    uint32_t before;

    if (piece->id.task >= self->follow->flow->ntask)
        return true;
    before = attempts_before(self, piece->id);
    if (before > 0 && piece->attempt <= before)
        return true; /* of an earlier session */
    self->pieces = mem_grow(self->pieces, &self->cap_piece, self->npiece + 1,
                            sizeof *self->pieces);
    self->pieces[self->npiece++] = (struct mirror_piece){.piece = *piece};
    return true;
}

static int
by_instance(const void *left, const void *right, void *ctx)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    const struct mirror_piece *pieces = ctx;
    int order = compare_ids(pieces[a].piece.id, pieces[b].piece.id);

    if (order != 0)
        return order;
    return a < b ? -1 : a > b;
}

/* What can't be told yet is kept until more has come. */
static void
keep_untold(struct mirror *self)
{
    size_t n = 0;

    for (size_t i = 0; i < self->npiece; i++) {
        struct mirror_piece *own = &self->pieces[i];

        if (own->told || self->failed) {
            free(own->kept);
            continue;
        }
        if (!own->kept)
            own->kept = mem_text(own->piece.data, own->piece.n);
        own->piece.data = own->kept;
        self->pieces[n++] = *own;
    }
    self->npiece = n;
}

static void
tell_pieces(struct mirror *self)
{
    self->by_id = mem_alloc(self->npiece, sizeof *self->by_id);
    for (uint32_t i = 0; i < self->npiece; i++)
        self->by_id[i] = i;
    qsort_r(self->by_id, self->npiece, sizeof *self->by_id, by_instance,
            self->pieces);
    for (size_t i = 0; i < self->npiece && !self->failed; i++) {
        struct mirror_piece *own = &self->pieces[i];

        while (!own->told && is_before(self, &own->piece))
            apply_first(self);
        if (!own->told)
            tell_piece(self, own);
    }
    free(self->by_id);
    self->by_id = NULL;
    keep_untold(self);
}

static int
result(struct mirror *self, struct err *err)
{
    if (!self->failed)
        return 0;
    *err = self->err;
    return -1;
}

int
mirror_batch(struct mirror *self, const char *text, size_t n, struct err *err)
{
    if (store_batch_records(text, n, on_record, self, err) < 0)
        return -1;
    return result(self, err);
}

int
mirror_output(struct mirror *self, const char *data, size_t n, struct err *err)
{
    size_t before = self->npiece;

    if (!self->watch || !self->watch->output)
        return 0;
    if (store_output_pieces(data, n, on_piece, self, err) < 0) {
        self->npiece = before;
        return -1;
    }
    tell_pieces(self);
    return result(self, err);
}

int
mirror_settle(struct mirror *self, struct err *err)
{
    if (self->npiece > 0)
        tell_pieces(self);
    while (self->first < self->n)
        apply_first(self);
    return result(self, err);
}

/* ---- going on with an earlier session ---- */

/* What is executed again, as something it depends on is: run_keep's rule. */
struct again {
    const struct plan *plan;
    struct bits tasks;
    uint32_t *list; /* of those, in the order found */
    size_t n;
};

static void
add_again(void *ctx, uint32_t task)
{
    struct again *self = ctx;

    if (bits_has(&self->tasks, task))
        return;
    bits_add(&self->tasks, task);
    self->list[self->n++] = task;
}

static bool
has_succeeded(const struct history_task *task)
{
    for (int s = 0; s < PLAN_STATE_COUNT; s++) {
        if (task->count[s] > 0 && !plan_state_is_success((enum plan_state)s))
            return false;
    }
    return task->item.state == PLAN_MAPPED ||
           plan_state_is_success(task->item.state);
}

static void
find_again(struct again *self, const struct client_follow *follow)
{
    const struct history *history = follow->resume;

    bits_init(&self->tasks, (uint32_t)history->flow->ntask, false);
    self->list = mem_alloc(history->flow->ntask, sizeof *self->list);
    if (follow->from != PLAN_NONE)
        add_again(self, follow->from);
    for (size_t t = 0; t < history->flow->ntask; t++) {
        if (!has_succeeded(&history->tasks[t]))
            plan_downstream(self->plan, (uint32_t)t, add_again, self);
    }
    for (size_t i = 0; i < self->n; i++)
        plan_downstream(self->plan, self->list[i], add_again, self);
}

struct kept {
    struct plan_id id;
    const struct history_item *item;
};

static int
by_order(const void *left, const void *right)
{
    const struct kept *a = left, *b = right;

    return a->item->order < b->item->order ? -1 : 1;
}

static void
keep_one(struct mirror *self, const struct kept *kept)
{
    const struct history_item *item = kept->item;
    struct run_change change = {
        .id = kept->id,
        .state = item->state,
        .attempt = item->attempt,
        .value = item->value,
        .cause = item->cause,
        .kept = true,
    };
    uint32_t children = self->follow->resume->tasks[kept->id.task].nchild;
    struct err ignored;

    /* What can't be kept will be heard of again. */
    if (item->state == PLAN_MAPPED || plan_state_is_success(item->state))
        (void)run_follow(self->run, &change, children, &ignored);
}

static void
keep(struct mirror *self)
{
    const struct history *history = self->follow->resume;
    struct again again = {.plan = run_plan(self->run)};
    struct kept *list = NULL;
    size_t n = 0, cap = 0;

    self->skip = history->nrecord;
    for (size_t t = 0; t < history->flow->ntask; t++) {
        const struct history_task *task = &history->tasks[t];

        list = mem_grow(list, &cap, n + 1 + task->nchild, sizeof *list);
        list[n++] = (struct kept){{(uint32_t)t, PLAN_WHOLE}, &task->item};
        for (uint32_t k = 0; k < task->nchild; k++)
            list[n++] = (struct kept){{(uint32_t)t, k}, &task->children[k]};
    }
    if (n > 1)
        qsort(list, n, sizeof *list, by_order);
    find_again(&again, self->follow);
    for (size_t i = 0; i < n; i++) {
        if (!bits_has(&again.tasks, list[i].id.task))
            keep_one(self, &list[i]);
    }
    bits_release(&again.tasks);
    free(again.list);
    free(list);
}

/* ---- life ---- */

int
mirror_init(struct mirror *self, const struct client_follow *follow,
            struct err *err)
{
    struct run_hooks hooks = {.changed = on_changed, .ctx = self};

    *self = (struct mirror){.follow = follow, .watch = follow->watch};
    if (run_new(&self->run, follow->flow, follow->params, 1, &hooks, err) < 0)
        return -1;
    self->queueing = self->watch && self->watch->output;
    if (follow->resume)
        keep(self);
    return 0;
}

void
mirror_release(struct mirror *self)
{
    while (self->first < self->n)
        record_release(&self->queue[self->first++]);
    for (size_t i = 0; i < self->npiece; i++)
        free(self->pieces[i].kept);
    free(self->queue);
    free(self->pieces);
    run_destroy(&self->run);
}
