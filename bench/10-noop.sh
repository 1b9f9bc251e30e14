#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# No-op C tasks a second, local executor.
set -euo pipefail
n=1000000
noop=("$PROGRAMS/noop" run -q -p)

"$PAIR" 'no-op C tasks, no store, beside bare calls' --count $n --rate \
    --aim '2 M/s' -- "${noop[@]}" n=$n --no-store \
    -- "$PROGRAMS/call_loop" $n
"$PAIR" 'no-op C tasks, with store, beside without' --count $n --rate \
    --aim '500 k/s' -- "${noop[@]}" n=$n -- "${noop[@]}" n=$n --no-store
if [[ ${PREFECT-} ]]; then
    export PREFECT__LOGGING__LEVEL=ERROR
    "$PAIR" 'a mapped no-op task of 500, beside Prefect' --runs 3 \
        --count 500 --says -- "${noop[@]}" n=500 \
        -- "$PREFECT" "$RIVALS/prefect_noop.py" 500
    "$PAIR" 'the seed flow, whole process, beside a run inside Prefect' \
        --runs 3 --says -- "$EXAMPLES/parallel" run -q -p stop=5 \
        -- "$PREFECT" "$RIVALS/prefect_parallel.py"
fi
