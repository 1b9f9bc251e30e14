#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Fail on an #include that goes up or sideways. This table is the architecture.
set -euo pipefail
cd "$(dirname "$0")/.."

declare -A lower=(
    [base]=''
    [flow]='base'
    [exec]='flow|base'
    [store]='flow|base'
    [proto]='flow|base'
    [broker]='exec|store|proto|flow|base'
    [agent]='exec|store|proto|flow|base'
    [lib]='exec|store|proto|flow|base'
    [cli]='lib|exec|store|proto|flow|base'
)
status=0

for dir in "${!lower[@]}"; do
    [[ -d $dir ]] || continue
    # limits.h is constants only, and has every bound
    may="($dir${lower[$dir]:+|${lower[$dir]}})/[a-z0-9_]+[.]h|proto/limits[.]h"
    if grep -HnE '^ *# *include *"' "$dir"/*.[ch] |
        grep -vE ":[0-9]+: *# *include *\"($may)\""; then
        echo "^ $dir includes only itself and: ${lower[$dir]//|/, }" >&2
        status=1
    fi
done

# users have no other header of ours
if [[ -f lib/leat.h ]] && grep -HnE '^ *# *include *"' lib/leat.h; then
    echo '^ lib/leat.h stands alone' >&2
    status=1
fi

# every file says whose it is
if grep -L 'SPDX-License-Identifier: MPL-2.0' -- */*.[ch] tests/*/*.[ch] |
    grep .; then
    echo '^ the first line is /* SPDX-License-Identifier: MPL-2.0 */' >&2
    status=1
fi
exit $status
