#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Commands a second, one in flight, with the store.
set -euo pipefail
loop=$(dirname "$EXAMPLES")/bench/spawn_loop
n=1000

cat >argv.yaml <<END
leat: 1
tasks: { t: { each: { i: 1..$n }, argv: [/bin/true] } }
END
cat >script.yaml <<END
leat: 1
tasks: { t: { each: { i: 1..$n }, run: 'true' } }
END
cat >sh.sh <<'END'
for i in $(seq "$1"); do bash -euo pipefail -c true; done
END
row() {
    "$PAIR" "$1" --runs 5 --count $n --rate --aim "$2" -- "${@:3}"
}
row 'mapped argv /bin/true, beside a bare spawn loop' 0.95 \
    "$LEAT" run -q argv.yaml -- "$loop" $n
row 'mapped run: true, beside a loop of bash -c true' 'only its shell' \
    "$LEAT" run -q script.yaml -- bash sh.sh $n
row 'leat each -- true, beside a bare spawn loop' 0.95 \
    sh -c "seq $n | \"\$LEAT\" each -q -- true" -- "$loop" $n
row 'leat each -- true, beside xargs -n1 true' '' \
    sh -c "seq $n | \"\$LEAT\" each -q -- true" -- \
    sh -c "seq $n | xargs -n1 true"
if command -v parallel >/dev/null; then
    row 'leat each -- true, beside GNU parallel -j1' '' \
        sh -c "seq $n | \"\$LEAT\" each -q -- true" -- \
        sh -c "seq $n | parallel -j1 true"
fi
