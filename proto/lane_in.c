/* SPDX-License-Identifier: MPL-2.0 */
/*
 * lane_in - the tasks of a Lane frame, as work that outlives it.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <wire.pb-c.h>

#include "base/mem.h"
#include "flow/value.h"
#include "proto/convert.h"
#include "proto/limits.h"

#define ITEM "Lane.item" /* in messages */

/* Works in a slab, unless they have more bytes: one keeps all of them. */
#define SLAB_WORKS 32u
#define SLAB_BYTES 4096u

/* What is a run's own, with its users: specs, and its place while it has one.
 * Its texts are behind it in the same block. */
struct shared_run {
    struct work_spec spec; /* only what is the run's */
    size_t users;
};

/* A spec with its users: the works of its frame, and the frame while it is
 * read. Its texts are behind it in the same block. */
struct shared_spec {
    struct work_spec spec;
    struct shared_run *run;
    size_t users;
};

struct lane_in {
    struct shared_run *runs[LIMIT_LANE_RUNS]; /* by place */
    uint64_t last;                            /* common number */
};

/* Works are made and freed some at a time: works, and then their items. */
struct slab {
    size_t users;
};

struct lane_work {
    struct work work; /* first: it is what others see */
    struct shared_spec *spec;
    struct slab *slab;
};

struct reader {
    struct lane_in *in;
    const Wire__Lane *lane;
    const struct lane_calls *calls;
    void *ctx;
    struct shared_spec **specs;
    size_t nspec;     /* made so far */
    const char *item; /* the next one */
    struct slab *slab;
    struct lane_work *works; /* of it, that are left */
    size_t nwork;
    char *texts; /* room for their items */
};

/* ---- JSON ---- */

/* Of the values in an object or list; each may be as deep as a value may. */
static int
check_members(const json_t *value, const char *what, struct err *err)
{
    json_t *all = (json_t *)(uintptr_t)value;
    const char *key;
    json_t *member;
    size_t i;

    json_object_foreach(all, key, member) {
        if (value_check(member, err) < 0)
            return err_set(err, ERR_INVALID, "%s: nested too deep", what);
    }
    json_array_foreach(all, i, member) {
        if (value_check(member, err) < 0)
            return err_set(err, ERR_INVALID, "%s: nested too deep", what);
    }
    return 0;
}

/* NULL if it is no JSON. */
static json_t *
load(const void *data, size_t n)
{
    return json_loadb(data, n, JSON_REJECT_DUPLICATES, NULL);
}

/*
 * Most items have bindings and nothing else: {"with":{...}}. What is inside is
 * then one document (two would not be read as one).
 */
static json_t *
load_with(const char *data, size_t n)
{
    static const char head[] = "{\"with\":{";
    size_t skip = sizeof head - 2;

    if (n <= skip + 2 || memcmp(data, head, sizeof head - 1) != 0)
        return NULL;
    return load(data + skip, n - skip - 1);
}

/* A call that its worker makes alone: nobody on the way has to read it. */
static bool
is_passed_on(const struct reader *self, const struct work_spec *spec)
{
    return self->calls->passes_on && spec->kind == FLOW_CALL && !spec->when &&
           !spec->creates;
}

static int
load_item(struct work *work, const char *data, size_t n, struct err *err)
{
    json_t *all;
    int rc;

    if (n == 0)
        return 0;
    if (data[n - 1] == '}')
        work->own = load_with(data, n);
    if (work->own)
        return check_members(work->own, ITEM, err);
    all = load(data, n);
    if (!all)
        return err_set(err, ERR_INVALID, "%s: not JSON", ITEM);
    rc = work_from_item(work, all, err);
    json_decref(all);
    if (rc < 0 || check_members(work->own, ITEM, err) < 0 ||
        check_members(work->env, ITEM, err) < 0 ||
        check_members(work->argv, ITEM, err) < 0 ||
        check_members(work->handle, ITEM, err) < 0)
        return -1;
    if (work->input && value_check(work->input, err) < 0)
        return err_set(err, ERR_INVALID, "%s: nested too deep", ITEM);
    return 0;
}

/* ---- runs ---- */

static const char *
put_text(char **at, const char *text)
{
    size_t n = strlen(text) + 1;
    char *copy = *at;

    memcpy(copy, text, n);
    *at += n;
    return copy;
}

/* "" is NULL. */
static const char *
put_optional(char **at, const char *text)
{
    return *text ? put_text(at, text) : NULL;
}

static void
unref_run(struct shared_run *self)
{
    if (!self || --self->users > 0)
        return;
    json_decref(self->spec.params);
    free(self);
}

static struct shared_run *
new_run(const Wire__Run *from, uint64_t common)
{
    size_t n = strlen(from->flow) + strlen(from->cwd) +
               strlen(from->source_hash) + from->program.len + 3;
    struct shared_run *self = mem_alloc(1, sizeof *self + n);
    struct work_spec *spec = &self->spec;
    char *at = (char *)(self + 1);

    self->users = 1;
    spec->run = from->run;
    spec->common = common;
    spec->flow = put_text(&at, from->flow);
    spec->home = put_optional(&at, from->cwd);
    spec->source_hash = put_optional(&at, from->source_hash);
    if (from->program.len > 0)
        spec->program = memcpy(at, from->program.data, from->program.len);
    spec->nprogram = from->program.len;
    return self;
}

static int
load_params(json_t **ret, const ProtobufCBinaryData *text, struct err *err)
{
    json_t *params =
        text->len > 0 ? load(text->data, text->len) : json_object();

    if (!json_is_object(params)) {
        json_decref(params);
        return err_set(err, ERR_INVALID, "Run.params: not a JSON object");
    }
    *ret = params;
    return check_members(params, "Run.params", err);
}

static int
take_run(struct lane_in *self, const Wire__Run *from, struct err *err)
{
    struct shared_run *run = new_run(from, ++self->last);

    if (load_params(&run->spec.params, &from->params, err) < 0) {
        unref_run(run);
        return -1;
    }
    unref_run(self->runs[from->place]);
    self->runs[from->place] = run;
    return 0;
}

static void
forget_run(struct lane_in *self, uint32_t place)
{
    unref_run(self->runs[place]);
    self->runs[place] = NULL;
}

struct lane_in *
lane_in_new(void)
{
    return mem_alloc(1, sizeof(struct lane_in));
}

void
lane_in_clear(struct lane_in *self)
{
    for (uint32_t i = 0; i < LIMIT_LANE_RUNS; i++)
        forget_run(self, i);
}

void
lane_in_destroy(struct lane_in **self_p)
{
    if (*self_p)
        lane_in_clear(*self_p);
    free(*self_p);
    *self_p = NULL;
}

/* ---- specs ---- */

static void
put_codes(struct flow_codes *ret, const uint64_t *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ret->bits[i] = words[i];
}

static const struct flow_resource *
put_resources(char **at, const Wire__Spec *from)
{
    struct flow_resource *all = (struct flow_resource *)(void *)*at;

    *at += from->n_resources * sizeof *all;
    for (size_t i = 0; i < from->n_resources; i++)
        all[i].amount = from->resources[i]->amount;
    return from->n_resources > 0 ? all : NULL;
}

static size_t
text_bytes(const Wire__Spec *from)
{
    size_t n = strlen(from->name) + strlen(from->script) + strlen(from->shell) +
               strlen(from->when) + 4;

    for (size_t i = 0; i < from->n_resources; i++)
        n += strlen(from->resources[i]->name) + 1;
    return n;
}

/* One block: arrays, then texts. */
static struct shared_spec *
new_spec(const Wire__Spec *from, struct shared_run *run)
{
    size_t n = sizeof(struct shared_spec) +
               from->n_resources * sizeof(struct flow_resource);
    struct shared_spec *self = mem_alloc(1, n + text_bytes(from));
    struct work_spec *spec = &self->spec;
    struct flow_resource *resources;
    char *at = (char *)(self + 1);

    self->users = 1;
    self->run = run;
    run->users++;
    *spec = run->spec;
    spec->task = from->task;
    spec->kind = (enum flow_kind)from->kind;
    spec->value = (enum value_kind)from->value;
    spec->timeout = from->timeout;
    spec->grace = from->grace;
    spec->exclusive = (from->flags & SPEC_EXCLUSIVE) != 0;
    spec->at_most_once = (from->flags & SPEC_AT_MOST_ONCE) != 0;
    spec->creates = (from->flags & SPEC_CREATES) != 0;
    spec->handlers = (from->flags & SPEC_HANDLERS) != 0;
    put_codes(&spec->exit_skip, from->exit_skip, from->n_exit_skip);
    put_codes(&spec->exit_retry, from->exit_retry, from->n_exit_retry);
    resources = (struct flow_resource *)(void *)at;
    spec->resources = put_resources(&at, from);
    spec->nresource = (uint32_t)from->n_resources;
    for (size_t i = 0; i < from->n_resources; i++)
        resources[i].name =
            (char *)(uintptr_t)put_text(&at, from->resources[i]->name);
    spec->name = put_text(&at, from->name);
    spec->script = from->kind == FLOW_SCRIPT ? put_text(&at, from->script)
                                             : put_optional(&at, from->script);
    spec->shell = put_optional(&at, from->shell);
    spec->when = put_optional(&at, from->when);
    return self;
}

static void
unref_spec(struct shared_spec *self)
{
    if (--self->users > 0)
        return;
    unref_run(self->run);
    free(self);
}

static int
make_spec(struct reader *self, size_t i, struct err *err)
{
    const Wire__Spec *from = self->lane->specs[i];
    struct shared_run *run = self->in->runs[from->place];

    if (!run)
        return err_set(err, ERR_INVALID, "Spec.place: no run is there");
    self->specs[i] = new_spec(from, run);
    self->nspec++;
    return 0;
}

/* ---- tasks ---- */

static void
unref_slab(struct slab *self)
{
    if (self && --self->users == 0)
        free(self);
}

static size_t
item_bytes(const struct reader *self, size_t i)
{
    return self->lane->n_item > 0 ? self->lane->item[i] : 0;
}

/* For the tasks from i on. */
static void
next_slab(struct reader *self, size_t i)
{
    size_t bytes = 0, n = 0;

    do
        bytes += item_bytes(self, i + n++);
    while (n < SLAB_WORKS && i + n < self->lane->n_ticket &&
           bytes + item_bytes(self, i + n) <= SLAB_BYTES);
    unref_slab(self->slab);
    self->slab =
        mem_block(sizeof *self->slab + n * sizeof *self->works + bytes);
    self->slab->users = 1; /* us */
    self->works = (struct lane_work *)(self->slab + 1);
    self->nwork = n;
    self->texts = (char *)(self->works + n);
}

static struct lane_work *
new_work(struct reader *self, size_t i)
{
    struct lane_work *made;

    if (self->nwork == 0)
        next_slab(self, i);
    made = self->works++;
    self->nwork--;
    *made = (struct lane_work){.spec = self->specs[self->lane->spec[i]],
                               .slab = self->slab};
    made->spec->users++;
    made->slab->users++;
    return made;
}

void
lane_work_free(const struct work *work)
{
    struct lane_work *self = (struct lane_work *)(uintptr_t)work;

    if (!self)
        return;
    work_release(&self->work);
    unref_spec(self->spec);
    unref_slab(self->slab);
}

int
lane_work_read(const struct work *work, struct err *err)
{
    struct lane_work *self = (struct lane_work *)(uintptr_t)work;
    const char *item = work->item;

    if (!item)
        return 0;
    self->work.item = NULL;
    return load_item(&self->work, item, work->nitem, err);
}

/* The task's own name goes without saying; a call makes do without one. */
static char *
name_of(const struct work *work, const char *key)
{
    const struct work_spec *spec = work->spec;

    if (key && *key)
        return mem_dup(key);
    if (spec->kind == FLOW_CALL && !spec->when && !work->creates)
        return NULL;
    return mem_dup(spec->name);
}

static int
read_task(struct reader *self, size_t i, struct err *err)
{
    const Wire__Lane *lane = self->lane;
    const char *item = self->item;
    size_t n = item_bytes(self, i);
    struct lane_work *made = new_work(self, i);
    struct work *work = &made->work;
    struct lane_task task = {.ticket = lane->ticket[i], .work = work};

    self->item += n;
    if (n > 0 && is_passed_on(self, &made->spec->spec)) {
        work->item = memcpy(self->texts, item, n);
        work->nitem = n;
        self->texts += n;
    } else if (load_item(work, item, n, err) < 0) {
        lane_work_free(work);
        return -1;
    }
    work->spec = &made->spec->spec;
    work->id.task = work->spec->task;
    work->id.child = lane->child[i] == 0 ? PLAN_WHOLE : lane->child[i] - 1;
    work->attempt = lane->attempt[i];
    work->name = name_of(work, lane->n_key > 0 ? lane->key[i] : NULL);
    if (self->calls->task)
        self->calls->task(self->ctx, &task);
    else
        lane_work_free(work);
    return 0;
}

static void
read_tickets(const struct reader *self)
{
    const struct lane_calls *calls = self->calls;
    const Wire__Lane *lane = self->lane;

    for (size_t i = 0; calls->cancel && i < lane->n_cancel; i++)
        calls->cancel(self->ctx, lane->cancel[i], false);
    for (size_t i = 0; calls->cancel && i < lane->n_kill; i++)
        calls->cancel(self->ctx, lane->kill[i], true);
    for (size_t i = 0; calls->recall && i < lane->n_recall; i++)
        calls->recall(self->ctx, lane->recall[i]);
}

static void
read_rest(const struct reader *self)
{
    const struct lane_calls *calls = self->calls;
    const Wire__Lane *lane = self->lane;

    for (size_t i = 0; i < lane->n_forget; i++)
        forget_run(self->in, lane->forget[i]);
    if (calls->saved && lane->saved > 0)
        calls->saved(self->ctx, lane->saved);
    for (size_t i = 0; calls->keep && i < lane->n_keep; i++)
        calls->keep(self->ctx, lane->keep[i]);
    for (size_t i = 0; calls->done && i < lane->n_done; i++)
        calls->done(self->ctx, lane->done[i]);
    if (calls->ack && lane->ack > 0)
        calls->ack(self->ctx, lane->ack);
    if (calls->drain && lane->drain)
        calls->drain(self->ctx);
    if (calls->beat && lane->beat > 0)
        calls->beat(self->ctx, lane->beat);
    if (calls->leave && lane->leave)
        calls->leave(self->ctx);
}

int
lane_read(struct lane_in *in, const struct wire *wire,
          const struct lane_calls *calls, void *ctx, struct err *err)
{
    const Wire__Lane *lane = wire->as.lane;
    struct reader self = {
        .in = in,
        .lane = lane,
        .calls = calls,
        .ctx = ctx,
        .item = lane->items.len > 0 ? (const char *)lane->items.data : ""};
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < lane->n_runs; i++)
        rc = take_run(in, lane->runs[i], err);
    self.specs = mem_alloc(lane->n_specs, sizeof *self.specs);
    for (size_t i = 0; rc == 0 && i < lane->n_specs; i++)
        rc = make_spec(&self, i, err);
    for (size_t i = 0; rc == 0 && i < lane->n_ticket; i++)
        rc = read_task(&self, i, err);
    if (rc == 0) {
        read_tickets(&self);
        read_rest(&self);
    }
    unref_slab(self.slab);
    for (size_t i = 0; i < self.nspec; i++)
        unref_spec(self.specs[i]);
    free(self.specs);
    return rc;
}
