#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# A whole process that runs one trivial task.
set -euo pipefail

cat >one.yaml <<'END'
leat: 1
tasks: { t: { run: 'true' } }
END
"$PAIR" 'leat run of one trivial task, beside bash -c true' --runs 51 \
    --aim '5 ms more' -- "$LEAT" run -q one.yaml -- bash -c true
"$PAIR" 'the same without a store' --runs 51 \
    -- "$LEAT" run -q --no-store one.yaml -- bash -c true
