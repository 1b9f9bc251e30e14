/* SPDX-License-Identifier: MPL-2.0 */
/*
 * client_follow - from question to question until a run has ended.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "flow/value.h"
#include "lib/client_impl.h"
#include "lib/client_mirror.h"

#define TICK (100 * SPAN_MS)
/* A run that nobody holds: a broker that was started anew takes its own up. */
#define ORPHANED (3 * SPAN_SECOND)
/* A question that waits is asked anew on a new connection after this time: the
 * old one may have broken and come back unnoticed. */
#define SILENCE (20 * SPAN_SECOND)

struct following {
    struct client *client;
    const struct client_follow *follow;
    struct mirror mirror;
    struct store_run info; /* as last heard */
    uint64_t batch, offset;
    int interrupts; /* that were there before, and those seen to */
    int seen_to;
    bool late;  /* the end has come: now what was not asked for before */
    bool over;  /* the state is final, and all that belongs to it is here */
    bool left;  /* by an interrupt */
    bool idle;  /* nothing has come for as long as a look waits */
    bool lacks; /* agents, and that has been told */
    int64_t ticked;
    int64_t orphaned; /* monotonic: nobody holds it since; 0: somebody does */
};

/* ---- interrupts ---- */

static int
interrupts(const struct following *self)
{
    return self->client->interrupts - self->interrupts;
}

/* Nobody waits for the answer: the run's end is the answer. */
static int
send_cancel(struct following *self, struct err *err)
{
    Wire__Ask ask;

    wire__ask__init(&ask);
    self->seen_to = interrupts(self);
    ask.tag = ++self->client->tag;
    ask.what = ASK_CANCEL;
    ask.run = self->follow->run;
    ask.number = self->seen_to > 1;
    return client_send(self->client, WIRE_ASK, &ask.base, err);
}

static int
see_to_interrupts(struct following *self, struct err *err)
{
    if (interrupts(self) == self->seen_to)
        return 0;
    if (self->follow->leave) {
        self->left = true;
        return 0;
    }
    return send_cancel(self, err);
}

/* ---- what was seen ---- */

static bool
is_final(const struct following *self)
{
    if (self->info.state == STORE_INTERRUPTED)
        return self->orphaned > 0 && span_mono() - self->orphaned >= ORPHANED;
    return self->info.state != STORE_RUNNING;
}

static int
read_info(struct following *self, const Wire__Seen *seen, struct err *err)
{
    struct store_run info = {0};
    json_t *json = NULL;
    int rc;

    if (value_parse(VALUE_JSON, (const char *)seen->run.data, seen->run.len,
                    &json, err) < 0)
        return -1;
    rc = store_run_from_json(&info, json, err);
    json_decref(json);
    if (rc < 0)
        return -1;
    store_run_release(&self->info);
    self->info = info;
    if (info.state != STORE_INTERRUPTED)
        self->orphaned = 0;
    else if (self->orphaned == 0)
        self->orphaned = span_mono();
    return 0;
}

static int
take_batches(struct following *self, const Wire__Seen *seen, struct err *err)
{
    for (size_t i = 0; i < seen->n_batches; i++) {
        const Wire__Batch *batch = seen->batches[i];

        if (mirror_batch(&self->mirror, (const char *)batch->text.data,
                         batch->text.len, err) < 0)
            return -1;
        self->batch = batch->number;
    }
    return 0;
}

static int
take_seen(struct following *self, const Wire__Seen *seen, struct err *err)
{
    bool was_final = is_final(self) && self->info.id > 0;
    bool has_row = seen->run.len > 0;
    struct mirror *mirror = &self->mirror;

    if ((has_row && read_info(self, seen, err) < 0) ||
        take_batches(self, seen, err) < 0)
        return -1;
    if (seen->output.len > 0 &&
        mirror_output(mirror, (const char *)seen->output.data, seen->output.len,
                      err) < 0)
        return -1;
    self->offset = seen->offset > self->offset ? seen->offset : self->offset;
    if (!seen->more && mirror_settle(mirror, err) < 0)
        return -1;
    self->idle = !seen->more && seen->n_batches == 0 && seen->output.len == 0;
    /* A broker reads the row first: what belongs to its end has come with it.
     * An end that is only concluded is looked at once more. */
    if (has_row && self->info.state != STORE_INTERRUPTED)
        self->over = !seen->more && is_final(self);
    else
        self->over = was_final && self->idle;
    return 0;
}

/* ---- asking ---- */

static bool
wants_records(const struct following *self)
{
    return self->late || (!self->follow->quiet && self->follow->watch);
}

static bool
wants_output(const struct following *self)
{
    return self->follow->watch && self->follow->watch->output &&
           wants_records(self);
}

static int
send_look(struct following *self, struct err *err)
{
    Wire__Look look;

    wire__look__init(&look);
    look.tag = ++self->client->tag;
    look.run = self->follow->run;
    look.batch = self->batch;
    look.offset = self->offset;
    look.records = wants_records(self);
    look.output = wants_output(self);
    look.wait = !is_final(self) || self->info.id == 0;
    return client_send(self->client, WIRE_LOOK, &look.base, err);
}

static int
take_message(struct following *self, struct wire *message, struct err *err)
{
    int rc = -1;

    if (message->type == WIRE_SEEN)
        rc = take_seen(self, message->as.seen, err);
    else if (message->type == WIRE_ANSWER && message->as.answer->code)
        (void)client_refused(message->as.answer, err);
    else
        (void)client_bad_answer(self->client, wire_type_names[message->type],
                                err);
    wire_release(message);
    return rc;
}

static int
tick(struct following *self, struct err *err)
{
    const struct client_follow *follow = self->follow;
    int64_t now = span_mono();

    if (now - self->ticked < TICK)
        return 0;
    self->ticked = now;
    if (follow->watch && follow->watch->tick)
        follow->watch->tick(follow->watch->ctx, self->mirror.run);
    return follow->check ? follow->check(follow->ctx, err) : 0;
}

enum round { ROUND_DONE, ROUND_LOST, ROUND_FAILED };

/* One question and its answer. */
static enum round
go_round(struct following *self, struct err *err)
{
    int64_t until = span_mono() + SILENCE;
    uint64_t tag;

    if (send_look(self, err) < 0)
        return ROUND_LOST;
    tag = self->client->tag;
    for (;;) {
        int64_t now = span_mono();
        struct wire message;
        enum client_step step;

        if (tick(self, err) < 0)
            return ROUND_FAILED;
        if (see_to_interrupts(self, err) < 0)
            return ROUND_LOST;
        if (self->left)
            return ROUND_DONE;
        if (now >= until) {
            (void)err_set(err, ERR_UNAVAILABLE,
                          "the broker at %s has been silent for %d s",
                          self->client->address, (int)(SILENCE / SPAN_SECOND));
            return ROUND_LOST;
        }
        step =
            client_next(self->client, tag,
                        now + TICK < until ? now + TICK : until, &message, err);
        if (step == CLIENT_LOST)
            return ROUND_LOST;
        if (step == CLIENT_BAD)
            return ROUND_FAILED;
        if (step == CLIENT_GOT)
            return take_message(self, &message, err) < 0 ? ROUND_FAILED
                                                         : ROUND_DONE;
    }
}

/* ---- agents that are not there ---- */

/* A run that only other agents could go on with is told of, once at a time. */
static void
ask_what_lacks(struct following *self)
{
    const struct client_follow *follow = self->follow;
    json_t *list = NULL;
    const char *line;
    uint64_t told = 0; /* by the run's output */
    char *text;
    struct err err;

    self->idle = false;
    /* What goes wrong with the question does so with the next look, too. A
     * cluster that was made for the run has what it asks for. */
    if (!follow->lost || follow->patience == 0 ||
        client_ask(self->client, ASK_WHY, follow->run, "", 0, &list, &told,
                   &err) < 0)
        return;
    line = json_string_value(json_array_get(list, 0));
    if (line && !self->lacks && !(told && wants_output(self))) {
        text =
            mem_printf("%s; the run waits for an agent that can go on", line);
        follow->lost(follow->ctx, text);
        free(text);
    }
    self->lacks = line != NULL;
    json_decref(list);
}

/* ---- a broker that is away ---- */

static void
tell(const struct following *self, const struct err *why)
{
    const struct client_follow *follow = self->follow;
    char span[SPAN_TEXT];
    char *text;

    if (!follow->lost)
        return;
    text = mem_printf("%s; waiting for it for up to %s", why->msg,
                      span_format(follow->patience, span));
    follow->lost(follow->ctx, text);
    free(text);
}

/* True if it is there again; else *err says why not. */
static bool
wait_for_broker(struct following *self, struct err *err)
{
    int64_t until = span_mono() + self->follow->patience;
    struct err why = *err;
    bool told = false;
    struct err found;
    char span[SPAN_TEXT];

    while (client_connect_again(self->client, &why) < 0) {
        /* Whoever looks after it may know more. */
        if (self->follow->check &&
            self->follow->check(self->follow->ctx, &found) < 0) {
            *err = found;
            return false;
        }
        if (span_mono() >= until || interrupts(self) > 1 ||
            (self->follow->leave && interrupts(self) > 0)) {
            self->left = self->follow->leave && interrupts(self) > 0;
            if (self->follow->patience > 0)
                (void)err_prefix(
                    &why, "given up after %s",
                    span_format(span_mono() - until + self->follow->patience,
                                span));
            *err = why;
            return false;
        }
        if (!told)
            tell(self, &why);
        told = true;
        client_rest(self->client);
    }
    if (told && self->follow->lost)
        self->follow->lost(self->follow->ctx, "the broker is there again");
    self->seen_to = 0; /* it may not have heard */
    return true;
}

/* ---- all together ---- */

static int
go_to_the_end(struct following *self, struct err *err)
{
    while (!self->over && !self->left) {
        if (self->orphaned > 0 && !is_final(self))
            client_rest(self->client);
        switch (go_round(self, err)) {
        case ROUND_DONE:
            if (self->idle && !is_final(self) && !self->left)
                ask_what_lacks(self);
            break;
        case ROUND_LOST:
            if (!wait_for_broker(self, err) && !self->left)
                return -1;
            break;
        case ROUND_FAILED:
            return -1;
        }
    }
    return 0;
}

static int
follow_all(struct following *self, struct err *err)
{
    const struct client_follow *follow = self->follow;

    if (go_to_the_end(self, err) < 0)
        return -1;
    if (self->left || (follow->watch && !follow->quiet) ||
        (follow->watch && self->info.state == STORE_SUCCEEDED))
        return 0;
    self->late = true;
    self->over = false;
    return go_to_the_end(self, err);
}

static void
settle(struct following *self, struct local_result *ret)
{
    const struct store_run *info = &self->info;
    const char *problem = store_run_problem(info);

    ret->state = self->left ? STORE_RUNNING : info->state;
    ret->id = self->follow->run;
    ret->interrupts = interrupts(self);
    ret->timed_out = store_run_timed_out(info);
    if (ret->state == STORE_SUCCEEDED)
        ret->output = info->output ? json_incref(info->output) : json_null();
    if (problem)
        ret->problem = mem_dup(problem);
}

int
client_follow(struct client *self, const struct client_follow *follow,
              struct local_result *ret, struct err *err)
{
    struct following all = {
        .client = self, .follow = follow, .interrupts = self->interrupts};
    struct local_result result = {.state = STORE_INTERRUPTED};
    int rc;

    if (mirror_init(&all.mirror, follow, err) < 0)
        return -1;
    client_set_interrupt(self, follow->interrupt_fd);
    if (follow->watch && follow->watch->begun)
        follow->watch->begun(follow->watch->ctx, follow->run);
    rc = follow_all(&all, err);
    client_set_interrupt(self, -1);
    if (rc == 0)
        settle(&all, &result);
    result.id = follow->run;
    result.interrupts = interrupts(&all);
    result.run = all.mirror.run;
    all.mirror.run = NULL;
    *ret = result;
    mirror_release(&all.mirror);
    store_run_release(&all.info);
    return rc;
}
