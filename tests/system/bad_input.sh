#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# What is no ZMTP, no frame, no message, or makes no sense comes to every port
# of a broker, while a run goes on that notices nothing.
# shellcheck source=tests/support/lib.sh disable=SC2016,SC1083
source "$(dirname "$0")/../support/lib.sh"
# shellcheck source=tests/support/cluster.sh
source "$root/tests/support/cluster.sh"
# shellcheck source=tests/support/oracle.sh
source "$root/tests/support/oracle.sh"
SEED=${SEED:-$$}
zmtp() {
    timeout 60 python3 "$root/tests/support/zmtp.py" "$@"
}
python3 -c 'import ctypes; ctypes.CDLL("libxxhash.so.0")' 2>/dev/null ||
    skip "there is no python3, or it finds no libxxhash"
port=$(zmtp ports 8)
broker=tcp://127.0.0.1:$port
start_broker --lane-ports $((port + 2))-$((port + 7))
start_agent one --slots 2
exits 0 remote agents --wait 1 --timeout 20s
lane=$(sed -nE 's/.* lane=:([0-9]+).*/\1/p' broker.log | tail -n 1)
files() {
    find "/proc/$broker_pid/fd" -type l | wc -l
}
before=$(files)

# the run that goes on: until `stop` is there
cat >flow.yaml <<'END'
leat: 1
name: undisturbed
params: { log: { type: path } }
tasks:
  # one that is there all the time, and many that come and go
  long: { run: 'until test -e stop; do sleep 0.05; done; echo long', value: text }
  quick: { each: { i: 1..300 }, shell: sh, run: 'echo "quick $i" >>"$log"; sleep 0.03' }
  end: { needs: [long, quick], run: 'echo over', value: text }
output: ${end}
END
mark
remote run flow.yaml -p log="$log" >watched 2>watched.err &
watcher=$!
wait_for 20 more 5

for at in "$port" $((port + 1)) "$lane"; do
    zmtp noise "tcp://127.0.0.1:$at" "$SEED" || fail "noise at $at, SEED=$SEED"
done
for pair in "DEALER $port" "REQ $port" "PUSH $((port + 1))"; do
    zmtp frames "tcp://127.0.0.1:${pair#* }" "${pair% *}" "$SEED" >sent ||
        fail "frames at $pair, SEED=$SEED"
    (($(cat sent) > 100)) || fail "only $(cat sent) frames were taken"
done
# told, but not a line for each
wait_for 10 grep -q ' garbage ' broker.log
(($(wc -l <broker.log) < 100)) || fail "$(wc -l <broker.log) lines"

# up to the bound and over it
for n in 1048575 1048576; do
    exits 0 zmtp size "$broker" $n
    expect answered out
done
exits 0 zmtp size "$broker" 1048577
expect closed out

# another version is told which this is; a name that is taken, by whom
exits 0 zmtp version "$broker"
expect '8 5 the peer speaks version 2 of the protocol, this is version 1' out
exits 0 zmtp hello "$broker" one
holds 'there is an agent `one` already' out
exits 5 timeout 20 "$bin/leat-agent" "$broker" --name one
(($(grep -c 'agent_refused agent=one' broker.log) == 2)) ||
    fail "a refusal is told too often: $(grep agent_refused broker.log)"

# results of what nobody asked for are counted, and that is all
exits 0 zmtp results "$broker" "tcp://127.0.0.1:$((port + 1))"
expect 0 out
wait_for 10 grep -q 'agent_down .* why="it left"' broker.log

# a lane is its agent's alone, whoever else finds its port
exits 0 zmtp steal "tcp://127.0.0.1:$lane"
expect refused out
wait_for 10 grep -q ' lane_refused ' broker.log

# connections that say nothing, or no more than hello
declare -a holders=()
for how in open greeting ready; do
    mkfifo "$how"
    # shellcheck disable=SC2094 # two files
    zmtp hold "$broker" 100 "$how" <"$how" >"held-$how" &
    holders+=($!)
    exec {end}>"$how"
    ends+=("$end")
    wait_for 30 grep -q held "held-$how"
done
exits 0 remote agents -q
expect one out
for end in "${ends[@]}"; do exec {end}>&-; done
for pid in "${holders[@]}"; do wait "$pid" || fail "they were not held"; done

touch stop
wait "$watcher" || fail "the run was disturbed: $(tail watched.err)"
expect over watched
(($(wc -l <"$log") == 300)) || fail "$(wc -l <"$log") tasks were begun"
[[ ! $(twice) ]] || fail "begun twice: $(twice)"
lacks waiting watched.err
(($(grep -c "agent_up agent=one" broker.log) == 1)) || fail "the agent had to come again"
flat() {
    (($(files) <= before + 2))
}
wait_for 20 flat

well
