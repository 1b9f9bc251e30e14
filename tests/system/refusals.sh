#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# What a daemon can't begin with: a port or store that is another's, an address
# of nowhere, few descriptors, a place that can't be written. It says so in a
# line and ends; the broker that is there notices nothing.
# shellcheck source=tests/support/lib.sh disable=SC2016,SC1083
source "$(dirname "$0")/../support/lib.sh"
# shellcheck source=tests/support/cluster.sh
source "$root/tests/support/cluster.sh"
# shellcheck source=tests/support/oracle.sh
source "$root/tests/support/oracle.sh"

cat >flow.yaml <<'END'
leat: 1
name: meanwhile
tasks:
  long: { run: 'until test -e stop; do sleep 0.05; done; echo long', value: text }
output: ${long}
END
start_broker
start_agent one --slots 1
exits 0 remote agents --wait 1 --timeout 20s
remote run -q flow.yaml >watched &
watcher=$!

begin() {
    timeout 20 "$bin/leat-broker" "$@"
}
serve() {
    timeout 20 "$bin/leat-agent" "$@"
}
exits 5 begin --bind "$broker" --store other
holds 'somebody does already' err
exits 5 begin --bind "ipc://$work/place" --store broker-store
holds "$broker" err
exits 5 begin --bind tcp://no.such.host.invalid:7100 --store other
holds 'no.such.host.invalid is not known' err
exits 6 begin --bind tcp://0.0.0.0:7100 --store other
holds '--insecure' err
exits 2 begin --bind nonsense:// --store other
exits 2 begin --bind "ipc://$work/place" --store other --lane-ports 9-1
exits 6 serve tcp://192.0.2.1:7100
holds '--insecure' err
exits 5 serve tcp://no.such.host.invalid:7100
holds 'no.such.host.invalid is not known' err

# few descriptors: told at once, no spin, no abort
few() {
    (
        ulimit -n 64
        "$@"
    )
}
exits 5 few begin --bind "ipc://$work/place" --store other
holds 'files may be open' err
exits 5 few serve "$broker" --name two --slots 8
holds 'files may be open' err

# a store that is no folder, no store, or can't be written
touch file
exits 5 begin --bind "ipc://$work/place" --store file
holds file err
mkdir -p odd
head -c 100000 /dev/urandom >odd/leat.db
status=0
begin --bind "ipc://$work/place" --store odd 2>err || status=$?
((status == 5)) || fail "exit status $status: $(cat err)"
holds odd err
exits 5 begin --bind "ipc://$work/place" --store /proc/nowhere
holds /proc/nowhere err
exits 5 begin --bind "ipc://$work/no/such/folder" --store other
holds "no/such/folder" err
[[ ! -e $work/place ]] || fail "a socket is left"

# a program that can't be one
chmod -x flow.yaml
printf '\177ELF\2\1\1\0nothing of a program' >odd/program
chmod +x odd/program
status=0
LEAT_BROKER=$broker timeout 20 "$LEAT" run odd/program 2>err || status=$?
((status > 0 && status != 124 && status < 128)) || fail "exit status $status"

touch stop
wait "$watcher" || fail "the run was disturbed"
expect long watched
well
