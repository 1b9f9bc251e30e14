#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# The README says what is so: its listings are the examples', its commands run
# and print what it shows, its numbers are those of the limits.
# shellcheck source=tests/support/lib.sh disable=SC2016
source "$(dirname "$0")/../support/lib.sh"
readme=$root/README.md

# block TYPE N: the N-th listing of that type
block() {
    awk -v type="\`\`\`$1" -v n="$2" '
        /^```/ && open { open = 0; next }
        /^```/ { open = 1; wanted = $0 == type && ++seen == n; next }
        open && wanted { print }' "$readme"
}

# shape: without what is different each time
shape() {
    sed -E 's/ [0-9.]+ (us|ms|s)$/ T/; s/^run [0-9]+/run N/; s/ *\| /| /
        s/\| [0-9]+$/| N/; s/ is [0-9]+$/ is N/; s/^[0-9]+$/N/'
}

diff -u <(sed '/^leat: 1/,$!d' "$root/examples/parallel.yaml") \
    <(block yaml 1) >&4 || fail "parallel.yaml is another"
code=$(block c 1)
[[ $code && $(<"$root/examples/parallel.c") == *"$code"* ]] ||
    fail "parallel.c is another"

# What the two print.
cp -r "$root/examples" .
mkdir -p build/bin
ln -s "$LEAT" build/bin/leat
ln -s "$EXAMPLES" build/examples
export LEAT_STORE=$work/store
for listing in 1 2; do
    block '' "$listing" >shown
    read -r _ command <shown
    [[ $command == *' run '*'-p stop=5' ]] || fail "no command: $command"
    eval "$command" >out 2>err
    diff -u <(sed 1d shown | shape) <(cat err out | shape) >&4 ||
        fail "it prints something else: $command"
done
x=$(leat run -q examples/parallel.yaml)
((x >= 0 && x <= 297)) || fail "x is $x"

# Each of its commands, on an example that fails.
block sh 2 >commands
[[ $(wc -l <commands) -ge 8 ]] || fail "where are the commands?"
while read -r line; do
    want=0
    [[ $line == 'leat run '* || $line == 'leat retry '* ]] && want=1
    exits "$want" eval "$line"
done <commands
[[ -s run.svg ]] || fail "no picture"

# A cluster for one run, and a standing one; what needs other machines is tried
# by hosts.sh and docker.sh.
PATH=$(dirname "$LEAT"):$PATH
export XDG_STATE_HOME=$work/state XDG_CACHE_HOME=$work/cache
daemons=()
finish() {
    local pid

    for ((i = ${#daemons[@]}; i > 0; i--)); do
        pid=${daemons[i - 1]}
        kill "$pid" 2>/dev/null || :
        wait "$pid" || :
    done
    cd / && chmod -R u+rwX "$work" && rm -rf "$work"
}
trap finish EXIT
block sh 3 | sed "s|tcp://10.0.0.41|ipc://$work/broker|" >commands
while read -r line; do
    case $line in
    '' | 'leat agent start '*) ;;
    docker-compose\ *) holds "${line%%  *}" "$root/docker-compose.yml" ;;
    leat-*' &'*)
        eval "$line" 2>>daemons
        daemons+=("$!")
        wait_for 20 leat agents -q --wait $((${#daemons[@]} - 1)) \
            --broker "ipc://$work/broker" >/dev/null
        ;;
    *) exits 0 eval "$line" ;;
    esac
done <commands
((${#daemons[@]} == 2)) || fail "where are the daemons?"
[[ $(leat ls -q | wc -l) == 3 ]] || fail "not all were runs of the broker"
unset LEAT_BROKER

# The bounds it names.
bound() {
    grep -Eq "^#define $1 +\\(?$2\\)?( |$)" "$root/proto/limits.h" ||
        fail "$1 is not $2"
}
bound LIMIT_TASKS 4000000u
bound LIMIT_CHILDREN 16000000u
bound LIMIT_VALUE_BYTES '16u << 20'
bound LIMIT_TRAVEL_BYTES '896u << 10'
bound LIMIT_ITEM_BYTES '896u << 10'
bound LIMIT_AGENTS 256u

# Every file it sends people to.
grep -oE '\((CONTRIBUTING|CHANGELOG|bench/README)\.md\)|`(docs|lib|flow|proto|broker|agent|tests)/[A-Za-z./-]+`' \
    "$readme" | tr -d '()`' | while read -r file; do
    [[ -e $root/$file ]] || fail "there is no $file"
done
