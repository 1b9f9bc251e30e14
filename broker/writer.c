/* SPDX-License-Identifier: MPL-2.0 */
#include "broker/writer.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "broker/writer_impl.h"

static void
let_go(const json_t *value)
{
    json_decref((json_t *)(uintptr_t)value);
}

static void
release_op(struct op *op)
{
    if (op->kind == OP_RECORD)
        let_go(op->as.record.value);
    if (op->kind == OP_END)
        json_decref(op->as.end.value);
    if (op->kind == OP_CACHE)
        json_decref(op->as.cache.value);
    if (op->kind == OP_GO_ON) {
        json_decref(op->as.go_on.options);
        json_decref(op->as.go_on.env);
    }
    if (op->kind == OP_BEGIN) {
        store_run_release(op->as.begin);
        free(op->as.begin);
    }
}

void
broker_writer_destroy_group(struct group *group)
{
    if (!group)
        return;
    for (size_t i = 0; i < group->n; i++)
        release_op(&group->ops[i]);
    broker_arena_release(&group->texts);
    free(group->ops);
    free(group);
}

/* ---- into the group ---- */

static struct op *
add(struct broker_writer *self, enum op_kind kind, uint64_t run, size_t bytes)
{
    struct group *group = self->open;
    struct op *op;

    if (!group)
        group = self->open = mem_alloc(1, sizeof *group);
    group->ops =
        mem_grow(group->ops, &group->cap, group->n + 1, sizeof *group->ops);
    op = &group->ops[group->n++];
    *op = (struct op){.kind = kind, .run = run};
    self->urgent = self->urgent ||
                   (kind != OP_RECORD && kind != OP_OUTPUT && kind != OP_CACHE);
    group->bytes += sizeof *op + bytes;
    self->behind += sizeof *op + bytes;
    return op;
}

static const char *
text(struct broker_writer *self, const char *s)
{
    return s ? broker_arena_add(&self->open->texts, s, strlen(s) + 1) : NULL;
}

/* About what a value takes. */
static size_t
weight(const json_t *value)
{
    if (json_is_string(value))
        return json_string_length(value);
    if (json_is_array(value))
        return 32 * json_array_size(value);
    return value ? 32 + 64 * json_object_size(value) : 0;
}

/* Counting references is safe between threads; nobody changes a value. */
static json_t *
share(const json_t *value)
{
    return json_incref((json_t *)(uintptr_t)value);
}

void
broker_writer_record(struct broker_writer *self, uint64_t run,
                     const struct store_record *record)
{
    struct op *op = add(self, OP_RECORD, run, weight(record->value));

    op->as.record = *record;
    op->as.record.value = share(record->value);
    op->as.record.task = text(self, record->task);
    op->as.record.key = text(self, record->key);
    op->as.record.cause = text(self, record->cause);
    op->as.record.cwd = text(self, record->cwd);
}

void
broker_writer_output(struct broker_writer *self, uint64_t run,
                     const struct store_piece *piece, uint64_t offset)
{
    struct op *op = add(self, OP_OUTPUT, run, piece->n);

    op->as.output.piece = *piece;
    op->as.output.piece.data =
        broker_arena_add(&self->open->texts, piece->data, piece->n);
    op->as.output.offset = offset;
}

void
broker_writer_end(struct broker_writer *self, uint64_t run,
                  enum store_run_state state, const json_t *output,
                  const char *problem)
{
    struct op *op = add(self, OP_END, run, weight(output));

    op->as.end.state = state;
    op->as.end.value = share(output);
    op->as.end.problem = text(self, problem);
}

void
broker_writer_cache(struct broker_writer *self, const char *key,
                    const json_t *value)
{
    struct op *op = add(self, OP_CACHE, 0, weight(value));

    op->as.cache.key = text(self, key);
    op->as.cache.value = share(value);
}

void
broker_writer_begin(struct broker_writer *self, struct store_run *run,
                    void *tag)
{
    struct op *op = add(self, OP_BEGIN, 0, run->source_len);

    op->tag = tag;
    op->as.begin = mem_alloc(1, sizeof *run);
    *op->as.begin = *run;
    *run = (struct store_run){0};
}

void
broker_writer_go_on(struct broker_writer *self, uint64_t run,
                    const struct store_run *change, void *tag)
{
    struct op *op = add(self, OP_GO_ON, run, 0);

    op->tag = tag;
    op->as.go_on.options = share(change->options);
    op->as.go_on.env = share(change->env);
}

void
broker_writer_cancel(struct broker_writer *self, uint64_t run,
                     const struct plan_id *only, void *tag)
{
    struct op *op = add(self, only ? OP_STOP : OP_CANCEL, run, 0);

    op->tag = tag;
    if (only)
        op->as.stop = *only;
}

void
broker_writer_remove(struct broker_writer *self, uint64_t run, void *tag)
{
    add(self, OP_REMOVE, run, 0)->tag = tag;
}

void
broker_writer_prune(struct broker_writer *self, size_t keep, int64_t age,
                    void *tag)
{
    struct op *op = add(self, OP_PRUNE, 0, 0);

    op->tag = tag;
    op->as.prune.keep = keep;
    op->as.prune.age = age;
}

void
broker_writer_seal(struct broker_writer *self, uint64_t group)
{
    if (!self->open)
        return;
    self->open->number = group;
    broker_queue_put(self->in, &self->open->item);
    self->open = NULL;
    self->urgent = false;
}

bool
broker_writer_is_urgent(const struct broker_writer *self)
{
    return self->urgent;
}

size_t
broker_writer_behind(const struct broker_writer *self)
{
    return self->behind;
}

int
broker_writer_fd(const struct broker_writer *self)
{
    return broker_queue_fd(self->out);
}

struct broker_wrote *
broker_writer_next(struct broker_writer *self)
{
    struct broker_wrote *said;

    if (STAILQ_EMPTY(&self->said))
        broker_queue_take(self->out, &self->said);
    said = (struct broker_wrote *)STAILQ_FIRST(&self->said);
    if (!said)
        return NULL;
    STAILQ_REMOVE_HEAD(&self->said, link);
    self->behind -= said->bytes;
    return said;
}

/* ---- life ---- */

int
broker_writer_new(struct broker_writer **ret, struct store **store_p,
                  struct err *err)
{
    struct broker_writer *self = mem_alloc(1, sizeof *self);
    int rc;

    STAILQ_INIT(&self->said);
    if (broker_queue_new(&self->in, err) < 0 ||
        broker_queue_new(&self->out, err) < 0)
        goto failed;
    self->store = *store_p;
    rc = pthread_create(&self->thread, NULL, broker_writer_thread, self);
    if (rc != 0) {
        (void)err_set(err, ERR_UNAVAILABLE, "can't start a thread: %s",
                      strerror(rc));
        goto failed;
    }
    *store_p = NULL;
    *ret = self;
    return 0;
failed:
    broker_queue_destroy(&self->in);
    broker_queue_destroy(&self->out);
    free(self);
    return -1;
}

bool
broker_writer_stop(struct broker_writer **self_p, int64_t patience)
{
    struct broker_writer *self = *self_p;
    struct broker_wrote *said;
    struct group *last;
    void *good = NULL;

    if (!self)
        return true;
    *self_p = NULL;
    atomic_store(&self->give_up, span_mono() + patience);
    broker_writer_destroy_group(self->open);
    last = mem_alloc(1, sizeof *last);
    last->last = true;
    broker_queue_put(self->in, &last->item);
    (void)pthread_join(self->thread, &good);
    while ((said = broker_writer_next(self)))
        free(said);
    store_close(&self->store);
    broker_queue_destroy(&self->in);
    broker_queue_destroy(&self->out);
    free(self);
    return good != NULL;
}
