#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Commands, one in flight and with the store unless said.
set -euo pipefail
n=600
runs=5

cat >argv.yaml <<END
leat: 1
tasks: { t: { each: { i: 1..$n }, argv: [/bin/true] } }
END
cat >script.yaml <<END
leat: 1
tasks: { t: { each: { i: 1..$n }, run: 'true' } }
END
each=(sh -c "seq $n | \"\$LEAT\" each -q -- true")
row() { # WHAT AIM OURS... -- BESIDE...
    "$PAIR" "$1" --runs $runs --count $n --aim "$2" -- "${@:3}"
}
row 'mapped argv: [/bin/true], beside a posix_spawn loop' 0.95 \
    "$LEAT" run -q argv.yaml -- "$PROGRAMS/spawn_loop" $n
row 'mapped run: true, beside a posix_spawn loop of its shell' \
    'only its shell' "$LEAT" run -q script.yaml \
    -- "$PROGRAMS/spawn_loop" $n 1 bash -euo pipefail -c true
# With an argument true(1) does more: it looks for a translation.
row 'each -- true, beside a posix_spawn loop' 0.95 \
    "${each[@]}" -- "$PROGRAMS/spawn_loop" $n 1 true 1
row 'each -- true, beside xargs -n1' '' \
    "${each[@]}" -- sh -c "seq $n | xargs -n1 true"
# What is below all of these, without flow, plan and store.
for k in 1 2 4 8; do
    row "attempts of /bin/true, $k in flight, beside as many posix_spawn" 0.95 \
        "$PROGRAMS/exec_loop" $n $k -- "$PROGRAMS/spawn_loop" $n $k
done
n=200 runs=3
each=(sh -c "seq $n | \"\$LEAT\" each -q -- true")
if command -v parallel >/dev/null; then
    row 'each -- true, beside GNU parallel -j1' '' \
        "${each[@]}" -- sh -c "seq $n | parallel -j1 true"
fi
if [[ ${HYPERQUEUE-} ]]; then
    "$PAIR" 'each -- true, beside HyperQueue, one slot, submit to end' \
        --runs $runs --count $n --says \
        -- "${each[@]}" -- "$HYPERQUEUE" "$RIVALS/hyperqueue_tasks.py" true $n
fi
