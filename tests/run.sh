#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Run tests, a few at a time, and say how many passed.
#   tests/run.sh TEST...
# TEST is a cmocka program (each of its tests counts), a script or a whole
# command line (counts as one); exit status 77 skips. Each has an environment
# and a temporary directory of its own, and must leave no process behind, nor
# anything in that directory (which is its home, too: hidden ones may stay).
# From the environment: LEAT, EXAMPLES, SEED and SEEDS are passed on; WRAP is a
# command to run the programs under; JOBS at a time (2); LIMIT, seconds for
# each (300).
set -uo pipefail

run=leat-tests-$$-$RANDOM
work=$(mktemp -d "${TMPDIR:-/tmp}/$run.XXXXXX")
passed=0 failed=0
declare -A name_of=()
read -ra wrap <<<"${WRAP-}"
exec {never}<> <(:) # nothing ever comes: to wait a moment on

# marked NAME: the processes that carry the mark of that test
marked() {
    grep -lzx "TEST_MARK=$run/$1" /proc/[0-9]*/environ 2>/dev/null |
        cut -d/ -f3
}

finish() {
    local pid

    for pid in $(marked '.*'); do kill -KILL "$pid" 2>/dev/null; done
    wait
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# A process that was just killed takes a moment to go; one that stays fails.
strays() {
    local i pid left

    for ((i = 0; i < 20; i++)); do
        left=$(marked "$1")
        [[ $left ]] || return 0
        read -rt 0.05 -u "$never"
    done
    for pid in $left; do
        echo "left behind: $pid $(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline")"
        kill -KILL "$pid" 2>/dev/null
    done
    return 1
}

# one NAME COMMAND...: runs in the background; status and output are in $work
one() {
    local name=$1 dir=$work/$1 status
    local -a keep=(PATH LEAT EXAMPLES SEED SEEDS ASAN_OPTIONS UBSAN_OPTIONS)
    local -a clean=()
    shift

    mkdir -p "$dir/tmp"
    for v in "${keep[@]}"; do [[ ${!v-} ]] && clean+=("$v=${!v}"); done
    env -i "${clean[@]}" HOME="$dir/tmp" TMPDIR="$dir/tmp" LC_ALL=C.UTF-8 \
        TZ=UTC TEST_MARK="$run/$name" timeout -k 10 "${LIMIT:-300}" \
        "$@" </dev/null >"$dir/log" 2>&1
    status=$?
    ((status == 124 || status == 137)) &&
        echo "stopped after ${LIMIT:-300} s, or killed" >>"$dir/log"
    strays "$name" >>"$dir/log" || status=99
    if [[ $(find "$dir/tmp" -mindepth 1 -maxdepth 1 ! -name '.*') ]]; then
        { echo "left behind:" && ls "$dir/tmp"; } >>"$dir/log"
        status=99
    fi
    chmod -R u+rwX "$dir/tmp" && rm -rf "$dir/tmp"
    return "$status"
}

# sum WORD FILE: of the numbers in cmocka's lines "[  WORD  ] N test(s)"
sum() {
    awk -v word="$1" '$1 == "[" && $2 == word && $5 ~ /^test/ { n += $4 }
        END { print n + 0 }' "$2"
}

# report NAME STATUS: its line, and its output if it failed
report() {
    local name=$1 status=$2 log=$work/$1/log good bad

    good=$(sum PASSED "$log") bad=$(sum FAILED "$log")
    if ((status == 77)); then
        echo "skip  $name: $(tail -n 1 "$log")"
        return
    fi
    if ((status != 0)); then
        ((bad > 0)) || bad=1
        echo "FAIL  $name (status $status)"
        sed 's/^/    /' "$log"
    elif ((good == 0)); then
        good=1
        echo "ok    $name"
    else
        echo "ok    $name ($good)"
    fi
    ((passed += good, failed += bad))
}

# The next test that ends.
reap() {
    local pid status

    wait -n -p pid
    status=$?
    report "${name_of[$pid]}" "$status"
    unset "name_of[$pid]"
}

for test in "$@"; do
    read -ra command <<<"$test"
    name=${command[0]##*/}
    [[ -e $work/$name ]] && name+=-$RANDOM
    mkdir "$work/$name"
    one "$name" "${wrap[@]}" "${command[@]}" &
    name_of[$!]=$name
    ((${#name_of[@]} < ${JOBS:-2})) || reap
done
while ((${#name_of[@]} > 0)); do reap; done

echo "$passed passed, $failed failed"
((failed == 0))
