#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# The broker's disk is full: it says so, acknowledges nothing that is not safe,
# takes no new runs, and when there is room again goes on as if nothing was.
# shellcheck source=tests/support/lib.sh disable=SC2016,SC1083
source "$(dirname "$0")/../support/lib.sh"
# shellcheck source=tests/support/cluster.sh
source "$root/tests/support/cluster.sh"
# shellcheck source=tests/support/oracle.sh
source "$root/tests/support/oracle.sh"
mkdir broker-store
mount -t tmpfs -o size=24m leat "$work/broker-store" 2>/dev/null ||
    skip "nothing can be mounted here"
at_end() {
    umount -l "$work/broker-store"
}

cat >flow.yaml <<'END'
leat: 1
name: full
params: { log: { type: path } }
tasks:
  quick: { each: { i: 1..400 }, shell: sh, run: 'echo "quick $i" >>"$log"; head -c 300 /dev/zero | tr "\0" x; sleep 0.01', value: text }
  end: { needs: [quick], run: 'echo over', value: text }
output: ${end}
END
start_broker
start_agent one --slots 2
exits 0 remote agents --wait 1 --timeout 20s
mark
remote run flow.yaml -p log="$log" >watched 2>watched.err &
watcher=$!
wait_for 20 more 50
head -c 24000000 /dev/zero >broker-store/ballast 2>/dev/null || :
wait_for 30 grep -q store_trouble broker.log
exits 5 remote run -d flow.yaml -p log=/dev/null
kill -0 "$broker_pid" || fail "the broker has ended"
kill -0 "$watcher" || fail "the client has ended: $(tail watched.err)"
rm broker-store/ballast
wait_for 30 grep -q store_well broker.log
wait "$watcher" || fail "the run did not succeed: $(tail watched.err)"
expect over watched
(($(wc -l <"$log") == 400)) || fail "$(wc -l <"$log") were begun"
[[ ! $(twice) ]] || fail "begun twice: $(twice)"
recorded_once "$(remote ls -q -n 1)"
(($(wc -l <broker.log) < 60)) || fail "$(wc -l <broker.log) lines"
well
