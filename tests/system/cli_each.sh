#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# leat each: GNU parallel's habits.
# shellcheck source=tests/support/lib.sh disable=SC2016,SC1083
source "$(dirname "$0")/../support/lib.sh"

# The commands' output is the result; lines are as they were written.
exits 0 leat each echo {} ::: a b c
expect 'a
b
c' out
grep -Eq '^run 1 succeeded: 3 tasks in ' err || fail "no summary"
exits 0 leat each -q -- echo -n {} ::: a b
[[ $(cat out) == ab ]] || fail "not raw"
expect '' err
exits 0 leat each --tag echo {} ::: a b
expect 'echo[a] | a
echo[b] | b' out

# Inputs are never code.
exits 0 leat each -q 'echo "<{}>" {}; echo '\''{}'\' ::: 'a  b' '$(touch x)' "it's" '";touch x;"'
expect '<a  b> a  b
a  b
<$(touch x)> $(touch x)
$(touch x)
<it'\''s> it'\''s
it'\''s
<";touch x;"> ";touch x;"
";touch x;"' out
exits 0 leat each -q echo {} ::: '${arg}' '$HOME' '*' '' '-n'
expect '${arg}
$HOME
*' <(head -n 3 out)
[[ ! -e x ]] || fail "an input was run"

# Sources: lines, files, combinations, links.
printf 'one\ntwo words\n' >inputs
exits 0 leat each -q echo {#} {} <inputs
expect '1 one
2 two words' out
exits 0 leat each -q echo :::: inputs ::: 1 2
expect 'one 1
one 2
two words 1
two words 2' out
exits 0 leat each -q echo {2}{1} ::: a b :::+ 1 2
expect '1a
2b' out
printf 'x\0y\n\0' | exits 0 leat each -q -0 'printf "[%s]\n"'
expect '[x]
[y
]' out
exits 0 leat each -q true </dev/null
exits 0 leat each -q 'echo {.} {/} {//} {/.}' ::: d/a.tar.gz
expect 'd/a.tar a.tar.gz d a.tar' out

exits 0 leat each --dry-run 'echo {} | wc {.}' ::: 'a b.c'
expect "echo 'a b.c' | wc 'a b'" out
exits 0 leat each --dry-run gzip -9 ::: a 'b c'
expect "gzip -9 a
gzip -9 'b c'" out

# Failures: all others run; then a retry of what failed.
exits 1 leat each 'test -e {}' ::: a b c
holds 'test[a] : failed' err
grep -Eq '^run [0-9]+ failed: 3 tasks, 3 failed in ' err || fail "no summary"
touch a b c
exits 0 leat retry last
exits 1 leat each --max-fails 0 'test -e {}' ::: x y z
grep -Eq ' 1 failed, 2 cancelled in ' err || fail "it went on"
exits 1 leat each --retry 2 'echo try; false {}' ::: 1
expect 'try
try
try' out
mkfifo never
exits 1 leat each --limit 100ms -- cat {} ::: never
holds 'timed-out' err
exits 0 leat each --name mine -q true ::: 1
exits 0 leat show mine

# Wrong words.
exits 2 leat each
exits 2 leat each ::: a
expect 'leat each: there is no command before :::
see leat each --help' err
exits 2 leat each echo ::: a b :::+ c
holds 'source 2 has 1 inputs, but the one it is linked to has 2' err
exits 2 leat each -z echo ::: a
holds 'unknown option -z' err
exits 4 leat each echo :::: nowhere
exits 1 leat each no-such-command ::: a
holds 'no-such-command' err
