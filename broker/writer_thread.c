/* SPDX-License-Identifier: MPL-2.0 */
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "broker/writer_impl.h"

#define TRY_AGAIN (500 * SPAN_MS)

static void
say(struct broker_writer *self, const struct broker_wrote *what)
{
    struct broker_wrote *said = mem_alloc(1, sizeof *said);

    *said = *what;
    broker_queue_put(self->out, &said->item);
}

/* It went wrong: tell once, wait. False: give up. */
static bool
trouble(struct broker_writer *self, const struct err *err)
{
    struct broker_wrote what = {.what = WROTE_TROUBLE, .err = *err};
    int64_t until;

    if (!self->trouble)
        say(self, &what);
    self->trouble = true;
    until = atomic_load(&self->give_up);
    if (until && span_mono() >= until)
        return false;
    /* The queue would wake us at once if something is in it. */
    (void)nanosleep(&(struct timespec){.tv_nsec = TRY_AGAIN * 1000}, NULL);
    return true;
}

static void
well(struct broker_writer *self)
{
    if (self->trouble)
        say(self, &(struct broker_wrote){.what = WROTE_WELL});
    self->trouble = false;
}

static bool
do_record(struct broker_writer *self, struct op *op)
{
    struct err err;
    int rc = store_record(self->store, op->run, &op->as.record, &err);

    /* It is pending, whatever happened. */
    while (rc < 0) {
        if (!trouble(self, &err))
            return false;
        rc = store_flush(self->store, &err);
    }
    well(self);
    return true;
}

static bool
do_output(struct broker_writer *self, struct op *op)
{
    struct err err;

    while (store_output_at(self->store, op->run, &op->as.output.piece,
                           op->as.output.offset, &err) < 0) {
        if (!trouble(self, &err))
            return false;
    }
    well(self);
    return true;
}

static int
end_run(struct broker_writer *self, const struct op *op, struct err *err)
{
    if (op->as.end.state == STORE_INTERRUPTED)
        return store_run_let_go(self->store, op->run, err);
    return store_run_end(self->store, op->run, op->as.end.state,
                         op->as.end.value, op->as.end.problem, err);
}

static bool
do_end(struct broker_writer *self, struct op *op)
{
    struct err err;

    while (end_run(self, op, &err) < 0) {
        if (!trouble(self, &err))
            return false;
    }
    well(self);
    return true;
}

/* A cache that can't be written costs time only. */
static bool
do_cache(struct broker_writer *self, struct op *op)
{
    struct err ignored;

    (void)store_cache_put(self->store, op->as.cache.key, op->as.cache.value,
                          &ignored);
    return true;
}

static bool
do_begin(struct broker_writer *self, struct op *op)
{
    struct broker_wrote what = {.what = WROTE_RUN, .tag = op->tag};

    what.failed = store_run_begin(self->store, op->as.begin, &what.err) < 0;
    what.run = op->as.begin->id;
    say(self, &what);
    return true;
}

static bool
do_go_on(struct broker_writer *self, struct op *op)
{
    struct broker_wrote what = {
        .what = WROTE_RUN, .tag = op->tag, .run = op->run};

    what.failed = store_run_resume(self->store, op->run, op->as.go_on.options,
                                   op->as.go_on.env, &what.err) < 0;
    say(self, &what);
    return true;
}

static bool
do_cancel(struct broker_writer *self, struct op *op)
{
    struct broker_wrote what = {
        .what = WROTE_NOTED, .tag = op->tag, .run = op->run};

    what.failed = store_run_cancel(self->store, op->run, &what.err) < 0;
    say(self, &what);
    return true;
}

static bool
do_stop(struct broker_writer *self, struct op *op)
{
    struct broker_wrote what = {
        .what = WROTE_NOTED, .tag = op->tag, .run = op->run};

    what.failed =
        store_run_stop(self->store, op->run, op->as.stop, &what.err) < 0;
    say(self, &what);
    return true;
}

static bool
do_remove(struct broker_writer *self, struct op *op)
{
    struct broker_wrote what = {
        .what = WROTE_REMOVED, .tag = op->tag, .run = op->run, .number = 1};

    what.failed = store_remove(self->store, op->run, &what.err) < 0;
    say(self, &what);
    return true;
}

static bool
do_prune(struct broker_writer *self, struct op *op)
{
    struct broker_wrote what = {.what = WROTE_REMOVED, .tag = op->tag};
    size_t removed = 0;

    what.failed = store_prune(self->store, op->as.prune.keep, op->as.prune.age,
                              &removed, &what.err) < 0;
    what.number = removed;
    say(self, &what);
    return true;
}

static bool (*const doers[OP_COUNT])(struct broker_writer *, struct op *) = {
    [OP_RECORD] = do_record, [OP_OUTPUT] = do_output, [OP_END] = do_end,
    [OP_CACHE] = do_cache,   [OP_BEGIN] = do_begin,   [OP_GO_ON] = do_go_on,
    [OP_CANCEL] = do_cancel, [OP_STOP] = do_stop,     [OP_REMOVE] = do_remove,
    [OP_PRUNE] = do_prune,
};

static bool
flush(struct broker_writer *self)
{
    struct err err;

    while (store_flush(self->store, &err) < 0) {
        if (!trouble(self, &err))
            return false;
    }
    well(self);
    return true;
}

static bool
do_group(struct broker_writer *self, struct group *group)
{
    for (size_t i = 0; i < group->n; i++) {
        if (!doers[group->ops[i].kind](self, &group->ops[i]))
            return false;
    }
    return true;
}

/* All that has come, and one commit. *last: the end is near. */
static bool
do_groups(struct broker_writer *self, struct broker_items *items, bool *last)
{
    struct broker_wrote what = {.what = WROTE_GROUP};
    bool good = true;

    while (!STAILQ_EMPTY(items)) {
        struct group *group = (struct group *)STAILQ_FIRST(items);

        STAILQ_REMOVE_HEAD(items, link);
        good = good && do_group(self, group);
        if (group->number)
            what.number = group->number;
        what.bytes += group->bytes;
        *last = *last || group->last;
        broker_writer_destroy_group(group);
    }
    good = good && flush(self);
    if (good)
        say(self, &what);
    return good;
}

void *
broker_writer_thread(void *arg)
{
    struct broker_writer *self = arg;
    struct broker_items items = STAILQ_HEAD_INITIALIZER(items);
    bool last = false, good = true;

    while (!last) {
        broker_queue_wait(self->in, -1);
        broker_queue_take(self->in, &items);
        /* Having given up once, nothing later may overtake what was lost. */
        if (good && !STAILQ_EMPTY(&items))
            good = do_groups(self, &items, &last);
        while (!STAILQ_EMPTY(&items)) {
            struct group *group = (struct group *)STAILQ_FIRST(&items);

            STAILQ_REMOVE_HEAD(&items, link);
            last = last || group->last;
            broker_writer_destroy_group(group);
        }
    }
    return good ? self : NULL;
}
