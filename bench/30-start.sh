#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# A whole process that runs one trivial task.
set -euo pipefail

cat >one.yaml <<'END'
leat: 1
tasks: { t: { argv: [sh, -c, 'true'] } }
END
cat >bash.yaml <<'END'
leat: 1
tasks: { t: { run: 'true' } }
END
row() {
    "$PAIR" "$1" --runs 61 --more --aim "$2" -- "${@:3}"
}
row 'leat run of one sh -c true, beside sh -c true' '5 ms more' \
    "$LEAT" run -q one.yaml -- sh -c true
row 'leat run of one run: true, beside bash -c true' '' \
    "$LEAT" run -q bash.yaml -- bash -c true
row 'the first without a store' '' \
    "$LEAT" run -q --no-store one.yaml -- sh -c true
