/* SPDX-License-Identifier: MPL-2.0 */
/* Every bound of a message's field: what is at it is taken, what is one over
 * it or far over it is refused, and told which it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include <wire.pb-c.h>

#include "base/mem.h"
#include "flow/flow.h"
#include "proto/items.h"
#include "proto/limits.h"
#include "proto/wire.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define FAR      (1000u << 10) /* nearly a whole frame */

/* A message of which one field is as large as is to be tried. */
struct sample {
    char *text; /* of that many bytes */
    size_t n;
    uint32_t *numbers; /* that many, all 1 */
    Wire__Amount amount, **amounts;
    char **labels;
    Wire__Run run, *told[1];
    Wire__Spec spec, *specs[1];
    uint32_t one[1], zero[1];
    ProtobufCBinaryData bytes[1];
    Wire__Result result, *results[1];
    Wire__Output output, *outputs[1];
    Wire__Lane lane;
    Wire__Return back;
    Wire__Hello hello;
    Wire__Welcome welcome;
    Wire__Submit submit;
    Wire__Chunk chunk;
    Wire__Blob blob;
    Wire__Ask ask;
};

static ProtobufCBinaryData
data_of(const char *text, size_t n)
{
    return (ProtobufCBinaryData){n, (uint8_t *)(uintptr_t)text};
}

static char *
word(const char *s)
{
    return (char *)(uintptr_t)s;
}

static void
begin_tasks(struct sample *s)
{
    wire__run__init(&s->run);
    s->told[0] = &s->run;
    wire__spec__init(&s->spec);
    s->spec.name = word("train");
    wire__lane__init(&s->lane);
    s->specs[0] = &s->spec;
    s->one[0] = 1;
    s->lane.n_specs = s->lane.n_ticket = s->lane.n_spec = 1;
    s->lane.n_child = s->lane.n_attempt = 1;
    s->lane.specs = s->specs;
    s->lane.n_runs = 1;
    s->lane.runs = s->told;
    s->lane.ticket = s->lane.attempt = s->one;
    s->lane.spec = s->lane.child = s->zero;
    wire__result__init(&s->result);
    s->result.ticket = 1;
    s->result.state = PLAN_FAILED;
    s->results[0] = &s->result;
    wire__output__init(&s->output);
    s->output.ticket = 1;
    s->outputs[0] = &s->output;
    wire__return__init(&s->back);
    s->back.session = s->back.first = 1;
}

static void
begin(struct sample *s)
{
    begin_tasks(s);
    wire__hello__init(&s->hello);
    s->hello.name = s->hello.host = s->hello.version = word("box");
    s->hello.incarnation = s->hello.slots = 1;
    wire__welcome__init(&s->welcome);
    s->welcome.session = 1;
    s->welcome.lane = s->welcome.back = word(":7200");
    wire__submit__init(&s->submit);
    s->submit.source_bytes = 100;
    s->submit.source_hash = data_of("0123456789abcdef0123456789abcdef", 32);
    wire__chunk__init(&s->chunk);
    s->chunk.data = data_of("x", 1);
    wire__blob__init(&s->blob);
    s->blob.hash = s->submit.source_hash;
    wire__ask__init(&s->ask);
    wire__amount__init(&s->amount);
    s->amount.name = word("licence");
}

/* ---- one field each ---- */

#define SET(name, ...)                        \
    static const void *name(struct sample *s) \
    {                                         \
        __VA_ARGS__;                          \
    }

SET(spec_name, s->spec.name = s->text; return &s->lane)
SET(run_place, s->run.place = (uint32_t)s->n; return &s->lane)
SET(run_cwd, s->run.cwd = s->text; return &s->lane)
SET(run_source, s->run.source_hash = s->text; return &s->lane)
SET(run_program, s->run.program = data_of(s->text, s->n); return &s->lane)
SET(spec_place, s->spec.place = (uint32_t)s->n; return &s->lane)
SET(spec_task, s->spec.task = (uint32_t)s->n; return &s->lane)
SET(spec_resources, s->spec.n_resources = s->n; s->spec.resources = s->amounts;
    return &s->lane)
SET(lane_item, s->lane.items = data_of(s->text, s->n); s->lane.n_item = 1;
    s->numbers[0] = (uint32_t)s->n; s->lane.item = s->numbers; return &s->lane)
SET(lane_key, s->lane.n_key = 1; s->lane.key = &s->text; return &s->lane)
SET(lane_child, s->numbers[0] = (uint32_t)s->n; s->lane.child = s->numbers;
    return &s->lane)
SET(result_value, s->result.value = data_of(s->text, s->n);
    s->back.n_results = 1; s->back.results = s->results; return &s->back)
SET(result_cause, s->result.cause = s->text; s->back.n_results = 1;
    s->back.results = s->results; return &s->back)
SET(result_cwd, s->result.cwd = s->text; s->back.n_results = 1;
    s->back.results = s->results; return &s->back)
SET(output_data, s->output.data = data_of(s->text, s->n); s->back.n_output = 1;
    s->back.output = s->outputs; return &s->back)
SET(hello_name, s->hello.name = s->text; return &s->hello)
SET(hello_host, s->hello.host = s->text; return &s->hello)
SET(hello_version, s->hello.version = s->text; return &s->hello)
SET(hello_slots, s->hello.slots = (uint32_t)s->n; return &s->hello)
SET(hello_resources, s->hello.n_resources = s->n;
    s->hello.resources = s->amounts; return &s->hello)
SET(resource_name, s->amount.name = s->text; s->hello.n_resources = 1;
    s->hello.resources = s->amounts; return &s->hello)
SET(hello_labels, s->hello.n_labels = s->n; s->hello.labels = s->labels;
    return &s->hello)
SET(label, s->text[1] = '='; s->labels[0] = s->text; s->hello.n_labels = 1;
    s->hello.labels = s->labels; return &s->hello)
SET(welcome_lane, s->welcome.lane = s->text; return &s->welcome)
SET(welcome_back, s->welcome.back = s->text; return &s->welcome)
SET(submit_name, s->submit.name = s->text; return &s->submit)
SET(submit_file, s->submit.file = s->text; return &s->submit)
SET(submit_cwd, s->submit.cwd = s->text; return &s->submit)
SET(submit_program, s->submit.program = data_of(s->text, s->n);
    return &s->submit)
SET(submit_bytes, s->submit.source_bytes = s->n; return &s->submit)
SET(chunk_data, s->chunk.data = data_of(s->text, s->n); return &s->chunk)
SET(chunk_offset, s->chunk.offset = s->n; return &s->chunk)
SET(blob_bytes, s->blob.bytes = s->n; return &s->blob)
SET(blob_offset, s->blob.offset = s->n; return &s->blob)
SET(ask_text, s->ask.text = s->text; return &s->ask)

static const struct row {
    enum wire_type type;
    size_t most;
    const void *(*set)(struct sample *s);
    const char *said;
    bool is_number; /* nothing has that length */
} rows[] = {
    {WIRE_LANE, LIMIT_NAME_BYTES, spec_name, "Spec.name: its length", false},
    {WIRE_LANE, LIMIT_PATH_BYTES, run_cwd, "Run.cwd: its length", false},
    {WIRE_LANE, LIMIT_NAME_BYTES, run_source, "Run.source_hash: its length",
     false},
    {WIRE_LANE, LIMIT_PATH_BYTES - 1, run_program,
     "Run.program: neither hash nor path", false},
    {WIRE_LANE, LIMIT_LANE_RUNS - 1, run_place, "Run.place: out of range",
     true},
    {WIRE_LANE, LIMIT_LANE_RUNS - 1, spec_place, "Spec.place: out of range",
     true},
    {WIRE_LANE, LIMIT_TASKS - 1, spec_task, "Spec.task: out of range", true},
    {WIRE_LANE, LIMIT_LABELS, spec_resources, "Spec.resources: malformed",
     false},
    {WIRE_LANE, LIMIT_ITEM_BYTES, lane_item, "Lane.item: out of range", false},
    {WIRE_LANE, LIMIT_SHOWN_BYTES, lane_key, "Lane: a task out of range",
     false},
    {WIRE_LANE, LIMIT_CHILDREN, lane_child, "Lane: a task out of range", true},
    {WIRE_RETURN, LIMIT_TRAVEL_BYTES, result_value, "Result.value: too long",
     false},
    {WIRE_RETURN, LIMIT_CAUSE_BYTES, result_cause, "Result.cause: too long",
     false},
    {WIRE_RETURN, LIMIT_PATH_BYTES, result_cwd, "Result.cwd: its length",
     false},
    {WIRE_RETURN, LIMIT_CHUNK_BYTES, output_data, "Output: out of range",
     false},
    {WIRE_HELLO, LIMIT_AGENT_NAME, hello_name, "Hello.name: malformed", false},
    {WIRE_HELLO, LIMIT_HOST_BYTES, hello_host, "Hello.host: its length", false},
    {WIRE_HELLO, LIMIT_NAME_BYTES, hello_version, "Hello.version: its length",
     false},
    {WIRE_HELLO, LIMIT_SLOTS, hello_slots, "Hello.slots: out of range", true},
    {WIRE_HELLO, LIMIT_LABELS, hello_resources, "Hello.resources: malformed",
     false},
    {WIRE_HELLO, LIMIT_NAME_BYTES, resource_name, "Hello.resources: malformed",
     false},
    {WIRE_HELLO, LIMIT_LABELS, hello_labels, "Hello.labels: malformed", false},
    {WIRE_HELLO, LIMIT_PATH_BYTES - 1, label, "Hello.labels: malformed", false},
    {WIRE_WELCOME, LIMIT_PATH_BYTES, welcome_lane, "Welcome.lane: its length",
     false},
    {WIRE_WELCOME, LIMIT_PATH_BYTES, welcome_back, "Welcome.back: its length",
     false},
    {WIRE_SUBMIT, LIMIT_NAME_BYTES, submit_name, "Submit.name: too long",
     false},
    {WIRE_SUBMIT, LIMIT_PATH_BYTES, submit_file, "Submit.file: too long",
     false},
    {WIRE_SUBMIT, LIMIT_PATH_BYTES, submit_cwd, "Submit.cwd: too long", false},
    {WIRE_SUBMIT, LIMIT_PATH_BYTES - 1, submit_program,
     "Submit.program: neither hash nor path", false},
    {WIRE_SUBMIT, LIMIT_FILE_BYTES, submit_bytes,
     "Submit.source_bytes: out of range", true},
    {WIRE_CHUNK, LIMIT_CHUNK_BYTES, chunk_data, "Chunk.data: its length",
     false},
    {WIRE_CHUNK, LIMIT_PROGRAM_BYTES, chunk_offset,
     "Chunk.offset: out of range", true},
    {WIRE_BLOB, LIMIT_PROGRAM_BYTES, blob_bytes, "Blob: out of range", true},
    {WIRE_BLOB, LIMIT_PROGRAM_BYTES, blob_offset, "Blob: out of range", true},
    {WIRE_ASK, LIMIT_PATH_BYTES, ask_text, "Ask.text: too long", false},
};

/* What is wrong if the row's field is so large; "" if nothing is. */
static const char *
wrong_with(const struct row *row, size_t n, struct err *err)
{
    size_t room = row->is_number ? 1 : n;
    struct sample *s = mem_alloc(1, sizeof *s);
    struct buf frame = {0};
    struct wire wire;

    begin(s);
    s->n = n;
    s->text = mem_alloc(room + 1, 1);
    memset(s->text, 'x', room);
    s->numbers = mem_alloc(room, sizeof *s->numbers);
    s->amounts = mem_alloc(room, sizeof(Wire__Amount *));
    s->labels = mem_alloc(room, sizeof(char *));
    for (size_t i = 0; i < room; i++) {
        s->amounts[i] = &s->amount;
        s->labels[i] = word("disk=fast");
    }
    err->msg[0] = '\0';
    assert_int_equal(wire_encode(&frame, row->type, row->set(s), err), 0);
    if (wire_decode(&wire, frame.data, frame.len, err) == 0)
        wire_release(&wire);
    buf_release(&frame);
    free(s->text);
    free(s->numbers);
    free(s->amounts);
    free(s->labels);
    free(s);
    return err->msg;
}

static void
what_is_at_a_limit_is_taken_and_over_it_refused(void **state)
{
    struct err err;

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct row *row = &rows[i];
        /* so many small messages are another limit's business */
        size_t far = row->most == LIMIT_LABELS ? 30000
                     : row->is_number          ? UINT32_MAX
                                               : FAR;

        assert_string_equal(wrong_with(row, row->most, &err), "");
        assert_string_equal(wrong_with(row, row->most + 1, &err), row->said);
        assert_string_equal(wrong_with(row, far, &err), row->said);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_at_a_limit_is_taken_and_over_it_refused),
    };

    return cmocka_run_group_tests_name("wire_limits", tests, NULL, NULL);
}
