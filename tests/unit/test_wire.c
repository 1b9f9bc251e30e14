/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include <wire.pb-c.h>
#include <xxhash.h>

#include "base/mem.h"
#include "flow/flow.h"
#include "proto/items.h"
#include "proto/limits.h"
#include "proto/wire.h"
#include "proto/wire_check.h"
#include "proto/wire_scan.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static const char hash[] = "0123456789abcdef0123456789abcdef";

static ProtobufCBinaryData
bytes(const char *text)
{
    return (ProtobufCBinaryData){strlen(text), (uint8_t *)(uintptr_t)text};
}

static char *
text(const char *s)
{
    return (char *)(uintptr_t)s;
}

/* An envelope around any bytes. */
static void
wrap(struct buf *out, enum wire_type type, const void *data, size_t n)
{
    uint32_t check = (uint32_t)XXH3_64bits(data, n);
    unsigned char envelope[WIRE_ENVELOPE] = {'l', 'T', WIRE_VERSION,
                                             (unsigned char)type};

    for (unsigned i = 0; i < 4; i++) {
        envelope[4 + i] = (unsigned char)(n >> 8 * i);
        envelope[8 + i] = (unsigned char)(check >> 8 * i);
    }
    buf_clear(out);
    buf_add(out, envelope, sizeof envelope);
    buf_add(out, data, n);
}

/* What is wrong with a message; "" if nothing is. A static string's copy. */
static const char *
wrong_with(enum wire_type type, const void *data, size_t n, struct err *err)
{
    struct buf frame = {0};
    struct wire wire;

    err->msg[0] = '\0';
    wrap(&frame, type, data, n);
    if (wire_decode(&wire, frame.data, frame.len, err) == 0)
        wire_release(&wire);
    else
        assert_int_equal(err->code, ERR_INVALID);
    buf_release(&frame);
    return err->msg;
}

static const char *
wrong_with_message(enum wire_type type, const void *message, struct err *err)
{
    size_t n = protobuf_c_message_get_packed_size(message);
    unsigned char *data = mem_alloc(n, 1);
    const char *said;

    (void)protobuf_c_message_pack(message, data);
    said = wrong_with(type, data, n, err);
    free(data);
    return said;
}

/* ---- one right message of each type ---- */

struct sample {
    Wire__Amount amount, *amounts[1];
    Wire__Run run, *runs_known[1];
    Wire__Spec spec, *specs[1];
    uint64_t codes[4];
    uint32_t one[2], zero[2], five[2];
    int64_t began[2];
    uint32_t item[2];
    char *keys[2];
    char *labels[1];
    Wire__Lane lane;
    Wire__Result result, *results[1];
    Wire__Output output, *outputs[1];
    Wire__Beat beat;
    Wire__Return back;
    uint64_t runs[1];
    Wire__Hello hello;
    Wire__Welcome welcome;
    Wire__Submit submit;
    Wire__Chunk chunk;
    Wire__Blob blob;
    Wire__Answer answer;
    Wire__Ask ask;
    Wire__Look look;
    Wire__Batch batch, *batches[1];
    Wire__Seen seen;
    const ProtobufCMessage *of[WIRE_TYPE_END];
};

static void
sample_lane(struct sample *s)
{
    wire__amount__init(&s->amount);
    s->amount.name = text("gpus");
    s->amount.amount = 0.5;
    wire__spec__init(&s->spec);
    wire__run__init(&s->run);
    s->run.place = 3;
    s->run.run = 7;
    s->run.flow = text("flow");
    s->run.params = bytes("{\"n\":1}");
    s->run.cwd = text("/home");
    s->run.program = bytes("/usr/bin/flow");
    s->run.source_hash = text("ab");
    s->spec.place = 3;
    s->spec.name = text("train");
    s->spec.kind = FLOW_CALL;
    s->spec.n_exit_skip = 4;
    s->spec.exit_skip = s->codes;
    s->spec.n_resources = 1;
    s->spec.resources = s->amounts;
    wire__lane__init(&s->lane);
    s->lane.n_runs = s->lane.n_forget = 1;
    s->lane.runs = s->runs_known;
    s->lane.forget = s->one;
    s->lane.n_specs = 1;
    s->lane.specs = s->specs;
    s->lane.n_ticket = s->lane.n_spec = 2;
    s->lane.n_child = s->lane.n_attempt = 2;
    s->lane.n_item = s->lane.n_key = 2;
    s->lane.ticket = s->lane.child = s->lane.attempt = s->one;
    s->lane.spec = s->zero;
    s->lane.item = s->item;
    s->lane.items = bytes("{}");
    s->lane.key = s->keys;
    s->lane.n_cancel = s->lane.n_kill = s->lane.n_recall = 1;
    s->lane.cancel = s->lane.kill = s->lane.recall = s->one;
    s->lane.n_keep = s->lane.n_done = 1;
    s->lane.keep = s->lane.done = s->one;
    s->lane.saved = 5;
}

static void
sample_return(struct sample *s)
{
    wire__result__init(&s->result);
    s->result.ticket = 3;
    s->result.state = PLAN_FAILED;
    s->result.cause = text("exit code 1");
    wire__output__init(&s->output);
    s->output.ticket = 3;
    s->output.stream = 2;
    s->output.data = bytes("oops\n");
    s->output.offset = 100;
    s->output.origin = 7;
    wire__beat__init(&s->beat);
    wire__return__init(&s->back);
    s->back.session = 1;
    s->back.first = 10;
    s->back.n_plain = s->back.n_began = s->back.n_took = 2;
    s->back.plain = s->one;
    s->back.began = s->began;
    s->back.took = s->five;
    s->back.n_results = s->back.n_output = 1;
    s->back.results = s->results;
    s->back.output = s->outputs;
    s->back.n_started = s->back.n_given_back = 1;
    s->back.started = s->back.given_back = s->one;
    s->back.beat = &s->beat;
}

static void
sample_agent(struct sample *s)
{
    wire__hello__init(&s->hello);
    s->hello.name = text("box-1");
    s->hello.host = text("box");
    s->hello.incarnation = 99;
    s->hello.slots = 8;
    s->hello.n_resources = s->hello.n_labels = s->hello.n_run = 1;
    s->hello.n_task = s->hello.n_child = s->hello.n_attempt = 1;
    s->hello.n_epoch = s->hello.n_phase = 1;
    s->hello.resources = s->amounts;
    s->hello.labels = s->labels;
    s->hello.version = text("0.4");
    s->hello.run = s->runs;
    s->hello.task = s->hello.child = s->hello.epoch = s->zero;
    s->hello.phase = s->hello.attempt = s->one;
    wire__welcome__init(&s->welcome);
    s->welcome.session = 1;
    s->welcome.lane = text(":7200");
    s->welcome.back = text(":7101");
    s->welcome.n_tickets = 2;
    s->welcome.tickets = s->zero;
}

static void
sample_client(struct sample *s)
{
    wire__submit__init(&s->submit);
    s->submit.source_bytes = 100;
    s->submit.source_hash = bytes(hash);
    wire__chunk__init(&s->chunk);
    s->chunk.data = bytes("tasks:");
    wire__blob__init(&s->blob);
    s->blob.hash = s->submit.source_hash;
    wire__answer__init(&s->answer);
    s->answer.code = ERR_NOT_FOUND;
    wire__ask__init(&s->ask);
    s->ask.what = ASK_WHY;
    s->ask.options = bytes("{}");
    wire__look__init(&s->look);
    wire__batch__init(&s->batch);
    s->batch.text = bytes("...");
    wire__seen__init(&s->seen);
    s->seen.n_batches = 1;
    s->seen.batches = s->batches;
}

static struct sample *
sample_new(void)
{
    struct sample *s = mem_alloc(1, sizeof *s);

    s->amounts[0] = &s->amount;
    s->specs[0] = &s->spec;
    s->runs_known[0] = &s->run;
    s->results[0] = &s->result;
    s->outputs[0] = &s->output;
    s->batches[0] = &s->batch;
    s->keys[0] = s->keys[1] = text("train[3]");
    s->item[1] = 2;
    s->labels[0] = text("disk=fast");
    for (unsigned i = 0; i < 2; i++) {
        s->one[i] = 1 + i;
        s->five[i] = 5;
    }
    sample_lane(s);
    sample_return(s);
    sample_agent(s);
    sample_client(s);
    s->of[WIRE_LANE] = &s->lane.base;
    s->of[WIRE_RETURN] = &s->back.base;
    s->of[WIRE_HELLO] = &s->hello.base;
    s->of[WIRE_WELCOME] = &s->welcome.base;
    s->of[WIRE_SUBMIT] = &s->submit.base;
    s->of[WIRE_CHUNK] = &s->chunk.base;
    s->of[WIRE_BLOB] = &s->blob.base;
    s->of[WIRE_ANSWER] = &s->answer.base;
    s->of[WIRE_ASK] = &s->ask.base;
    s->of[WIRE_LOOK] = &s->look.base;
    s->of[WIRE_SEEN] = &s->seen.base;
    return s;
}

/* ---- tests ---- */

static void
every_type_comes_back_as_it_was_sent(void **state)
{
    struct sample *s = sample_new();
    struct buf frame = {0}, again = {0};
    struct err err;

    (void)state;
    for (unsigned type = 1; type < WIRE_TYPE_END; type++) {
        struct wire wire;
        size_t whole;

        buf_clear(&frame);
        buf_clear(&again);
        assert_int_equal(
            wire_encode(&frame, (enum wire_type)type, s->of[type], &err), 0);
        assert_int_equal(wire_frame_bytes(frame.data, frame.len, &whole, &err),
                         0);
        assert_int_equal(whole, frame.len);
        if (wire_decode(&wire, frame.data, frame.len, &err) < 0)
            fail_msg("%s: %s", wire_type_names[type], err.msg);
        assert_int_equal(wire.type, type);
        assert_int_equal(wire_encode(&again, wire.type, wire.as.base, &err), 0);
        assert_int_equal(again.len, frame.len);
        assert_memory_equal(again.data, frame.data, frame.len);
        wire_release(&wire);
        wire_release(&wire);
    }
    buf_release(&frame);
    buf_release(&again);
    free(s);
}

static void
frames_are_appended(void **state)
{
    struct sample *s = sample_new();
    struct buf frames = {0};
    struct wire wire;
    struct err err;
    size_t first;

    (void)state;
    assert_int_equal(wire_encode(&frames, WIRE_ASK, s->of[WIRE_ASK], &err), 0);
    first = frames.len;
    assert_int_equal(wire_encode(&frames, WIRE_LANE, s->of[WIRE_LANE], &err),
                     0);
    assert_int_equal(
        wire_decode(&wire, frames.data + first, frames.len - first, &err), 0);
    assert_int_equal(wire.type, WIRE_LANE);
    wire_release(&wire);
    buf_release(&frames);
    free(s);
}

static void
an_envelope_that_is_not_ours_is_refused(void **state)
{
    static const struct {
        size_t at;
        unsigned char byte;
        enum err_code code;
        const char *said;
    } rows[] = {
        {0, 'L', ERR_INVALID, "not a frame of leat"},
        {1, 't', ERR_INVALID, "not a frame of leat"},
        {2, 9, ERR_DENIED,
         "the peer speaks version 9 of the protocol, this is version 1"},
        {3, 0, ERR_INVALID, "a message of unknown type 0"},
        {3, 200, ERR_INVALID, "a message of unknown type 200"},
        {4, 99, ERR_INVALID, "a frame whose length is wrong"},
        {7, 1, ERR_INVALID, "a frame of 16777222 bytes; 1048564 are the most"},
        {8, 1, ERR_INVALID, "a damaged frame"},
        {15, 0xff, ERR_INVALID, "a damaged frame"},
    };
    struct sample *s = sample_new();
    struct buf frame = {0};
    struct wire wire;
    struct err err;

    (void)state;
    s->look.run = 77;
    s->look.batch = 88;
    s->look.records = 1;
    assert_int_equal(wire_encode(&frame, WIRE_LOOK, &s->look.base, &err), 0);
    for (size_t i = 0; i < COUNT(rows); i++) {
        char was = frame.data[rows[i].at];

        frame.data[rows[i].at] = (char)rows[i].byte;
        err.msg[0] = '\0';
        assert_int_equal(wire_decode(&wire, frame.data, frame.len, &err), -1);
        assert_string_equal(err.msg, rows[i].said);
        assert_int_equal(err.code, rows[i].code);
        frame.data[rows[i].at] = was;
    }
    for (size_t n = 0; n < frame.len; n++)
        assert_int_equal(wire_decode(&wire, frame.data, n, &err), -1);
    buf_release(&frame);
    free(s);
}

static void
a_frame_that_is_still_coming_has_no_length(void **state)
{
    struct err err;
    size_t whole = 1;

    (void)state;
    assert_int_equal(wire_frame_bytes("lT", 2, &whole, &err), 0);
    assert_int_equal(whole, 0);
}

static void
a_message_past_the_bound_is_not_sent(void **state)
{
    Wire__Seen seen = WIRE__SEEN__INIT;
    struct buf frame = {0};
    struct err err;

    (void)state;
    seen.output.data = mem_alloc(LIMIT_FRAME_BYTES, 1);
    seen.output.len = LIMIT_FRAME_BYTES - WIRE_ENVELOPE;
    assert_int_equal(wire_encode(&frame, WIRE_SEEN, &seen.base, &err), -1);
    assert_int_equal(err.code, ERR_LIMIT);
    assert_int_equal(frame.len, 0);
    seen.output.len = LIMIT_FRAME_BYTES - WIRE_ENVELOPE - 4;
    assert_int_equal(wire_encode(&frame, WIRE_SEEN, &seen.base, &err), 0);
    assert_int_equal(frame.len, LIMIT_FRAME_BYTES);
    buf_release(&frame);
    free(seen.output.data);
}

/* Bytes that no encoder of ours writes. */
static void
malformed_messages_are_refused(void **state)
{
    static const struct {
        enum wire_type type;
        size_t n;
        const char *bytes, *said;
    } rows[] = {
        {WIRE_LOOK, 2, "\x78\x01", "Look: a field that is not known"},
        {WIRE_LOOK, 2, "\x00\x01", "Look: a field that is not known"},
        {WIRE_LOOK, 1, "\x80", "Look: cut off"},
        {WIRE_LOOK, 1, "\x08", "Look.tag: cut off"},
        {WIRE_LOOK, 12, "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
         "Look.tag: cut off"},
        {WIRE_LOOK, 4, "\x08\x01\x08\x01", "Look.tag: there twice"},
        {WIRE_LOOK, 3, "\x0a\x01\x01", "Look.tag: of another type"},
        {WIRE_LOOK, 2, "\x0b\x0c", "Look.tag: of another type"},
        {WIRE_LOOK, 2, "\x0c\x0b", "Look.tag: of another type"},
        {WIRE_ASK, 3,
         "\x22\x05"
         "x",
         "Ask.text: cut off"},
        {WIRE_ASK, 3, "\x22\x01\xff", "Ask.text: not UTF-8 text"},
        {WIRE_ASK, 5,
         "\x22\x03"
         "a\0b",
         "Ask.text: not UTF-8 text"},
        {WIRE_SEEN, 12, "\x1a\x0a\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff",
         "Batch.text: cut off"},
        {WIRE_SEEN, 4, "\x1a\x02\x18\x01", "Batch: a field that is not known"},
        {WIRE_LANE, 3, "\x12\x01\x80", "Lane: malformed"},
        {WIRE_RETURN, 4, "\x52\x00\x52\x00", "Return.beat: there twice"},
        {WIRE_RETURN, 11, "\x52\x09\x21\x00\x00\x00\x00\x00\x00\xf8\x7f",
         "Beat.load: out of range"},
        {WIRE_RETURN, 4, "\x52\x02\x21\x00", "Beat.load: cut off"},
    };
    struct err err;

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_string_equal(
            wrong_with(rows[i].type, rows[i].bytes, rows[i].n, &err),
            rows[i].said);
}

/* If nothing but its envelope is right, and it begins with that. */
static void
a_return_that_is_refused_says_whose_it_is(void **state)
{
    static const struct {
        enum wire_type type;
        size_t n;
        const char *bytes;
        uint64_t session;
    } rows[] = {
        {WIRE_RETURN, 3, "\x08\xac\x02", 300},
        {WIRE_RETURN, 5, "\x08\xac\x02\x78\x01", 300},
        {WIRE_RETURN, 2, "\x08\xac", 0},
        {WIRE_RETURN, 2, "\x10\x05", 0},
        {WIRE_RETURN, 1, "\x08", 0},
        {WIRE_RETURN, 0, "", 0},
        {WIRE_LANE, 2, "\x08\x05", 0},
    };
    struct buf frame = {0};

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        buf_clear(&frame);
        wrap(&frame, rows[i].type, rows[i].bytes, rows[i].n);
        assert_int_equal(wire_session(frame.data, frame.len), rows[i].session);
        frame.data[8] ^= 1; /* damaged */
        assert_int_equal(wire_session(frame.data, frame.len), 0);
    }
    buf_release(&frame);
}

/* Without gaps: the scan finds fields by their number. */
static void
check_numbers(const ProtobufCMessageDescriptor *type)
{
    for (unsigned i = 0; i < type->n_fields; i++) {
        assert_int_equal(type->fields[i].id, i + 1);
        if (type->fields[i].type == PROTOBUF_C_TYPE_MESSAGE)
            check_numbers(type->fields[i].descriptor);
    }
}

static void
fields_have_numbers_without_gaps(void **state)
{
    (void)state;
    for (unsigned type = 1; type < WIRE_TYPE_END; type++)
        check_numbers(wire_rows[type].type);
}

static void
small_frames_can_not_take_much_memory(void **state)
{
    size_t n = LIMIT_FRAME_BYTES - WIRE_ENVELOPE;
    unsigned char *data = mem_alloc(n, 1);
    struct err err;

    (void)state;
    for (size_t i = 0; i + 1 < n; i += 2)
        data[i] = 0x0a; /* an empty Spec */
    assert_string_equal(wrong_with(WIRE_LANE, data, n & ~(size_t)1, &err),
                        "Lane: too many fields");
    for (size_t i = 0; i + 1 < n; i += 2)
        data[i] = 0x32; /* a Result */
    assert_string_equal(wrong_with(WIRE_RETURN, data, 2 * 65536, &err),
                        "Return: takes too much memory");
    free(data);
}

/* Each row breaks one rule of a message that is right. */
#define BREAKS(type_, text_, ...)                                          \
    do {                                                                   \
        struct sample *s = sample_new();                                   \
        __VA_ARGS__;                                                       \
        assert_string_equal(wrong_with_message(type_, s->of[type_], &err), \
                            text_);                                        \
        free(s);                                                           \
    } while (0)

static void
lanes_are_checked(void **state)
{
    static const char unequal[] = "Lane: columns of unequal length";
    static const char task[] = "Lane: a task out of range";
    static const char only[] =
        "Spec.flags: handlers are called, and nothing else";
    static const char zero[] = "Lane: a ticket that is 0";
    struct err err;

    (void)state;
    BREAKS(WIRE_LANE, "", s->lane.n_item = s->lane.n_key = 0,
           s->lane.items.len = 0);
    BREAKS(WIRE_LANE, "Lane.item: out of range", s->lane.items.len = 1);
    BREAKS(WIRE_LANE, "Lane.item: out of range", s->item[0] = UINT32_MAX - 1);
    BREAKS(WIRE_LANE, unequal, s->lane.n_ticket = 1);
    BREAKS(WIRE_LANE, unequal, s->lane.n_spec = 1);
    BREAKS(WIRE_LANE, unequal, s->lane.n_child = 1);
    BREAKS(WIRE_LANE, unequal, s->lane.n_attempt = 1);
    BREAKS(WIRE_LANE, unequal, s->lane.n_item = 1);
    BREAKS(WIRE_LANE, unequal, s->lane.n_key = 1);
    BREAKS(WIRE_LANE, task, s->lane.ticket = s->zero);
    BREAKS(WIRE_LANE, task, s->lane.spec = s->one);
    BREAKS(WIRE_LANE, task, s->lane.attempt = s->zero);
    BREAKS(WIRE_LANE, task, s->five[0] = LIMIT_CHILDREN + 1,
           s->lane.child = s->five);
    BREAKS(WIRE_LANE, zero, s->lane.cancel = s->zero);
    BREAKS(WIRE_LANE, zero, s->lane.kill = s->zero);
    BREAKS(WIRE_LANE, zero, s->lane.recall = s->zero);
    BREAKS(WIRE_LANE, zero, s->lane.keep = s->zero);
    BREAKS(WIRE_LANE, zero, s->lane.done = s->zero);
    BREAKS(WIRE_LANE, "Spec.task: out of range", s->spec.task = LIMIT_TASKS);
    BREAKS(WIRE_LANE, "Spec.name: its length", s->spec.name = text(""));
    BREAKS(WIRE_LANE, "Spec.kind: out of range", s->spec.kind = FLOW_MERGE);
    BREAKS(WIRE_LANE, "Spec.value: out of range",
           s->spec.value = VALUE_KIND_COUNT);
    BREAKS(WIRE_LANE, "Spec.exit_skip: not 4 words", s->spec.n_exit_skip = 3);
    BREAKS(WIRE_LANE, "Spec.exit_retry: not 4 words",
           s->spec.exit_retry = s->codes, s->spec.n_exit_retry = 1);
    BREAKS(WIRE_LANE, "Spec.timeout: out of range", s->spec.timeout = -1);
    BREAKS(WIRE_LANE, "Spec.timeout: out of range",
           s->spec.timeout = INT64_MAX);
    BREAKS(WIRE_LANE, "Spec.timeout: out of range", s->spec.grace = -1);
    BREAKS(WIRE_LANE, "Spec.flags: out of range", s->spec.flags = 16);
    BREAKS(WIRE_LANE, "", s->spec.flags = SPEC_HANDLERS,
           s->lane.attempt = s->zero);
    BREAKS(WIRE_LANE, only, s->spec.flags = SPEC_HANDLERS | SPEC_EXCLUSIVE);
    BREAKS(WIRE_LANE, only, s->spec.flags = SPEC_HANDLERS,
           s->spec.kind = FLOW_SCRIPT);
    BREAKS(WIRE_LANE, only, s->spec.flags = SPEC_HANDLERS,
           s->spec.when = text("true"));
    BREAKS(WIRE_LANE, "Spec.resources: malformed", s->amount.amount = -1);
    BREAKS(WIRE_LANE, "Spec.resources: malformed", s->amount.name = text(""));
    BREAKS(WIRE_LANE, "Lane.forget: out of range", s->five[0] = LIMIT_LANE_RUNS,
           s->lane.forget = s->five);
    BREAKS(WIRE_LANE, "Spec.place: out of range",
           s->spec.place = LIMIT_LANE_RUNS);
    BREAKS(WIRE_LANE, "Run.place: out of range",
           s->run.place = LIMIT_LANE_RUNS);
    BREAKS(WIRE_LANE, "Run.program: neither hash nor path",
           s->run.program =
               (ProtobufCBinaryData){3, (uint8_t *)(uintptr_t) "a\0b"});
}

static void
returns_are_checked(void **state)
{
    static const char unequal[] = "Return: columns of unequal length";
    static const char zero[] = "Return: a ticket that is 0";
    struct err err;

    (void)state;
    BREAKS(WIRE_RETURN, "",
           s->back.n_plain = s->back.n_began = s->back.n_took = 0,
           s->back.n_results = 0, s->back.first = 0);
    BREAKS(WIRE_RETURN, "", s->result.state = PLAN_RETRYING);
    BREAKS(WIRE_RETURN, unequal, s->back.n_plain = 1);
    BREAKS(WIRE_RETURN, unequal, s->back.n_took = 1);
    BREAKS(WIRE_RETURN, unequal, s->back.n_began = 1);
    BREAKS(WIRE_RETURN, zero, s->back.plain = s->zero);
    BREAKS(WIRE_RETURN, zero, s->back.started = s->zero);
    BREAKS(WIRE_RETURN, zero, s->back.given_back = s->zero);
    BREAKS(WIRE_RETURN, "Return.first: out of range", s->back.first = 0);
    BREAKS(WIRE_RETURN, "Return.first: out of range",
           s->back.first = UINT64_MAX);
    BREAKS(WIRE_RETURN, "Result.ticket: 0", s->result.ticket = 0);
    BREAKS(WIRE_RETURN, "Result.state: not an end",
           s->result.state = PLAN_RUNNING);
    BREAKS(WIRE_RETURN, "Result.state: not an end",
           s->result.state = PLAN_STATE_COUNT);
    BREAKS(WIRE_RETURN, "Result.code: out of range", s->result.code = -2);
    BREAKS(WIRE_RETURN, "Result: a negative number", s->result.cpu = -1);
    BREAKS(WIRE_RETURN, "Result.refused: out of range",
           s->result.refused = REFUSED_SHORT);
    BREAKS(WIRE_RETURN, "", s->result.refused = REFUSED_SHORT,
           s->result.state = PLAN_CRASHED);
    BREAKS(WIRE_RETURN, "Result.refused: out of range",
           s->result.refused = REFUSED_COUNT, s->result.state = PLAN_CRASHED);
    BREAKS(WIRE_RETURN, "Output: out of range", s->output.stream = 3);
    BREAKS(WIRE_RETURN, "Output: out of range", s->output.ticket = 0);
    BREAKS(WIRE_RETURN, "Output: out of range", s->output.offset = 1ull << 63);
    BREAKS(WIRE_RETURN, "Output: out of range",
           s->output.origin = LIMIT_ORIGIN);
    BREAKS(WIRE_RETURN, "Beat.load: out of range", s->beat.load = -1);
}

static void
what_agents_say_is_checked(void **state)
{
    static const char held[] = "Hello: what it holds is malformed";
    struct err err;

    (void)state;
    BREAKS(WIRE_HELLO, "Hello.name: malformed", s->hello.name = text("a b"));
    BREAKS(WIRE_HELLO, "Hello.name: malformed", s->hello.name = text(""));
    BREAKS(WIRE_HELLO, "Hello.host: its length", s->hello.host = text(""));
    BREAKS(WIRE_HELLO, "Hello.incarnation: 0", s->hello.incarnation = 0);
    BREAKS(WIRE_HELLO, "Hello.slots: out of range", s->hello.slots = 0);
    BREAKS(WIRE_HELLO, "Hello.slots: out of range",
           s->hello.slots = LIMIT_SLOTS + 1);
    BREAKS(WIRE_HELLO, "Hello.resources: malformed", s->amount.amount = -1);
    BREAKS(WIRE_HELLO, "Hello.labels: malformed", s->labels[0] = text("=x"));
    BREAKS(WIRE_HELLO, "Hello.labels: malformed", s->labels[0] = text("x"));
    BREAKS(WIRE_HELLO, "Hello.version: its length",
           s->hello.version = text(""));
    BREAKS(WIRE_HELLO, held, s->hello.n_phase = 0);
    BREAKS(WIRE_HELLO, held, s->hello.n_task = 0);
    BREAKS(WIRE_HELLO, held, s->hello.attempt = s->zero);
    BREAKS(WIRE_HELLO, held, s->hello.phase = s->five);
    BREAKS(WIRE_HELLO, held, s->five[0] = LIMIT_TASKS, s->hello.task = s->five);
    BREAKS(WIRE_HELLO, held, s->five[0] = LIMIT_CHILDREN + 1,
           s->hello.child = s->five);
    BREAKS(WIRE_WELCOME, "Welcome.session: 0", s->welcome.session = 0);
    BREAKS(WIRE_WELCOME, "Welcome.lane: its length",
           s->welcome.lane = text(""));
    BREAKS(WIRE_WELCOME, "Welcome.back: its length",
           s->welcome.back = text(""));
}

static void
what_clients_say_is_checked(void **state)
{
    struct err err;

    (void)state;
    BREAKS(WIRE_SUBMIT, "Submit.source_bytes: out of range",
           s->submit.source_bytes = 0);
    BREAKS(WIRE_SUBMIT, "Submit.source_bytes: out of range",
           s->submit.source_bytes = LIMIT_FILE_BYTES + 1);
    BREAKS(WIRE_SUBMIT, "Submit.source_hash: not a hash",
           s->submit.source_hash.len = 31);
    BREAKS(WIRE_SUBMIT, "Submit.timeout: out of range", s->submit.timeout = -1);
    BREAKS(WIRE_SUBMIT, "Submit.timeout: out of range",
           s->submit.timeout = INT64_MAX);
    BREAKS(WIRE_CHUNK, "Chunk.data: its length", s->chunk.data.len = 0);
    BREAKS(WIRE_CHUNK, "Chunk.offset: out of range",
           s->chunk.offset = UINT64_MAX);
    BREAKS(WIRE_BLOB, "Blob.hash: not a hash", s->blob.hash.len = 1);
    BREAKS(WIRE_BLOB, "Blob: out of range", s->blob.bytes = UINT64_MAX);
    BREAKS(WIRE_ANSWER, "Answer.code: out of range",
           s->answer.code = ERR_CODE_COUNT);
    BREAKS(WIRE_ASK, "Ask.what: out of range", s->ask.what = ASK_COUNT);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_comes_back_as_it_was_sent),
        cmocka_unit_test(frames_are_appended),
        cmocka_unit_test(an_envelope_that_is_not_ours_is_refused),
        cmocka_unit_test(a_frame_that_is_still_coming_has_no_length),
        cmocka_unit_test(a_message_past_the_bound_is_not_sent),
        cmocka_unit_test(malformed_messages_are_refused),
        cmocka_unit_test(a_return_that_is_refused_says_whose_it_is),
        cmocka_unit_test(fields_have_numbers_without_gaps),
        cmocka_unit_test(small_frames_can_not_take_much_memory),
        cmocka_unit_test(lanes_are_checked),
        cmocka_unit_test(returns_are_checked),
        cmocka_unit_test(what_agents_say_is_checked),
        cmocka_unit_test(what_clients_say_is_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
