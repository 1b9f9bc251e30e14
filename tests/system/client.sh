#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Clients where there is no broker: what they say, and that they say it soon.
# Each address is one that a newcomer may have given by mistake.
# shellcheck source=tests/support/lib.sh
source "$(dirname "$0")/../support/lib.sh"
# shellcheck source=tests/support/cluster.sh
source "$root/tests/support/cluster.sh"
zmtp() {
    timeout 60 python3 "$root/tests/support/zmtp.py" "$@"
}
cat >one.yaml <<'END'
leat: 1
tasks: { t: { run: 'true' } }
END

# nobody at all
exits 5 leat run one.yaml --broker "ipc://$work/nobody"
expect "leat: no broker at ipc://$work/nobody: there is no such socket \
(is leat-broker running there?)" err

# a broker that comes up, and its agent, are waited for
leat agents --wait 1 --timeout 30s --broker "$broker" >list 2>waiting &
waits=$!
wait_for 10 grep -qx "leat: no broker at $broker: there is no such socket \
(is leat-broker running there?); waiting for it" waiting
start_broker
start_agent one
wait $waits || fail "it did not wait: $(cat waiting)"
holds one list
(($(wc -l <waiting) == 1)) || fail "it said more: $(cat waiting)"
exits 5 leat agents --wait 1 --timeout 100ms --broker "ipc://$work/nobody"
holds 'there is no such socket' err

# in a terminal the bar gives way to what is said while the broker is away
if [[ $(type -t script) ]]; then
    mkfifo go
    echo '{ leat: 1, name: t, tasks: { t: { run: "read -r x <go" } } }' >go.yaml
    LEAT_BROKER=$broker script -qfec "'$LEAT' run go.yaml" tty >/dev/null &
    run=$!
    wait_for 20 grep -qF '0/1 [' tty
    kill -KILL "$broker_pid"
    wait "$broker_pid" || :
    wait_for 20 grep -q 'waiting for it' tty
    grep -qF $'\r\e[Kleat: no broker' tty || fail "beside the bar"
    start_broker
    echo >go
    wait $run || fail "it did not go on: $(cat tty)"
fi

# without libzmq what needs no cluster goes on as ever
mkdir broken
: >broken/libzmq.so.5
LD_LIBRARY_PATH=$work/broken exits 0 leat run one.yaml
LD_LIBRARY_PATH=$work/broken exits 5 leat agents --broker "$broker"
expect "leat: no socket can be made: $work/broken/libzmq.so.5: file too short" err

python3 -c 'import ctypes; ctypes.CDLL("libxxhash.so.0")' 2>/dev/null ||
    skip "there is no python3, or it finds no libxxhash"
# fake HOW: something that listens, and talks like that; at $fake
fake() {
    local port

    port=$(zmtp ports 1)
    mkfifo "serve-$1"
    zmtp serve "$port" "$1" <"serve-$1" >"$1.accepted" &
    daemons+=($!)
    exec {end}>"serve-$1"
    fake=tcp://127.0.0.1:$port
    wait_for 20 leat_probe "$port"
}
# shellcheck disable=SC2317 # for wait_for
leat_probe() {
    : >"/dev/tcp/127.0.0.1/$1"
}
# try HOW COMMAND...: in the background; its words are in the file HOW-COMMAND
declare -A tries=()
try() {
    local name=$1-$2

    leat "${@:2}" --broker "$fake" >"$name" 2>&1 &
    tries[$name]=$!
    echo "leat: what listens at $fake does not answer as a broker does: is it \
stopped, or not the address that leat-broker is at?" >"$name.expected"
}
for how in http closes silent keys; do
    fake $how
    try $how agents
    try $how run one.yaml
done
for name in "${!tries[@]}"; do
    status=0
    wait "${tries[$name]}" || status=$?
    ((status == 5)) || fail "$name: exit status $status: $(cat "$name")"
    diff -u "$name.expected" "$name" || fail "$name said something else"
done
fake version
exits 6 leat run one.yaml --broker "$fake"
expect "leat: the broker at $fake: the peer speaks version 2 of the protocol, \
this is version 1" err
fake garbage
exits 3 leat run one.yaml --broker "$fake"
expect "leat: the broker at $fake: not a frame of leat" err
