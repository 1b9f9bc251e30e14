/* SPDX-License-Identifier: MPL-2.0 */
/*
 * round_trip - the floor of a hop: a small message there and back over ZeroMQ.
 *
 *     round_trip N
 *
 * PUSH to PULL on loopback TCP to another process, and the same back, N times.
 * Prints the seconds.
 */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include <zmq.h>

#define THERE "tcp://127.0.0.1:7481"
#define BACK  "tcp://127.0.0.1:7482"
#define BYTES 64

static double
seconds(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void *
open_socket(void *context, int type, const char *endpoint, bool binds)
{
    void *socket = zmq_socket(context, type);

    if ((binds ? zmq_bind : zmq_connect)(socket, endpoint) < 0) {
        (void)fprintf(stderr, "round_trip: %s: %s\n", endpoint,
                      zmq_strerror(zmq_errno()));
        exit(1);
    }
    return socket;
}

int
main(int argc, char **argv)
{
    long n = argc > 1 ? strtol(argv[1], NULL, 10) : 1000;
    pid_t other = fork();
    void *context = zmq_ctx_new();
    void *in, *out;
    char text[BYTES] = {0};
    double from = 0;

    if (other == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        in = open_socket(context, ZMQ_PULL, THERE, false);
        out = open_socket(context, ZMQ_PUSH, BACK, false);
        for (;;) {
            (void)zmq_recv(in, text, sizeof text, 0);
            (void)zmq_send(out, text, sizeof text, 0);
        }
    }
    in = open_socket(context, ZMQ_PULL, BACK, true);
    out = open_socket(context, ZMQ_PUSH, THERE, true);
    for (long i = -10; i < n; i++) {
        if (i == 0)
            from = seconds();
        (void)zmq_send(out, text, sizeof text, 0);
        (void)zmq_recv(in, text, sizeof text, 0);
    }
    (void)printf("%.6f\n", seconds() - from);
    (void)kill(other, SIGKILL);
    return 0;
}
