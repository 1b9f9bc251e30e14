#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# The examples do what they say, on real input.
source "$(dirname "$0")/../support/lib.sh"

# the customer's flow: as a file, in C, and in C the other way
leat run -q "$root/examples/parallel.yaml" -p stop=5 >out
sum=$(leat show --json last | jq '[.tasks[0:3][].value] | add')
expect "$sum" out
for program in parallel parallel_imperative; do
    exits 0 env LEAT_STORE="$work/store" "$EXAMPLES/$program" run -p stop=5
    leat show --json last |
        jq -e '([.tasks[0:3][].value] | add) == .tasks[3].value and
            ([.tasks[0:3][].value] | all(. >= 0 and . < 5))' >/dev/null ||
        fail "$program: the sum is wrong"
    sum=$(leat show --json last | jq '.tasks[3].value')
    leat logs last | holds "The sum is $sum" /dev/stdin
done

# the ten most frequent words, counted once more in one go
folder=/usr/share/common-licenses
find $folder -maxdepth 1 -type f -exec cat {} + |
    tr '[:upper:]' '[:lower:]' | tr -cs '[:lower:]' '\n' | sed '/^$/d' |
    sort | uniq -c | sort -k1,1nr -k2 | awk 'NR <= 10 { print $1, $2 }' >want
leat run -q "$root/examples/wordcount.yaml" | jq -r '.[]' >out
expect "$(cat want)" out

# leat builds leat, and a second time nothing
cd "$root"
exits_quietly() { "$@" >"$work/out" 2>"$work/err" ||
    { cat "$work/err" >&2 && fail "exit status $?: $*"; }; }
build=(leat run -q examples/build.yaml -p "out=$work/built"
    -p 'cflags=["-std=c17", "-D_GNU_SOURCE", "-I.", "-O0"]')
exits_quietly "${build[@]}"
holds "$(leat version)" "$work/out"
exits_quietly "${build[@]}"
leat show --json last |
    jq -e '.tasks[] | select(.name == "compile").children |
        length > 50 and all(.state == "cached")' >/dev/null ||
    fail "the second build compiled something"
cd "$work"

# nightly: either branch; and when it fails it cleans up and alerts
state() {
    leat show --json last | jq -r --arg name "$1" \
        '.tasks[] | select(.name == $name).state'
}
mkdir small && echo text >small/file
exits 0 leat run "$root/examples/nightly.yaml" -p source="$work/small"
[[ $(state copy) == succeeded && $(state pack) == skipped ]] || fail 'small'
exits 0 leat run "$root/examples/nightly.yaml" -p limit=0
[[ $(state pack) == succeeded && $(state copy) == skipped ]] || fail 'large'
scratch=$(leat value last/prepare)
[[ $scratch && ! -e $scratch ]] || fail "not cleaned up: $scratch"
exits 1 leat run "$root/examples/nightly.yaml" -p source=/nowhere
[[ $(state clean-up) == succeeded && $(state alert) == succeeded ]] ||
    fail 'no clean-up or no alert'
leat show --json last |
    jq -e '.tasks[] | select(.name == "fetch").attempts == 3' >/dev/null ||
    fail 'fetch was not tried three times'

# a C flow that maps, branches and retries
exits 0 env LEAT_STORE="$work/store" "$EXAMPLES/harvest" run -q \
    -p folder=$folder -p report=longest
# shellcheck disable=SC2012 # names there are plain
longest=$(wc -l $folder/* 2>/dev/null | sort -nr | awk 'NR == 2 { print $1 }')
jq -e --argjson lines "$longest" '.lines == $lines' out >/dev/null ||
    fail 'harvest found another longest file'
[[ $(state send_report) == succeeded && $(state list_all) == skipped ]] ||
    fail 'harvest took the wrong branch'
