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

/* A spec with its users: the works of its frame, and the frame while it is
 * read. Its texts are behind it in the same block. */
struct shared_spec {
    struct work_spec spec;
    size_t users;
};

struct lane_work {
    struct work work; /* first: it is what others see */
    struct shared_spec *spec;
    char item[]; /* work.item */
};

struct reader {
    const Wire__Lane *lane;
    const struct lane_calls *calls;
    void *ctx;
    struct shared_spec **specs;
    size_t nspec; /* made so far */
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
load_item(struct work *work, const ProtobufCBinaryData *item, struct err *err)
{
    const char *data = (const char *)item->data;
    json_t *all;
    int rc;

    if (item->len == 0)
        return 0;
    if (data[item->len - 1] == '}')
        work->own = load_with(data, item->len);
    if (work->own)
        return check_members(work->own, ITEM, err);
    all = load(data, item->len);
    if (!all)
        return err_set(err, ERR_INVALID, "%s: not JSON", ITEM);
    rc = work_from_item(work, all, err);
    json_decref(all);
    if (rc < 0 || check_members(work->own, ITEM, err) < 0 ||
        check_members(work->env, ITEM, err) < 0 ||
        check_members(work->argv, ITEM, err) < 0)
        return -1;
    if (work->input && value_check(work->input, err) < 0)
        return err_set(err, ERR_INVALID, "%s: nested too deep", ITEM);
    return 0;
}

/* ---- specs ---- */

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
    size_t n = strlen(from->flow) + strlen(from->name) + strlen(from->script) +
               strlen(from->shell) + strlen(from->when) + strlen(from->cwd) +
               strlen(from->source_hash) + from->program.len + 8;

    for (size_t i = 0; i < from->n_resources; i++)
        n += strlen(from->resources[i]->name) + 1;
    return n;
}

/* One block: arrays, then texts. */
static struct shared_spec *
new_spec(const Wire__Spec *from)
{
    size_t n = sizeof(struct shared_spec) +
               from->n_resources * sizeof(struct flow_resource);
    size_t cap = 0;
    struct shared_spec *self = mem_grow(NULL, &cap, n + text_bytes(from), 1);
    struct flow_resource *resources;
    char *at = (char *)(self + 1);

    *self = (struct shared_spec){
        .users = 1,
        .spec = {.run = from->run,
                 .task = from->task,
                 .kind = (enum flow_kind)from->kind,
                 .value = (enum value_kind)from->value,
                 .timeout = from->timeout,
                 .grace = from->grace,
                 .exclusive = (from->flags & SPEC_EXCLUSIVE) != 0,
                 .at_most_once = (from->flags & SPEC_AT_MOST_ONCE) != 0,
                 .creates = (from->flags & SPEC_CREATES) != 0,
                 .nresource = (uint32_t)from->n_resources}};
    put_codes(&self->spec.exit_skip, from->exit_skip, from->n_exit_skip);
    put_codes(&self->spec.exit_retry, from->exit_retry, from->n_exit_retry);
    resources = (struct flow_resource *)(void *)at;
    self->spec.resources = put_resources(&at, from);
    for (size_t i = 0; i < from->n_resources; i++)
        resources[i].name =
            (char *)(uintptr_t)put_text(&at, from->resources[i]->name);
    self->spec.flow = put_text(&at, from->flow);
    self->spec.name = put_text(&at, from->name);
    self->spec.script = from->kind == FLOW_SCRIPT
                            ? put_text(&at, from->script)
                            : put_optional(&at, from->script);
    self->spec.shell = put_optional(&at, from->shell);
    self->spec.when = put_optional(&at, from->when);
    self->spec.home = put_optional(&at, from->cwd);
    self->spec.source_hash = put_optional(&at, from->source_hash);
    if (from->program.len > 0)
        self->spec.program = memcpy(at, from->program.data, from->program.len);
    self->spec.nprogram = from->program.len;
    return self;
}

static void
unref_spec(struct shared_spec *self)
{
    if (--self->users > 0)
        return;
    json_decref(self->spec.params);
    free(self);
}

static bool
same_bytes(const ProtobufCBinaryData *a, const ProtobufCBinaryData *b)
{
    return a->len == b->len &&
           (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

static int
load_params(json_t **ret, const ProtobufCBinaryData *text, struct err *err)
{
    json_t *params =
        text->len > 0 ? load(text->data, text->len) : json_object();

    if (!json_is_object(params)) {
        json_decref(params);
        return err_set(err, ERR_INVALID, "Spec.params: not a JSON object");
    }
    *ret = params;
    return check_members(params, "Spec.params", err);
}

/* Specs of one run have the same parameters. */
static int
make_spec(struct reader *self, size_t i, struct err *err)
{
    const Wire__Spec *from = self->lane->specs[i];
    const Wire__Spec *before = i > 0 ? self->lane->specs[i - 1] : NULL;
    struct work_spec *spec;

    self->specs[i] = new_spec(from);
    self->nspec++;
    spec = &self->specs[i]->spec;
    if (!before || !same_bytes(&before->params, &from->params))
        return load_params(&spec->params, &from->params, err);
    spec->params = json_incref(self->specs[i - 1]->spec.params);
    return 0;
}

/* ---- tasks ---- */

void
lane_work_free(const struct work *work)
{
    struct lane_work *self = (struct lane_work *)(uintptr_t)work;

    if (!self)
        return;
    work_release(&self->work);
    unref_spec(self->spec);
    free(self);
}

int
lane_work_read(const struct work *work, struct err *err)
{
    struct lane_work *self = (struct lane_work *)(uintptr_t)work;
    const ProtobufCBinaryData item = {work->nitem, (uint8_t *)self->item};

    if (!work->item)
        return 0;
    self->work.item = NULL;
    return load_item(&self->work, &item, err);
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
    const ProtobufCBinaryData none = {0};
    const ProtobufCBinaryData *item = lane->n_item > 0 ? &lane->item[i] : &none;
    struct shared_spec *spec = self->specs[lane->spec[i]];
    bool passes_on = is_passed_on(self, &spec->spec);
    struct lane_work *made =
        mem_alloc(1, sizeof *made + (passes_on ? item->len : 0));
    struct work *work = &made->work;
    struct lane_task task = {.ticket = lane->ticket[i], .work = work};

    made->spec = spec;
    made->spec->users++;
    if (passes_on && item->len > 0) {
        memcpy(made->item, item->data, item->len);
        work->item = made->item;
        work->nitem = item->len;
    } else if (item->len > 0 && load_item(work, item, err) < 0) {
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
lane_read(const struct wire *wire, const struct lane_calls *calls, void *ctx,
          struct err *err)
{
    const Wire__Lane *lane = wire->as.lane;
    struct reader self = {.lane = lane, .calls = calls, .ctx = ctx};
    int rc = 0;

    self.specs = mem_alloc(lane->n_specs, sizeof *self.specs);
    for (size_t i = 0; rc == 0 && i < lane->n_specs; i++)
        rc = make_spec(&self, i, err);
    for (size_t i = 0; rc == 0 && i < lane->n_ticket; i++)
        rc = read_task(&self, i, err);
    if (rc == 0) {
        read_tickets(&self);
        read_rest(&self);
    }
    for (size_t i = 0; i < self.nspec; i++)
        unref_spec(self.specs[i]);
    free(self.specs);
    return rc;
}
