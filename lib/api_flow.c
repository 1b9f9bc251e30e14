/* SPDX-License-Identifier: MPL-2.0 */
/*
 * api_flow - adding tasks to a flow, and saying what its outcome is.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "lib/api.h"

/* ---- names ---- */

/* The last identifier in the text of an expression: "fns[i].f" is f. */
static char *
cut_name(const char *text)
{
    static const char word[] = "abcdefghijklmnopqrstuvwxyz"
                               "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789-";
    const char *best = "";
    size_t n = 0;

    while (*text) {
        size_t len = strspn(text, word);

        if (len > 0 && (*text < '0' || *text > '9') && *text != '-') {
            best = text;
            n = len;
        }
        text += len > 0 ? len : 1;
    }
    return n > 0 ? mem_text(best, n) : mem_dup("task");
}

/* How many tasks have asked for a name, this one included. */
static uint32_t
count_name(leat_flow *flow, const char *name)
{
    uint32_t i = names_find(&flow->counts, name);

    if (i == NAMES_NONE) {
        i = (uint32_t)flow->ncount++;
        flow->how_many = mem_grow(flow->how_many, &flow->cap_count,
                                  flow->ncount, sizeof *flow->how_many);
        flow->how_many[i] = (struct api_count){mem_dup(name), 0};
        (void)names_add(&flow->counts, flow->how_many[i].name, i);
    }
    return ++flow->how_many[i].n;
}

/* A task named after a function: fn, fn_2, fn_3, whichever is free. */
uint32_t
api_add_counted(leat_flow *flow, const char *expression)
{
    char *base = cut_name(expression);
    uint32_t task = UINT32_MAX;

    while (task == UINT32_MAX) {
        uint32_t n = count_name(flow, base);
        char *name =
            n == 1 ? mem_dup(base) : mem_printf("%s_%u", base, (unsigned)n);

        task = flow_add_task(flow->flow, name);
        free(name);
    }
    free(base);
    return task;
}

bool
api_is_name(const struct api_call *call, const char *name)
{
    if (name && flow_name_is_valid(name))
        return true;
    api_problem(call,
                "`%s` is no name: a letter or _, then letters, digits, "
                "_ and -",
                name ? name : "");
    return false;
}

/* A task of exactly this name, or UINT32_MAX with a problem. */
static uint32_t
add_named(const struct api_call *call, const char *name)
{
    uint32_t task;

    if (!api_may_add(call) || !api_is_name(call, name))
        return UINT32_MAX;
    task = flow_add_task(call->flow->flow, name);
    if (task == UINT32_MAX)
        api_problem(call, "the name is taken by another task or parameter");
    return task;
}

leat_ref
leat_name(leat_ref task, const char *name)
{
    struct api_call call = {task.flow, NULL, "leat_name", name, NULL};
    struct names *names;
    uint32_t number, i;
    char *copy;

    if (task.kind <= API_BAD || !api_may_add(&call) ||
        !api_is_name(&call, name))
        return task;
    i = api_task(&call, task);
    if (i == UINT32_MAX || strcmp(task.flow->flow->tasks[i].name, name) == 0)
        return task;
    copy = mem_dup(name);
    names = &task.flow->flow->names;
    number = names_find(names, task.flow->flow->tasks[i].name);
    if (names_add(names, copy, number) != NAMES_NONE) {
        api_problem(&call, "the name is taken by another task or parameter");
        free(copy);
        return task;
    }
    names_remove(names, task.flow->flow->tasks[i].name);
    free(task.flow->flow->tasks[i].name);
    task.flow->flow->tasks[i].name = copy;
    task.flow->renamed = true;
    return task;
}

leat_ref
leat_flow_find(leat_flow *flow, const char *name)
{
    struct api_call call = {flow, NULL, "leat_flow_find", name, NULL};
    uint32_t i = flow_find_task(flow->flow, name);

    if (i != UINT32_MAX)
        return api_ref(flow, API_TASK, i);
    i = flow_find_param(flow->flow, name);
    if (i != UINT32_MAX)
        return api_ref(flow, API_PARAM, i);
    if (!flow->checked)
        api_problem(&call, "the flow has no such task or parameter");
    return api_bad(flow);
}

/* ---- functions ---- */

static leat_ref
call_fn(struct api_call *call, leat_fn *fn, const leat_arg *args, bool map)
{
    leat_flow *flow = call->flow;
    uint32_t i;

    if (!api_may_add(call))
        return api_bad(flow);
    i = api_add_counted(flow, call->name);
    flow->flow->tasks[i].script = cut_name(call->name);
    call->name = flow->flow->tasks[i].name;
    flow->flow->tasks[i].kind = FLOW_CALL;
    flow->flow->tasks[i].call = (flow_fn *)fn;
    if (!fn)
        api_problem(call, "the function is NULL");
    api_bind(call, i, args, map);
    if (map && flow->flow->tasks[i].neach == 0 && flow->nproblem == 0)
        api_problem(call, "it has no argument to map over");
    return api_ref(flow, API_TASK, i);
}

leat_ref
leat_call_v(leat_flow *flow, const char *where, const char *name, leat_fn *fn,
            const leat_arg *args)
{
    struct api_call call = {flow, where, "leat_call", name, NULL};

    return call_fn(&call, fn, args, false);
}

leat_ref
leat_map_v(leat_flow *flow, const char *where, const char *name, leat_fn *fn,
           const leat_arg *args)
{
    struct api_call call = {flow, where, "leat_map", name, NULL};

    return call_fn(&call, fn, args, true);
}

leat_ref
leat_flow_add_task(leat_flow *flow, const char *name, leat_fn *fn)
{
    struct api_call call = {flow, NULL, "leat_flow_add_task", name, NULL};
    uint32_t i = add_named(&call, name);

    if (i == UINT32_MAX)
        return api_bad(flow);
    flow->flow->tasks[i].kind = FLOW_CALL;
    flow->flow->tasks[i].call = (flow_fn *)fn;
    if (!fn)
        api_problem(&call, "the function is NULL");
    return api_ref(flow, API_TASK, i);
}

/* ---- commands ---- */

static leat_ref
add_script(struct api_call *call, const char *name, const char *script,
           const leat_arg *args)
{
    leat_flow *flow = call->flow;
    uint32_t i = add_named(call, name);

    if (i == UINT32_MAX)
        return api_bad(flow);
    flow->flow->tasks[i].kind = FLOW_SCRIPT;
    flow->flow->tasks[i].script = mem_dup(script ? script : "");
    if (!script)
        api_problem(call, "the script is NULL");
    api_bind(call, i, args, false);
    return api_ref(flow, API_TASK, i);
}

leat_ref
leat_command_v(leat_flow *flow, const char *where, const char *name,
               const char *script, const leat_arg *args)
{
    struct api_call call = {flow, where, "leat_command", name, NULL};

    return add_script(&call, name, script, args);
}

leat_ref
leat_flow_add_command(leat_flow *flow, const char *name, const char *script)
{
    struct api_call call = {flow, NULL, "leat_flow_add_command", name, NULL};
    const leat_arg none = {0};

    return add_script(&call, name, script, &none);
}

/* A constant list, word by word, as argv wants it; takes the template. */
static struct tmpl *
split_words(struct tmpl *words)
{
    struct tmpl *list;
    json_t *word;
    size_t i;

    if (words->kind != TMPL_CONST || !json_is_array(words->value))
        return words;
    list = tmpl_list();
    json_array_foreach(words->value, i, word) {
        struct tmpl *part = tmpl_const(json_incref(word));

        tmpl_append(list, &part);
    }
    tmpl_destroy(&words);
    return list;
}

leat_ref
leat_program_v(leat_flow *flow, const char *where, const char *name,
               leat_ref argv, const leat_arg *args)
{
    struct api_call call = {flow, where, "leat_program", name, NULL};
    uint32_t i = add_named(&call, name);
    struct tmpl *words;

    if (i == UINT32_MAX)
        return api_bad(flow);
    words = api_tmpl(&call, argv);
    if (words)
        words = split_words(words);
    if (words && (words->kind != TMPL_LIST || words->npart == 0))
        api_problem(&call, "its words must be a list (leat_list, "
                           "leat_template) with at least the program");
    flow->flow->tasks[i].kind = FLOW_ARGV;
    flow->flow->tasks[i].argv = words;
    api_bind(&call, i, args, false);
    return api_ref(flow, API_TASK, i);
}

/* ---- what the outcome is ---- */

void
leat_flow_set_reference_tasks_v(leat_flow *flow, const char *where,
                                const leat_ref *tasks)
{
    struct api_call call = {flow, where, "leat_flow_set_reference_tasks", NULL,
                            NULL};
    struct flow *f = flow->flow;

    if (!api_may_add(&call))
        return;
    free(f->reference);
    f->reference = NULL;
    f->nreference = 0;
    for (; tasks->kind != API_NONE; tasks++) {
        uint32_t i;

        call.name = NULL;
        i = api_task(&call, *tasks);
        if (i == UINT32_MAX)
            continue;
        f->reference = api_append(f->reference, (uint32_t)f->nreference,
                                  sizeof *f->reference);
        f->reference[f->nreference++] = i;
    }
}

void
leat_flow_set_output(leat_flow *flow, leat_ref ref)
{
    struct api_call call = {flow, NULL, "leat_flow_set_output", NULL, NULL};
    struct tmpl *output;

    if (!api_may_add(&call))
        return;
    output = api_tmpl(&call, ref);
    if (!output)
        return;
    tmpl_destroy(&flow->flow->output);
    flow->flow->output = output;
}
