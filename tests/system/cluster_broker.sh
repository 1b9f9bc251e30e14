#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# A standing broker: submit, detach, watch, look, cancel; one that is away.
# shellcheck source=tests/support/lib.sh disable=SC2016,SC1083
source "$(dirname "$0")/../support/lib.sh"
# shellcheck source=tests/support/cluster.sh
source "$root/tests/support/cluster.sh"
set -m

cat >flow.yaml <<'END'
leat: 1
name: flow
params: { n: { type: int, default: 3 } }
tasks:
  list: { run: 'seq $n', value: lines }
  each: { each: { x: "${list}" }, run: 'echo "child $x"; echo "err $x" >&2', value: text }
  end: { needs: [each], run: 'echo done', value: text }
output: ${end}
END

# none there: known at once, told, never a silent local run
exits 5 remote run flow.yaml
holds "$broker" err
exits 5 remote ls
exits 5 leat run flow.yaml --broker tcp://127.0.0.1:1
[[ ! -e store ]] || fail "it ran here"
exits 2 leat watch 1
holds 'needs a broker' err

# an address that is none, wherever it is from: the same for every command
mkdir -p config/leat
for bad in foo://x tcp://h:99999 ipc:// ''; do
    for command in ls 'run flow.yaml' 'run -d flow.yaml' 'retry last' agents \
        'watch 1' 'wait 1' 'cancel 1' 'logs 1/a'; do
        # shellcheck disable=SC2086 # words
        exits 2 leat $command --broker "$bad"
        mv err err.flag
        [[ $bad ]] || continue
        # shellcheck disable=SC2086
        LEAT_BROKER=$bad exits 2 leat $command
        diff err.flag err >&4 || fail "$command: LEAT_BROKER says otherwise"
        echo "broker: $bad" >config/leat/config.yaml
        # shellcheck disable=SC2086
        XDG_CONFIG_HOME=$work/config exits 2 leat $command
        diff err.flag err >&4 || fail "$command: config.yaml says otherwise"
        holds "\`$bad\` is not an address: " err
    done
done
# what asks no broker has nothing to say of it
LEAT_BROKER=foo://x exits 0 leat check flow.yaml
LEAT_BROKER=foo://x exits 0 leat run -q --local --no-store flow.yaml
exits 0 remote run -q --local flow.yaml
expect 'done' out

start_broker
exits 0 remote agents
holds 'has no agents' err
exits 124 remote agents --wait 1 --timeout 50ms

# nobody to run it: it waits, and why says for what
exits 0 remote run -d flow.yaml
expect 1 out
exits 0 remote why 1/list
holds '`list` is ready and waits for an agent' out
files=$(ulimit -Sn)
ulimit -Sn 300
start_agent one --slots 2
ulimit -Sn "$files"
exits 0 remote agents --wait 1 --timeout 20s
holds one out
exits 0 remote wait 1
exits 0 remote value 1
expect 'done' out
exits 0 remote logs 1/each
sort out >sorted
printf 'each[%s] | child %s\neach[%s] | err %s\n' 1 1 1 1 2 2 2 2 3 3 3 3 |
    sort | diff - sorted >&4 || fail "output is missing"
exits 0 remote show --json 1
jq -e '.state == "succeeded" and (.tasks[1].children | length) == 3' out \
    >/dev/null || fail "not shown"
exits 0 remote ls -q
expect 1 out
[[ $(leat ls -q) == 1 ]] || fail "the local store has changed"

# attached, as if it were here
exits 0 remote run flow.yaml -p n=2
expect 'done' out
holds 'each[1]' err
holds '| child 2' err
holds 'run 2 succeeded: 4 tasks in' err
exits 0 remote run -q flow.yaml
expect 'done' out
exits 0 remote run -q --json flow.yaml
jq -e '.run == 4 and .tasks[2].value == "done"' out >/dev/null || fail "no document"

# an agent's many files are not its tasks'
cat >files.yaml <<'END'
leat: 1
name: files
tasks: { limit: { run: 'ulimit -Sn', value: text } }
output: ${limit}
END
exits 0 remote run -q files.yaml
expect 300 out

# a late watcher sees all of it
exits 0 remote watch 2
holds '| child 1' err
holds 'run 2 succeeded' err

# two watchers of one run; one that comes first, one in the middle
mkfifo ready go
cat >steps.yaml <<'END'
leat: 1
name: steps
tasks:
  one: { run: 'echo first words; echo >ready; read -r x <go; echo last words' }
END
remote run -d --json steps.yaml >number
run=$(jq 'select(.schema == "leat.run/1" and .state == "running") | .run' number)
read -r _ <ready
# shown to run within a moment: told with the next beat at the latest
shows_since() {
    remote show "$run" | grep -q '^one .*running, for [0-9]'
}
wait_for 10 shows_since
for i in 1 2; do
    LEAT_BROKER=$broker LEAT_STORE=$work/store "$LEAT" watch "$run" \
        >"watch-$i.out" 2>"watch-$i" &
    watchers[i]=$!
    wait_for 10 grep -q 'first words' "watch-$i"
done
LEAT_BROKER=$broker LEAT_STORE=$work/store "$LEAT" watch "$run" 2>watch-3 &
third=$!
wait_for 10 grep -q 'first words' watch-3
kill -INT $third
status=0
wait $third || status=$?
((status == 130)) || fail "exit status $status of a watcher that left"
holds "leat: run $run goes on; to follow it again: leat watch $run" watch-3
runs_on() { remote why "$run/one" | grep -q 'runs on one'; }
wait_for 10 runs_on
echo >go
for i in 1 2; do
    wait "${watchers[i]}" || fail "watcher $i"
    holds 'last words' "watch-$i"
    holds "run $run succeeded" "watch-$i"
done

# Ctrl-C of the run that is waited for, and cancel from elsewhere
mkfifo never
cat >long.yaml <<'END'
leat: 1
name: long
tasks: { soft: { run: "echo $$ >ready; read -r x <>never", grace: 1h } }
END
LEAT_BROKER=$broker "$LEAT" run long.yaml 2>err.long &
job=$!
read -r task <ready
kill -INT $job
status=0
wait $job || status=$?
((status == 130)) || fail "exit status $status: $(cat err.long)"
wait_for 10 gone "$task"
LEAT_BROKER=$broker "$LEAT" run long.yaml 2>err.long &
job=$!
read -r task <ready
exits 0 remote cancel last
status=0
wait $job || status=$?
((status == 7)) || fail "exit status $status: $(cat err.long)"
wait_for 10 gone "$task"
exits 7 remote wait last
exits 1 remote cancel last
holds 'ended already' err

# a client that is killed leaves the run alone
LEAT_BROKER=$broker "$LEAT" run steps.yaml 2>err.long &
job=$!
read -r _ <ready
kill -KILL $job
wait $job || :
echo >go
exits 0 remote wait last

# --env, time-outs, retry
cat >env.yaml <<'END'
leat: 1
name: env
tasks: { env: { run: 'echo "$SECRET"', value: text } }
output: ${env}
END
SECRET=hush exits 0 remote run -q --env SECRET env.yaml
expect hush out
LEAT_BROKER=$broker "$LEAT" run --timeout 200ms long.yaml 2>err.long &
job=$!
read -r task <ready
status=0
wait $job || status=$?
((status == 124)) || fail "exit status $status: $(cat err.long)"
cat >again.yaml <<'END'
leat: 1
name: again
tasks:
  first: { run: 'echo x >>firsts' }
  second: { needs: [first], run: 'test -e fixed' }
END
exits 1 remote run again.yaml
holds 'second failed' err
touch fixed
exits 0 remote retry last
holds '1 kept from before' err
expect x firsts
exits 0 remote retry last --from first
lacks 'kept from before' err
exits 0 remote watch last
lacks 'second failed' <(sed -n '/^run /,$p' err)
cat >paused.yaml <<'END'
leat: 1
name: paused
tasks:
  first: { run: 'echo x >>seconds' }
  ask: { needs: [first], trigger: manual-only, run: 'echo asked >>seconds' }
END
exits 1 remote run paused.yaml
exits 0 remote retry last
expect $'x\nasked' seconds

# the broker away for a moment: the watcher goes on by itself
LEAT_BROKER=$broker "$LEAT" run steps.yaml 2>err.long &
job=$!
read -r _ <ready
kill -KILL "$broker_pid"
wait "$broker_pid" || :
wait_for 10 grep -q 'waiting for it' err.long
start_broker
exits 0 remote agents --wait 1 --timeout 20s
echo >go
wait $job || fail "the run did not survive: $(cat err.long)"
holds 'is there again' err.long
holds 'last words' err.long

# an output that nearly fills a frame
cat >large.yaml <<'END'
leat: 1
name: large
tasks: { a: { run: 'echo some words >&2; printf "%0800000d" 1', value: text } }
output: ${a}
END
exits 0 remote run -q large.yaml
(($(wc -c <out) == 800001)) || fail "output has $(wc -c <out) bytes"
remote logs last/a >out
holds 'some words' out
exits 0 remote show --json last
jq -e '.output | length == 800000' out >/dev/null || fail "not shown"

# a run in its store that is nobody's any more
LEAT_STORE=$work/broker-store "$LEAT" run long.yaml 2>err.long &
job=$!
read -r task <ready
kill -KILL $job
wait $job || :
exits 1 remote watch last
holds 'interrupted: 1 task' err

exits 0 remote rm 1
exits 4 remote show 1
exits 0 remote drain one
wait "$agent_pid" || fail "the agent did not leave well"
exits 0 remote agents -q
expect '' out

# what only other agents could go on with is told, and waits for them
LEAT_BROKER=$broker "$LEAT" run -q flow.yaml >out.long 2>err.long &
job=$!
wait_for 20 grep -q 'has no agents; the run waits' err.long
start_agent two --slots 1
wait $job || fail "it did not go on: $(cat err.long)"
expect 'done' out.long
cat >licence.yaml <<'END'
leat: 1
name: licence
tasks: { licence: { resources: { licence: 1 }, run: "echo got it" } }
END
LEAT_BROKER=$broker "$LEAT" run licence.yaml 2>err.long &
job=$!
LEAT_BROKER=$broker "$LEAT" run -q licence.yaml 2>err.quiet &
quiet=$!
wait_for 20 grep -q 'needs 1 licence; two has 0; the run waits' err.quiet
start_agent three --slots 1 --resource licence=1
wait $job || fail "it did not go on: $(cat err.long)"
holds 'got it' err.long
holds 'no agent there is can run this: task `licence` needs 1 licence' err.long
lacks 'the run waits' err.long # which would say it twice
wait $quiet || fail "it did not go on: $(cat err.quiet)"

# what to type next is about that broker
echo '{ leat: 1, name: bad, tasks: { no: { run: "exit 3" } } }' >bad.yaml
exits 1 leat run --broker "$broker" bad.yaml
holds "--broker $broker" err
LEAT_BROKER=$broker exits 1 leat run bad.yaml
lacks '--broker' err
