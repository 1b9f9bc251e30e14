/* SPDX-License-Identifier: MPL-2.0 */
#include "exec/exec.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/span.h"
#include "exec/attempt.h"

#define EVENTS    64
#define HOUSEKEEP (500 * SPAN_MS)
#define MOST      (3600 * SPAN_SECOND) /* of one wait in the kernel */
#define DESTROY   (5 * SPAN_SECOND)    /* for what was killed to be gone */

struct exec {
    struct attempt_host host;
    struct attempt_list running;
    struct attempt_list ended; /* to be handed out */
    size_t n;                  /* in both */
    int timerfd;
    int shown;      /* an eventfd: readable while is_shown */
    bool is_shown;  /* ... because something can be handed out */
    int64_t armed;  /* when the timer fires, or SPAN_NEVER */
    int64_t tidied; /* when orphans were last looked for */
};

/*
 * A program may have been started with SIGCHLD ignored, which execve keeps:
 * its children would leave no exit status.
 */
static void
heed_children(void)
{
    struct sigaction action;

    if (sigaction(SIGCHLD, NULL, &action) < 0)
        return;
    if (action.sa_handler != SIG_IGN && !(action.sa_flags & SA_NOCLDWAIT))
        return;
    if (action.sa_handler == SIG_IGN)
        action.sa_handler = SIG_DFL;
    action.sa_flags &= ~SA_NOCLDWAIT;
    (void)sigaction(SIGCHLD, &action, NULL);
}

static void
close_fd(int fd)
{
    if (fd >= 0)
        (void)close(fd);
}

static int
open_files(struct exec *self, struct err *err)
{
    struct epoll_event timer = {.events = EPOLLIN};
    struct epoll_event shown = {.events = EPOLLIN, .data.ptr = self};
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

    self->host.null = null < 0 ? -1 : fcntl(null, F_DUPFD_CLOEXEC, SPAWN_ABOVE);
    if (null >= 0)
        (void)close(null);
    if (self->host.null < 0)
        return err_system(err, "can't open /dev/null");
    self->host.epoll = epoll_create1(EPOLL_CLOEXEC);
    self->timerfd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    self->shown = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (self->host.epoll < 0 || self->timerfd < 0 || self->shown < 0 ||
        epoll_ctl(self->host.epoll, EPOLL_CTL_ADD, self->timerfd, &timer) < 0 ||
        epoll_ctl(self->host.epoll, EPOLL_CTL_ADD, self->shown, &shown) < 0)
        return err_system(err, "can't watch processes");
    return 0;
}

int
exec_new(struct exec **ret, exec_output_fn *on_output, void *ctx,
         struct err *err)
{
    struct exec *self = mem_alloc(1, sizeof *self);

    TAILQ_INIT(&self->running);
    TAILQ_INIT(&self->ended);
    self->host.epoll = self->host.null = self->timerfd = self->shown = -1;
    self->host.children = tree_open_children();
    self->host.on_output = on_output;
    self->host.ctx = ctx;
    self->armed = SPAN_NEVER;
    if (open_files(self, err) < 0) {
        if (errno == EMFILE || errno == ENFILE)
            err->code = ERR_UNAVAILABLE;
        exec_destroy(&self);
        return -1;
    }
    self->host.chunk = mem_alloc(ATTEMPT_CHUNK, 1);
    self->host.mark = tree_first_mark();
    spawn_init(&self->host.spawn);
    heed_children();
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    *ret = self;
    return 0;
}

void
exec_set_process(struct exec *self, uint64_t files)
{
    struct rlimit *limit = &self->host.spawn.files;

    spawn_keep_signals(&self->host.spawn);
    self->host.spawn.set_files =
        files > 0 && getrlimit(RLIMIT_NOFILE, limit) == 0;
    limit->rlim_cur = files < limit->rlim_max ? files : limit->rlim_max;
}

/* Wait for the killed; what is left then is inside the kernel. */
static void
end_all(struct exec *self)
{
    int64_t until = span_mono() + DESTROY;
    struct attempt *attempt;
    struct exec_done done;

    self->host.on_output = NULL;
    exec_hold(self, false);
    exec_cancel(self, NULL, true);
    while (self->n > 0 && span_mono() < until) {
        if (exec_wait(self, DESTROY, &done) > 0)
            exec_done_release(&done);
    }
    while ((attempt = TAILQ_FIRST(&self->running))) {
        TAILQ_REMOVE(&self->running, attempt, link);
        attempt_destroy(&attempt);
    }
}

void
exec_destroy(struct exec **self_p)
{
    struct exec *self = *self_p;

    if (!self)
        return;
    end_all(self);
    close_fd(self->timerfd);
    close_fd(self->shown);
    close_fd(self->host.epoll);
    close_fd(self->host.null);
    close_fd(self->host.children);
    tree_marks_release(&self->host.marks);
    spawn_release(&self->host.spawn);
    free(self->host.chunk);
    free(self);
    *self_p = NULL;
}

/* Let the timer fire at `when` if it does not before. */
static void
arm(struct exec *self, int64_t when)
{
    struct itimerspec at = {0};

    if (when >= self->armed)
        return;
    self->armed = when;
    at.it_value.tv_sec = when / SPAN_SECOND;
    at.it_value.tv_nsec = when % SPAN_SECOND * 1000;
    if (when <= 0)
        at.it_value.tv_nsec = 1; /* zero would disarm it */
    (void)timerfd_settime(self->timerfd, TFD_TIMER_ABSTIME, &at, NULL);
}

static void
set_ended(struct exec *self, struct attempt *attempt)
{
    TAILQ_REMOVE(&self->running, attempt, link);
    TAILQ_INSERT_TAIL(&self->ended, attempt, link);
}

/* Do what is due, move what has ended, and set the timer for the rest. */
static void
advance(struct exec *self, int64_t now)
{
    struct attempt *attempt = TAILQ_FIRST(&self->running);
    int64_t next = now + HOUSEKEEP;

    self->host.has_marks = false;
    while (attempt) {
        struct attempt *after = TAILQ_NEXT(attempt, link);

        if (attempt_advance(attempt, now))
            set_ended(self, attempt);
        else if (attempt_deadline(attempt) < next)
            next = attempt_deadline(attempt);
        attempt = after;
    }
    if (!TAILQ_EMPTY(&self->running))
        arm(self, next);
}

/* exec_fd must be readable while there is something to hand out. The timer
 * could do that too, but costs an interrupt. */
static void
show_ended(struct exec *self)
{
    if (TAILQ_EMPTY(&self->ended) || self->is_shown)
        return;
    self->is_shown = true;
    (void)eventfd_write(self->shown, 1);
}

static void
hide_ended(struct exec *self)
{
    eventfd_t times;

    if (self->is_shown)
        (void)eventfd_read(self->shown, &times);
    self->is_shown = false;
}

int
exec_start(struct exec *self, const struct exec_spec *spec, struct err *err)
{
    int64_t now = span_mono();
    struct attempt *attempt = NULL;

    /* Another thread's children are not in the list. */
    if (self->host.children >= 0 && gettid() != getpid()) {
        close_fd(self->host.children);
        self->host.children = -1;
    }
    if (attempt_start(&attempt, &self->host, spec, now, err) < 0)
        return -1;
    TAILQ_INSERT_TAIL(&self->running, attempt, link);
    self->n++;
    advance(self, now);
    show_ended(self);
    return 0;
}

void
exec_cancel(struct exec *self, const void *tag, bool at_once)
{
    int64_t now = span_mono();
    struct attempt *attempt = NULL;

    TAILQ_FOREACH(attempt, &self->running, link) {
        if (!tag || attempt->done.tag == tag)
            attempt_stop(attempt, EXEC_CANCELLED, at_once, now);
    }
    advance(self, now);
    show_ended(self);
}

void
exec_hold(struct exec *self, bool hold)
{
    struct attempt *attempt;

    if (self->host.held == hold)
        return;
    self->host.held = hold;
    TAILQ_FOREACH(attempt, &self->running, link) {
        attempt_hold(attempt);
    }
    arm(self, 0); /* what has ended meanwhile is read from exec_wait */
}

size_t
exec_running(const struct exec *self)
{
    return self->n;
}

int
exec_fd(const struct exec *self)
{
    return self->host.epoll;
}

static bool
hand_out(struct exec *self, struct exec_done *ret)
{
    struct attempt *attempt = TAILQ_FIRST(&self->ended);

    if (!attempt)
        return false;
    TAILQ_REMOVE(&self->ended, attempt, link);
    self->n--;
    attempt_finish(attempt);
    *ret = attempt->done;
    attempt->done = (struct exec_done){0};
    attempt_destroy(&attempt);
    show_ended(self);
    return true;
}

/* Reap now and then what long attempts have orphaned. */
static void
tidy(struct exec *self, int64_t now)
{
    struct attempt *attempt;

    if (now < self->tidied + HOUSEKEEP)
        return;
    self->tidied = now;
    if (!tree_has_ended_child())
        return;
    TAILQ_FOREACH(attempt, &self->running, link) {
        attempt_tidy(attempt);
    }
}

static void
disarm(struct exec *self)
{
    uint64_t times;

    (void)!read(self->timerfd, &times, sizeof times);
    self->armed = SPAN_NEVER;
}

/* False if it was interrupted. */
static bool
wait_for_events(struct exec *self, int ms)
{
    struct epoll_event events[EVENTS];
    int n = epoll_wait(self->host.epoll, events, EVENTS, ms);
    int64_t now = span_mono();

    assert(n >= 0 || errno == EINTR);
    for (int i = 0; i < n; i++) {
        const struct attempt_source *source = events[i].data.ptr;

        if (events[i].data.ptr == self)
            hide_ended(self);
        else if (source)
            attempt_event(source->attempt, source->from, now);
        else
            disarm(self);
    }
    tidy(self, now);
    advance(self, now);
    return n >= 0;
}

/* Rounded up, so that nothing is asked for in vain. */
static int
to_ms(int64_t span)
{
    if (span <= 0)
        return 0;
    return span > MOST ? (int)(MOST / SPAN_MS) : (int)((span + 999) / SPAN_MS);
}

int
exec_wait(struct exec *self, int64_t timeout, struct exec_done *ret)
{
    int64_t until = timeout < 0 ? SPAN_NEVER : span_mono() + timeout;
    int64_t left = timeout < 0 ? SPAN_NEVER : timeout;

    if (hand_out(self, ret))
        return 1;
    while (self->n > 0 || timeout >= 0) {
        int ms = left == SPAN_NEVER ? -1 : to_ms(left);
        bool whole = wait_for_events(self, ms);

        if (hand_out(self, ret))
            return 1;
        if (left != SPAN_NEVER)
            left = until - span_mono();
        if (!whole || left <= 0)
            return 0;
    }
    return 0;
}

void
exec_done_release(struct exec_done *self)
{
    free(self->text);
    buf_release(&self->out);
    buf_release(&self->errors);
    buf_release(&self->result);
    *self = (struct exec_done){0};
}
