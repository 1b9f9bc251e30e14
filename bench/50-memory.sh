#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Peak memory of whole processes.
set -euo pipefail
noop=$(dirname "$EXAMPLES")/bench/noop

peak() { # WHAT AIM COMMAND...
    python3 - "$@" <<'END'
import resource, subprocess, sys
subprocess.run(sys.argv[3:], check=True, stdout=subprocess.DEVNULL)
kib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(sys.argv[1], f"{kib / 1024:.0f} MiB", "", "", sys.argv[2], sep="\t")
END
}
peak 'RSS of a map of 1,000,000 no-op C tasks, with store' '200 MB' \
    "$noop" run -q -p n=1000000
peak 'RSS of nothing: leat version' '' "$LEAT" version
