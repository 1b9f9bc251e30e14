#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# What `make install` puts down can be used: a C and a C++ program find it
# through pkg-config, and the library shows nothing but its own names.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
dest=$work/root
at=$dest/opt/leat

make -C "$root" install DESTDIR="$dest" PREFIX=/opt/leat
export PKG_CONFIG_PATH=$at/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=
export LD_LIBRARY_PATH=$at/lib HOME=$work XDG_STATE_HOME=$work
pkg-config --atleast-version=0.1 leat
read -ra shared <<<"$(pkg-config --define-variable=prefix="$at" --cflags \
    --libs leat)"
read -ra static <<<"$(pkg-config --define-variable=prefix="$at" --cflags \
    --libs --static leat)"
static=("${static[@]/#-lleat/$at/lib/libleat.a}")

cat >"$work/one.c" <<'END'
#include <leat.h>

static json_t *
one(leat_task *task)
{
    (void)task;
    return json_integer(1);
}

LEAT_FLOW(first, flow)
{
    leat_call(flow, one);
}
END
strict=(-Wall -Wextra -Wpedantic -Werror)

# build COMPILER...: the source, with either library, and run what comes out
build() {
    "$@" "${strict[@]}" -o "$work/shared" "$source" "${shared[@]}"
    "$@" "${strict[@]}" -o "$work/static" "$source" "${static[@]}"
    for program in "$work/shared" "$work/static"; do
        "$program" "${args[@]}"
    done
    ldd "$work/shared" | grep -q 'libleat[.]so[.]0 => '"$at"
    ! ldd "$work/static" | grep libleat
}
source=$work/one.c args=(run)
build gcc -std=c17
source=$root/tests/data/cpp_user.cc args=()
[[ $(build g++ -std=c++11) == $'42\n42' ]]

foreign=$(nm -D --defined-only "$at/lib/libleat.so.0" |
    awk '$3 !~ /^leat_/ { print $3 }')
[[ ! $foreign ]] || { echo "libleat.so shows $foreign" >&2; exit 1; }
foreign=$(nm -g --defined-only "$at/lib/libleat.a" |
    awk 'NF == 3 && $3 !~ /^leat_/ { print $3 }')
[[ ! $foreign ]] || { echo "libleat.a shows $foreign" >&2; exit 1; }

export MANPATH=$at/share/man
PATH=$PATH:/usr/sbin makewhatis "$MANPATH"
for page in 'leat(1)' 'leat-flow(5)' 'leat(3)' 'leat-broker(8)' \
    'leat-agent(8)'; do
    name=${page%(*} section=${page//[!0-9]/}
    [[ $(mman -w "$section" "$name") == "$MANPATH/man$section/$name.$section" ]]
done

# shellcheck disable=SC2016 # the inner shell expands it
bash --norc -c 'source "$1"; complete -p leat; declare -F _leat' \
    bash "$at/share/bash-completion/completions/leat" >"$work/out"
# shellcheck disable=SC2016 # the inner shell expands it
zsh -fc 'fpath=($1 $fpath); autoload -U compinit && compinit -D &&
    [[ $_comps[leat] == _leat ]] && autoload +X _leat' \
    zsh "$at/share/zsh/site-functions"

cmp "$at/share/leat/leat-flow.schema.json" "$root/docs/leat-flow.schema.json"
for program in leat leat-broker leat-agent; do
    "$at/bin/$program" --version
done

for unit in leat-broker leat-agent; do
    file=$at/lib/systemd/system/$unit.service
    grep -qx "ExecStart=/opt/leat/bin/$unit" "$file"
    sed "s|=/opt/leat|=$at|; s|^User=.*|User=nobody|" "$file" \
        >"$work/$unit.service"
    ! command -v systemd-analyze >/dev/null ||
        systemd-analyze verify --man=no "$work/$unit.service"
done
