/* SPDX-License-Identifier: MPL-2.0 */
/*
 * worker_end - what the end of a worker means for the calls it had.
 *
 * The one that was being made is to blame, in the words of the local executor,
 * which calls such functions in a forked child. All others have not begun.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "agent/worker_impl.h"
#include "base/mem.h"
#include "base/span.h"
#include "base/utf8.h"

#define BARREN 3 /* processes that end outside of any call: enough is enough */

static bool
has_code(const struct flow_codes *codes, int code)
{
    return code >= 0 && code < 256 &&
           (codes->bits[code / 64] >> (code % 64) & 1) != 0;
}

/* It ended by itself: what that makes of the call. */
static void
judge(const struct work_spec *spec, const struct exec_done *done,
      struct result *result)
{
    result->state = PLAN_FAILED;
    result->cause = done->text;
    result->code = done->code;
    if (done->end != EXEC_EXITED)
        return;
    if (has_code(&spec->exit_skip, done->code))
        result->state = PLAN_SKIPPED;
    else if (has_code(&spec->exit_retry, done->code))
        result->state = PLAN_RETRYING;
    else if (done->code == 0)
        result->cause = "the function ended its process";
}

/* The call that it was ended for, or that it ended in. */
static void
blame(struct slot *self, struct call *call, const struct exec_done *done)
{
    char span[SPAN_TEXT];
    char *cause = NULL;
    struct result result = {
        .code = -1,
        .started = atomic_load(&self->page->began),
        .ended = done->usage.ended,
    };

    if (call->end == EXEC_TIMED_OUT) {
        result.state = PLAN_TIMED_OUT;
        cause = mem_printf("timed out after %s",
                           span_format(call->work->spec->timeout, span));
        result.cause = cause;
    } else if (call->end == EXEC_CANCELLED) {
        result.state = PLAN_CANCELLED;
        result.cause = "cancelled";
    } else if (self->broken) {
        result.state = PLAN_FAILED;
        result.cause = "the function has damaged its process: what its worker "
                       "sent makes no sense";
    } else {
        judge(call->work->spec, done, &result);
    }
    if (result.ended < result.started)
        result.ended = span_wall();
    slot_end_call(self, call, &result);
    free(cause);
}

static void
give_back_sent(struct slot *self)
{
    const struct workers_calls *calls = &self->owner->calls;
    struct call *call;

    while ((call = TAILQ_FIRST(&self->calls)) && call->sent) {
        uint32_t ticket = call->ticket;

        slot_drop(self, call);
        calls->not_begun(calls->ctx, ticket);
    }
}

void
slot_refuse(struct slot *self, const char *program, enum item_refused refused,
            const char *cause)
{
    struct call *call = TAILQ_FIRST(&self->calls);

    while (call) {
        struct call *next = TAILQ_NEXT(call, link);
        int64_t now = span_wall();
        struct result result = {.state = PLAN_CRASHED,
                                .refused = refused,
                                .cause = cause,
                                .code = -1,
                                .started = now,
                                .ended = now};

        if (strcmp(call->need->program, program) == 0)
            slot_end_call(self, call, &result);
        call = next;
    }
}

/* The last line of what it said, which tells why it could not begin. */
static void
add_last_words(const struct exec_done *done, const char *program,
               struct buf *out)
{
    const char *text = buf_str(&done->errors);
    size_t end = done->errors.len;
    size_t n = strlen(program);
    size_t begin;

    while (end > 0 && (text[end - 1] == '\n' || text[end - 1] == '\r'))
        end--;
    begin = end;
    while (begin > 0 && text[begin - 1] != '\n')
        begin--;
    if (end - begin > n + 2 && memcmp(text + begin, program, n) == 0 &&
        memcmp(text + begin + n, ": ", 2) == 0)
        begin += n + 2; /* it was named before */
    if (end - begin > LIMIT_CAUSE_BYTES / 2)
        begin = end - LIMIT_CAUSE_BYTES / 2;
    if (end > begin) {
        buf_text(out, ": ");
        utf8_escape(out, text + begin, end - begin);
    }
}

/* It ended before it served. */
static void
refuse_program(struct slot *self, const struct exec_done *done)
{
    const char *program = self->need->program;
    struct buf cause = {0};

    if (self->ending) {
        buf_printf(&cause,
                   "can't make calls of `%s` here: it did not begin to serve "
                   "within %d s",
                   program, LIMIT_WORKER_START_MS / 1000);
    } else if (done->end == EXEC_NOT_STARTED) {
        /* it is named in there, and a cause has not room for it twice */
        buf_printf(&cause, "can't make calls here: %s", done->text);
    } else {
        buf_printf(&cause,
                   "can't make calls of `%s` here: it ended before it served "
                   "(%s)",
                   program, done->text);
        add_last_words(done, program, &cause);
    }
    slot_refuse(self, program, REFUSED_PROGRAM, buf_str(&cause));
    buf_release(&cause);
}

/* It served, and ended outside of a call, for nobody. */
static void
note_barren(struct slot *self, const struct exec_done *done)
{
    const char *program = self->need->program;
    char *cause;

    if (++self->barren < BARREN)
        return;
    self->barren = 0;
    cause = mem_printf("can't make calls of `%s` here: it ends again and again "
                       "before it makes one (%s)",
                       program, done->text);
    slot_refuse(self, program, REFUSED_PROGRAM, cause);
    free(cause);
}

void
slot_ended(struct slot *self, const struct exec_done *done)
{
    struct call *call;

    self->alive = false;
    self->owner->alive--;
    process_receive(self);
    process_take_rest(self);
    if (!atomic_load(&self->page->serving)) {
        refuse_program(self, done);
        process_release(self);
        return;
    }
    call = self->victim;
    if (!call)
        call = slot_find(self, atomic_load(&self->page->current));
    if (call && call->sent)
        blame(self, call, done);
    else if (self->nsent > 0)
        note_barren(self, done);
    give_back_sent(self);
    process_release(self);
}
