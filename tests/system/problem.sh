#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Why a run failed though none of its tasks did, and that its time was over, is
# told alike by each executor, at once and later: in this process, by a cluster
# of its own, by a standing broker.
# shellcheck source=tests/support/lib.sh disable=SC1083
source "$(dirname "$0")/../support/lib.sh"
# shellcheck source=tests/support/cluster.sh
source "$root/tests/support/cluster.sh"

cat >output.yaml <<'END_OF_FLOW'
leat: 1
name: output
tasks: { a: { run: 'echo "{\"b\": 1}"', value: json } }
output: ${a.c}
END_OF_FLOW
mkfifo never
cat >long.yaml <<'END_OF_FLOW'
leat: 1
name: long
tasks: { a: { run: 'read -r x <>never', grace: 1h } }
END_OF_FLOW

no_output="the flow's output can't be made: "
no_time='the run took longer than its time-out'

# told TEXT STATUS: the last run came to this, whoever asks; into the file told
told() {
    local text=$1 status=$2 run
    run=$(leat ls -q -n 1)

    exits "$status" leat wait "$run"
    holds "$text" err
    cp err told
    exits 0 leat show "$run"
    grep "^problem  $text" out >>told || fail "not shown: $(cat out)"
    exits 0 leat show --json "$run"
    jq -r .problem out >>told
    exits 0 leat ls --json
    jq -r '.runs[0].problem' out >>told
}

# executed NAME ARG...: both kinds, here told as by NAME
executed() {
    local name=$1
    shift

    exits 1 leat run output.yaml "$@"
    grep "^$no_output" err >"$name.told" || fail "$name: no word of it: $(cat err)"
    told "$no_output" 1
    cat told >>"$name.told"
    exits 124 leat run long.yaml --timeout 200ms "$@"
    grep "^$no_time" err >>"$name.told" || fail "$name: no word of it: $(cat err)"
    told "$no_time" 124
    cat told >>"$name.told"
    sed -i -E 's/run [0-9]+/run N/' "$name.told"
}

executed here
executed slots -j 2
diff -u here.told slots.told >&4 || fail "-j tells it otherwise"
exits 1 leat run --no-store --json output.yaml
[[ $(jq -r .problem out) == "$no_output"* ]] || fail "not in the document"

# what comes to a good end later has none any more
cat >later.yaml <<'END_OF_FLOW'
leat: 1
name: later
tasks: { a: { run: 'test -e there || read -r x <>never', grace: 1h } }
END_OF_FLOW
exits 124 leat run later.yaml --timeout 200ms
: >there
exits 0 leat retry last
exits 0 leat show last
! grep '^problem' out >&4 || fail "it has a problem still"

start_broker
start_agent one
exits 0 remote agents --wait 1 --timeout 20s
export LEAT_BROKER=$broker
executed broker
diff -u here.told broker.told >&4 || fail "a broker tells it otherwise"

# nobody waited for it, and those who come later
exits 0 leat run -d long.yaml --timeout 200ms
run=$(cat out)
exits 124 leat wait "$run"
holds "run $run was cancelled: $no_time" err
exits 124 leat watch "$run"
holds "$no_time" err
exits 1 leat watch "$((run - 2))"
holds "$no_output" err

# it is with the run when the broker is another one
kill -KILL "$broker_pid"
wait "$broker_pid" || :
start_broker
exits 124 leat wait "$run"
exits 0 leat show "$run"
holds "problem  $no_time" out

# and has none after a good end
rm there
exits 124 leat run later.yaml --timeout 200ms
: >there
exits 0 leat agents --wait 1 --timeout 20s
exits 0 leat retry last
exits 0 leat wait last
exits 0 leat show --json last
jq -e '.problem == null' out >/dev/null || fail "it still has a problem"
