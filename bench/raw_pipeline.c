/* SPDX-License-Identifier: MPL-2.0 */
/*
 * raw_pipeline - the floor that the cluster stands on: tasks as small protobuf
 * messages pushed to two processes over ZeroMQ, results pulled back, and
 * nothing else.
 *
 *     raw_pipeline N [BATCH [bare]]
 *
 * Sends N tasks, BATCH (1024) in a frame, to two processes on loopback TCP, each
 * of which decodes them and answers with one small message a task. A task has
 * its arguments with it, {"i":5}, and a result says when it began and ended, as
 * in the cluster; not if `bare`. At most WINDOW tasks are on their way to each.
 * Prints tasks a second, and the seconds.
 */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <wire.pb-c.h>
#include <zmq.h>

#define WORKERS 2
#define WINDOW  8192
#define MOST    1024 /* a frame */
#define ITEM    24   /* bytes of arguments, at most */

static double
seconds(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void
must(int rc, const char *what)
{
    if (rc >= 0)
        return;
    (void)fprintf(stderr, "raw_pipeline: %s: %s\n", what, zmq_strerror(errno));
    exit(1);
}

static void
send_message(void *socket, const ProtobufCMessage *message)
{
    zmq_msg_t frame;

    must(zmq_msg_init_size(&frame, protobuf_c_message_get_packed_size(message)),
         "frame");
    (void)protobuf_c_message_pack(message, zmq_msg_data(&frame));
    must(zmq_msg_send(&frame, socket, 0), "send");
}

static void *
make_socket(void *context, int type, const char *endpoint, int binds)
{
    void *socket = zmq_socket(context, type);

    must(binds ? zmq_bind(socket, endpoint) : zmq_connect(socket, endpoint),
         endpoint);
    return socket;
}

/* Decode tasks, answer each. */
static void
work(int i)
{
    static Wire__Result results[MOST];
    static Wire__Result *list[MOST];
    void *context = zmq_ctx_new();
    char endpoint[64];
    void *in, *out;
    zmq_msg_t frame;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%d", 7480 + i);
    in = make_socket(context, ZMQ_PULL, endpoint, 0);
    out = make_socket(context, ZMQ_PUSH, "tcp://127.0.0.1:7479", 0);
    (void)zmq_msg_init(&frame);
    while (zmq_msg_recv(&frame, in, 0) >= 0) {
        Wire__Return back = WIRE__RETURN__INIT;
        Wire__Return *tasks = wire__return__unpack(NULL, zmq_msg_size(&frame),
                                                   zmq_msg_data(&frame));
        int64_t began = (int64_t)(seconds() * 1e6);

        for (size_t k = 0; k < tasks->n_results; k++) {
            wire__result__init(&results[k]);
            results[k].ticket = tasks->results[k]->ticket;
            results[k].state = 6;
            if (tasks->results[k]->value.len > 0) {
                results[k].started = began;
                results[k].ended = began + 1;
            }
            list[k] = &results[k];
        }
        back.n_results = tasks->n_results;
        back.results = list;
        back.session = (uint64_t)i;
        send_message(out, &back.base);
        wire__return__free_unpacked(tasks, NULL);
    }
    _exit(0);
}

/* The n-th of all. */
static void
make_task(Wire__Result *task, char *item, long n, bool bare)
{
    wire__result__init(task);
    task->ticket = (uint32_t)n;
    task->state = 2;
    task->code = 1;
    if (bare)
        return;
    task->value.len =
        (size_t)snprintf(item, ITEM, "{\"with\":{\"i\":%ld}}", n % 10000000);
    task->value.data = (uint8_t *)item;
}

static long
take_results(void *in, long *inflight)
{
    zmq_msg_t frame;
    Wire__Return *back;
    long n;

    (void)zmq_msg_init(&frame);
    must(zmq_msg_recv(&frame, in, 0), "receive");
    back =
        wire__return__unpack(NULL, zmq_msg_size(&frame), zmq_msg_data(&frame));
    n = (long)back->n_results;
    inflight[back->session] -= n;
    wire__return__free_unpacked(back, NULL);
    (void)zmq_msg_close(&frame);
    return n;
}

int
main(int argc, char **argv)
{
    static Wire__Result tasks[MOST];
    static Wire__Result *list[MOST];
    static char items[MOST][ITEM];
    long n = argc > 1 ? strtol(argv[1], NULL, 10) : 1000000;
    long batch = argc > 2 ? strtol(argv[2], NULL, 10) : 1024;
    bool bare = argc > 3;
    long sent = 0, done = 0, inflight[WORKERS] = {0};
    void *context, *in, *out[WORKERS];
    pid_t pids[WORKERS];
    double from;

    if (batch < 1 || batch > MOST)
        return 2;
    for (int i = 0; i < WORKERS; i++) {
        pids[i] = fork();
        if (pids[i] == 0)
            work(i);
    }
    context = zmq_ctx_new();
    in = make_socket(context, ZMQ_PULL, "tcp://127.0.0.1:7479", 1);
    for (int i = 0; i < WORKERS; i++) {
        char endpoint[64];

        (void)snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%d",
                       7480 + i);
        out[i] = make_socket(context, ZMQ_PUSH, endpoint, 1);
    }
    for (long k = 0; k < batch; k++)
        list[k] = &tasks[k];
    from = seconds();
    while (done < n) {
        for (int i = 0; i < WORKERS; i++) {
            while (sent < n && inflight[i] + batch <= WINDOW) {
                Wire__Return frame = WIRE__RETURN__INIT;
                long many = batch < n - sent ? batch : n - sent;

                for (long k = 0; k < many; k++)
                    make_task(&tasks[k], items[k], sent + k, bare);
                frame.n_results = (size_t)many;
                frame.results = list;
                send_message(out[i], &frame.base);
                inflight[i] += many;
                sent += many;
            }
        }
        done += take_results(in, inflight);
    }
    from = seconds() - from;
    (void)printf("%.0f/s %.6f\n", (double)n / from, from);
    for (int i = 0; i < WORKERS; i++) {
        (void)kill(pids[i], SIGKILL);
        (void)waitpid(pids[i], NULL, 0); /* its time counts */
    }
    return 0;
}
