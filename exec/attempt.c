/* SPDX-License-Identifier: MPL-2.0 */
#include "exec/attempt.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/span.h"
#include "exec/ending.h"
#include "proto/limits.h"

#define DRAIN       (LIMIT_DRAIN_MS * SPAN_MS)
#define READS       (1 + 1)            /* a full pipe, and its end */
#define MEMORY_MORE (INT64_C(1) << 20) /* the kernel's counters are not exact */
/* A call's value, and what it says besides. */
#define RESULT_BYTES (LIMIT_VALUE_BYTES + (64u << 10))

static void
pass_on(void *ctx, const char *data, size_t n)
{
    const struct attempt_source *source = ctx;
    const struct attempt *self = source->attempt;

    if (self->host->on_output)
        self->host->on_output(self->host->ctx, self->done.tag,
                              (enum exec_stream)source->from, data, n);
}

static struct attempt *
new_attempt(struct attempt_host *host, const struct exec_spec *spec)
{
    struct attempt *self = mem_alloc(1, sizeof *self);

    self->host = host;
    self->timeout = spec->timeout;
    self->grace = spec->grace;
    self->deadline = self->drain_until = SPAN_NEVER;
    self->done.tag = spec->tag;
    for (int i = 0; i < FROM_COUNT; i++)
        self->sources[i] = (struct attempt_source){
            .attempt = self,
            .from = (enum attempt_from)i,
            .fd = -1,
            .theirs = -1,
        };
    for (int i = 0; i < EXEC_STREAM_COUNT; i++) {
        self->outputs[i].fn = pass_on;
        self->outputs[i].ctx = &self->sources[i];
    }
    if (spec->keep_stdout)
        self->outputs[EXEC_STDOUT].keep = LIMIT_VALUE_BYTES;
    return self;
}

static int
short_of(struct err *err, const char *what)
{
    (void)err_system(err, "can't start a process: %s", what);
    err->code = ERR_UNAVAILABLE;
    return -1;
}

static void
close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

static void
close_source(struct attempt *self, enum attempt_from from)
{
    int *fd = &self->sources[from].fd;

    close_fd(&self->sources[from].theirs);
    if (*fd < 0)
        return;
    /* A fork of this process may hold it open: closing would not do. */
    (void)epoll_ctl(self->host->epoll, EPOLL_CTL_DEL, *fd, NULL);
    close_fd(fd);
}

/* While pipes are not read, that one has ended is told once, and ignored. */
static uint32_t
events_of(const struct attempt *self, enum attempt_from from)
{
    return self->host->held && from <= FROM_RESULT ? EPOLLET : EPOLLIN;
}

static int
add_source(struct attempt *self, enum attempt_from from, int fd)
{
    struct attempt_source *source = &self->sources[from];
    struct epoll_event event = {.events = events_of(self, from),
                                .data.ptr = source};

    source->fd = fd;
    return epoll_ctl(self->host->epoll, EPOLL_CTL_ADD, fd, &event);
}

/* A descriptor that is in nobody's way while a child sets up 0 to 4. */
static int
lift(int fd)
{
    int above;

    if (fd < 0 || fd >= SPAWN_ABOVE)
        return fd;
    above = fcntl(fd, F_DUPFD_CLOEXEC, SPAWN_ABOVE);
    (void)close(fd);
    return above;
}

/*
 * A pipe to read from here. The child's end stays open here as well until main
 * has ended: else the pipe would end a moment before it, and wake us for that.
 */
static int
add_pipe(struct attempt *self, enum attempt_from from, int *theirs)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0)
        return -1;
    *theirs = self->sources[from].theirs = lift(ends[1]);
    /* Not blocking: the task may open and read its own output. */
    if (add_source(self, from, lift(ends[0])) < 0 || *theirs < 0 ||
        fcntl(self->sources[from].fd, F_SETFL, O_NONBLOCK) < 0)
        return -1;
    return 0;
}

/* The input in a file in memory: nothing to feed, nothing to wait for. */
static int
open_input(const struct exec_spec *spec)
{
    int fd = lift(memfd_create("input", MFD_CLOEXEC));
    size_t at = 0;

    while (fd >= 0 && at < spec->ninput) {
        ssize_t n = pwrite(fd, (const char *)spec->input + at,
                           spec->ninput - at, (off_t)at);

        if (n > 0)
            at += (size_t)n;
        else if (n < 0 && errno != EINTR)
            close_fd(&fd);
    }
    return fd;
}

static int
open_ends(struct attempt *self, const struct exec_spec *spec,
          struct spawn *spawn, struct err *err)
{
    spawn->fds[0] = self->host->null;
    if (spec->input && (spawn->fds[0] = open_input(spec)) < 0)
        return short_of(err, "its input");
    if (add_pipe(self, FROM_STDOUT, &spawn->fds[1]) < 0 ||
        add_pipe(self, FROM_STDERR, &spawn->fds[2]) < 0 ||
        (spec->call && add_pipe(self, FROM_RESULT, &spawn->result) < 0))
        return short_of(err, "a pipe");
    return 0;
}

/* What main will seem to have used from the start: see exec_usage.memory. */
static int64_t
own_peak(void)
{
    struct rusage used;

    (void)getrusage(RUSAGE_SELF, &used);
    return (int64_t)used.ru_maxrss * 1024;
}

static void
not_started(struct attempt *self, const struct err *why)
{
    for (int i = 0; i < FROM_COUNT; i++)
        close_source(self, (enum attempt_from)i);
    self->done.end = EXEC_NOT_STARTED;
    self->done.text = mem_dup(why->msg);
    self->done.usage.ended = self->done.usage.started;
    self->exited = self->gone = true;
}

static int
start_main(struct attempt *self, const struct spawn *spawn, struct err *err)
{
    struct spawned child;
    struct err why;

    self->done.usage.started = span_wall();
    if (spawn_start(spawn, &child, &why) < 0) {
        if (why.code == ERR_UNAVAILABLE) {
            *err = why;
            return -1;
        }
        not_started(self, &why);
        return 0;
    }
    self->tree.main = child.pid;
    if (add_source(self, FROM_MAIN, child.pidfd) < 0) {
        (void)short_of(err, "epoll");
        (void)kill(child.pid, SIGKILL);
        while (waitpid(child.pid, NULL, 0) < 0 && errno == EINTR)
            continue;
        return -1;
    }
    self->host->nmain++;
    return 0;
}

int
attempt_start(struct attempt **ret, struct attempt_host *host,
              const struct exec_spec *spec, int64_t now, struct err *err)
{
    struct attempt *self = new_attempt(host, spec);
    struct spawn spawn = {.context = &host->spawn,
                          .spec = spec,
                          .fds = {-1, -1, -1},
                          .result = -1};
    int rc = -1;

    if (host->mark != 0)
        self->tree.mark = spawn.mark = host->mark++;
    if (spec->argv)
        self->peak = own_peak();
    if (open_ends(self, spec, &spawn, err) < 0 ||
        start_main(self, &spawn, err) < 0)
        goto out;
    if (spec->timeout > 0)
        self->deadline = now + spec->timeout;
    *ret = self;
    self = NULL;
    rc = 0;
out:
    if (spawn.fds[0] != host->null)
        close_fd(&spawn.fds[0]);
    attempt_destroy(&self);
    return rc;
}

void
attempt_destroy(struct attempt **self_p)
{
    struct attempt *self = *self_p;

    if (!self)
        return;
    for (int i = 0; i < FROM_COUNT; i++)
        close_source(self, (enum attempt_from)i);
    for (int i = 0; i < EXEC_STREAM_COUNT; i++)
        output_release(&self->outputs[i]);
    exec_done_release(&self->done);
    free(self);
    *self_p = NULL;
}

/* The next part of a call's result; it ends the call if it is too long. */
static bool
add_result(struct attempt *self, size_t n)
{
    struct buf *result = &self->done.result;

    if (result->len + n > RESULT_BYTES)
        return false;
    buf_add(result, self->host->chunk, n);
    return true;
}

/* False if there was nothing to read. */
static bool
read_stream(struct attempt *self, enum attempt_from from, int64_t now)
{
    ssize_t n = read(self->sources[from].fd, self->host->chunk, ATTEMPT_CHUNK);
    bool fits = true;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (n <= 0)
        close_source(self, from);
    else if (from == FROM_RESULT)
        fits = add_result(self, (size_t)n);
    else
        fits = output_add(&self->outputs[from], self->host->chunk, (size_t)n);
    if (!fits) {
        /* Also if main has ended: what is there of a value is not one. */
        if (self->done.end == EXEC_EXITED)
            self->done.end = EXEC_OUTPUT_LIMIT;
        attempt_stop(self, EXEC_OUTPUT_LIMIT, false, now);
    }
    return n > 0;
}

/*
 * Take what main has left in the pipes. They end here unless somebody else
 * holds them, who may also fill them for ever.
 */
static void
read_rest(struct attempt *self, int64_t now)
{
    for (int i = FROM_STDOUT; i <= FROM_RESULT; i++) {
        enum attempt_from from = (enum attempt_from)i;
        int most = READS;

        if (self->host->held)
            return; /* since the last piece, maybe */
        close_fd(&self->sources[from].theirs);
        while (self->sources[from].fd >= 0 && most-- > 0 &&
               read_stream(self, from, now) && !self->host->held)
            continue;
    }
}

/* Main has ended: what is left may fill the pipes for a while. */
static void
begin_drain(struct attempt *self, int64_t now)
{
    self->drain = false;
    self->drain_until = self->host->held ? SPAN_NEVER : now + DRAIN;
    if (self->stage == ATTEMPT_DRAINING)
        self->deadline = self->drain_until;
    read_rest(self, now);
}

static void
reap_main(struct attempt *self, int64_t now)
{
    struct exec_usage *usage = &self->done.usage;
    struct rusage used = {0};
    pid_t pid = wait4(self->tree.main, &self->status, WNOHANG, &used);

    if (pid == 0)
        return;
    self->host->nmain--;
    self->lost = pid < 0;
    if (used.ru_maxrss * 1024 < self->peak + MEMORY_MORE)
        used.ru_maxrss = 0;
    tree_count(usage, &used);
    usage->ended = span_wall();
    close_source(self, FROM_MAIN);
    self->exited = self->tree.reaped = self->look = true;
    self->together = self->stage == ATTEMPT_KILL_SENT;
    if (self->stage == ATTEMPT_RUNNING)
        self->stage = ATTEMPT_DRAINING;
    begin_drain(self, now);
}

void
attempt_event(struct attempt *self, enum attempt_from from, int64_t now)
{
    if (self->sources[from].fd < 0)
        return; /* closed by an event of the same batch */
    if (from == FROM_MAIN) {
        reap_main(self, now);
    } else if (from == FROM_REST) {
        close_source(self, from);
        self->look = true;
    } else if (!self->host->held) {
        (void)read_stream(self, from, now);
    }
}

/* Be told when this process of the tree ends. */
static void
watch(struct attempt *self, pid_t pid)
{
    int fd;

    if (self->sources[FROM_REST].fd >= 0)
        return;
    fd = pidfd_open(pid, 0);
    if (fd < 0)
        self->look = errno == ESRCH;
    else if (add_source(self, FROM_REST, fd) < 0)
        close_source(self, FROM_REST);
}

static void
sweep(struct attempt *self, int sig)
{
    struct tree_found found = tree_sweep(&self->tree, sig, &self->done.usage);

    if (!self->exited)
        return;
    if (sig != 0 && !self->together && found.alive > self->done.leftovers)
        self->done.leftovers = found.alive;
    if (found.alive > 0)
        watch(self, found.one);
    else if (found.reaped > 0)
        self->look = true;
    else
        self->gone = true;
}

/* Once for all attempts that have ended at the same time. */
static bool
is_mark_gone(struct attempt *self)
{
    struct attempt_host *host = self->host;

    if (!host->has_marks)
        host->has_marks = tree_marks_read(&host->marks, self->tree.mark);
    return host->has_marks && !tree_marks_has(&host->marks, self->tree.mark);
}

/*
 * What an attempt leaves behind becomes a child of ours before its parent can
 * be waited for. So if we have no children but main processes, nothing is left
 * of those that have ended.
 */
static bool
are_all_mains(const struct attempt_host *host)
{
    if (host->children < 0)
        return tree_is_childless();
    return tree_count_children(host->children) == host->nmain;
}

static void
look_around(struct attempt *self)
{
    self->look = false;
    if ((self->exited && are_all_mains(self->host)) ||
        (self->stage == ATTEMPT_DRAINING && self->tree.mark != 0 &&
         is_mark_gone(self)))
        self->gone = true;
    else
        sweep(self, self->stage == ATTEMPT_KILL_SENT ? SIGKILL : 0);
}

static void
send_term(struct attempt *self, int64_t deadline)
{
    self->stage = ATTEMPT_TERM_SENT;
    self->deadline = deadline;
    sweep(self, SIGTERM);
}

static void
send_kill(struct attempt *self, int64_t now)
{
    self->stage = ATTEMPT_KILL_SENT;
    self->deadline = now + LIMIT_KILL_MS * SPAN_MS;
    sweep(self, SIGKILL);
}

/* Whatever holds on to life now does so inside the kernel. */
static void
give_up(struct attempt *self)
{
    struct exec_usage *usage = &self->done.usage;

    self->immortal = tree_sweep(&self->tree, SIGKILL, usage).one;
    if (!self->exited) {
        self->immortal = self->tree.main;
        usage->ended = span_wall();
    }
    self->exited = self->gone = true;
    self->drain_until = 0;
    self->deadline = SPAN_NEVER;
}

static void
go_on(struct attempt *self, int64_t now)
{
    switch (self->stage) {
    case ATTEMPT_RUNNING:
        attempt_stop(self, EXEC_TIMED_OUT, false, now);
        break;
    case ATTEMPT_DRAINING:
        send_term(self, now + DRAIN);
        break;
    case ATTEMPT_TERM_SENT:
        send_kill(self, now);
        break;
    case ATTEMPT_KILL_SENT:
        give_up(self);
        break;
    }
}

bool
attempt_advance(struct attempt *self, int64_t now)
{
    if (self->drain)
        begin_drain(self, now);
    if (!self->gone && self->deadline <= now)
        go_on(self, now);
    if (self->look && !self->gone)
        look_around(self);
    if (!self->gone)
        return false;
    for (int i = FROM_STDOUT; i <= FROM_RESULT; i++) {
        if (self->sources[i].fd >= 0 &&
            (self->host->held || now < self->drain_until))
            return false;
    }
    return true;
}

void
attempt_tidy(struct attempt *self)
{
    if (self->exited)
        self->look = true;
    else
        sweep(self, 0);
}

void
attempt_stop(struct attempt *self, enum exec_end end, bool at_once, int64_t now)
{
    if (!self->exited && self->done.end == EXEC_EXITED)
        self->done.end = end;
    if (self->gone)
        return;
    if (at_once && self->stage < ATTEMPT_KILL_SENT)
        send_kill(self, now);
    else if (self->stage < ATTEMPT_TERM_SENT)
        send_term(self, now + self->grace);
}

void
attempt_hold(struct attempt *self)
{
    for (int i = FROM_STDOUT; i <= FROM_RESULT; i++) {
        struct attempt_source *source = &self->sources[i];
        struct epoll_event event = {.events = events_of(self, source->from),
                                    .data.ptr = source};

        if (source->fd >= 0)
            (void)epoll_ctl(self->host->epoll, EPOLL_CTL_MOD, source->fd,
                            &event);
    }
    self->drain = self->exited;
}

int64_t
attempt_deadline(const struct attempt *self)
{
    if (self->drain)
        return 0;
    if (self->gone)
        return self->host->held ? SPAN_NEVER : self->drain_until;
    return self->look ? 0 : self->deadline;
}

void
attempt_finish(struct attempt *self)
{
    const struct ending ending = {self->status, self->lost, self->timeout,
                                  self->immortal};
    struct exec_done *done = &self->done;
    struct buf *const held[] = {&done->out, &done->errors};

    for (int i = 0; i < EXEC_STREAM_COUNT; i++) {
        struct output *output = &self->outputs[i];

        done->noutput[i] = output->total;
        done->dropped[i] = output_end(output);
        *held[i] = output->held;
        output->held = (struct buf){0};
    }
    ending_tell(&ending, done);
    if (done->end != EXEC_EXITED)
        buf_clear(&done->result);
}
