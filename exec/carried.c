/* SPDX-License-Identifier: MPL-2.0 */
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/span.h"
#include "exec/carry_impl.h"
#include "flow/value.h"
#include "proto/limits.h"

/* LEAT_RUN and so on: what a command can know of itself. */
struct context {
    char *strings[6];
};

static void
free_strings(char **list)
{
    for (size_t i = 0; list && list[i]; i++)
        free(list[i]);
}

static char **
copy_strings(const char *const *list)
{
    char **copy;
    size_t n = 0;

    if (!list)
        return NULL;
    while (list[n])
        n++;
    copy = mem_alloc(n + 1, sizeof *copy);
    for (size_t i = 0; i < n; i++)
        copy[i] = mem_dup(list[i]);
    return copy;
}

struct carried *
carried_new(const struct work *work, const char *const *env, void *tag)
{
    struct carried *self = mem_alloc(1, sizeof *self);

    self->work = work;
    self->env = copy_strings(env);
    self->done.tag = tag;
    self->done.state = PLAN_SUCCEEDED;
    self->done.code = -1;
    self->done.started = span_wall();
    return self;
}

void
carried_destroy(struct carried **self_p)
{
    struct carried *self = *self_p;

    if (!self)
        return;
    free_strings(self->env);
    free(self->env);
    free(self->cwd);
    command_destroy(&self->command);
    carry_done_release(&self->done);
    free(self);
    *self_p = NULL;
}

void
carry_done_release(struct carry_done *self)
{
    json_decref(self->value);
    buf_release(&self->cause);
    free(self->cwd);
    *self = (struct carry_done){0};
}

void
carried_fail(struct carried *self, enum plan_state state, const char *cause)
{
    self->done.state = state;
    buf_clear(&self->done.cause);
    buf_text(&self->done.cause, cause);
}

/* ---- where ---- */

static bool
is_folder(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* `cwd:` seen from a folder, each of which may be none; a heap string. */
static char *
seen_from(const char *base, const char *cwd)
{
    if (!cwd)
        return mem_dup(base);
    if (!base || cwd[0] == '/')
        return mem_dup(cwd);
    return mem_printf("%s/%s", base, cwd);
}

static char *
make_scratch(void)
{
    const char *tmp = getenv("TMPDIR");
    char *path = mem_printf("%s/leat-XXXXXX", tmp && *tmp ? tmp : "/tmp");

    if (mkdtemp(path))
        return path;
    free(path);
    return NULL;
}

int
carried_find_place(struct carried *self)
{
    const char *home = self->work->spec->home;
    const char *cwd = self->work->cwd;
    bool homeless = home && !is_folder(home);
    char *scratch = NULL;

    if (homeless)
        home = NULL;
    if (homeless && self->work->spec->kind != FLOW_CALL &&
        (!cwd || cwd[0] != '/')) {
        home = scratch = make_scratch();
        if (!scratch) {
            carried_fail(self, PLAN_FAILED,
                         "can't make a scratch folder to run in");
            return -1;
        }
    }
    self->cwd = seen_from(home, cwd);
    self->elsewhere = homeless || cwd;
    free(scratch);
    return 0;
}

/* ---- creates ---- */

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

bool
carry_is_created(const struct work *work)
{
    char *cwd = seen_from(work->spec->home, work->cwd);
    bool there = work->creates && exists(cwd, work->creates);

    free(cwd);
    return there;
}

bool
carried_is_created(struct carried *self)
{
    const char *path = self->work->creates;

    if (!path || !exists(self->cwd, path))
        return false;
    self->done.state = PLAN_CACHED;
    self->done.value = json_string(path);
    buf_printf(&self->done.cause, "%s exists", path);
    return true;
}

static void
check_created(struct carried *self)
{
    const char *path = self->work->creates;

    json_decref(self->done.value);
    self->done.value = NULL;
    if (exists(self->cwd, path)) {
        self->done.value = json_string(path);
    } else {
        carried_fail(self, PLAN_FAILED, "");
        buf_printf(&self->done.cause, "it ended well but did not create %s",
                   path);
    }
}

void
carried_finish(struct carried *self)
{
    struct carry_done *done = &self->done;

    if (done->state == PLAN_SUCCEEDED && self->work->creates)
        check_created(self);
    if (!plan_state_is_success(done->state)) {
        json_decref(done->value);
        done->value = NULL;
    }
    if (self->elsewhere) {
        done->cwd = self->cwd;
        self->cwd = NULL;
    }
    done->ended = span_wall();
}

/* ---- the command ---- */

static void
make_context(const struct work *work, struct context *c)
{
    const struct work_spec *spec = work->spec;
    int n = 0;

    c->strings[n++] = mem_printf("LEAT_FLOW=%s", spec->flow);
    c->strings[n++] =
        mem_printf("LEAT_TASK=%s", work->name ? work->name : spec->name);
    c->strings[n++] = mem_printf("LEAT_ATTEMPT=%u", work->attempt);
    if (spec->run > 0)
        c->strings[n++] =
            mem_printf("LEAT_RUN=%llu", (unsigned long long)spec->run);
    if (work->id.child != PLAN_WHOLE)
        c->strings[n++] = mem_printf("LEAT_INDEX=%u", work->id.child);
    c->strings[n] = NULL;
}

/* True if one of the pairs in `env` sets the variable that `pair` sets. */
static bool
is_set_by(char *const *env, const char *pair)
{
    size_t n = strcspn(pair, "=");

    for (; *env; env++) {
        if (strncmp(*env, pair, n) == 0 && (*env)[n] == '=')
            return true;
    }
    return false;
}

/* The surrounding environment with `env` over it; a heap array of borrowed. */
static const char **
surroundings(char *const *env)
{
    const char **list;
    size_t n = 0, most = 0;

    while (environ[most])
        most++;
    for (size_t i = 0; env[i]; i++)
        most++;
    list = mem_alloc(most + 1, sizeof *list);
    for (size_t i = 0; environ[i]; i++) {
        if (!is_set_by(env, environ[i]))
            list[n++] = environ[i];
    }
    for (size_t i = 0; env[i]; i++)
        list[n++] = env[i];
    return list;
}

int
carried_command(struct carried *self, bool when, struct exec_spec *spec,
                struct err *err)
{
    const struct work *work = self->work;
    const char **base = self->env ? surroundings(self->env) : NULL;
    struct context context;
    json_t *bindings = work_bindings(work);
    struct command_request request = {
        .script = when ? work->spec->when : work->spec->script,
        .shell = work->spec->shell,
        .argv = work->argv,
        .bindings = bindings,
        .env = work->env,
        .input = when ? NULL : work->input,
        .cwd = self->cwd,
        .context = (const char *const *)context.strings,
        .base = base ? base : (const char *const *)environ,
    };
    int rc;

    make_context(work, &context);
    rc = command_new(&self->command, &request, err);
    if (rc == 0)
        command_spec(self->command, spec);
    spec->keep_stdout = !when && work->spec->value != VALUE_NONE;
    json_decref(bindings);
    free_strings(context.strings);
    free(base);
    return rc;
}

/* ---- ends ---- */

static bool
has_code(const struct flow_codes *codes, int code)
{
    return code >= 0 && code < 256 &&
           (codes->bits[code / 64] >> (code % 64) & 1) != 0;
}

static void
judge(struct carried *self, const struct exec_done *end)
{
    const struct work_spec *spec = self->work->spec;

    self->done.code =
        end->end == EXEC_EXITED || end->end == EXEC_SIGNALED ? end->code : -1;
    if (end->end == EXEC_TIMED_OUT)
        carried_fail(self, PLAN_TIMED_OUT, end->text);
    else if (end->end == EXEC_CANCELLED)
        carried_fail(self, PLAN_CANCELLED, end->text);
    else if (end->end != EXEC_EXITED)
        carried_fail(self, PLAN_FAILED, end->text);
    else if (has_code(&spec->exit_skip, end->code))
        carried_fail(self, PLAN_SKIPPED, end->text);
    else if (has_code(&spec->exit_retry, end->code))
        carried_fail(self, PLAN_RETRYING, end->text);
    else if (end->code != 0)
        carried_fail(self, PLAN_FAILED, end->text);
}

/* systemd's ExecCondition: 0 go on, 1-254 skip, 255 or a signal fail. */
bool
carried_judge_when(struct carried *self, const struct exec_done *end)
{
    char text[LIMIT_CAUSE_BYTES];

    if (end->end == EXEC_EXITED && end->code == 0)
        return true;
    judge(self, end);
    if (end->end == EXEC_EXITED)
        self->done.state = end->code < 255 ? PLAN_SKIPPED : PLAN_FAILED;
    (void)snprintf(text, sizeof text, "when: %s", end->text);
    carried_fail(self, self->done.state, text);
    return false;
}

void
carried_judge_command(struct carried *self, const struct exec_done *end)
{
    enum value_kind kind = self->work->spec->value;
    struct err err;

    judge(self, end);
    if (self->done.state != PLAN_SUCCEEDED || self->work->creates ||
        kind == VALUE_NONE)
        return;
    if (value_parse(kind, buf_str(&end->out), end->out.len, &self->done.value,
                    &err) < 0)
        carried_fail(self, PLAN_FAILED, err.msg);
}

/* ---- a call in a forked child ---- */

void
carried_write_result(const struct carry_done *done, struct buf *result)
{
    const struct buf *cause = &done->cause;

    buf_printf(result, "%d %zu ", (int)done->state, cause->len);
    buf_add(result, buf_str(cause), cause->len);
    if (done->value)
        value_json(done->value, result);
}

void
carried_judge_call(struct carried *self, const struct exec_done *end)
{
    const struct buf *result = &end->result;
    const char *text = buf_str(result);
    char *at = NULL;
    unsigned long state, n;
    struct err err;

    judge(self, end);
    if (self->done.state != PLAN_SUCCEEDED)
        return;
    state = strtoul(text, &at, 10);
    n = strtoul(at, &at, 10) + 1; /* and the space before it */
    if (result->len < (size_t)(at - text) + n) {
        carried_fail(self, PLAN_FAILED, "the function ended its process");
        return;
    }
    if (state != PLAN_SUCCEEDED) {
        char *cause = mem_text(at + 1, n - 1);

        carried_fail(self, (enum plan_state)state, cause);
        free(cause);
    }
    at += n;
    n = result->len - (size_t)(at - text);
    if (n > 0 && value_parse(VALUE_JSON, at, n, &self->done.value, &err) < 0)
        carried_fail(self, PLAN_FAILED, err.msg);
}

/* ---- the cache ---- */

char *
carry_folder(const struct work *work)
{
    return seen_from(work->spec->home, work->cwd);
}

/* Names of files are relative, so the folder belongs to it. The code of a C
 * function is not known; its name is. */
char *
carry_cache_key(const struct work *work)
{
    const struct work_spec *spec = work->spec;
    unsigned char hash[crypto_generichash_BYTES];
    char hex[2 * sizeof hash + 1];
    char *cwd = seen_from(spec->home ? spec->home : ".", work->cwd);
    char *here = cwd[0] == '/' ? NULL : getcwd(NULL, 0);
    json_t *bindings = work_bindings(work);
    struct buf text = {0};

    buf_printf(&text, "%s/%s %d %d %s\n", spec->flow, spec->name,
               (int)spec->kind, (int)spec->value,
               spec->shell ? spec->shell : "");
    buf_printf(&text, "%s/%s\n", here ? here : "", cwd);
    buf_text(&text, spec->script ? spec->script : "");
    buf_char(&text, '\n');
    value_json(bindings, &text);
    value_json(work->argv, &text);
    value_json(work->env, &text);
    value_json(work->input, &text);
    (void)crypto_generichash(hash, sizeof hash,
                             (const unsigned char *)buf_str(&text), text.len,
                             NULL, 0);
    (void)sodium_bin2hex(hex, sizeof hex, hash, sizeof hash);
    json_decref(bindings);
    buf_release(&text);
    free(cwd);
    free(here);
    return mem_dup(hex);
}
