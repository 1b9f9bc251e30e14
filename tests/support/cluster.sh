# shellcheck shell=bash
# SPDX-License-Identifier: MPL-2.0
# For the scripts in tests/system that need a broker; after lib.sh. When such a
# script ends, its daemons end well and nothing of them is left, or it fails:
# see `leave`. What a script has besides is undone by its own at_end.
# shellcheck disable=SC2154 # work is there
bin=$(dirname "$LEAT")
[[ -x $bin/leat-broker && -x $bin/leat-agent ]] || skip "there are no daemons"
broker=ipc://$work/broker
broker_pid=
broker_files=0 # the broker had open when nobody was there
daemons=()
at_end() {
    :
}
trap leave EXIT

# start_broker ARG...: a standing one at $broker; $broker_pid
# shellcheck disable=SC2120 # mostly without
start_broker() {
    "$bin/leat-broker" --bind "$broker" --store "$work/broker-store" "$@" \
        2>>"$work/broker.log" &
    broker_pid=$!
    daemons+=("$broker_pid")
    wait_for 10 leat agents -q --broker "$broker" >/dev/null
    broker_files=$(files_of "$broker_pid")
}

# start_agent NAME ARG...: for $broker; $agent_pid. It may need a moment.
start_agent() {
    local name=$1
    shift

    "$bin/leat-agent" "$broker" --name "$name" "$@" 2>>"$work/$name.log" &
    agent_pid=$!
    daemons+=("$agent_pid")
}

# files_of PID: how many descriptors it has
files_of() {
    find "/proc/$1/fd" -type l 2>/dev/null | wc -l
}

# tell_end PID: to end, if it is there. Not stopped any more first: SIGCONT would
# take away the stop with which the leak check begins, which waits for it then.
tell_end() {
    kill -CONT "$1" 2>/dev/null || :
    kill "$1" 2>/dev/null || :
}

# see_end PID: how it ends, to $odd
see_end() {
    local status=0

    wait "$1" 2>/dev/null || status=$?
    # 137, 127: the script has killed it, or waited for it; 143: it is none of
    # ours, or has not got so far as to heed signals
    ((status == 0 || status == 137 || status == 127 || status == 143)) ||
        odd+=("a daemon ended with status $status")
}

# The agents first: then the broker has no more open than at its beginning, but
# for what its store and its threads keep.
end_daemons() {
    local pid i
    local -a agents=()

    for pid in "${daemons[@]}"; do
        [[ $pid == "$broker_pid" ]] || agents+=("$pid")
    done
    for pid in "${agents[@]}"; do tell_end "$pid"; done
    for pid in "${agents[@]}"; do see_end "$pid"; done
    [[ $broker_pid ]] && kill -0 "$broker_pid" 2>/dev/null || return 0
    for ((i = 0; i < 250; i++)); do
        (($(files_of "$broker_pid") > broker_files + 4)) || break
        read -rt 0.02 -u "$never" || :
    done
    ((i < 250)) || odd+=("the broker keeps $(files_of "$broker_pid") files open,
        not $broker_files")
    tell_end "$broker_pid"
    see_end "$broker_pid"
    [[ ! -e $work/broker ]] || odd+=("the broker's socket is left")
}

# The end of a script: also its last daemon had no complaint of itself.
leave() {
    local status=$? odd=()

    end_daemons
    odd+=("$(grep -hE 'Sanitizer|runtime error|Assertion' "$work"/*.log 2>/dev/null)") ||
        unset 'odd[-1]'
    if ((status == 0 && ${#odd[@]} > 0)); then
        printf '%s\n' "${odd[@]}" >&4
        status=1
    fi
    at_end || :
    cd / && chmod -R u+rwX "$work" && rm -rf "$work"
    exit "$status"
}

# compile NAME ARG...: a flow of the script's own, NAME.c, sanitized if leat is
compile() {
    local lib=$bin/../lib/libleat.a
    local -a flags=()

    ! grep -q __asan_init "$lib" || flags=("-fsanitize=address,undefined")
    "${CC:-cc}" -std=gnu17 -I"$root/lib" "${flags[@]}" -o "$1" "$1.c" \
        "${@:2}" "$lib" -lprotobuf-c -lxxhash -lyaml -ljansson -lsqlite3 \
        -lsodium -lm
}

# remote ARG...: leat that asks that broker
remote() {
    LEAT_BROKER=$broker leat "$@"
}
