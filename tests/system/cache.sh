#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# A cached value is used while everything that it depends on is the same.
source "$(dirname "$0")/../support/lib.sh"

cat >flow.yaml <<'END'
leat: 1
params: { x: { type: int, default: 1 }, log: { type: path } }
tasks:
  text: { cache: { for: 1h }, run: 'echo text >>"$log"; echo $x', value: text }
  none: { cache: { for: 1h }, run: 'echo none >>"$log"', value: none }
  map: { each: { i: [1, 2] }, cache: { for: 1h }, run: 'echo map$i >>"$log"; echo $i', value: int }
  brief: { cache: { for: 1us }, run: 'echo brief >>"$log"' }
  fails: { cache: { for: 1h }, run: 'echo fails >>"$log"; exit 1' }
reference: [map]
output: ["${text}", "${none}", "${map}"]
END

run() { # NAME ARG...: run it, with a log of what was executed
    : >log
    leat run -q flow.yaml -p log="$work/log" "${@:2}" >out
    paste -sd' ' log >"$1"
}
run first
expect 'text none map1 map2 brief fails' first
expect '["1",null,[1,2]]' out
run again
expect 'brief fails' again
expect '["1",null,[1,2]]' out
leat show --json last | jq -r '.tasks[0:2][].state' >states
expect $'cached\ncached' states
run other -p x=2
expect 'text none map1 map2 brief fails' other
expect '["2",null,[1,2]]' out
mkdir elsewhere
: >log
(cd elsewhere && leat run -q ../flow.yaml -p log="$work/log" >out)
paste -sd' ' log >moved
expect 'text none map1 map2 brief fails' moved
run anew --no-cache
expect 'text none map1 map2 brief fails' anew
sed -i 's/; echo \$i/; echo $((i + 1))/' flow.yaml
run changed
expect 'map1 map2 brief fails' changed
