#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# leat-broker as a process: what it refuses, how it starts and ends.
# shellcheck source=tests/support/lib.sh
source "$(dirname "$0")/../support/lib.sh"
[[ -x $(dirname "$LEAT")/leat-broker ]] || skip "there is no broker"
unset LEAT_BROKER
serve() {
    "$(dirname "$LEAT")/leat-broker" "$@"
}
# become ARG...: so that $! is the broker itself
become() {
    exec "$(dirname "$LEAT")/leat-broker" "$@"
}
pids=()
end_all() {
    for pid in "${pids[@]}"; do
        kill -KILL "$pid" 2>/dev/null || :
        wait "$pid" 2>/dev/null || :
    done
}
trap 'end_all; cd / && chmod -R u+rwX "$work" && rm -rf "$work"' EXIT
export XDG_CONFIG_HOME=$work/config XDG_STATE_HOME=$work/state
at=ipc://$work/broker

# start LOG ARG...: in the background, when it is ready; $pid
start() {
    local log=$1
    shift

    become "$@" 2>"$log" &
    pid=$!
    pids+=("$pid")
    wait_for 10 grep -q ' ready ' "$log"
}

# ends STATUS: the last that was started
ends() {
    local status=0

    wait "$pid" || status=$?
    ((status == $1)) || fail "exit status $status, not $1"
}

# one clear line for each mistake
exits 2 serve --bnd x
holds '--bind' err
exits 2 serve nonsense
holds 'takes options only' err
exits 2 serve --lane-ports 7200
holds 'no range of ports' err
exits 2 serve --log-level loud
holds 'none of error, warn, info, debug' err
exits 2 serve --bind http://x
holds 'is not an address' err
exits 6 serve --bind tcp://0.0.0.0:7100
holds 'say --insecure' err
exits 5 serve --bind tcp://no-such-host.invalid:7100
holds 'no-such-host.invalid' err
exits 5 serve --bind "$at" --store /proc/store
holds '/proc/store' err
(
    ulimit -n 1000
    exits 5 serve --bind "$at"
    holds 'only 1000 files may be open, and a broker needs 4096' err
)
(($(wc -l <err) == 1)) || fail "more than one line"
exits 0 serve --version
exits 0 serve --help
holds '--lane-ports' out

# settings from file and environment; the store is where it is said to be
mkdir -p config/leat
echo "bind: $at" >config/leat/broker.conf
start first
holds "bind=$at" first
[[ -S $work/broker && -e state/leat-broker/leat.db ]] || fail "not in its place"

# nobody else has its store, nor its address
exits 5 serve --bind "$at-other"
holds "belongs to another broker that is running (leat-broker at $at, process \
$pid)" err
exits 5 serve --bind "$at" --store other
holds 'somebody does already' err
kill -TERM "$pid"
ends 0
[[ ! -e $work/broker ]] || fail "its socket is left"

# ports: three in a row that are free
for ((port = 21000 + RANDOM % 8000; ; port += 7)); do
    become --bind "tcp://127.0.0.1:$port" --store ports \
        --lane-ports "$((port + 2))-$((port + 3))" 2>ports.log &
    pid=$!
    pids+=("$pid")
    wait_for 10 grep -qE ' ready |somebody' ports.log
    grep -q ' ready ' ports.log && break
done
exits 5 serve --bind "tcp://127.0.0.1:$port"
holds "can't listen at tcp://127.0.0.1:$port" err
exits 5 serve --bind tcp://127.0.0.1:65535 --store last
holds 'the port after it is needed, too' err
kill -INT "$pid"
ends 0

# readiness by descriptor; the end by a lifeline, with the folder
mkfifo life ready
exec {hold}<>life
(exec {hold}>&-; become --bind "ipc://$work/folder/b" --store folder/store \
    --lifeline 5 --temporary "$work/folder" --ready-fd 6 \
    5<life 6>ready 2>temporary) &
pid=$!
pids+=("$pid")
exec {life}>life {hold}>&-
read -r -t 10 _ <ready || fail "it does not say that it is ready"
# it holds no store: a standing one may have it too
start beside --bind "$at" --store folder/store
kill -TERM "$pid"
ends 0
pid=${pids[-2]}
exec {life}>&-
ends 0
[[ ! -e folder ]] || fail "the folder is left"
mkdir folder
exits 5 serve --bind "ipc://$work/b" --temporary "$work/folder"
holds "can't make the folder $work/folder: File exists" err
[[ -e folder ]] || fail "the folder was not its own"

# it is told of what the disk does not take, and goes on when it does
if [[ $(type -t prlimit) ]]; then
    cat >flow.yaml <<'END'
leat: 1
name: flow
tasks:
  one: { run: 'read -r _ <go; head -c 300000 /dev/zero | tr "\0" x', value: text }
  two: { needs: [one], run: 'echo two' }
END
    mkfifo go
    start full --store full-store
    broker=$pid
    "$(dirname "$LEAT")/leat-agent" "$at" --name one --slots 1 2>agent.log &
    pids+=("$!")
    exits 0 leat agents --broker "$at" --wait 1 --timeout 20s
    exits 0 leat run -d --broker "$at" flow.yaml
    prlimit --pid "$broker" --fsize=$((128 << 10)):unlimited
    echo >go
    wait_for 20 grep -q 'error broker store_trouble' full
    exits 5 leat run -d --broker "$at" flow.yaml
    holds "takes no runs, as it can't store them" err
    prlimit --pid "$broker" --fsize=unlimited:unlimited
    wait_for 20 grep -q 'store_well' full
    exits 0 leat wait 1 --broker "$at"
    (($(leat value 1/one --broker "$at" | wc -c) >= 300000)) || fail "it is lost"
fi
