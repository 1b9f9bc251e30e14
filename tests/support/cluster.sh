# shellcheck shell=bash
# SPDX-License-Identifier: MPL-2.0
# For the scripts in tests/system that need a broker; after lib.sh.
# shellcheck disable=SC2154 # work is there
bin=$(dirname "$LEAT")
[[ -x $bin/leat-broker && -x $bin/leat-agent ]] || skip "there are no daemons"
broker=ipc://$work/broker
daemons=()
trap 'end_daemons; cd / && chmod -R u+rwX "$work" && rm -rf "$work"' EXIT

# start_broker ARG...: a standing one at $broker; $broker_pid
# shellcheck disable=SC2120 # mostly without
start_broker() {
    "$bin/leat-broker" --bind "$broker" --store "$work/broker-store" "$@" \
        2>>"$work/broker.log" &
    broker_pid=$!
    daemons+=("$broker_pid")
    wait_for 10 leat agents -q --broker "$broker" >/dev/null
}

# start_agent NAME ARG...: for $broker; $agent_pid. It may need a moment.
start_agent() {
    local name=$1
    shift

    "$bin/leat-agent" "$broker" --name "$name" "$@" 2>>"$work/$name.log" &
    agent_pid=$!
    daemons+=("$agent_pid")
}

end_daemons() {
    local pid

    for pid in "${daemons[@]}"; do
        kill "$pid" 2>/dev/null || :
        kill -CONT "$pid" 2>/dev/null || :
    done
    for pid in "${daemons[@]}"; do
        wait "$pid" 2>/dev/null || :
    done
}

# remote ARG...: leat that asks that broker
remote() {
    LEAT_BROKER=$broker leat "$@"
}
