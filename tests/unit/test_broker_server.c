/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The whole broker but its main, in a thread; the test plays its clients and
 * its agents, over ipc in a folder of its own.
 */
#include <poll.h>
#include <pthread.h>
#include <sodium.h>
#include <sys/eventfd.h>

#include <wire.pb-c.h>
#include <zmq.h>

#include "broker/server.h"
#include "flow/value.h"
#include "proto/convert.h"
#include "proto/limits.h"
#include "proto/link.h"
#include "proto/wire.h"
#include "tests/unit/store_box.h"

#define SOON    (10 * SPAN_SECOND)
#define TICKETS 64

struct served {
    struct box *box;
    char *address, *folder;
    struct broker_server *server;
    pthread_t thread;
    int end; /* an eventfd */
    void *control;
    uint64_t tag;
    /* as an agent */
    void *lane, *back;
    struct lane_in *runs;
    struct return_out *out;
    uint64_t session, number, acked, saved;
    uint64_t hello; /* tag of the last */
    uint32_t epoch;
    uint32_t tickets[TICKETS]; /* of tasks that came */
    struct held held[TICKETS];
    size_t ntask;
    bool told_to_leave;
    char *first_script;
    const char *program; /* of what is submitted, or NULL */
};

/* ---- the broker ---- */

static void *
serve(void *arg)
{
    struct served *s = arg;

    broker_server_run(s->server);
    return NULL;
}

static void
start_broker(struct served *s)
{
    struct broker_server_options options = {.address = s->address,
                                            .first = 7200,
                                            .last = 7209,
                                            .store = s->folder,
                                            .lifeline = -1};

    s->end = eventfd(0, EFD_CLOEXEC);
    options.signals = s->end;
    if (broker_server_new(&s->server, &options, &s->box->err) < 0)
        fail_msg("%s", s->box->err.msg);
    assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
    assert_int_equal(link_socket(&s->control, LINK_DEALER, &s->box->err), 0);
    assert_int_equal(link_connect(s->control, s->address, &s->box->err), 0);
}

static void
leave(struct served *s)
{
    link_close(&s->lane);
    link_close(&s->back);
    return_out_destroy(&s->out);
}

static void
stop_broker(struct served *s)
{
    uint64_t one = 1;

    leave(s);
    assert_int_equal(write(s->end, &one, sizeof one), sizeof one);
    (void)pthread_join(s->thread, NULL);
    assert_int_equal(broker_server_stop(&s->server, &s->box->err), 0);
    (void)close(s->end);
    link_close(&s->control);
}

static int
serve_up(void **state)
{
    struct served *s = mem_alloc(1, sizeof *s);
    void *box = NULL;

    (void)set_up(&box);
    s->box = box;
    store_close(&s->box->store);
    s->folder = mem_printf("%s/broker", s->box->folder);
    s->address = mem_printf("ipc://%s/control", s->box->folder);
    start_broker(s);
    *state = s;
    return 0;
}

static int
serve_down(void **state)
{
    struct served *s = *state;
    void *box = s->box;

    stop_broker(s);
    lane_in_destroy(&s->runs);
    free(s->first_script);
    free(s->address);
    free(s->folder);
    free(s);
    return tear_down(&box);
}

/* ---- frames ---- */

/* An agent that says nothing for seconds is given nothing. */
static void
beat(struct served *s)
{
    const struct buf *frame;

    return_out_beat(s->out, &(struct beat){.number = 2});
    while ((frame = return_out_next(s->out)) &&
           link_send(s->back, frame->data, frame->len, &s->box->err) == 1)
        return_out_sent(s->out);
}

static void
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

static void
send_frame(struct served *s, void *socket, const void *data, size_t n)
{
    wait_until(s, socket, LINK_OUT);
    assert_int_equal(link_send(socket, data, n, &s->box->err), 1);
}

static void
ask_frame(struct served *s, enum wire_type type, const ProtobufCMessage *base)
{
    struct buf out = {0};

    if (wire_encode(&out, type, base, &s->box->err) < 0)
        fail_msg("%s", s->box->err.msg);
    send_frame(s, s->control, out.data, out.len);
    buf_release(&out);
}

static void
any_frame(struct served *s, void *socket, struct wire *ret)
{
    zmq_msg_t message;

    wait_until(s, socket, LINK_IN);
    (void)zmq_msg_init(&message);
    assert_true(zmq_msg_recv(&message, socket, ZMQ_DONTWAIT) >= 0);
    if (wire_decode(ret, zmq_msg_data(&message), zmq_msg_size(&message),
                    &s->box->err) < 0)
        fail_msg("%s", s->box->err.msg);
    (void)zmq_msg_close(&message);
}

/* It says that the session of the last hello, or of one before, is over. */
static bool
is_over(const struct served *s, const struct wire *wire)
{
    return wire->type == WIRE_ANSWER && wire->as.answer->tag != 0 &&
           wire->as.answer->tag <= s->hello &&
           wire->as.answer->code == ERR_UNAVAILABLE;
}

/* The next that is not about a session. */
static void
next_frame(struct served *s, void *socket, struct wire *ret)
{
    any_frame(s, socket, ret);
    while (is_over(s, ret)) {
        wire_release(ret);
        any_frame(s, socket, ret);
    }
}

/* ---- as a client ---- */

/* The answer's code; its text and document go to *text, if not NULL. */
static enum err_code
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

static enum err_code
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

static enum err_code
ask(struct served *s, enum ask_what what, uint64_t run, const char *text,
    struct buf *ret)
{
    return ask_with(s, what, run, text, "", ret);
}

static void
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

static void
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

static enum err_code
submit_with(struct served *s, const char *flow, const char *params,
            uint64_t *run, struct buf *text)
{
    send_submit(s, flow, params, 0);
    return answer_of(s, run, text);
}

static uint64_t
submit_token(struct served *s, const char *flow, uint64_t token)
{
    uint64_t run = 0;

    send_submit(s, flow, "", token);
    assert_int_equal(answer_of(s, &run, NULL), ERR_NONE);
    return run;
}

static uint64_t
submit(struct served *s, const char *flow)
{
    struct buf text = {0};
    uint64_t run = 0;

    if (submit_with(s, flow, "", &run, &text) != ERR_NONE)
        fail_msg("%s", buf_str(&text));
    buf_release(&text);
    return run;
}

struct looked {
    struct buf text; /* records and output */
    struct buf printed;
    uint32_t timeless; /* records of what runs, without a start */
    enum store_run_state state;
    json_t *output;
};

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

static void
take_seen(struct served *s, const Wire__Seen *seen, struct looked *ret)
{
    struct store_run row = {0};
    json_t *json = NULL;

    assert_int_equal(value_parse(VALUE_JSON, (const char *)seen->run.data,
                                 seen->run.len, &json, &s->box->err),
                     0);
    assert_int_equal(store_run_from_json(&row, json, &s->box->err), 0);
    json_decref(json);
    ret->state = row.state;
    json_decref(ret->output);
    ret->output = json_incref(row.output);
    store_run_release(&row);
    for (size_t i = 0; i < seen->n_batches; i++)
        assert_int_equal(
            store_batch_records((const char *)seen->batches[i]->text.data,
                                seen->batches[i]->text.len, take_record, ret,
                                &s->box->err),
            0);
    assert_int_equal(store_output_pieces((const char *)seen->output.data,
                                         seen->output.len, take_piece, ret,
                                         &s->box->err),
                     0);
}

static bool
has_words(const struct looked *looked, const char *words)
{
    return words && strstr(buf_str(&looked->text), words);
}

/* Look from question to question until the run is at its end, or these words
 * are in what was seen. */
static void
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

static void
follow(struct served *s, uint64_t run, struct looked *ret)
{
    follow_to(s, run, NULL, ret);
}

static void
release_looked(struct looked *looked)
{
    buf_release(&looked->text);
    buf_release(&looked->printed);
    json_decref(looked->output);
}

/* ---- as an agent ---- */

static void
flush_back(struct served *s)
{
    const struct buf *frame;

    while ((frame = return_out_next(s->out))) {
        send_frame(s, s->back, frame->data, frame->len);
        return_out_sent(s->out);
    }
}

static void
hello(struct served *s, const char *name, uint64_t incarnation,
      const struct held *held, size_t nheld)
{
    struct agent_info info = {.name = name,
                              .host = "here",
                              .version = "0.1.0",
                              .pid = 1,
                              .incarnation = incarnation,
                              .slots = 4};
    struct buf out = {0};
    struct wire wire;

    leave(s);
    assert_int_equal(
        hello_write(&out, ++s->tag, &info, held, nheld, &s->box->err), 0);
    send_frame(s, s->control, out.data, out.len);
    buf_release(&out);
    next_frame(s, s->control, &wire);
    if (wire.type == WIRE_ANSWER)
        fail_msg("%s", wire.as.answer->text);
    assert_int_equal(wire.type, WIRE_WELCOME);
    assert_int_equal(wire.as.welcome->n_tickets, nheld);
    s->hello = wire.as.welcome->tag;
    for (size_t i = 0; i < nheld; i++)
        s->tickets[i] = wire.as.welcome->tickets[i];
    s->session = wire.as.welcome->session;
    lane_in_destroy(&s->runs);
    s->runs = lane_in_new();
    s->epoch = wire.as.welcome->epoch;
    s->number = s->saved = 0;
    s->ntask = nheld;
    assert_int_equal(link_socket(&s->lane, LINK_LANE_PULL, &s->box->err), 0);
    assert_int_equal(link_socket(&s->back, LINK_RETURN_PUSH, &s->box->err), 0);
    assert_int_equal(
        link_set_secret(s->lane, LINK_LANE_PULL, s->session, &s->box->err), 0);
    assert_int_equal(link_connect(s->lane, wire.as.welcome->lane, &s->box->err),
                     0);
    assert_int_equal(link_connect(s->back, wire.as.welcome->back, &s->box->err),
                     0);
    wire_release(&wire);
    s->out = return_out_new(s->session);
    return_out_beat(s->out, &(struct beat){.number = 1});
    flush_back(s);
}

static void
on_task(void *ctx, const struct lane_task *task)
{
    struct served *s = ctx;

    assert_true(s->ntask < TICKETS);
    s->held[s->ntask] = (struct held){.run = task->work->spec->run,
                                      .id = task->work->id,
                                      .attempt = task->work->attempt,
                                      .epoch = s->epoch,
                                      .phase = HELD_RUNNING};
    s->tickets[s->ntask++] = task->ticket;
    free(s->first_script);
    s->first_script = mem_dup(task->work->spec->script);
    lane_work_free(task->work);
}

static void
on_saved(void *ctx, uint64_t bytes)
{
    struct served *s = ctx;

    s->saved = bytes;
}

static void
on_ack(void *ctx, uint64_t number)
{
    struct served *s = ctx;

    s->acked = number;
}

static void
read_lane(struct served *s)
{
    static const struct lane_calls calls = {
        .task = on_task, .saved = on_saved, .ack = on_ack};
    struct wire wire;

    next_frame(s, s->lane, &wire);
    if (lane_read(s->runs, &wire, &calls, s, &s->box->err) < 0)
        fail_msg("%s", s->box->err.msg);
    wire_release(&wire);
}

static void
wait_for_tasks(struct served *s, size_t n)
{
    while (s->ntask < n)
        read_lane(s);
    assert_int_equal(s->ntask, n);
}

static void
wait_for_ack(struct served *s)
{
    while (s->acked < s->number)
        read_lane(s);
}

static void
report_from(struct served *s, size_t i, const char *cwd, json_t *value)
{
    struct result result = {.ticket = s->tickets[i],
                            .state = PLAN_SUCCEEDED,
                            .value = value,
                            .started = span_wall(),
                            .ended = span_wall(),
                            .cwd = cwd};

    return_out_result(s->out, ++s->number, &result);
    flush_back(s);
    json_decref(value);
}

static void
report(struct served *s, size_t i, enum plan_state state, json_t *value)
{
    struct result result = {.ticket = s->tickets[i],
                            .state = state,
                            .value = value,
                            .code = 0,
                            .started = span_wall() - 1000,
                            .ended = span_wall()};

    return_out_result(s->out, ++s->number, &result);
    flush_back(s);
    json_decref(value);
}

/* Of a task's stdout: the text that begins at the offset. */
static void
put_output(struct served *s, size_t i, uint64_t offset, const char *text)
{
    struct output output = {.ticket = s->tickets[i],
                            .stream = 1,
                            .origin = 4711,
                            .offset = offset,
                            .when = span_wall(),
                            .data = text,
                            .n = strlen(text)};

    return_out_output(s->out, &output);
}

static void
wait_until_saved(struct served *s, uint64_t bytes)
{
    while (s->saved < bytes)
        read_lane(s);
    assert_int_equal(s->saved, bytes);
}

/* ---- tests ---- */

static const char two_tasks[] = "leat: 1\n"
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

static void
a_run_goes_from_client_to_agent_and_back(void **state)
{
    struct served *s = *state;
    struct looked looked;
    uint64_t run;

    hello(s, "one", 1, NULL, 0);
    run = submit(s, two_tasks);
    assert_int_equal(run, 1);
    wait_for_tasks(s, 1);
    return_out_started(s->out, s->tickets[0]);
    put_output(s, 0, 0, "hi");
    report(s, 0, PLAN_SUCCEEDED, json_integer(5));
    wait_for_tasks(s, 2);
    assert_string_equal(s->first_script, "echo");
    report(s, 1, PLAN_SUCCEEDED, json_integer(6));
    wait_for_ack(s);
    follow(s, run, &looked);
    assert_int_equal(looked.state, STORE_SUCCEEDED);
    assert_int_equal(json_integer_value(looked.output), 6);
    assert_non_null(strstr(buf_str(&looked.text), "a=running "));
    assert_int_equal(looked.timeless, 0);
    assert_non_null(strstr(buf_str(&looked.text), "a=succeeded "));
    assert_non_null(strstr(buf_str(&looked.text), "b=succeeded "));
    assert_non_null(strstr(buf_str(&looked.text), "[hi] "));
    release_looked(&looked);
}

static void
a_bad_flow_is_refused_with_all_that_is_wrong(void **state)
{
    struct served *s = *state;
    struct buf text = {0};
    uint64_t run = 0;

    assert_int_equal(submit_with(s,
                                 "leat: 1\nname: x\ntasks:\n"
                                 "  a: {rum: x}\n  b: {run: x, tiemout: 1}\n",
                                 "", &run, &text),
                     ERR_INVALID);
    assert_non_null(strstr(buf_str(&text), "test.yaml:4:7: "));
    assert_non_null(strstr(buf_str(&text), "test.yaml:5:"));
    assert_int_equal(submit_with(s, two_tasks, "{\"x\": 1}", &run, &text),
                     ERR_INVALID);
    assert_int_equal(submit_with(s, two_tasks, "[", &run, &text), ERR_INVALID);
    /* None has become a run. */
    assert_int_equal(ask(s, ASK_FIND, 0, "last", &text), ERR_NOT_FOUND);
    buf_release(&text);
}

static void
garbage_is_dropped(void **state)
{
    struct served *s = *state;
    struct buf text = {0};
    unsigned char junk[64];
    void *back = NULL;
    char *to = mem_printf("%s-return", s->address);

    assert_int_equal(link_socket(&back, LINK_RETURN_PUSH, &s->box->err), 0);
    assert_int_equal(link_connect(back, to, &s->box->err), 0);
    for (unsigned i = 0; i < 200; i++) {
        randombytes_buf(junk, sizeof junk);
        if (i % 2)
            memcpy(junk, "lT", 2);
        send_frame(s, s->control, junk, i % sizeof junk);
        send_frame(s, back, junk, i % sizeof junk);
    }
    /* Several parts; and a message that belongs elsewhere. */
    wait_until(s, s->control, LINK_OUT);
    (void)zmq_send(s->control, "a", 1, ZMQ_SNDMORE);
    (void)zmq_send(s->control, "b", 1, 0);
    (void)zmq_send(back, "a", 1, ZMQ_SNDMORE);
    (void)zmq_send(back, "b", 1, 0);
    ask_frame(s, WIRE_SEEN, &((Wire__Seen)WIRE__SEEN__INIT).base);
    ask_frame(s, WIRE_CHUNK,
              &((Wire__Chunk){
                    .base = PROTOBUF_C_MESSAGE_INIT(&wire__chunk__descriptor),
                    .data = {1, junk}})
                   .base);
    s->tag = 77;
    assert_int_equal(ask(s, ASK_VERSION, 0, "", &text), ERR_NONE);
    assert_non_null(strstr(buf_str(&text), "\"epoch\""));
    buf_release(&text);
    link_close(&back);
    free(to);
}

static void
on_leave(void *ctx)
{
    struct served *s = ctx;

    s->told_to_leave = true;
}

/* Something of what it said was not heard: it must say it all again, and
 * nothing that came after is acknowledged. */
static void
says_hello_anew(struct served *s)
{
    static const struct lane_calls calls = {
        .task = on_task, .ack = on_ack, .leave = on_leave};
    struct wire wire;

    s->acked = 0;
    s->told_to_leave = false;
    while (!s->told_to_leave) {
        next_frame(s, s->lane, &wire);
        assert_int_equal(lane_read(s->runs, &wire, &calls, s, &s->box->err), 0);
        wire_release(&wire);
    }
    assert_int_equal(s->acked, 0);
    for (size_t i = 0; i < s->ntask; i++)
        s->held[i].phase = HELD_FINISHED;
    hello(s, "one", 1, s->held, s->ntask);
    for (size_t i = 0; i < s->ntask; i++)
        assert_int_not_equal(s->tickets[i], 0);
}

static void
an_agent_that_sends_what_is_no_return_says_hello_anew(void **state)
{
    static const char text[] = "leat: 1\nname: f\ntasks:\n"
                               "  a: { run: x }\n  b: { run: x }\n";
    struct served *s = *state;
    Wire__Return back = WIRE__RETURN__INIT;
    Wire__Result result = WIRE__RESULT__INIT;
    Wire__Result *results[] = {&result};
    struct buf frame = {0};
    struct looked looked;
    uint64_t run;

    hello(s, "one", 1, NULL, 0);
    run = submit(s, text);
    wait_for_tasks(s, 2);
    back.session = s->session;
    back.first = 1;
    back.results = results;
    back.n_results = 1;
    result.ticket = s->tickets[0];
    result.state = 99;
    assert_int_equal(wire_encode(&frame, WIRE_RETURN, &back.base, &s->box->err),
                     0);
    send_frame(s, s->back, frame.data, frame.len);
    s->number = 1;
    report(s, 1, PLAN_SUCCEEDED, NULL);
    says_hello_anew(s);

    /* A frame is missing, of which nobody could tell whose it was. */
    s->number = 1;
    report(s, 1, PLAN_SUCCEEDED, NULL);
    says_hello_anew(s);
    report(s, 0, PLAN_SUCCEEDED, NULL);
    report(s, 1, PLAN_SUCCEEDED, NULL);
    wait_for_ack(s);
    follow(s, run, &looked);
    assert_int_equal(looked.state, STORE_SUCCEEDED);
    release_looked(&looked);
    buf_release(&frame);
}

static void
a_restarted_broker_adopts_what_agents_hold(void **state)
{
    struct served *s = *state;
    struct looked looked;
    struct held held;
    uint64_t run;

    hello(s, "one", 1, NULL, 0);
    run = submit(s, two_tasks);
    wait_for_tasks(s, 1);
    return_out_started(s->out, s->tickets[0]);
    flush_back(s);
    held = s->held[0];
    stop_broker(s);
    start_broker(s);
    hello(s, "one", 1, &held, 1);
    assert_int_equal(s->epoch, held.epoch + 1);
    assert_true(s->tickets[0] != 0);
    report(s, 0, PLAN_SUCCEEDED, json_integer(5));
    wait_for_tasks(s, 2);
    report(s, 1, PLAN_SUCCEEDED, json_integer(7));
    follow(s, run, &looked);
    assert_int_equal(looked.state, STORE_SUCCEEDED);
    assert_int_equal(json_integer_value(looked.output), 7);
    release_looked(&looked);
}

/* ... and what of their output it has, which they were told or not. */
static void
output_that_comes_again_is_there_once(void **state)
{
    struct served *s = *state;
    struct looked looked;
    struct held held;
    uint64_t run;

    hello(s, "one", 1, NULL, 0);
    run = submit(s, two_tasks);
    wait_for_tasks(s, 1);
    return_out_started(s->out, s->tickets[0]);
    put_output(s, 0, 0, "one ");
    put_output(s, 0, 4, "two ");
    flush_back(s);
    wait_until_saved(s, 8);
    held = s->held[0];
    /* Another session, */
    hello(s, "one", 1, &held, 1);
    put_output(s, 0, 4, "two ");
    put_output(s, 0, 8, "three ");
    flush_back(s);
    wait_until_saved(s, 10);
    stop_broker(s);
    start_broker(s);
    /* another broker. */
    hello(s, "one", 1, &held, 1);
    put_output(s, 0, 8, "three ");
    put_output(s, 0, 14, "four");
    report(s, 0, PLAN_SUCCEEDED, NULL);
    wait_for_tasks(s, 2);
    report(s, 1, PLAN_SUCCEEDED, NULL);
    follow(s, run, &looked);
    assert_int_equal(looked.state, STORE_SUCCEEDED);
    assert_string_equal(buf_str(&looked.printed), "one two three four");
    release_looked(&looked);
}

static void
a_restarted_broker_knows_what_was_cancelled(void **state)
{
    struct served *s = *state;
    struct looked looked;
    struct held held;
    uint64_t run;

    hello(s, "one", 1, NULL, 0);
    run = submit(s, two_tasks);
    wait_for_tasks(s, 1);
    return_out_started(s->out, s->tickets[0]);
    flush_back(s);
    held = s->held[0];
    assert_int_equal(ask(s, ASK_CANCEL, run, "", NULL), ERR_NONE);
    stop_broker(s);
    start_broker(s);
    hello(s, "one", 1, &held, 1);
    assert_int_equal(s->tickets[0], 0);
    follow(s, run, &looked);
    assert_int_equal(looked.state, STORE_CANCELLED);
    release_looked(&looked);
    /* It is forgotten when somebody wants it to go on. */
    assert_int_equal(ask(s, ASK_RETRY, run, "", NULL), ERR_NONE);
    wait_for_tasks(s, 2);
    held = s->held[1];
    stop_broker(s);
    start_broker(s);
    hello(s, "one", 1, &held, 1);
    assert_int_not_equal(s->tickets[0], 0);
}

static void
what_a_dead_agent_had_goes_to_another(void **state)
{
    struct served *s = *state;
    struct looked looked;
    uint64_t run;

    hello(s, "one", 1, NULL, 0);
    run = submit(s, two_tasks);
    wait_for_tasks(s, 1);
    leave(s); /* its connections are gone */
    hello(s, "two", 2, NULL, 0);
    wait_for_tasks(s, 1);
    report(s, 0, PLAN_SUCCEEDED, json_integer(1));
    wait_for_tasks(s, 2);
    report(s, 1, PLAN_SUCCEEDED, json_integer(2));
    follow(s, run, &looked);
    assert_int_equal(looked.state, STORE_SUCCEEDED);
    release_looked(&looked);
}

/* It would find out by the silence. */
static void
an_agent_is_told_that_its_lane_is_gone(void **state)
{
    struct served *s = *state;
    struct wire wire;

    hello(s, "one", 1, NULL, 0);
    (void)submit(s, two_tasks);
    wait_for_tasks(s, 1);
    link_close(&s->lane);
    any_frame(s, s->control, &wire);
    assert_true(is_over(s, &wire));
    assert_string_equal(wire.as.answer->text, "its lane is gone");
    wire_release(&wire);
    s->held[0].phase = HELD_RUNNING;
    hello(s, "one", 1, s->held, 1);
    assert_int_not_equal(s->tickets[0], 0);
}

static void
values_that_are_too_long_to_travel_fail_the_task(void **state)
{
    struct served *s = *state;
    size_t n = LIMIT_TRAVEL_BYTES - 100;
    char *long_text = mem_alloc(n + 1, 1);
    struct looked looked;
    uint64_t run;

    memset(long_text, 'x', n);
    hello(s, "one", 1, NULL, 0);
    run = submit(s, "leat: 1\nname: long\ntasks:\n"
                    "  a: {run: x, value: json}\n"
                    "  b:\n    argv: [echo, '${a}', '${a}']\n");
    wait_for_tasks(s, 1);
    report(s, 0, PLAN_SUCCEEDED, json_string(long_text));
    follow(s, run, &looked);
    assert_int_equal(looked.state, STORE_FAILED);
    if (!strstr(buf_str(&looked.text), "b=failed (its values have"))
        fail_msg("%.2000s", buf_str(&looked.text));
    release_looked(&looked);
    free(long_text);
}

static void
a_cached_value_is_not_sent_again(void **state)
{
    static const char flow[] = "leat: 1\nname: kept\ntasks:\n"
                               "  a: {run: x, value: json, cache: {for: 1h}}\n"
                               "output: '${a}'\n";
    struct served *s = *state;
    struct looked looked;
    uint64_t run;

    hello(s, "one", 1, NULL, 0);
    run = submit(s, flow);
    wait_for_tasks(s, 1);
    report(s, 0, PLAN_SUCCEEDED, json_integer(41));
    follow(s, run, &looked);
    release_looked(&looked);
    run = submit(s, flow);
    follow(s, run, &looked);
    assert_int_equal(looked.state, STORE_SUCCEEDED);
    assert_int_equal(json_integer_value(looked.output), 41);
    assert_non_null(
        strstr(buf_str(&looked.text), "a=cached (from an earlier run)"));
    assert_int_equal(s->ntask, 1);
    release_looked(&looked);
}

/* Submit it, and report its one task from there. */
static void
run_from(struct served *s, const char *flow, const char *cwd, int value)
{
    struct looked looked;
    uint64_t run = submit(s, flow);

    wait_for_tasks(s, s->ntask + 1);
    report_from(s, s->ntask - 1, cwd, json_integer(value));
    follow(s, run, &looked);
    assert_int_equal(looked.state, STORE_SUCCEEDED);
    release_looked(&looked);
}

static void
only_what_ran_where_it_was_to_is_cached(void **state)
{
    static const char flow[] =
        "leat: 1\nname: kept\ntasks:\n"
        "  a: {run: x, value: json, cwd: sub, cache: {for: 1h}}\n"
        "output: '${a}'\n";
    struct served *s = *state;
    struct looked looked;

    hello(s, "one", 1, NULL, 0);
    run_from(s, flow, "/tmp/leat-scratch/sub", 1);
    run_from(s, flow, "/tmp/sub", 2);
    follow(s, submit(s, flow), &looked);
    assert_int_equal(json_integer_value(looked.output), 2);
    assert_int_equal(s->ntask, 2);
    release_looked(&looked);
}

static void
a_program_comes_in_pieces_and_goes_in_pieces(void **state)
{
    struct served *s = *state;
    size_t n = ((size_t)3 << 18) + 7;
    char *program = mem_alloc(n, 1);
    Wire__Blob blob = WIRE__BLOB__INIT;
    unsigned char hash[32];
    struct buf got = {0};
    uint64_t number = 1;

    randombytes_buf(program, n);
    (void)crypto_generichash(hash, sizeof hash, (unsigned char *)program, n,
                             NULL, 0);
    blob.hash.data = hash;
    blob.hash.len = sizeof hash;
    blob.tag = ++s->tag; /* nobody has it */
    ask_frame(s, WIRE_BLOB, &blob.base);
    assert_int_equal(answer_of(s, NULL, NULL), ERR_NOT_FOUND);
    blob.bytes = n;
    blob.tag = ++s->tag;
    ask_frame(s, WIRE_BLOB, &blob.base);
    assert_int_equal(answer_of(s, &number, NULL), ERR_NONE);
    assert_int_equal(number, 0);
    send_pieces(s, program, n, LIMIT_CHUNK_BYTES);
    assert_int_equal(answer_of(s, &number, NULL), ERR_NONE);
    assert_int_equal(number, n);
    blob.tag = ++s->tag; /* once is enough */
    ask_frame(s, WIRE_BLOB, &blob.base);
    assert_int_equal(answer_of(s, &number, NULL), ERR_NONE);
    assert_int_equal(number, n);
    blob.bytes = 0;
    while (got.len < n) {
        struct wire wire;

        blob.tag = ++s->tag;
        blob.offset = got.len;
        ask_frame(s, WIRE_BLOB, &blob.base);
        next_frame(s, s->control, &wire);
        assert_int_equal(wire.type, WIRE_CHUNK);
        assert_int_equal(wire.as.chunk->offset, got.len);
        buf_add(&got, wire.as.chunk->data.data, wire.as.chunk->data.len);
        wire_release(&wire);
    }
    assert_memory_equal(got.data, program, n);
    blob.tag = ++s->tag;
    blob.offset = n;
    ask_frame(s, WIRE_BLOB, &blob.base);
    assert_int_equal(answer_of(s, &number, NULL), ERR_NONE);
    assert_int_equal(number, n);
    buf_release(&got);
    free(program);
}

static void
a_path_as_long_as_a_hash_is_a_path(void **state)
{
    struct served *s = *state;

    s->program = "/home/me/flows/of/mine/a_program";
    assert_int_equal(strlen(s->program), 32);
    assert_int_equal(submit(s, two_tasks), 1);
}

static void
a_program_that_is_another_one_is_refused(void **state)
{
    struct served *s = *state;
    Wire__Blob blob = WIRE__BLOB__INIT;
    unsigned char hash[32] = {1};

    blob.hash.data = hash;
    blob.hash.len = sizeof hash;
    blob.bytes = 10;
    blob.tag = ++s->tag;
    ask_frame(s, WIRE_BLOB, &blob.base);
    assert_int_equal(answer_of(s, NULL, NULL), ERR_NONE);
    send_pieces(s, "0123456789", 10, 10);
    assert_int_equal(answer_of(s, NULL, NULL), ERR_INVALID);
    blob.bytes = 0;
    blob.tag = ++s->tag;
    ask_frame(s, WIRE_BLOB, &blob.base);
    assert_int_equal(answer_of(s, NULL, NULL), ERR_NOT_FOUND);
}

static void
people_get_answers(void **state)
{
    static const char *const bad_options[] = {
        "{",
        "[]",
        "{\"env\": [\"A\"]}",
        "{\"env\": {\"A\": 1}}",
        "{\"env\": {\"A=B\": \"x\"}}",
        "{\"timeout\": -1}",
        "{\"timeout\": \"1s\"}",
    };
    struct served *s = *state;
    struct buf text = {0};
    struct looked looked;
    uint64_t run;

    assert_int_equal(ask(s, ASK_CANCEL, 9, "", &text), ERR_NOT_FOUND);
    assert_int_equal(ask(s, ASK_WHY, 9, "a", &text), ERR_NOT_FOUND);
    run = submit(s, two_tasks);
    assert_int_equal(ask(s, ASK_WHY, run, "a", &text), ERR_NONE);
    assert_non_null(strstr(buf_str(&text), "agent"));
    assert_int_equal(ask(s, ASK_WHY, run, "zzz", &text), ERR_NOT_FOUND);
    assert_int_equal(ask(s, ASK_WHY, run, "a[0]", &text), ERR_NOT_FOUND);
    assert_int_equal(ask(s, ASK_WHY, run, "a[#0]", &text), ERR_NOT_FOUND);
    assert_int_equal(ask(s, ASK_REMOVE, run, "", &text), ERR_UNAVAILABLE);
    assert_int_equal(ask(s, ASK_RETRY, run, "", &text), ERR_UNAVAILABLE);
    assert_int_equal(ask(s, ASK_DRAIN, 0, "nobody", &text), ERR_NOT_FOUND);
    hello(s, "one", 1, NULL, 0);
    assert_int_equal(ask(s, ASK_AGENTS, 0, "", &text), ERR_NONE);
    assert_non_null(strstr(buf_str(&text), "\"name\":\"one\""));
    assert_int_equal(ask(s, ASK_CANCEL, run, "", &text), ERR_NONE);
    leave(s);
    follow(s, run, &looked);
    assert_int_equal(looked.state, STORE_CANCELLED);
    release_looked(&looked);
    assert_int_equal(ask(s, ASK_CANCEL, run, "", &text), ERR_INVALID);
    for (size_t i = 0; i < sizeof bad_options / sizeof bad_options[0]; i++) {
        assert_int_equal(ask_with(s, ASK_RETRY, run, "", bad_options[i], &text),
                         ERR_INVALID);
        assert_non_null(strstr(buf_str(&text), "options: "));
    }
    assert_int_equal(ask(s, ASK_RUNS, 0, "", &text), ERR_NONE);
    assert_non_null(strstr(buf_str(&text), "\"cancelled\""));
    assert_int_equal(ask(s, ASK_REMOVE, run, "", &text), ERR_NONE);
    assert_int_equal(ask(s, ASK_FIND, 0, "1", &text), ERR_NOT_FOUND);
    buf_release(&text);
}

static void
why_takes_a_child(void **state)
{
    static const char map[] = "leat: 1\nname: map\ntasks:\n"
                              "  m: { each: { i: 1..3 }, run: x }\n";
    static const char *const none[] = {"m[4]",   "m[#3]", "m[#1", "m[#]x",
                                       "m[#1]x", "m[]",   "m["};
    struct served *s = *state;
    struct buf text = {0};
    uint64_t run = submit(s, map);

    assert_int_equal(ask(s, ASK_WHY, run, "m[#2]", &text), ERR_NONE);
    assert_non_null(strstr(buf_str(&text), "waits for an agent"));
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        assert_int_equal(ask(s, ASK_WHY, run, none[i], &text), ERR_NOT_FOUND);
    buf_release(&text);
}

static void
a_cancelled_run_is_gone_on_with(void **state)
{
    struct served *s = *state;
    struct looked looked;
    uint64_t run;

    hello(s, "one", 1, NULL, 0);
    run = submit(s, two_tasks);
    wait_for_tasks(s, 1);
    report(s, 0, PLAN_SUCCEEDED, json_integer(5));
    wait_for_tasks(s, 2);
    report(s, 1, PLAN_FAILED, NULL);
    follow(s, run, &looked);
    assert_int_equal(looked.state, STORE_FAILED);
    release_looked(&looked);
    assert_int_equal(ask(s, ASK_RETRY, run, "", NULL), ERR_NONE);
    wait_for_tasks(s, 3); /* only b */
    report(s, 2, PLAN_SUCCEEDED, json_integer(8));
    follow(s, run, &looked);
    assert_int_equal(looked.state, STORE_SUCCEEDED);
    assert_int_equal(json_integer_value(looked.output), 8);
    release_looked(&looked);
}

static void
who_watches_hears_of_what_no_agent_can_run(void **state)
{
    struct served *s = *state;
    struct looked looked;
    uint64_t run;

    hello(s, "one", 1, NULL, 0);
    run = submit(s, "leat: 1\nname: big\ntasks:\n"
                    "  a: {run: x}\n"
                    "  b: {run: x, resources: {gpus: 4}}\n");
    wait_for_tasks(s, 1);
    follow_to(s, run, "task `b` needs 4 gpus; one has 0", &looked);
    assert_int_equal(looked.state, STORE_RUNNING); /* another may come */
    release_looked(&looked);
    report(s, 0, PLAN_SUCCEEDED, NULL);
    assert_int_equal(ask(s, ASK_CANCEL, run, "", NULL), ERR_NONE);
    follow(s, run, &looked);
    assert_int_equal(looked.state, STORE_CANCELLED);
    release_looked(&looked);
}

/* Whoever waits for the end of one that nobody goes on with asks again and
 * again: not as fast as it is answered. */
static void
a_look_at_an_interrupted_run_waits(void **state)
{
    struct served *s = *state;
    struct store *other = NULL;
    struct store_run row = {.flow = (char[]){"left"}};
    Wire__Look look = WIRE__LOOK__INIT;
    struct looked looked = {0};
    struct wire wire;
    int64_t asked;

    assert_int_equal(store_open(&other, s->folder, STORE_WRITE, &s->box->err),
                     0);
    assert_int_equal(store_run_begin(other, &row, &s->box->err), 0);
    store_close(&other);
    look.tag = ++s->tag;
    look.run = row.id;
    look.records = look.wait = true;
    asked = span_mono();
    ask_frame(s, WIRE_LOOK, &look.base);
    next_frame(s, s->control, &wire);
    assert_int_equal(wire.type, WIRE_SEEN);
    take_seen(s, wire.as.seen, &looked);
    assert_int_equal(looked.state, STORE_INTERRUPTED);
    assert_true(span_mono() - asked >= 100 * SPAN_MS);
    wire_release(&wire);
    release_looked(&looked);
}

/* Two people do it at once: the second finds it running. */
static void
a_run_is_gone_on_with_once(void **state)
{
    struct served *s = *state;
    Wire__Ask message;
    uint64_t run, first;
    unsigned good = 0;

    hello(s, "one", 1, NULL, 0);
    run = submit(s, two_tasks);
    wait_for_tasks(s, 1);
    report(s, 0, PLAN_FAILED, NULL);
    wait_for_ack(s);
    wire__ask__init(&message);
    message.what = ASK_RETRY;
    message.run = run;
    first = s->tag + 1;
    for (int i = 0; i < 4; i++) {
        message.tag = first + (unsigned)i;
        ask_frame(s, WIRE_ASK, &message.base);
    }
    for (int i = 0; i < 4; i++) {
        struct wire wire;

        next_frame(s, s->control, &wire);
        assert_int_equal(wire.type, WIRE_ANSWER);
        if (wire.as.answer->code == ERR_NONE)
            good++;
        else
            assert_int_equal(wire.as.answer->code, ERR_UNAVAILABLE);
        wire_release(&wire);
    }
    s->tag = first + 4;
    assert_int_equal(good, 1);
    wait_for_tasks(s, 2);
    assert_int_equal(ask(s, ASK_VERSION, 0, "", NULL), ERR_NONE);
}

/* Its answer was lost, with the connection or with the broker. */
static void
a_submission_that_comes_again_is_the_same_run(void **state)
{
    struct served *s = *state;
    uint64_t run = submit_token(s, two_tasks, 77);

    assert_int_equal(submit_token(s, two_tasks, 77), run);
    assert_int_equal(submit_token(s, two_tasks, UINT64_MAX), run + 1);
    assert_int_equal(submit_token(s, two_tasks, 0), run + 2);
    assert_int_equal(submit_token(s, two_tasks, 0), run + 3);
    stop_broker(s);
    start_broker(s);
    assert_int_equal(submit_token(s, two_tasks, 77), run);
    assert_int_equal(submit_token(s, two_tasks, UINT64_MAX), run + 1);
    assert_int_equal(submit_token(s, two_tasks, 78), run + 4);
}

/* Before the first is answered; each has its answer. */
static void
submissions_that_come_twice_at_once_are_one_run(void **state)
{
    struct served *s = *state;
    uint64_t run = 0, first = s->tag + 1;

    for (int i = 0; i < 8; i++)
        send_submit(s, two_tasks, "", 5);
    for (int i = 0; i < 8; i++) {
        struct wire wire;

        next_frame(s, s->control, &wire);
        assert_int_equal(wire.type, WIRE_ANSWER);
        assert_int_equal(wire.as.answer->code, ERR_NONE);
        assert_true(wire.as.answer->tag >= first);
        assert_true(run == 0 || wire.as.answer->number == run);
        run = wire.as.answer->number;
        wire_release(&wire);
    }
    assert_int_equal(submit_token(s, two_tasks, 6), run + 1);
}

static void
who_looks_does_not_wait_for_a_large_flow(void **state)
{
    struct served *s = *state;
    Wire__Look look = WIRE__LOOK__INIT;
    uint64_t run = submit(s, two_tasks);
    struct buf flow = {0};
    struct wire wire;

    buf_text(&flow, "leat: 1\nname: large\ntasks:\n");
    for (int i = 0; i < 100000; i++)
        buf_printf(&flow, "  task_%d: { run: echo }\n", i);
    send_submit(s, buf_str(&flow), "", 0);
    look.tag = ++s->tag;
    look.run = run;
    look.records = true;
    ask_frame(s, WIRE_LOOK, &look.base);
    next_frame(s, s->control, &wire);
    assert_int_equal(wire.type, WIRE_SEEN);
    wire_release(&wire);
    next_frame(s, s->control, &wire);
    assert_int_equal(wire.type, WIRE_ANSWER);
    assert_int_equal(wire.as.answer->code, ERR_NONE);
    wire_release(&wire);
    buf_release(&flow);
}

/* What was refused may be right the next time. */
static void
a_submission_that_was_refused_may_come_again(void **state)
{
    struct served *s = *state;

    send_submit(s, two_tasks, "{\"x\": 1}", 9);
    assert_int_equal(answer_of(s, NULL, NULL), ERR_INVALID);
    assert_int_equal(submit_token(s, two_tasks, 9), 1);
}

static void
two_brokers_can_not_have_one_store(void **state)
{
    struct served *s = *state;
    struct broker_server *other = NULL;
    struct broker_server_options options = {.address = "ipc:///tmp/x",
                                            .first = 7200,
                                            .last = 7209,
                                            .store = s->folder,
                                            .signals = -1,
                                            .lifeline = -1};

    assert_int_equal(broker_server_new(&other, &options, &s->box->err), -1);
    assert_int_equal(s->box->err.code, ERR_UNAVAILABLE);
    assert_non_null(strstr(s->box->err.msg, "belongs to another broker"));
}

#define SERVED(f) cmocka_unit_test_setup_teardown(f, serve_up, serve_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        SERVED(a_run_goes_from_client_to_agent_and_back),
        SERVED(a_bad_flow_is_refused_with_all_that_is_wrong),
        SERVED(garbage_is_dropped),
        SERVED(an_agent_that_sends_what_is_no_return_says_hello_anew),
        SERVED(a_restarted_broker_adopts_what_agents_hold),
        SERVED(output_that_comes_again_is_there_once),
        SERVED(a_restarted_broker_knows_what_was_cancelled),
        SERVED(what_a_dead_agent_had_goes_to_another),
        SERVED(an_agent_is_told_that_its_lane_is_gone),
        SERVED(values_that_are_too_long_to_travel_fail_the_task),
        SERVED(a_cached_value_is_not_sent_again),
        SERVED(only_what_ran_where_it_was_to_is_cached),
        SERVED(a_program_comes_in_pieces_and_goes_in_pieces),
        SERVED(a_path_as_long_as_a_hash_is_a_path),
        SERVED(a_program_that_is_another_one_is_refused),
        SERVED(people_get_answers),
        SERVED(why_takes_a_child),
        SERVED(a_cancelled_run_is_gone_on_with),
        SERVED(who_watches_hears_of_what_no_agent_can_run),
        SERVED(a_look_at_an_interrupted_run_waits),
        SERVED(a_run_is_gone_on_with_once),
        SERVED(a_submission_that_comes_again_is_the_same_run),
        SERVED(submissions_that_come_twice_at_once_are_one_run),
        SERVED(who_looks_does_not_wait_for_a_large_flow),
        SERVED(a_submission_that_was_refused_may_come_again),
        SERVED(two_brokers_can_not_have_one_store),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
