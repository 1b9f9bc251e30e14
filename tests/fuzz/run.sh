#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Run fuzzers: tests/fuzz/run.sh SECONDS FUZZER...
# What they find new stays in build/fuzz/corpus-NAME; inputs that break
# something are build/fuzz/NAME-crash-*, and fail the run.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit

seconds=$1
status=0
shift
for fuzzer in "$@"; do
    name=${fuzzer##*/}
    corpus=build/fuzz/corpus-$name
    seeds=()
    for d in "tests/fuzz/corpus-$name" examples tests/data; do
        [[ -d $d ]] && seeds+=("$d")
    done
    options=(-max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048
        -artifact_prefix="build/fuzz/$name-" -print_final_stats=1)
    [[ -f tests/fuzz/$name.dict ]] && options+=(-dict="tests/fuzz/$name.dict")
    mkdir -p "$corpus"
    echo "fuzz  $name, $seconds s"
    if "$fuzzer" "${options[@]}" "$corpus" "${seeds[@]}" \
        2>"build/fuzz/$name.log"; then
        grep -E 'number_of_executed_units|new_units_added' \
            "build/fuzz/$name.log" | sed 's/^stat:: /    /'
    else
        status=1
        tail -n 40 "build/fuzz/$name.log"
    fi
done
exit "$status"
