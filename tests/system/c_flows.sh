#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# The flows in C of examples/ are programs with leat's command line.
source "$(dirname "$0")/../support/lib.sh"

export LEAT_STORE=$work/store

# both styles: three numbers below stop, and their sum
for name in parallel parallel_imperative; do
    program=$EXAMPLES/$name
    exits 0 "$program" run -p stop=5
    exits 0 "$program" show last --json
    jq -e '.state == "succeeded" and (.tasks | length) == 4 and
        (.tasks | map(.value) | (.[:3] | add) == .[3] and
            all(.[:3][]; . >= 0 and . < 5))' out >seen ||
        fail "$name: wrong values: $(cat out)"
    exits 3 "$program" run
    holds 'is required: an integer from 1' err
    exits 3 "$program" run -p stop=0
    exits 0 "$program" run --help
    holds 'an integer from 1' out
    exits 0 "$program" graph
    holds 'sum' out
done

# found at run time, mapped, branched on a parameter
harvest=$EXAMPLES/harvest
mkdir files files/folder
printf '1\n2\n3\n' >files/long
printf '1\n' >files/short
exits 0 "$harvest" run -q -p folder=files -p failures=0
expect "{\"path\":\"$work/files/long\",\"lines\":3,\"bytes\":6}" out
exits 0 "$harvest" run -q -p folder=files -p failures=0 -p report=all
holds '"lines":1' out
exits 0 "$harvest" show last --json
jq -e '.tasks[] | select(.name == "find_longest").state == "skipped"' out \
    >seen || fail 'the other branch was not skipped'

# more failures than retries; gone on with, the rest is kept
exits 1 "$harvest" run -p folder=files -p failures=4
holds 'asked for a retry, but has no more (the line was busy)' err
exits 0 "$harvest" retry last
holds '"lines":3' out
exits 1 "$harvest" run -p folder=nowhere
holds "there is nothing in $work/nowhere" err
