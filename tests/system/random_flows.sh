#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Random flows of real commands come to the same states, values, attempts and
# exit status by each executor: here, a cluster of their own, a broker's. No task
# begins before what it depends on has ended.
# SEEDS=n: so many; SEED=n: that one.
# shellcheck source=tests/support/lib.sh
source "$(dirname "$0")/../support/lib.sh"
# shellcheck source=tests/support/same.sh
source "$root/tests/support/same.sh"
# shellcheck source=tests/support/cluster.sh
source "$root/tests/support/cluster.sh"

# what can't be the same twice is left out: times, the run's number
outcome() {
    jq -S 'def clean: del(.started, .ended, .seconds, .cpu_seconds,
                .memory_bytes, .cwd) | if .children then
                .children |= map(clean) else . end;
        {state, output, tasks: [.tasks[] | clean]}'
}
one() { # WHERE ARG...
    local where=$1 status=0
    shift

    "$@" run -q --json flow.json ${where:+$where} >out 2>err || status=$?
    { outcome <out && echo "exit $status"; } >seen || {
        cat err >&4
        fail "seed $seed: no outcome"
    }
    in_order out plan.json || fail "SEED=$seed: out of order${where:+ $where}"
}
start_broker
start_agent one --slots 2
start_agent two --slots 1
exits 0 remote agents --wait 2 --timeout 20s
first=${SEED-1} last=${SEED-${SEEDS-12}}
for ((seed = first; seed <= last; seed++)); do
    python3 "$root/tests/support/random_flow.py" "$seed" >flow.json
    leat plan --json flow.json >plan.json
    one '' leat
    cp seen here
    one -j2 leat
    diff -u here seen >&4 || fail "SEED=$seed: otherwise with -j"
    one '' remote
    diff -u here seen >&4 || fail "SEED=$seed: otherwise by a broker"
done
((pairs > 0)) || fail "nothing was in any order"
