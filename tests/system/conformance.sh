#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Every flow of tests/conformance, by each executor there is: in this process,
# by a cluster of its own, by a standing broker with two agents. What becomes of
# each task, its attempts, value and cause, the output on stdout and the exit
# status are as in NAME.expect; NAME.cluster.expect goes before it where what
# travels has a limit of its own. UPDATE=1 writes the .expect files anew, of the
# runs in this process: read the difference.
# shellcheck source=tests/support/lib.sh
source "$(dirname "$0")/../support/lib.sh"

# what can't be the same twice is left out: times, the run's number, folders
listing() {
    jq -r --arg work "$work" '
        def brief: if length > 2000 then "\(.[:20])... (\(length))" else . end;
        def line: "\(.name): \(.state)" +
            (if .attempts > 0 then " \(.attempts)" else "" end) +
            (if .value == null then "" else " = \(.value | tojson | brief)" end) +
            (if .cause then " (\(.cause))" else "" end);
        (.tasks[] | line, (.children // [] | .[] | "  " + line)),
        "run: \(.state)"' |
        sed "s|$work|WORK|g; s/its values have [0-9]* bytes/its values have N bytes/"
}

# one EXECUTOR FLOW: compare, and complain. Where each task depends on what ran
# before it, and several run at once, only the end is the same.
one() {
    local name status=0 expect=${2%.yaml}.expect lines=.
    name=$(basename "$2" .yaml)
    [[ $1 != here && " order too-many-failures " == *" $name "* ]] &&
        lines='^(run|exit): '
    [[ $1 != here && -e ${2%.yaml}.cluster.expect ]] &&
        expect=${2%.yaml}.cluster.expect

    rm -rf made log && mkdir made
    leat run -q "$2" "${options[@]}" >out 2>err || status=$?
    { leat show --json last | listing && echo "exit: $status" &&
        sed "s|$work|WORK|g; s|^|out: |" out; } >"$name.seen"
    [[ ${UPDATE-} && $1 == here ]] && cp "$name.seen" "$expect"
    diff -u <(grep -E "$lines" "$expect") <(grep -E "$lines" "$name.seen") >&2 ||
        fail "$1: $name is not as expected: $(tail -n 3 err)"
}

export LEAT_PARAM_dir=$work/made LEAT_PARAM_log=$work/log
options=()
for flow in "$root"/tests/conformance/*.yaml; do
    one here "$flow"
done
[[ -x $(dirname "$LEAT")/leat-broker && -x $(dirname "$LEAT")/leat-agent ]] ||
    exit 0
# shellcheck source=tests/support/cluster.sh
source "$root/tests/support/cluster.sh"
options=(-j 2)
for flow in "$root"/tests/conformance/*.yaml; do
    one "-j 2" "$flow"
done
start_broker
start_agent one --slots 2
start_agent two --slots 2
exits 0 remote agents --wait 2 --timeout 20s
# in order, as far as there is one: one at a time
options=(-j 1)
[[ $(leat run -q "${options[@]}" "$root/tests/conformance/order.yaml" \
    -p "log=$work/order") ]] && fail "order.yaml has an output"
expect 'high,first,map 1,map 2,map 3,second,low' <(paste -sd, order)
options=()
export LEAT_BROKER=$broker
for flow in "$root"/tests/conformance/*.yaml; do
    one broker "$flow"
done
