#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Much output through a broker: the client gets all of it, and neither daemon
# holds more than a bounded part. BYTES of each of 8 tasks.
# shellcheck source=tests/support/lib.sh disable=SC2016,SC1083
source "$(dirname "$0")/../support/lib.sh"
# shellcheck source=tests/support/cluster.sh
source "$root/tests/support/cluster.sh"
# shellcheck source=tests/support/oracle.sh
source "$root/tests/support/oracle.sh"
: "${BYTES:=36000000}" # 8 of them: 288 MB

cat >flow.yaml <<'END'
leat: 1
name: output
params: { n: { type: int } }
tasks:
  loud: { each: { i: 1..8 }, shell: sh, run: 'yes "0123456789 0123456789 0123456789 0123456789 $i" | head -c "$n"' }
END
# peak PID: KiB
peak() {
    awk '/^VmHWM/ { print $2 }' "/proc/$1/status"
}
start_broker
start_agent one --slots 2
exits 0 remote agents --wait 1 --timeout 20s
LEAT_BROKER=$broker LEAT_STORE=$work/store "$LEAT" run flow.yaml -p n="$BYTES" \
    2> >(grep -c '| 0123456789' >lines) || fail "the run did not succeed"
got() {
    [[ -s lines ]]
}
wait_for 20 got
echo "broker $(peak "$broker_pid") KiB, agent $(peak "$agent_pid") KiB" >&3
want=$((BYTES * 8 / 46 - 8))
(($(cat lines) >= want)) || fail "$(cat lines) lines of $want came"
# the sanitizers keep what was freed
if ! grep -qa libasan "/proc/$broker_pid/maps"; then
    (($(peak "$broker_pid") < 200000)) || fail "broker: $(peak "$broker_pid") KiB"
    (($(peak "$agent_pid") < 100000)) || fail "agent: $(peak "$agent_pid") KiB"
fi
well
