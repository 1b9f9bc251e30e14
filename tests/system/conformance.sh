#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Every flow of tests/conformance: what becomes of each task, its attempts,
# value and cause, the output on stdout and the exit status are as in NAME.expect.
# UPDATE=1 writes the .expect files anew: read the difference.
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
        "run: \(.state)"' | sed "s|$work|WORK|g"
}

export LEAT_PARAM_dir=$work/made LEAT_PARAM_log=$work/log
for flow in "$root"/tests/conformance/*.yaml; do
    name=$(basename "$flow" .yaml)
    rm -rf made log && mkdir made
    status=0
    leat run -q "$flow" >out 2>err || status=$?
    { leat show --json last | listing && echo "exit: $status" &&
        sed "s|$work|WORK|g; s|^|out: |" out; } >"$name.seen"
    [[ ${UPDATE-} ]] && cp "$name.seen" "${flow%.yaml}.expect"
    diff -u "${flow%.yaml}.expect" "$name.seen" >&2 ||
        fail "$name is not as expected"
done
