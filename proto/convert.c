/* SPDX-License-Identifier: MPL-2.0 */
#include "proto/convert.h"

#include <stdlib.h>
#include <string.h>

#include <wire.pb-c.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "proto/limits.h"

static char *
lent(const char *text)
{
    return (char *)(uintptr_t)(text ? text : "");
}

/* ---- hello ---- */

/* What the message points to. */
struct hello_lists {
    Wire__Amount *amount, **amounts;
    uint64_t *run;
    uint32_t *task, *child, *attempt, *epoch, *phase;
};

static void
put_resources(struct hello_lists *self, const struct agent_info *info)
{
    self->amount = mem_alloc(info->nresource, sizeof *self->amount);
    self->amounts = mem_alloc(info->nresource, sizeof *self->amounts);
    for (uint32_t i = 0; i < info->nresource; i++) {
        self->amounts[i] = &self->amount[i];
        wire__amount__init(&self->amount[i]);
        self->amount[i].name = info->resources[i].name;
        self->amount[i].amount = info->resources[i].amount;
    }
}

static void
put_held(struct hello_lists *self, const struct held *held, size_t n)
{
    self->run = mem_alloc(n, sizeof *self->run);
    self->task = mem_alloc(5 * n, sizeof *self->task);
    self->child = self->task + n;
    self->attempt = self->child + n;
    self->epoch = self->attempt + n;
    self->phase = self->epoch + n;
    for (size_t i = 0; i < n; i++) {
        uint32_t child = held[i].id.child;

        self->run[i] = held[i].run;
        self->task[i] = held[i].id.task;
        self->child[i] = child == PLAN_WHOLE ? 0 : child + 1;
        self->attempt[i] = held[i].attempt;
        self->epoch[i] = held[i].epoch;
        self->phase[i] = held[i].phase;
    }
}

static void
lend_held(Wire__Hello *hello, const struct hello_lists *lists, size_t n)
{
    hello->n_run = hello->n_task = hello->n_child = n;
    hello->n_attempt = hello->n_epoch = hello->n_phase = n;
    hello->run = lists->run;
    hello->task = lists->task;
    hello->child = lists->child;
    hello->attempt = lists->attempt;
    hello->epoch = lists->epoch;
    hello->phase = lists->phase;
}

int
hello_write(struct buf *out, uint64_t tag, const struct agent_info *info,
            const struct held *held, size_t nheld, struct err *err)
{
    Wire__Hello hello;
    struct hello_lists lists;
    int rc;

    put_resources(&lists, info);
    put_held(&lists, held, nheld);
    wire__hello__init(&hello);
    hello.tag = tag;
    hello.name = lent(info->name);
    hello.host = lent(info->host);
    hello.pid = info->pid;
    hello.incarnation = info->incarnation;
    hello.slots = info->slots;
    hello.n_resources = info->nresource;
    hello.resources = lists.amounts;
    hello.n_labels = info->nlabel;
    hello.labels = (char **)(uintptr_t)info->labels;
    hello.version = lent(info->version);
    lend_held(&hello, &lists, nheld);
    rc = wire_encode(out, WIRE_HELLO, &hello.base, err);
    free(lists.amount);
    free(lists.amounts);
    free(lists.run);
    free(lists.task);
    return rc;
}

static struct held *
get_held(const Wire__Hello *hello)
{
    struct held *all = mem_alloc(hello->n_run, sizeof *all);

    for (size_t i = 0; i < hello->n_run; i++) {
        uint32_t child = hello->child[i];

        all[i] = (struct held){
            .run = hello->run[i],
            .id = {hello->task[i], child == 0 ? PLAN_WHOLE : child - 1},
            .attempt = hello->attempt[i],
            .epoch = hello->epoch[i],
            .phase = (enum held_phase)hello->phase[i],
        };
    }
    return all;
}

void
hello_read(struct hello *ret, const struct wire *wire)
{
    const Wire__Hello *hello = wire->as.hello;
    struct flow_resource *resources =
        mem_alloc(hello->n_resources, sizeof *resources);

    for (size_t i = 0; i < hello->n_resources; i++)
        resources[i] = (struct flow_resource){hello->resources[i]->name,
                                              hello->resources[i]->amount};
    *ret = (struct hello){
        .tag = hello->tag,
        .info = {.name = hello->name,
                 .host = hello->host,
                 .version = hello->version,
                 .pid = hello->pid,
                 .incarnation = hello->incarnation,
                 .slots = hello->slots,
                 .resources = resources,
                 .nresource = (uint32_t)hello->n_resources,
                 .labels = (const char *const *)hello->labels,
                 .nlabel = (uint32_t)hello->n_labels},
        .held = get_held(hello),
        .nheld = hello->n_run,
    };
}

void
hello_release(struct hello *self)
{
    free((void *)(uintptr_t)self->info.resources);
    free(self->held);
    *self = (struct hello){0};
}

/* ---- answers ---- */

int
welcome_write(struct buf *out, uint64_t tag, uint64_t session, uint32_t epoch,
              const char *lane, const char *back, const uint32_t *tickets,
              size_t nticket, struct err *err)
{
    Wire__Welcome welcome;

    wire__welcome__init(&welcome);
    welcome.tag = tag;
    welcome.session = session;
    welcome.epoch = epoch;
    welcome.lane = lent(lane);
    welcome.back = lent(back);
    welcome.n_tickets = nticket;
    welcome.tickets = (uint32_t *)(uintptr_t)tickets;
    return wire_encode(out, WIRE_WELCOME, &welcome.base, err);
}

/* A message about something that somebody sent may quote anything. */
void
answer_write(struct buf *out, uint64_t tag, const struct err *failed,
             uint64_t number)
{
    Wire__Answer answer;
    struct buf text = {0};
    struct err err;

    wire__answer__init(&answer);
    if (failed) {
        size_t n = strlen(failed->msg);

        if (utf8_valid(failed->msg, n) == n)
            buf_add(&text, failed->msg, n);
        else
            utf8_escape(&text, failed->msg, n);
        answer.code = failed->code;
        answer.text = lent(buf_str(&text));
    }
    answer.tag = tag;
    answer.number = number;
    (void)wire_encode(out, WIRE_ANSWER, &answer.base, &err);
    buf_release(&text);
}
