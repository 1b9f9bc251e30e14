#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# leat.h: runs by a cluster, by a broker; submit and wait apart.
# shellcheck source=tests/support/lib.sh disable=SC2016,SC1083
source "$(dirname "$0")/../support/lib.sh"
# shellcheck source=tests/support/cluster.sh
source "$root/tests/support/cluster.sh"
export LEAT_BIN=$bin LEAT_STORE=$work/store

cat >program.c <<'END'
#include <inttypes.h>
#include <leat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static json_t *
twice(leat_task *task)
{
    printf("twice %" JSON_INTEGER_FORMAT "\n", leat_int(task, "n"));
    return json_integer(2 * leat_int(task, "n"));
}

static json_t *
where(leat_task *task)
{
    (void)task;
    return json_integer(getpid());
}

static void
fail(const leat_err *err)
{
    fprintf(stderr, "%d: %s\n", (int)err->code, err->msg);
    exit(3);
}

static leat_state
on_state(const leat_state_change *change, void *arg)
{
    (void)arg;
    return change->to;
}

int
main(int argc, char **argv)
{
    leat_flow *flow = leat_flow_new("api");
    leat_ref two = leat_call(flow, twice, {"n", leat_value(flow, json_integer(21))});
    leat_ref pid = leat_call(flow, where);
    leat_run_options options = {.quiet = false};
    const char *how = argc > 1 ? argv[1] : "local";
    leat_result *result = NULL;
    uint64_t run = 0;
    leat_err err;
    int rc;

    if (strcmp(how, "temporary") == 0)
        options.executor = leat_cluster_of(2);
    if (strcmp(how, "kept") == 0) {
        options.executor = leat_cluster(NULL);
        options.store = LEAT_DEFAULT_STORE;
    }
    if (argc > 2)
        options.executor = leat_cluster(argv[2]);
    leat_on_state(flow, on_state, NULL);
    if (strcmp(how, "apart") == 0) {
        if (leat_flow_submit(flow, &options, &run, &err) < 0)
            fail(&err);
        rc = leat_flow_wait(flow, &options, run, &result, &err);
    } else {
        rc = leat_flow_run(flow, &options, &result, &err);
    }
    if (rc < 0)
        fail(&err);
    printf("value %" JSON_INTEGER_FORMAT " run %" PRIu64 " %s\n",
           json_integer_value(leat_result_value(result, two)),
           leat_result_run(result),
           json_integer_value(leat_result_value(result, pid)) == getpid()
               ? "here"
               : "there");
    leat_result_destroy(&result);
    leat_flow_destroy(&flow);
    return 0;
}
END
compile program 2>&4 || fail "it does not compile"

exits 0 ./program local
expect $'twice 21\nvalue 42 run 0 here' out
for how in temporary kept; do
    exits 0 ./program $how
    holds 'twice 21' out
    holds 'value 42' out
    holds ' there' out
done
exits 0 leat value last/twice
expect 42 out
exits 3 ./program standing "$broker"
holds "$broker" err

start_broker
start_agent one --slots 2
exits 0 remote agents --wait 1 --timeout 20s
exits 0 ./program standing "$broker"
holds 'value 42 run 1 there' out
holds 'twice 21' out
exits 0 ./program apart "$broker"
holds 'value 42 run 2 there' out
exits 3 ./program apart
holds 'leat_cluster(address)' err
