#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Run the benchmarks named (all of bench/NN-*.sh) and print one Markdown table.
# Each prints rows of five columns, separated by tabs: what, ours, what it is
# measured beside, the ratio (above 1: we are quicker), the aim. pair.py makes
# such rows. LEAT is the program, and a temporary directory is where they are.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
shopt -s nullglob

benches=("$@")
((${#benches[@]} > 0)) || benches=("$root"/bench/[0-9]*.sh)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export LEAT=$root/build/bin/leat EXAMPLES=$root/build/examples
export PAIR=$root/bench/pair.py LEAT_STORE=$work/store LC_ALL=C.UTF-8

echo "$(nproc) x $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)," \
    "Linux $(uname -r), $(date -u +%F)"
echo
echo '| what | leat | beside | ratio | aim |'
echo '|---|---|---|---|---|'
for bench in "${benches[@]}"; do
    bench=$(realpath "$bench")
    mkdir "$work/now"
    (cd "$work/now" && "$bench") | sed 's/\t/ | /g; s/^/| /; s/$/ |/'
    rm -rf "$work/now"
done
