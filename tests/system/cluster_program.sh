#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Flows in C by a cluster: of their own, and by a broker that they are sent to.
# shellcheck source=tests/support/lib.sh disable=SC2016,SC1083
source "$(dirname "$0")/../support/lib.sh"
# shellcheck source=tests/support/cluster.sh
source "$root/tests/support/cluster.sh"
export LEAT_BIN=$bin LEAT_STORE=$work/store

sums() {
    jq -e '([.tasks[0:3][].value] | add) == .tasks[3].value and
        ([.tasks[0:3][].value] | all(. >= 0 and . < 5))' >/dev/null ||
        fail "the sum is wrong"
}

exits 0 "$EXAMPLES/parallel" run -p stop=5 -j 2
holds 'The sum is' err
leat show --json last | sums
leat logs last | grep -q 'The sum is' || fail "no output is kept"

start_broker
start_agent one --slots 2
exits 0 remote agents --wait 1 --timeout 20s
for _ in 1 2; do
    exits 0 "$EXAMPLES/parallel" run -p stop=5 --broker "$broker"
    holds 'The sum is' err
    remote show --json last | sums
done
exits 0 remote retry last --from random_num
holds '2 kept from before' err
lacks 'has changed' err
exits 0 "$EXAMPLES/parallel" retry last --from sum_numbers --broker "$broker"
holds '3 kept from before' err
exits 0 "$EXAMPLES/parallel" run -p stop=5 -d --broker "$broker"
exits 0 remote wait "$(cat out)"
remote show --json last | jq -e '.state == "succeeded"' >/dev/null ||
    fail "it did not succeed"
