/* SPDX-License-Identifier: MPL-2.0 */
/*
 * return_in - what a Return frame says, item by item.
 */
#include <wire.pb-c.h>

#include "flow/value.h"
#include "proto/convert.h"
#include "proto/limits.h"

static const char *
optional(const char *text)
{
    return *text ? text : NULL;
}

static void
read_beat(const Wire__Beat *from, const struct return_calls *calls, void *ctx)
{
    struct beat beat;

    if (!from || !calls->beat)
        return;
    beat = (struct beat){.number = from->number,
                         .queued = from->queued,
                         .running = from->running,
                         .load = from->load,
                         .memory = from->memory};
    calls->beat(ctx, &beat);
}

static void
read_output(const Wire__Return *back, const struct return_calls *calls,
            void *ctx)
{
    for (size_t i = 0; calls->output && i < back->n_output; i++) {
        const Wire__Output *one = back->output[i];
        const struct output output = {.ticket = one->ticket,
                                      .stream = (int)one->stream,
                                      .origin = one->origin,
                                      .offset = one->offset,
                                      .when = one->when,
                                      .data = (const char *)one->data.data,
                                      .n = one->data.len};

        if (output.n > 0)
            calls->output(ctx, &output);
    }
}

static void
read_plain(const Wire__Return *back, const struct return_calls *calls,
           void *ctx)
{
    struct result result = {.state = PLAN_SUCCEEDED, .code = -1};

    for (size_t i = 0; i < back->n_plain; i++) {
        result.ticket = back->plain[i];
        result.started += back->began[i];
        result.ended = result.started + back->took[i];
        calls->result(ctx, back->first + i, &result);
    }
}

static int
read_result(const Wire__Result *from, uint64_t number,
            const struct return_calls *calls, void *ctx, struct err *err)
{
    struct result result = {.ticket = from->ticket,
                            .state = (enum plan_state)from->state,
                            .cause = optional(from->cause),
                            .code = from->code,
                            .started = from->started,
                            .ended = from->ended,
                            .cpu = from->cpu,
                            .memory = from->memory,
                            .cwd = optional(from->cwd),
                            .refused = (enum item_refused)from->refused};

    if (from->value.len > 0 &&
        value_parse(VALUE_JSON, (const char *)from->value.data, from->value.len,
                    &result.value, err) < 0)
        return err_set(err, ERR_INVALID, "Result.value: not JSON");
    calls->result(ctx, number, &result);
    json_decref(result.value);
    return 0;
}

static int
read_results(const Wire__Return *back, const struct return_calls *calls,
             void *ctx, struct err *err)
{
    if (!calls->result)
        return 0;
    read_plain(back, calls, ctx);
    for (size_t i = 0; i < back->n_results; i++) {
        if (read_result(back->results[i], back->first + back->n_plain + i,
                        calls, ctx, err) < 0)
            return -1;
    }
    return 0;
}

int
return_read(const struct wire *wire, const struct return_calls *calls,
            void *ctx, struct err *err)
{
    const Wire__Return *back = wire->as.back;

    read_beat(back->beat, calls, ctx);
    for (size_t i = 0; calls->started && i < back->n_started; i++)
        calls->started(ctx, back->started[i]);
    read_output(back, calls, ctx);
    if (read_results(back, calls, ctx, err) < 0)
        return -1;
    for (size_t i = 0; calls->given_back && i < back->n_given_back; i++)
        calls->given_back(ctx, back->given_back[i]);
    if (calls->leaving && back->leaving)
        calls->leaving(ctx);
    return 0;
}
