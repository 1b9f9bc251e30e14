#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# What --env passes on: each executor keeps it with the run for what is executed
# later, shows names and no values, and takes others with retry.
# shellcheck source=tests/support/lib.sh disable=SC2016,SC1083
source "$(dirname "$0")/../support/lib.sh"
# shellcheck source=tests/support/cluster.sh
source "$root/tests/support/cluster.sh"

cat >flow.yaml <<'END_OF_FLOW'
leat: 1
name: flow
tasks:
  first: { run: 'echo "$SECRET $OTHER" | tr a-z A-Z', value: text }
  second: { needs: [first], run: 'echo "$SECRET $OTHER" | tr a-z A-Z; test -e there', value: text }
output: ["${first}", "${second}"]
END_OF_FLOW

# secret: what nobody is shown is nowhere to be seen
secret() {
    local command

    for command in "show last" "show --json last" "show -v last" "ls --json"; do
        # shellcheck disable=SC2086 # words
        exits 0 leat $command
        lacks hush out
        lacks hush err
    done
}

# executed ARG...: for run and retry
executed() {
    rm -f there
    SECRET=hush exits 1 leat run flow.yaml --env SECRET --env OTHER=hush2 "$@"
    secret
    exits 0 leat show last
    grep -q '^env  *SECRET, OTHER$' out || fail "no names: $(cat out)"
    exits 0 leat show --json last
    jq -e '.env == ["SECRET", "OTHER"]' out >/dev/null || fail "no names"
    # the same again, though it is not here any more
    exits 1 leat retry last "$@"
    holds 'HUSH HUSH2' err
    # in another session, too, and only what is said is other
    exits 1 leat retry last --env SECRET=other --env MORE=1 "$@"
    holds 'OTHER HUSH2' err
    touch there
    exits 0 leat retry last "$@"
    expect '["HUSH HUSH2","OTHER HUSH2"]' out
    exits 0 leat show --json last
    jq -e '.env | sort == ["MORE", "OTHER", "SECRET"]' out >/dev/null ||
        fail "other names: $(jq -c .env out)"
    # what is given is no shell's, and must be text
    exits 0 leat retry last --from first --env 'SECRET=$(x) "y"' "$@"
    expect '["$(X) \"Y\" HUSH2","$(X) \"Y\" HUSH2"]' out
    exits 2 leat retry last --from first --env $'SECRET=\xff' "$@"
    holds '--env SECRET: its value is not UTF-8 text' err
    exits 2 leat retry last --from first --env THIS_IS_NOT_THERE "$@"
    holds 'there is no such variable here' err
}

# kept FOLDER: nobody else reads the store, and what it has goes with the run
kept() {
    local run
    run=$(leat ls -q -n 1)

    [[ $(stat -c %a "$1/leat.db") == 600 ]] || fail "others may read $1"
    [[ $(sqlite3 "$1/leat.db" "SELECT count(*) FROM env WHERE run = $run") == 1 ]] ||
        fail "it is not kept"
    sqlite3 "$1/leat.db" "SELECT * FROM runs" >seen
    lacks hush seen
    exits 0 leat rm "$run"
    [[ $(sqlite3 "$1/leat.db" "SELECT count(*) FROM env WHERE run = $run") == 0 ]] ||
        fail "it outlives its run"
}

executed
kept store
executed -j 2
kept store
# here and by a cluster are the same store
rm there
SECRET=hush exits 1 leat run flow.yaml --env SECRET --env OTHER=hush2
touch there
exits 0 leat retry last -j 2
expect '["HUSH HUSH2","HUSH HUSH2"]' out
rm there
SECRET=hush exits 1 leat run flow.yaml --env SECRET --env OTHER=hush2 -j 2
touch there
exits 0 leat retry last
expect '["HUSH HUSH2","HUSH HUSH2"]' out
exits 0 leat run --no-store --json flow.yaml --env SECRET=hush --env OTHER=2
jq -e '.env == ["SECRET", "OTHER"]' out >/dev/null || fail "no names"

start_broker
start_agent one
exits 0 remote agents --wait 1 --timeout 20s
export LEAT_BROKER=$broker
executed
kept broker-store
lacks hush broker.log
lacks hush one.log

# the broker is another one: what is begun by that has them, too
mkfifo ready go
cat >steps.yaml <<'END_OF_FLOW'
leat: 1
name: steps
tasks:
  one: { run: 'echo $$ >ready; read -r x <go' }
  two: { needs: [one], run: 'echo "$SECRET"', value: text }
output: ${two}
END_OF_FLOW
SECRET=hush exits 0 leat run -d --env SECRET steps.yaml
run=$(cat out)
read -r _ <ready
kill -KILL "$broker_pid"
wait "$broker_pid" || :
start_broker
exits 0 leat agents --wait 1 --timeout 20s
echo >go
exits 0 leat wait "$run"
exits 0 leat value "$run"
expect hush out

# a retry has a time of its own, wherever the client is, and keeps no earlier one
mkfifo never
cat >long.yaml <<'END_OF_FLOW'
leat: 1
name: long
tasks: { a: { run: 'test -e there || read -r x <>never', grace: 1h } }
END_OF_FLOW
rm there
exits 124 leat run long.yaml --timeout 100ms
exits 124 leat retry last --timeout 100ms
exits 0 leat retry last -d --timeout 100ms
exits 124 leat wait last
touch there
exits 0 leat retry last
exits 0 leat wait last
