#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Load, check and plan big flow files, each task but the first needing another.
# Beside ninja (Debian's ninja-build), which reads and plans a build file of as
# many edges. (Trees, not chains: along those ninja recurses until it crashes.)
set -euo pipefail

tree() {
    echo 'leat: 1'
    echo 'tasks:'
    echo "  t0: { run: 'true' }"
    seq 1 $(($1 - 1)) | awk '{
        printf "  t%d: { run: '"'true'"', needs: [t%d] }\n", $1, $1 / 2 }'
}
edges() {
    printf 'rule t\n  command = true\nbuild t0: t\n'
    seq 1 $(($1 - 1)) | awk '{ printf "build t%d: t t%d\n", $1, $1 / 2 }'
}
tree 100000 >100k.yaml
tree 1000000 >1m.yaml
if command -v ninja >/dev/null; then
    edges 100000 >build.ninja
    "$PAIR" 'plan a file of 100,000 tasks, beside ninja -n' --runs 7 \
        --aim '0.3 s' -- "$LEAT" plan 100k.yaml -- ninja -n
fi
"$PAIR" 'plan a file of 100,000 tasks, beside check' --runs 7 --aim '0.3 s' \
    -- "$LEAT" plan 100k.yaml -- "$LEAT" check -q 100k.yaml
"$PAIR" 'plan a file of 1,000,000 tasks, beside check' --runs 3 --aim '3 s' \
    -- "$LEAT" plan 1m.yaml -- "$LEAT" check -q 1m.yaml
