/* SPDX-License-Identifier: MPL-2.0 */
/*
 * server_effects - what the core wants done.
 *
 * Two things end an attempt without it being sent: a value kept from an earlier
 * run, and values that are too long to travel. The core hears of them when it
 * is done with its turn.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "broker/server_impl.h"
#include "exec/carry.h"
#include "proto/link.h"

#define LOOK (250 * SPAN_MS) /* for tasks that nobody can run */

static struct unsent *
add_unsent(struct broker_server *self, broker_session agent, uint32_t ticket)
{
    struct unsent *unsent;

    self->unsent = mem_grow(self->unsent, &self->cap_unsent, self->nunsent + 1,
                            sizeof *self->unsent);
    unsent = &self->unsent[self->nunsent++];
    *unsent = (struct unsent){.agent = agent, .ticket = ticket};
    return unsent;
}

static bool
may_look_up(const struct broker_server *self, uint64_t run)
{
    for (size_t i = 0; i < self->nuncached; i++) {
        if (self->uncached[i] == run)
            return false;
    }
    return true;
}

/* True: the value of an earlier run will do. */
static bool
is_cached(struct broker_server *self, struct broker_lane *lane,
          broker_session agent, const struct lane_task *task)
{
    const struct work_spec *spec = task->work->spec;
    struct unsent *unsent;
    json_t *value = NULL;
    struct err ignored;
    char *key;

    if (spec->cache_for <= 0)
        return false;
    key = carry_cache_key(task->work);
    if (!may_look_up(self, spec->run) ||
        store_cache_get(self->cache, key, spec->cache_for, &value, &ignored) <
            0) {
        char *folder = carry_folder(task->work);

        broker_lane_note_key(lane, task->ticket, &key, &folder);
        return false;
    }
    free(key);
    unsent = add_unsent(self, agent, task->ticket);
    unsent->state = PLAN_CACHED;
    unsent->value = value;
    unsent->cause = mem_dup("from an earlier run");
    return true;
}

static void
on_task(void *ctx, broker_session agent, const struct lane_task *task)
{
    struct broker_server *self = ctx;
    struct broker_lane *lane = broker_net_lane(self->net, agent);
    struct unsent *unsent;
    struct err err;

    if (!lane || is_cached(self, lane, agent, task))
        return;
    if (broker_lane_task(lane, task, &err) == 0) {
        broker_net_wake(self->net, agent);
        return;
    }
    unsent = add_unsent(self, agent, task->ticket);
    unsent->state = PLAN_FAILED;
    unsent->cause = mem_dup(err.msg);
}

bool
broker_server_report_unsent(struct broker_server *self)
{
    struct unsent *all = self->unsent;
    size_t n = self->nunsent;

    self->unsent = NULL;
    self->nunsent = self->cap_unsent = 0;
    for (size_t i = 0; i < n; i++) {
        struct result result = {.ticket = all[i].ticket,
                                .state = all[i].state,
                                .value = all[i].value,
                                .cause = all[i].cause,
                                .code = -1,
                                .started = span_wall()};

        result.ended = result.started;
        (void)broker_result(self->core, all[i].agent, 0, &result, self->now);
        json_decref(all[i].value);
        free(all[i].cause);
    }
    free(all);
    return n > 0;
}

static void
on_tell(void *ctx, broker_session agent, enum broker_tell what, uint64_t number)
{
    struct broker_server *self = ctx;
    struct broker_lane *lane = broker_net_lane(self->net, agent);

    if (!lane)
        return;
    broker_lane_tell(lane, what, number);
    broker_net_wake(self->net, agent);
}

static void
on_drop(void *ctx, broker_session agent, const char *why)
{
    struct broker_server *self = ctx;
    char text[LOG_QUOTED];

    log_info("agent_down", "session=%llu why=%s",
             (unsigned long long)agent & LINK_SECRET_SHOWN,
             log_quote(why, text));
    broker_server_tell_over(self, agent, why);
    if (self->net)
        broker_net_drop(self->net, agent, self->now);
}

static void
on_record(void *ctx, uint64_t run, const struct store_record *record)
{
    struct broker_server *self = ctx;
    struct store_record timed = *record;

    /* The core has no clock. */
    if (timed.state == PLAN_RUNNING && timed.started == 0)
        timed.started = span_wall();
    broker_writer_record(self->writer, run, &timed);
    broker_watch_touch(self->watch, run, self->sealed + 1);
    self->recorded = true;
}

static void
on_ended(void *ctx, uint64_t run, enum store_run_state state,
         const json_t *output, const char *problem)
{
    struct broker_server *self = ctx;
    char text[LOG_QUOTED];

    broker_net_forget(self->net, run);
    broker_writer_end(self->writer, run, state, output, problem);
    broker_watch_end(self->watch, run, self->sealed + 1);
    self->recorded = true;
    for (size_t i = 0; i < self->nuncached; i++) {
        if (self->uncached[i] == run)
            self->uncached[i--] = self->uncached[--self->nuncached];
    }
    log_info("run_ended", "run=%llu state=%s%s%s", (unsigned long long)run,
             store_run_state_names[state], problem ? " problem=" : "",
             problem ? log_quote(problem, text) : "");
}

/* In the words of the run's output: whoever watches it sees them. */
static void
on_impossible(void *ctx, uint64_t run, struct plan_id id, const char *text)
{
    struct broker_server *self = ctx;
    struct store_piece piece = {.id = id};
    char quoted[LOG_QUOTED];
    char *words =
        mem_printf("no agent there is can run this: %s; it waits for one "
                   "that can\n",
                   text);

    log_warn("task_impossible", "run=%llu text=%s", (unsigned long long)run,
             log_quote(text, quoted));
    piece.attempt = run_attempts(broker_run_find(self->core, run), id) + 1;
    piece.data = words;
    piece.n = strlen(words);
    broker_writer_output(self->writer, run, &piece, 0);
    broker_watch_touch(self->watch, run, self->sealed + 1);
    self->recorded = true;
    free(words);
}

int64_t
broker_server_tell_impossible(struct broker_server *self)
{
    if (broker_run_count(self->core) == 0)
        return SPAN_NEVER;
    if (self->now >= self->look_at) {
        broker_tell_impossible(self->core, self->now, on_impossible, self);
        self->look_at = self->now + LOOK;
    }
    return self->look_at;
}

struct broker_effects
broker_server_effects(struct broker_server *self)
{
    return (struct broker_effects){.task = on_task,
                                   .tell = on_tell,
                                   .drop = on_drop,
                                   .record = on_record,
                                   .ended = on_ended,
                                   .ctx = self};
}
