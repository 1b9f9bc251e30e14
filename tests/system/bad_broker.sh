#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Agents at what is no broker, or one that talks nonsense: they say so, go on
# asking, use no time for it, and leave when they are told to.
# shellcheck source=tests/support/lib.sh disable=SC2016,SC1083
source "$(dirname "$0")/../support/lib.sh"
# shellcheck source=tests/support/cluster.sh
source "$root/tests/support/cluster.sh"
# shellcheck source=tests/support/oracle.sh
source "$root/tests/support/oracle.sh"
zmtp() {
    timeout 60 python3 "$root/tests/support/zmtp.py" "$@"
}
python3 -c 'import ctypes; ctypes.CDLL("libxxhash.so.0")' 2>/dev/null ||
    skip "there is no python3, or it finds no libxxhash"

# ticks PID: what it has used, in 10 ms
ticks() {
    awk '{ print $14 + $15 }' "/proc/$1/stat"
}
declare -A agents=() servers=() ends=() at=()
for how in silent garbage http keys version welcome closes; do
    port=$(zmtp ports 1)
    broker=tcp://127.0.0.1:$port
    at[$how]=$broker
    mkfifo "serve-$how"
    zmtp serve "$port" $how <"serve-$how" >"$how.accepted" &
    servers[$how]=$!
    exec {end}>"serve-$how"
    ends[$how]=$end
    start_agent "$how" --slots 1
    agents[$how]=$agent_pid
done
for how in "${!agents[@]}"; do
    wait_for 20 grep -q accepted "$how.accepted"
done

# one of another version is none that it could ever join
status=0
wait "${agents[version]}" || status=$?
((status == 6)) || fail "exit status $status"
holds 'speaks version 2 of the protocol' version.log
forget "${agents[version]}"
unset 'agents[version]'

# what is no broker is gone back to; not without pause, and quietly
for how in closes http keys; do
    again() {
        (($(wc -l <"$how.accepted") >= 3))
    }
    wait_for 20 again
done
declare -A used=() said=()
for how in "${!agents[@]}"; do
    used[$how]=$(ticks "${agents[$how]}") || fail "$how: the agent has ended"
    said[$how]=$(wc -l <"$how.log")
done
read -rt 3 -u "$never" || :
for how in "${!agents[@]}"; do
    n=$(ticks "${agents[$how]}") || fail "$how: the agent has ended"
    ((n - ${used[$how]} < 60)) || fail "$how: used $((n - ${used[$how]}))0 ms in 3 s"
    n=$(($(wc -l <"$how.log") - ${said[$how]}))
    ((n < 30)) || fail "$how: $n lines in 3 s"
    (($(wc -l <"$how.accepted") < 120)) ||
        fail "$how: $(wc -l <"$how.accepted") connections"
done
for how in garbage welcome; do
    grep -qE 'frame_dropped|no_connection' "$how.log" || fail "$how: not told"
done

# a client does not wait for long
for how in silent http keys; do
    begun=$SECONDS
    exits 5 leat agents --broker "${at[$how]}"
    holds "${at[$how]}" err
    [[ $how == http ]] || holds 'does not answer as a broker does' err
    ((SECONDS - begun < 15)) || fail "$how: said after $((SECONDS - begun)) s"
done

for how in "${!agents[@]}"; do
    kill -TERM "${agents[$how]}"
    wait "${agents[$how]}" || fail "$how: the agent did not leave well"
    forget "${agents[$how]}"
done
for how in "${!servers[@]}"; do
    end=${ends[$how]}
    exec {end}>&-
done
for how in "${!servers[@]}"; do wait "${servers[$how]}" || :; done
well
