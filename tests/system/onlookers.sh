#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Many look at one run: from the start, late, with a pause, until after its end,
# and some that ask but never read an answer. All see all of it; nobody holds up
# the run or the broker, nor takes much of its memory.
# shellcheck source=tests/support/lib.sh disable=SC2016,SC1083
source "$(dirname "$0")/../support/lib.sh"
# shellcheck source=tests/support/cluster.sh
source "$root/tests/support/cluster.sh"
# shellcheck source=tests/support/oracle.sh
source "$root/tests/support/oracle.sh"

# Three tasks write in four steps, each when there is a file for it.
cat >flow.yaml <<'END_OF_FLOW'
leat: 1
name: steps
params: { dir: { type: path }, n: { type: int } }
tasks:
  talk:
    each: { i: 1..3 }
    shell: bash
    run: |
      for step in 1 2 3 4; do
        until [[ -e $dir/step.$step ]]; do read -rt 0.02 <>"$dir/never" || :; done
        for ((k = 1; k <= n; k++)); do echo "step $step line $k of $i"; done
      done
END_OF_FLOW
mkfifo never unread
n=2000
start_broker
start_agent one --slots 4
exits 0 remote agents --wait 1 --timeout 20s
remote run -d flow.yaml -p dir="$work" -p n=$n >number
run=$(cat number)
rss() {
    awk "/^$1/ { print \$2 }" "/proc/$broker_pid/status"
}

# step N: it is done, and committed: somebody has seen it
step() {
    local i

    : >"step.$1"
    for i in 1 2 3; do
        wait_for 20 grep -q "step $1 line $n of $i\$" watch.1
    done
}
declare -a watchers=()
# watcher N ARG...: it writes to watch.N
watcher() {
    local nth=$1
    shift

    LEAT_BROKER=$broker LEAT_STORE=$work/store "$LEAT" "$@" "$run" \
        >"watch.$nth" 2>&1 &
    watchers[nth]=$!
}
watcher 1 watch
watcher 2 watch
watcher 3 logs -f
step 1
wait_for 20 grep -q 'step 1' watch.2
wait_for 20 grep -q 'step 1' watch.3
kill -STOP "${watchers[2]}" "${watchers[3]}"
watcher 4 watch
watcher 5 logs -f
wait_for 20 grep -q 'step 1' watch.4

# one whose own output nobody takes, and peers that never read an answer: some
# thousand answers of a quarter of a MB, if all were kept
exec 8<>unread 7<>never
LEAT_BROKER=$broker LEAT_STORE=$work/store "$LEAT" logs -f "$run" >&8 2>&1 &
watchers[6]=$!
for i in 1 2; do
    timeout 100 python3 "$root/tests/support/zmtp.py" deaf "$broker" 4000 \
        <&7 >"sent.$i" &
    deaf[i]=$!
done
step 2
for i in 1 2; do wait_for 60 grep -q sent "sent.$i"; done
kill -CONT "${watchers[2]}"
step 3
wait_for 20 grep -q 'step 3' watch.2
watcher 7 watch
: >step.4
exits 0 remote wait "$run" # with all of them

# the rest comes to its senses
for i in 1 2 4 5 7; do wait "${watchers[i]}" || fail "watcher $i"; done
kill -CONT "${watchers[3]}"
wait "${watchers[3]}" || fail "the one that slept"
watcher 8 watch
wait "${watchers[8]}" || fail "the one after the end"
for i in 1 2 3; do
    for s in 1 2 3 4; do
        for ((k = 1; k <= n; k++)); do echo "step $s line $k of $i"; done
    done >"want.$i"
done
for w in 1 2 3 4 5 7 8; do
    for i in 1 2 3; do
        cmp "want.$i" <(sed -n "s/^.*| \(step .* of $i\)\$/\1/p" "watch.$w") >&4 ||
            fail "watcher $w does not see what task $i wrote"
    done
done
# still deaf, and others are answered
kill -0 "${deaf[@]}" || fail "who does not read was sent away"
before=$EPOCHSECONDS
for i in 1 2 3 4 5 6 7 8 9; do exits 0 remote run -q flow.yaml -p dir="$work" -p n=20; done
((EPOCHSECONDS - before < 20)) || fail "others are held up"
echo "broker $(rss VmHWM) KiB" >&3
# the sanitizers keep what was freed
grep -qa libasan "/proc/$broker_pid/maps" || (($(rss VmHWM) < 250000)) ||
    fail "the broker took $(rss VmHWM) KiB"
exec 7>&- 8>&-
kill "${watchers[6]}" "${deaf[@]}" 2>/dev/null
wait "${watchers[6]}" "${deaf[@]}" || :
well
