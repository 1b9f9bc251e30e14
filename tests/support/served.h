/* SPDX-License-Identifier: MPL-2.0 */
/*
 * served - the whole broker but its main, in a thread, over ipc in a folder of
 * its own. The test plays a client and one agent; what does not come in time
 * fails it.
 */
#ifndef SUPPORT_SERVED_H
#define SUPPORT_SERVED_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <wire.pb-c.h>

#include "base/buf.h"
#include "base/err.h"
#include "broker/server.h"
#include "proto/convert.h"
#include "proto/wire.h"
#include "store/store.h"

#define TICKETS 64

struct served {
    char home[64]; /* of the test; all else is in it */
    char *address, *folder;
    struct err err;
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

struct looked {
    struct buf text; /* records and output */
    struct buf printed;
    uint32_t timeless; /* records of what runs, without a start */
    enum store_run_state state;
    json_t *output;
};

/* A test with a broker of its own, which is *state. */
#define SERVED(f) cmocka_unit_test_setup_teardown(f, serve_up, serve_down)

extern const char two_tasks[]; /* a flow: b takes what a gives */

int serve_up(void **state);
int serve_down(void **state);
void start_broker(struct served *s);
void stop_broker(struct served *s);

/* ---- frames ---- */

void wait_until(struct served *s, void *socket, int what);
void send_frame(struct served *s, void *socket, const void *data, size_t n);
void ask_frame(struct served *s, enum wire_type type,
               const ProtobufCMessage *base);
void any_frame(struct served *s, void *socket, struct wire *ret);
/* It says that the session of the last hello, or of one before, is over. */
bool is_over(const struct served *s, const struct wire *wire);
/* The next that is not about a session. */
void next_frame(struct served *s, void *socket, struct wire *ret);

/* ---- as a client ---- */

/* The answer's code; its text and document go to *text, if not NULL. */
enum err_code answer_of(struct served *s, uint64_t *number, struct buf *text);
enum err_code ask_with(struct served *s, enum ask_what what, uint64_t run,
                       const char *text, const char *options, struct buf *ret);
enum err_code ask(struct served *s, enum ask_what what, uint64_t run,
                  const char *text, struct buf *ret);

/* Chunks of at most so many bytes, under the tag of the last question. */
void send_pieces(struct served *s, const char *data, size_t n, size_t most);
void send_submit(struct served *s, const char *flow, const char *params,
                 uint64_t token);
enum err_code submit_with(struct served *s, const char *flow,
                          const char *params, uint64_t *run, struct buf *text);
/* These two fail the test if it is refused. */
uint64_t submit_token(struct served *s, const char *flow, uint64_t token);
uint64_t submit(struct served *s, const char *flow);

void take_seen(struct served *s, const Wire__Seen *seen, struct looked *ret);
/* Look from question to question until the run is at its end, or these words
 * are in what was seen. */
void follow_to(struct served *s, uint64_t run, const char *words,
               struct looked *ret);
void follow(struct served *s, uint64_t run, struct looked *ret);
void release_looked(struct looked *looked);

/* ---- as an agent ---- */

/* Begin a session; the one before is left. */
void hello(struct served *s, const char *name, uint64_t incarnation,
           const struct held *held, size_t nheld);
void leave(struct served *s);
void flush_back(struct served *s);

/* For lane_calls, with a struct served. */
void served_task(void *ctx, const struct lane_task *task);
void served_ack(void *ctx, uint64_t number);

/* Until so many have come in this session. */
void wait_for_tasks(struct served *s, size_t n);
/* Until all results are acknowledged. */
void wait_for_ack(struct served *s);
void wait_until_saved(struct served *s, uint64_t bytes);

/* What became of the i-th task that came; the value is taken. */
void report_from(struct served *s, size_t i, const char *cwd, json_t *value);
void report(struct served *s, size_t i, enum plan_state state, json_t *value);
/* Of its stdout: the text that begins at the offset. */
void put_output(struct served *s, size_t i, uint64_t offset, const char *text);

#endif
