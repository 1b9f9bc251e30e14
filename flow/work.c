/* SPDX-License-Identifier: MPL-2.0 */
#include "flow/work.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "flow/value.h"

void
work_spec_init(struct work_spec *ret, const struct flow *flow, uint32_t task)
{
    const struct flow_task *from = &flow->tasks[task];
    const struct flow_options *options = from->options;

    *ret = (struct work_spec){
        .task = task,
        .flow = flow->name,
        .name = from->name,
        .kind = from->kind,
        .value = from->value,
        .script = from->script,
        .shell = options->shell,
        .when = from->when,
        .exit_skip = options->exit_skip,
        .exit_retry = options->exit_retry,
        .timeout = options->timeout,
        .grace = options->grace,
        .cache_for = options->cache_for,
        .exclusive = options->exclusive,
        .at_most_once = options->at_most_once,
        .creates = from->creates != NULL,
        .resources = options->resources,
        .nresource = options->nresource,
    };
}

/* ---- gathering ---- */

/* A template of the task, if it has it, as a value. */
static int
eval(struct run *run, struct plan_id id, const struct tmpl *tmpl,
     const char *what, json_t **ret, struct err *err)
{
    if (tmpl && run_eval(run, id, tmpl, ret, err) < 0)
        return err_prefix(err, "%s: ", what);
    return 0;
}

static int
eval_text(struct run *run, struct plan_id id, const struct tmpl *tmpl,
          const char *what, char **ret, struct err *err)
{
    json_t *value = NULL;
    struct buf text = {0};

    if (!tmpl)
        return 0;
    if (eval(run, id, tmpl, what, &value, err) < 0)
        return -1;
    value_text(value, &text);
    json_decref(value);
    *ret = buf_take(&text);
    return 0;
}

static int
eval_env(struct work *self, struct run *run, const struct flow_options *options,
         struct err *err)
{
    if (options->nenv == 0)
        return 0;
    self->env = json_object();
    for (uint32_t i = 0; i < options->nenv; i++) {
        json_t *value = NULL;

        if (run_eval(run, self->id, options->env[i].value, &value, err) < 0)
            return err_prefix(err, "env: `%s`: ", options->env[i].name);
        (void)json_object_set_new(self->env, options->env[i].name, value);
    }
    return 0;
}

/* A call has its name from its task and its index; a command is told it. */
static char *
shown_name(const struct work *self, const struct flow_task *task,
           struct run *run)
{
    struct buf name = {0};

    if (task->kind == FLOW_CALL && !task->when && !task->creates)
        return NULL;
    run_name(run, self->id, &name);
    return buf_take(&name);
}

int
work_gather(struct work *ret, const struct work_spec *spec, struct run *run,
            struct plan_id id, struct err *err)
{
    const struct flow_task *task = &run_flow(run)->tasks[id.task];
    struct work self = {
        .spec = spec, .id = id, .attempt = run_attempts(run, id)};

    if (eval_text(run, id, task->options->cwd, "cwd", &self.cwd, err) < 0 ||
        run_own(run, id, &self.own, err) < 0 ||
        eval_env(&self, run, task->options, err) < 0 ||
        eval(run, id, task->argv, "argv", &self.argv, err) < 0 ||
        eval(run, id, task->input, "stdin", &self.input, err) < 0 ||
        eval_text(run, id, task->creates, "creates", &self.creates, err) < 0) {
        work_release(&self);
        return -1;
    }
    self.name = shown_name(&self, task, run);
    *ret = self;
    return 0;
}

static bool
has_only_bindings(const struct flow_task *task)
{
    const struct flow_options *options = task->options;

    return task->kind == FLOW_CALL && !task->when && !task->creates &&
           !task->argv && !task->input && options->nenv == 0 && !options->cwd &&
           options->cache_for == 0;
}

int
work_gather_text(struct work *ret, const struct work_spec *spec,
                 struct run *run, struct plan_id id, struct buf *text,
                 struct err *err)
{
    static const char head[] = "{\"with\":";

    if (!has_only_bindings(&run_flow(run)->tasks[id.task]))
        return work_gather(ret, spec, run, id, err);
    *ret =
        (struct work){.spec = spec, .id = id, .attempt = run_attempts(run, id)};
    buf_clear(text);
    buf_add(text, head, sizeof head - 1);
    if (run_own_text(run, id, text, err) < 0)
        return -1;
    if (text->len == sizeof head - 1)
        return 0;
    buf_char(text, '}');
    ret->item = text->data;
    ret->nitem = text->len;
    return 0;
}

void
work_release(struct work *self)
{
    free(self->name);
    json_decref(self->own);
    json_decref(self->env);
    json_decref(self->argv);
    json_decref(self->input);
    free(self->cwd);
    free(self->creates);
    json_decref(self->handle);
    *self = (struct work){0};
}

json_t *
work_bindings(const struct work *self)
{
    json_t *all =
        self->spec->params ? json_copy(self->spec->params) : json_object();

    if (self->own)
        (void)json_object_update(all, self->own);
    return all;
}

/* ---- as a document ---- */

static void
add_key(struct buf *out, const char *key)
{
    buf_char(out, out->len == 0 ? '{' : ',');
    buf_char(out, '"');
    buf_text(out, key);
    buf_add(out, "\":", 2);
}

static void
add_member(struct buf *out, const char *key, const json_t *value)
{
    if (!value)
        return;
    add_key(out, key);
    value_json(value, out);
}

static int
add_path(struct buf *out, const char *key, const char *path, struct err *err)
{
    json_t *value = path ? json_string(path) : NULL;

    if (path && !value)
        return err_set(err, ERR_INVALID,
                       "%s is not UTF-8 text: it can't be sent to an agent",
                       key);
    add_member(out, key, value);
    json_decref(value);
    return 0;
}

int
work_item(const struct work *self, struct buf *out, struct err *err)
{
    add_member(out, "with", self->own);
    add_member(out, "env", self->env);
    add_member(out, "argv", self->argv);
    add_member(out, "stdin", self->input);
    add_member(out, "handle", self->handle);
    if (add_path(out, "cwd", self->cwd, err) < 0 ||
        add_path(out, "creates", self->creates, err) < 0)
        return -1;
    if (out->len > 0)
        buf_char(out, '}');
    return 0;
}

/* Names that can be those of environment variables. */
static int
take_object(json_t *value, const char *key, json_t **ret, struct err *err)
{
    const char *name;
    json_t *ignored;

    if (!json_is_object(value))
        return err_set(err, ERR_INVALID, "`%s` is %s, not an object", key,
                       value_type_name(value));
    json_object_foreach(value, name, ignored) {
        if (*name == '\0' || strchr(name, '='))
            return err_set(err, ERR_INVALID, "`%s` has a name that is none",
                           key);
    }
    *ret = json_incref(value);
    return 0;
}

static int
take_list(json_t *value, const char *key, json_t **ret, struct err *err)
{
    if (!json_is_array(value))
        return err_set(err, ERR_INVALID, "`%s` is %s, not a list", key,
                       value_type_name(value));
    *ret = json_incref(value);
    return 0;
}

static int
take_path(json_t *value, const char *key, char **ret, struct err *err)
{
    const char *text = json_string_value(value);

    if (!text)
        return err_set(err, ERR_INVALID, "`%s` is %s, not a string", key,
                       value_type_name(value));
    if (strlen(text) < json_string_length(value))
        return err_set(err, ERR_INVALID, "`%s` has a NUL byte in it", key);
    *ret = mem_dup(text);
    return 0;
}

static int
take(struct work *self, const char *key, json_t *value, struct err *err)
{
    if (strcmp(key, "with") == 0)
        return take_object(value, key, &self->own, err);
    if (strcmp(key, "env") == 0)
        return take_object(value, key, &self->env, err);
    if (strcmp(key, "argv") == 0)
        return take_list(value, key, &self->argv, err);
    if (strcmp(key, "cwd") == 0)
        return take_path(value, key, &self->cwd, err);
    if (strcmp(key, "creates") == 0)
        return take_path(value, key, &self->creates, err);
    if (strcmp(key, "handle") == 0)
        return take_object(value, key, &self->handle, err);
    if (strcmp(key, "stdin") != 0)
        return err_set(err, ERR_INVALID, "it has a key that is not known");
    self->input = json_incref(value);
    return 0;
}

int
work_from_item(struct work *ret, const json_t *item, struct err *err)
{
    struct work self = {0};
    const char *key;
    json_t *value;

    if (item && !json_is_object(item)) {
        (void)err_set(err, ERR_INVALID, "it is %s, not an object",
                      value_type_name(item));
        return err_prefix(err, "an attempt's item: ");
    }
    json_object_foreach((json_t *)(uintptr_t)item, key, value) {
        if (take(&self, key, value, err) < 0) {
            work_release(&self);
            return err_prefix(err, "an attempt's item: ");
        }
    }
    ret->own = self.own;
    ret->env = self.env;
    ret->argv = self.argv;
    ret->input = self.input;
    ret->cwd = self.cwd;
    ret->creates = self.creates;
    ret->handle = self.handle;
    return 0;
}

/* ---- what handlers are asked ---- */

json_t *
work_handle(const struct run_change *change)
{
    json_t *json = json_pack("{s:i,s:i}", "from", (int)change->from, "to",
                             (int)change->state);

    if (change->value)
        (void)json_object_set(json, "value",
                              (json_t *)(uintptr_t)change->value);
    if (change->cause)
        (void)json_object_set_new(json, "cause", json_string(change->cause));
    return json;
}

static bool
take_state(const json_t *value, enum plan_state *ret)
{
    json_int_t state = json_integer_value(value);

    if (!json_is_integer(value) || state < 0 || state >= PLAN_STATE_COUNT)
        return false;
    *ret = (enum plan_state)state;
    return true;
}

int
work_from_handle(struct run_change *ret, const json_t *handle, struct err *err)
{
    const json_t *cause = json_object_get(handle, "cause");

    if (!take_state(json_object_get(handle, "from"), &ret->from) ||
        !take_state(json_object_get(handle, "to"), &ret->state) ||
        (cause && !json_is_string(cause)))
        return err_set(err, ERR_INVALID, "no change of state");
    ret->value = json_object_get(handle, "value");
    ret->cause = json_string_value(cause);
    return 0;
}

bool
work_program_is_hash(const void *program, size_t n)
{
    /* A path of that length is told from a hash by its beginning, and by being
     * text, which a hash is not but once in an age. */
    return n == WORK_PROGRAM_HASH &&
           (*(const char *)program != '/' || utf8_valid(program, n) < n);
}
