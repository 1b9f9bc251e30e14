#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# More connections than a broker may have files open: it says so once, and goes
# on when they are gone.
# shellcheck source=tests/support/lib.sh disable=SC2016,SC1083
source "$(dirname "$0")/../support/lib.sh"
# shellcheck source=tests/support/cluster.sh
source "$root/tests/support/cluster.sh"
# shellcheck source=tests/support/oracle.sh
source "$root/tests/support/oracle.sh"
most=4096 # the least that a broker takes
python3 -c 'import ctypes; ctypes.CDLL("libxxhash.so.0")' 2>/dev/null ||
    skip "there is no python3, or it finds no libxxhash"
ulimit -n $((2 * most)) 2>/dev/null || skip "few files may be open here"
zmtp() {
    exec timeout 120 python3 "$root/tests/support/zmtp.py" "$@"
}
port=$(zmtp ports 8)
broker=tcp://127.0.0.1:$port
(
    ulimit -n $most
    exec "$bin/leat-broker" --bind "$broker" --store "$work/broker-store" \
        --lane-ports $((port + 2))-$((port + 7))
) 2>>broker.log &
broker_pid=$!
daemons+=("$broker_pid")
wait_for 10 grep -q ' ready ' broker.log
# shellcheck disable=SC2034 # for the end
broker_files=$(files_of "$broker_pid")
start_agent one --slots 1
exits 0 remote agents --wait 1 --timeout 20s
files() {
    find "/proc/$broker_pid/fd" -type l | wc -l
}
before=$(files)

mkfifo end
# shellcheck disable=SC2094 # two files
zmtp hold "$broker" $((most + 100)) ready <end >held 2>&1 &
holder=$!
exec {end}>end
wait_for 60 grep -q ' no_files ' broker.log
cat >flow.yaml <<'END'
leat: 1
name: short
tasks: { a: { run: 'true' } }
END
kill "$holder"
wait "$holder" || :
flat() {
    (($(files) <= before + 2))
}
wait_for 20 flat
exits 0 remote run -q flow.yaml
(($(grep -c ' no_files ' broker.log) == 1)) || fail "told too often: $(cat broker.log)"
well
