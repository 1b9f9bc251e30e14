/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/support/sample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <xxhash.h>

#include "base/mem.h"
#include "flow/flow.h"
#include "proto/items.h"
#include "tests/support/text.h"

static const char hash[] = "0123456789abcdef0123456789abcdef";

static ProtobufCBinaryData
bytes(const char *text)
{
    return (ProtobufCBinaryData){strlen(text), (uint8_t *)(uintptr_t)text};
}

void
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

const char *
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

const char *
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

struct sample *
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
