/* SPDX-License-Identifier: MPL-2.0 */
/*
 * server_return - what comes back from agents.
 */
#include <stdlib.h>

#include "broker/server_impl.h"
#include "proto/convert.h"

struct returned {
    struct broker_server *server;
    broker_session agent;
};

static void
on_beat(void *ctx, const struct beat *beat)
{
    struct returned *r = ctx;

    (void)broker_beat(r->server->core, r->agent, beat, r->server->now);
}

static void
on_started(void *ctx, uint32_t ticket)
{
    struct returned *r = ctx;

    (void)broker_started(r->server->core, r->agent, ticket, r->server->now);
}

static void
on_output(void *ctx, const struct output *output)
{
    struct returned *r = ctx;
    struct broker_server *self = r->server;
    struct broker_attempt of;
    struct store_piece piece = {.stream = output->stream,
                                .origin = output->origin,
                                .data = output->data,
                                .n = output->n};

    if (!broker_output(self->core, r->agent, output->ticket, output->n,
                       self->now, &of))
        return;
    piece.id = of.id;
    piece.attempt = of.attempt;
    broker_writer_output(self->writer, of.run, &piece, output->offset);
    broker_watch_touch(self->watch, of.run, self->sealed + 1);
    self->recorded = true;
}

/* What is to be kept for later runs. */
static void
keep_value(struct broker_server *self, broker_session agent,
           const struct result *result)
{
    struct broker_lane *lane = broker_net_lane(self->net, agent);
    char *key =
        lane ? broker_lane_take_key(lane, result->ticket, result->cwd) : NULL;

    if (key && result->state == PLAN_SUCCEEDED) {
        json_t *null = result->value ? NULL : json_null();

        broker_writer_cache(self->writer, key,
                            result->value ? result->value : null);
        self->recorded = true;
    }
    free(key);
}

static void
on_result(void *ctx, uint64_t number, const struct result *result)
{
    struct returned *r = ctx;
    struct broker_server *self = r->server;

    keep_value(self, r->agent, result);
    (void)broker_result(self->core, r->agent, number, result, self->now);
}

static void
on_given_back(void *ctx, uint32_t ticket)
{
    struct returned *r = ctx;
    struct broker_lane *lane = broker_net_lane(r->server->net, r->agent);

    if (lane)
        free(broker_lane_take_key(lane, ticket, NULL));
    (void)broker_given_back(r->server->core, r->agent, ticket, r->server->now);
}

static void
on_leaving(void *ctx)
{
    struct returned *r = ctx;

    broker_gone(r->server->core, r->agent, GONE_LEFT, r->server->now);
}

void
broker_server_unheard(struct broker_server *self, broker_session agent,
                      const struct err *err)
{
    struct broker_lane *lane = broker_net_lane(self->net, agent);

    broker_server_garbage(self, err);
    if (!lane)
        return;
    broker_lane_tell(lane, TELL_LEAVE, 0);
    broker_net_wake(self->net, agent);
    broker_gone(self->core, agent, GONE_CONNECTION, self->now);
}

/* Has all come that it has sent before this? */
static int
check_number(const struct broker_server *self, const Wire__Return *back,
             struct err *err)
{
    if (!broker_misses(self->core, back->session, back->first))
        return 0;
    return err_set(err, ERR_INVALID, "Return.first: results are missing");
}

void
broker_server_return(struct broker_server *self, const struct wire *wire)
{
    static const struct return_calls calls = {
        .beat = on_beat,
        .started = on_started,
        .output = on_output,
        .result = on_result,
        .given_back = on_given_back,
        .leaving = on_leaving,
    };
    struct returned r = {.server = self};
    struct err err;

    if (wire->type != WIRE_RETURN) {
        (void)err_set(&err, ERR_INVALID, "a %s came back",
                      wire_type_names[wire->type]);
        broker_server_garbage(self, &err);
        return;
    }
    r.agent = wire->as.back->session;
    if (check_number(self, wire->as.back, &err) < 0 ||
        return_read(wire, &calls, &r, &err) < 0)
        broker_server_unheard(self, r.agent, &err);
}
