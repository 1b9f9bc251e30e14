/* SPDX-License-Identifier: MPL-2.0 */
#include "lib/remote.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/span.h"
#include "exec/exec.h"
#include "proto/limits.h"

#define WORDS 64 /* of the ssh command line */
#define GRACE SPAN_SECOND

void
remote_host_release(struct remote_host *self)
{
    buf_release(&self->out);
    buf_release(&self->errors);
    free(self->text);
    *self = (struct remote_host){0};
}

/* ssh, its own options, ours, the host, what to run there. */
struct words {
    const char *list[WORDS];
    char *text; /* what the first ones are cut from */
};

static int
make_words(struct words *self, const struct remote_script *script,
           const char *host, struct err *err)
{
    char *rest = NULL;
    size_t n = 0;

    self->text = mem_dup(script->ssh ? script->ssh : "ssh");
    for (char *word = strtok_r(self->text, " ", &rest); word;
         word = strtok_r(NULL, " ", &rest)) {
        if (n == WORDS - 10) {
            free(self->text);
            return err_set(err, ERR_LIMIT,
                           "the ssh command line has more than %d words",
                           WORDS - 10);
        }
        self->list[n++] = word;
    }
    self->list[n++] = "-o";
    self->list[n++] = "BatchMode=yes";
    /* A master of its own would outlive the script, and be ended with it. */
    self->list[n++] = "-o";
    self->list[n++] = "ControlMaster=no";
    self->list[n++] = "-T";
    self->list[n++] = "--";
    self->list[n++] = host;
    self->list[n++] = script->shell;
    self->list[n] = NULL;
    return 0;
}

static int
start(struct exec *exec, struct remote_host *host,
      const struct remote_script *script, struct err *err)
{
    struct words words = {0};
    struct exec_spec spec = {
        .argv = words.list,
        .envp = (const char *const *)environ,
        .input = script->input,
        .ninput = script->ninput,
        .timeout = script->timeout,
        .grace = GRACE,
        .keep_stdout = true,
        .tag = host,
    };
    int rc;

    if (make_words(&words, script, host->name, err) < 0)
        return -1;
    rc = exec_start(exec, &spec, err);
    free(words.text);
    return rc;
}

static void
finish(struct exec_done *done, remote_done_fn *fn, void *ctx)
{
    struct remote_host *host = done->tag;

    host->ended_well = done->end == EXEC_EXITED && done->code == 0;
    host->out = done->out;
    host->errors = done->errors;
    host->text = done->text;
    done->out = done->errors = (struct buf){0};
    done->text = NULL;
    exec_done_release(done);
    fn(ctx, host);
}

int
remote_run(struct remote_host *hosts, size_t n,
           const struct remote_script *script, remote_done_fn *done, void *ctx,
           struct err *err)
{
    struct exec *exec = NULL;
    size_t next = 0;
    int rc = -1;

    if (exec_new(&exec, NULL, NULL, err) < 0)
        return -1;
    while (next < n || exec_running(exec) > 0) {
        struct exec_done one;

        if (next < n && exec_running(exec) < LIMIT_REMOTE) {
            if (start(exec, &hosts[next++], script, err) < 0)
                goto out;
        } else if (exec_wait(exec, -1, &one) > 0) {
            finish(&one, done, ctx);
        }
    }
    rc = 0;
out:
    exec_destroy(&exec);
    return rc;
}
