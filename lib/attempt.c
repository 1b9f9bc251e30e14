/* SPDX-License-Identifier: MPL-2.0 */
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "lib/local_impl.h"

void
attempt_fail(struct attempt *a, enum plan_state state, const char *cause)
{
    a->state = state;
    buf_clear(&a->cause);
    buf_text(&a->cause, cause);
}

/* The path of creates:, which is the task's value; NULL if it failed. */
static char *
created_path(struct local *self)
{
    return attempt_eval_text(self, self->attempt->task->creates, "creates");
}

static bool
exists(const char *cwd, const char *path)
{
    struct stat st;
    int at = AT_FDCWD;
    bool there;

    if (cwd)
        at = open(cwd, O_PATH | O_DIRECTORY | O_CLOEXEC);
    there = fstatat(at, path, &st, 0) == 0;
    if (cwd && at >= 0)
        (void)close(at);
    return there;
}

static bool
is_created(struct local *self, const char *cwd)
{
    struct attempt *a = self->attempt;
    char *path = created_path(self);
    bool there = path && exists(cwd, path);

    if (there) {
        a->state = PLAN_CACHED;
        a->value = json_string(path);
        buf_printf(&a->cause, "%s exists", path);
    }
    free(path);
    return there || a->state != PLAN_SUCCEEDED;
}

static void
check_created(struct local *self, const char *cwd)
{
    struct attempt *a = self->attempt;
    char *path = created_path(self);

    if (!path)
        return;
    if (exists(cwd, path)) {
        a->value = json_string(path);
    } else {
        attempt_fail(a, PLAN_FAILED, "");
        buf_printf(&a->cause, "it ended well but did not create %s", path);
    }
    free(path);
}

/*
 * What a cached value depends on: the task as it is written, everything that
 * is bound, and the folder it runs in, for names of files are relative. The
 * code of a C function is not known; its name is.
 */
static char *
cache_key(struct local *self, const struct material *m)
{
    const struct flow_task *task = self->attempt->task;
    unsigned char hash[crypto_generichash_BYTES];
    char hex[2 * sizeof hash + 1];
    const char *cwd = m->cwd ? m->cwd : ".";
    char *here = cwd[0] == '/' ? NULL : getcwd(NULL, 0);
    struct buf text = {0};

    buf_printf(&text, "%s/%s %d %d %s\n", self->request->flow->name, task->name,
               (int)task->kind, (int)task->value,
               task->options->shell ? task->options->shell : "");
    buf_printf(&text, "%s/%s\n", here ? here : "", cwd);
    buf_text(&text, task->script ? task->script : "");
    buf_char(&text, '\n');
    value_json(m->bindings, &text);
    value_json(m->argv, &text);
    value_json(m->env, &text);
    value_json(m->input, &text);
    (void)crypto_generichash(hash, sizeof hash,
                             (const unsigned char *)buf_str(&text), text.len,
                             NULL, 0);
    (void)sodium_bin2hex(hex, sizeof hex, hash, sizeof hash);
    buf_release(&text);
    free(here);
    return mem_dup(hex);
}

static bool
is_cached(struct local *self, const char *key)
{
    struct attempt *a = self->attempt;
    struct err err;

    if (self->request->no_cache ||
        store_cache_get(self->request->store, key, a->task->options->cache_for,
                        &a->value, &err) < 0)
        return false;
    a->state = PLAN_CACHED;
    buf_text(&a->cause, "from an earlier run");
    return true;
}

/* ---- one attempt ---- */

static bool
is_plain_call(const struct flow_task *task)
{
    return task->kind == FLOW_CALL && task->options->timeout == 0 &&
           !task->when && !task->creates && task->options->cache_for == 0;
}

static void
carry_out(struct local *self)
{
    struct attempt *a = self->attempt;
    const struct flow_task *task = a->task;
    struct material m = {0};
    char *key = NULL;
    struct err err;

    if (material_gather(self, &m) < 0)
        goto out;
    if (task->creates && is_created(self, m.cwd))
        goto out;
    if (task->options->cache_for > 0 && self->request->store) {
        key = cache_key(self, &m);
        if (is_cached(self, key))
            goto out;
    }
    if (task->when && !attempt_condition_holds(self, &m))
        goto out;
    if (local_is_ending(self)) {
        attempt_fail(a, PLAN_CANCELLED, "cancelled");
        goto out;
    }
    if (task->kind != FLOW_CALL)
        attempt_command(self, &m);
    else if (task->options->timeout > 0)
        attempt_call_forked(self);
    else
        attempt_call(self);
    if (a->state == PLAN_SUCCEEDED && task->creates)
        check_created(self, m.cwd);
    if (a->state == PLAN_SUCCEEDED && key &&
        store_cache_put(self->request->store, key,
                        a->value ? a->value : json_null(), &err) < 0)
        local_break(self, &err);
out:
    free(key);
    material_release(&m);
}

void
attempt_carry_out(struct local *self, struct plan_id id)
{
    struct attempt a = {
        .id = id,
        .number = run_attempts(self->run, id),
        .task = &self->request->flow->tasks[id.task],
        .state = PLAN_SUCCEEDED,
        .code = -1,
    };
    struct run_outcome outcome;

    /* cppcheck-suppress autoVariables ; it is NULL again below */
    self->attempt = &a;
    if (self->keep_times)
        a.started = span_wall();
    if (is_plain_call(a.task))
        attempt_call(self);
    else
        carry_out(self);
    if (self->keep_times)
        a.ended = span_wall();
    if (!plan_state_is_success(a.state) && a.value) {
        json_decref(a.value);
        a.value = NULL;
    }
    outcome = (struct run_outcome){
        .state = a.state,
        .value = a.value,
        .cause = a.cause.len > 0 ? buf_str(&a.cause) : NULL,
    };
    /* Only a retry needs to know when. */
    run_report(self->run, id, &outcome,
               a.state == PLAN_SUCCEEDED ? 0 : span_mono());
    self->attempt = NULL;
    buf_release(&a.cause);
    free(a.cwd);
}
