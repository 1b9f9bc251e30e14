# shellcheck shell=bash
# SPDX-License-Identifier: MPL-2.0
# For the scripts in tests/system that run the same flow by each executor; after
# lib.sh.
# shellcheck disable=SC2154 # work is there

# listing RUN.json: what became of each task. What can't be the same twice is
# left out: times, the run's number, folders.
listing() {
    jq -r '
        def brief: if length > 2000 then "\(.[:20])... (\(length))" else . end;
        def line: "\(.name): \(.state)" +
            (if .attempts > 0 then " \(.attempts)" else "" end) +
            (if .value == null then "" else " = \(.value | tojson | brief)" end) +
            (if .cause then " (\(.cause))" else "" end);
        (.tasks[] | line, (.children // [] | .[] | "  " + line)),
        "run: \(.state)"' "$1" | sed "s|$work|WORK|g"
}

# in_order RUN.json PLAN.json: no task began before all that it waits for had
# ended, a child not before the one it goes on from. Counts in $pairs what it
# has compared.
in_order() {
    jq -r --slurpfile run "$1" '
        ($run[0].tasks | map({(.name): .}) | add) as $task |
        .steps[][] | $task[.name] as $c | .after[] | $task[.] as $p |
        (if $c.children and $p.children and
            ($c.children | length) == ($p.children | length)
        then [$c.children, $p.children] | transpose[]
        else [($c.children // [$c])[] as $a | ($p.children // [$p])[] |
            [$a, .]][] end) |
        select(.[0].started and .[1].started) |
        (if .[1].ended and .[1].ended <= .[0].started then "ordered"
        else "\(.[0].name) began before \(.[1].name) had ended" end)
        ' "$2" >ordered
    ! grep -vx ordered ordered >&4 || return 1
    pairs=$((${pairs-0} + $(wc -l <ordered)))
}
