#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# leat run: output, parameters, exit codes, what is printed where.
# shellcheck source=tests/support/lib.sh disable=SC2016,SC1083
source "$(dirname "$0")/../support/lib.sh"

cat >sum.yaml <<'END'
leat: 1
name: sum
params:
  a: { type: int, min: 1, default: 2 }
  b-c: { type: int, default: 3 }
  where: { type: path, default: here }
tasks:
  add: { run: 'echo $((a + b_c))', value: int }
  say: { run: 'echo at $where; printf partial; echo "bad $a" >&2' }
output: ${add}
END

# The result alone is on standard output; lines have their tasks' names.
exits 0 leat run sum.yaml
expect 5 out
holds 'say | at /' err
holds 'say | partial' err
holds 'say | bad 2' err
grep -Eq '^add : succeeded in [0-9.]+ (us|ms|s)$' err || fail "no outcome"
grep -Eq '^run 1 succeeded: 2 tasks in ' err || fail "no summary"
lacks $'\033' err

# -q: nothing else at all
x=$(leat run -q sum.yaml 2>err)
[[ $x == 5 ]] || fail "x is $x"
expect '' err

# Parameters: defaults < LEAT_PARAM_ < -P < -p
export LEAT_PARAM_a=10 LEAT_PARAM_B_C=20
exits 0 leat run -q sum.yaml
expect 30 out
echo 'a: 100' >params.yaml
exits 0 leat run -q sum.yaml -P params.yaml
expect 120 out
exits 0 leat run -q -p a=1000 sum.yaml -P params.yaml -p b-c=1
expect 1001 out
echo '{"a": 7, "b-c": 8}' >params.json
exits 0 leat run -q sum.yaml -P params.json
expect 15 out
unset LEAT_PARAM_a LEAT_PARAM_B_C

# All that is wrong with them is told at once, and nothing runs.
cat >needs.yaml <<'END'
leat: 1
name: needs
params:
  day: { type: string, help: which }
  n: { type: int, min: 1, max: 9 }
tasks:
  touch: { run: touch ran }
END
exits 3 leat run needs.yaml -p n=10 -p dya=x
expect 'needs.yaml: parameter `n`: `10` is not an integer from 1 to 9
needs.yaml: parameter `day` is required: a string (which)
needs.yaml: the flow has no parameter `dya`; did you mean `day`?' err
printf 'day: no\nn: x\n' >params.yaml
exits 3 leat run needs.yaml -P params.yaml
expect 'params.yaml:2:4: parameter `n`: `x` is not an integer from 1 to 9
    2 | n: x
      |    ^' err
echo '- a' >params.yaml
exits 3 leat run needs.yaml -P params.yaml -p n=1
holds 'parameters are a mapping of names to values' err
[[ ! -e ran ]] || fail "it ran"

# A flow on standard input; files that can't be read.
exits 0 leat run -q - <sum.yaml
expect 5 out
exits 4 leat run nowhere.yaml
expect "leat: can't read nowhere.yaml: No such file or directory" err
exits 4 leat run sum.yaml -P nowhere.yaml
expect "leat: can't read nowhere.yaml: No such file or directory" err
exits 5 leat run .
expect "leat: can't read .: Is a directory" err
printf 'leat: 1\nname: x\ntasks: { a: { rnu: y } }\n' >bad.yaml
exits 3 leat run bad.yaml
holds 'bad.yaml:3:' err
holds 'did you mean `run`?' err

# A variable for the tasks; its value is not kept.
printf 'leat: 1\nname: env\ntasks: { a: { run: echo $SECRET } }\noutput: ${a}\n' >env.yaml
exits 0 leat run -q env.yaml --env SECRET=hush-hush
expect hush-hush out
exits 2 leat run env.yaml --env NOT_SET_HERE
expect 'leat run: --env NOT_SET_HERE: there is no such variable here
see leat run --help' err

# Failure: what, where, why, its last lines, what it kept from running.
cat >fails.yaml <<'END'
leat: 1
name: fails
tasks:
  fetch:
    run: |
      for i in {1..12}; do echo "line $i"; done
      exit 3
  use: { needs: [fetch], run: echo never }
  last: { needs: [use], run: echo never }
END
exits 1 leat run --name bad fails.yaml
expect '' out
sed -n '/^$/,$p' err | sed -E 's/ in [0-9.]+ [a-z]+$/ in T/; s/^(.*(line|retry) )[0-9]+$/\1N/; s/logs [0-9]+/logs N/; s/^run [0-9]+/run N/' >report
expect '
fetch failed: exit code 3
  at fails.yaml:4
  | line N
  | line N
  | line N
  | line N
  | line N
  | line N
  | line N
  | line N
  | line N
  | line N
  not run because of it: use, last

run N failed: 3 tasks, 1 failed, 2 trigger-failed in T
all it wrote:     leat logs N/fetch
go on from here:  leat retry N' report
lacks '  | line 2' err
exits 1 leat run -q fails.yaml
holds 'fetch failed: exit code 3' err
lacks 'fetch : ' err

# Control characters of a task reach nobody.
printf 'leat: 1\nname: esc\ntasks: { a: { run: "printf \\"\\\\\\\\033[31mred\\\\\\\\n\\"" } }\n' >esc.yaml
exits 0 leat run esc.yaml
holds 'a | \x1b[31mred' err

# Output that is a value is data: its beginning is shown, all with -v.
cat >long.yaml <<'END'
leat: 1
name: long
tasks:
  list: { run: 'seq 20; echo note >&2', value: lines }
  word: { each: { n: "${list}" }, run: 'echo "$n"', value: text }
  free: { run: seq 7 }
  wide: { run: printf %01000d 0, value: text }
END
exits 0 leat run --name long long.yaml
n=$(leat ls -q -n 1)
grep -E '^list *\|' err | tr -s ' ' | sort >seen
expect "list | ... 15 more lines: leat logs $n/list
list | 1
list | 2
list | 3
list | 4
list | 5
list | note" seen
grep -Eq '^wide *\| 0{200}\.\.\. \(1000 bytes\)$' err || fail "not cut"
[[ $(grep -c '^free *| ' err) == 7 ]] || fail "not all of what is no value"
[[ $(leat logs long/list | wc -l) == 21 ]] || fail "the log is not whole"
exits 0 leat run -v long.yaml
grep -q '^list *| 20$' err || fail "not all with -v"
lacks 'more lines' err
exits 0 leat run --no-store long.yaml
holds '| ... 15 more lines: -v shows all' err
printf 'leat: 1\nname: x\ntasks: { a: { run: "seq 12; exit 1", value: int } }\n' >value.yaml
exits 1 leat run value.yaml
holds '  | 12' err

# A time-out of the whole run; a task that asks for what there is not.
mkfifo never
printf 'leat: 1\nname: long\ntasks: { a: { run: read -r x <>never, grace: 1h } }\n' >long.yaml
exits 124 leat run long.yaml --timeout 100ms
grep -Eq '^run [0-9]+ timed out: 1 task, 1 cancelled in ' err || fail "no end"
printf 'leat: 1\nname: big\ntasks: { a: { run: "true", resources: { licence: 2 } } }\n' >big.yaml
exits 8 leat run big.yaml
holds 'task `a` asks for 2 licence' err
exits 8 leat run big.yaml --resource licence=1
printf 'leat: 1\nname: gpu\ntasks: { a: { run: "true", resources: { gpus: 1 } } }\n' >gpu.yaml
exits 8 leat run gpu.yaml --resource gpus=0.5
holds 'task `a` asks for 1 gpu, this machine has 0.5 gpus' err
exits 0 leat run big.yaml --resource licence=2
exits 2 leat run big.yaml --resource licence=two
holds '--resource wants NAME=AMOUNT, the amount a number above 0' err
cat >here.yaml <<'END'
leat: 1
name: here
tasks:
  first: { run: touch ran }
  cpus: { run: 'true', resources: { cpus: 100000 } }
  memory: { run: 'true', resources: { memory: 4TiB, licence: 0.5 } }
  where: { run: 'true', where: { rack: b, os: plan9 } }
END
exits 0 leat check here.yaml
n=$(leat ls -q -n 1)
exits 8 leat run here.yaml --resource cpus=2 --resource memory=1.5GiB
expect 'here.yaml:5:3: task `cpus` asks for 100000 cpus, this machine has 2 cpus
    5 |   cpus: { run: '\''true'\'', resources: { cpus: 100000 } }
      |   ^~~~
here.yaml:6:3: task `memory` asks for 4096 GiB of memory, this machine has 1.5 GiB of memory
    6 |   memory: { run: '\''true'\'', resources: { memory: 4TiB, licence: 0.5 } }
      |   ^~~~~~
here.yaml:6:3: task `memory` asks for 0.5 licence, this machine has 0 licence
    6 |   memory: { run: '\''true'\'', resources: { memory: 4TiB, licence: 0.5 } }
      |   ^~~~~~
help: if it has more, say so: --resource licence=N
here.yaml:7:34: task `where` must run where rack is `b`; this machine'\''s is not set
    7 |   where: { run: '\''true'\'', where: { rack: b, os: plan9 } }
      |                                  ^~~~
help: if it is, say so: --label rack=b
here.yaml:7:43: task `where` must run where os is `plan9`; this machine'\''s is `linux`
    7 |   where: { run: '\''true'\'', where: { rack: b, os: plan9 } }
      |                                           ^~
5 errors' err
[[ ! -e ran && $(leat ls -q -n 1) == "$n" ]] || fail "something was run"
exits 0 leat run here.yaml --resource cpus=100000 --resource memory=4TiB \
    --resource licence=0.5 --label rack=b --label os=plan9

# Without a store nothing is kept; a store that can't be used says so.
n=$(leat ls -q --all | wc -l)
exits 0 leat run --no-store sum.yaml
holds 'the run succeeded: 2 tasks in ' err
exits 1 leat run --no-store fails.yaml
lacks 'leat retry' err
[[ $(leat ls -q --all | wc -l) == "$n" ]] || fail "it was kept"
touch file
exits 5 leat run --store file/x sum.yaml
holds '--no-store runs without keeping anything' err
