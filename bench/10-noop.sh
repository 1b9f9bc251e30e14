#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# No-op C tasks a second, local executor. PREFECT names a python that has
# Prefect 1.4.1 (pip install prefect==1.4.1); without it that row is left out.
set -euo pipefail
bench=$(dirname "$PAIR")
programs=$(dirname "$EXAMPLES")/bench

"$PAIR" 'no-op C task, no store, beside a bare call' --count 1000000 --rate \
    --aim '2 M/s' -- "$programs/noop" run -q --no-store -p n=1000000 \
    -- "$programs/call_loop" 1000000
"$PAIR" 'no-op C task, with store, beside none' --count 1000000 --rate \
    --aim '500 k/s' -- "$programs/noop" run -q -p n=1000000 \
    -- "$programs/noop" run -q --no-store -p n=1000000
if [[ ${PREFECT-} ]]; then
    export PREFECT__LOGGING__LEVEL=ERROR
    "$PAIR" '1,000 mapped no-op tasks, with store, beside Prefect 1.4.1' \
        --runs 5 --count 1000 --aim '' \
        -- "$programs/noop" run -q -p n=1000 \
        -- "$PREFECT" "$bench/rivals/prefect_noop.py" 1000
fi
