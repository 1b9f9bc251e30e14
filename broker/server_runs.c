/* SPDX-License-Identifier: MPL-2.0 */
/*
 * server_runs - runs as they begin: submitted, gone on with, taken up.
 *
 *   Submit --reader: parsed--> --writer: stored--> in the core --> answered
 *   retry  --reader: loaded--> --writer: held----'
 */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "broker/server_impl.h"

int
broker_server_admit(const struct broker_server *self, struct err *err)
{
    if (self->trouble)
        return err_set(err, ERR_UNAVAILABLE,
                       "the broker takes no runs, as it can't store them: %s",
                       self->trouble);
    if (broker_run_count(self->core) + self->entering >= LIMIT_ACTIVE_RUNS)
        return err_set(err, ERR_LIMIT,
                       "the broker has %u runs that are not at their end: try "
                       "again when some are",
                       LIMIT_ACTIVE_RUNS);
    return 0;
}

/* Hand it to the core, which takes the flow. */
static int
begin(struct broker_server *self, struct broker_submission *in, uint64_t id,
      bool restarted, struct err *err)
{
    const struct store_run *row = in->history ? &in->history->info : &in->row;
    char hash[2 * sizeof in->source_hash + 1];
    struct broker_run run = {
        .id = id,
        .flow = in->flow,
        .params = row->params,
        .home = row->cwd,
        .program = in->program.len > 0 ? in->program.data : NULL,
        .nprogram = in->program.len,
        .source_hash = hash,
        .env = in->env,
        .timeout = in->timeout,
        .resume = in->history,
        .from = in->from,
        .stops = in->stops,
        .nstop = in->nstop,
        .adopt_until = restarted ? self->now + LIMIT_ADOPT_MS * SPAN_MS : 0,
    };

    (void)sodium_bin2hex(hash, sizeof hash, in->source_hash,
                         sizeof in->source_hash);
    randombytes_buf(&run.seed, sizeof run.seed);
    in->flow = NULL;
    /* Before anything is recorded of it. */
    broker_watch_begin(self->watch, id);
    if (broker_run_begin(self->core, &run, self->now, err) < 0) {
        broker_watch_end(self->watch, id, self->sealed + 1);
        return -1;
    }
    if (in->no_cache) {
        self->uncached = mem_grow(self->uncached, &self->cap_uncached,
                                  self->nuncached + 1, sizeof *self->uncached);
        self->uncached[self->nuncached++] = id;
    }
    return 0;
}

static void
give_up(struct broker_server *self, uint64_t run, const struct err *err)
{
    char text[LOG_QUOTED];

    log_error("run_failed", "run=%llu text=%s", (unsigned long long)run,
              log_quote(err->msg, text));
    broker_writer_end(self->writer, run, STORE_FAILED, NULL, err->msg);
    self->recorded = true;
}

/* ---- at the start ---- */

/* What is left of the run's time; 0: it has no end. */
static int64_t
time_left(const struct store_run *row)
{
    int64_t until = json_integer_value(json_object_get(row->options, "until"));
    int64_t left = until - span_wall();

    if (until <= 0)
        return 0;
    return left > 0 ? left : 1;
}

/* NULL: it can't be gone on with, and has been ended. */
static struct broker_submission *
take_run(struct store *store, uint64_t run, struct err *err)
{
    struct broker_submission *in = mem_alloc(1, sizeof *in);
    struct history *history = NULL;
    char text[LOG_QUOTED];
    struct err why;

    in->from = PLAN_NONE;
    if (history_load(&history, store, run, &why) == 0 &&
        store_run_stops(store, run, &in->stops, &in->nstop, &why) == 0 &&
        broker_submission_of_history(in, store, &history, &why) == 0) {
        in->timeout = time_left(&in->history->info);
        return in;
    }
    log_error("run_lost", "run=%llu text=%s", (unsigned long long)run,
              log_quote(why.msg, text));
    history_destroy(&history);
    broker_submission_destroy(&in);
    (void)store_run_end(store, run, STORE_FAILED, NULL, why.msg, err);
    return NULL;
}

int
broker_server_take_up(struct broker_server *self, struct store *store,
                      struct err *err)
{
    uint64_t *runs = NULL;
    size_t n = 0;
    int rc = broker_tokens_load(self->tokens, store, err);

    if (rc == 0)
        rc = store_unfinished(store, &runs, &n, err);

    for (size_t i = 0; i < n && rc == 0; i++) {
        struct broker_submission *in;

        rc = store_run_hold(store, runs[i], err);
        in = rc == 0 ? take_run(store, runs[i], err) : NULL;
        if (!in)
            continue;
        self->taken = mem_grow(self->taken, &self->cap_taken, self->ntaken + 1,
                               sizeof *self->taken);
        self->taken[self->ntaken++] = in;
    }
    free(runs);
    return rc;
}

static bool
is_cancelled(const struct broker_submission *in)
{
    const json_t *options = in->history->info.options;

    return json_is_true(json_object_get(options, "cancelled"));
}

void
broker_server_begin_taken(struct broker_server *self)
{
    for (size_t i = 0; i < self->ntaken; i++) {
        struct broker_submission *in = self->taken[i];
        uint64_t run = in->history->info.id;
        struct err err;

        if (begin(self, in, run, true, &err) < 0)
            give_up(self, run, &err);
        else
            log_info("run_taken_up", "run=%llu flow=%s",
                     (unsigned long long)run, in->history->info.flow);
        if (is_cancelled(in))
            broker_run_cancel(self->core, run, false, self->now);
        broker_submission_destroy(&self->taken[i]);
    }
    self->ntaken = 0;
}

/* ---- submitted, or gone on with ---- */

void
broker_server_known(struct broker_server *self,
                    const struct broker_client *client, uint64_t tag,
                    uint64_t run)
{
    struct broker_question *question =
        broker_question_new(QUESTION_SUBMIT, client, tag);

    broker_question_answer(question, run, NULL, false);
    broker_server_answer(self, &question);
}

/* It has become a run, or (0) none; so have those that were the same. */
static void
end_token(struct broker_server *self, uint64_t token, uint64_t run,
          const struct err *err)
{
    struct broker_items waiting = STAILQ_HEAD_INITIALIZER(waiting);

    broker_tokens_end(self->tokens, token, run, &waiting);
    while (!STAILQ_EMPTY(&waiting)) {
        struct broker_question *question =
            (struct broker_question *)STAILQ_FIRST(&waiting);

        STAILQ_REMOVE_HEAD(&waiting, link);
        if (run != 0)
            broker_question_answer(question, run, NULL, false);
        else
            broker_question_fail(question, err);
        broker_server_answer(self, &question);
    }
}

void
broker_server_run_stored(struct broker_server *self,
                         const struct broker_wrote *wrote)
{
    struct broker_question *question = wrote->tag;
    struct broker_submission *in = question->submission;
    struct err err = wrote->err;
    bool good = !wrote->failed;

    self->entering--;
    if (good && begin(self, in, wrote->run, false, &err) < 0) {
        good = false;
        give_up(self, wrote->run, &err);
    }
    if (good && in->history) /* what was paused goes on with it */
        broker_run_approve(self->core, wrote->run, self->now);
    if (good) {
        const struct store_run *row =
            in->history ? &in->history->info : &in->row;

        log_info("run_began", "run=%llu flow=%s%s",
                 (unsigned long long)wrote->run, row->flow,
                 in->history ? " again=yes" : "");
        broker_question_answer(question, wrote->run, NULL, false);
    } else {
        broker_question_fail(question, &err);
    }
    end_token(self, in->token, good ? wrote->run : 0, &err);
    broker_server_answer(self, &question);
}

static void
on_submitted(struct broker_server *self, struct broker_question *question)
{
    struct broker_submission *in = question->submission;
    uint64_t known = broker_tokens_run(self->tokens, in->token);
    struct store_run row;

    broker_submit_read(self->submit, in);
    if (!question->failed && known != 0)
        broker_question_answer(question, known, NULL, false);
    if (question->failed || known != 0) {
        self->entering--;
        broker_server_answer(self, &question);
        return;
    }
    if (!broker_tokens_begin(self->tokens, in->token, question)) {
        self->entering--;
        return;
    }
    /* The row goes to the writer; what the core needs of it stays. */
    row = question->submission->row;
    question->submission->row =
        (struct store_run){.params = json_incref(row.params),
                           .flow = mem_dup(row.flow),
                           .cwd = mem_dup(row.cwd)};
    broker_writer_begin(self->writer, &row, question);
    self->recorded = true;
}

static void
on_loaded(struct broker_server *self, struct broker_question *question)
{
    struct err err;

    if (!question->failed && broker_server_admit(self, &err) < 0)
        broker_question_fail(question, &err);
    if (question->failed) {
        broker_server_answer(self, &question);
        return;
    }
    self->entering++;
    broker_writer_go_on(self->writer, question->run, &question->submission->row,
                        question);
    self->recorded = true;
}

static void
on_looked(struct broker_server *self, struct broker_question *question)
{
    struct err err;

    if (question->frames.len == 0 &&
        broker_watch_park(self->watch, &question, self->now, &err) < 0)
        broker_question_fail(question, &err);
    if (!question)
        return;
    broker_server_answer(self, &question);
}

static void
on_offered(struct broker_server *self, struct broker_question *question)
{
    struct err err;

    if (!question->failed && question->offset < question->bytes &&
        broker_submit_offered(self->submit, question, self->now, &err) < 0) {
        buf_clear(&question->frames);
        broker_question_fail(question, &err);
    }
    broker_server_answer(self, &question);
}

static void
on_piece(struct broker_server *self, struct broker_question *question)
{
    if (question->failed)
        broker_submit_forget(self->submit, &question->client, question->tag);
    broker_server_answer(self, &question);
}

static void
on_answered(struct broker_server *self, struct broker_question *question)
{
    broker_server_answer(self, &question);
}

void
broker_server_read(struct broker_server *self, struct broker_question *question)
{
    static void (*const handlers[QUESTION_COUNT])(struct broker_server *,
                                                  struct broker_question *) = {
        [QUESTION_LOOK] = on_looked,      [QUESTION_ASK] = on_answered,
        [QUESTION_SUBMIT] = on_submitted, [QUESTION_HISTORY] = on_loaded,
        [QUESTION_OFFER] = on_offered,    [QUESTION_PIECE] = on_piece,
        [QUESTION_PROGRAM] = on_answered,
    };

    handlers[question->kind](self, question);
}
