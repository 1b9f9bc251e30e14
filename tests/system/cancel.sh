#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# One task of a run, or one child, is cancelled wherever it is: waiting, ready,
# between two attempts, running; what depends on it follows, the rest goes on.
# By a standing broker, by the broker of a run's own cluster, and after a broker
# was killed.
# shellcheck source=tests/support/lib.sh disable=SC2016,SC1083
source "$(dirname "$0")/../support/lib.sh"
# shellcheck source=tests/support/cluster.sh
source "$root/tests/support/cluster.sh"
set -m # background jobs must not ignore SIGINT
runtime=$(mktemp -d /tmp/leat-test.XXXXXX)
export XDG_RUNTIME_DIR=$runtime
trap 'end_daemons; rm -rf "$runtime"; cd / && rm -rf "$work"' EXIT
mkfifo ready never go

cat >flow.yaml <<'END_OF_FLOW'
leat: 1
name: flow
tasks:
  runs: { run: 'echo $$ >ready; read -r x <>never', grace: 1h, retry: 5 }
  waits: { needs: [runs], trigger: all-finished, run: 'touch wrong' }
  after: { needs: [waits], run: 'touch wrong' }
  alarm: { needs: [waits], trigger: any-failed, run: 'echo alarm', value: text }
  again: { run: 'echo again >>agains; exit 1', retry: { times: 9, delay: 1h } }
  map: { each: { x: [a, b, c] }, run: 'test $x = a || read -r y <>never', grace: 1h }
  well: { needs: [map], trigger: any-successful, run: 'echo well', value: text }
  large: { run: 'true', resources: { licence: 9 } }
output: ["${alarm}", "${well}"]
END_OF_FLOW

# state TASK: of the last run, as it is shown
state() {
    leat show --json last |
        jq -r --arg n "$1" '.tasks[] | ., (.children // [])[] | select(.name == $n) | .state'
}
is() {
    [[ $(state "$1") == "$2" ]]
}
cause() {
    leat show --json last | jq -r --arg n "$1" \
        '.tasks[] | ., (.children // [])[] | select(.name == $n) | .cause'
}

# cancelled TASK: it and nothing else, at once
cancelled() {
    exits 0 leat cancel "$run/$1"
    holds "\`$1\` of run $run is being cancelled" err
    wait_for 10 is "$1" cancelled
}

# one_by_one: the last run, which is of flow.yaml and goes on
one_by_one() {
    run=$(leat ls -q -n 1)

    wait_for 20 is again retrying
    wait_for 20 is 'map[a]' succeeded
    wait_for 20 is 'map[c]' running
    # what waits: what hangs on it goes on at once
    cancelled waits
    wait_for 10 is after trigger-failed
    wait_for 10 is alarm succeeded
    is runs running || fail "runs is $(state runs)"
    # between two attempts; ready; running
    cancelled again
    cancelled large
    cancelled 'map[b]'
    is 'map[c]' running || fail "map[c] is $(state 'map[c]')"
    is well waiting || fail "well is $(state well)"
    exits 1 leat cancel "$run/map[b]"
    holds "\`map[b]\` of run $run has ended already" err
    exits 0 leat cancel -q "$run/map"
    expect '' err
    wait_for 10 is 'map[c]' cancelled
    wait_for 10 is well succeeded
    is 'map[a]' succeeded || fail "map[a] is $(state 'map[a]')"
    exits 1 leat cancel "$run/map"
    [[ $(cause again) == 'it was cancelled' ]] || fail "cause: $(cause again)"
    # others say what there is
    exits 4 leat cancel "$run/nobody"
    holds 'has no task `nobody`' err
    exits 4 leat cancel "$run/map[z]"
    exits 2 leat cancel "$run/:failed"
    exits 2 leat cancel "$run/"
    exits 4 leat cancel 99/runs
    # all that is left
    kill -0 "$task" || fail "runs has ended"
    cancelled runs
    wait_for 10 gone "$task"
}

start_broker
start_agent one --slots 8
exits 0 remote agents --wait 1 --timeout 20s
export LEAT_BROKER=$broker
exits 0 leat run -d flow.yaml
read -r task <ready
one_by_one
# nothing of it was tried again, and nothing came of what was cancelled
exits 1 leat wait last
exits 0 leat show last
[[ ! -e wrong ]] || fail "what was cancelled ran"
expect again agains
exits 1 leat cancel last/runs
holds 'has ended already' err
# it can be gone on with
cat >go.yaml <<'END_OF_FLOW'
leat: 1
name: go
tasks:
  a: { run: 'test -e there || { echo $$ >ready; read -r x <>never; }', grace: 1h }
  b: { needs: [a], run: 'echo done', value: text }
output: ${b}
END_OF_FLOW
exits 0 leat run -d go.yaml
read -r task <ready
exits 0 leat cancel last/a
exits 1 leat wait last
is b trigger-failed || fail "b is $(state b)"
touch there
exits 0 leat retry last
expect 'done' out

# KILL at once
cat >deaf.yaml <<'END_OF_FLOW'
leat: 1
name: deaf
tasks:
  deaf: { run: "trap '' TERM; echo $$ >ready; while :; do read -r x <>never || :; done", grace: 1h }
  other: { run: 'read -r x <go' }
END_OF_FLOW
exits 0 leat run -d deaf.yaml
read -r task <ready
exits 0 leat cancel last/deaf
kill -0 "$task" || fail "it has heard"
exits 0 leat cancel --now last/deaf
holds 'is being killed' err
wait_for 10 gone "$task"
wait_for 10 is deaf cancelled
is other running || fail "other is $(state other)"
echo >go
exits 1 leat wait last

# a broker that is another one knows what was cancelled, whether it had ended or not
cat >killed.yaml <<'END_OF_FLOW'
leat: 1
name: killed
tasks:
  deaf: { run: "trap '' TERM; echo $$ >ready; while :; do read -r x <>never || :; done", grace: 1h, retry: 3 }
  gate: { run: 'read -r x <go' }
  never: { needs: [gate], run: 'touch wrong' }
  map: { each: { x: [1, 2] }, needs: [gate], run: 'touch ran-$x' }
END_OF_FLOW
exits 0 leat run -d killed.yaml
read -r task <ready
exits 0 leat cancel last/deaf last/never
kill -0 "$task" || fail "it has heard"
kill -KILL "$broker_pid"
wait "$broker_pid" || :
start_broker
exits 0 leat agents --wait 1 --timeout 20s
wait_for 20 is deaf cancelled
kill -KILL "$task" 2>/dev/null || :
wait_for 20 gone "$task"
echo >go
exits 1 leat wait last
[[ -e ran-1 && -e ran-2 && ! -e wrong ]] || fail "not what was to run has run"
is never cancelled || fail "never is $(state never)"
unset LEAT_BROKER

# by the broker of a run's own cluster: the same
rm -f agains
LEAT_STORE=store "$LEAT" run -j 8 flow.yaml --resource licence=9 >out.run 2>err.run &
job=$!
read -r task <ready
socket=$(find "$runtime" -type s | sort | head -n 1)
export LEAT_BROKER=ipc://$socket
exits 0 leat ls
run=$(leat ls -q -n 1)
wait_for 20 is again retrying
wait_for 20 is 'map[c]' running
cancelled again
cancelled waits
exits 0 leat cancel "$run/map"
wait_for 10 is 'map[c]' cancelled
exits 0 leat cancel "$run/runs"
status=0
wait $job || status=$?
((status == 1)) || fail "exit status $status: $(cat err.run)"
wait_for 10 gone "$task"
holds ': cancelled: it was cancelled' err.run
unset LEAT_BROKER
is well succeeded || fail "well is $(state well)"
is alarm succeeded || fail "alarm is $(state alarm)"
[[ ! -e wrong ]] || fail "what was cancelled ran"
expect again agains

# without an address the store tells who carries it out: a cluster of its own
rm there
# begin ARG...: run go.yaml in the background, as job $job
begin() {
    LEAT_STORE=store "$LEAT" run "$@" >out.run 2>err.run &
    job=$!
    read -r task <ready
}
# ends STATUS: the job
ends() {
    local status=0

    wait $job || status=$?
    ((status == $1)) || fail "exit status $status, not $1: $(cat err.run)"
    wait_for 10 gone "$task"
}
export LEAT_STORE=store
begin -j 2 go.yaml
cancelled_run=$(leat ls -q -n 1)
exits 0 leat cancel last/a
holds "\`a\` of run $cancelled_run is being cancelled" err
ends 1
is b trigger-failed || fail "b is $(state b)"
begin -j 2 go.yaml
exits 0 leat cancel last
ends 7
exits 7 leat wait last
exits 1 leat cancel last
holds 'has ended already: cancelled' err

# a process, which ends it as for Ctrl-C
begin go.yaml
exits 2 leat cancel last/a
holds "is carried out by process $job, which ends all of it or nothing" err
exits 0 leat cancel last
ends 143
is a cancelled || fail "a is $(state a)"
begin deaf.yaml
exits 0 leat cancel last
kill -0 "$task" || fail "it has heard"
exits 0 leat cancel --now last
ends 143
is deaf cancelled || fail "deaf is $(state deaf)"
exits 4 leat cancel 99

# a standing broker, which is to be asked
exits 0 leat run --broker "$broker" -d go.yaml
read -r task <ready
LEAT_STORE=$work/broker-store exits 1 leat cancel last
holds 'name it with --broker ADDRESS' err
exits 0 leat cancel --broker "$broker" last
exits 7 leat wait --broker "$broker" last
