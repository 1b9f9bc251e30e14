# shellcheck shell=bash
# SPDX-License-Identifier: MPL-2.0
# For the scripts in tests/system, which begin with
#   source "$(dirname "$0")/../support/lib.sh"
# and are then in an empty directory of their own, gone when they end.
set -euo pipefail
# shellcheck disable=SC2034 # for the scripts
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$(mktemp -d)
trap 'cd / && chmod -R u+rwX "$work" && rm -rf "$work"' EXIT
cd "$work"
exec {never}<> <(:)
exec 3>&1 4>&2 # where failures are told, whatever a command's output goes to

# leat ARG...: the program under test, with a store of the test's own
leat() {
    LEAT_STORE=${LEAT_STORE-$work/store} "$LEAT" "$@"
}

# fail TEXT...: the test has failed, and where
fail() {
    echo "${BASH_SOURCE[-1]##*/}:${BASH_LINENO[-2]}: $*" >&4
    exit 1
}

# skip TEXT...: the test makes no sense here
skip() {
    echo "$*" >&3
    exit 77
}

# exits STATUS COMMAND...: run it; its output is in the files out and err
exits() {
    local want=$1 status=0
    shift

    "$@" >out 2>err || status=$?
    ((status == want)) || {
        sed 's/^/    /' out err >&4
        fail "exit status $status, not $want: $*"
    }
}

# expect TEXT FILE: the file is exactly that, and a newline
expect() {
    diff -u --label expected --label "$2" \
        <([[ ! $1 ]] || printf '%s\n' "$1") "$2" >&4 ||
        fail "$2 is not as expected"
}

# holds TEXT FILE: the text is somewhere in the file, as it stands
holds() {
    grep -qF -- "$1" "$2" || {
        sed 's/^/    /' "$2" >&4
        fail "not in $2: $1"
    }
}

# lacks TEXT FILE: the text is nowhere in the file
lacks() {
    ! grep -F -- "$1" "$2" >&4 || fail "in $2: $1"
}

# wait_for SECONDS COMMAND...: until the command succeeds, asked often
wait_for() {
    local end=$((SECONDS + $1))
    shift

    until "$@" 2>/dev/null; do
        ((SECONDS < end)) || fail "still not so: $*"
        read -rt 0.02 -u "$never" || :
    done
}

# gone PID: for wait_for, that a process has ended
gone() {
    ! kill -0 "$1" 2>/dev/null
}
