#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# A program that is a flow has leat's command line.
# shellcheck source=tests/support/lib.sh disable=SC2016,SC1083
source "$(dirname "$0")/../support/lib.sh"

parallel=$EXAMPLES/parallel
export LEAT_STORE=$work/store

exits 0 "$parallel" --help
holds 'This program is a flow' out
holds 'stop  ' out
lacks '  each ' out
exits 0 "$parallel" run --help
lacks FLOW out
holds 'Parameters of parallel-execution:' out
exits 0 "$parallel" run -p stop=5
grep -Eq 'random_num +: succeeded in ' err || fail "no outcome"
grep -Eq '^run 1 succeeded: 4 tasks in ' err || fail "no summary"
exits 3 "$parallel" run -p stop=x
holds 'parameter `stop`: `x` is not ' err
exits 2 "$parallel" run flow.yaml
holds 'takes no argument' err
exits 2 "$parallel" each true
holds 'unknown command each' err
exits 0 "$parallel" check
exits 0 "$parallel" plan -p stop=3
holds 'sum_numbers' out
exits 0 "$parallel" graph
holds 'sum_numbers' out
exits 0 "$parallel" graph last
holds succeeded out
exits 0 "$parallel" show --json last
exits 0 leat show last
exits 0 leat logs 1/sum_numbers
holds 'The sum is' out
exits 0 leat value 1/random_num

# leat itself goes on with the run of a program, through the program.
exits 0 leat retry 1 --from sum_numbers
grep -Eq '^run 1 succeeded: 4 tasks, 3 kept from before in ' err ||
    fail "no summary"
