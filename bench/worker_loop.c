/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Let one worker make n calls of a function that does nothing, a window of them
 * at a time: what C calls cost an agent and its worker, both codecs included.
 *
 *     worker_loop N [WINDOW] [ARGUMENT]
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/worker.h"
#include "base/span.h"
#include "lib/api.h"
#include "lib/worker.h"

struct loop {
    struct workers *workers;
    const char *program;
    const struct work *work;
    unsigned sent, done, n, window;
};

static json_t *
noop(leat_task *task)
{
    (void)task;
    return NULL;
}

static void
on_began(void *ctx, uint32_t ticket)
{
    (void)ctx;
    (void)ticket;
}

static void
on_output(void *ctx, uint32_t ticket, int stream, const char *data, size_t n)
{
    (void)ctx;
    (void)ticket;
    (void)stream;
    (void)fwrite(data, 1, n, stderr);
}

static void
on_ended(void *ctx, const struct result *result)
{
    struct loop *self = ctx;

    if (result->state != PLAN_SUCCEEDED) {
        (void)fprintf(stderr, "%s\n", result->cause);
        exit(1);
    }
    self->done++;
}

static void
fill(struct loop *self)
{
    struct workers_call call = {.work = self->work, .program = self->program};

    while (self->sent < self->n && self->sent - self->done < self->window) {
        call.ticket = ++self->sent;
        workers_call(self->workers, &call);
    }
}

static void
run(struct loop *self)
{
    struct pollfd fd = {workers_fd(self->workers), POLLIN, 0};
    int64_t until;

    while (self->done < self->n) {
        fill(self);
        workers_handle(self->workers, span_mono(), &until);
        (void)poll(&fd, 1, 2);
    }
}

int
main(int argc, char **argv)
{
    leat_flow *flow = leat_flow_new("bench");
    struct loop self = {
        .n = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 1000000,
        .window = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 4096};
    struct workers_calls calls = {.began = on_began,
                                  .output = on_output,
                                  .ended = on_ended,
                                  .ctx = &self};
    struct work_spec spec = {.run = 1,
                             .flow = "bench",
                             .name = "noop",
                             .script = "noop",
                             .kind = FLOW_CALL,
                             .grace = SPAN_SECOND,
                             .params = json_object()};
    struct work work = {.spec = &spec, .id = {0, 0}, .attempt = 1};
    int64_t began;
    struct err err;

    leat_flow_add_task(flow, "noop", noop);
    if (worker_is_wanted() && leat_flow_run(flow, NULL, NULL, NULL) < 0)
        return 1;
    if (argc > 3)
        work.own = json_pack("{s:s}", "x", argv[3]);
    self.program = realpath("/proc/self/exe", NULL);
    self.work = &work;
    if (workers_new(&self.workers, 1, &calls, &err) < 0)
        return 1;
    began = span_mono();
    run(&self);
    (void)printf("%.0f calls/s\n",
                 self.n / ((double)(span_mono() - began) / 1e6));
    workers_destroy(&self.workers);
    leat_flow_destroy(&flow);
    return 0;
}
