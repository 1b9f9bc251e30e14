#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# `make check`: every stage, one after another, also when one has failed.
# A stage that runs tests counts as many; any other counts as one.
set -uo pipefail
cd "$(dirname "$0")/.." || exit

passed=0 failed=0 broken=()
mkdir -p build/check

# stage NAME COMMAND...
stage() {
    local name=$1 log=build/check/$1.log start=$SECONDS status good bad
    shift

    echo "== $name: $*"
    "$@" 2>&1 </dev/null | tee "$log"
    status=${PIPESTATUS[0]}
    read -r good bad < <(awk '/^[0-9]+ passed, [0-9]+ failed$/ {
        good += $1; bad += $3 } END { print good + 0, bad + 0 }' "$log")
    if ((status != 0)); then
        ((bad > 0)) || bad=1
        broken+=("$name")
    elif ((good == 0)); then
        good=1
    fi
    ((passed += good, failed += bad))
    echo "== $name: $((SECONDS - start)) s"
}

san=SAN=address,undefined
stage gcc make all
stage tests make test
stage sim make sim SEEDS=10000
stage gcc-sanitized make "$san" unit replay
stage cluster-sanitized env JOBS=4 make "$san" cluster
stage sim-sanitized make "$san" sim SEEDS=1000
stage clang make CC=clang programs
stage clang-sanitized make CC=clang "$san" unit replay
stage lint make -k lint
stage valgrind env SEEDS=300 make valgrind
stage install tests/install.sh
stage schema tests/schema.py
stage covered tests/covered.py

if ((failed > 0)); then
    echo "failed: ${broken[*]} (output in build/check/NAME.log)"
fi
echo "$passed passed, $failed failed"
((failed == 0))
