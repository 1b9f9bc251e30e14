#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Run the benchmarks named (all of bench/NN-*.sh) and print one Markdown table.
# Each prints rows of seven columns, separated by tabs: what, ours, what it is
# measured beside, the ratio, ours and the ratio in CPU time, the aim; pair.py
# makes such rows. LEAT is the program, PROGRAMS has those of bench/*.c, and a
# temporary directory is where they are.
#
# PREFECT, HYPERQUEUE, DASK and RAY name a python that has Prefect 1.4.1 and so
# on (pip install prefect==1.4.1 hyperqueue "dask[distributed]" ray); without
# one its rows are left out.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
shopt -s nullglob

benches=("$@")
((${#benches[@]} > 0)) || benches=("$root"/bench/[0-9]*.sh)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export LEAT=$root/build/bin/leat PAIR=$root/bench/pair.py
export PROGRAMS EXAMPLES RIVALS=$root/bench/rivals
EXAMPLES=$(realpath "$root/build/examples")
PROGRAMS=$(dirname "$EXAMPLES")/bench
export LEAT_STORE=$work/store XDG_CONFIG_HOME=$work LC_ALL=C.UTF-8

echo "$(nproc) x $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)," \
    "Linux $(uname -r), $(date -u +%F), load $(cut -d' ' -f1 /proc/loadavg)"
echo
echo '| what | leat | beside | ratio | leat, CPU time | ratio | aim |'
echo '|---|---|---|---|---|---|---|'
for bench in "${benches[@]}"; do
    bench=$(realpath "$bench")
    mkdir "$work/now"
    (cd "$work/now" && "$bench") | sed 's/\t/ | /g; s/^/| /; s/$/ |/'
    rm -rf "$work/now"
done
