# shellcheck shell=bash
# SPDX-License-Identifier: MPL-2.0
# For the scripts in tests/system that do harm; after cluster.sh. Tasks write
# that they begin to the file $log, a line each, which is what really happened.
# shellcheck disable=SC2154 # work is there
log=$work/oracle
: >"$log"

# more N: for wait_for, N lines have come since `mark` was set
mark() {
    seen=$(wc -l <"$log")
}
more() {
    (($(wc -l <"$log") >= seen + $1))
}
# strike PID: a daemon dies
strike() {
    kill -KILL "$1"
    wait "$1" 2>/dev/null || :
    forget "$1"
}
# forget PID: it is no daemon any more that is to be ended
forget() {
    local -a rest=()

    for pid in "${daemons[@]}"; do
        ((pid == $1)) || rest+=("$pid")
    done
    daemons=("${rest[@]}")
}
# what was begun more often than once
twice() {
    sort "$log" | uniq -d
}
# states RUN TASK: "state count" of its children
states() {
    remote show --json "$1" | jq -r --arg t "$2" '.tasks[] |
        select(.name == $t).children | group_by(.state)[] |
        "\(.[0].state) \(length)"'
}
# recorded_once RUN: each attempt's end is in the store once, and one success
# for each task
recorded_once() {
    local twice

    twice=$(sqlite3 "$work/broker-store/leat.db" "
        SELECT task, child, attempt, count(*) FROM attempts
        WHERE run = $1 AND state IN ('succeeded', 'failed', 'crashed')
        GROUP BY task, child, attempt HAVING count(*) > 1
        UNION ALL
        SELECT task, child, 0, count(*) FROM attempts
        WHERE run = $1 AND state = 'succeeded'
        GROUP BY task, child HAVING count(*) > 1 LIMIT 5")
    [[ ! $twice ]] || fail "recorded twice: $twice"
}

# No daemon has complained of itself.
well() {
    ! grep -E 'Sanitizer|runtime error|Assertion|assert' "$work"/*.log >&4 ||
        fail "a daemon has a bug"
}
