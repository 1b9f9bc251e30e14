/* SPDX-License-Identifier: MPL-2.0 */
#include "lib/local.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "lib/local_impl.h"

#define TICK (100 * SPAN_MS)
#define LOOK SPAN_MS /* between looks at interrupts while functions run */
/* A command may be over by then: a commit each costs a tenth of /bin/true, and
 * some share one before it is due. */
#define SHORT (2 * SPAN_MS)

/* ---- what the run tells ---- */

static bool
is_recorded(const struct local *self, const struct run_change *change)
{
    const struct flow_task *task = &self->request->flow->tasks[change->id.task];

    if (!self->request->store || change->kept || self->broken)
        return false;
    /*
     * A function of this process can't be told from its end by anybody, so
     * its start is worth a record only if it must never happen twice.
     */
    return change->state != PLAN_RUNNING || task->kind != FLOW_CALL ||
           task->options->timeout > 0 || task->options->at_most_once;
}

/*
 * That it begins, if it must never begin again; and what took longer than a
 * record may wait, as nobody looks at the store while the next function runs.
 */
static bool
is_urgent(const struct flow_task *task, const struct store_record *r)
{
    if (r->state == PLAN_RUNNING)
        return task->options->at_most_once;
    return task->kind == FLOW_CALL && r->ended - r->started >= STORE_FLUSH_DUE;
}

static void
record(struct local *self, const struct run_change *change)
{
    const struct flow_task *task = &self->request->flow->tasks[change->id.task];
    const struct attempt *a = self->attempt;
    struct store_record r = {
        .id = change->id,
        .task = task->name,
        .attempt = change->attempt,
        .state = change->state,
        .value = change->value,
        .cause = change->cause,
        .code = -1,
    };
    struct err err;

    if (a && plan_id_is(a->id, r.id)) {
        r.code = a->code;
        r.started = a->started;
        r.ended = a->ended;
        r.cpu = a->cpu;
        r.memory = a->memory;
        r.cwd = a->cwd;
    } else if (change->state == PLAN_RUNNING) {
        r.started = span_wall();
    }
    if (change->state == PLAN_MAPPED)
        r.children = plan_children(run_plan(self->run), r.id.task);
    buf_clear(&self->key);
    if (run_key(self->run, r.id, &self->key))
        r.key = buf_str(&self->key);
    if (store_record(self->request->store, self->id, &r, &err) < 0 ||
        (is_urgent(task, &r) && store_flush(self->request->store, &err) < 0))
        local_break(self, &err);
}

static void
on_changed(void *ctx, const struct run_change *change)
{
    struct local *self = ctx;
    const struct local_watch *watch = self->request->watch;

    if (is_recorded(self, change))
        record(self, change);
    if (watch && watch->changed)
        watch->changed(watch->ctx, self->run, change);
}

static enum plan_state
on_handle(void *ctx, struct run_change *change)
{
    const struct local *self = ctx;
    enum plan_state state;

    if (self->capture)
        capture_pause(self->capture);
    state = self->request->handle(self->request->handle_ctx, change);
    if (self->capture)
        capture_resume(self->capture);
    return state;
}

void
local_output(struct local *self, int stream, const char *data, size_t n)
{
    const struct local_watch *watch = self->request->watch;
    const struct attempt *a = self->attempt;
    struct err err;

    if (self->request->store && !self->broken &&
        store_output(self->request->store, self->id, a->id, a->number, stream,
                     data, n, &err) < 0)
        local_break(self, &err);
    if (watch && watch->output)
        watch->output(watch->ctx, self->run, a->id, stream, data, n);
}

void
local_break(struct local *self, const struct err *err)
{
    if (self->broken)
        return;
    self->broken = true;
    self->err = *err;
    if (self->carrier)
        carrier_cancel(self->carrier, NULL, true);
}

/* ---- waiting ---- */

static void
cancel(struct local *self, bool now)
{
    run_cancel(self->run);
    if (self->carrier)
        carrier_cancel(self->carrier, NULL, now);
}

static void
read_interrupts(struct local *self)
{
    char bytes[16];
    ssize_t n = read(self->interrupt_fd, bytes, sizeof bytes);

    if (n == 0)
        self->interrupt_fd = -1; /* closed: no more will come */
    if (n <= 0)
        return;
    self->interrupts += (int)n;
    cancel(self, self->interrupts > 1 || self->timed_out);
}

static void
tick(struct local *self, int64_t now)
{
    const struct local_watch *watch = self->request->watch;

    if (!watch || !watch->tick || now - self->ticked < TICK)
        return;
    self->ticked = now;
    watch->tick(watch->ctx, self->run);
}

static bool
is_pending(const struct local *self)
{
    return self->request->store && !self->broken &&
           store_due(self->request->store) < SPAN_NEVER;
}

/* Commit what has been due at that moment; before SPAN_NEVER, all there is. */
static void
flush_due(struct local *self, int64_t when)
{
    struct err err;

    if (is_pending(self) && store_due(self->request->store) <= when &&
        store_flush(self->request->store, &err) < 0)
        local_break(self, &err);
}

static int64_t
sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Everything that has its time: the run's deadline, the store, the bar. */
static int64_t
see_to_times(struct local *self, int64_t now, int64_t until)
{
    const struct local_watch *watch = self->request->watch;

    if (now >= self->deadline) {
        self->deadline = SPAN_NEVER;
        self->timed_out = self->interrupts == 0;
        cancel(self, false);
    }
    flush_due(self, now);
    tick(self, now);
    until = sooner(until, self->deadline);
    if (watch && watch->tick)
        until = sooner(until, self->ticked + TICK);
    return until;
}

static int
poll_until(const struct local *self, int64_t until, int64_t now)
{
    int64_t wait = until > now ? until - now : 0;
    struct pollfd fds[2] = {
        {.fd = self->carrier ? carrier_fd(self->carrier) : -1,
         .events = POLLIN},
        {.fd = self->interrupt_fd, .events = POLLIN},
    };
    struct timespec ts = {wait / SPAN_SECOND, wait % SPAN_SECOND * 1000};

    if (ppoll(fds, 2, until == SPAN_NEVER ? NULL : &ts, NULL) < 0)
        return 0;
    return (fds[0].revents ? 1 : 0) | (fds[1].revents ? 2 : 0);
}

enum carry_step
local_wait(struct local *self, int64_t until, struct carry_done *done)
{
    int64_t now = span_mono();
    int64_t first;
    int ready;

    until = see_to_times(self, now, until);
    first = is_pending(self) ? sooner(until, now + SHORT) : until;
    ready = poll_until(self, first, now);
    if (ready == 0 && until > first) {
        /* The task is at work: commit now what would be due only later. */
        flush_due(self, SPAN_NEVER - 1);
        ready = poll_until(self, until, span_mono());
    }
    if (ready & 2)
        read_interrupts(self);
    /* Also when nothing runs: exec may have something to tidy up. */
    return ready & 1 ? carrier_wait(self->carrier, 0, done) : CARRY_NONE;
}

/* ---- the run ---- */

static void
find_home(struct local *self)
{
    const char *home = self->request->resume->info.cwd;
    char *here = getcwd(NULL, 0);
    struct stat st;

    if (home && (!here || strcmp(home, here) != 0)) {
        self->home = mem_dup(home);
        self->homeless = stat(home, &st) < 0 || !S_ISDIR(st.st_mode);
    }
    free(here);
}

static int
begin(struct local *self, struct err *err)
{
    const struct local_request *request = self->request;
    struct run_hooks hooks = {
        .changed = on_changed,
        .handle = request->handle ? on_handle : NULL,
        .ctx = self,
    };
    struct store_run info = {0};

    if (run_new(&self->run, request->flow, request->params,
                (uint64_t)span_wall(), &hooks, err) < 0)
        return -1;
    if (request->resume) {
        history_keep(request->resume, self->run, request->from);
        find_home(self);
        self->id = request->resume->info.id;
    }
    if (!request->store)
        return 0;
    if (request->resume)
        return store_run_resume(request->store, self->id, NULL, request->env,
                                err);
    info = *request->info;
    if (store_run_begin(request->store, &info, err) < 0)
        return -1;
    self->id = info.id;
    return 0;
}

static void
go_through(struct local *self)
{
    int64_t looked = 0;
    struct carry_done none;

    while (!self->broken) {
        int64_t now = span_mono();
        int64_t until;
        struct plan_id id;
        enum run_step step;

        if (now - looked >= LOOK) {
            (void)local_wait(self, now, &none);
            looked = now;
        }
        step = run_next(self->run, now, &id, &until);
        if (self->broken)
            break; /* that it starts may not be known to the store */
        if (step == RUN_START)
            attempt_carry_out(self, id);
        else if (step == RUN_WAIT)
            (void)local_wait(self, until, &none);
        else
            break;
    }
}

static void
settle(struct local *self, struct local_result *result)
{
    struct err err;

    if (self->timed_out)
        result->problem = mem_dup(STORE_TIMED_OUT);
    if (self->interrupts > 0 || self->timed_out)
        result->state = STORE_CANCELLED;
    else if (plan_is_stalled(run_plan(self->run)))
        result->state = STORE_PAUSED;
    else
        result->state =
            run_is_success(self->run) ? STORE_SUCCEEDED : STORE_FAILED;
    if (result->state == STORE_SUCCEEDED &&
        run_output(self->run, &result->output, &err) < 0) {
        result->state = STORE_FAILED;
        result->problem = mem_dup(err.msg);
    }
}

int
local_refuse(const struct local_request *request, struct err *err)
{
    struct diags diags = {0};
    size_t n;

    local_check(request, &diags);
    n = diags.n + diags.dropped;
    if (n > 1)
        (void)err_set(err, ERR_IMPOSSIBLE, "%s (and %zu more such)",
                      diags.list[0].text, n - 1);
    else if (n == 1)
        (void)err_set(err, ERR_IMPOSSIBLE, "%s", diags.list[0].text);
    diags_release(&diags);
    return n > 0 ? -1 : 0;
}

int
local_run(const struct local_request *request, struct local_result *ret,
          struct err *err)
{
    struct local self = {
        .request = request,
        .interrupt_fd = request->interrupt_fd,
        .here = -1,
        .deadline = SPAN_NEVER,
        .keep_times = request->store || request->watch,
    };
    struct local_result result = {.state = STORE_INTERRUPTED};
    int rc = -1;

    if (local_refuse(request, err) < 0 || begin(&self, err) < 0)
        goto out;
    if (request->timeout > 0)
        self.deadline = span_mono() + request->timeout;
    if (request->watch && request->watch->begun)
        request->watch->begun(request->watch->ctx,
                              request->store ? self.id : 0);
    go_through(&self);
    if (!self.broken) {
        settle(&self, &result);
        if (request->store &&
            store_run_end(request->store, self.id, result.state, result.output,
                          result.problem, &self.err) < 0)
            self.broken = true;
    }
    result.run = self.run;
    self.run = NULL;
    result.id = self.id;
    result.interrupts = self.interrupts;
    result.timed_out = self.timed_out;
    *ret = result;
    rc = self.broken ? -1 : 0;
    if (self.broken)
        *err = self.err;
out:
    run_destroy(&self.run);
    carrier_destroy(&self.carrier);
    capture_destroy(&self.capture);
    buf_release(&self.key);
    free(self.home);
    if (self.here >= 0)
        (void)close(self.here);
    return rc;
}

void
local_result_release(struct local_result *self)
{
    run_destroy(&self->run);
    json_decref(self->output);
    free(self->problem);
    *self = (struct local_result){0};
}
