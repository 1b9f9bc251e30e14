/* SPDX-License-Identifier: MPL-2.0 */
/*
 * worker_process - start a worker, and speak to it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <wire.pb-c.h>

#include "agent/worker_impl.h"
#include "base/mem.h"
#include "base/span.h"
#include "exec/environment.h"
#include "proto/convert.h"
#include "proto/wire.h"

#define READ_BYTES 65536
#define GRACE      (3600 * SPAN_SECOND)    /* ours is each call's own */
#define UNSENT     (4 * LIMIT_FRAME_BYTES) /* kept here, for one worker */

/* ---- starting ---- */

static struct page *
new_page(int *fd)
{
    struct page *page;

    *fd = memfd_create("leat worker", MFD_CLOEXEC);
    if (*fd < 0 || ftruncate(*fd, sizeof *page) < 0)
        return NULL;
    page = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
    if (page == MAP_FAILED)
        return NULL;
    page->version = PAGE_VERSION;
    return page;
}

static void
make_environment(struct environment *env, const struct call *call)
{
    const char *hash = call->work->spec->source_hash;

    environment_inherit(env, (const char *const *)environ);
    for (size_t i = 0; call->need->env && call->need->env[i]; i++)
        environment_put(env, call->need->env[i]);
    environment_set(env, PAGE_ENV, "3", 1);
    if (hash)
        environment_set(env, PAGE_ENV_FLOW, hash, strlen(hash));
}

/* The ends of the socket: ours, its; and the page's descriptor, for it. */
enum { OURS, THEIRS, PAGE, FD_COUNT };

static int
make_shared(struct slot *self, int fds[FD_COUNT], struct err *err)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = self};

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0 ||
        fcntl(fds[OURS], F_SETFL, O_NONBLOCK) < 0)
        goto failed;
    self->page = new_page(&fds[PAGE]);
    if (!self->page ||
        epoll_ctl(self->owner->epoll, EPOLL_CTL_ADD, fds[OURS], &event) < 0)
        goto failed;
    self->fd = fds[OURS];
    return 0;
failed:
    (void)err_system(err, "can't start a worker");
    return -1;
}

static int
start(struct slot *self, const struct call *call, const int fds[FD_COUNT],
      struct err *err)
{
    const char *const argv[] = {call->need->program, NULL};
    struct environment env = {0};
    struct exec_spec spec = {
        .argv = argv,
        .cwd = call->need->cwd,
        .pass = {fds[THEIRS], fds[PAGE]},
        .grace = GRACE,
        .tag = self,
    };
    int rc;

    make_environment(&env, call);
    spec.envp = (const char *const *)env.list;
    rc = exec_start(self->owner->exec, &spec, err);
    environment_release(&env);
    return rc;
}

void
process_start(struct slot *self, const struct call *call, int64_t now)
{
    int fds[FD_COUNT] = {-1, -1, -1};
    struct err err;

    self->need = call->need;
    self->need->users++;
    self->out = lane_out_new();
    self->started = self->used = self->look_at = now;
    self->kill_at = SPAN_NEVER;
    self->alive =
        make_shared(self, fds, &err) == 0 && start(self, call, fds, &err) == 0;
    if (self->alive) {
        self->owner->alive++;
        process_watch(self);
    } else {
        slot_refuse(self, self->need->program, REFUSED_SHORT, err.msg);
        process_release(self);
        if (self->fd < 0 && fds[OURS] >= 0)
            (void)close(fds[OURS]);
    }
    for (int i = THEIRS; i < FD_COUNT; i++) {
        if (fds[i] >= 0)
            (void)close(fds[i]);
    }
}

/* Closes our end; what is in the page stays. */
static void
hang_up(struct slot *self)
{
    if (self->fd < 0)
        return;
    (void)epoll_ctl(self->owner->epoll, EPOLL_CTL_DEL, self->fd, NULL);
    (void)close(self->fd);
    self->fd = -1;
    self->wants_out = false;
}

void
process_release(struct slot *self)
{
    hang_up(self);
    if (self->page)
        (void)munmap(self->page, sizeof *self->page);
    self->page = NULL;
    need_release(&self->need);
    buf_release(&self->in);
    lane_out_destroy(&self->out);
    self->written = 0;
    self->frames = 0;
    self->taken_turn = self->taken_plain = self->taken_bytes = 0;
    self->last_current = 0;
    self->ending = self->broken = false;
}

void
process_finish(struct slot *self)
{
    self->ending = true;
    self->kill_at = SPAN_NEVER;
    if (self->fd >= 0)
        (void)shutdown(self->fd, SHUT_WR);
}

bool
process_is_for(const struct slot *self, const struct call *call)
{
    return need_is_like(self->need, call->need);
}

/* ---- to it ---- */

void
process_watch(struct slot *self)
{
    struct epoll_event event = {.data.ptr = self};

    if (self->fd < 0)
        return;
    if (!self->owner->held)
        event.events |= EPOLLIN;
    if (self->wants_out)
        event.events |= EPOLLOUT;
    (void)epoll_ctl(self->owner->epoll, EPOLL_CTL_MOD, self->fd, &event);
}

static void
watch_for_room(struct slot *self, bool watch)
{
    if (watch == self->wants_out)
        return;
    self->wants_out = watch;
    process_watch(self);
}

/* The folder of the call takes the place of the run's. */
static int
put_call(struct slot *self, const struct call *call, struct err *err)
{
    struct lane_task task = {call->ticket, call->work};
    const char *cwd = call->need->cwd, *home = call->work->spec->home;
    struct work_spec spec;
    struct work work;

    if (cwd != home && (!cwd || !home || strcmp(cwd, home) != 0)) {
        spec = *call->work->spec;
        spec.home = cwd;
        work = *call->work;
        work.spec = &spec;
        task.work = &work;
    }
    return lane_out_task(self->out, &task, err);
}

static void
fail_unsent(struct slot *self, struct call *call, const struct err *err)
{
    struct result result = {.state = PLAN_FAILED,
                            .cause = err->msg,
                            .code = -1,
                            .started = span_wall()};

    result.ended = result.started;
    slot_end_call(self, call, &result);
}

/* Those that were not sent yet and are for this process. */
static void
put_calls(struct slot *self)
{
    struct call *call = self->next;
    struct err err;

    while (call && lane_out_bytes(self->out) < UNSENT &&
           process_is_for(self, call)) {
        struct call *next = TAILQ_NEXT(call, link);

        if (put_call(self, call, &err) < 0) {
            fail_unsent(self, call, &err);
        } else {
            call->sent = self->stirred = true;
            self->nsent++;
        }
        self->next = call = next;
    }
}

/* False if there is no room for more of it now. Errors mean nothing here: its
 * end is seen elsewhere. */
static bool
write_frame(struct slot *self, const struct buf *frame)
{
    while (self->written < frame->len) {
        ssize_t n = send(self->fd, frame->data + self->written,
                         frame->len - self->written, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        self->written += (size_t)n;
    }
    self->written = 0;
    return true;
}

void
process_send(struct slot *self)
{
    const struct buf *frame;

    if (self->fd < 0 || self->ending)
        return;
    put_calls(self);
    while ((frame = lane_out_next(self->out)) && write_frame(self, frame))
        lane_out_sent(self->out);
    watch_for_room(self, frame != NULL);
}

/* ---- from it ---- */

static void
end_call(struct slot *self, const struct result *result)
{
    struct call *call = slot_find(self, result->ticket);

    if (!call || !call->sent)
        return; /* was taken before */
    self->barren = 0;
    if (call == self->victim)
        return; /* too late: what it was ended for is what became of it */
    slot_end_call(self, call, result);
}

static void
end_plain(struct slot *self, const struct page_plain *plain)
{
    struct result result = {
        .ticket = plain->ticket,
        .state = PLAN_SUCCEEDED,
        .code = -1,
        .started = plain->began,
        .ended = plain->began + plain->took,
    };

    end_call(self, &result);
}

static void
on_output(void *ctx, const struct output *output)
{
    struct slot *self = ctx;
    const struct workers_calls *calls = &self->owner->calls;

    if (slot_find(self, output->ticket))
        calls->output(calls->ctx, output->ticket, output->stream, output->data,
                      output->n);
}

static void
on_result(void *ctx, uint64_t number, const struct result *result)
{
    (void)number;
    end_call(ctx, result);
}

static const struct return_calls return_calls = {.output = on_output,
                                                 .result = on_result};

/* Was it taken out of the page before? */
static bool
is_known(struct slot *self, const struct wire *wire)
{
    uint64_t number = wire->as.back->session;

    if (number != 0 && number <= self->frames)
        return true;
    if (number != 0)
        self->frames = number;
    return false;
}

static int
handle_frame(struct slot *self, const char *data, size_t n, struct err *err)
{
    struct wire wire;
    int rc = 0;

    if (wire_decode(&wire, data, n, err) < 0)
        return -1;
    if (wire.type != WIRE_RETURN)
        rc = err_set(err, ERR_INVALID, "not what a worker sends");
    else if (!is_known(self, &wire))
        rc = return_read(&wire, &return_calls, self, err);
    wire_release(&wire);
    return rc;
}

/* The whole frames at `data`; *used is how long they are. */
static int
handle_frames(struct slot *self, const char *data, size_t n, size_t *used,
              struct err *err)
{
    size_t frame = 0;

    for (*used = 0; *used < n; *used += frame) {
        if (wire_frame_bytes(data + *used, n - *used, &frame, err) < 0)
            return -1;
        if (frame == 0 || frame > n - *used)
            break;
        if (handle_frame(self, data + *used, frame, err) < 0)
            return -1;
    }
    return 0;
}

/* Its memory may be in any state: nothing more is believed. */
static void
give_up(struct slot *self)
{
    self->broken = self->ending = true;
    self->kill_at = SPAN_NEVER;
    hang_up(self);
    exec_cancel(self->owner->exec, self, true);
}

void
process_receive(struct slot *self)
{
    size_t used = 0;
    struct err err;

    if (self->owner->held && self->alive)
        return; /* it waits when its socket is full */
    while (self->fd >= 0) {
        ssize_t n =
            recv(self->fd, buf_reserve(&self->in, READ_BYTES), READ_BYTES, 0);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            hang_up(self);
            return;
        }
        buf_added(&self->in, (size_t)n);
        self->stirred = true;
        if (handle_frames(self, self->in.data, self->in.len, &used, &err) < 0) {
            give_up(self);
            return;
        }
        memmove(self->in.data, self->in.data + used, self->in.len - used);
        self->in.len -= used;
    }
}

/* ---- from its page ---- */

/* A part of the page, copied: it may change any time. */
struct copy {
    struct page_plain *plain;
    char *bytes;
    uint32_t nplain, nbytes;
};

static struct copy
copy_page(const struct slot *self)
{
    const struct page *page = self->page;
    uint32_t nplain = atomic_load(&page->nplain);
    uint32_t nbytes = atomic_load(&page->filled);
    struct copy copy = {0};

    if (nplain <= PAGE_PLAIN && nplain > self->taken_plain) {
        copy.nplain = nplain - self->taken_plain;
        copy.plain = mem_alloc(copy.nplain, sizeof *copy.plain);
        memcpy(copy.plain, page->plain + self->taken_plain,
               copy.nplain * sizeof *copy.plain);
    }
    if (nbytes <= sizeof page->unsent && nbytes > self->taken_bytes) {
        copy.nbytes = nbytes - self->taken_bytes;
        copy.bytes = mem_text(page->unsent + self->taken_bytes, copy.nbytes);
    }
    return copy;
}

static void
handle_copy(struct slot *self, const struct copy *copy)
{
    size_t used = 0;
    struct err err;

    self->taken_plain += copy->nplain;
    self->taken_bytes += copy->nbytes;
    for (uint32_t i = 0; i < copy->nplain; i++)
        end_plain(self, &copy->plain[i]);
    if (copy->nbytes > 0 &&
        handle_frames(self, copy->bytes, copy->nbytes, &used, &err) < 0)
        give_up(self);
}

static void
free_copy(struct copy *copy)
{
    free(copy->plain);
    free(copy->bytes);
}

void
process_take(struct slot *self)
{
    uint32_t turn = atomic_load(&self->page->turn);
    struct copy copy;

    process_receive(self); /* frames that it has sent come before these */
    if (turn % 2 == 1 || self->fd < 0 || self->owner->held)
        return;
    if (turn != self->taken_turn)
        self->taken_plain = self->taken_bytes = 0;
    self->taken_turn = turn;
    copy = copy_page(self);
    if (atomic_load(&self->page->turn) == turn)
        handle_copy(self, &copy);
    free_copy(&copy);
}

void
process_take_rest(struct slot *self)
{
    struct copy copy;

    if (self->broken)
        return;
    self->taken_plain = self->taken_bytes = 0;
    copy = copy_page(self);
    handle_copy(self, &copy);
    free_copy(&copy);
}
