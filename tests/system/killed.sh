#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# leat is killed at random moments, 30 times, and gone on with until its runs
# succeed: all is executed, and nothing twice that was recorded as finished.
# shellcheck source=tests/support/lib.sh disable=SC2016,SC1083
source "$(dirname "$0")/../support/lib.sh"
command -v jq >/dev/null || skip "there is no jq"
RANDOM=${SEED:=$$}

cat >flow.yaml <<'END'
leat: 1
name: killed
params: { log: { type: path } }
tasks:
  list: { run: 'echo list >>"$log"; seq 12', value: lines }
  square:
    each: { n: "${list}" }
    run: 'echo "square[$n]" >>"$log"; sleep 0.003; echo $((n * n))'
    value: int
  cube:
    each: { n: "${list}", s: "${square}" }
    zip: true
    run: 'echo "cube[$n,$s]" >>"$log"; echo $((n * s))'
    value: int
  sum:
    with: { all: "${cube}" }
    run: 'echo sum >>"$log"; echo "$all" | paste -sd+ | bc'
    value: int
output: ${sum}
END

# begin ARG...: leat in the background, killed after up to 150 ms
begin() {
    local job

    LEAT_STORE=$work/store "$LEAT" "$@" >out 2>err &
    job=$!
    read -rt "0.$(printf %03d $((RANDOM % 150)))" -u "$never" || :
    kill -KILL "$job" 2>/dev/null && kills=$((kills + 1))
    wait "$job" 2>/dev/null || :
}

# What is recorded as finished, and how much was executed until then.
remember() {
    leat show --json "$run" |
        jq -r '.tasks[] | ., (.children // [])[] |
            select(.state == "succeeded") | .name' >finished
    lines=$(wc -l <"$log")
}

# Nothing that was finished has been executed since.
check() {
    ! tail -n "+$((lines + 1))" "$log" | grep -Fxf finished >&4 ||
        fail "executed again, SEED=$SEED"
}

kills=0 run=0
while ((kills < 30)); do
    log=$work/log.$((run + 1))
    : >"$log"
    begin run -q flow.yaml -p log="$log"
    newest=$(leat ls -q -n 1)
    [[ ${newest:-0} != "$run" ]] || continue # killed before it was one
    run=$newest
    for ((sessions = 1; sessions < 60; sessions++)); do
        remember
        [[ $(leat show --json "$run" | jq -r .state) == interrupted ]] || break
        if ((kills < 30)); then
            begin retry -q "$run"
        else
            leat retry -q "$run" >out
        fi
        check
    done
    [[ $(leat value "$run") == 6084 ]] || fail "run $run, SEED=$SEED: $(cat err)"
    [[ $(sort -u "$log" | wc -l) == 26 ]] || fail "not all of it, SEED=$SEED"
done
sqlite3=$(command -v sqlite3 || :)
[[ ! $sqlite3 ]] ||
    [[ $("$sqlite3" store/leat.db 'pragma integrity_check') == ok ]] ||
    fail "the store is damaged, SEED=$SEED"
