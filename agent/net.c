/* SPDX-License-Identifier: MPL-2.0 */
#include "agent/net.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "agent/attempts.h"
#include "agent/core.h"
#include "agent/fetch.h"
#include "agent/session.h"
#include "agent/telling.h"
#include "base/log.h"
#include "base/ready.h"
#include "base/span.h"
#include "proto/limits.h"
#include "proto/link.h"

#define FENCE      (LIMIT_FENCE_MS * SPAN_MS)
#define LEAVE_TIME (2 * SPAN_SECOND) /* for the last words to go */
#define FEW_BYTES  (LIMIT_OUTBOX_BYTES / 2)

struct agent_net {
    const struct agent_net_config *config;
    struct agent *core;
    struct attempts *attempts;
    struct agent_programs *programs;
    struct session *session;
    struct lane_in *lane;
    struct telling *telling;
    struct fetch fetch;
    int epoll, signals;
    int fds[SESSION_FDS]; /* in the epoll */
    unsigned change;
    int ready_fd;
    int64_t now;
    bool early;   /* there is no broker yet */
    bool held;    /* commands' output is not read */
    bool leaving; /* was told to */
    bool forced;  /* ... and what ran is being ended */
    int64_t force_at, gone_at;
    unsigned terms;
    bool over; /* left, or ended at once */
    bool refused;
    bool ended;   /* something has, in this turn */
    bool started; /* ... too */
    struct err err;
};

/* While every slot has another task in wait, nobody needs to know at once. */
static bool
has_enough(const struct agent_net *self)
{
    struct agent_state state = agent_state(self->core);

    return !self->leaving && !state.draining &&
           state.queued >= self->config->info.slots;
}

/* ---- from the core ---- */

static void
start(void *ctx, uint32_t own, uint32_t slot, const struct work *work,
      const uint32_t *gpus, uint32_t ngpu)
{
    struct agent_net *self = ctx;

    self->started = true;
    attempts_start(self->attempts, own, slot, work, gpus, ngpu);
}

static void
stop(void *ctx, uint32_t own, bool at_once)
{
    struct agent_net *self = ctx;

    attempts_stop(self->attempts, own, at_once);
}

static void
forget(void *ctx, const struct work *work)
{
    (void)ctx;
    lane_work_free(work);
}

static void
tell_started(void *ctx, uint32_t ticket)
{
    struct agent_net *self = ctx;

    telling_started(self->telling, ticket);
}

static void
tell_result(void *ctx, uint64_t number, const struct result *result)
{
    struct agent_net *self = ctx;

    telling_result(self->telling, number, result, has_enough(self), self->now);
}

static void
tell_output(void *ctx, const struct output *output)
{
    struct agent_net *self = ctx;

    return_out_output(session_out(self->session), output);
}

static void
tell_given_back(void *ctx, uint32_t ticket)
{
    struct agent_net *self = ctx;

    telling_given_back(self->telling, ticket);
}

/* ---- from what runs ---- */

static void
on_began(void *ctx, uint32_t own)
{
    struct agent_net *self = ctx;

    agent_began(self->core, own);
}

static void
on_output(void *ctx, const struct output *output)
{
    struct agent_net *self = ctx;

    agent_output(self->core, output);
}

/* What was ended because the agent leaves is no fault of the task's. */
static void
on_ended(void *ctx, const struct result *told)
{
    struct agent_net *self = ctx;
    struct result result = *told;

    if (self->forced && result.state == PLAN_CANCELLED) {
        result.state = PLAN_CRASHED;
        result.cause = "its agent was told to leave before it had ended";
    }
    self->ended = true;
    agent_ended(self->core, &result, self->now);
}

static void
on_not_begun(void *ctx, uint32_t own)
{
    struct agent_net *self = ctx;

    self->ended = true;
    agent_not_begun(self->core, own);
}

/* ---- from the lane ---- */

static void
on_task(void *ctx, const struct lane_task *task)
{
    struct agent_net *self = ctx;
    struct err err = {0};

    if (session_is_joined(self->session) &&
        agent_task(self->core, task, self->now, &err) == 0)
        return;
    lane_work_free(task->work);
    session_again(self->session, err.msg, self->now);
}

static void
on_cancel(void *ctx, uint32_t ticket, bool at_once)
{
    struct agent_net *self = ctx;

    agent_cancel(self->core, ticket, at_once);
}

static void
on_recall(void *ctx, uint32_t ticket)
{
    struct agent_net *self = ctx;

    agent_recall(self->core, ticket);
}

static void
on_saved(void *ctx, uint64_t bytes)
{
    struct agent_net *self = ctx;

    agent_saved(self->core, bytes);
}

static void
on_keep(void *ctx, uint32_t ticket)
{
    struct agent_net *self = ctx;

    agent_keep(self->core, ticket);
}

static void
on_done(void *ctx, uint32_t ticket)
{
    struct agent_net *self = ctx;

    agent_done(self->core, ticket);
}

static void
on_ack(void *ctx, uint64_t number)
{
    struct agent_net *self = ctx;

    agent_ack(self->core, number, self->now);
}

static void
on_drain(void *ctx)
{
    struct agent_net *self = ctx;

    log_info("draining", "why=broker");
    agent_drain(self->core, self->now);
}

static void
on_leave(void *ctx)
{
    struct agent_net *self = ctx;

    session_again(self->session, "the broker wants a new one", self->now);
}

/* Beats are heard as any frame is. */
static const struct lane_calls lane_calls = {
    .task = on_task,
    .cancel = on_cancel,
    .recall = on_recall,
    .saved = on_saved,
    .keep = on_keep,
    .done = on_done,
    .ack = on_ack,
    .drain = on_drain,
    .leave = on_leave,
    .passes_on = true,
};

static void
on_lane(void *ctx, const struct wire *wire)
{
    struct agent_net *self = ctx;
    struct err err;

    if (lane_read(self->lane, wire, &lane_calls, self, &err) < 0)
        session_again(self->session, err.msg, self->now);
}

/* ---- sessions ---- */

static const struct held *
on_held(void *ctx, size_t *n)
{
    struct agent_net *self = ctx;

    return agent_held(self->core, n);
}

static int64_t
see_to_beat(struct agent_net *self)
{
    struct agent_state state = agent_state(self->core);

    return session_is_joined(self->session)
               ? telling_beat(self->telling, &state, self->now)
               : SPAN_NEVER;
}

static void
on_control(void *ctx, const struct wire *wire)
{
    struct agent_net *self = ctx;

    fetch_control(&self->fetch, wire);
}

static void
on_joined(void *ctx, uint64_t number, uint32_t epoch, const uint32_t *tickets,
          size_t n)
{
    struct agent_net *self = ctx;

    telling_begin(self->telling);
    lane_in_clear(self->lane);
    agent_welcome(self->core, epoch, tickets, n, self->now);
    agent_programs_again(self->programs);
    (void)see_to_beat(self);
    log_info("joined", "broker=%s session=%llu epoch=%u held=%zu",
             self->config->address,
             (unsigned long long)number & LINK_SECRET_SHOWN, epoch, n);
    ready_tell("READY=1\nSTATUS=joined", self->ready_fd);
    self->ready_fd = -1;
}

static void
on_lost(void *ctx, const char *why)
{
    struct agent_net *self = ctx;
    char quoted[LOG_QUOTED];

    log_warn("lost", "broker=%s why=%s", self->config->address,
             log_quote(why, quoted));
    agent_lost_broker(self->core, self->now);
}

static void
on_refused(void *ctx, const struct err *err)
{
    struct agent_net *self = ctx;

    self->err = *err;
    self->refused = self->over = true;
}

/* ---- leaving ---- */

static void
on_signal(struct agent_net *self)
{
    struct signalfd_siginfo info;

    while (read(self->signals, &info, sizeof info) == sizeof info) {
        self->terms++;
        log_info("told_to_leave", "signal=%u", info.ssi_signo);
        if (self->terms > 1) {
            self->over = true;
        } else {
            self->leaving = true;
            self->force_at = self->now + self->config->drain;
            agent_drain(self->core, self->now);
            ready_tell("STOPPING=1", -1);
        }
    }
}

static void
say_goodbye(struct agent_net *self)
{
    if (session_is_joined(self->session)) {
        return_out_leaving(session_out(self->session));
        (void)session_flush(self->session);
    }
    self->over = true;
}

/* When to look again. */
static int64_t
see_to_leaving(struct agent_net *self)
{
    struct agent_state state = agent_state(self->core);

    if (state.may_leave) {
        say_goodbye(self);
        return self->now;
    }
    if (!self->leaving)
        return SPAN_NEVER;
    if (!self->forced && self->now >= self->force_at) {
        log_warn("drain_time_over", "running=%u", state.running);
        self->forced = true;
        attempts_stop_all(self->attempts, false);
        self->gone_at = self->now + LIMIT_KILL_MS * SPAN_MS;
        return self->now;
    }
    /* Only the broker is missing: it will find them lost. */
    if (self->forced && (state.running == 0 || self->now >= self->gone_at) &&
        (!session_is_joined(self->session) ||
         self->now >= self->force_at + LEAVE_TIME + LIMIT_KILL_MS * SPAN_MS)) {
        self->over = true;
        return self->now;
    }
    return self->forced ? self->now + SPAN_SECOND / 4 : self->force_at;
}

/* ---- the loop ---- */

static void
watch(const struct agent_net *self, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

    (void)epoll_ctl(self->epoll, EPOLL_CTL_ADD, fd, &event);
}

/* Sockets come and go with sessions; one that is closed has left by itself. */
static void
watch_session(struct agent_net *self)
{
    unsigned change;
    int fds[SESSION_FDS];

    session_fds(self->session, fds, &change);
    if (change == self->change)
        return;
    self->change = change;
    for (int i = 0; i < SESSION_FDS; i++) {
        if (self->fds[i] >= 0)
            (void)epoll_ctl(self->epoll, EPOLL_CTL_DEL, self->fds[i], NULL);
    }
    for (int i = 0; i < SESSION_FDS; i++) {
        self->fds[i] = fds[i];
        if (fds[i] >= 0)
            watch(self, fds[i]);
    }
}

/* Output that nobody takes stays with whoever writes it. */
static void
see_to_room(struct agent_net *self)
{
    size_t bytes = agent_state(self->core).kept;
    bool hold = self->held ? bytes > FEW_BYTES : bytes > LIMIT_OUTBOX_BYTES;

    if (hold == self->held)
        return;
    self->held = hold;
    attempts_hold(self->attempts, hold);
    log_debug(hold ? "output_held" : "output_goes_on", "bytes=%zu", bytes);
}

static int64_t
sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Everything that is to be done now; when there is more to do. */
static int64_t
turn(struct agent_net *self)
{
    int64_t next, until;
    bool busy = false;

    self->now = span_mono();
    next = self->early ? SPAN_NEVER
                       : session_turn(self->session, self->now, &busy);
    attempts_handle(self->attempts, self->now, &until);
    self->ended = self->started = false;
    next = sooner(next, agent_tick(self->core, self->now));
    if (self->started)
        attempts_handle(self->attempts, self->now, &until);
    if (self->ended)
        next = sooner(next, agent_tick(self->core, self->now));
    next = sooner(next, until);
    fetch_ask(&self->fetch, self->now);
    next = sooner(next, see_to_beat(self));
    next = sooner(next, see_to_leaving(self));
    next =
        sooner(next, telling_send(self->telling, has_enough(self), self->now));
    see_to_room(self);
    watch_session(self);
    busy = busy || session_waits(self->session);
    return busy || self->ended ? self->now : next;
}

static void
sleep_until(struct agent_net *self, int64_t until)
{
    struct epoll_event events[16];
    int64_t left = until - span_mono();
    int ms = left <= 0 ? 0 : (int)(sooner(left, 60 * SPAN_SECOND) + 999) / 1000;
    int n = epoll_wait(self->epoll, events, 16, ms);

    assert(n >= 0 || errno == EINTR);
    for (int i = 0; i < n; i++) {
        if (events[i].data.fd == self->signals) {
            self->now = span_mono();
            on_signal(self);
        } else if (events[i].data.fd == self->config->lifeline) {
            log_info("lifeline_ended", "running=%u",
                     agent_state(self->core).running);
            self->over = true;
        } else if (events[i].data.fd == self->config->start_fd) {
            (void)epoll_ctl(self->epoll, EPOLL_CTL_DEL, self->config->start_fd,
                            NULL);
            self->early = false;
        }
    }
}

/* ---- life ---- */

static int
open_all(struct agent_net *self, struct err *err)
{
    const struct agent_net_config *config = self->config;
    const struct attempts_calls calls = {on_began, on_output, on_ended,
                                         on_not_begun, self};
    sigset_t mask;

    (void)sigemptyset(&mask);
    (void)sigaddset(&mask, SIGTERM);
    (void)sigaddset(&mask, SIGINT);
    self->epoll = epoll_create1(EPOLL_CLOEXEC);
    self->signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
    if (self->epoll < 0 || self->signals < 0)
        return err_system(err, "can't make an epoll");
    self->programs = agent_programs_new(config->programs);
    if (attempts_new(&self->attempts, config->info.slots, self->programs,
                     &calls, err) < 0)
        return -1;
    attempts_set_files(self->attempts, config->files);
    watch(self, self->signals);
    watch(self, attempts_fd(self->attempts));
    if (config->lifeline >= 0)
        watch(self, config->lifeline);
    if (config->start_fd >= 0)
        watch(self, config->start_fd);
    return 0;
}

static void
open_core(struct agent_net *self)
{
    const struct agent_net_config *config = self->config;
    const struct agent_config rules = {
        .slots = config->info.slots,
        .resources = config->info.resources,
        .nresource = config->info.nresource,
        .idle = config->idle,
        .lifetime = config->lifetime,
        .fence = FENCE,
    };
    const struct agent_effects effects = {
        start,       stop,        forget,          tell_started,
        tell_output, tell_result, tell_given_back, self};
    const struct session_calls calls = {
        on_held, on_joined, on_lane, on_control, on_lost, on_refused, self};

    self->lane = lane_in_new();
    self->core = agent_new(&rules, &effects, self->now);
    self->session =
        session_new(config->address, &config->info, &calls, self->now);
    self->telling = telling_new(self->session);
    self->fetch = (struct fetch){self->programs, self->attempts, self->session};
}

static void
close_net(struct agent_net *self)
{
    attempts_destroy(&self->attempts);
    agent_destroy(&self->core);
    agent_programs_destroy(&self->programs);
    telling_destroy(&self->telling);
    session_destroy(&self->session);
    lane_in_destroy(&self->lane);
    if (self->epoll >= 0)
        (void)close(self->epoll);
    if (self->signals >= 0)
        (void)close(self->signals);
}

int
agent_net_run(const struct agent_net_config *config, struct err *err)
{
    struct agent_net self = {.config = config,
                             .epoll = -1,
                             .signals = -1,
                             .fds = {-1, -1, -1},
                             .ready_fd = config->ready_fd,
                             .early = config->start_fd >= 0,
                             .now = span_mono()};
    int rc = open_all(&self, err);

    if (rc == 0) {
        open_core(&self);
        while (!self.over)
            sleep_until(&self, turn(&self));
    }
    close_net(&self);
    if (rc < 0 || !self.refused)
        return rc;
    *err = self.err;
    return -1;
}
