/* SPDX-License-Identifier: MPL-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "exec/command.h"
#include "lib/local_impl.h"
#include "proto/limits.h"

static bool
has_code(const struct flow_codes *codes, int code)
{
    return code >= 0 && code < 256 &&
           (codes->bits[code / 64] >> (code % 64) & 1) != 0;
}

/* A template of the task as text; NULL with the attempt failed. */
char *
attempt_eval_text(struct local *self, const struct tmpl *tmpl, const char *what)
{
    struct attempt *a = self->attempt;
    json_t *value = NULL;
    struct buf text = {0};
    struct err err;

    if (run_eval(self->run, a->id, tmpl, &value, &err) < 0) {
        (void)err_prefix(&err, "%s: ", what);
        attempt_fail(a, PLAN_FAILED, err.msg);
        return NULL;
    }
    value_text(value, &text);
    json_decref(value);
    return buf_take(&text);
}

/* Where the attempt runs; *ret NULL is where this process is. */
static int
find_cwd(struct local *self, char **ret)
{
    struct attempt *a = self->attempt;
    const struct tmpl *tmpl = a->task->options->cwd;
    char *cwd = NULL;

    if (self->homeless && a->task->kind != FLOW_CALL) {
        const char *tmp = getenv("TMPDIR");

        cwd = mem_printf("%s/leat-XXXXXX", tmp && *tmp ? tmp : "/tmp");
        if (!mkdtemp(cwd)) {
            free(cwd);
            attempt_fail(a, PLAN_FAILED,
                         "can't make a scratch folder to run in");
            return -1;
        }
    } else if (self->home && !self->homeless) {
        cwd = mem_dup(self->home);
    }
    if (tmpl) {
        char *own = attempt_eval_text(self, tmpl, "cwd");

        if (!own) {
            free(cwd);
            return -1;
        }
        if (own[0] != '/' && cwd) {
            char *joined = mem_printf("%s/%s", cwd, own);

            free(own);
            own = joined;
        }
        free(cwd);
        cwd = own;
    }
    if (cwd && (self->homeless || tmpl))
        a->cwd = mem_dup(cwd);
    *ret = cwd;
    return 0;
}

static int
eval_env(struct local *self, json_t **ret, struct err *err)
{
    const struct attempt *a = self->attempt;
    const struct flow_options *options = a->task->options;
    json_t *env = NULL;

    if (options->nenv == 0)
        return 0;
    env = json_object();
    for (uint32_t i = 0; i < options->nenv; i++) {
        json_t *value = NULL;

        if (run_eval(self->run, a->id, options->env[i].value, &value, err) <
            0) {
            json_decref(env);
            return err_prefix(err, "env: `%s`: ", options->env[i].name);
        }
        (void)json_object_set_new(env, options->env[i].name, value);
    }
    *ret = env;
    return 0;
}

static void
make_context(const struct local *self, struct context *c)
{
    const struct attempt *a = self->attempt;
    struct buf name = {0};
    int n = 0;

    run_name(self->run, a->id, &name);
    c->strings[n++] = mem_printf("LEAT_FLOW=%s", self->request->flow->name);
    c->strings[n++] = mem_printf("LEAT_TASK=%s", buf_str(&name));
    c->strings[n++] = mem_printf("LEAT_ATTEMPT=%u", a->number);
    if (self->id > 0)
        c->strings[n++] =
            mem_printf("LEAT_RUN=%llu", (unsigned long long)self->id);
    if (a->id.child != PLAN_WHOLE)
        c->strings[n++] = mem_printf("LEAT_INDEX=%u", a->id.child);
    c->strings[n] = NULL;
    buf_release(&name);
}

static void
free_context(struct context *c)
{
    for (int i = 0; c->strings[i]; i++)
        free(c->strings[i]);
}

void
material_release(struct material *m)
{
    json_decref(m->bindings);
    json_decref(m->env);
    json_decref(m->argv);
    json_decref(m->input);
    free(m->cwd);
    free_context(&m->context);
}

int
material_gather(struct local *self, struct material *m)
{
    struct attempt *a = self->attempt;
    const struct flow_task *task = a->task;
    struct err err;

    make_context(self, &m->context);
    if (find_cwd(self, &m->cwd) < 0)
        return -1;
    if (run_bindings(self->run, a->id, &m->bindings, &err) < 0 ||
        eval_env(self, &m->env, &err) < 0)
        goto failed;
    if (task->argv &&
        run_eval(self->run, a->id, task->argv, &m->argv, &err) < 0) {
        (void)err_prefix(&err, "argv: ");
        goto failed;
    }
    if (task->input &&
        run_eval(self->run, a->id, task->input, &m->input, &err) < 0) {
        (void)err_prefix(&err, "stdin: ");
        goto failed;
    }
    return 0;
failed:
    attempt_fail(a, PLAN_FAILED, err.msg);
    return -1;
}

static void
pass_output(void *ctx, void *tag, enum exec_stream stream, const char *data,
            size_t n)
{
    (void)tag;
    local_output(ctx, stream == EXEC_STDOUT ? 1 : 2, data, n);
}

static struct exec *
get_exec(struct local *self)
{
    struct err err;

    if (!self->exec && exec_new(&self->exec, pass_output, self, &err) < 0)
        attempt_fail(self->attempt, PLAN_FAILED, err.msg);
    return self->exec;
}

/* A process in the background ends with its task: people should know. */
static void
tell_leftovers(struct local *self, unsigned n)
{
    char text[80];
    int len = snprintf(text, sizeof text,
                       "[leat: ended %u process%s that it left running]\n", n,
                       n == 1 ? "" : "es");

    local_output(self, 0, text, (size_t)len);
}

/* Start it and see it to its end. */
int
attempt_exec(struct local *self, struct exec_spec *spec, struct exec_done *done)
{
    struct attempt *a = self->attempt;
    struct exec *exec = get_exec(self);
    struct err err;

    if (!exec)
        return -1;
    spec->timeout = a->task->options->timeout;
    spec->grace = a->task->options->grace;
    if (exec_start(exec, spec, &err) < 0) {
        attempt_fail(a, PLAN_FAILED, err.msg);
        return -1;
    }
    while (local_wait(self, SPAN_NEVER, done) == 0)
        ;
    if (done->leftovers > 0)
        tell_leftovers(self, done->leftovers);
    a->cpu += done->usage.cpu;
    if (done->usage.memory > a->memory)
        a->memory = done->usage.memory;
    return 0;
}

/* Run a script, or the task's own command if script is NULL. */
static int
run_command(struct local *self, const struct material *m, const char *script,
            struct exec_done *done)
{
    const struct flow_task *task = self->attempt->task;
    struct command_request request = {
        .script = script ? script : task->script,
        .shell = task->options->shell,
        .argv = m->argv,
        .bindings = m->bindings,
        .env = m->env,
        .input = script ? NULL : m->input,
        .cwd = m->cwd,
        .context = (const char *const *)m->context.strings,
        .base = (const char *const *)environ,
    };
    struct exec_spec spec = {
        .keep_stdout = !script && task->value != VALUE_NONE,
    };
    struct command *command = NULL;
    struct err err;
    int rc;

    if (command_new(&command, &request, &err) < 0) {
        attempt_fail(self->attempt, PLAN_FAILED, err.msg);
        return -1;
    }
    command_spec(command, &spec);
    rc = attempt_exec(self, &spec, done);
    command_destroy(&command);
    return rc;
}

/* What the way a process ended makes of the attempt. */
void
attempt_judge(struct attempt *a, const struct exec_done *done)
{
    const struct flow_options *options = a->task->options;

    a->code = done->end == EXEC_EXITED || done->end == EXEC_SIGNALED
                  ? done->code
                  : -1;
    if (done->end == EXEC_TIMED_OUT)
        attempt_fail(a, PLAN_TIMED_OUT, done->text);
    else if (done->end == EXEC_CANCELLED)
        attempt_fail(a, PLAN_CANCELLED, done->text);
    else if (done->end != EXEC_EXITED)
        attempt_fail(a, PLAN_FAILED, done->text);
    else if (has_code(&options->exit_skip, done->code))
        attempt_fail(a, PLAN_SKIPPED, done->text);
    else if (has_code(&options->exit_retry, done->code))
        attempt_fail(a, PLAN_RETRYING, done->text);
    else if (done->code != 0)
        attempt_fail(a, PLAN_FAILED, done->text);
}

/* systemd's ExecCondition: 0 go on, 1-254 skip, 255 or a signal fail. */
bool
attempt_condition_holds(struct local *self, const struct material *m)
{
    struct attempt *a = self->attempt;
    struct exec_done done = {0};
    char text[LIMIT_CAUSE_BYTES];
    bool go_on;

    if (run_command(self, m, a->task->when, &done) < 0)
        return false;
    go_on = done.end == EXEC_EXITED && done.code == 0;
    if (!go_on) {
        attempt_judge(a, &done);
        if (done.end == EXEC_EXITED)
            a->state = done.code < 255 ? PLAN_SKIPPED : PLAN_FAILED;
        (void)snprintf(text, sizeof text, "when: %s", done.text);
        attempt_fail(a, a->state, text);
    }
    exec_done_release(&done);
    return go_on;
}

static void
take_value(struct attempt *a, const struct buf *out)
{
    struct err err;

    if (a->task->value == VALUE_NONE)
        return;
    if (value_parse(a->task->value, buf_str(out), out->len, &a->value, &err) <
        0)
        attempt_fail(a, PLAN_FAILED, err.msg);
}

void
attempt_command(struct local *self, const struct material *m)
{
    struct attempt *a = self->attempt;
    struct exec_done done = {0};

    if (run_command(self, m, NULL, &done) < 0)
        return;
    attempt_judge(a, &done);
    if (a->state == PLAN_SUCCEEDED && !a->task->creates)
        take_value(a, &done.out);
    exec_done_release(&done);
}
