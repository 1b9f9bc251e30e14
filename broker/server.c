/* SPDX-License-Identifier: MPL-2.0 */
#include "broker/server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/mem.h"
#include "broker/server_impl.h"
#include "proto/link.h"

#define BATCH        256 /* frames of a socket in a turn */
#define READER_BUSY  256 /* questions under way: no more are taken */
#define PATIENCE     (5 * SPAN_SECOND) /* of the last commit */
#define TELL_GARBAGE SPAN_SECOND
#define TELL_FILES   (60 * SPAN_SECOND)
#define LONGEST      (60 * SPAN_SECOND)
/* From group to group while nobody waits: a turn that comes in between makes
 * one, so that there is no waking up for it. */
#define SEAL_PACE      (6 * SPAN_MS)
#define SEAL_LATE      (10 * SPAN_MS)
#define EVENTS         64
#define EVENT_LIFELINE UINT64_MAX
#define EVENT_SIGNAL   (UINT64_MAX - 1)

/* ---- answering ---- */

void
broker_server_answer(struct broker_server *self,
                     struct broker_question **question_p)
{
    const struct broker_question *question = *question_p;

    broker_net_send(self->net, &question->client, question->frames.data,
                    question->frames.len);
    broker_question_destroy(question_p);
}

void
broker_server_fail(struct broker_server *self,
                   const struct broker_client *client, uint64_t tag,
                   const struct err *err)
{
    struct broker_question *question =
        broker_question_new(QUESTION_ASK, client, tag);

    broker_question_fail(question, err);
    broker_server_answer(self, &question);
}

void
broker_server_put(struct broker_server *self, struct broker_question *question)
{
    question->news = self->committed;
    question->asked = self->now;
    if (self->parser && (question->kind == QUESTION_SUBMIT ||
                         question->kind == QUESTION_HISTORY))
        broker_reader_put(self->parser, question);
    else
        broker_reader_put(self->reader, question);
}

void
broker_server_garbage(struct broker_server *self, const struct err *err)
{
    self->garbage++;
    (void)log_quote(err->msg, self->garbage_text);
}

static void
tell_refused(struct broker_server *self)
{
    uint64_t n =
        self->now - self->refused_told < TELL_GARBAGE ? 0 : link_refused();

    if (n == 0)
        return;
    log_warn("lane_refused", "connections=%llu why=\"not its agent\"",
             (unsigned long long)n);
    self->refused_told = self->now;
}

/* libzmq does not say so, and whoever connects gets no answer. */
static void
tell_files(struct broker_server *self)
{
    struct err err;
    int fd;

    if (self->now < self->files_at)
        return;
    self->files_at = self->now + SPAN_SECOND;
    fd = fcntl(self->poll, F_DUPFD_CLOEXEC, 0);
    if (fd >= 0) {
        (void)close(fd);
        return;
    }
    (void)err_system(&err, "nobody can connect any more");
    log_error("no_files", "why=%s", log_quote(err.msg, (char[LOG_QUOTED]){0}));
    self->files_at = self->now + TELL_FILES;
}

static void
tell_garbage(struct broker_server *self)
{
    self->garbage += broker_net_garbage(self->net);
    if (self->garbage == 0 || self->now - self->garbage_told < TELL_GARBAGE)
        return;
    log_warn("garbage", "frames=%llu last=%s",
             (unsigned long long)self->garbage,
             *self->garbage_text ? self->garbage_text : "parts");
    self->garbage = 0;
    self->garbage_told = self->now;
}

/* ---- what has come ---- */

static bool
is_behind(const struct broker_server *self)
{
    return broker_writer_behind(self->writer) > LIMIT_UNSTORED_BYTES;
}

static bool
is_busy(const struct broker_server *self)
{
    return broker_reader_behind(self->reader) > READER_BUSY;
}

static void
take_control(struct broker_server *self)
{
    struct broker_client client;
    zframe_t *frame;

    for (int i = 0; i < BATCH && !is_busy(self) &&
                    (frame = broker_net_control(self->net, &client));
         i++) {
        struct wire wire;
        struct err err;

        if (wire_decode(&wire, zframe_data(frame), zframe_size(frame), &err) <
            0) {
            broker_server_garbage(self, &err);
            /* Of another version, perhaps: it wants to be told so. */
            if (err.code == ERR_DENIED)
                broker_server_fail(self, &client, 0, &err);
        } else {
            broker_server_control(self, &client, &wire);
            wire_release(&wire);
        }
        zframe_destroy(&frame);
    }
}

static void
take_returns(struct broker_server *self)
{
    zframe_t *frame;

    for (int i = 0; i < BATCH && !is_behind(self) &&
                    (frame = broker_net_return(self->net));
         i++) {
        struct wire wire;
        struct err err;

        if (wire_decode(&wire, zframe_data(frame), zframe_size(frame), &err) <
            0) {
            broker_server_unheard(
                self, wire_session(zframe_data(frame), zframe_size(frame)),
                &err);
        } else {
            broker_server_return(self, &wire);
            wire_release(&wire);
        }
        zframe_destroy(&frame);
    }
}

static void
set_trouble(struct broker_server *self, const struct err *err)
{
    char text[LOG_QUOTED];

    if (err)
        log_error("store_trouble", "text=%s", log_quote(err->msg, text));
    else
        log_info("store_well", "epoch=%u", self->epoch);
    free(self->trouble);
    self->trouble = err ? mem_dup(err->msg) : NULL;
}

static void
answer_wrote(struct broker_server *self, const struct broker_wrote *wrote)
{
    struct broker_question *question = wrote->tag;

    if (wrote->failed)
        broker_question_fail(question, &wrote->err);
    else
        broker_question_answer(question, wrote->number, NULL, false);
    broker_server_answer(self, &question);
}

static void
take_wrote(struct broker_server *self)
{
    struct broker_wrote *wrote;

    while ((wrote = broker_writer_next(self->writer))) {
        switch (wrote->what) {
        case WROTE_GROUP:
            self->committed = wrote->number;
            broker_committed(self->core, wrote->number, self->now);
            broker_watch_committed(self->watch, wrote->number);
            break;
        case WROTE_RUN:
            broker_server_run_stored(self, wrote);
            break;
        case WROTE_NOTED:
        case WROTE_REMOVED:
            answer_wrote(self, wrote);
            break;
        case WROTE_TROUBLE:
            set_trouble(self, &wrote->err);
            break;
        case WROTE_WELL:
            set_trouble(self, NULL);
            break;
        }
        free(wrote);
    }
}

static void
take_read(struct broker_server *self)
{
    struct broker_question *question;

    while ((question = broker_reader_next(self->reader)) ||
           (self->parser && (question = broker_reader_next(self->parser))))
        broker_server_read(self, question);
}

/* ---- what is due ---- */

static void
see_to_clients(struct broker_server *self)
{
    struct broker_question *question;

    while ((question = broker_watch_due(self->watch, self->now)))
        broker_server_put(self, question);
    while ((question = broker_submit_late(self->submit, self->now)))
        broker_server_answer(self, &question);
}

static void
on_gone(void *ctx, broker_session session, enum broker_gone why)
{
    struct broker_server *self = ctx;

    log_debug("lane_gone", "session=%llu why=%s",
              (unsigned long long)session & LINK_SECRET_SHOWN,
              why == GONE_STUCK ? "stuck" : "connection");
    if (why == GONE_CONNECTION) /* which the core does not give up at once */
        broker_server_tell_over(self, session, "its lane is gone");
    broker_gone(self->core, session, why, self->now);
}

static void
seal(struct broker_server *self)
{
    self->sealed = broker_seal(self->core);
    broker_writer_seal(self->writer, self->sealed);
    self->sealed_at = self->now;
    self->recorded = false;
}

/* A group at once, if the last was a while ago or somebody waits for it. When it
 * is due otherwise: mostly there is a turn before, and more in it. */
static int64_t
see_to_group(struct broker_server *self)
{
    if (!self->recorded)
        return SPAN_NEVER;
    if (!broker_writer_is_urgent(self->writer) &&
        self->now < self->sealed_at + SEAL_PACE)
        return self->sealed_at + SEAL_LATE;
    seal(self);
    return SPAN_NEVER;
}

/* What is done in a turn; when the next one is due. */
static int64_t
turn(struct broker_server *self)
{
    int64_t due = SPAN_NEVER, other;
    uint64_t before;

    self->now = span_mono();
    take_wrote(self);
    take_read(self);
    take_control(self);
    take_returns(self);
    if (broker_net_return_waits(self->net))
        broker_unheard(self->core, self->now);
    see_to_clients(self);
    do {
        before = broker_counts(self->core).requeued;
        do {
            due = broker_tick(self->core, self->now);
        } while (broker_server_report_unsent(self));
        broker_net_turn(self->net, self->now, on_gone, self);
    } while (broker_counts(self->core).requeued != before);
    other = broker_server_tell_impossible(self);
    due = other < due ? other : due;
    other = see_to_group(self);
    due = other < due ? other : due;
    tell_garbage(self);
    tell_refused(self);
    tell_files(self);
    other = broker_net_due(self->net);
    due = other < due ? other : due;
    other = broker_watch_next(self->watch);
    due = other < due ? other : due;
    other = broker_submit_next(self->submit);
    due = other < due ? other : due;
    if ((!is_busy(self) && broker_net_control_waits(self->net)) ||
        (!is_behind(self) && broker_net_return_waits(self->net)))
        return 0;
    return due;
}

static void
wait_for_events(struct broker_server *self, int64_t due)
{
    struct epoll_event events[EVENTS];
    int64_t left = due - span_mono();
    int n;

    if (left > LONGEST)
        left = LONGEST;
    if (left < 0 || due == 0)
        left = 0;
    n = epoll_wait(self->poll, events, EVENTS,
                   (int)((left + SPAN_MS - 1) / SPAN_MS));
    for (int i = 0; i < n; i++) {
        uint64_t what = events[i].data.u64;

        if (what == EVENT_SIGNAL || what == EVENT_LIFELINE)
            self->ending = true;
        else if (what != 0)
            broker_net_wake(self->net, what);
    }
}

void
broker_server_run(struct broker_server *self)
{
    while (!self->ending)
        wait_for_events(self, turn(self));
}

/* ---- life ---- */

static int
watch_fd(const struct broker_server *self, int fd, uint64_t data,
         struct err *err)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = data};

    if (fd >= 0 && epoll_ctl(self->poll, EPOLL_CTL_ADD, fd, &event) < 0)
        return err_system(err, "can't wait for a descriptor");
    return 0;
}

static int
open_store(struct broker_server *self, struct store **ret, struct err *err)
{
    const struct broker_server_options *options = &self->options;
    struct store *store = NULL;

    if (store_open(&store, options->store, STORE_WRITE, err) < 0)
        return -1;
    store_share(store);
    /* No agent that was at an earlier broker comes to one of one run. */
    self->epoch = 1;
    if (!options->temporary &&
        (store_lock(store, options->address, err) < 0 ||
         store_epoch_next(store, &self->epoch, err) < 0)) {
        store_close(&store);
        return -1;
    }
    *ret = store;
    return 0;
}

static int
open_rest(struct broker_server *self, struct store **store_p, struct err *err)
{
    const struct broker_server_options *options = &self->options;
    const char *cluster = options->temporary ? options->address : NULL;
    struct broker_net_options net = {.address = options->address,
                                     .first = options->first,
                                     .last = options->last,
                                     .epoll = self->poll};

    if (store_open(&self->cache, options->store, STORE_READ, err) < 0 ||
        broker_writer_new(&self->writer, store_p, err) < 0 ||
        broker_reader_new(&self->reader, options->store, cluster, err) < 0 ||
        /* Of a temporary cluster nobody looks before its one run has begun. */
        (!options->temporary &&
         broker_reader_new(&self->parser, options->store, NULL, err) < 0))
        return -1;
    broker_server_begin_taken(self);
    if (broker_net_new(&self->net, &net, err) < 0 ||
        watch_fd(self, options->signals, EVENT_SIGNAL, err) < 0 ||
        watch_fd(self, options->lifeline, EVENT_LIFELINE, err) < 0 ||
        watch_fd(self, broker_writer_fd(self->writer), 0, err) < 0 ||
        (self->parser &&
         watch_fd(self, broker_reader_fd(self->parser), 0, err) < 0))
        return -1;
    return watch_fd(self, broker_reader_fd(self->reader), 0, err);
}

static void
release(struct broker_server **self_p)
{
    struct broker_server *self = *self_p;

    *self_p = NULL;
    broker_net_destroy(&self->net);
    broker_reader_stop(&self->reader);
    broker_reader_stop(&self->parser);
    broker_watch_destroy(&self->watch);
    broker_submit_destroy(&self->submit);
    broker_tokens_destroy(&self->tokens);
    broker_destroy(&self->core);
    store_close(&self->cache);
    for (size_t i = 0; i < self->ntaken; i++)
        broker_submission_destroy(&self->taken[i]);
    for (size_t i = 0; i < self->nunsent; i++) {
        json_decref(self->unsent[i].value);
        free(self->unsent[i].cause);
    }
    if (self->poll >= 0)
        (void)close(self->poll);
    free(self->taken);
    free(self->unsent);
    free(self->uncached);
    free(self->trouble);
    free(self);
}

int
broker_server_new(struct broker_server **ret,
                  const struct broker_server_options *options, struct err *err)
{
    struct broker_server *self = mem_alloc(1, sizeof *self);
    struct broker_effects effects = broker_server_effects(self);
    struct store *store = NULL;
    int rc = -1;

    self->options = *options;
    self->now = span_mono();
    self->poll = epoll_create1(EPOLL_CLOEXEC);
    if (self->poll < 0) {
        (void)err_system(err, "can't wait for events");
        goto out;
    }
    self->watch = broker_watch_new();
    self->submit = broker_submit_new();
    self->tokens = broker_tokens_new();
    if (open_store(self, &store, err) < 0)
        goto out;
    self->core = broker_new(&effects, self->epoch);
    if ((!options->temporary && broker_server_take_up(self, store, err) < 0) ||
        open_rest(self, &store, err) < 0)
        goto out;
    *ret = self;
    rc = 0;
out:
    store_close(&store);
    if (rc < 0) {
        (void)broker_writer_stop(&self->writer, 0);
        release(&self);
    }
    return rc;
}

int
broker_server_stop(struct broker_server **self_p, struct err *err)
{
    struct broker_server *self = *self_p;
    bool good;

    if (!self)
        return 0;
    /* Agents and clients see at once that nobody is there. */
    broker_net_destroy(&self->net);
    if (self->recorded)
        seal(self);
    good = broker_writer_stop(&self->writer, PATIENCE);
    release(self_p);
    if (!good)
        return err_set(err, ERR_UNAVAILABLE,
                       "not all could be written to the store: what is "
                       "missing will be done again");
    return 0;
}
