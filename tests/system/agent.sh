#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# leat-agent: what it is told, how it joins, how it leaves, what it outlives.
# shellcheck source=tests/support/lib.sh disable=SC2016,SC1083
source "$(dirname "$0")/../support/lib.sh"
# shellcheck source=tests/support/cluster.sh
source "$root/tests/support/cluster.sh"
set -m
export XDG_CONFIG_HOME=$work/config
agent=$bin/leat-agent

# has_line TEXT FILE: for wait_for
has_line() {
    grep -qF -- "$1" "$2"
}

# there FILE: for wait_for
there() {
    [[ -e $1 ]]
}

# ends STATUS PID: it ends by itself, so
ends() {
    local status=0

    wait_for 20 gone "$2"
    wait "$2" || status=$?
    ((status == $1)) || fail "exit status $status, not $1"
}

# --- what it is told ---

exits 0 "$agent" --help
holds '--slots' out
exits 0 "$agent" --version
exits 2 "$agent" --slotz 3
holds 'slots' err
exits 2 "$agent" a b
holds 'one broker at a time' err
exits 2 "$agent" --label nonsense
holds 'is not NAME=VALUE' err
exits 2 "$agent" --resource gpus=many
holds 'is not NAME=AMOUNT' err
exits 2 "$agent" --name 'two words'
exits 2 "$agent" --slots 0
expect 'leat-agent: --slots wants a number, 1 or more, not "0"' err
exits 2 "$agent" --slots 5000
holds '4096' err
exits 6 "$agent" tcp://192.0.2.1:7100
holds '--insecure' err
exits 5 bash -c 'ulimit -n 80; exec "$0" "$1" --slots 100' "$agent" "$broker"
holds 'only 80 files may be open' err
mkdir -p config/leat
echo 'slots: few' >config/leat/agent.conf
exits 2 "$agent" "$broker"
holds 'agent.conf:1' err
printf 'slots: 3\nlabel: rack=b7\n' >config/leat/agent.conf

# --- it waits for a broker, joins, is ready ---

exec 9> >(cat >ready)
start_agent one --ready-fd 9 --resource licence=2
exec 9>&-
one=$agent_pid
wait_for 10 has_line broker_away one.log
[[ ! -s ready ]] || fail "ready without a broker"
start_broker
wait_for 10 has_line ' joined ' one.log
wait_for 10 test -s ready
exits 0 remote agents --json
jq -e '.. | objects | select(.name? == "one") | .slots == 3' out >/dev/null ||
    fail "its slots are not told"
cat >asks.yaml <<'END'
leat: 1
name: asks
defaults: { where: { rack: b7, os: linux } }
tasks:
  it: { run: 'echo "$LEAT_TASK ${LD_LIBRARY_PATH-none} ${LEAT_AGENT_X-none}"',
        resources: { licence: 2 }, value: text }
output: ${it}
END
exits 0 remote run -q asks.yaml
expect 'it none none' out

# --- another one of that name is told so ---

exits 5 "$agent" "$broker" --name one
holds 'one' err

# --- it outlives its broker ---

cat >long.yaml <<'END'
leat: 1
name: long
params: { file: { type: string }, go: { type: string } }
tasks:
  it:
    run: |
      echo begun
      echo $$ >>"$file"
      while [[ ! -e $go ]]; do sleep 0.02; done
      echo went on
    value: text
output: ${it}
END
exits 0 remote run -d long.yaml -p file="$work/pids" -p go="$work/go"
run=$(cat out)
wait_for 10 there pids
# what it wrote in the last few milliseconds before the kill may be lost
stored() {
    remote logs "$run/it" | grep -q begun
}
wait_for 10 stored
kill -KILL "$broker_pid"
wait_for 10 has_line ' lost ' one.log
start_broker
wait_for 10 has_line 'held=1' one.log
: >go
exits 0 remote wait "$run"
exits 0 remote value "$run"
expect $'begun\nwent on' out
(($(wc -l <pids) == 1)) || fail "it was started more than once"
exits 0 remote logs "$run/it"
holds 'begun' out
holds 'went on' out

# --- told to leave it lets what runs end ---

rm go pids
exits 0 remote run -d long.yaml -p file="$work/pids" -p go="$work/go"
run=$(cat out)
wait_for 10 there pids
kill -TERM "$one"
wait_for 10 has_line told_to_leave one.log
gone "$one" && fail "it did not wait"
: >go
ends 0 "$one"
exits 0 remote wait "$run"

# --- but not for ever, and another one goes on ---

rm go pids
start_agent two --drain-timeout 100ms --slots 1
two=$agent_pid
exits 0 remote run -d long.yaml -p file="$work/pids" -p go="$work/go"
run=$(cat out)
wait_for 10 there pids
kill -TERM "$two"
ends 0 "$two"
holds drain_time_over two.log
gone "$(cat pids)" || fail "its task still runs"
exits 0 remote rm "$run" || :

# --- told twice it leaves at once; by its lifeline, too ---

rm -f go pids
start_agent three --slots 1
three=$agent_pid
exits 0 remote run -d long.yaml -p file="$work/pids" -p go="$work/go"
wait_for 10 there pids
kill -TERM "$three"
wait_for 10 has_line told_to_leave three.log
kill -TERM "$three"
ends 0 "$three"
gone "$(tail -n1 pids)" || fail "its task still runs"
: >go

mkfifo life
exec 7<>life
start_agent four --lifeline 8 8<life 7>&-
wait_for 10 has_line ' joined ' four.log
exec 7>&-
ends 0 "$agent_pid"
holds lifeline_ended four.log

# --- it looks for the broker when it is told to ---

mkfifo begin
exec 7<>begin
start_agent early --start-fd 8 8<begin 7>&-
early=$agent_pid
wait_for 10 has_line ' start ' early.log
start_agent late
wait_for 10 has_line ' joined ' late.log
lacks ' joined ' early.log
echo >&7
wait_for 10 has_line ' joined ' early.log
kill "$early" "$agent_pid"
ends 0 "$early"
ends 0 "$agent_pid"

# --- nothing to do for a while ---

start_agent five --idle-timeout 200ms
ends 0 "$agent_pid"
