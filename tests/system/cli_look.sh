#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Looking back: ls, show, logs, value, why, wait, plan, graph, rm.
# shellcheck source=tests/support/lib.sh disable=SC2016,SC1083
source "$(dirname "$0")/../support/lib.sh"

# Before the first run there is nothing, and that is said.
exits 0 leat ls
expect '' out
exits 4 leat show
exits 4 leat logs 3
exits 4 leat wait last

cat >flow.yaml <<'END'
leat: 1
name: flow
tasks:
  list: { run: 'echo "[1, 2]"', value: json }
  text: { run: echo "it is"; echo text, value: text }
  double: { each: { n: "${list}" }, run: 'echo $((n * 2))', value: int }
  skip: { run: exit 77, exit: { skip: [77] } }
  behind: { needs: [skip], run: 'true' }
output: ${double}
END
exits 0 leat run -q --name first flow.yaml
expect '[2,4]' out
cat >bad.yaml <<'END'
leat: 1
name: bad
tasks:
  try: { run: 'echo attempt $LEAT_ATTEMPT >&2; exit 9', retry: 1 }
  map: { each: { n: [1, 2] }, needs: [try], run: 'true' }
END
exits 1 leat run -q bad.yaml

# value: text as it is, all else JSON
exits 0 leat value 1/text
expect 'it is
text' out
exits 0 leat value 1/list
expect '[1,2]' out
exits 0 leat value first
expect '[2,4]' out
exits 0 leat value '1/double[1]'
expect 2 out
exits 0 leat value first/double
expect '[2,4]' out
exits 4 leat value try
expect 'leat: `try` has no value: it failed in run 2; see leat why 2/try' err
exits 4 leat value 2
expect 'leat: run 2 has no output: it failed' err
exits 4 leat value 1/nothing
expect 'leat: run 1 (flow) has no task `nothing`' err
exits 4 leat value 1/double[7]
holds 'but none is [7]' err
exits 4 leat value 99

# ls
exits 0 leat ls
[[ $(wc -l <out) == 2 ]] || fail "not two runs"
grep -Eq '^2  failed       20.*  bad$' out || fail "no run 2"
grep -Eq '^1  succeeded    20.*  flow \(first\)$' out || fail "no run 1"
exits 0 leat ls -q -n 1
expect 2 out

# show
exits 0 leat show first
holds 'run 1 of flow: succeeded' out
holds 'name     first' out
holds 'output   [2,4]' out
grep -Eq '^text +succeeded, [0-9.]+ .s = "?it is' out || fail "no text"
grep -Eq '^double +succeeded, 2 children$' out || fail "no map"
grep -Eq '^  double\[2\] +succeeded, [0-9.]+ .s = 4$' out || fail "no child"
grep -Eq '^skip +skipped' out || fail "no skip"
exits 0 leat show
grep -Eq '^try +failed, attempt 2, .*: exit code 9$' out || fail "no failure"

# logs
exits 0 leat logs 2/try
expect 'attempt 1
attempt 2' out
exits 0 leat logs --attempt 2 2/try
expect 'attempt 2' out
exits 0 leat logs 2/:failed
expect 'attempt 1
attempt 2' out
exits 0 leat logs 1/double
expect 'double[1] | 2
double[2] | 4' out
exits 0 leat logs '1/double[2]'
expect 4 out
exits 0 leat logs 1
holds 'text | it is' out
exits 4 leat logs 1/:failed
expect 'leat: nothing has failed in run 1' err
exits 2 leat logs 1/:fialed

# why
exits 0 leat why 1/behind
expect '`behind` was skipped: something it depends on was skipped
`skip`, which it depends on, was skipped' <(sed 's/, was skipped:.*/, was skipped/' out)
exits 0 leat why 2/try
expect '`try` failed in attempt 2 of 2: exit code 9
what it wrote: leat logs 2/try
leat retry 2 would run it: it failed: exit code 9' out
exits 0 leat why map
holds '2 of them: trigger-failed' out
exits 0 leat why '2/map[1]'
holds '`map[1]` was not run: its trigger is all-successful' out
holds '`try`, which it depends on, failed: exit code 9' out
cat >first.yaml <<'END'
leat: 1
tasks:
  a: { run: 'exit 1' }
  b: { run: 'exit 3', exit: { skip: 3 } }
  c: { with: { x: { first: ["${a}", "${b}"] } }, run: echo }
  d: { run: echo 1, value: int }
  e: { with: { x: { first: ["${b}", "${d}"] } }, run: echo }
END
exits 1 leat run -q --store other first.yaml
exits 0 leat why --store other c
holds '`a`, which it depends on, failed: exit code 1' out
lacks 'c.x' out
exits 0 leat plan --store other --why last --from d
holds 'e  run   `d`, which it depends on, is executed again' out
exits 2 leat why last
holds 'needs TASK: a task of that run, as last/NAME' err

# wait: exits as run did
exits 0 leat wait first
expect 'leat: run 1 succeeded' err
exits 1 leat wait 1 2
exits 0 leat wait -q 1
expect '' err
exits 4 leat wait 99

# plan
exits 0 leat plan flow.yaml
expect '  1. list
     text
     skip
  2. double  mapped, how often is known later  after list
     behind  after skip' out
exits 0 leat plan bad.yaml
holds 'map  mapped, 2 children  after try' out
exits 0 leat plan first
exits 0 leat plan --why 2
expect 'try  run   it failed: exit code 9
map  run   2 of its 2 children have not succeeded' out
exits 2 leat plan --from try 2

cat >options.yaml <<'END'
leat: 1
name: options
limits: { db: 4 }
defaults: { timeout: 1m }
tasks:
  a: { run: 'true', resources: { cpus: 2, memory: 1GiB }, tags: [db], where: { os: linux }, exclusive: true, at-most-once: true, priority: 5 }
  b: { each: { i: 1..3 }, run: 'true', needs: a, max-parallel: 2, cache: { for: 1h }, exit: { skip: [77] }, retry: 1 }
END
exits 0 leat plan -v options.yaml
expect 'defaults: timeout: 60s
limits: db: 4
  1. a
       exclusive: true
       at-most-once: true
       priority: 5
       resources: {"cpus":2,"memory":1073741824}
       tags: ["db"]
       where: {"os":"linux"}
  2. b  mapped, 3 children  after a
       retry: {"times":1,"backoff":1.0,"jitter":0.0,"on":["failed","timeout","lost"]}
       exit: {"skip":[77],"retry":[]}
       max-parallel: 2
       cache: {"for":"3600s"}' out
exits 0 leat plan options.yaml
expect '  1. a
  2. b  mapped, 3 children  after a' out

# graph
exits 0 leat graph flow.yaml
holds list out
exits 0 leat graph 2 --format dot
holds digraph out
exits 0 leat graph flow.yaml -o out.svg
holds '<svg' out.svg
exits 0 leat graph last -o out.mmd
exits 2 leat graph last -o out.png
holds 'the ending of out.png tells no format' err
exits 2 leat graph last --format png
holds 'there are text, svg, dot and mermaid' err
exits 4 leat graph last -o no/where.svg

# check
exits 0 leat check flow.yaml bad.yaml
expect 'flow.yaml: ok: 5 tasks, 0 parameters
bad.yaml: ok: 2 tasks, 0 parameters' err
exits 0 leat check -q flow.yaml
expect '' err
exits 4 leat check flow.yaml nowhere.yaml

# rm
exits 2 leat rm
exits 2 leat rm --keep 0
exits 4 leat rm 99
exits 4 leat rm 50-60
expect 'leat: there are no runs 50-60' err
exits 0 leat rm 1-2
expect 'leat: removed 2 runs' err
exits 0 leat ls
expect '' out
for _ in 1 2 3; do exits 0 leat run -q flow.yaml; done
exits 0 leat rm --keep 1
expect 'leat: removed 2 runs' err
exits 0 leat ls -q
expect 5 out
exits 0 leat rm --older 1h
expect 'leat: removed 0 runs' err
LEAT_KEEP=1 exits 0 leat run -q flow.yaml
exits 0 leat ls -q
expect 6 out

# What to type next, by the state of the run.
lacks 'retry' <(leat show last)
printf 'leat: 1\nname: ask\ntasks: { a: { run: exit "$LEAT_PARAM_code", trigger: manual-only } }\n' >ask.yaml
LEAT_PARAM_code=1 exits 1 leat run ask.yaml
n=$(leat ls -q -n 1)
holds "let it go on:     leat retry $n" err
exits 0 leat show
[[ $(tail -n 2 out) == "
let it go on:     leat retry $n" ]] || fail "no next step"
LEAT_PARAM_code=1 exits 1 leat retry "$n"
exits 0 leat show
[[ $(tail -n 3 out) == "
all they wrote:   leat logs $n/:failed
go on from here:  leat retry $n" ]] || fail "no next step after a failure"

# Of a large map only what is worth a line.
printf 'leat: 1\nname: many\ntasks: { m: { each: { i: 1..100 }, run: "((i > 50))" } }\n' >many.yaml
exits 1 leat run many.yaml
[[ $(grep -c '^m\[.*: failed: exit code 1$' err) == 10 ]] || fail "not ten outcomes"
[[ $(grep -c '^m\[.* failed: exit code 1$' err) == 20 ]] || fail "not ten reported"
[[ $(grep -c 'at many.yaml:3' err) == 1 ]] || fail "the place is not told once"
grep -Eq '^m +: 100 children: 50 succeeded, 50 failed in ' err || fail "no map"
holds '40 more failed' err
exits 0 leat show
[[ $(grep -c '^  m\[' out) == 36 ]] || fail "not 36 children"
holds '  and 14 more; -v shows all' out
exits 0 leat show -v
[[ $(grep -c '^  m\[' out) == 100 ]] || fail "not all children"
