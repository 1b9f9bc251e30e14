#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Tasks write without a pause while the broker is killed again and again, stands
# still for so long that agents give it up, and an agent stands still for so long
# that it is given up: of each attempt that came to its own end every line is
# there once and in order, when the run is seen to have ended; of one that was
# lost with its agent, the first lines.
# shellcheck source=tests/support/lib.sh disable=SC2016,SC1083
source "$(dirname "$0")/../support/lib.sh"
# shellcheck source=tests/support/cluster.sh
source "$root/tests/support/cluster.sh"
# shellcheck source=tests/support/oracle.sh
source "$root/tests/support/oracle.sh"

# It goes on for as long as there is no file `enough`, and says how far it came.
cat >flow.yaml <<'END_OF_FLOW'
leat: 1
name: lines
params: { dir: { type: path }, log: { type: path } }
defaults:
  shell: bash
tasks:
  calm: { each: { i: 1..4 }, where: { zone: calm }, run: 'source "$dir/script"' }
  lost: { each: { i: 1..2 }, where: { zone: lost }, run: 'source "$dir/script"' }
END_OF_FLOW
cat >script <<'END_OF_SCRIPT'
k=0
who="${LEAT_TASK%%\[*} $i $LEAT_ATTEMPT"
while [[ ! -e $dir/enough ]]; do
    for ((j = 0; j < 40; j++)); do
        k=$((k + 1))
        echo "$who line $k of many"
    done
    echo "$who error $k" >&2
    echo "$who $k" >>"$log"
    read -rt 0.005 <>"$dir/never" || :
done
echo "$who $k" >>"$dir/ended"
END_OF_SCRIPT
mkfifo never

start_broker
start_agent one --slots 2 --label zone=calm
start_agent two --slots 2 --label zone=calm
start_agent three --slots 2 --label zone=lost
lost=$agent_pid
exits 0 remote agents --wait 3 --timeout 20s
remote run -d flow.yaml -p dir="$work" -p log="$log" >number
run=$(cat number)
began() {
    (($(cut -d' ' -f1-2 "$log" | sort -u | wc -l) == 6))
}
wait_for 20 began

# an agent stands still; its tasks go to another, which comes
kill -STOP "$lost"
stopped=$SECONDS
stopped_for() {
    ((SECONDS >= stopped + $1))
}
start_agent four --slots 2 --label zone=lost
taken=$agent_pid
for ((n = 0; n < 5; n++)); do
    mark
    wait_for 20 more 200
    strike "$broker_pid"
    # nobody takes it, and they do not go on for ever
    ((n != 2)) || wait_for 5 stopped_for 4
    start_broker
    exits 0 remote agents --wait 2 --timeout 20s
done
again() {
    (($(grep -c '^lost . 2 ' "$log") >= 20))
}
wait_for 30 again
# the broker stands still: agents give it up, and come back
kill -STOP "$broker_pid"
wait_for 30 eval '(($(grep -c " warn agent lost " one.log) >= 6))'
kill -CONT "$broker_pid"
wait_for 20 stopped_for 12
kill -CONT "$lost"
mark
wait_for 20 more 400
: >enough
exits 0 remote wait "$run"

# ---- what is there ----

# all lines of an attempt, checked: of how many lines
exits 0 remote logs --json "$run"
cp out logs.json
cat >check.py <<'END_OF_PYTHON'
import json, sys
ends = {}
for line in open("ended"):
    task, i, attempt, k = line.split()
    ends[task, i, attempt] = int(k)
got = {}
for line in open("logs.json"):
    line = json.loads(line)
    if line["stream"] == "leat":
        continue
    task, i, attempt, kind, k = line["text"].split()[:5]
    if line["text"] != f"{task} {i} {attempt} " + (
            f"line {k} of many" if kind == "line" else f"error {k}"):
        sys.exit(f"a line is torn: {line}")
    if (line["stream"] == "stdout") != (kind == "line"):
        sys.exit(f"in the wrong stream: {line}")
    got.setdefault((task, i, attempt), {}).setdefault(kind, []).append(int(k))
done = {tuple(line.split()) for line in open("succeeded")}
for key in sorted(got):
    lines, errors = got[key].get("line", []), got[key].get("error", [])
    if lines != list(range(1, len(lines) + 1)):
        sys.exit(f"lines of {key} are missing, or there twice")
    if errors != list(range(40, 40 * len(errors) + 1, 40)):
        sys.exit(f"errors of {key} are missing, or there twice")
    if key in done and (len(lines) != ends[key] or len(errors) != ends[key] // 40):
        sys.exit(f"{key} wrote {ends[key]} lines, {len(lines)} are there")
    print(*key, len(lines), "complete" if key in done else "lost")
if not done or done - set(got):
    sys.exit(f"nothing is there of {done - set(got)}")
END_OF_PYTHON
sqlite3 -separator ' ' "$work/broker-store/leat.db" "SELECT task, child + 1,
    attempt FROM attempts WHERE run = $run AND state = 'succeeded'" >succeeded
(($(wc -l <succeeded) == 6)) || fail "not all succeeded: $(cat succeeded)"
python3 check.py >&3 || fail "the output is not what was written"
recorded_once "$run"
rss() {
    awk '/^VmHWM/ { print $2 }' "/proc/$1/status"
}
# the sanitizers keep what was freed
grep -qa libasan "/proc/$taken/maps" || (($(rss "$taken") < 40000)) ||
    fail "the agent took $(rss "$taken") KiB"
well
