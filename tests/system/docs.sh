#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# What the manual pages say is so: keys, options, functions, fields, numbers;
# and every example in them is right.
# shellcheck source=tests/support/lib.sh disable=SC2016
source "$(dirname "$0")/../support/lib.sh"
# shellcheck source=tests/support/cluster.sh
source "$root/tests/support/cluster.sh"
command -v jq >/dev/null || skip "there is no jq"
docs=$root/docs

# same WHAT: the files one and two hold the same words, in any order
same() {
    diff -u <(sort -u one) <(sort -u two) >&4 || fail "$1"
}

# blocks FILE: the literal examples of a manual page, as the files block-1, ...
blocks() {
    rm -f block-*
    awk '/^\.Bd -literal/ { n++; on = 1; next } /^\.Ed/ { on = 0 }
        on { gsub(/\\e/, "\\"); gsub(/\\&/, ""); print >("block-" n) }' "$1"
}

# item NAME: the words in .Li of that item of leat(1), a line each
item() {
    awk -v name="$1" '/^\.(It|El)/ { on = $3 == name } on && /^\.Li/ {
        gsub(/[,.]( |$)/, " "); for (i = 2; i <= NF; i++) print $i }' "$docs/leat.1"
}

# ---- leat-flow(5): keys, examples, numbers ----

grep -oh 'READ_KEY("[a-z-]*"' "$root"/flow/*.c | cut -d'"' -f2 >one
jq -r 'del(.definitions.resources) | .. | objects | .properties? // empty | keys[]' \
    "$docs/leat-flow.schema.json" >two
same "keys of the parser are not those of the schema"
grep -E 'Cm|Ql' "$docs/leat-flow.5" | tr -s ' ,:{}' '\n' | sort -u >words
sort -u one | comm -23 - words >missing
expect '' missing
sed -n 's/^\.It Cm \([a-z, Cm-]*\) : .*/\1/p' "$docs/leat-flow.5" |
    sed 's/ , Cm /\n/g' >>one
same "leat-flow(5) has keys that the parser does not know"

blocks "$docs/leat-flow.5"
for example in block-*; do
    head -n 1 "$example" | grep -q '^leat: 1' || continue
    mv "$example" "$example.yaml"
    exits 0 leat check "$example.yaml"
done
[[ -e block-5.yaml ]] || fail "examples of leat-flow(5) were not found"

# number NAME SHOWN PAGE: a limit is what the page says
number() {
    printf '#include "proto/limits.h"\n%s\n' "$1" |
        gcc -E -P -I"$root" - | tail -n 1 >expression
    printf '%s\n' $(($(tr -d ul <expression))) >out
    expect "$2" out
    tr '\n' ' ' <"$docs/$4" | holds "$3" /dev/stdin
}
mib=1048576
number LIMIT_FILE_BYTES $((256 * mib)) 'at most 256 MiB' leat-flow.5
number LIMIT_SCALAR_BYTES $mib 'string in it 1 MiB' leat-flow.5
number LIMIT_DEPTH 32 '32 levels' leat-flow.5
number LIMIT_NAME_BYTES 128 'at most 128.' leat-flow.5
number LIMIT_TASKS 4000000 '4000000 tasks' leat-flow.5
number LIMIT_PARAMS 1000 '1000 parameters' leat-flow.5
number LIMIT_ERRORS 100 'first 100 errors' leat-flow.5
number LIMIT_REFERENCES 65536 'at most 65536 times' leat-flow.5
number LIMIT_CHILDREN 16000000 'at most 16000000 children' leat-flow.5
number LIMIT_VALUE_BYTES $((16 * mib)) 'larger than 16 MiB' leat-flow.5
number LIMIT_KEY_BYTES 40 'at most 40 bytes' leat-flow.5
number LIMIT_RETRIES 10000 'at most 10000' leat-flow.5
number LIMIT_ENV_VALUE_BYTES $((mib / 8)) 'less than 128 KiB' leat-flow.5
number LIMIT_ENV_BYTES $mib 'all of them 1 MiB' leat-flow.5
number LIMIT_OUTPUT_BYTES $((64 * mib)) 'first 64 MiB' leat-flow.5
number LIMIT_OUTPUT_TAIL 65536 'last 64 KiB' leat-flow.5
number LIMIT_DRAIN_MS 250 'have 250 ms' leat-flow.5
number LIMIT_OUTBOX_BYTES $((4 * mib)) '4 MiB of it' leat-agent.8
for page in leat.1 leat-flow.5; do
    for limit in LIMIT_ITEM_BYTES LIMIT_TRAVEL_BYTES; do
        number $limit $((896 * 1024)) 'most 896 KiB' $page
    done
done
number LIMIT_TRAVEL_BYTES $((896 * 1024)) 'limited to 896 KiB' leat.3
number LIMIT_VALUE_BYTES $((16 * mib)) 'without a cluster 16 MiB' leat.1
number LIMIT_FENCE_MS 45000 'after 45 s without its broker' leat-flow.5
number LIMIT_LEASE_MS 60000 '60 s after it was given up' leat-flow.5
number LIMIT_CRASHES 3 'the third loss ends' leat-flow.5
number LIMIT_SUSPECT_MS 3000 'silent for 3 s' leat.1
number LIMIT_AWAY_MS 1000 'a second to come back' leat.1

# ---- leat(3): every function; the examples compile ----

grep -oE '\bleat_[a-z_]+\(' "$root/lib/leat.h" | tr -d '(' | grep -vE \
    '_v$|_begin$|_end$|^leat_build_|^leat_(fn|handler|build_fn)$' >one
sed -n 's/^\.F[no] \(leat_[a-z_]*\).*/\1/p' "$docs/leat.3" |
    grep -vE '^leat_(fn|handler)$' >two
same "leat(3) has not the functions of leat.h"

blocks "$docs/leat.3"
{
    printf '%s\n' '#include <leat.h>' '#include <stdio.h>' \
        'json_t *full_backup(leat_task *); json_t *verify(leat_task *);' \
        'void use(json_t *); void one(leat_flow *, leat_ref);' \
        'void two(leat_flow *, leat_ref); void three(leat_flow *);' \
        'void one(leat_flow *flow, leat_ref kind) { leat_ref backup;'
    cat block-1
    echo '} void two(leat_flow *flow, leat_ref sum) {'
    cat block-2
    echo '} void three(leat_flow *flow) {'
    cat block-3
    echo '}'
} >snippets.c
for source in snippets.c block-4; do
    gcc -x c -std=c17 -Wall -Wextra -Werror -Wno-pedantic -D_GNU_SOURCE \
        -fsyntax-only -I"$root/lib" "$source" >&4 2>&4 || fail "leat(3): $source"
done

# ---- leat(1): commands and options ----

leat --help | sed -n 's/^  \([a-z]*\) .*/\1/p' >one
sed -n '/^\.Sh COMMANDS/,/^\.Sh OPTIONS/s/^\.It Cm \([a-z]*\).*/\1/p' \
    "$docs/leat.1" >two
same "leat(1) has not the commands of leat"
while read -r command; do leat help "$command"; done <one |
    sed -n 's/^  \(-., \|    \)--\([a-z-]*\).*/\2/p' >options
cat options >one
sed -n '/^\.Sh OPTIONS/,/^\.Ss Signals/p' "$docs/leat.1" |
    grep -oE '^\.It .*' | grep -oE -- 'Fl -[a-z-]+|, -[a-z-]+' |
    sed 's/^.* -//' >two
echo help >>two # said with COMMANDS
same "leat(1) has not the options of leat"

# ---- leat(1): variables ----

grep -ohE 'getenv\("[A-Z_]+"\)|"LEAT_[A-Z_]+", set_' \
    "$root"/cli/*.c "$root"/lib/*.c "$root"/exec/*.c |
    grep -oE '[A-Z_]{4,}' | grep -vxE 'HOME|PATH|TERM' >one
[[ $(wc -l <one) -gt 8 ]] || fail "where are the variables?"
sed -n '/^\.Sh ENVIRONMENT/,/^\.Sh FILES/s/^\.It Ev //p' "$docs/leat.1" |
    grep -v LEAT_PARAM_ | sed 's/ , /\n/g' >two
same "leat(1) has not the variables of leat"

# ---- leat-broker(8), leat-agent(8): options, variables ----

for daemon in leat-broker leat-agent; do
    page=$docs/$daemon.8
    exits 0 "${LEAT%/*}/$daemon" --help
    sed -n 's/^  \(-., \|    \)--\([a-z-]*\).*/\2/p' out >one
    sed -n '/^\.Ss Options/,/^\.El/p' "$page" | grep '^\.It Fl' |
        sed 's/^\.It Fl \(. , \)\?-\([a-z-]*\).*/\2/' >two
    same "$daemon(8) has not the options of $daemon"
    sed -n 's/^  \(LEAT_[A-Z_]*\) .*/\1/p' out >one
    grep -oE '^\.Ev LEAT_[A-Z_]*' "$page" | cut -d' ' -f2 >two
    same "$daemon(8) has not the variables of $daemon"
    # these are found out, each time
    sed -E '/--(store|slots|name|programs) /,+1d' out |
        grep -oE '^ +now [^ ]* \(the default\)' | while read -r _ value _; do
        holds "${value#tcp://}" "$page"
    done
done
number LIMIT_PROGRAMS_BYTES $((2048 * mib)) 'at most 2 GiB' leat-agent.8
number LIMIT_REMOTE 32 'At most 32 hosts' leat.1

# ---- leat(1): the store ----

exits 0 leat run -q "$root/examples/parallel.yaml"
for view in runs tasks attempts; do
    sqlite3 store/leat.db "SELECT name FROM pragma_table_info('$view')" >one
    item "${view/attempts/tasks}" >two
    same "leat(1) has not the columns of $view"
done
blocks "$docs/leat.1"
grep -l sqlite3 block-* | head -n 1 | xargs cat | sed 1d >queries.sh
db=$work/store/leat.db bash -eu queries.sh >out
[[ $(wc -l <out) == 5 ]] || fail "the queries of leat(1) give $(cat out)"

# ---- leat(1): fields of JSON ----

# fields SCHEMA COMMAND...: the page names just those that the command prints
fields() {
    local schema=$1
    shift

    "$@" >out 2>err || :
    jq -r 'walk(if type == "object" and has("params") then .params = {}
        elif type == "object" and has("labels") then .labels = {} |
            .resources = {} else . end) | .. | objects | keys[]' out >one
    { echo schema && item "$schema/1"; } >two
    same "leat(1) has not the fields of $schema/1"
}
printf 'leat: 1\ntasks: { a: { each: { i: [1] }, rnu: x } }\n' >bad.yaml
printf 'leat: 1\ntasks: { a: { each: { i: [1] }, run: echo } }\n' >map.yaml
both() { "$1" plan --json map.yaml && "$1" plan --json --why last; }
fields leat.run leat run --json map.yaml
fields leat.run leat show --json last
fields leat.runs leat ls --json
fields leat.check leat check --json bad.yaml
fields leat.plan both leat
fields leat.why leat why --json 'last/a[1]'
fields leat.value leat value --json 'last/a[1]'
fields leat.log leat logs --json last
start_broker
start_agent one
exits 0 remote agents -q --wait 1
fields leat.agents remote agents --json
# the documents of a broker's runs are the same
exits 0 remote run map.yaml
fields leat.run remote run --json map.yaml
fields leat.run remote show --json last
fields leat.run remote watch --json last
fields leat.runs remote ls --json
fields leat.why remote why --json 'last/a[1]'
fields leat.value remote value --json 'last/a[1]'
fields leat.log remote logs --json last
LEAT_SSH=false fields leat.hosts leat agent ls x --json --broker tcp://127.0.0.1
