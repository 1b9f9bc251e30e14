#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# State handlers of a C flow: they are called, and what they make of its tasks
# is the same, in one process, by a cluster of its own and by a broker with two
# agents. An agent that is killed while a handler runs costs nothing, one that is
# drained calls those of what it holds; a handler that crashes fails its task.
# shellcheck source=tests/support/lib.sh disable=SC2016,SC1083
source "$(dirname "$0")/../support/lib.sh"
# shellcheck source=tests/support/cluster.sh
source "$root/tests/support/cluster.sh"
# shellcheck source=tests/support/oracle.sh
source "$root/tests/support/oracle.sh"
lib=$bin/../lib
[[ -e $lib/libleat.so.0 ]] || lib=$root/build/gcc/lib # not a sanitized one
[[ -e $lib/libleat.so.0 ]] || skip "there is no library to link to"
export LEAT_BIN=$bin LEAT_STORE=$work/store

cat >handled.c <<'END'
#include <fcntl.h>
#include <leat.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void
note(const char *file, const char *text)
{
    int fd = open(file, O_WRONLY | O_APPEND | O_CREAT, 0666);

    if (fd >= 0 && write(fd, text, strlen(text)) > 0)
        close(fd);
}

static json_t *
first(leat_task *task)
{
    (void)task;
    note("oracle", "first\n");
    while (access("slow", F_OK) == 0)
        poll(NULL, 0, 5);
    return json_string("one");
}

static json_t *
bad(leat_task *task)
{
    leat_fail(task, "bad");
}

static json_t *
square(leat_task *task)
{
    return json_integer(leat_int(task, "n") * leat_int(task, "n"));
}

/* What is asked is written down, where the run was asked for. */
static leat_state
on_any(const leat_state_change *change, void *arg)
{
    char line[200];

    (void)arg;
    snprintf(line, sizeof line, "%s[%d] #%u %s to %s: %s\n", change->task,
             (int)change->index, change->attempt,
             leat_state_name(change->from), leat_state_name(change->to),
             change->cause ? change->cause : "");
    note("asked", line);
    return change->to == LEAT_TRIGGER_FAILED ? LEAT_SKIPPED : change->to;
}

static leat_state
on_first(const leat_state_change *change, void *arg)
{
    char line[40];

    (void)arg;
    if (change->to != LEAT_SUCCEEDED)
        return change->to;
    if (access("crash", F_OK) == 0)
        abort();
    snprintf(line, sizeof line, "%d\n", (int)getppid());
    if (access("hang", F_OK) == 0)
        note("hangs", line);
    while (access("hang", F_OK) == 0)
        poll(NULL, 0, 5);
    return change->to;
}

/* `arg` is "FROM TO", for what is proposed. */
static leat_state
replace(const leat_state_change *change, void *arg)
{
    const leat_state *states = arg;

    return change->to == states[0] ? states[1] : change->to;
}

static leat_state
give_up(const leat_state_change *change, void *arg)
{
    (void)arg;
    if (change->to == LEAT_RETRYING && change->attempt == 2)
        leat_handler_fail(change, "enough after %u", change->attempt);
    return change->to;
}

static leat_state
limit(const leat_state_change *change, void *arg)
{
    (void)arg;
    if (change->to == LEAT_SUCCEEDED && json_integer_value(change->value) > 8)
        leat_handler_fail(change, "%d is too much",
                          (int)json_integer_value(change->value));
    return change->to;
}

LEAT_FLOW(handled, flow)
{
    static leat_state forgive[] = {LEAT_FAILED, LEAT_SKIPPED};
    static leat_state refuse[] = {LEAT_RUNNING, LEAT_SKIPPED};
    static leat_state childless[] = {LEAT_MAPPED, LEAT_SUCCEEDED};
    static leat_state approve[] = {LEAT_PAUSED, LEAT_SUCCEEDED};
    static leat_state confuse[] = {LEAT_SUCCEEDED, LEAT_RUNNING};
    leat_ref n = leat_range(leat_value(flow, json_integer(1)),
                            leat_value(flow, json_integer(4)));
    leat_ref one = leat_call(flow, first);
    leat_ref fails = leat_call(flow, bad);
    leat_ref after = leat_flow_add_command(flow, "after", "echo after");
    leat_ref squares = leat_map(flow, square, {"n", n});
    leat_ref none = leat_map(flow, square, {"n", n});
    leat_ref shell = leat_flow_add_command(flow, "shell", "exit 3");
    leat_ref unwanted = leat_flow_add_command(flow, "unwanted", "echo no");
    leat_ref paused = leat_flow_add_command(flow, "paused", "echo no");
    leat_ref strange = leat_flow_add_command(flow, "strange", "echo yes");

    leat_options(fails, .retry = 5);
    leat_options(paused, .trigger = LEAT_MANUAL_ONLY);
    leat_set_upstream(after, fails, NULL);
    leat_on_state(flow, on_any, NULL);
    leat_task_on_state(one, on_first, NULL);
    leat_task_on_state(fails, give_up, NULL);
    leat_task_on_state(squares, limit, NULL);
    leat_task_on_state(none, replace, childless);
    leat_task_on_state(shell, replace, forgive);
    leat_task_on_state(unwanted, replace, refuse);
    leat_task_on_state(paused, replace, approve);
    leat_task_on_state(strange, replace, confuse);
    leat_flow_set_reference_tasks(flow, one);
    leat_flow_set_output(flow, one);
}
END
gcc -std=gnu17 -I"$root/lib" -o handled handled.c "$lib/libleat.so.0" \
    -Wl,-rpath,"$(realpath "$lib")" -ljansson 2>&4 || fail "it does not compile"

listing() {
    jq -r 'def line: "\(.name): \(.state) \(.attempts)" +
            (if .value == null then "" else " = \(.value)" end) +
            (if .cause then " (\(.cause))" else "" end);
        (.tasks[] | line, (.children // [] | .[] | "  " + line)),
        "run: \(.state)"'
}

# same NAME: what has become of the last run, and what was asked
same() {
    ./handled show --json last "${options[@]}" | listing >"$1.seen"
    sort asked >"$1.asked"
    [[ $1 == local ]] || diff -u local.seen "$1.seen" >&4 || fail "$1 is not the same"
    [[ $1 == local ]] || diff -u local.asked "$1.asked" >&4 ||
        fail "$1: other things are asked"
    rm asked
}

# for wait_for: in the last run nothing else is left to do
only_first() {
    remote show --json last | jq -e '[.tasks[] | (., .children[]?) |
        select(.state | test("waiting|ready|running|retrying")) | .name] ==
        ["first"]' >/dev/null
}

options=()
exits 0 ./handled run
holds one out
same local
expect 'first: succeeded 1 = one
bad: failed 2 (its state handler failed: enough after 2)
after: skipped 0 (something it depends on failed)
square: mapped 0
  square[1]: succeeded 1 = 1
  square[2]: succeeded 1 = 4
  square[3]: failed 1 = 9 (its state handler failed: 9 is too much)
  square[4]: failed 1 = 16 (its state handler failed: 16 is too much)
square_2: succeeded 0
shell: skipped 1 (exit code 3)
unwanted: skipped 1
paused: succeeded 0
strange: failed 1 (its state handler gave a state that is not an end)
run: succeeded' local.seen
exits 0 ./handled run -j 2
holds one out
same cluster

start_broker
start_agent one --slots 2
one=$agent_pid
start_agent two --slots 2
two=$agent_pid
exits 0 remote agents --wait 2 --timeout 20s
options=(--broker "$broker")
exits 0 ./handled run "${options[@]}"
holds one out
same broker

# the agent dies that asks; the attempt has ended, and stays so
touch hang
./handled run "${options[@]}" >watched 2>watched.err &
watcher=$!
wait_for 20 test -s hangs
wait_for 20 only_first
asks=$(head -n 1 hangs)
[[ $asks == "$one" || $asks == "$two" ]] || fail "no agent asks, but $asks"
mark
strike "$asks"
wait_for 20 eval '(($(wc -l <hangs) > 1))'
rm hang
wait "$watcher" || fail "the run did not succeed: $(tail watched.err)"
same killed
(($(wc -l <oracle) == seen)) || fail "what had ended was executed again"

# the only agent is drained while an attempt goes on: it leaves when that has
# ended and its handlers were called, for which there is nobody else
left=two
pid=$two
[[ $asks == "$one" ]] || { left=one && pid=$one; }
touch slow
mark
./handled run "${options[@]}" >watched 2>watched.err &
watcher=$!
wait_for 20 more 1
wait_for 20 only_first
exits 0 remote drain "$left"
rm slow
wait "$pid" || fail "the agent did not leave well"
forget "$pid"
wait "$watcher" || fail "the run did not succeed: $(tail watched.err)"
same drained
start_agent three --slots 2

# a handler crashes
touch crash
exits 1 ./handled run "${options[@]}"
run=$(remote ls -q -n 1)
remote show --json "$run" | listing >seen
holds 'first: failed 1 = one (its state handler failed: ' seen
well

# of a file nobody has handlers
printf 'leat: 1\nname: f\ntasks:\n  a: { run: "true", handlers: true }\n' >f.yaml
exits 8 leat run f.yaml
holds 'state handlers, which only the program' err
