#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Every flow of tests/conformance, in YAML or C, by each executor there is: in
# this process, by a cluster of its own, by a standing broker with two agents.
# What becomes of each task, its attempts, value and cause, what it wrote, the
# output on stdout and the exit status are as in NAME.expect; where a cluster is
# free, what holds of what `show --json` says is in NAME.cluster.jq instead. No
# task begins before all that it depends on has ended. A flow with a
# NAME.again.expect is run twice. UPDATE=1 writes the .expect files anew, of the
# runs in this process: read the difference. tests/covered.py -v tells which
# flow uses what.
# shellcheck source=tests/support/lib.sh
source "$(dirname "$0")/../support/lib.sh"
# shellcheck source=tests/support/same.sh
source "$root/tests/support/same.sh"
programs=$EXAMPLES/../tests/conformance
export LEAT_BIN=${LEAT%/*} LEAT_STORE=$work/store LEAT_PARAM_dir=$work/made LEAT_PARAM_log=$work/log
# what the flows ask for; there is nothing of it really
has=(--resource gpus=1 --resource licence=2)

# written: what each task wrote, in its order; but for lines so long that they
# are told in pieces
written() {
    leat logs last | LC_ALL=C awk 'length < 4000' | sed "s|$work|WORK|g" |
        LC_ALL=C sort -s -t '|' -k 1,1
}

# one EXECUTOR FLOW EXPECT ARG...: run it, compare and complain
one() {
    local where=$1 name=${2##*/} expect=$3 free=${2%.*}.cluster.jq status=0
    local -a run=(leat run -q "$2")
    [[ $2 == *.c ]] && run=("$programs/${name%.c}" run -q)
    name=${name%.*}
    shift 3

    rm -rf made log && mkdir made
    # nothing that another run has cached
    LEAT_PARAM_salt="$where" "${run[@]}" "$@" >out 2>err || status=$?
    ((status <= 1)) || fail "$where: $name: exit status $status: $(cat err)"
    leat show --json last >run.json
    leat plan --json last >plan.json
    in_order run.json plan.json || fail "$where: $name: out of order"
    if [[ $where != here && -e $free ]]; then
        jq -e "$(<"$free")" run.json >/dev/null ||
            fail "$where: $name is otherwise: $(listing run.json)"
        return
    fi
    { listing run.json && echo "exit: $status" &&
        sed "s|$work|WORK|g; s|^|out: |" out && written | sed 's/^/log: /'; } >seen
    [[ ${UPDATE-} && $where == here ]] && cp seen "$expect"
    diff -u "$expect" seen >&2 ||
        fail "$where: $name is not as expected: $(tail -n 3 err)"
}

# all EXECUTOR ARG...: every flow there is
all() {
    local flow

    for flow in "$root"/tests/conformance/*.{yaml,c}; do
        one "$1" "$flow" "${flow%.*}.expect" "${@:2}"
        [[ ! -e ${flow%.*}.again.expect ]] ||
            one "$1" "$flow" "${flow%.*}.again.expect" "${@:2}"
    done
    ((pairs > 50)) || fail "only $pairs pairs were in order"
    pairs=0
}
order='high,first,map 1,map 2,map 3,second,low'
flow=$root/tests/conformance/order
all here "${has[@]}"
one here "$flow.yaml" "$flow.expect"
expect "$order" <(paste -sd, log)
[[ -x $(dirname "$LEAT")/leat-broker && -x $(dirname "$LEAT")/leat-agent ]] ||
    exit 0
# shellcheck source=tests/support/cluster.sh
source "$root/tests/support/cluster.sh"
all "-j 2" -j 2 "${has[@]}"
# in order, as far as there is one: one at a time
one "-j 1" "$flow.yaml" "$flow.expect" -j 1
expect "$order" <(paste -sd, log)
start_broker
start_agent one --slots 2 "${has[@]}"
start_agent two --slots 2 "${has[@]}"
exits 0 remote agents --wait 2 --timeout 20s
export LEAT_BROKER=$broker
all broker
