#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# --json of every command that reads.
# shellcheck source=tests/support/lib.sh disable=SC2016,SC1083
source "$(dirname "$0")/../support/lib.sh"
command -v jq >/dev/null || skip "there is no jq"

# is FILTER: of the document in out
is() {
    jq -e "$1" out >/dev/null || {
        cat out >&4
        fail "not so: $1"
    }
}

cat >flow.yaml <<'END'
leat: 1
name: shapes
params: { n: { type: int, default: 2 } }
tasks:
  count: { run: echo $n, value: int }
  child: { each: { i: [a, b] }, run: 'echo $i; [[ $i == a ]] || exit 4' }
  after: { needs: [child], run: 'true' }
output: ${count}
END
exits 1 leat run --json flow.yaml
is '.schema == "leat.run/1" and .run == 1 and .flow == "shapes"'
is '.state == "failed" and .params == {"n": 2} and .output == null'
is '.tasks | map(.name) == ["count", "child", "after"]'
is '.tasks[0] | .state == "succeeded" and .value == 2 and .attempts == 1'
is '.tasks[0].seconds > 0 and (.tasks[0].started | test("^20..-.*Z$"))'
is '.tasks[1] | .state == "mapped" and (.children | length) == 2'
is '.tasks[1].children[1] | .name == "child[b]" and .code == 4'
is '.tasks[1].children[1].cause == "exit code 4"'
is '.tasks[2] | .state == "trigger-failed" and .attempts == 0'
is '.tasks[2] | [.code, .cpu_seconds, .memory_bytes, .seconds] | unique == [null]'
cp out first

exits 0 leat show --json last
diff first out >&2 || fail "show is not as run"
exits 1 leat run --json --no-store flow.yaml
is '.run == null and .state == "failed" and .tasks[0].value == 2'
is '.tasks[1].children | map(.state) == ["succeeded", "failed"]'

is '.tasks[0] | .cpu_seconds == null and .memory_bytes == null'

# What a small program took at most can't be told from leat's own: not known.
printf 'leat: 1\nname: peak\ntasks: { a: { argv: ["true"] }, b: { run: "x=$(printf %%200000000d 0)" } }\n' >peak.yaml
exits 0 leat run --json peak.yaml
is '.tasks[0].memory_bytes == null and .tasks[1].memory_bytes > 1e8'
exits 0 leat rm last

exits 0 leat ls --json
is '.schema == "leat.runs/1" and (.runs | length) == 1'
is '.runs[0] | .run == 1 and .state == "failed"'
exits 0 leat check --json flow.yaml
is '.schema == "leat.check/1" and .files[0].ok and .files[0].errors == []'
printf 'leat: 1\nname: x\ntasks: { a: { rnu: y } }\n' >bad.yaml
exits 3 leat check --json flow.yaml bad.yaml
is '.files[1] | .file == "bad.yaml" and (.ok | not)'
is '.files[1].errors[0] | .line == 3 and (.help | test("run"))'
exits 0 leat plan --json flow.yaml -p n=5
is '.schema == "leat.plan/1" and .params == {"n": 5}'
is '.steps | map(map(.name)) == [["count", "child"], ["after"]]'
is '.steps[0][1] | .mapped and .children == 2'
is '.steps[1][0].after == ["child"]'
exits 0 leat plan --json --why last
is '.retry_of == 1 and (.tasks | map(.execute) == [false, true, true])'
exits 0 leat why --json 1/after
is '.schema == "leat.why/1" and .state == "trigger-failed"'
is '.why[0] | test("was not run")'
exits 0 leat value --json 1/count
is '. == {"schema": "leat.value/1", "run": 1, "task": "count", "value": 2}'
exits 0 leat logs --json last
jq -se 'map(.schema == "leat.log/1") | all' out >/dev/null || fail "schema"
jq -se 'map(.task) == ["count", "child[a]", "child[b]"]' out >/dev/null ||
    fail "order"
is '.run == 1 and .attempt == 1 and .stream == "stdout"'

# What is not UTF-8 does not break the JSON.
printf 'leat: 1\nname: raw\ntasks: { a: { run: "printf \\"\\\\\\\\377x\\\\\\\\n\\"" } }\n' >raw.yaml
exits 0 leat run -q raw.yaml
exits 0 leat logs --json last
is '.text == "\ufffdx"'
leat logs --raw last | cmp - <(printf '\377x\n') || fail "raw"
