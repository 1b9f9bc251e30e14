#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# What to type next says where, if that is not where a command would look.
# shellcheck source=tests/support/lib.sh disable=SC2154
source "$(dirname "$0")/../support/lib.sh"

cat >bad.yaml <<'END'
leat: 1
name: bad
tasks: { no: { run: "exit 3" } }
END

# where all commands look: nothing to say
exits 1 leat run bad.yaml
grep -qx 'all it wrote:     leat logs 1/no' err || fail "$(cat err)"
grep -qx 'go on from here:  leat retry 1' err || fail "$(cat err)"

# a folder of its own, which is quoted if need be
exits 1 leat run bad.yaml --store "$work/an other"
holds "all it wrote:     leat logs 1/no --store '$work/an other'" err
holds "go on from here:  leat retry 1 --store '$work/an other'" err
exits 0 leat show --store "$work/an other"
holds "go on from here:  leat retry 1 --store '$work/an other'" out
exits 0 leat why --store "$work/an other" no
holds "what it wrote: leat logs 1/no --store '$work/an other'" out
holds "leat retry 1 --store '$work/an other' would run it" out

# here, though a broker is configured
export LEAT_BROKER=ipc://$work/nobody
exits 1 leat run bad.yaml --local
holds 'go on from here:  leat retry 2 --local' err
exits 1 leat run bad.yaml -j 2
holds 'all it wrote:     leat logs 3/no --local' err
holds 'go on from here:  leat retry 3 --local' err
exits 1 leat retry 3 --local
holds 'go on from here:  leat retry 3 --local' err
