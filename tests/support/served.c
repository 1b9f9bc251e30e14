/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/support/served.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <wire.pb-c.h>
#include <zmq.h>

#include "base/folder.h"
#include "base/mem.h"
#include "base/span.h"
#include "flow/value.h"
#include "proto/link.h"

#define SOON (10 * SPAN_SECOND)

static void *
serve(void *arg)
{
    struct served *s = arg;

    broker_server_run(s->server);
    return NULL;
}

void
start_broker(struct served *s)
{
    struct broker_server_options options = {.address = s->address,
                                            .first = 7200,
                                            .last = 7209,
                                            .store = s->folder,
                                            .lifeline = -1};

    s->end = eventfd(0, EFD_CLOEXEC);
    options.signals = s->end;
    if (broker_server_new(&s->server, &options, &s->err) < 0)
        fail_msg("%s", s->err.msg);
    assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
    assert_int_equal(link_socket(&s->control, LINK_DEALER, &s->err), 0);
    assert_int_equal(link_connect(s->control, s->address, &s->err), 0);
}

void
leave(struct served *s)
{
    link_close(&s->lane);
    link_close(&s->back);
    return_out_destroy(&s->out);
}

void
stop_broker(struct served *s)
{
    uint64_t one = 1;

    leave(s);
    assert_int_equal(write(s->end, &one, sizeof one), sizeof one);
    (void)pthread_join(s->thread, NULL);
    assert_int_equal(broker_server_stop(&s->server, &s->err), 0);
    (void)close(s->end);
    link_close(&s->control);
}

int
serve_up(void **state)
{
    struct served *s = mem_alloc(1, sizeof *s);

    (void)snprintf(s->home, sizeof s->home, "/tmp/test-broker-XXXXXX");
    assert_non_null(mkdtemp(s->home));
    s->folder = mem_printf("%s/broker", s->home);
    s->address = mem_printf("ipc://%s/control", s->home);
    start_broker(s);
    *state = s;
    return 0;
}

int
serve_down(void **state)
{
    struct served *s = *state;

    stop_broker(s);
    folder_remove(s->home);
    lane_in_destroy(&s->runs);
    free(s->first_script);
    free(s->address);
    free(s->folder);
    free(s);
    return 0;
}

/* ---- frames ---- */

/* An agent that says nothing for seconds is given nothing. */
static void
beat(struct served *s)
{
    const struct buf *frame;

    return_out_beat(s->out, &(struct beat){.number = 2});
    while ((frame = return_out_next(s->out)) &&
           link_send(s->back, frame->data, frame->len, &s->err) == 1)
        return_out_sent(s->out);
}

void
wait_until(struct served *s, void *socket, int what)
{
    int64_t until = span_mono() + SOON;

    while (!(link_events(socket) & what)) {
        struct pollfd wait = {.fd = link_fd(socket), .events = POLLIN};

        if (span_mono() > until)
            fail_msg("nothing came");
        if (poll(&wait, 1, 500) == 0 && s->out)
            beat(s);
    }
}

void
send_frame(struct served *s, void *socket, const void *data, size_t n)
{
    wait_until(s, socket, LINK_OUT);
    assert_int_equal(link_send(socket, data, n, &s->err), 1);
}

void
ask_frame(struct served *s, enum wire_type type, const ProtobufCMessage *base)
{
    struct buf out = {0};

    if (wire_encode(&out, type, base, &s->err) < 0)
        fail_msg("%s", s->err.msg);
    send_frame(s, s->control, out.data, out.len);
    buf_release(&out);
}

void
any_frame(struct served *s, void *socket, struct wire *ret)
{
    zmq_msg_t message;

    wait_until(s, socket, LINK_IN);
    (void)zmq_msg_init(&message);
    assert_true(zmq_msg_recv(&message, socket, ZMQ_DONTWAIT) >= 0);
    if (wire_decode(ret, zmq_msg_data(&message), zmq_msg_size(&message),
                    &s->err) < 0)
        fail_msg("%s", s->err.msg);
    (void)zmq_msg_close(&message);
}

bool
is_over(const struct served *s, const struct wire *wire)
{
    return wire->type == WIRE_ANSWER && wire->as.answer->tag != 0 &&
           wire->as.answer->tag <= s->hello &&
           wire->as.answer->code == ERR_UNAVAILABLE;
}

void
next_frame(struct served *s, void *socket, struct wire *ret)
{
    any_frame(s, socket, ret);
    while (is_over(s, ret)) {
        wire_release(ret);
        any_frame(s, socket, ret);
    }
}

/* ---- as a client ---- */

enum err_code
answer_of(struct served *s, uint64_t *number, struct buf *text)
{
    struct wire wire;
    enum err_code code;

    next_frame(s, s->control, &wire);
    assert_int_equal(wire.type, WIRE_ANSWER);
    while (wire.as.answer->tag == 0) { /* not understood: nobody asked */
        wire_release(&wire);
        next_frame(s, s->control, &wire);
        assert_int_equal(wire.type, WIRE_ANSWER);
    }
    assert_int_equal(wire.as.answer->tag, s->tag);
    code = (enum err_code)wire.as.answer->code;
    if (number)
        *number = wire.as.answer->number;
    if (text) {
        buf_clear(text);
        buf_text(text, wire.as.answer->text);
        buf_add(text, wire.as.answer->document.data,
                wire.as.answer->document.len);
    }
    wire_release(&wire);
    return code;
}

enum err_code
ask_with(struct served *s, enum ask_what what, uint64_t run, const char *text,
         const char *options, struct buf *ret)
{
    Wire__Ask message;

    wire__ask__init(&message);
    message.tag = ++s->tag;
    message.what = (uint32_t)what;
    message.run = run;
    message.text = (char *)(uintptr_t)text;
    message.options.data = (uint8_t *)(uintptr_t)options;
    message.options.len = strlen(options);
    ask_frame(s, WIRE_ASK, &message.base);
    return answer_of(s, NULL, ret);
}

enum err_code
ask(struct served *s, enum ask_what what, uint64_t run, const char *text,
    struct buf *ret)
{
    return ask_with(s, what, run, text, "", ret);
}

void
send_pieces(struct served *s, const char *data, size_t n, size_t most)
{
    for (size_t at = 0; at < n; at += most) {
        Wire__Chunk chunk = WIRE__CHUNK__INIT;

        chunk.tag = s->tag;
        chunk.offset = at;
        chunk.data.data = (uint8_t *)(uintptr_t)(data + at);
        chunk.data.len = n - at < most ? n - at : most;
        ask_frame(s, WIRE_CHUNK, &chunk.base);
    }
}

void
send_submit(struct served *s, const char *flow, const char *params,
            uint64_t token)
{
    Wire__Submit message;
    unsigned char hash[32];

    wire__submit__init(&message);
    (void)crypto_generichash(hash, sizeof hash, (const unsigned char *)flow,
                             strlen(flow), NULL, 0);
    message.tag = ++s->tag;
    message.file = (char *)(uintptr_t) "test.yaml";
    message.cwd = (char *)(uintptr_t) "/tmp";
    message.params.data = (uint8_t *)(uintptr_t)params;
    message.params.len = strlen(params);
    message.source_bytes = strlen(flow);
    message.source_hash.data = hash;
    message.source_hash.len = sizeof hash;
    message.token = token;
    message.program.data = (uint8_t *)(uintptr_t)s->program;
    message.program.len = s->program ? strlen(s->program) : 0;
    ask_frame(s, WIRE_SUBMIT, &message.base);
    send_pieces(s, flow, strlen(flow), strlen(flow) < 1000 ? 10 : 65536);
}

enum err_code
submit_with(struct served *s, const char *flow, const char *params,
            uint64_t *run, struct buf *text)
{
    send_submit(s, flow, params, 0);
    return answer_of(s, run, text);
}

uint64_t
submit_token(struct served *s, const char *flow, uint64_t token)
{
    uint64_t run = 0;

    send_submit(s, flow, "", token);
    assert_int_equal(answer_of(s, &run, NULL), ERR_NONE);
    return run;
}

uint64_t
submit(struct served *s, const char *flow)
{
    struct buf text = {0};
    uint64_t run = 0;

    if (submit_with(s, flow, "", &run, &text) != ERR_NONE)
        fail_msg("%s", buf_str(&text));
    buf_release(&text);
    return run;
}

static bool
take_record(void *ctx, const struct store_record *record)
{
    struct looked *looked = ctx;

    buf_printf(&looked->text, "%s=%s ", record->task,
               plan_state_names[record->state]);
    looked->timeless += record->state == PLAN_RUNNING && record->started == 0;
    if (record->cause)
        buf_printf(&looked->text, "(%s) ", record->cause);
    return true;
}

static bool
take_piece(void *ctx, const struct store_piece *piece)
{
    struct looked *looked = ctx;

    buf_printf(&looked->text, "[%.*s] ", (int)piece->n, piece->data);
    buf_add(&looked->printed, piece->data, piece->n);
    return true;
}

void
take_seen(struct served *s, const Wire__Seen *seen, struct looked *ret)
{
    struct store_run row = {0};
    json_t *json = NULL;

    assert_int_equal(value_parse(VALUE_JSON, (const char *)seen->run.data,
                                 seen->run.len, &json, &s->err),
                     0);
    assert_int_equal(store_run_from_json(&row, json, &s->err), 0);
    json_decref(json);
    ret->state = row.state;
    json_decref(ret->output);
    ret->output = json_incref(row.output);
    store_run_release(&row);
    for (size_t i = 0; i < seen->n_batches; i++)
        assert_int_equal(
            store_batch_records((const char *)seen->batches[i]->text.data,
                                seen->batches[i]->text.len, take_record, ret,
                                &s->err),
            0);
    assert_int_equal(store_output_pieces((const char *)seen->output.data,
                                         seen->output.len, take_piece, ret,
                                         &s->err),
                     0);
}

static bool
has_words(const struct looked *looked, const char *words)
{
    return words && strstr(buf_str(&looked->text), words);
}

void
follow_to(struct served *s, uint64_t run, const char *words, struct looked *ret)
{
    uint64_t batch = 0, offset = 0;
    bool more = true;

    *ret = (struct looked){0};
    while ((more || ret->state == STORE_RUNNING) && !has_words(ret, words)) {
        Wire__Look look = WIRE__LOOK__INIT;
        struct wire wire;

        look.tag = ++s->tag;
        look.run = run;
        look.batch = batch;
        look.offset = offset;
        look.records = look.output = look.wait = true;
        ask_frame(s, WIRE_LOOK, &look.base);
        next_frame(s, s->control, &wire);
        assert_int_equal(wire.type, WIRE_SEEN);
        assert_int_equal(wire.as.seen->tag, s->tag);
        take_seen(s, wire.as.seen, ret);
        if (wire.as.seen->n_batches > 0)
            batch = wire.as.seen->batches[wire.as.seen->n_batches - 1]->number;
        offset = wire.as.seen->offset;
        more = wire.as.seen->more;
        wire_release(&wire);
    }
}

void
follow(struct served *s, uint64_t run, struct looked *ret)
{
    follow_to(s, run, NULL, ret);
}

void
release_looked(struct looked *looked)
{
    buf_release(&looked->text);
    buf_release(&looked->printed);
    json_decref(looked->output);
}

const char two_tasks[] = "leat: 1\n"
                         "name: two\n"
                         "tasks:\n"
                         "  a:\n"
                         "    run: echo a\n"
                         "    value: json\n"
                         "  b:\n"
                         "    run: echo\n"
                         "    with: {x: '${a}'}\n"
                         "    value: json\n"
                         "output: '${b}'\n";
