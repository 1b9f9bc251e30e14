#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# -j: a run by a broker and an agent of its own is told, ends and is stored as
# one in this process; nothing is left of the two.
# shellcheck source=tests/support/lib.sh disable=SC2016,SC1083
source "$(dirname "$0")/../support/lib.sh"
# shellcheck source=tests/support/cluster.sh
source "$root/tests/support/cluster.sh"
set -m # background jobs must not ignore SIGINT
# short, as the name of a socket must be, or it would not be taken
runtime=$(mktemp -d /tmp/leat-test.XXXXXX)
export XDG_RUNTIME_DIR=$runtime
at_end() {
    rm -rf "$runtime"
}

# nothing is left: no folder, no process that has ours in its command line
left() {
    [[ ! $(ls "$runtime") ]] && ! pgrep -f -- "$runtime" >/dev/null
}
nothing_left() {
    wait_for 10 left
}

# plain FILE: without what is never the same twice
plain() {
    sed -E 's/[0-9.]+ (us|ms|s)$/TIME/; s/ in [0-9.]+ (us|ms|s)/ in TIME/;
        s/run [0-9]+/run N/; s/(logs|retry|watch) [0-9]+/\1 N/' "$1" | tr -s ' ' | sort
}

# alike STATUS ARG...: run here and with -j: same status, output and words
alike() {
    local want=$1
    shift

    exits "$want" leat "$@"
    plain err >err.here
    cp out out.here
    exits "$want" leat "$@" -j 2
    plain err >err.cluster
    diff -u err.here err.cluster >&4 || fail "told otherwise: $*"
    diff -u out.here out >&4 || fail "another output: $*"
    left || fail "something is left of: $*"
}

cat >good.yaml <<'END'
leat: 1
name: good
params: { n: { type: int, default: 2 } }
tasks:
  one: { run: 'echo "one of $n"; echo loud >&2', value: text }
  two: { run: 'seq $n', value: lines, needs: [one] }
  each: { each: { x: "${two}" }, run: 'echo "child $x"; expr $x + 1', value: none }
  none: { when: "false", run: "true" }
  sum: { needs: [each], run: 'echo "{\"a\": [1, 2]}"', value: json }
output: ${sum}
END
alike 0 run good.yaml
alike 0 run -q good.yaml
alike 0 run -v good.yaml
leat show --json last | jq -e '.state == "succeeded" and .tasks[1].value ==
    ["1", "2"] and (.tasks[2].children | length) == 2' >/dev/null ||
    fail "not stored"
exits 0 leat logs last/one
printf '%s\n' 'one of 2' loud | sort >want
sort out | diff want - >&4 || fail "not logged"
exits 0 leat value last
expect '{"a":[1,2]}' out

cat >bad.yaml <<'END'
leat: 1
name: bad
tasks:
  bad: { run: 'echo why; exit 3', retry: { times: 1, delay: 10ms } }
  never: { needs: [bad], run: "true" }
  out: { timeout: 50ms, run: sleep 100, needs: [bad], trigger: all-finished }
END
alike 1 run bad.yaml
alike 1 run -q bad.yaml
exits 0 leat logs last/bad
expect $'why\nwhy' out

# --json, with and without a store
exits 0 leat run --json -j 2 good.yaml
jq -e '.schema == "leat.run/1" and .state == "succeeded" and
    .tasks[0].attempts == 1' out >/dev/null || fail "no document"
exits 0 leat run --json --no-store -j 2 good.yaml
jq -e '.run == null and .state == "succeeded" and
    .tasks[0].value == "one of 2"' out >/dev/null || fail "no document"
nothing_left

# what can't be here, as without
cat >large.yaml <<'END'
leat: 1
name: large
tasks: { large: { resources: { cpus: 3 }, run: "true" } }
END
exits 8 leat run -j 2 large.yaml
holds 'task `large` asks for 3 cpus, this cluster has 2 cpus' err
holds '-j 3 gives it more' err

# paused, and on with -j
cat >paused.yaml <<'END'
leat: 1
name: paused
tasks:
  first: { run: 'echo x >>firsts' }
  ask: { needs: [first], trigger: manual-only, run: "true" }
END
alike 1 run paused.yaml
exits 0 leat retry -j2 last
holds '1 kept from before' err
expect $'x\nx' firsts
exits 2 leat retry -j 2
holds 'is 2 the run or how many at once?' err

# many at once: both are needed for either to end
mkfifo there back
cat >pair.yaml <<'END'
leat: 1
name: pair
tasks:
  a: { run: 'echo >there; read -r x <back', timeout: 20s }
  b: { run: 'read -r x <there; echo >back', timeout: 20s }
END
exits 0 leat run -q -j 2 pair.yaml
exits 0 leat run -q pair.yaml --slots=2

# interrupts
mkfifo ready never
cat >long.yaml <<'END'
leat: 1
name: long
tasks:
  soft: { run: "echo $$ >ready; read -r x <>never", grace: 1h }
  never: { needs: [soft], run: touch ran }
END
begin() {
    LEAT_STORE=$work/store "$LEAT" "$@" >out 2>err &
    job=$!
    read -r task <ready
}
ends() {
    local status=0

    wait "$job" || status=$?
    ((status == $1)) || fail "exit status $status, not $1: $(cat err)"
    wait_for 10 gone "$task"
    nothing_left
}
begin run -j 2 long.yaml
kill -INT "$job"
ends 130
holds 'cancelling; again kills' err
holds '2 tasks, 2 cancelled' err
begin run -j 2 --timeout 200ms long.yaml
ends 124
cat >deaf.yaml <<'END'
leat: 1
name: deaf
tasks:
  deaf: { run: "trap '' TERM; echo $$ >ready; while :; do read -r x <>never || :; done", grace: 1h }
END
begin run -j 2 deaf.yaml
kill -INT "$job"
wait_for 10 grep -q cancelling err
kill -INT "$job"
ends 130

# killed: nothing is left, and the run can be gone on with
begin run -j 2 long.yaml
kill -KILL "$job"
ends 137
run=$(leat ls -q -n 1)
exits 1 leat wait "$run"
holds 'was interrupted' err

# a daemon that dies is told of, with its name
begin run -j 2 long.yaml
kill -KILL "$(pgrep -f -- "leat-agent ipc://$runtime")"
ends 5
holds 'leat-agent was ended by signal 9' err
begin run -j 2 long.yaml
kill -KILL "$(pgrep -f -- "leat-broker --bind=ipc://$runtime")"
ends 5
holds 'leat-broker was ended by signal 9' err

# ... also while it reads the flow: nobody waits for another broker to come
{
    printf 'leat: 1\nname: large\ntasks:\n'
    seq -f '  task%.0f: { run: echo }' 200000
} >large.yaml
timeout 20 "$LEAT" run -j 2 large.yaml >out 2>err &
job=$!
reads_the_flow() {
    local pid

    pid=$(pgrep -f -- "leat-broker --bind=ipc://$runtime") &&
        (($(awk '{ print $14 }' "/proc/$pid/stat") > 5)) &&
        kill -KILL "$pid"
}
wait_for 20 reads_the_flow
ends 5
holds 'leat-broker was ended by signal 9' err

# each: lines are whole, the names of what failed are told
exits 0 leat each -j 4 -- sh -c 'echo "$1"; echo "$1"' x {} ::: a b c d
sort out | uniq -c | awk '{ print $1 $2 }' | diff <(printf '2%s\n' a b c d) - >&4 ||
    fail "lines are missing"
exits 1 leat each -j2 -- false {} ::: a b
nothing_left

# a flow that can't run so says so
exits 2 leat run -j 0 good.yaml
exits 2 leat run -j 2 --broker ipc://nowhere good.yaml
exits 2 leat run -j 2 -d good.yaml

nothing_left
