/* SPDX-License-Identifier: MPL-2.0 */
#include "proto/wire_check.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include <wire.pb-c.h>

#include "flow/flow.h"
#include "flow/plan.h"
#include "proto/items.h"
#include "proto/limits.h"

#define SPEC_FLAGS                                                  \
    ((unsigned)(SPEC_EXCLUSIVE | SPEC_AT_MOST_ONCE | SPEC_CREATES | \
                SPEC_HANDLERS))

/* The first rule that does not hold is what is wrong. */
struct rule {
    bool holds;
    const char *text;
};

#define CHECK(err, ...) \
    check_rules((const struct rule[]){__VA_ARGS__, {true, NULL}}, err)

static int
check_rules(const struct rule *rules, struct err *err)
{
    for (; rules->text; rules++) {
        if (!rules->holds)
            return err_set(err, ERR_INVALID, "%s", rules->text);
    }
    return 0;
}

static bool
is_within(const char *text, size_t least, size_t most)
{
    size_t n = strlen(text);

    return n >= least && n <= most;
}

static bool
is_hash(const ProtobufCBinaryData *bytes)
{
    return bytes->len == WIRE_HASH;
}

/* A hash or a path; nothing. */
static bool
is_program(const ProtobufCBinaryData *bytes)
{
    if (bytes->len == 0 || is_hash(bytes))
        return true;
    return bytes->len < LIMIT_PATH_BYTES && !memchr(bytes->data, 0, bytes->len);
}

static bool
is_span(int64_t span)
{
    return span >= 0 && span <= (int64_t)LIMIT_SPAN_US;
}

static bool
is_agent_name(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";

    return is_within(text, 1, LIMIT_AGENT_NAME) &&
           text[strspn(text, letters)] == '\0';
}

static bool
are_amounts(Wire__Amount *const *amounts, size_t n)
{
    if (n > LIMIT_LABELS)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!is_within(amounts[i]->name, 1, LIMIT_NAME_BYTES) ||
            !isfinite(amounts[i]->amount) || amounts[i]->amount < 0)
            return false;
    }
    return true;
}

static bool
are_labels(char *const *labels, size_t n)
{
    if (n > LIMIT_LABELS)
        return false;
    for (size_t i = 0; i < n; i++) {
        const char *equals = strchr(labels[i], '=');

        if (!equals || equals == labels[i] ||
            strlen(labels[i]) >= LIMIT_PATH_BYTES)
            return false;
    }
    return true;
}

static bool
are_tickets(const uint32_t *tickets, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (tickets[i] == 0)
            return false;
    }
    return true;
}

/* ---- down a lane ---- */

static int
check_run(const Wire__Run *run, struct err *err)
{
    return CHECK(
        err, {run->place < LIMIT_LANE_RUNS, "Run.place: out of range"},
        {is_within(run->cwd, 0, LIMIT_PATH_BYTES), "Run.cwd: its length"},
        {is_program(&run->program), "Run.program: neither hash nor path"},
        {is_within(run->source_hash, 0, LIMIT_NAME_BYTES),
         "Run.source_hash: its length"});
}

static int
check_spec(const Wire__Spec *spec, struct err *err)
{
    return CHECK(
        err, {spec->place < LIMIT_LANE_RUNS, "Spec.place: out of range"},
        {spec->task < LIMIT_TASKS, "Spec.task: out of range"},
        {is_within(spec->name, 1, LIMIT_NAME_BYTES), "Spec.name: its length"},
        {spec->kind <= FLOW_CALL, "Spec.kind: out of range"},
        {spec->value < VALUE_KIND_COUNT, "Spec.value: out of range"},
        {spec->n_exit_skip == 0 || spec->n_exit_skip == 4,
         "Spec.exit_skip: not 4 words"},
        {spec->n_exit_retry == 0 || spec->n_exit_retry == 4,
         "Spec.exit_retry: not 4 words"},
        {is_span(spec->timeout) && is_span(spec->grace),
         "Spec.timeout: out of range"},
        {(spec->flags & ~SPEC_FLAGS) == 0, "Spec.flags: out of range"},
        {(spec->flags & SPEC_HANDLERS) == 0 ||
             (spec->flags == SPEC_HANDLERS && spec->kind == FLOW_CALL &&
              spec->when[0] == '\0'),
         "Spec.flags: handlers are called, and nothing else"},
        {are_amounts(spec->resources, spec->n_resources),
         "Spec.resources: malformed"});
}

/* Handlers hear also of what was never started. */
static bool
is_attempt(const Wire__Lane *lane, size_t i)
{
    return lane->attempt[i] > 0 ||
           (lane->specs[lane->spec[i]]->flags & SPEC_HANDLERS) != 0;
}

static bool
are_tasks(const Wire__Lane *lane)
{
    for (size_t i = 0; i < lane->n_ticket; i++) {
        if (lane->ticket[i] == 0 || lane->spec[i] >= lane->n_specs ||
            lane->child[i] > LIMIT_CHILDREN || !is_attempt(lane, i))
            return false;
    }
    for (size_t i = 0; i < lane->n_key; i++) {
        if (!is_within(lane->key[i], 0, LIMIT_SHOWN_BYTES))
            return false;
    }
    return true;
}

static bool
are_items(const Wire__Lane *lane)
{
    uint64_t all = 0;

    for (size_t i = 0; i < lane->n_item; i++) {
        if (lane->item[i] > LIMIT_ITEM_BYTES)
            return false;
        all += lane->item[i];
    }
    return all == lane->items.len;
}

static bool
are_places(const uint32_t *places, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (places[i] >= LIMIT_LANE_RUNS)
            return false;
    }
    return true;
}

static int
check_lane(const struct wire *wire, struct err *err)
{
    const Wire__Lane *lane = wire->as.lane;
    size_t n = lane->n_ticket;

    if (lane->n_spec != n || lane->n_child != n || lane->n_attempt != n ||
        (lane->n_item != n && lane->n_item != 0) ||
        (lane->n_key != n && lane->n_key != 0))
        return err_set(err, ERR_INVALID, "Lane: columns of unequal length");
    for (size_t i = 0; i < lane->n_runs; i++) {
        if (check_run(lane->runs[i], err) < 0)
            return -1;
    }
    for (size_t i = 0; i < lane->n_specs; i++) {
        if (check_spec(lane->specs[i], err) < 0)
            return -1;
    }
    return CHECK(
        err, {are_tasks(lane), "Lane: a task out of range"},
        {are_items(lane), "Lane.item: out of range"},
        {are_places(lane->forget, lane->n_forget), "Lane.forget: out of range"},
        {are_tickets(lane->cancel, lane->n_cancel) &&
             are_tickets(lane->kill, lane->n_kill) &&
             are_tickets(lane->recall, lane->n_recall) &&
             are_tickets(lane->keep, lane->n_keep) &&
             are_tickets(lane->done, lane->n_done),
         "Lane: a ticket that is 0"});
}

/* ---- back ---- */

static int
check_result(const Wire__Result *result, struct err *err)
{
    enum plan_state state = (enum plan_state)result->state;

    return CHECK(
        err, {result->ticket > 0, "Result.ticket: 0"},
        {result->state < PLAN_STATE_COUNT &&
             (plan_state_is_final(state) || state == PLAN_RETRYING),
         "Result.state: not an end"},
        {result->value.len <= LIMIT_TRAVEL_BYTES, "Result.value: too long"},
        {is_within(result->cause, 0, LIMIT_CAUSE_BYTES),
         "Result.cause: too long"},
        {result->code >= -1, "Result.code: out of range"},
        {result->started >= 0 && result->ended >= 0 && result->cpu >= 0 &&
             result->memory >= 0,
         "Result: a negative number"},
        {is_within(result->cwd, 0, LIMIT_PATH_BYTES), "Result.cwd: its length"},
        {result->refused < REFUSED_COUNT &&
             (result->refused == REFUSED_NOT || state == PLAN_CRASHED),
         "Result.refused: out of range"});
}

static int
check_beat(const Wire__Beat *beat, struct err *err)
{
    return CHECK(err, {isfinite(beat->load) && beat->load >= 0,
                       "Beat.load: out of range"});
}

/* Each counts from the one before. */
static bool
are_times(const int64_t *began, size_t n)
{
    int64_t at = 0;

    for (size_t i = 0; i < n; i++) {
        if (__builtin_add_overflow(at, began[i], &at) || at < 0 ||
            at > INT64_MAX - UINT32_MAX)
            return false;
    }
    return true;
}

static bool
are_outputs(Wire__Output *const *output, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (output[i]->ticket == 0 || output[i]->stream > 2 ||
            output[i]->data.len > LIMIT_CHUNK_BYTES ||
            output[i]->offset > INT64_MAX || output[i]->origin >= LIMIT_ORIGIN)
            return false;
    }
    return true;
}

static int
check_return(const struct wire *wire, struct err *err)
{
    const Wire__Return *back = wire->as.back;

    if (back->n_began != back->n_plain || back->n_took != back->n_plain)
        return err_set(err, ERR_INVALID, "Return: columns of unequal length");
    for (size_t i = 0; i < back->n_results; i++) {
        if (check_result(back->results[i], err) < 0)
            return -1;
    }
    if (back->beat && check_beat(back->beat, err) < 0)
        return -1;
    return CHECK(
        err,
        {are_tickets(back->plain, back->n_plain) &&
             are_tickets(back->started, back->n_started) &&
             are_tickets(back->given_back, back->n_given_back),
         "Return: a ticket that is 0"},
        {(back->n_plain == 0 && back->n_results == 0) ||
             (back->first > 0 && back->first <= INT64_MAX),
         "Return.first: out of range"},
        {are_times(back->began, back->n_began), "Return.began: out of range"},
        {are_outputs(back->output, back->n_output), "Output: out of range"});
}

/* ---- control ---- */

static bool
are_held(const Wire__Hello *hello)
{
    size_t n = hello->n_run;

    if (n > LIMIT_HELD || hello->n_task != n || hello->n_child != n ||
        hello->n_attempt != n || hello->n_epoch != n || hello->n_phase != n)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (hello->task[i] >= LIMIT_TASKS || hello->child[i] > LIMIT_CHILDREN ||
            hello->attempt[i] == 0 || hello->phase[i] >= HELD_COUNT)
            return false;
    }
    return true;
}

static int
check_hello(const struct wire *wire, struct err *err)
{
    const Wire__Hello *hello = wire->as.hello;

    return CHECK(
        err, {is_agent_name(hello->name), "Hello.name: malformed"},
        {is_within(hello->host, 1, LIMIT_HOST_BYTES), "Hello.host: its length"},
        {hello->incarnation > 0, "Hello.incarnation: 0"},
        {hello->slots > 0 && hello->slots <= LIMIT_SLOTS,
         "Hello.slots: out of range"},
        {are_amounts(hello->resources, hello->n_resources),
         "Hello.resources: malformed"},
        {are_labels(hello->labels, hello->n_labels), "Hello.labels: malformed"},
        {is_within(hello->version, 1, LIMIT_NAME_BYTES),
         "Hello.version: its length"},
        {are_held(hello), "Hello: what it holds is malformed"});
}

static int
check_welcome(const struct wire *wire, struct err *err)
{
    const Wire__Welcome *welcome = wire->as.welcome;

    return CHECK(err, {welcome->session > 0, "Welcome.session: 0"},
                 {is_within(welcome->lane, 1, LIMIT_PATH_BYTES),
                  "Welcome.lane: its length"},
                 {is_within(welcome->back, 1, LIMIT_PATH_BYTES),
                  "Welcome.back: its length"});
}

static int
check_submit(const struct wire *wire, struct err *err)
{
    const Wire__Submit *submit = wire->as.submit;

    return CHECK(
        err,
        {is_within(submit->name, 0, LIMIT_NAME_BYTES), "Submit.name: too long"},
        {is_within(submit->file, 0, LIMIT_PATH_BYTES), "Submit.file: too long"},
        {is_within(submit->cwd, 0, LIMIT_PATH_BYTES), "Submit.cwd: too long"},
        {submit->source_bytes > 0 && submit->source_bytes <= LIMIT_FILE_BYTES,
         "Submit.source_bytes: out of range"},
        {is_hash(&submit->source_hash), "Submit.source_hash: not a hash"},
        {is_program(&submit->program), "Submit.program: neither hash nor path"},
        {is_span(submit->timeout), "Submit.timeout: out of range"});
}

static int
check_chunk(const struct wire *wire, struct err *err)
{
    const Wire__Chunk *chunk = wire->as.chunk;

    return CHECK(err,
                 {chunk->data.len > 0 && chunk->data.len <= LIMIT_CHUNK_BYTES,
                  "Chunk.data: its length"},
                 {chunk->offset <= LIMIT_FILE_BYTES &&
                      chunk->offset <= LIMIT_PROGRAM_BYTES,
                  "Chunk.offset: out of range"});
}

static int
check_blob(const struct wire *wire, struct err *err)
{
    const Wire__Blob *blob = wire->as.blob;

    return CHECK(err, {is_hash(&blob->hash), "Blob.hash: not a hash"},
                 {blob->bytes <= LIMIT_PROGRAM_BYTES &&
                      blob->offset <= LIMIT_PROGRAM_BYTES,
                  "Blob: out of range"});
}

static int
check_answer(const struct wire *wire, struct err *err)
{
    return CHECK(err, {wire->as.answer->code < ERR_CODE_COUNT,
                       "Answer.code: out of range"});
}

static int
check_ask(const struct wire *wire, struct err *err)
{
    const Wire__Ask *ask = wire->as.ask;

    return CHECK(
        err, {ask->what < ASK_COUNT, "Ask.what: out of range"},
        {is_within(ask->text, 0, LIMIT_PATH_BYTES), "Ask.text: too long"});
}

/* Any numbers will do. */
static int
check_nothing(const struct wire *wire, struct err *err)
{
    (void)wire;
    (void)err;
    return 0;
}

const struct wire_row wire_rows[WIRE_TYPE_END] = {
    [WIRE_LANE] = {&wire__lane__descriptor, check_lane},
    [WIRE_RETURN] = {&wire__return__descriptor, check_return},
    [WIRE_HELLO] = {&wire__hello__descriptor, check_hello},
    [WIRE_WELCOME] = {&wire__welcome__descriptor, check_welcome},
    [WIRE_SUBMIT] = {&wire__submit__descriptor, check_submit},
    [WIRE_CHUNK] = {&wire__chunk__descriptor, check_chunk},
    [WIRE_BLOB] = {&wire__blob__descriptor, check_blob},
    [WIRE_ANSWER] = {&wire__answer__descriptor, check_answer},
    [WIRE_ASK] = {&wire__ask__descriptor, check_ask},
    [WIRE_LOOK] = {&wire__look__descriptor, check_nothing},
    [WIRE_SEEN] = {&wire__seen__descriptor, check_nothing},
};
