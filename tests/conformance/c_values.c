/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What a function sees: parameters of every kind, arguments made of values and
 * of other tasks' values, itself; and what it gives.
 */
#include <leat.h>
#include <stdio.h>

static json_t *
scalars(leat_task *task)
{
    return json_pack(
        "{s:I, s:f, s:b, s:s}", "int", leat_int(task, "int") + 1, "float",
        leat_float(task, "float") + leat_float(task, "int"), "bool",
        !leat_bool(task, "bool"), "string", leat_string(task, "string"));
}

/* Parameters are seen without being given. */
static json_t *
the_rest(leat_task *task)
{
    return json_pack("{s:s, s:O, s:O, s:O, s:b, s:b}", "path",
                     leat_string(task, "path"), "list",
                     leat_array(task, "list"), "json", leat_json(task, "json"),
                     "any", leat_json(task, "any"), "has",
                     leat_has(task, "list"), "has_not", leat_has(task, "nope"));
}

static json_t *
itself(leat_task *task)
{
    static const char *const word = "data";

    leat_log(task, "%s logs, %d", leat_task_name(task), 1);
    printf("%s prints\n", leat_task_name(task));
    return json_pack("[s, s, I, i, b, b]", leat_task_flow(task),
                     leat_task_name(task), leat_task_index(task),
                     (int)leat_task_attempt(task), leat_task_run(task) > 0,
                     leat_task_data(task) != NULL && word != NULL);
}

static json_t *
nothing(leat_task *task)
{
    (void)task;
    return NULL;
}

static json_t *
same(leat_task *task)
{
    return json_incref(leat_json(task, "x"));
}

/* Of the wrong type; of none. */
static json_t *
wrong(leat_task *task)
{
    return json_integer(leat_int(task, "x"));
}

static json_t *
missing(leat_task *task)
{
    return json_incref(leat_json(task, "nope"));
}

static void
parameters(leat_flow *flow)
{
    (void)leat_parameter_with(flow, "int", .type = LEAT_INT,
                              .min = LEAT_BOUND(-3), .max = LEAT_BOUND(7),
                              .fallback = json_integer(-3));
    (void)leat_parameter_with(flow, "float", .type = LEAT_FLOAT,
                              .fallback = json_real(2.5));
    (void)leat_parameter_with(flow, "bool", .type = LEAT_BOOL,
                              .fallback = json_true());
    (void)leat_parameter_with(flow, "string", .type = LEAT_STRING,
                              .choices = json_pack("[s, s]", "a", "b"),
                              .pattern = "[a-z]", .help = "A letter.",
                              .fallback = json_string("b"));
    (void)leat_parameter_with(flow, "path", .type = LEAT_PATH,
                              .fallback = json_string("/some/where"));
    (void)leat_parameter_with(flow, "list", .type = LEAT_LIST,
                              .fallback = json_pack("[i, [s]]", 1, "x"));
    (void)leat_parameter_with(flow, "json", .type = LEAT_JSON,
                              .fallback = json_pack("{s:n}", "k"));
    (void)leat_parameter_with(flow, "any", .type = LEAT_ANY,
                              .fallback = json_string("thing"));
}

LEAT_FLOW(values, flow)
{
    static int data = 1;
    leat_ref first, fields, self, made;

    leat_flow_set_help(flow, "What a function sees.");
    parameters(flow);
    /* required; the environment of the tests has it */
    (void)leat_call(flow, same, {"x", leat_parameter(flow, "dir")});
    first = leat_call(flow, scalars);
    (void)leat_call(flow, the_rest);
    self = leat_call(flow, itself);
    leat_options(leat_name(self, "me"), .data = &data);
    (void)leat_call(flow, nothing);
    fields =
        leat_object(flow, {"one", leat_value(flow, json_integer(1))},
                    {"list", leat_list(flow, first, leat_get(first, "string"))},
                    {"none", leat_list(flow)}, {"flow", leat_at(self, 0)});
    made = leat_call(flow, same, {"x", fields});
    (void)leat_call(
        flow, same,
        {"x", leat_template(flow,
                            json_pack("{s:s, s:[s]}", "whole", "${scalars.int}",
                                      "text", "<${me[1]}|${int}>"))});
    (void)leat_call(flow, wrong, {"x", leat_get(first, "string")});
    (void)leat_call(flow, missing);
    (void)leat_call(flow, same,
                    {"x", leat_get(leat_flow_find(flow, "scalars"), "nope")});
    leat_flow_set_output(flow,
                         leat_list(flow, made, leat_flow_find(flow, "me")));
    leat_flow_set_reference_tasks(flow, made);
}
