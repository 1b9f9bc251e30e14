#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# What the tests reached, of a build with --coverage: a table, and pages in
# FOLDER/html. Reported, not judged: tools/cover.sh FOLDER
set -euo pipefail

folder=$1
lcov -q -c -d "$folder" --no-external -b . -o "$folder/all.info" \
    --rc lcov_branch_coverage=1
lcov -q -r "$folder/all.info" '*/tests/*' -o "$folder/leat.info" \
    --rc lcov_branch_coverage=1
genhtml -q --branch-coverage -o "$folder/html" "$folder/leat.info"
lcov --list "$folder/leat.info" --rc lcov_branch_coverage=1
