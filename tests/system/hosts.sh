#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Agents on other hosts, through a real sshd of the test's own: started,
# refused, brought along, listed, stopped.
# shellcheck source=tests/support/lib.sh disable=SC2016
source "$(dirname "$0")/../support/lib.sh"
# shellcheck source=tests/support/cluster.sh
source "$root/tests/support/cluster.sh"
sshd=$(command -v sshd || echo /usr/sbin/sshd)
[[ -x $sshd ]] || skip "there is no sshd"
command -v jq >/dev/null || skip "there is no jq"

# Whatever happens: no agent and no sshd stays.
at_end() {
    local pid file

    for file in "$work"/*/state/leat/agent-*.pid; do
        [[ -s $file ]] && kill -KILL "$(<"$file")" 2>/dev/null
    done
    for pid in $(jobs -p); do kill "$pid" 2>/dev/null; done
    wait
}

# ---- hosts: one sshd, and who asks it decides where home is ----
# Until then it is none that has a .bashrc: who knows what that would say.

ssh-keygen -qt ed25519 -N '' -f host-key
ssh-keygen -qt ed25519 -N '' -f key
cat >enter <<END_ENTER
. $work/\$TEST_HOST/profile
cd && eval "\$SSH_ORIGINAL_COMMAND"
END_ENTER
((EUID != 0)) || mkdir -p /run/sshd
for ((try = 0; try < 20; try++)); do
    port=$((20000 + RANDOM % 10000))
    cat >sshd.conf <<END_CONF
Port $port
ListenAddress 127.0.0.1
HostKey $work/host-key
AuthorizedKeysFile $work/key.pub
PidFile none
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
PasswordAuthentication no
AcceptEnv TEST_HOST
SetEnv HOME=$work
ForceCommand sh $work/enter
END_CONF
    "$sshd" -f sshd.conf -D -E sshd.log &
    until grep -q 'Server listening' sshd.log 2>/dev/null || gone "$!"; do
        read -rt 0.02 -u "$never" || :
    done
    gone "$!" || break
    rm -f sshd.log
done
[[ -e sshd.log ]] || fail "sshd does not start"

# host NAME PATH [OPTION]...: what the user's configuration says of one
host() {
    local name=$1 path=$2
    shift 2

    mkdir -p "$name"
    printf 'Host %s\n  HostName 127.0.0.1\n  Port %s\n' "$name" "$port"
    printf '  IdentityFile %s\n  SetEnv TEST_HOST=%s\n' "$work/key" "$name"
    for option in "$@"; do printf '  %s\n' "$option"; done
    {
        printf 'export HOME=%s PATH=%s\n' "$work/$name" "$path"
        printf 'export LEAT_AGENT_NAME=%s\n' "$name"
        printf 'export XDG_STATE_HOME=$HOME/state XDG_CACHE_HOME=$HOME/cache\n'
    } >"$name/profile"
}
system=/usr/bin:/bin
mkdir good ended away ldd
{
    host one "$work/good:$system"
    host two "$work/good:$system" 'ProxyJump one'
    host noisy "$work/good:$system"
    host ended "$work/ended:$system"
    host away "$work/away:$system"
    host bare "$system"
    host real "$bin:$system"
    host brought "$system"
    host poor "$work/ldd:$work/good:$system"
    host other "$work/uname:$system"
    printf 'Host refuses\n  HostName 127.0.0.1\n  Port 1\n'
    printf 'Host *\n  UserKnownHostsFile %s\n  StrictHostKeyChecking no\n' \
        "$work/known"
    printf '  IdentitiesOnly yes\n  LogLevel ERROR\n'
} >ssh.conf
echo 'echo welcome; echo to all >&2' >>noisy/profile
export LEAT_SSH="ssh -F $work/ssh.conf"

# Stands in for the program where only its ways to begin and end matter.
mkfifo ever
cat >good/leat-agent <<END_AGENT
#!/bin/sh
echo "now info agent joined words='\$*'" >&2
read -r _ <>"$work/ever"
END_AGENT
printf '#!/bin/sh\necho no such thing >&2\nexit 3\n' >ended/leat-agent
printf '#!/bin/sh\nprintf "\\tlibzmq.so.5 => not found\\n\\tlibc.so.6 => /x\\n"\n' >ldd/ldd
cat >away/leat-agent <<END_AGENT
#!/bin/sh
echo 'now warn agent broker_away why=gone' >&2
read -r _ <>"$work/ever"
END_AGENT
mkdir uname
printf '#!/bin/sh\necho Plan9 mips\n' >uname/uname
chmod +x away/leat-agent good/leat-agent ended/leat-agent ldd/ldd uname/uname

# agent ARG...: and its lines in order
agent() {
    local status=0

    leat agent "$@" --broker "${at-tcp://127.0.0.1:7100}" >out 2>err ||
        status=$?
    sort -o out out
    sed -i 's/(pid [0-9]*)/(pid N)/' out
    return "$status"
}
pid_of() {
    cat "$1"/state/leat/agent-*.pid
}

# It takes as long as an agent may take to join: meanwhile the others.
leat agent start away --broker tcp://127.0.0.3 >away.out 2>&1 &
away=$!

# ---- start ----

agent start one two noisy --slots 3 --label "site=a 'b'" --resource licence=2 \
    --insecure || fail "start: $(cat out err)"
expect 'noisy: joined (pid N)
one: joined (pid N)
two: joined (pid N)' out
expect '' err
for name in one two noisy; do
    kill -0 "$(pid_of $name)" || fail "no agent on $name"
    holds "words='tcp://127.0.0.1:7100 --insecure --slots 3 --label site=a 'b' --resource licence=2'" \
        $name/state/leat/agent-*.log
done
first=$(pid_of one)
[[ $(readlink "/proc/$first/cwd") == "$work/one" ]] || fail "not at home"
[[ $(ps -o sid= -p "$first" | tr -d ' ') == "$first" ]] || fail "no session"
ls "/proc/$first/fd" >fds
[[ ! -e /proc/$first/fd/9 ]] || fail "it holds the lock: $(cat fds)"

# Once more: it is there. Two at once are one. A pid of another is not it.
agent start one || fail "start again: $(cat out)"
expect 'one: runs (pid N)' out
LEAT_BROKER=tcp://127.0.0.1:7100 exits 0 leat agent start one -j 2
holds "one: runs (pid $first)" out
[[ $(pid_of one) == "$first" ]] || fail "a second agent"
at=tcp://127.0.0.2 agent start one || fail "for another broker: $(cat out)"
expect 'one: joined (pid N)' out
at=tcp://127.0.0.2 agent stop one || fail "$(cat out)"
kill -KILL "$(pid_of two)"
echo $$ >"$(echo two/state/leat/agent-*.pid)"
LEAT_INSECURE=yes leat agent start two --broker tcp://127.0.0.1:7100 >two.1 &
LEAT_INSECURE=yes leat agent start two --broker tcp://127.0.0.1:7100 >two.2
wait $!
sort two.1 two.2 | sed 's/(pid [0-9]*)/(pid N)/' >out
expect 'two: joined (pid N)
two: runs (pid N)' out
holds --insecure two/state/leat/agent-*.log

# ---- what goes wrong is said, host for host, and the others go on ----

printf '# a comment\n\n  refuses # not there\nended\nnowhere.invalid\npoor\nbare\none\n' >list
! agent start --hosts-file list || fail "all is well?"
sed -i -E 's/^(nowhere.*Could not resolve hostname).*/\1/' out
expect 'bare: leat-agent is not installed there; --copy brings it
ended: the agent ended at once: no such thing
nowhere.invalid: not reached: ssh: Could not resolve hostname
one: runs (pid N)
poor: libraries are missing there: libzmq.so.5
refuses: not reached: ssh: connect to host 127.0.0.1 port 1: Connection refused' out
exits 1 leat agent start refuses --broker tcp://127.0.0.1:7100
LEAT_SSH=$work/no-ssh exits 1 leat agent ls one --broker tcp://127.0.0.1:7100
holds 'no-ssh' out

# Wrong command lines.
exits 2 leat agent start one
holds 'needs a broker: name one with --broker ADDRESS' err
exits 2 leat agent start --broker tcp://127.0.0.1
holds 'which hosts?' err
exits 2 leat agent begin one --broker tcp://127.0.0.1
holds 'leat-agent ADDRESS' err
exits 2 leat agent start one --broker ipc:///tmp/x
holds "can't reach a broker at ipc:///tmp/x" err
exits 3 leat agent start --broker tcp://127.0.0.1 -- '-oProxyCommand=touch x'
holds "can't be a host's name" err
[[ ! -e x ]] || fail "a host's name was an option"
exits 4 leat agent start --hosts-file none --broker tcp://127.0.0.1
printf 'one\n-x\n' >bad-list
exits 3 leat agent start --hosts-file bad-list --broker tcp://127.0.0.1
holds 'bad-list:2:' err

# ---- --copy ----

mkdir mine
cp good/leat-agent mine
export LEAT_BIN=$work/mine
! agent start --copy bare other one refuses || fail "all is well?"
expect 'bare: joined (pid N)
one: runs (pid N)
other: leat-agent is not installed there, and that is another kind of machine than this: Plan9 mips
refuses: not reached: ssh: connect to host 127.0.0.1 port 1: Connection refused' out
cmp mine/leat-agent bare/cache/leat/bin/leat-agent
[[ ! -e one/cache ]] || fail "brought where it was installed"
[[ $(ls -A bare/cache/leat/bin) == leat-agent ]] || fail "left over"
unset LEAT_BIN

# ---- ls and stop, of what was started from here ----

agent ls || fail "ls: $(cat out)"
expect 'bare: runs (pid N)
noisy: runs (pid N)
one: runs (pid N)
two: runs (pid N)' out
leat agent ls one ended --json --broker tcp://127.0.0.1:7100 >ls.json
jq -e --argjson pid "$first" '.schema == "leat.hosts/1" and
    .broker == "tcp://127.0.0.1:7100" and
    .hosts[0] == {host: "one", state: "running", pid: $pid, text: ""} and
    .hosts[1].state == "absent" and .hosts[1].pid == null' ls.json >&4 ||
    fail "$(cat ls.json)"
pids=$(pid_of one; pid_of two; pid_of noisy; pid_of bare)
agent stop one || fail "stop: $(cat out)"
expect 'one: stopped (pid N)' out
agent stop one || fail "stop: $(cat out)"
expect 'one: no agent runs there' out
agent stop || fail "stop: $(cat out)"
expect 'bare: stopped (pid N)
noisy: stopped (pid N)
two: stopped (pid N)' out
for pid in $pids; do
    [[ ! $(tr -d '\0' 2>/dev/null <"/proc/$pid/cmdline") ]] ||
        fail "$pid still runs"
done
agent ls || fail "ls: $(cat out)"
expect '' out

! wait "$away" || fail "one that does not reach its broker is well"
sed -i 's/(pid [0-9]*)/(pid N)/' away.out
expect 'away: started, but does not reach the broker (pid N): now warn agent broker_away why=gone' away.out
at=tcp://127.0.0.3 agent stop || fail "stop: $(cat out)"
expect 'away: stopped (pid N)' out

# ---- the real ones ----

for ((try = 0; try < 20; try++)); do
    port=$((20000 + RANDOM % 10000))
    at=tcp://127.0.0.1:$port
    "$bin/leat-broker" --bind "$at" --lane-ports $((port + 2))-$((port + 5)) \
        --store broker-store 2>broker.log &
    pid=$!
    until grep -q ' ready ' broker.log || gone "$pid"; do
        read -rt 0.02 -u "$never" || :
    done
    gone "$pid" || break
done
daemons+=("$pid")
agent start real --slots 2 --label site=attic || fail "$(cat out)"
expect 'real: joined (pid N)' out
agent start brought real --copy || fail "$(cat out)"
expect 'brought: joined (pid N)
real: runs (pid N)' out
exits 0 leat agents -q --wait 2 --broker "$at"
sort -o out out
expect 'brought
real' out
exits 0 leat run -q "$root/examples/parallel.yaml" -p stop=1 --broker "$at"
expect 0 out

# What has begun is let finish: the agent waits for it, and stop for the agent.
mkfifo begun
cat >long.yaml <<END_FLOW
leat: 1
tasks: { a: { run: 'echo >$work/begun; read -rt 0.5 <>$work/ever; echo end',
              shell: bash, where: { site: attic }, value: text } }
output: \${a}
END_FLOW
leat run -d -q long.yaml --broker "$at" >number
read -r _ <begun
agent stop || fail "$(cat out)"
expect 'brought: stopped (pid N)
real: stopped (pid N)' out
exits 0 leat value "$(<number)" --broker "$at"
expect end out
