#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Wrong command lines, help, completion, settings.
# shellcheck source=tests/support/lib.sh disable=SC2016,SC1083
source "$(dirname "$0")/../support/lib.sh"

commands=$(leat | sed -n 's/^  \([a-z]*\)  .*/\1/p')
[[ $(wc -l <<<"$commands") == 22 ]] || fail "22 commands, not: $commands"

# Each has help with an example; an unknown option points to it.
for command in $commands; do
    exits 0 leat "$command" --help
    grep -q '^Example' out || fail "$command has no example"
    grep -q "^Usage: leat $command" out || fail "$command has no usage"
    awk 'length > 80 && !/^The store/' out | grep . >&2 &&
        fail "$command: long lines"
    cp out help
    exits 0 leat help "$command"
    diff help out >&2 || fail "help $command is not as $command --help"
    [[ $command != broker ]] || continue # that is leat-broker's to say
    exits 2 leat "$command" --no-such-option
    holds "see leat $command --help" err
    lacks 'nothing' out
done
exits 0 leat
holds 'Usage: leat COMMAND' out
exits 0 leat --help
exits 0 leat --version
[[ $(cat out) == 'leat '* ]] || fail "no version"

exits 2 leat rnu
expect 'leat: unknown command rnu (did you mean run?)
see leat --help' err
exits 2 leat help xyzzy
expect 'leat help: unknown command xyzzy
see leat help --help' err
exits 2 leat -q run
holds 'unknown option -q before a command' err
exits 2 leat run --parma x=1 flow.yaml
expect 'leat run: unknown option --parma (did you mean --param?)
see leat run --help' err
exits 2 leat run
expect 'leat run: needs FLOW [-p NAME=VALUE]...
see leat run --help' err
exits 2 leat run a b
expect 'leat run: takes one argument, not 2
see leat run --help' err
exits 2 leat ls x
expect 'leat ls: takes no argument
see leat ls --help' err
exits 2 leat run x -p stop
holds '--param wants NAME=VALUE, not "stop"' err

# The help of run shows the parameters of a flow, and the store in force.
printf 'leat: 1\nname: f\nparams: { n: { type: int, default: 3, help: how many } }\ntasks: { a: { run: "true" } }\n' >f.yaml
exits 0 leat run f.yaml --help
holds 'n                       an integer; default 3; how many' out
holds 'The store is '"$work/store"' (from LEAT_STORE).' out
exits 0 leat ls --help --store elsewhere
holds 'The store is elsewhere (from --store).' out

# Settings: flag, then LEAT_*, then the file, then the default.
export XDG_CONFIG_HOME=$work/config
mkdir -p config/leat
echo "store: $work/other" >config/leat/config.yaml
exits 0 env -u LEAT_STORE "$LEAT" ls --help
holds "The store is $work/other (from config.yaml)." out
exits 0 leat ls --help
holds '(from LEAT_STORE)' out
rm config/leat/config.yaml
exits 0 env -u LEAT_STORE XDG_STATE_HOME="$work/state" "$LEAT" ls --help
holds "The store is $work/state/leat (the default)." out
cat >config/leat/config.yaml <<'END'
keep: many
colour: loud
sotre: /tmp
max-age: 1d
resources: { licence: -1 }
labels: [a]
END
exits 2 leat ls
expect 'WORK/config/leat/config.yaml:1:7: `keep` wants a number of runs, or 0 for all
    1 | keep: many
      |       ^~~~
WORK/config/leat/config.yaml:2:9: `colour` wants auto, always or never
    2 | colour: loud
      |         ^~~~
WORK/config/leat/config.yaml:3:1: unknown key `sotre`
    3 | sotre: /tmp
      | ^~~~~
help: did you mean `store`?
WORK/config/leat/config.yaml:5:23: `licence` is not an amount above 0
    5 | resources: { licence: -1 }
      |                       ^~
WORK/config/leat/config.yaml:6:9: `labels` is a mapping of names to texts
    6 | labels: [a]
      |         ^
5 errors' <(sed "s|$work|WORK|" err)
cat >config/leat/config.yaml <<'END'
colour: always
resources: { licence: 3, memory: 8000 GiB }
labels: { site: here }
END
printf 'leat: 1\nname: g\ntasks: { a: { run: "true", resources: { licence: 3, memory: 6TB }, where: { site: here } } }\n' >g.yaml
exits 0 leat run g.yaml
holds $'\033[32msucceeded' err
LEAT_COLOUR=never exits 0 leat run g.yaml
lacks $'\033' err
exits 8 leat run g.yaml --label site=there
LEAT_KEEP=x exits 2 leat ls
expect 'leat: LEAT_KEEP wants a number of runs, or 0 for all, not `x`' err
rm config/leat/config.yaml

# A full disk under the result is an error.
exits 5 bash -c '"$LEAT" version >/dev/full'
holds "can't write to standard output: No space left on device" err

# Completion is loaded, and completes.
leat completion bash >completion.bash
complete_bash() {
    LEAT_STORE=$work/store PATH=${LEAT%/*}:$PATH bash -c '
        source ./completion.bash
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        _leat
        printf "%s\n" "${COMPREPLY[@]}"' bash "$@" >out
}
complete_bash leat ''
expect "$commands" out
complete_bash leat re
expect retry out
complete_bash leat run --par
expect '--param
--params' out
complete_bash leat graph x --format s
expect svg out
complete_bash leat show la
expect last out
complete_bash leat run f.
expect f.yaml out
complete_bash leat completion z
expect zsh out
leat completion zsh >_leat
if command -v zsh >/dev/null; then
    zsh -n _leat || fail "zsh can't read it"
    zsh -fc 'autoload -U compinit; compinit -D -u; source ./_leat
        [[ $_comps[leat] == _leat ]]' || fail "zsh can't load it"
fi
exits 2 leat completion fish
