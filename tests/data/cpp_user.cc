/* SPDX-License-Identifier: MPL-2.0 */
/* leat.h in C++: compiled, linked and run by the tests. */
#include <leat.h>

#include <cstdio>

static json_t *
twice(leat_task *task)
{
    return json_integer(2 * leat_int(task, "n"));
}

static leat_ref
build(leat_flow *flow)
{
    leat_param_options options = leat_param_options();

    options.type = LEAT_INT;
    options.min.is_set = true;
    leat_ref n =
        leat_parameter_v(flow, LEAT_HERE, "n", &options, sizeof options);
    const leat_arg args[] = {{"n", n}, leat_arg()};
    leat_ref result = leat_call_v(flow, LEAT_HERE, "twice", twice, args);

    leat_case(flow, n, json_integer(1)) {
        leat_flow_add_command(flow, "only_for_1", "true");
    }
    leat_flow_set_output(flow, result);
    return result;
}

int
main()
{
    leat_flow *flow = leat_flow_new("cpp");
    leat_run_options options = leat_run_options();
    leat_result *result = NULL;
    leat_err err;
    int status = 1;

    build(flow);
    options.parameters = json_pack("{s:i}", "n", 21);
    if (leat_flow_run(flow, &options, &result, &err) < 0) {
        std::fprintf(stderr, "%s\n", err.msg);
    } else {
        std::printf("%" JSON_INTEGER_FORMAT "\n",
                    json_integer_value(leat_result_output(result)));
        status = leat_result_is_success(result) ? 0 : 1;
    }
    leat_result_destroy(&result);
    leat_flow_destroy(&flow);
    return status;
}
