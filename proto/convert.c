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

static void
put_held(Wire__Held *to, const struct held *from)
{
    wire__held__init(to);
    to->run = from->run;
    to->task = from->id.task;
    to->child = from->id.child == PLAN_WHOLE ? 0 : from->id.child + 1;
    to->attempt = from->attempt;
    to->epoch = from->epoch;
    to->phase = from->phase;
}

/* Lists of pointers, and what they point to. */
struct hello_lists {
    Wire__Amount *amount, **amounts;
    Wire__Held *held, **helds;
};

static void
make_lists(struct hello_lists *ret, const struct agent_info *info,
           const struct held *held, size_t nheld)
{
    ret->amount = mem_alloc(info->nresource, sizeof *ret->amount);
    ret->amounts = mem_alloc(info->nresource, sizeof *ret->amounts);
    ret->held = mem_alloc(nheld, sizeof *ret->held);
    ret->helds = mem_alloc(nheld, sizeof *ret->helds);
    for (uint32_t i = 0; i < info->nresource; i++) {
        ret->amounts[i] = &ret->amount[i];
        wire__amount__init(&ret->amount[i]);
        ret->amount[i].name = info->resources[i].name;
        ret->amount[i].amount = info->resources[i].amount;
    }
    for (size_t i = 0; i < nheld; i++) {
        ret->helds[i] = &ret->held[i];
        put_held(&ret->held[i], &held[i]);
    }
}

static void
free_lists(struct hello_lists *self)
{
    free(self->amount);
    free(self->amounts);
    free(self->held);
    free(self->helds);
}

int
hello_write(struct buf *out, uint64_t tag, const struct agent_info *info,
            const struct held *held, size_t nheld, struct err *err)
{
    Wire__Hello hello;
    struct hello_lists lists;
    int rc;

    make_lists(&lists, info, held, nheld);
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
    hello.n_held = nheld;
    hello.held = lists.helds;
    rc = wire_encode(out, WIRE_HELLO, &hello.base, err);
    free_lists(&lists);
    return rc;
}

static struct held *
get_held(const Wire__Hello *hello)
{
    struct held *all = mem_alloc(hello->n_held, sizeof *all);

    for (size_t i = 0; i < hello->n_held; i++) {
        const Wire__Held *from = hello->held[i];

        all[i] = (struct held){
            .run = from->run,
            .id = {from->task, from->child == 0 ? PLAN_WHOLE : from->child - 1},
            .attempt = from->attempt,
            .epoch = from->epoch,
            .phase = (enum held_phase)from->phase,
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
        .nheld = hello->n_held,
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
