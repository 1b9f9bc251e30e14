#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# PROTOCOL.md says what limits.h, wire.proto and the tests have.
# shellcheck source=tests/support/lib.sh disable=SC2016
source "$(dirname "$0")/../support/lib.sh"
doc=$root/proto/PROTOCOL.md

# value NAME: what limits.h gives it, as a number
value() {
    local text
    text=$(sed -z 's/\\\n//g' "$root/proto/limits.h" |
        sed -nE "s|^#define $1 +([^/]*[^/ ]) *(/\\*.*)?\$|\\1|p" |
        sed -E 's/([0-9])u(ll)?/\1/g')
    [[ $text ]] && echo $((text))
}

n=0
while read -r name number; do
    [[ $(value "$name") == "$number" ]] ||
        fail "$name is $(value "$name"), not $number"
    n=$((n + 1))
done < <(sed -nE 's/^\| (LIMIT_[A-Z_]+) \| ([0-9]+) \|$/\1 \2/p' "$doc")
((n > 20)) || fail "only $n limits are in the table"
while read -r name; do
    grep -q "^| $name |" "$doc" || fail "$name is not in the table of limits"
done < <(grep -oE '`LIMIT_[A-Z_]+`' "$doc" | tr -d '`' | sort -u)

version=$(sed -nE 's/^#define WIRE_VERSION +//p' "$root/proto/wire.h")
grep -q "^Version $version\\." "$doc" || fail "the version is $version"

# every message has a section, and every field a row in it
section() {
    sed -n "/^### $1 /,/^##/p" "$doc"
}
message='' fields=0
while read -r kind name; do
    if [[ $kind == message ]]; then
        message=$name
        [[ $(section "$message") ]] || fail "$message has no section"
    else
        section "$message" | grep -qE "^\\|[^|]*\\b$name\\b[^|]*\\|" ||
            fail "$message.$name is not told"
        fields=$((fields + 1))
    fi
done < <(sed -nE 's/^message (\w+) .*/message \1/p
    s/^  (repeated )?\w+ (\w+) = [0-9]+.*/field \2/p' "$root/proto/wire.proto")
((fields > 100)) || fail "only $fields fields were found"

# every test that is named is there
while IFS='|' read -r _ _ shown _; do
    for word in $shown; do
        word=${word//[\`:,]/}
        case $word in
        test_*) file=$root/tests/unit/$word.c ;;
        fuzz_*) file=$root/tests/fuzz/$word.c ;;
        *.sh) file=$root/tests/system/$word ;;
        sim) file=$root/tests/sim/sim.c ;;
        *) grep -q "\\b$word(void" "$file" || fail "no test $word in $file" ;;
        esac
        [[ -f $file ]] || fail "no $file"
    done
done < <(sed -n '/^## 9/,$p' "$doc" | grep '`')
