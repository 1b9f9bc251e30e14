/* SPDX-License-Identifier: MPL-2.0 */
#include "lib/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sodium.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/span.h"
#include "flow/value.h"
#include "lib/answers.h"
#include "lib/capture.h"
#include "lib/task.h"
#include "lib/variables.h"
#include "proto/convert.h"
#include "proto/page.h"
#include "proto/wire.h"

#define READ_BYTES 65536

struct worker {
    const struct flow *flow;  /* borrowed */
    worker_handle_fn *handle; /* or NULL */
    void *handle_ctx;
    char *hash;
    int fd;
    struct answers answers;
    struct capture *capture;
    struct lane_in *lane;
    struct buf in;
    size_t at;   /* of `in`: handled up to here */
    int64_t now; /* wall: when the last call ended, or this frame came */
    char *cwd;   /* where it is; NULL: where it was started */
    struct variables variables;
};

/* ---- is it wanted ---- */

/* The socket; -1 if there is none: somebody else has set the variable. */
static int
find_socket(void)
{
    const char *text = getenv(PAGE_ENV);
    struct stat st;
    char *end;
    long fd;

    if (!text)
        return -1;
    fd = strtol(text, &end, 10);
    if (end == text || *end != '\0' || fd < 3 || fd > INT32_MAX - 1)
        return -1;
    return fstat((int)fd, &st) == 0 && S_ISSOCK(st.st_mode) ? (int)fd : -1;
}

bool
worker_is_wanted(void)
{
    return find_socket() >= 0;
}

char *
worker_flow_hash(const struct flow *flow)
{
    unsigned char hash[crypto_generichash_BYTES];
    char *hex = mem_alloc(1, 2 * sizeof hash + 1);
    char *text = flow_to_text(flow);

    (void)crypto_generichash(hash, sizeof hash, (const unsigned char *)text,
                             strlen(text), NULL, 0);
    (void)sodium_bin2hex(hex, 2 * sizeof hash + 1, hash, sizeof hash);
    free(text);
    return hex;
}

_Noreturn static void
leave(struct worker *self, const char *why)
{
    if (why) {
        capture_pause(self->capture);
        (void)dprintf(STDERR_FILENO, "leat: %s\n", why);
    }
    _exit(why ? 70 : 0);
}

/* ---- a call ---- */

static void
on_output(void *ctx, int stream, const char *data, size_t n)
{
    answers_output(ctx, stream, data, n);
}

/* Is the function, or are the handlers, in this program? */
static bool
has_call(const struct worker *self, const struct work_spec *spec)
{
    const struct flow_task *task;

    if (spec->source_hash && strcmp(spec->source_hash, self->hash) != 0)
        return false;
    if (spec->task >= self->flow->ntask)
        return false;
    if (spec->handlers)
        return self->handle && flow_is_handled(self->flow, spec->task);
    task = &self->flow->tasks[spec->task];
    return task->kind == FLOW_CALL && task->call;
}

/* False: it can't, for that cause (LIMIT_CAUSE_BYTES). */
static bool
go(struct worker *self, const char *home, char *cause)
{
    if (!home || (self->cwd && strcmp(home, self->cwd) == 0))
        return true;
    if (chdir(home) < 0) {
        (void)snprintf(cause, LIMIT_CAUSE_BYTES, "can't go to %s: %s", home,
                       strerror(errno));
        return false;
    }
    free(self->cwd);
    self->cwd = mem_dup(home);
    return true;
}

static void
make_call(struct worker *self, const struct work *work, struct result *result)
{
    const struct work_spec *spec = work->spec;
    struct leat_task task = {
        .flow = self->flow,
        .unread = work->item ? work : NULL,
        .own = work->own,
        .params = spec->params,
        .id = work->id,
        .attempt = work->attempt,
        .run_number = spec->run,
        .state = PLAN_SUCCEEDED,
    };
    struct err err;

    variables_set(&self->variables, work->env);
    if (!go(self, spec->home, task.cause))
        task.state = PLAN_FAILED;
    if (task.state == PLAN_SUCCEEDED)
        task_call(&task, &result->value);
    capture_collect(self->capture, on_output, &self->answers);
    if (task.state == PLAN_SUCCEEDED && result->value &&
        value_check(result->value, &err) < 0) {
        task.state = PLAN_FAILED;
        (void)snprintf(task.cause, sizeof task.cause, "%.*s",
                       LIMIT_CAUSE_BYTES - 1, err.msg);
    }
    result->state = task.state;
    if (task.state == PLAN_SUCCEEDED)
        return;
    json_decref(result->value);
    result->value = NULL;
    result->cause = mem_dup(task.cause);
}

/* What they answer is the value; a cause is told only if it is theirs. */
static void
call_handlers(struct worker *self, const struct work *work,
              struct result *result)
{
    struct run_change change = {.id = work->id, .attempt = work->attempt};
    char cause[LIMIT_CAUSE_BYTES];
    enum plan_state state;
    const char *before;
    struct err err;

    if (work_from_handle(&change, work->handle, &err) < 0)
        leave(self, err.msg);
    before = change.cause;
    variables_set(&self->variables, work->env);
    result->state = PLAN_FAILED;
    if (!go(self, work->spec->home, cause)) {
        result->cause = mem_dup(cause);
        return;
    }
    state = self->handle(self->handle_ctx, &change);
    capture_collect(self->capture, on_output, &self->answers);
    result->state = PLAN_SUCCEEDED;
    result->value = json_integer(state);
    if (change.cause != before)
        result->cause = mem_dup(change.cause);
}

/* Variables must be set before the call, and handlers see all there is; a
 * function's arguments are read when asked for. */
static bool
is_read_first(const struct work *work)
{
    static const char key[] = "\"env\"";

    if (work->spec->handlers)
        return true;
    return work->item &&
           memmem(work->item, work->nitem, key, sizeof key - 1) != NULL;
}

static void
on_task(void *ctx, const struct lane_task *task)
{
    struct worker *self = ctx;
    struct result result = {.code = -1, .started = self->now};
    struct err err;

    if (is_read_first(task->work) && lane_work_read(task->work, &err) < 0)
        leave(self, err.msg);

    answers_begin(&self->answers, task->ticket, self->now);
    if (has_call(self, task->work->spec)) {
        if (task->work->spec->handlers)
            call_handlers(self, task->work, &result);
        else
            make_call(self, task->work, &result);
    } else {
        result.state = PLAN_CRASHED;
        result.refused = REFUSED_PROGRAM;
        result.cause = mem_dup("the program's flow is not the one of the run: "
                               "was it built anew meanwhile?");
    }
    self->now = result.ended = span_wall();
    answers_end(&self->answers, &result);
    json_decref(result.value);
    free((char *)(uintptr_t)result.cause);
    lane_work_free(task->work);
}

/* ---- frames ---- */

/* What else there is in a Lane no agent tells a worker. */
static const struct lane_calls lane_calls = {.task = on_task,
                                             .passes_on = true};

static void
handle_frame(struct worker *self, const char *data, size_t n)
{
    struct wire wire;
    struct err err;

    if (wire_decode(&wire, data, n, &err) < 0)
        leave(self, err.msg);
    if (wire.type != WIRE_LANE)
        leave(self, "a worker was sent something else than calls");
    self->now = span_wall();
    if (lane_read(self->lane, &wire, &lane_calls, self, &err) < 0)
        leave(self, err.msg);
    wire_release(&wire);
}

/* Handle the whole frames there are. */
static void
handle_input(struct worker *self)
{
    size_t n = 0;
    struct err err;

    for (;;) {
        const char *data = self->in.data + self->at;
        size_t left = self->in.len - self->at;

        if (wire_frame_bytes(data, left, &n, &err) < 0)
            leave(self, err.msg);
        if (n == 0 || n > left)
            break;
        handle_frame(self, data, n);
        self->at += n;
    }
    if (self->at == 0)
        return;
    memmove(self->in.data, self->in.data + self->at, self->in.len - self->at);
    self->in.len -= self->at;
    self->at = 0;
}

/* Nothing is kept back while there is nothing to do. */
static void
read_input(struct worker *self)
{
    char *into = buf_reserve(&self->in, READ_BYTES);
    ssize_t n = recv(self->fd, into, READ_BYTES, MSG_DONTWAIT);

    if (n < 0 && errno == EAGAIN) {
        answers_flush(&self->answers);
        atomic_store(&self->answers.page->current, 0);
        n = recv(self->fd, into, READ_BYTES, 0);
    }
    if (n < 0 && errno == EINTR)
        return;
    if (n <= 0)
        leave(self, NULL);
    buf_added(&self->in, (size_t)n);
}

/* ---- life ---- */

static struct page *
map_page(int fd, struct err *err)
{
    struct stat st;
    void *at;

    if (fstat(fd, &st) < 0 || (size_t)st.st_size < sizeof(struct page)) {
        (void)err_set(err, ERR_UNAVAILABLE,
                      "the agent that started this process is of another "
                      "version of leat");
        return NULL;
    }
    at = mmap(NULL, sizeof(struct page), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
              0);
    if (at == MAP_FAILED) {
        (void)err_system(err, "can't share memory with the agent");
        return NULL;
    }
    if (((struct page *)at)->version != PAGE_VERSION) {
        (void)munmap(at, sizeof(struct page));
        (void)err_set(err, ERR_UNAVAILABLE,
                      "the agent that started this process is of another "
                      "version of leat");
        return NULL;
    }
    return at;
}

/* What was printed by then is not lost when a call is ended. */
static void
heed_term(void)
{
    capture_heed(SIGTERM);
}

int
worker_serve(const struct flow *flow, worker_handle_fn *handle, void *ctx,
             struct err *err)
{
    struct worker self = {
        .flow = flow, .handle = handle, .handle_ctx = ctx, .fd = find_socket()};
    const char *wanted = getenv(PAGE_ENV_FLOW);
    struct page *page;

    self.hash = worker_flow_hash(flow);
    if (wanted && strcmp(wanted, self.hash) != 0) {
        free(self.hash);
        return err_set(err, ERR_INVALID,
                       "this process is to make calls of another flow than "
                       "`%s`",
                       flow->name);
    }
    page = map_page(self.fd + 1, err);
    if (!page || capture_new(&self.capture, err) < 0) {
        free(self.hash);
        return -1;
    }
    heed_term();
    (void)fcntl(self.fd, F_SETFD, FD_CLOEXEC);
    (void)close(self.fd + 1);
    (void)unsetenv(PAGE_ENV);
    (void)unsetenv(PAGE_ENV_FLOW);
    self.lane = lane_in_new();
    answers_init(&self.answers, self.fd, page);
    atomic_store(&page->serving, 1);
    for (;;) {
        read_input(&self);
        handle_input(&self);
    }
}
