#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# The examples do what they say, on real input, by each executor: in this
# process, by a cluster of their own, by a standing broker with two agents.
# shellcheck source=tests/support/lib.sh
source "$(dirname "$0")/../support/lib.sh"
# shellcheck source=tests/support/same.sh
source "$root/tests/support/same.sh"
folder=/usr/share/common-licenses
where=here
options=()
export LEAT_STORE=$work/store LEAT_BIN=${LEAT%/*} XDG_CACHE_HOME=$work/cache

# go STATUS COMMAND ARG...: `COMMAND run ARG...`, and nothing out of order;
# COMMAND is leat or an example in C
go() {
    local status=$1 program=$EXAMPLES/$2
    [[ $2 != leat ]] || program=$2

    exits "$status" "$program" run -q "${options[@]}" "${@:3}"
    leat show --json last >run.json
    leat plan --json last >plan.json
    in_order run.json plan.json || fail "$where: $2 ${*:3}: out of order"
}
# alike NAME: the run has come to what it has come to before
alike() {
    [[ $where != here ]] || listing run.json >"$1.here"
    listing run.json | diff -u "$1.here" - >&4 || fail "$where: $1 is otherwise"
}
# state TASK
state() {
    jq -r --arg name "$1" '.tasks[] | select(.name == $name).state' run.json
}

# the customer's flow: as a file, in C, and in C the other way
parallel() {
    local program

    go 0 leat "$root/examples/parallel.yaml" -p stop=5
    expect "$(jq '[.tasks[0:3][].value] | add' run.json)" out
    for program in parallel parallel_imperative; do
        go 0 $program -p stop=5
        jq -e '([.tasks[0:3][].value] | add) == .tasks[3].value and
            ([.tasks[0:3][].value] | all(. >= 0 and . < 5))' run.json >seen ||
            fail "$where: $program: the sum is wrong"
        leat logs last >out
        holds "The sum is $(jq '.tasks[3].value' run.json)" out
    done
}

# the ten most frequent words, counted once more in one go
wordcount() {
    find $folder -maxdepth 1 -type f -exec cat {} + |
        tr '[:upper:]' '[:lower:]' | tr -cs '[:lower:]' '\n' | sed '/^$/d' |
        sort | uniq -c | sort -k1,1nr -k2 |
        awk 'NR <= 10 { print $1, $2 }' >want
    go 0 leat "$root/examples/wordcount.yaml"
    expect "$(cat want)" <(jq -r '.[]' out)
    alike wordcount
}

# leat builds leat, and a second time nothing; the others only a part of it
build() {
    local -a build=(leat "$root/examples/build.yaml" -p "out=$work/built"
        -p 'cflags=["-std=c17", "-D_GNU_SOURCE", "-I.", "-O0"]')

    rm -f "$work"/built/base/*.o "$work/built/leat"
    go 0 "${build[@]}"
    expect "$(leat version)" out
    go 0 "${build[@]}"
    expect "$(leat version)" out
    jq -e '.tasks[] | select(.name == "compile").children |
        length > 50 and all(.state == "cached")' run.json >seen ||
        fail "$where: the second build compiled something"
}

# nightly: either branch; and when it fails it cleans up and alerts
nightly() {
    local nightly=$root/examples/nightly.yaml scratch

    go 0 leat "$nightly" -p source="$work/small"
    [[ $(state copy) == succeeded && $(state pack) == skipped ]] ||
        fail "$where: small"
    go 0 leat "$nightly" -p limit=0
    [[ $(state pack) == succeeded && $(state copy) == skipped ]] ||
        fail "$where: large"
    scratch=$(leat value last/prepare)
    [[ $scratch && ! -e $scratch ]] || fail "$where: not cleaned up: $scratch"
    go 1 leat "$nightly" -p source=/nowhere
    [[ $(state clean-up) == succeeded && $(state alert) == succeeded ]] ||
        fail "$where: no clean-up or no alert"
    jq -e '.tasks[] | select(.name == "fetch").attempts == 3' run.json >seen ||
        fail "$where: fetch was not tried three times"
}

# a C flow that maps, branches and retries
harvest() {
    local longest

    go 0 harvest -p folder=$folder -p report=longest
    # shellcheck disable=SC2012 # names there are plain
    longest=$(wc -l $folder/* 2>/dev/null | sort -nr | awk 'NR == 2 { print $1 }')
    jq -e --argjson lines "$longest" '.lines == $lines' out >seen ||
        fail "$where: harvest found another longest file"
    [[ $(state send_report) == succeeded && $(state list_all) == skipped ]] ||
        fail "$where: harvest took the wrong branch"
    alike harvest
}

all() {
    parallel
    wordcount
    build
    nightly
    harvest
}
mkdir small && echo text >small/file
ln -s "$root"/{base,flow,exec,store,proto,lib,cli} .
all
[[ -x $LEAT_BIN/leat-broker && -x $LEAT_BIN/leat-agent ]] || exit 0
# shellcheck source=tests/support/cluster.sh
source "$root/tests/support/cluster.sh"
where=-j options=(-j 2)
all
start_broker
start_agent one --slots 2
start_agent two --slots 2
exits 0 remote agents --wait 2 --timeout 20s
export LEAT_BROKER=$broker
where=broker options=()
all
((pairs > 500)) || fail "only $pairs pairs were in order"
