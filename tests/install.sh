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
read -ra flags <<<"$(pkg-config --define-variable=prefix="$at" --cflags \
    --libs leat)"
pkg-config --atleast-version=0.1 leat

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
gcc -std=c17 "${strict[@]}" -o "$work/one" "$work/one.c" "${flags[@]}"
"$work/one" run

cat >"$work/two.cc" <<'END'
#include <leat.h>

static json_t *
two(leat_task *)
{
    return json_integer(2);
}

int
main()
{
    leat_flow *flow = leat_flow_new("second");
    leat_result *result = nullptr;
    const leat_arg none[1] = {};
    leat_err err;

    leat_call_v(flow, LEAT_HERE, "two", two, none);
    bool good = leat_flow_run(flow, nullptr, &result, &err) == 0 &&
                leat_result_is_success(result);
    leat_result_destroy(&result);
    leat_flow_destroy(&flow);
    return good ? 0 : 1;
}
END
g++ -std=c++17 "${strict[@]}" -o "$work/two" "$work/two.cc" "${flags[@]}"
"$work/two"

foreign=$(nm -D --defined-only "$at/lib/libleat.so.0" |
    awk '$3 !~ /^leat_/ { print $3 }')
[[ ! $foreign ]] || { echo "libleat.so shows $foreign" >&2; exit 1; }
foreign=$(nm -g --defined-only "$at/lib/libleat.a" |
    awk 'NF == 3 && $3 !~ /^leat_/ { print $3 }')
[[ ! $foreign ]] || { echo "libleat.a shows $foreign" >&2; exit 1; }

bash -n "$at/share/bash-completion/completions/leat"
[[ -s $at/share/bash-completion/completions/leat ]]
[[ $(head -n 1 "$at/share/zsh/site-functions/_leat") == '#compdef leat'* ]]
"$at/bin/leat" --version
