#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Calls of C functions through faults: agents and workers are killed, the
# broker as well. All is done, what must not begin twice does not; and a
# program that agents can't start says so, without harm to another run.
# shellcheck source=tests/support/lib.sh disable=SC2016,SC1083
source "$(dirname "$0")/../support/lib.sh"
# shellcheck source=tests/support/cluster.sh
source "$root/tests/support/cluster.sh"
# shellcheck source=tests/support/oracle.sh
source "$root/tests/support/oracle.sh"
export LEAT_BIN=$bin LEAT_STORE=$work/store

cat >calls.c <<'END'
#include <fcntl.h>
#include <leat.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

static json_t *
note(leat_task *task, const char *name)
{
    int fd = open(leat_string(task, "log"), O_WRONLY | O_APPEND);
    char line[64];
    int n = snprintf(line, sizeof line, "%s %d\n", name,
                     (int)leat_int(task, "i"));

    if (fd < 0 || write(fd, line, (size_t)n) != n)
        return NULL;
    close(fd);
    poll(NULL, 0, 2);
    return json_integer(leat_int(task, "i"));
}

static json_t *
quick(leat_task *task)
{
    return note(task, "quick");
}

static json_t *
once(leat_task *task)
{
    return note(task, "once");
}

static json_t *
end(leat_task *task)
{
    (void)task;
    return json_string("over");
}

LEAT_FLOW(calls, flow)
{
    leat_ref log = leat_parameter_with(flow, "log", .type = LEAT_PATH);
    leat_ref n = leat_parameter_with(flow, "n", .type = LEAT_INT);
    leat_ref one = leat_value(flow, json_integer(1));
    leat_ref a = leat_map(flow, quick, {"i", leat_range(one, n)}, {"log", leat_unmapped(log)});
    leat_ref b = leat_map(flow, once,
        {"i", leat_range(one, leat_value(flow, json_integer(500)))}, {"log", leat_unmapped(log)});
    leat_ref last = leat_call(flow, end);

    leat_options(a, .retry = 2);
    leat_options(b, .at_most_once = LEAT_YES);
    leat_set_upstream(last, a, NULL);
    leat_set_upstream(last, b, NULL);
    leat_options(last, .trigger = LEAT_ALL_FINISHED);
    leat_flow_set_output(flow, last);
}
END

compile calls 2>&4 || fail "it does not compile"

# worker: for wait_for, $worker is the process of one
worker() {
    worker=$(pgrep -n -P "$1")
}

start_broker
declare -A agents=()
for name in a b c; do
    start_agent "$name" --slots 2 --programs "$work/programs-$name"
    agents[$name]=$agent_pid
done
exits 0 remote agents --wait 3 --timeout 20s
mark
./calls run --broker "$broker" -p log="$log" -p n=8000 >watched 2>watched.err &
watcher=$!
wait_for 30 more 300

# two workers die: the calls that they were in are done again elsewhere
for _ in 1 2; do
    wait_for 10 worker "${agents[a]}"
    kill -KILL "$worker"
    mark
    wait_for 10 more 200
done
kill -STOP "${agents[c]}"
strike "${agents[b]}"
mark
wait_for 5 more 100
strike "$broker_pid"
wait_for 20 grep -q 'waiting for it' watched.err
start_broker
mark
wait_for 20 more 100
kill -CONT "${agents[c]}"
start_agent d --slots 2 --programs "$work/programs-d"
wait "$watcher" || fail "the run did not succeed: $(tail watched.err)"
run=$(remote ls -q -n 1)
expect over watched
[[ $(states "$run" quick) == 'succeeded 8000' ]] ||
    fail "not all succeeded: $(states "$run" quick)"
(($(grep ^quick "$log" | sort -u | wc -l) == 8000)) || fail "some were not done"
! twice | grep ^once >&4 || fail "these were begun twice"
recorded_once "$run"
well
