#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# The checks of `make lint` that look at all files at once; each goes on after
# another has failed.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
shopt -s nullglob

status=0
check() {
    "$@" || {
        echo "lint: failed: ${*:1:3} ..." >&2
        status=1
    }
}

# cppcheck looks into no system header; without this one it takes the lists'
# macros for names, and what they set for uninitialized
queue=$(echo '#include <sys/queue.h>' | gcc -M -x c - |
    grep -o '[^ ]*/sys/queue[.]h')
code=({base,flow,exec,store,proto,broker,agent,lib,cli}/*.c)
mkdir -p build/lint/cppcheck
check clang-format --dry-run --Werror -- */*.[ch] tests/*/*.[ch]
check tests/check-layers.sh
check cppcheck --quiet --error-exitcode=1 --std=c11 --inline-suppr -j2 \
    --cppcheck-build-dir=build/lint/cppcheck -D_GNU_SOURCE -I. \
    --include="$queue" --enable=warning,performance,portability \
    "${code[@]}"
check shellcheck -x -P SCRIPTDIR .ci/run {tools,tests,tests/*,bench}/*.sh
check python3 tests/schema.py
pages=(docs/*.[1-9])
((${#pages[@]} == 0)) || check mandoc -T lint -W warning "${pages[@]}"
if grep -nE '^ *sleep |\<(u|nano)?sleep\(' tests/*/*.sh tests/*/*.[ch]; then
    echo 'lint: tests wait for what happens, they do not sleep' >&2
    status=1
fi
exit "$status"
