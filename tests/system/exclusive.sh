#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Exclusive attempts never overlap: neither when the network to their agent
# breaks for longer than they may go on, nor when the agent stands still until
# it is given up, and then comes back. It lasts as long as a lease does, and
# costs next to nothing meanwhile.
# shellcheck source=tests/support/lib.sh disable=SC2016,SC1083
source "$(dirname "$0")/../support/lib.sh"
# shellcheck source=tests/support/cluster.sh
source "$root/tests/support/cluster.sh"
# shellcheck source=tests/support/oracle.sh
source "$root/tests/support/oracle.sh"
python3 -c 'import ctypes; ctypes.CDLL("libxxhash.so.0")' 2>/dev/null ||
    skip "there is no python3, or it finds no libxxhash"
command -v flock >/dev/null || skip "there is no flock"

# All processes of an attempt hold the lock, to the last one.
cat >flow.yaml <<'EOF'
leat: 1
name: alone
params: { side: {}, folder: { type: path } }
tasks:
  alone:
    exclusive: true
    where: { side: SIDE }
    run: |
      exec 9>>"$folder/$side.lock"
      flock -n 9 || { echo overlap >>"$folder/$side"; exit 1; }
      echo "begun $LEAT_ATTEMPT" >>"$folder/$side"
      until test -e "$folder/$side.go"; do sleep 0.1; done
      echo "$LEAT_ATTEMPT"
    value: int
output: ${alone}
EOF
# submit SIDE: a run there, which has begun; its number is in run-SIDE
submit() {
    sed "s/SIDE/$1/" flow.yaml >"$1.yaml"
    exits 0 remote run -d "$1.yaml" -p side="$1" -p folder="$work"
    cp out "run-$1"
    wait_for 20 grep -q begun "$1"
}
# begun SIDE N: for wait_for, so many attempts have begun there
begun() {
    (($(grep -c begun "$1") == $2))
}
# lost NAME: for wait_for, it has been given up
lost() {
    local session

    session=$(sed -nE "s/.*agent_up agent=$1 .*(session=[0-9]+).*/\1/p" \
        broker.log | head -n 1)
    grep -q "agent_down $session " broker.log
}
# result SIDE TEXT: it goes on, and ends so
result() {
    : >"$1.go"
    exits 0 remote wait "$(cat "run-$1")"
    exits 0 remote value "$(cat "run-$1")"
    expect "$2" out
    lacks overlap "$1"
}

port=$(python3 "$root/tests/support/zmtp.py" ports 12)
broker=tcp://127.0.0.1:$port
mkfifo cuts
python3 "$root/tests/support/zmtp.py" relay "$port" 12 <cuts >relay.out &
relay=$!
exec {cuts}>cuts
wait_for 10 grep -q there relay.out
start_broker --lane-ports $((port + 2))-$((port + 11))
there=$broker
broker=tcp://127.0.0.2:$port
start_agent cut --slots 1 --label side=cut
broker=$there
start_agent stopped --slots 1 --label side=stopped
stopped=$agent_pid
exits 0 remote agents --wait 2 --timeout 20s
submit cut
submit stopped
start_agent far --slots 2 --label side=cut
start_agent near --slots 2 --label side=stopped
exits 0 remote agents --wait 4 --timeout 20s

kill -STOP "$stopped"
echo >&"$cuts"
wait_for 10 grep -q cut relay.out
since=$SECONDS

# The one that stood still has gone on with it when it is asked what it holds.
wait_for 30 lost stopped
kill -CONT "$stopped"
wait_for 20 grep -q 'joined .*held=1' stopped.log
result stopped 1
begun stopped 1 || fail "it was begun again"

# The one that is cut off ends it by itself, before another one begins it.
wait_for 30 lost cut
begun cut 1 || fail "it was begun at once"
wait_for 90 begun cut 2
((SECONDS - since >= 55)) || fail "begun again after $((SECONDS - since)) s"
echo >&"$cuts"
wait_for 20 grep -q open relay.out
exits 0 remote agents --wait 4 --timeout 20s
result cut 2
begun cut 2 || fail "it was begun once more"

kill "$relay"
wait "$relay" || :
well
