/* SPDX-License-Identifier: MPL-2.0 */
/*
 * server_ask - people's questions, by what they ask.
 *
 * What is only in the store goes to the reader.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/version.h"
#include "broker/server_impl.h"

typedef void on_question(struct broker_server *self,
                         const struct broker_client *client,
                         const Wire__Ask *ask);

static void
answer(struct broker_server *self, const struct broker_client *client,
       const Wire__Ask *ask, uint64_t number, const json_t *document)
{
    struct broker_question *question =
        broker_question_new(QUESTION_ASK, client, ask->tag);

    broker_question_answer(question, number, document, false);
    broker_server_answer(self, &question);
}

static struct broker_question *
question_of(const struct broker_client *client, const Wire__Ask *ask,
            enum broker_question_kind kind)
{
    struct broker_question *question =
        broker_question_new(kind, client, ask->tag);

    question->what = (enum ask_what)ask->what;
    question->run = ask->run;
    question->number = ask->number;
    question->text = mem_dup(ask->text);
    return question;
}

/* The reader knows. */
static void
on_stored(struct broker_server *self, const struct broker_client *client,
          const Wire__Ask *ask)
{
    broker_server_put(self, question_of(client, ask, QUESTION_ASK));
}

static bool
is_in_hand(const struct broker_server *self, uint64_t run)
{
    return broker_run_find(self->core, run) != NULL;
}

/* ---- the broker ---- */

static bool
count_agent(void *ctx, const struct broker_agent *agent)
{
    uint32_t *slots = ctx;

    slots[0]++;
    slots[1] += agent->info->slots;
    return true;
}

static void
on_version(struct broker_server *self, const struct broker_client *client,
           const Wire__Ask *ask)
{
    struct broker_counts counts = broker_counts(self->core);
    uint32_t slots[2] = {0};
    json_t *document;

    broker_agents(self->core, count_agent, slots);
    document = json_pack(
        "{s:s, s:i, s:s, s:s, s:i, s:i, s:I, s:I, s:I, s:I, s:I, s:I}",
        "version", VERSION, "epoch", (int)self->epoch, "address",
        self->options.address, "store", self->options.store, "agents",
        (int)slots[0], "slots", (int)slots[1], "runs",
        (json_int_t)broker_run_count(self->core), "tasks",
        (json_int_t)counts.tasks, "results", (json_int_t)counts.results, "late",
        (json_int_t)counts.late, "requeued", (json_int_t)counts.requeued,
        "lost_agents", (json_int_t)counts.lost_agents);
    if (document && self->trouble)
        (void)json_object_set_new(document, "trouble",
                                  json_string(self->trouble));
    answer(self, client, ask, self->epoch, document);
    json_decref(document);
}

/* ---- runs ---- */

static int
find_child(const struct run *run, struct plan_id *id, const char *key, size_t n,
           struct err *err)
{
    uint32_t count = plan_children(run_plan(run), id->task);
    struct buf own = {0};
    bool found = false;
    char *end = NULL;

    if (n > 1 && key[0] == '#') {
        unsigned long k = strtoul(key + 1, &end, 10);

        if (end == key + n && k < count) {
            id->child = (uint32_t)k;
            return 0;
        }
    }
    for (uint32_t k = 0; k < count && !found; k++) {
        id->child = k;
        buf_clear(&own);
        found = run_key(run, *id, &own) && own.len == n &&
                memcmp(own.data, key, n) == 0;
    }
    buf_release(&own);
    if (found)
        return 0;
    return err_set(err, ERR_NOT_FOUND,
                   "`%s` has %u children, but none is [%.*s]; [#0] is the "
                   "first by number",
                   run_flow(run)->tasks[id->task].name, count,
                   (int)(n < 100 ? n : 100), key);
}

/* "sum", "train[8,3]", "train[#17]" */
static int
find_instance(const struct run *run, const char *name, struct plan_id *ret,
              struct err *err)
{
    const char *bracket = strchr(name, '[');
    size_t n = strlen(name);
    char *task = mem_text(name, bracket ? (size_t)(bracket - name) : n);

    *ret = (struct plan_id){flow_find_task(run_flow(run), task), PLAN_WHOLE};
    free(task);
    if (ret->task == UINT32_MAX)
        return err_set(err, ERR_NOT_FOUND, "the flow `%s` has no task `%.100s`",
                       run_flow(run)->name, name);
    if (!bracket)
        return 0;
    if (name[n - 1] != ']')
        return err_set(err, ERR_NOT_FOUND, "`%.100s`: the ] is missing", name);
    return find_child(run, ret, bracket + 1, n - (size_t)(bracket - name) - 2,
                      err);
}

/* Is there nothing of it to be cancelled? */
static bool
is_over(const struct run *run, struct plan_id id)
{
    if (id.child == PLAN_WHOLE)
        return plan_task_is_finished(run_plan(run), id.task);
    return plan_state_is_final(plan_state(run_plan(run), id));
}

static int
find_to_stop(const struct broker_server *self, const Wire__Ask *ask,
             struct plan_id *ret, struct err *err)
{
    const struct run *run = broker_run_find(self->core, ask->run);

    if (find_instance(run, ask->text, ret, err) < 0)
        return -1;
    if (!is_over(run, *ret))
        return 0;
    return err_set(err, ERR_INVALID, "`%.100s` of run %llu has ended already",
                   ask->text, (unsigned long long)ask->run);
}

/* One task or child; the run goes on. */
static void
on_stop(struct broker_server *self, const struct broker_client *client,
        const Wire__Ask *ask)
{
    char text[LOG_QUOTED];
    struct plan_id id;
    struct err err;

    if (find_to_stop(self, ask, &id, &err) < 0) {
        broker_server_fail(self, client, ask->tag, &err);
        return;
    }
    log_info("task_cancel", "run=%llu task=%s kill=%s",
             (unsigned long long)ask->run, log_quote(ask->text, text),
             ask->number ? "yes" : "no");
    broker_writer_cancel(self->writer, ask->run, &id,
                         question_of(client, ask, QUESTION_ASK));
    self->recorded = true;
    broker_run_stop(self->core, ask->run, id, ask->number != 0, self->now);
}

static void
on_cancel(struct broker_server *self, const struct broker_client *client,
          const Wire__Ask *ask)
{
    if (!is_in_hand(self, ask->run)) {
        on_stored(self, client, ask);
        return;
    }
    if (*ask->text) {
        on_stop(self, client, ask);
        return;
    }
    log_info("run_cancel", "run=%llu kill=%s", (unsigned long long)ask->run,
             ask->number ? "yes" : "no");
    /* Answered when it is stored: a broker that is started anew goes on with
     * it, and would not know. */
    broker_writer_cancel(self->writer, ask->run, NULL,
                         question_of(client, ask, QUESTION_ASK));
    self->recorded = true;
    broker_run_cancel(self->core, ask->run, ask->number != 0, self->now);
}

/* A run at its end, or put aside as paused, is loaded and gone on with. */
static void
on_retry(struct broker_server *self, const struct broker_client *client,
         const Wire__Ask *ask)
{
    struct broker_question *question;
    struct err err;

    if (is_in_hand(self, ask->run)) {
        (void)err_set(&err, ERR_UNAVAILABLE, "run %llu is running",
                      (unsigned long long)ask->run);
        broker_server_fail(self, client, ask->tag, &err);
        return;
    }
    if (self->parser && broker_reader_behind(self->parser) >= LIMIT_CLIENTS) {
        (void)err_set(
            &err, ERR_UNAVAILABLE,
            "the broker has %u flows to read already: try again later",
            LIMIT_CLIENTS);
        broker_server_fail(self, client, ask->tag, &err);
        return;
    }
    question = question_of(client, ask, QUESTION_HISTORY);
    question->submission = mem_alloc(1, sizeof *question->submission);
    if (broker_submit_options(&ask->options, question->submission, &err) < 0) {
        broker_question_destroy(&question);
        broker_server_fail(self, client, ask->tag, &err);
        return;
    }
    broker_server_put(self, question);
}

static void
on_remove(struct broker_server *self, const struct broker_client *client,
          const Wire__Ask *ask)
{
    struct err err;

    if (is_in_hand(self, ask->run)) {
        (void)err_set(&err, ERR_UNAVAILABLE,
                      "can't remove run %llu: it is running",
                      (unsigned long long)ask->run);
        broker_server_fail(self, client, ask->tag, &err);
        return;
    }
    broker_writer_remove(self->writer, ask->run,
                         question_of(client, ask, QUESTION_ASK));
    self->recorded = true;
}

static void
on_prune(struct broker_server *self, const struct broker_client *client,
         const Wire__Ask *ask)
{
    int64_t age = 0;
    struct err err;

    if (*ask->text && span_parse(ask->text, &age) < 0) {
        (void)err_set(&err, ERR_INVALID,
                      "`%.100s` is not a length of time, such as 30d",
                      ask->text);
        broker_server_fail(self, client, ask->tag, &err);
        return;
    }
    broker_writer_prune(self->writer, (size_t)ask->number, age,
                        question_of(client, ask, QUESTION_ASK));
    self->recorded = true;
}

/* ---- agents ---- */

struct listing {
    struct broker_server *server;
    json_t *list;
};

static json_t *
resources_of(const struct agent_info *info)
{
    json_t *made = json_object();

    for (uint32_t i = 0; i < info->nresource; i++)
        (void)json_object_set_new(made, info->resources[i].name,
                                  json_real(info->resources[i].amount));
    return made;
}

static json_t *
labels_of(const struct agent_info *info)
{
    json_t *made = json_object();

    for (uint32_t i = 0; i < info->nlabel; i++) {
        const char *equals = strchr(info->labels[i], '=');
        char *name =
            mem_text(info->labels[i], (size_t)(equals - info->labels[i]));

        (void)json_object_set_new(made, name, json_string(equals + 1));
        free(name);
    }
    return made;
}

static bool
list_agent(void *ctx, const struct broker_agent *agent)
{
    struct listing *listing = ctx;
    const struct agent_info *info = agent->info;
    struct broker_lane *lane =
        broker_net_lane(listing->server->net, agent->session);
    json_t *row = json_pack(
        "{s:s, s:s, s:i, s:s, s:s, s:i, s:i, s:i, s:i, s:I, s:f, s:I, s:f}",
        "name", info->name, "host", info->host, "pid", (int)info->pid,
        "version", info->version, "state",
        broker_agent_state_names[agent->state], "slots", (int)info->slots,
        "running", (int)agent->running, "queued",
        (int)(agent->sent > agent->running ? agent->sent - agent->running : 0),
        "window", (int)agent->window, "finished", (json_int_t)agent->finished,
        "load", agent->beat.load, "memory_available",
        (json_int_t)agent->beat.memory, "last_beat_seconds",
        (double)(listing->server->now - agent->heard) / (double)SPAN_SECOND);

    if (!row)
        return true;
    (void)json_object_set_new(row, "resources", resources_of(info));
    (void)json_object_set_new(row, "labels", labels_of(info));
    (void)json_object_set_new(row, "lane",
                              lane ? json_string(broker_lane_endpoint(lane))
                                   : json_null());
    (void)json_object_set_new(
        row, "aside", agent->aside ? json_string(agent->aside) : json_null());
    (void)json_array_append_new(listing->list, row);
    return true;
}

static void
on_agents(struct broker_server *self, const struct broker_client *client,
          const Wire__Ask *ask)
{
    struct listing listing = {.server = self, .list = json_array()};

    broker_agents(self->core, list_agent, &listing);
    answer(self, client, ask, json_array_size(listing.list), listing.list);
    json_decref(listing.list);
}

static void
on_drain(struct broker_server *self, const struct broker_client *client,
         const Wire__Ask *ask)
{
    struct err err;

    if (broker_drain(self->core, ask->text, &err) < 0) {
        broker_server_fail(self, client, ask->tag, &err);
        return;
    }
    log_info("agent_drain", "agent=%s", ask->text);
    answer(self, client, ask, 0, NULL);
}

/* ---- why ---- */

static json_t *
lines_of(const struct buf *text)
{
    json_t *list = json_array();
    const char *at = buf_str(text);

    while (*at) {
        size_t n = strcspn(at, "\n");

        (void)json_array_append_new(list, json_stringn(at, n));
        at += n + (at[n] == '\n');
    }
    return list;
}

/* What keeps the run from going on that only other agents can change; true: the
 * run's output tells that, too. */
static bool
say_what_lacks(struct broker_server *self, uint64_t run, struct buf *out)
{
    uint32_t agents[2] = {0};

    broker_agents(self->core, count_agent, agents);
    if (agents[0] > 0)
        return broker_impossible(self->core, run, self->now, out);
    buf_text(out, "the broker has no agents");
    return false;
}

/* 1 and 0: as say_what_lacks. */
static int
say_why(struct broker_server *self, const struct run *run, const Wire__Ask *ask,
        struct buf *out, struct err *err)
{
    struct plan_id id;

    if (*ask->text == '\0')
        return say_what_lacks(self, ask->run, out);
    if (find_instance(run, ask->text, &id, err) < 0)
        return -1;
    return broker_why(self->core, ask->run, id, out, err);
}

static void
on_why(struct broker_server *self, const struct broker_client *client,
       const Wire__Ask *ask)
{
    const struct run *run = broker_run_find(self->core, ask->run);
    struct buf text = {0};
    struct err err;
    json_t *document;
    int told;

    if (!run) {
        on_stored(self, client, ask);
        return;
    }
    told = say_why(self, run, ask, &text, &err);
    if (told < 0) {
        broker_server_fail(self, client, ask->tag, &err);
    } else {
        document = lines_of(&text);
        answer(self, client, ask, (uint64_t)told, document);
        json_decref(document);
    }
    buf_release(&text);
}

void
broker_server_ask(struct broker_server *self,
                  const struct broker_client *client, const Wire__Ask *ask)
{
    static on_question *const handlers[ASK_COUNT] = {
        [ASK_VERSION] = on_version, [ASK_FIND] = on_stored,
        [ASK_RUNS] = on_stored,     [ASK_CANCEL] = on_cancel,
        [ASK_RETRY] = on_retry,     [ASK_REMOVE] = on_remove,
        [ASK_AGENTS] = on_agents,   [ASK_DRAIN] = on_drain,
        [ASK_WHY] = on_why,         [ASK_PRUNE] = on_prune,
    };

    handlers[ask->what](self, client, ask);
}
