/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A program of its own that runs a flow and asks what became of it. It takes
 * what a flow's command line would: `-j N`, and LEAT_BROKER.
 */
#include <leat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *
twice(leat_task *task)
{
    if (leat_int(task, "n") < 0)
        leat_fail(task, "below zero");
    return json_integer(2 * leat_int(task, "n"));
}

static json_t *
sum(leat_task *task)
{
    json_t *list = leat_array(task, "list");
    json_int_t n = 0;

    for (size_t i = 0; i < json_array_size(list); i++)
        n += json_integer_value(json_array_get(list, i));
    return json_integer(n);
}

static void
tell(leat_result *result, const char *name, leat_ref task)
{
    leat_state state = leat_result_state(result, task);
    const char *cause = leat_result_cause(result, task);
    char *value = json_dumps(leat_result_value(result, task),
                             JSON_COMPACT | JSON_ENCODE_ANY);

    printf("%s: %s%s%s after %u attempts = %s (%s)\n", name,
           leat_state_name(state), leat_state_is_final(state) ? ", an end" : "",
           leat_state_is_success(state) ? ", a success" : "",
           leat_result_attempts(result, task), value, cause ? cause : "");
    free(value);
    for (size_t i = 0; i < leat_result_children(result, task); i++)
        tell(result, "  child", leat_child(task, i));
}

static void
tell_all(leat_flow *flow, leat_result *result)
{
    static const char *const names[] = {"twice", "sum", "bad", "after"};
    char *output = json_dumps(leat_result_output(result), JSON_ENCODE_ANY);

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        tell(result, names[i], leat_flow_find(flow, names[i]));
    printf("state %d, success %d, stored %d, output %s\n",
           (int)leat_result_run_state(result), leat_result_is_success(result),
           leat_result_run(result) > 0, output);
    free(output);
}

static leat_executor
executor(int argc, char **argv)
{
    const char *broker = getenv("LEAT_BROKER");

    for (int i = 1; i + 1 < argc; i++) {
        if (strcmp(argv[i], "-j") == 0)
            return leat_cluster_of((unsigned)strtoul(argv[i + 1], NULL, 10));
    }
    return broker ? leat_cluster(broker) : leat_local();
}

static leat_flow *
build(void)
{
    leat_flow *flow = leat_flow_new("api");
    leat_ref numbers = leat_parameter(flow, "numbers");
    leat_ref doubled = leat_map(flow, twice, {"n", numbers});
    leat_ref all = leat_call(flow, sum, {"list", doubled});
    leat_ref bad =
        leat_call(flow, twice, {"n", leat_value(flow, json_integer(-1))});
    leat_ref after = leat_flow_add_task(flow, "after", sum);

    leat_options(leat_name(bad, "bad"), .retry = 1);
    leat_set_upstream(after, bad, NULL);
    leat_flow_set_output(flow, all);
    leat_flow_set_reference_tasks(flow, all);
    return flow;
}

int
main(int argc, char **argv)
{
    leat_flow *flow = build();
    leat_run_options options = {
        .executor = executor(argc, argv),
        .parameters = json_pack("{s:[i, i, i]}", "numbers", 3, 4, 5),
        .store = LEAT_DEFAULT_STORE,
        .name = "by-the-api",
        .timeout = "1m",
        .quiet = true,
        .no_cache = true,
    };
    leat_result *result = NULL;
    leat_err err;
    uint64_t run;
    int rc = leat_flow_check(flow, &err);

    if (rc == 0 && getenv("LEAT_BROKER")) {
        rc = leat_flow_submit(flow, &options, &run, &err);
        if (rc == 0)
            rc = leat_flow_wait(flow, &options, run, &result, &err);
    } else if (rc == 0) {
        rc = leat_flow_run(flow, &options, &result, &err);
    }
    if (rc < 0) {
        (void)fprintf(stderr, "%d: %s\n", (int)err.code, err.msg);
        return 3;
    }
    tell_all(flow, result);
    rc = leat_result_is_success(result) ? 0 : 1;
    leat_result_destroy(&result);
    leat_flow_destroy(&flow);
    return rc;
}
