#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Agents are killed, stopped, drained and added and the broker is killed while
# some thousand short tasks run: all is done, recorded once each, and what must
# not start twice does not.
# shellcheck source=tests/support/lib.sh disable=SC2016,SC1083
source "$(dirname "$0")/../support/lib.sh"
# shellcheck source=tests/support/cluster.sh
source "$root/tests/support/cluster.sh"
# shellcheck source=tests/support/oracle.sh
source "$root/tests/support/oracle.sh"

cat >flow.yaml <<'END'
leat: 1
name: faults
params: { log: { type: path }, n: { type: int } }
tasks:
  numbers: { run: 'seq $n', value: lines }
  quick:
    each: { i: "${numbers}" }
    shell: sh
    run: 'echo "quick $i" >>"$log"; sleep 0.01'
  once:
    each: { i: 1..300 }
    at-most-once: true
    shell: sh
    run: 'echo "once $i" >>"$log"; sleep 0.01'
  end: { needs: [quick, once], trigger: all-finished, run: 'echo over', value: text }
output: ${end}
END

# ---- drained: nothing is blamed, and nothing is done twice ----

start_broker
start_agent a --slots 2
start_agent b --slots 2
first=$agent_pid
exits 0 remote agents --wait 2 --timeout 20s
: >"$log"
mark
remote run -d flow.yaml -p log="$log" -p n=400 >number
run=$(cat number)
wait_for 20 more 50
kill -TERM "$first"
wait "$first" || fail "an agent that drained has failed"
start_agent c --slots 2
exits 0 remote wait "$run"
[[ ! $(twice) ]] || fail "done twice: $(twice)"
(($(wc -l <"$log") == 700)) || fail "$(wc -l <"$log") tasks were started"
[[ $(states "$run" quick) == 'succeeded 400' ]] || fail "not all succeeded"
remote show --json "$run" | jq -e '[.tasks[].children // [] | .[].attempts] |
    all(. == 1)' >/dev/null || fail "something was blamed"
recorded_once "$run"

# ---- killed, stopped, added; the broker too ----

declare -A agents=()
join() {
    start_agent "$@"
    agents[$1]=$agent_pid
}
for name in d e f g h; do join "$name" --slots 2; done
exits 0 remote agents --wait 7 --timeout 20s
: >"$log"
mark
remote run flow.yaml -p log="$log" -p n=4000 >watched 2>watched.err &
watcher=$!
wait_for 20 more 100

kill -STOP "${agents[g]}" # for more than LIMIT_LOST_MS
stopped=$SECONDS
kill -STOP "${agents[h]}" # suspect only
mark
strike "${agents[d]}"
since=${EPOCHREALTIME/./}
wait_for 5 more 200 # without a pause for those that are left
((${EPOCHREALTIME/./} - since < 3000000)) || fail "all stood still"
join i --slots 2
mark
wait_for 20 more 200
kill -TERM "${agents[e]}"

# the broker dies, and is there again a moment later
mark
strike "$broker_pid"
wait_for 20 grep -q 'waiting for it' watched.err
start_broker
mark
wait_for 20 more 100 # the agents have come back
strike "${agents[f]}"
wait_for 20 test "$SECONDS" -ge $((stopped + 4))
kill -CONT "${agents[h]}"
wait_for 20 eval '((SECONDS >= stopped + 12))'
kill -CONT "${agents[g]}"
wait "$watcher" || fail "the run did not succeed: $(tail watched.err)"
expect over watched
holds 'is there again' watched.err
run=$(remote ls -q -n 1)

[[ $(states "$run" quick) == 'succeeded 4000' ]] ||
    fail "not all succeeded: $(states "$run" quick)"
for task in "quick 4000" "once 300"; do
    (($(grep "^${task% *} " "$log" | sort -u | wc -l) <= ${task#* })) ||
        fail "unknown tasks were started"
done
(($(grep ^quick "$log" | sort -u | wc -l) == 4000)) || fail "some were not done"
! twice | grep ^once >&4 || fail "these were begun twice"
# each that is not known to have succeeded was in the hands of one that died
remote show --json "$run" | jq -r '.tasks[] | select(.name == "once") |
    .children[] | select(.state != "succeeded") | "\(.state) \(.attempts)"' |
    sort | uniq -c >odd
! grep -v ' crashed 1$' odd >&4 || fail "an attempt that must not be repeated"
recorded_once "$run"

# the one that was lost has come back and is of use
exits 0 remote agents --wait 5 --timeout 20s
mark
exits 0 remote run -q flow.yaml -p log="$log" -p n=50
well
