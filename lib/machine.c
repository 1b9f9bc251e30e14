/* SPDX-License-Identifier: MPL-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "exec/host.h"
#include "lib/local.h"

/* How much of a resource there is; what the user says goes first. */
static double
machine_has(const struct local_request *request, const char *name)
{
    for (size_t i = 0; i < request->nresource; i++) {
        if (strcmp(request->resources[i].name, name) == 0)
            return request->resources[i].amount;
    }
    return host_amount(name);
}

/* What each machine has is a plural: "1 gpu", but "1 licence". */
static void
show_amount(struct buf *out, const char *name, double amount)
{
    bool one =
        amount == 1 && (strcmp(name, "cpus") == 0 || strcmp(name, "gpus") == 0);

    if (strcmp(name, "memory") == 0)
        buf_printf(out, "%.4g GiB of memory", amount / 0x1p30);
    else
        buf_printf(out, "%.10g %.*s", amount, (int)strlen(name) - one, name);
}

/* The slots of a cluster for this run are its cpus. */
static bool
is_slots(const struct local_request *request, const char *name)
{
    return request->slots > 0 && strcmp(name, "cpus") == 0;
}

static void
check_resource(const struct local_request *request,
               const struct flow_task *task,
               const struct flow_resource *resource, struct diags *diags)
{
    double has = machine_has(request, resource->name);
    struct buf text = {0};

    if (resource->amount <= has)
        return;
    show_amount(&text, resource->name, resource->amount);
    buf_text(&text, is_slots(request, resource->name) ? ", this cluster has "
                                                      : ", this machine has ");
    show_amount(&text, resource->name, has);
    diags_add(diags, task->place,
              is_slots(request, resource->name)
                  ? mem_printf("-j %.0f gives it more", resource->amount)
              : has == 0 ? mem_printf("if it has more, say so: --resource %s=N",
                                      resource->name)
                         : NULL,
              "task `%s` asks for %s", task->name, buf_str(&text));
    buf_release(&text);
}

/* The machine's label of that name; what the user says goes first. */
static const char *
machine_label(const struct local_request *request, const struct host *host,
              const char *name)
{
    size_t n = strlen(name);

    for (size_t i = 0; i < request->nlabel; i++) {
        if (strncmp(request->labels[i], name, n) == 0 &&
            request->labels[i][n] == '=')
            return request->labels[i] + n + 1;
    }
    return host_label(host, name);
}

static void
check_label(const struct local_request *request, const struct host *host,
            const struct flow_task *task, const struct flow_bind *where,
            struct diags *diags)
{
    const char *label = machine_label(request, host, where->name);
    const char *want = json_string_value(where->value->value);

    if (label && want && strcmp(label, want) == 0)
        return;
    diags_add(diags, where->place,
              label ? NULL
                    : mem_printf("if it is, say so: --label %s=%s", where->name,
                                 want ? want : "?"),
              "task `%s` must run where %s is `%s`; this machine's is "
              "%s%s%s",
              task->name, where->name, want ? want : "?",
              label ? "`" : "not set", label ? label : "", label ? "`" : "");
}

/* A file may say `call`, and of a run by leat_flow_run no program is known. */
static void
check_call(const struct flow_task *task, struct diags *diags)
{
    if (task->kind == FLOW_CALL && !task->call)
        diags_add(diags, task->place, NULL,
                  "task `%s` calls the C function `%s`, which only the program "
                  "that it is part of has",
                  task->name, task->script ? task->script : "?");
}

/* The same of state handlers: one task stands for all. */
static void
check_handlers(const struct local_request *request, struct diags *diags)
{
    const struct flow *flow = request->flow;
    size_t t = 0;

    if (request->handle || !flow_has_handlers(flow))
        return;
    while (!flow_is_handled(flow, (uint32_t)t))
        t++;
    diags_add(diags, flow->tasks[t].place, NULL,
              "task `%s` has state handlers, which only the program that it is "
              "part of has",
              flow->tasks[t].name);
}

void
local_check(const struct local_request *request, struct diags *diags)
{
    const struct flow *flow = request->flow;
    const struct flow_options *last = NULL;
    struct host host;

    host_init(&host);
    check_handlers(request, diags);
    for (size_t t = 0; t < flow->ntask; t++) {
        const struct flow_task *task = &flow->tasks[t];
        const struct flow_options *options = task->options;

        check_call(task, diags);
        if (request->elsewhere)
            continue;
        /* Most tasks share one block: look at it once. */
        if (options == last)
            continue;
        last = options;
        for (uint32_t i = 0; i < options->nresource; i++)
            check_resource(request, task, &options->resources[i], diags);
        for (uint32_t i = 0; i < options->nwhere; i++)
            check_label(request, &host, task, &options->where[i], diags);
    }
}
