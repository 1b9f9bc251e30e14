/* SPDX-License-Identifier: MPL-2.0 */
/* Commands of a C flow: what they print, read, see, and exit with. */
#include <leat.h>

static void
kinds(leat_flow *flow)
{
    static const struct {
        const char *name, *script;
        leat_output value;
    } all[] = {
        {"default", "echo unused", LEAT_OUTPUT_DEFAULT},
        {"none", "echo none", LEAT_OUTPUT_NONE},
        {"text", "printf 'a\\nb\\n\\n'", LEAT_OUTPUT_TEXT},
        {"lines", "printf 'a\\n\\nb\\n'", LEAT_OUTPUT_LINES},
        {"int", "echo -42", LEAT_OUTPUT_INT},
        {"float", "echo 2.50", LEAT_OUTPUT_FLOAT},
        {"json", "echo '{\"k\": [1]}'", LEAT_OUTPUT_JSON},
        {"bad", "echo twelve", LEAT_OUTPUT_INT},
    };

    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        leat_ref task = leat_command(flow, all[i].name, all[i].script);

        leat_options(task, .value = all[i].value);
    }
}

LEAT_FLOW(commands, flow)
{
    leat_ref dir = leat_parameter_with(flow, "dir", .type = LEAT_PATH);
    leat_ref json, words, input, around, made, seen, task;

    kinds(flow);
    json = leat_flow_find(flow, "json");
    words = leat_list(flow, leat_value(flow, json_string("printf")),
                      leat_value(flow, json_string("%s|")), json,
                      leat_value(flow, json_string("$(echo no) *")));
    task = leat_program(flow, "program", words, {"x", json});
    leat_options(task, .value = LEAT_OUTPUT_TEXT);
    input = leat_command(flow, "input", "cat; echo \"$x\" >&2",
                         {"x", leat_at(leat_get(json, "k"), 0)});
    leat_options(input, .input = json, .value = LEAT_OUTPUT_JSON);
    around = leat_command(flow, "around", "echo \"$WHO $PWD $0\"");
    leat_options(around, .value = LEAT_OUTPUT_TEXT, .shell = "sh -eu -c",
                 .env = LEAT_ARGS({"WHO", leat_value(flow, json_string("me"))}),
                 .cwd = leat_value(flow, json_string("/usr")));
    task = leat_command(flow, "skips", "exit 77");
    leat_options(task, .exit_skip = LEAT_CODES(76, 77));
    task = leat_command(flow, "again", "test $LEAT_ATTEMPT -gt 1 || exit 75");
    leat_options(task, .exit_retry = LEAT_CODES(75), .retry = 1);
    made = leat_command(flow, "made", "echo made >\"$dir/made\"");
    leat_options(made,
                 .creates = leat_template(flow, json_string("${dir}/made")));
    seen = leat_command(flow, "seen", "exit 1", {"dir", dir});
    leat_options(seen,
                 .creates = leat_template(flow, json_string("${dir}/made")));
    leat_set_upstream(seen, made, NULL);
    task = leat_command(flow, "each", "echo \"$x-$y\"",
                        {"x", leat_mapped(leat_list(flow, json, input))},
                        {"y", seen});
    leat_options(task, .value = LEAT_OUTPUT_TEXT);
    leat_flow_set_output(flow, leat_list(flow, task, around));
    leat_flow_set_reference_tasks(flow, task);
}
