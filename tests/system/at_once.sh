#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Many leat use one store at the same time: runs, and those who look at them.
# shellcheck source=tests/support/lib.sh disable=SC2016,SC1083
source "$(dirname "$0")/../support/lib.sh"

cat >sum.yaml <<'END'
leat: 1
name: sum
params: { n: { type: int } }
tasks:
  part: { each: { i: "1..${n}" }, run: 'echo $((i * n))', value: int }
  sum: { with: { x: "${part}" }, run: 'echo "$x" | paste -sd+ | bc', value: int }
output: ${sum}
END

# Twenty begin in a store that is not there yet.
jobs=()
for n in {1..20}; do
    LEAT_STORE=$work/store "$LEAT" run -q --name "n$n" sum.yaml -p n="$n" \
        >"out.$n" 2>"err.$n" &
    jobs+=($!)
done
for job in "${jobs[@]}"; do wait "$job" || fail "$(cat err.*)"; done
for n in {1..20}; do
    expect '' "err.$n"
    expect $((n * n * (n + 1) / 2)) "out.$n"
    [[ $(leat value "n$n") == $(<"out.$n") ]] || fail "n$n has another value"
done
[[ $(leat ls -q | sort -n | xargs) == $(seq 20 | xargs) ]] || fail "not 1 to 20"

# A run that does not end waits for no other, and is followed meanwhile.
mkfifo go begun
cat >slow.yaml <<'END'
leat: 1
name: slow
tasks:
  a: { run: 'echo first; echo b >begun; read -r x <go; echo "then $x"' }
  b: { each: { i: [1, 2] }, run: 'echo "b $i" >&2' }
END
LEAT_STORE=$work/store "$LEAT" run -q slow.yaml 2>err.slow &
slow=$!
read -r _ <begun
exits 0 leat run -q sum.yaml -p n=3
expect 18 out
LEAT_STORE=$work/store "$LEAT" logs -f 21 >followed 2>&1 &
follower=$!
LEAT_STORE=$work/store "$LEAT" wait 21 2>waited &
waiter=$!
wait_for 10 grep -q first followed
exits 0 leat show 21
holds 'run 21 of slow: running' out
holds 'leat logs -f 21' out
exits 5 leat rm 21
holds "can't remove run 21: it is running" err
exits 5 leat retry 21
exits 4 leat value 21/a
echo on >go
wait "$slow" "$follower" "$waiter" || fail "$(cat err.slow followed waited)"
expect 'a | first
a | then on
b[1] | b 1
b[2] | b 2' followed
expect 'leat: run 21 succeeded' waited
