#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# The cluster: a broker and two agents of a slot each on loopback, and clusters
# made for a run; beside what is bare, and beside rivals where a python has them
# (DASK, RAY, HYPERQUEUE).
set -euo pipefail
bin=$(dirname "$LEAT")
port=17300
export LEAT_BIN=$bin

"$bin/leat-broker" --bind tcp://127.0.0.1:$port --lane-ports 17310-17320 \
    --store broker 2>broker.log &
broker=$!
agents=()
for name in one two; do
    "$bin/leat-agent" tcp://127.0.0.1:$port --name $name --slots 1 \
        2>$name.log &
    agents+=($!)
done
trap 'kill $broker "${agents[@]}"; wait' EXIT
cluster=(--broker "tcp://127.0.0.1:$port")
until "$LEAT" agents "${cluster[@]}" --wait 2 >/dev/null 2>&1; do :; done

noop=("$PROGRAMS/noop" run -q "${cluster[@]}" -p)
row() { # WHAT AIM RUNS COUNT OURS... -- BESIDE...
    "$PAIR" "$1" --runs "$3" --count "$4" --aim "$2" "${says[@]}" -- "${@:5}"
}
cpu() { # of the broker so far, in ticks
    awk '{ print $14 + $15 }' /proc/$broker/stat
}
kib() { # Vm...
    awk -v what="$1:" '$1 == what { print $2 }' /proc/$broker/status
}
says=(--says --rate)
row 'no-op C tasks of 100,000, beside a bare pipeline in batches' \
    '500 k/s, 0.5' 7 100000 "${noop[@]}" n=100000 \
    -- "$PROGRAMS/raw_pipeline" 100000
before=$(cpu)
row 'no-op C tasks of 1,000,000, beside a bare pipeline in batches' \
    '500 k/s, 0.5' 3 1000000 "${noop[@]}" n=1000000 \
    -- "$PROGRAMS/raw_pipeline" 1000000
ticks=$(($(cpu) - before)) # of four times a million
printf "the broker's CPU time for one of them\t%s us\t\t\t\t\t2 us\n" \
    "$(awk "BEGIN { print $ticks / $(getconf CLK_TCK) / 4 }")"
printf 'its memory at most, with 1,000,000 waiting\t%s MB\t\t\t\t\t250 MB\n' \
    $(($(kib VmHWM) / 1000))
rss=$(kib VmRSS)
for _ in 1 2 3 4 5 6 7 8 9 10; do "${noop[@]}" n=100000; done
printf 'its growth over 10 runs of 100,000\t%s kB\t\t\t\t\tnone\n' \
    $(($(kib VmRSS) - rss))
says=(--rate)
row 'no-op C tasks of 100,000 with 24 KB of parameters, beside without' '' 5 \
    100000 "${noop[@]}" n=100000 -p "ballast=$(printf '%024000d' 0)" \
    -- "${noop[@]}" n=100000
says=(--says --rate)
rival() { # PYTHON SCRIPT N WHAT OURS...
    if [[ $1 ]]; then
        row "$4" '250 times' 1 "$3" "${@:5}" -- "$1" "$RIVALS/$2" noop "$3"
    fi
}
rival "${DASK-}" dask_tasks.py 20000 'no-op tasks of 20,000, beside Dask' \
    "${noop[@]}" n=20000
rival "${RAY-}" ray_tasks.py 20000 'no-op tasks of 20,000, beside Ray' \
    "${noop[@]}" n=20000

says=(--says)
chain=("$PROGRAMS/chain" run -q "${cluster[@]}")
row 'a hop of a chain of 1,000, beside a ZeroMQ round trip' '2 round trips' 7 \
    1000 "${chain[@]}" -- "$PROGRAMS/round_trip" 1000
for rival in DASK RAY HYPERQUEUE; do
    python=${!rival-}
    [[ $python ]] && row "a hop, beside ${rival,,}" '' 1 1000 "${chain[@]}" \
        -- "$python" "$RIVALS/${rival,,}_tasks.py" chain 1000
done

says=()
n=1000
cat >argv.yaml <<END
leat: 1
tasks: { t: { each: { i: 1..$n }, argv: [/bin/true] } }
END
cat >one.yaml <<END
leat: 1
tasks: { t: { run: 'true', shell: sh -c } }
END
row 'commands, -j 2, beside a posix_spawn loop of two' 0.95 5 $n \
    "$LEAT" run -q argv.yaml -j 2 -- "$PROGRAMS/spawn_loop" $n 2
row 'commands, standing cluster, beside the same loop' 0.95 5 $n \
    "$LEAT" run -q argv.yaml "${cluster[@]}" -- "$PROGRAMS/spawn_loop" $n 2
if command -v parallel >/dev/null; then
    row 'commands, each -j 2, beside GNU parallel -j2' '' 3 $n \
        sh -c "seq $n | \"\$LEAT\" each -q -j 2 -- true" \
        -- sh -c "seq $n | parallel -j2 true"
fi
[[ ${HYPERQUEUE-} ]] && says=(--says) &&
    row 'commands, standing cluster, beside HyperQueue, two slots' '' 3 $n \
        "$LEAT" run -q argv.yaml "${cluster[@]}" \
        -- "$HYPERQUEUE" "$RIVALS/hyperqueue_tasks.py" true $n 2

says=(--more)
row 'a cluster for one trivial task: up, run, down; beside the task alone' \
    '60 ms' 11 1 "$LEAT" run -q one.yaml -j 2 -- sh -c true
row 'one trivial task submitted and waited for; beside the task alone' \
    '5 ms' 21 1 "$LEAT" run -q one.yaml "${cluster[@]}" -- sh -c true
says=(--says)
for rival in DASK RAY HYPERQUEUE; do
    python=${!rival-}
    [[ $python ]] && row "a cluster for one task, beside ${rival,,}" '' 3 1 \
        "$LEAT" run -q one.yaml -j 2 \
        -- "$python" "$RIVALS/${rival,,}_tasks.py" cluster
done
true
