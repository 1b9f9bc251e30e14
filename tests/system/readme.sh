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

# A cluster for one run; the others need machines (hosts.sh, docker.sh).
line=$(block sh 3 | grep -e ' -j 8')
exits 0 eval "$line"
block sh 3 | grep '^docker-compose ' | while read -r line; do
    holds "${line%%  *}" "$root/docker-compose.yml"
done

# The bounds it names.
bound() {
    grep -Eq "^#define $1 +\\(?$2\\)?( |$)" "$root/proto/limits.h" ||
        fail "$1 is not $2"
}
bound LIMIT_TASKS 4000000u
bound LIMIT_CHILDREN 16000000u
bound LIMIT_VALUE_BYTES '16u << 20'

# Every file it sends people to.
grep -oE '\((CONTRIBUTING|CHANGELOG|bench/README)\.md\)|`(docs|lib|flow|proto|tests)/[a-z./-]+`' \
    "$readme" | tr -d '()`' | while read -r file; do
    [[ -e $root/$file ]] || fail "there is no $file"
done
