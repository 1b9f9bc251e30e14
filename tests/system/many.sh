#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# 64 agents of one broker, 20 runs at once from 20 clients, watchers that come
# late or stand still, and what is left of it all in the broker: nothing.
# shellcheck source=tests/support/lib.sh disable=SC2016,SC1083
source "$(dirname "$0")/../support/lib.sh"
# shellcheck source=tests/support/cluster.sh
source "$root/tests/support/cluster.sh"
# shellcheck source=tests/support/oracle.sh
source "$root/tests/support/oracle.sh"

files() {
    find "/proc/$broker_pid/fd" -type l | wc -l
}
flat() {
    (($(files) <= before + 2))
}
cat >flow.yaml <<'END'
leat: 1
name: many
params: { log: { type: path }, who: { type: int } }
tasks:
  quick: { each: { i: 1..40 }, shell: sh, run: 'echo "$who $i" >>"$log"; echo "words of $who"' }
  end: { needs: [quick], run: 'echo "over $who"', value: text }
output: ${end}
END
start_broker
start_agent first --slots 1
exits 0 remote agents --wait 1 --timeout 20s
exits 0 remote run -q flow.yaml -p log="$log" -p who=0
before=$(files)
agents=()
for ((i = 1; i < 64; i++)); do
    start_agent "a$i" --slots 1
    agents+=("$agent_pid")
done
exits 0 remote agents --wait 64 --timeout 50s

# twenty clients; one of them stands still all the while
: >"$log"
clients=()
for ((i = 1; i <= 20; i++)); do
    LEAT_BROKER=$broker LEAT_STORE=$work/store "$LEAT" run flow.yaml \
        -p log="$log" -p who=$i >"out.$i" 2>"err.$i" &
    clients+=($!)
done
kill -STOP "${clients[0]}"
for ((i = 2; i <= 20; i++)); do
    wait "${clients[i - 1]}" || fail "client $i: $(cat "err.$i")"
    expect "over $i" "out.$i"
    (($(grep -c "| words of $i\$" "err.$i") == 40)) || fail "output of $i is missing"
done
kill -CONT "${clients[0]}"
wait "${clients[0]}" || fail "the one that stood still: $(cat err.1)"
expect 'over 1' out.1
(($(wc -l <"$log") == 800)) || fail "$(wc -l <"$log") tasks were begun"
[[ ! $(twice) ]] || fail "begun twice: $(twice)"
run=$(remote ls -q -n 1)
exits 0 remote watch "$run"
(($(grep -c '| words of' err) == 40)) || fail "a late watcher sees less"
recorded_once "$run"

# all but one leave, and come, and are killed
for pid in "${agents[@]}"; do kill -TERM "$pid"; done
for pid in "${agents[@]}"; do
    wait "$pid" || fail "an agent did not leave well"
    forget "$pid"
done
for ((i = 1; i < 16; i++)); do
    start_agent "b$i" --slots 1
    agents[i]=$agent_pid
done
exits 0 remote agents --wait 16 --timeout 30s
for ((i = 1; i < 16; i++)); do strike "${agents[i]}"; done
alone() {
    [[ $(remote agents -q) == first ]]
}
wait_for 20 alone
for ((i = 1; i <= 10; i++)); do
    exits 0 remote run -q flow.yaml -p log="$log" -p who=$i
done
wait_for 20 flat
well
