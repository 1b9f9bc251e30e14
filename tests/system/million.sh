#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# A run of a million calls that do nothing, by a broker and two agents: each of
# them succeeds at its first attempt, and the broker is no larger after a second
# such run. CALLS: so many.
# shellcheck source=tests/support/lib.sh
source "$(dirname "$0")/../support/lib.sh"
# shellcheck source=tests/support/cluster.sh
source "$root/tests/support/cluster.sh"
command -v sqlite3 >/dev/null || skip "there is no sqlite3"
export LEAT_BIN=$bin XDG_CACHE_HOME=$work/cache
noop=$EXAMPLES/../bench/noop
[[ -x $noop ]] || skip "there is no $noop"

# resident PID: KiB
resident() {
    awk '/^VmRSS/ { print $2 }' "/proc/$1/status"
}
start_broker
start_agent one --slots 2
start_agent two --slots 2
exits 0 remote agents --wait 2 --timeout 20s
sanitized=
grep -qa libasan "/proc/$broker_pid/maps" && sanitized=1
: "${CALLS:=1000000}"
((!sanitized)) || CALLS=$((CALLS / 10))
for run in 1 2; do
    exits 0 env LEAT_BROKER="$broker" "$noop" run -q -p n="$CALLS"
    exits 0 sqlite3 -readonly broker-store/leat.db "
        SELECT state, attempt, count(*), count(DISTINCT child) FROM attempts
        WHERE run = $run AND child IS NOT NULL GROUP BY 1, 2"
    expect "succeeded|1|$CALLS|$CALLS" out
    [[ $run == 1 ]] && size=$(resident "$broker_pid")
done
# the sanitizers keep what was freed
((sanitized || $(resident "$broker_pid") < size + 30000)) ||
    fail "the broker has grown from $size to $(resident "$broker_pid") KiB"
