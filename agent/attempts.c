/* SPDX-License-Identifier: MPL-2.0 */
#include "agent/attempts.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/core.h"
#include "agent/worker.h"
#include "base/mem.h"
#include "base/span.h"
#include "exec/carry.h"
#include "proto/limits.h"

#define HOME_GOOD SPAN_SECOND /* for so long a look at a folder holds */

enum stage { FETCHING, CALLED, CARRIED };

struct attempt {
    TAILQ_ENTRY(attempt) link;
    uint32_t own, slot;
    const struct work *work; /* borrowed */
    enum stage stage;
    bool has_carrier;          /* its call is a part of what a carrier does */
    char *cwd;                 /* of that call, or NULL */
    char *env[2];              /* over the surroundings, NULL-terminated */
    enum item_refused refused; /* of that call */
    uint64_t written[3];       /* bytes, a stream */
    uint32_t origin;           /* of what it has written; 0: nothing yet */
};

TAILQ_HEAD(attempt_list, attempt);

struct attempts {
    struct attempts_calls calls;
    struct agent_programs *programs; /* borrowed */
    struct workers *workers;
    struct carrier *carrier;
    int epoll;
    int carrier_fd; /* in the epoll; -1: none yet */
    bool called;    /* a call has ended that the carrier waits for */
    struct attempt_list list;
    struct attempt **by_place; /* of their numbers */
    size_t nplace, cap_place;
    int64_t now;
    /* The last home that was looked at. */
    char *home;
    bool home_there;
    int64_t home_at;
};

/* ---- the attempts there are ---- */

static struct attempt *
find(const struct attempts *self, uint32_t own)
{
    size_t place = own % AGENT_PLACES;
    struct attempt *attempt =
        place < self->nplace ? self->by_place[place] : NULL;

    return attempt && attempt->own == own ? attempt : NULL;
}

static void
add(struct attempts *self, struct attempt *attempt)
{
    size_t place = attempt->own % AGENT_PLACES;

    self->by_place = mem_grow(self->by_place, &self->cap_place, place + 1,
                              sizeof(struct attempt *));
    for (; self->nplace <= place; self->nplace++)
        self->by_place[self->nplace] = NULL;
    assert(!self->by_place[place]);
    self->by_place[place] = attempt;
    TAILQ_INSERT_TAIL(&self->list, attempt, link);
}

static void
drop(struct attempts *self, struct attempt *attempt)
{
    self->by_place[attempt->own % AGENT_PLACES] = NULL;
    TAILQ_REMOVE(&self->list, attempt, link);
    free(attempt->env[0]);
    free(attempt->cwd);
    free(attempt);
}

/* Who carries the same attempt out elsewhere, or again, first says something at
 * another time. What handlers write is never sent again, and must not be taken
 * for that of their attempt. */
static uint32_t
origin_of(struct attempt *attempt)
{
    uint64_t x = ((uint64_t)span_wall() ^ (uint64_t)attempt->own << 32) *
                 UINT64_C(0x9e3779b97f4a7c15);

    if (attempt->work->spec->handlers)
        return 0;
    if (attempt->origin == 0)
        attempt->origin = (uint32_t)((x >> 32) % LIMIT_ORIGIN) | 1;
    return attempt->origin;
}

static void
tell_output(struct attempts *self, struct attempt *attempt, int stream,
            const char *data, size_t n)
{
    struct output output = {.ticket = attempt->own,
                            .stream = stream,
                            .origin = origin_of(attempt),
                            .offset = attempt->written[stream],
                            .when = span_wall(),
                            .data = data,
                            .n = n};

    attempt->written[stream] += n;
    self->calls.output(self->calls.ctx, &output);
}

/* It has ended so: forget it and tell. */
static void
end(struct attempts *self, struct attempt *attempt, struct result *result)
{
    result->ticket = attempt->own;
    drop(self, attempt);
    self->calls.ended(self->calls.ctx, result);
}

/* ---- calls ---- */

/* What became of a call that a carrier waits for. */
static void
tell_carrier(struct attempts *self, struct attempt *attempt,
             const struct result *result)
{
    struct carry_done done = {
        .tag = attempt,
        .state = result->state,
        .value = json_incref(result->value),
        .code = result->code,
        .cpu = result->cpu,
        .memory = result->memory,
    };

    if (result->cause)
        buf_text(&done.cause, result->cause);
    attempt->stage = CARRIED;
    attempt->refused = result->refused;
    self->called = true;
    carrier_called(self->carrier, attempt, &done);
}

static void
end_call(struct attempts *self, struct attempt *attempt, struct result *result)
{
    if (attempt->has_carrier)
        tell_carrier(self, attempt, result);
    else
        end(self, attempt, result);
}

static void
fail_call(struct attempts *self, struct attempt *attempt, enum plan_state state,
          enum item_refused refused, const char *cause)
{
    struct result result = {.state = state,
                            .refused = refused,
                            .cause = cause,
                            .code = -1,
                            .started = span_wall()};

    result.ended = result.started;
    end_call(self, attempt, &result);
}

/* Where the run was asked for, if that is here. */
static const char *
home_of(struct attempts *self, const struct work *work)
{
    const char *home = work->spec->home;
    struct stat st;

    if (!home)
        return NULL;
    if (!self->home || self->now - self->home_at > HOME_GOOD ||
        strcmp(home, self->home) != 0) {
        char *copy = mem_dup(home);

        free(self->home);
        self->home = copy;
        self->home_there = stat(home, &st) == 0 && S_ISDIR(st.st_mode);
        self->home_at = self->now;
    }
    return self->home_there ? home : NULL;
}

static void
hand_to_worker(struct attempts *self, struct attempt *attempt,
               const char *program)
{
    const struct workers_call call = {
        .slot = attempt->slot,
        .ticket = attempt->own,
        .work = attempt->work,
        .program = program,
        .cwd =
            attempt->has_carrier ? attempt->cwd : home_of(self, attempt->work),
        .env = attempt->env[0] ? (const char *const *)attempt->env : NULL,
    };

    attempt->stage = CALLED;
    workers_call(self->workers, &call);
}

/* Its program is a file that is here, or has to be fetched first. */
static void
make_call(struct attempts *self, struct attempt *attempt)
{
    const struct work_spec *spec = attempt->work->spec;
    const char *program;
    char *own = NULL;

    if (!spec->program || spec->nprogram == 0) {
        fail_call(self, attempt, PLAN_CRASHED, REFUSED_PROGRAM,
                  spec->handlers
                      ? "it has state handlers, and no program came with its "
                        "run"
                      : "it calls a C function, and no program came with its "
                        "run");
        return;
    }
    if (work_program_is_hash(spec->program, spec->nprogram))
        program = agent_programs_get(self->programs, spec->program, self->now);
    else
        program = own = mem_text(spec->program, spec->nprogram);
    attempt->stage = FETCHING;
    if (program)
        hand_to_worker(self, attempt, program);
    free(own);
}

void
attempts_program(struct attempts *self, const unsigned char hash[PROGRAM_HASH],
                 const char *failed)
{
    struct attempt *attempt = TAILQ_FIRST(&self->list);

    while (attempt) {
        struct attempt *next = TAILQ_NEXT(attempt, link);
        const struct work_spec *spec = attempt->work->spec;

        if (attempt->stage == FETCHING &&
            memcmp(spec->program, hash, PROGRAM_HASH) == 0) {
            if (failed)
                fail_call(self, attempt, PLAN_CRASHED, REFUSED_PROGRAM, failed);
            else
                make_call(self, attempt);
        }
        attempt = next;
    }
}

static void
on_call_began(void *ctx, uint32_t own)
{
    struct attempts *self = ctx;
    const struct attempt *attempt = find(self, own);

    if (attempt && !attempt->has_carrier)
        self->calls.began(self->calls.ctx, own);
}

static void
on_call_output(void *ctx, uint32_t own, int stream, const char *data, size_t n)
{
    struct attempts *self = ctx;
    struct attempt *attempt = find(self, own);

    if (attempt)
        tell_output(self, attempt, stream, data, n);
}

static void
on_call_ended(void *ctx, const struct result *told)
{
    struct attempts *self = ctx;
    struct attempt *attempt = find(self, told->ticket);
    struct result result = *told;

    if (attempt)
        end_call(self, attempt, &result);
}

static void
on_call_not_begun(void *ctx, uint32_t own)
{
    struct attempts *self = ctx;
    struct attempt *attempt = find(self, own);

    if (!attempt)
        return;
    if (attempt
            ->has_carrier) { /* `when` held: it is only the call that waits */
        make_call(self, attempt);
        return;
    }
    drop(self, attempt);
    self->calls.not_begun(self->calls.ctx, own);
}

/* ---- what a carrier does ---- */

static void
on_carried_output(void *ctx, void *tag, int stream, const char *data, size_t n)
{
    tell_output(ctx, tag, stream, data, n);
}

static void
end_carried(struct attempts *self, const struct carry_done *done)
{
    struct attempt *attempt = done->tag;
    struct result result = {
        .state = done->state,
        .value = done->value,
        .cause = done->cause.len > 0 ? buf_str(&done->cause) : NULL,
        .code = done->code,
        .started = done->started,
        .ended = done->ended,
        .cpu = done->cpu,
        .memory = done->memory,
        .cwd = done->cwd,
    };

    if (attempt->refused != REFUSED_NOT || done->short_of) {
        result.state = PLAN_CRASHED;
        result.refused =
            attempt->refused != REFUSED_NOT ? attempt->refused : REFUSED_SHORT;
    }
    end(self, attempt, &result);
}

/* Before its first process there is none to poll. */
static void
watch_carrier(struct attempts *self)
{
    struct epoll_event event = {.events = EPOLLIN};
    int fd = carrier_fd(self->carrier);

    if (fd == self->carrier_fd)
        return;
    self->carrier_fd = fd;
    if (fd >= 0)
        (void)epoll_ctl(self->epoll, EPOLL_CTL_ADD, fd, &event);
}

static void
handle_carrier(struct attempts *self)
{
    enum carry_step step = CARRY_NONE;
    struct carry_done done = {0};

    while ((step = carrier_wait(self->carrier, 0, &done)) != CARRY_NONE) {
        struct attempt *attempt = done.tag;

        if (step == CARRY_CALL) {
            free(attempt->cwd);
            attempt->cwd = mem_dup(done.cwd);
            make_call(self, attempt);
        } else {
            end_carried(self, &done);
        }
        carry_done_release(&done);
    }
    watch_carrier(self);
}

/* ---- starting and stopping ---- */

static char *
list_gpus(const uint32_t *gpus, uint32_t n)
{
    struct buf text = {0};

    if (n == 0)
        return NULL;
    buf_text(&text, "CUDA_VISIBLE_DEVICES=");
    for (uint32_t i = 0; i < n; i++)
        buf_printf(&text, "%s%u", i > 0 ? "," : "", gpus[i]);
    return buf_take(&text);
}

void
attempts_start(struct attempts *self, uint32_t own, uint32_t slot,
               const struct work *work, const uint32_t *gpus, uint32_t ngpu)
{
    const struct work_spec *spec = work->spec;
    struct attempt *attempt = mem_block(sizeof *attempt);

    *attempt = (struct attempt){.own = own, .slot = slot, .work = work};
    attempt->env[0] = list_gpus(gpus, ngpu);
    add(self, attempt);
    if (spec->kind == FLOW_CALL && !spec->when && !work->creates) {
        make_call(self, attempt);
        return;
    }
    attempt->stage = CARRIED;
    attempt->has_carrier = true;
    self->calls.began(self->calls.ctx, own);
    carrier_start(self->carrier, work,
                  attempt->env[0] ? (const char *const *)attempt->env : NULL,
                  attempt);
}

static void
stop(struct attempts *self, struct attempt *attempt, bool at_once)
{
    if (attempt->stage == CARRIED)
        carrier_cancel(self->carrier, attempt, at_once);
    else if (attempt->stage == CALLED)
        workers_stop(self->workers, attempt->own, at_once);
    else
        fail_call(self, attempt, PLAN_CANCELLED, REFUSED_NOT, "cancelled");
}

void
attempts_stop(struct attempts *self, uint32_t own, bool at_once)
{
    struct attempt *attempt = find(self, own);

    if (attempt)
        stop(self, attempt, at_once);
}

void
attempts_stop_all(struct attempts *self, bool at_once)
{
    struct attempt *attempt = TAILQ_FIRST(&self->list);

    while (attempt) {
        struct attempt *next = TAILQ_NEXT(attempt, link);

        stop(self, attempt, at_once);
        attempt = next;
    }
}

/* ---- the loop ---- */

void
attempts_hold(struct attempts *self, bool hold)
{
    carrier_hold(self->carrier, hold);
    workers_hold(self->workers, hold);
}

int
attempts_fd(const struct attempts *self)
{
    return self->epoll;
}

void
attempts_handle(struct attempts *self, int64_t now, int64_t *until)
{
    self->now = now;
    handle_carrier(self);
    self->called = false;
    workers_handle(self->workers, now, until);
    if (self->called)
        handle_carrier(self);
}

/* ---- life ---- */

int
attempts_new(struct attempts **ret, uint32_t slots,
             struct agent_programs *programs,
             const struct attempts_calls *calls, struct err *err)
{
    struct attempts *self = mem_alloc(1, sizeof *self);
    const struct workers_calls told = {on_call_began, on_call_output,
                                       on_call_ended, on_call_not_begun, self};
    struct epoll_event event = {.events = EPOLLIN};

    self->calls = *calls;
    self->programs = programs;
    self->carrier_fd = -1;
    TAILQ_INIT(&self->list);
    self->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (self->epoll < 0) {
        (void)err_system(err, "can't make an epoll");
        attempts_destroy(&self);
        return -1;
    }
    if (workers_new(&self->workers, slots, &told, err) < 0 ||
        carrier_new(&self->carrier, on_carried_output, self, err) < 0) {
        attempts_destroy(&self);
        return -1;
    }
    (void)epoll_ctl(self->epoll, EPOLL_CTL_ADD, workers_fd(self->workers),
                    &event);
    *ret = self;
    return 0;
}

void
attempts_set_files(struct attempts *self, uint64_t files)
{
    carrier_set_process(self->carrier, files);
    workers_set_files(self->workers, files);
}

void
attempts_destroy(struct attempts **self_p)
{
    struct attempts *self = *self_p;
    struct attempt *attempt;

    if (!self)
        return;
    carrier_destroy(&self->carrier);
    workers_destroy(&self->workers);
    attempt = TAILQ_FIRST(&self->list);
    while (attempt) {
        struct attempt *next = TAILQ_NEXT(attempt, link);

        drop(self, attempt);
        attempt = next;
    }
    if (self->epoll >= 0)
        (void)close(self->epoll);
    free(self->by_place);
    free(self->home);
    free(self);
    *self_p = NULL;
}
