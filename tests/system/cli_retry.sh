#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# leat retry goes on in the same run and executes only what is needed.
# shellcheck source=tests/support/lib.sh disable=SC2016,SC1083
source "$(dirname "$0")/../support/lib.sh"

cat >flow.yaml <<'END'
leat: 1
name: flow
tasks:
  good: { run: 'echo x >>good; echo made', value: text }
  each: { each: { n: [1, 2, 3] }, run: 'echo $n >>each; [[ $n != 2 || -e fixed ]]' }
  end: { needs: [each], with: { g: "${good}" }, run: 'echo end $g', value: text }
output: ${end}
END
exits 1 leat run flow.yaml
exits 0 leat plan --why last
expect 'good  keep  it succeeded
each  run   1 of its 3 children has not succeeded
end   run   it was not run: something it depends on failed' out
exits 1 leat retry 1
touch fixed
exits 0 leat retry
expect 'end made' out
grep -Eq '^run 1 succeeded: 5 tasks, 3 kept from before in ' err ||
    fail "no summary"
[[ $(wc -l <good) == 1 ]] || fail "good was executed again"
[[ $(tr '\n' ' ' <each) == '1 2 3 2 2 ' ]] || fail "each: $(cat each)"
exits 0 leat show
holds 'in 3 sessions' out
exits 0 leat ls -q
expect 1 out

# One that succeeded: only from a task on.
exits 2 leat retry 1
expect 'leat: run 1 has succeeded; --from TASK executes a part of it again' err
exits 0 leat plan --why --from each 1
holds 'each  run   --from names it' out
holds 'end   run   `each`, which it depends on, is executed again' out
exits 0 leat retry 1 --from each
[[ $(wc -l <each) == 8 ]] || fail "each was not executed again"
[[ $(wc -l <good) == 1 ]] || fail "good was executed again"
exits 4 leat retry 1 --from nothing
exits 2 leat retry 1 --from 'each[1]'

# The flow is the one it began with, and that is said.
rm fixed
exits 1 leat run -q flow.yaml
sed -i 's/echo end/echo changed/' flow.yaml
touch fixed
exits 0 leat retry last
expect 'end made' out
holds 'note: flow.yaml has changed since' err

# A pause waits for a retry.
printf 'leat: 1\nname: ask\ntasks: { a: { run: echo go, trigger: manual-only } }\noutput: ${a}\n' >ask.yaml
exits 1 leat run -q ask.yaml
holds 'paused' err
exits 0 leat why a
holds 'waits to be let through' out
exits 0 leat retry -q
expect go out

# A run whose process was killed is interrupted, and can be gone on with.
printf 'leat: 1\nname: kill\ntasks: { a: { run: echo x >>a }, b: { needs: [a], run: "[[ -e open ]] || { echo $PPID >ready; read -r x <>fifo; }" } }\n' >kill.yaml
mkfifo fifo ready
leat run -q kill.yaml &
read -r pid <ready
b_is_recorded() {
    leat show --json last | jq -e '.tasks[1].state == "running"' >/dev/null
}
wait_for 10 b_is_recorded
kill -KILL "$pid"
wait $! || :
wait_for 10 gone "$pid"
exits 0 leat ls -n 1
holds interrupted out
exits 1 leat wait last
expect 'leat: run 4 was interrupted' err
exits 0 leat why b
holds '`b` was running in attempt 1 when the run was interrupted' out
touch open
exits 0 leat retry last
[[ $(wc -l <a) == 1 ]] || fail "a was executed again"

# A later session that is interrupted loses nothing of the one before, and what
# must not be started twice is not.
cat >lost.yaml <<'YAML'
leat: 1
name: lost
tasks:
  x: { run: '[[ -e slow ]] || exit 1; echo >at_x; read -r y <>fifo' }
  y: { run: 'echo y >>y.log; echo made', value: text, at-most-once: true }
output: ${y}
YAML
mkfifo at_x
exits 1 leat run -q lost.yaml
touch slow
set -m # background jobs must not ignore SIGINT
LEAT_STORE=$work/store "$LEAT" retry -q 2>interrupted &
read -r _ <at_x
kill -INT $!
wait $! || :
exits 0 leat show --json last
jq -e '.tasks | map(.state) == ["cancelled", "succeeded"]' out >seen ||
    fail "states: $(cat out)"
rm slow
exits 1 leat retry -q last
[[ $(wc -l <y.log) == 1 ]] || fail "y was executed again"
exits 0 leat value last/y
expect made out

# What was started and is at-most-once is not run again, and that is foretold.
cat >once.yaml <<'EOF'
leat: 1
name: once
max-fails: 1
tasks:
  once: { run: exit 3, at-most-once: true }
  fail: { run: exit 1 }
  late: { run: 'true' }
EOF
exits 1 leat run --name once once.yaml
holds 'max-fails: more than 1 failure ended the run' err
exits 0 leat plan --why once
expect 'once  fail  it was started once, and is at-most-once
fail  run   it failed: exit code 1
late  run   it was cancelled: max-fails: more than 1 failure ended the run' out
exits 0 leat plan --why --json once
jq -e '.tasks | map(.execute) == [false, true, true]' out >/dev/null ||
    fail "not so in JSON"
exits 0 leat why once/once
holds 'would fail it: it was started once, and is at-most-once' out
exits 1 leat retry once
holds 'once : failed: at-most-once: it was started in an earlier session' err
