/* SPDX-License-Identifier: MPL-2.0 */
#include "agent/worker.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "agent/worker_impl.h"
#include "base/mem.h"
#include "base/span.h"

#define EVENTS 64
#define LOOK   (2 * SPAN_MS) /* a call that takes longer is looked at */
#define IDLE   (LIMIT_WORKER_IDLE_MS * SPAN_MS)
#define START  (LIMIT_WORKER_START_MS * SPAN_MS)

/* ---- calls ---- */

/* Results come in the order of the calls, so it is the first or one of the few
 * behind it. */
struct call *
slot_find(struct slot *self, uint32_t ticket)
{
    struct call *call = NULL;

    TAILQ_FOREACH(call, &self->calls, link) {
        if (call->ticket == ticket)
            return call;
    }
    return NULL;
}

void
slot_drop(struct slot *self, struct call *call)
{
    if (self->next == call)
        self->next = TAILQ_NEXT(call, link);
    TAILQ_REMOVE(&self->calls, call, link);
    self->nsent -= call->sent;
    if (self->victim == call)
        self->victim = NULL;
    need_release(&call->need);
    free(call);
}

void
slot_end_call(struct slot *self, struct call *call, const struct result *result)
{
    const struct workers_calls *calls = &self->owner->calls;
    struct result told = *result;

    told.ticket = call->ticket;
    slot_drop(self, call);
    calls->ended(calls->ctx, &told);
}

static size_t
text_size(const char *text)
{
    return text ? strlen(text) + 1 : 0;
}

static const char *
put_text(char **at, const char *text)
{
    const char *begin = *at;
    size_t n = text_size(text);

    if (!text)
        return NULL;
    memcpy(*at, text, n);
    *at += n;
    return begin;
}

static bool
is_same_list(const char *const *a, const char *const *b)
{
    size_t i = 0;

    if (!a || !b)
        return a == b;
    while (a[i] && b[i] && strcmp(a[i], b[i]) == 0)
        i++;
    return !a[i] && !b[i];
}

bool
need_is_like(const struct need *a, const struct need *b)
{
    return a == b || (strcmp(a->program, b->program) == 0 &&
                      is_same_list(a->env, b->env));
}

static bool
is_same_folder(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* One block. */
static struct need *
copy_need(const struct need *from)
{
    size_t n = text_size(from->program) + text_size(from->cwd);
    size_t nenv = 0;
    struct need *self;
    const char **env;
    char *at;

    for (; from->env && from->env[nenv]; nenv++)
        n += text_size(from->env[nenv]);
    self = mem_alloc(1, sizeof *self + (nenv + 1) * sizeof *env + n);
    env = (const char **)(self + 1);
    at = (char *)(env + nenv + 1);
    self->users = 1;
    self->program = put_text(&at, from->program);
    self->cwd = put_text(&at, from->cwd);
    for (size_t i = 0; i < nenv; i++)
        env[i] = put_text(&at, from->env[i]);
    self->env = from->env ? env : NULL;
    return self;
}

/* That of the last call, if it is the same: calls are many. */
static struct need *
get_need(struct workers *self, const struct workers_call *from)
{
    const struct need need = {
        .program = from->program, .cwd = from->cwd, .env = from->env};

    if (!self->last || !is_same_folder(self->last->cwd, need.cwd) ||
        !need_is_like(self->last, &need)) {
        need_release(&self->last);
        self->last = copy_need(&need);
    }
    self->last->users++;
    return self->last;
}

void
need_release(struct need **self_p)
{
    struct need *self = *self_p;

    *self_p = NULL;
    if (self && --self->users == 0)
        free(self);
}

static struct slot *
get_slot(struct workers *self, uint32_t number)
{
    struct slot *slot = self->slots[number];

    if (slot)
        return slot;
    slot = mem_alloc(1, sizeof *slot);
    slot->owner = self;
    slot->number = number;
    slot->fd = -1;
    TAILQ_INIT(&slot->calls);
    self->slots[number] = slot;
    return slot;
}

void
workers_call(struct workers *self, const struct workers_call *from)
{
    struct slot *slot;
    struct call *call;

    assert(from->slot < self->nslot);
    slot = get_slot(self, from->slot);
    call = mem_block(sizeof *call);
    *call = (struct call){.ticket = from->ticket,
                          .work = from->work,
                          .end = EXEC_EXITED,
                          .need = get_need(self, from)};
    TAILQ_INSERT_TAIL(&slot->calls, call, link);
    if (!slot->next)
        slot->next = call;
    if (!slot->active)
        TAILQ_INSERT_TAIL(&self->active, slot, link);
    slot->active = true;
}

void
workers_stop(struct workers *self, uint32_t ticket, bool at_once)
{
    struct slot *slot = NULL;

    TAILQ_FOREACH(slot, &self->active, link) {
        struct call *call = slot_find(slot, ticket);

        if (!call)
            continue;
        if (call->end == EXEC_EXITED)
            call->end = EXEC_CANCELLED;
        call->at_once = call->at_once || at_once;
        slot->look_at = 0;
        slot->stops++;
        return;
    }
}

/* ---- ending a call ---- */

/* They have not begun, and never will. */
static void
cancel_unsent(struct slot *self)
{
    struct call *call = self->stops > 0 ? self->next : NULL;

    self->stops = 0;

    while (call) {
        struct call *next = TAILQ_NEXT(call, link);
        struct result result = {
            .state = PLAN_CANCELLED, .cause = "cancelled", .code = -1};

        if (call->end == EXEC_CANCELLED && !call->sent) {
            result.started = result.ended = span_wall();
            slot_end_call(self, call, &result);
        }
        call = next;
    }
}

static void
kill_for(struct slot *self, struct call *call, int64_t now)
{
    atomic_store(&self->page->hold, PAGE_END);
    self->victim = call;
    self->ending = true;
    self->kill_at = call->at_once ? SPAN_NEVER : now + call->work->spec->grace;
    exec_cancel(self->owner->exec, self, call->at_once);
}

/* End a call that seems to be made right now, unless it has just ended. */
static void
end_current(struct slot *self, struct call *call, int64_t now)
{
    uint32_t ticket = call->ticket;

    atomic_store(&self->page->hold, PAGE_WAIT);
    if (atomic_load(&self->page->current) == ticket) {
        process_take(self);
        if (slot_find(self, ticket)) {
            kill_for(self, call, now);
            return;
        }
    }
    atomic_store(&self->page->hold, PAGE_GO);
}

/* Its time-out, or SPAN_NEVER; monotonic. */
static int64_t
deadline_of(const struct slot *self, const struct call *call, int64_t now)
{
    int64_t began = atomic_load(&self->page->began);
    int64_t timeout = call->work->spec->timeout;
    int64_t left;

    if (timeout == 0)
        return SPAN_NEVER;
    left = began + timeout - span_wall();
    return now + (left < timeout ? left : timeout);
}

static void
note_begun(struct slot *self, struct call *call)
{
    const struct workers_calls *calls = &self->owner->calls;

    if (!call->begun)
        calls->began(calls->ctx, call->ticket);
    call->begun = true;
}

/* When to look again if nothing comes: what is sent may have time-outs that
 * are only known once it has begun. */
static int64_t
next_look(const struct slot *self, int64_t now)
{
    const struct call *call = NULL;
    int64_t next = SPAN_NEVER;

    TAILQ_FOREACH(call, &self->calls, link) {
        int64_t timeout = call->work->spec->timeout;

        if (!call->sent)
            break;
        if (call->end != EXEC_EXITED)
            return now + LOOK;
        if (timeout > 0 && now + timeout < next)
            next = now + timeout;
    }
    return next;
}

/*
 * See to the call that is being made: whether it has begun, should end, or
 * holds up the results of those before it. Once nothing has changed between two
 * looks there is nothing to see before it sends something, for it will do so
 * when this call has ended; and then we look again.
 */
static void
look(struct slot *self, int64_t now)
{
    uint32_t current = atomic_load(&self->page->current);
    struct call *call;
    int64_t deadline;

    process_take(self);
    call = slot_find(self, current);
    self->look_at = next_look(self, now);
    if (current != self->last_current || (!call && self->nsent > 0))
        self->look_at = now + LOOK;
    self->last_current = current;
    if (!call)
        return;
    note_begun(self, call);
    deadline = deadline_of(self, call, now);
    if (deadline <= now && call->end == EXEC_EXITED)
        call->end = EXEC_TIMED_OUT;
    if (call->end != EXEC_EXITED)
        end_current(self, call, now);
    else if (deadline < self->look_at)
        self->look_at = deadline;
}

/* ---- a turn ---- */

static void
see_to_victim(struct slot *self, int64_t now)
{
    bool kill = self->kill_at <= now || (self->victim && self->victim->at_once);

    if (!kill || self->kill_at == SPAN_NEVER)
        return;
    self->kill_at = SPAN_NEVER;
    exec_cancel(self->owner->exec, self, true);
}

static void
see_to_process(struct slot *self, int64_t now)
{
    const struct call *first = TAILQ_FIRST(&self->calls);

    if (self->ending) {
        see_to_victim(self, now);
    } else if (!atomic_load(&self->page->serving) &&
               now >= self->started + START) {
        self->ending = true;
        exec_cancel(self->owner->exec, self, true);
    } else if (!first) {
        if (now >= self->used + IDLE)
            process_finish(self);
    } else {
        self->used = now;
        if (self->nsent == 0 && !process_is_for(self, first))
            process_finish(self);
        else
            process_send(self);
        if (self->stirred && self->look_at > now + LOOK)
            self->look_at = now + LOOK;
        self->stirred = false;
        if (!self->ending && self->nsent > 0 && self->look_at <= now)
            look(self, now);
    }
}

/* A process has begun with what it was sent, or has nothing to do. */
static int64_t
due(const struct slot *self, int64_t now)
{
    int64_t due = self->look_at;

    if (!self->alive)
        return TAILQ_EMPTY(&self->calls) ? SPAN_NEVER : now;
    if (self->ending)
        return self->kill_at;
    if (TAILQ_EMPTY(&self->calls))
        return self->used + IDLE;
    if (!atomic_load(&self->page->serving) && self->started + START < due)
        due = self->started + START;
    return self->nsent > 0 ? due : SPAN_NEVER;
}

static int64_t
see_to_slot(struct slot *self, int64_t now)
{
    cancel_unsent(self);
    if (!self->alive && !TAILQ_EMPTY(&self->calls))
        process_start(self, TAILQ_FIRST(&self->calls), now);
    if (self->alive)
        see_to_process(self, now);
    if (!self->alive && TAILQ_EMPTY(&self->calls)) {
        TAILQ_REMOVE(&self->owner->active, self, link);
        self->active = false;
    }
    return due(self, now);
}

static void
handle_events(struct workers *self)
{
    struct epoll_event events[EVENTS];
    int n = epoll_wait(self->epoll, events, EVENTS, 0);

    assert(n >= 0 || errno == EINTR);
    for (int i = 0; i < n; i++) {
        struct slot *slot = events[i].data.ptr;

        if (!slot || slot->fd < 0)
            continue;
        process_receive(slot);
        if (events[i].events & EPOLLOUT)
            process_send(slot);
    }
}

static void
handle_ends(struct workers *self)
{
    struct exec_done done = {0};

    while (exec_wait(self->exec, 0, &done) > 0) {
        slot_ended(done.tag, &done);
        exec_done_release(&done);
    }
}

void
workers_handle(struct workers *self, int64_t now, int64_t *until)
{
    struct slot *slot;

    *until = SPAN_NEVER;
    if (TAILQ_EMPTY(&self->active) && exec_running(self->exec) == 0)
        return;
    handle_events(self);
    handle_ends(self);
    slot = TAILQ_FIRST(&self->active);
    while (slot) {
        struct slot *next = TAILQ_NEXT(slot, link);
        int64_t due = see_to_slot(slot, now);

        if (due < *until)
            *until = due;
        slot = next;
    }
}

/* ---- life ---- */

/* What is printed outside of a call, or said last by one that crashed. */
static void
on_output(void *ctx, void *tag, enum exec_stream stream, const char *data,
          size_t n)
{
    struct workers *self = ctx;
    struct slot *slot = tag;
    struct call *call;

    if (!slot->page || !atomic_load(&slot->page->serving))
        return; /* kept by exec, for if it never serves */
    call = slot_find(slot, atomic_load(&slot->page->current));
    if (!call)
        call = TAILQ_FIRST(&slot->calls);
    if (call)
        self->calls.output(self->calls.ctx, call->ticket,
                           stream == EXEC_STDOUT ? 1 : 2, data, n);
}

int
workers_new(struct workers **ret, uint32_t slots,
            const struct workers_calls *calls, struct err *err)
{
    struct workers *self = mem_alloc(1, sizeof *self);
    struct epoll_event event = {.events = EPOLLIN};

    self->calls = *calls;
    self->nslot = slots;
    self->slots = mem_alloc(slots, sizeof(struct slot *));
    TAILQ_INIT(&self->active);
    self->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (self->epoll < 0) {
        (void)err_system(err, "can't make an epoll");
        err->code = ERR_UNAVAILABLE;
        workers_destroy(&self);
        return -1;
    }
    if (exec_new(&self->exec, on_output, self, err) < 0) {
        workers_destroy(&self);
        return -1;
    }
    (void)epoll_ctl(self->epoll, EPOLL_CTL_ADD, exec_fd(self->exec), &event);
    *ret = self;
    return 0;
}

void
workers_set_files(struct workers *self, uint64_t files)
{
    exec_set_process(self->exec, files);
}

static void
destroy_slot(struct slot *slot)
{
    struct call *call;

    if (!slot)
        return;
    call = TAILQ_FIRST(&slot->calls);
    while (call) {
        struct call *next = TAILQ_NEXT(call, link);

        slot_drop(slot, call);
        call = next;
    }
    process_release(slot);
    free(slot);
}

void
workers_destroy(struct workers **self_p)
{
    struct workers *self = *self_p;

    if (!self)
        return;
    exec_destroy(&self->exec);
    for (uint32_t i = 0; i < self->nslot; i++)
        destroy_slot(self->slots[i]);
    if (self->epoll >= 0)
        (void)close(self->epoll);
    need_release(&self->last);
    free(self->slots);
    free(self);
    *self_p = NULL;
}

void
workers_hold(struct workers *self, bool hold)
{
    struct slot *slot = NULL;

    self->held = hold;
    TAILQ_FOREACH(slot, &self->active, link) {
        process_watch(slot);
        slot->stirred = true;
    }
}

int
workers_fd(const struct workers *self)
{
    return self->epoll;
}

uint32_t
workers_count(const struct workers *self)
{
    return self->alive;
}
