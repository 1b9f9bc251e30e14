#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Memory: of what waits, and the peak of whole processes.
set -euo pipefail

peak() { # WHAT AIM COMMAND...
    python3 - "$@" <<'END'
import resource, subprocess, sys
subprocess.run(sys.argv[3:], check=True, stdout=subprocess.DEVNULL)
kib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(sys.argv[1], f"{kib * 1024 / 1e6:.0f} MB", *4 * [""], sys.argv[2],
      sep="\t")
END
}
"$PROGRAMS/waiting"
peak 'RSS of a map of 1,000,000 no-op C tasks, with store' '200 MB' \
    "$PROGRAMS/noop" run -q -p n=1000000
