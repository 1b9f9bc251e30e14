#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# The image is built, and a cluster of containers does what the README says. It
# takes minutes the first time; skipped where there is no engine. Everything it
# made is gone after it; other projects and images are not touched.
set -euo pipefail
cd "$(dirname "$0")/.."

skip() {
    echo "skip  docker.sh: $*"
    exit
}
command -v docker >/dev/null || skip "there is no docker"
docker info >/dev/null 2>&1 || skip "no docker engine answers"
if docker compose version >/dev/null 2>&1; then
    compose=(docker compose)
elif command -v docker-compose >/dev/null; then
    compose=(docker-compose)
else
    skip "there is no docker compose"
fi
compose+=(-p "leat-test-$$")
export LEAT_IMAGE=leat-test-$$
work=$(mktemp -d)
stages=$(docker images -q --filter label=leat=build)

finish() {
    local status=$? image

    ((status == 0)) || "${compose[@]}" logs --no-color --tail 40 >&2 || :
    "${compose[@]}" down -v --remove-orphans >/dev/null 2>&1 || :
    docker rmi "$LEAT_IMAGE" >/dev/null 2>&1 || :
    for image in $(docker images -q --filter label=leat=build); do
        [[ $stages == *$image* ]] || docker rmi "$image" >/dev/null 2>&1 || :
    done
    rm -rf "$work"
}
trap finish EXIT

fail() {
    echo "docker.sh:${BASH_LINENO[0]}: $*" >&2
    exit 1
}

# cli ARG...: the command in a container; standard output only
cli() {
    "${compose[@]}" run --rm -T cli "$@" 2>"$work/err" || {
        cat "$work/err" >&2
        fail "cli $*"
    }
}

tools/base-image.sh
"${compose[@]}" build broker >"$work/build" 2>&1 || {
    tail -n 40 "$work/build" >&2
    fail "the image does not build"
}
size=$(docker image inspect -f '{{.Size}}' "$LEAT_IMAGE")
((size < 150000000)) || fail "the image has $size bytes"
[[ $(docker run --rm --entrypoint id "$LEAT_IMAGE" -u) == 1000 ]] ||
    fail "it runs as root"
for program in leat leat-broker leat-agent; do
    docker run --rm --entrypoint "$program" "$LEAT_IMAGE" --version >/dev/null
done
[[ $(docker run --rm "$LEAT_IMAGE" run -q examples/parallel.yaml -p stop=1) == 0 ]] ||
    fail "no run in one container"

"${compose[@]}" up -d --scale agent=4 >"$work/up" 2>&1 || {
    cat "$work/up" >&2
    fail "up"
}
cli agents --wait 4 --timeout 30s -q >"$work/agents"
[[ $(wc -l <"$work/agents") == 4 ]] || fail "agents: $(cat "$work/agents")"

# A flow file, a program, and many tasks at once on different machines.
sum=$(cli run examples/parallel.yaml -p stop=5)
[[ $sum =~ ^([0-9]|1[0-2])$ ]] || fail "the sum is $sum"
grep -q 'run 1 succeeded: 4 tasks' "$work/err" || fail "$(cat "$work/err")"
"${compose[@]}" run --rm -T --entrypoint /usr/share/leat/examples/parallel \
    cli run -p stop=5 >/dev/null 2>"$work/err" || fail "$(cat "$work/err")"
grep -q 'run 2 succeeded: 4 tasks' "$work/err" || fail "$(cat "$work/err")"
cli each --no-tag 'hostname; sleep 0.5 # {}' ::: {1..16} | sort -u >"$work/hosts"
diff <(sort "$work/agents") "$work/hosts" ||
    fail "not all agents were given tasks"

# An agent dies: its tasks are executed elsewhere.
cli each -d -q 'sleep 2; echo {}' ::: {1..12} >"$work/run"
mapfile -t agents < <("${compose[@]}" ps -q agent)
docker kill "${agents[0]}" >/dev/null
cli wait "$(tr -dc 0-9 <"$work/run")"

# What is stored stays, whatever becomes of the containers.
"${compose[@]}" down >/dev/null 2>&1
"${compose[@]}" up -d --scale agent=1 >/dev/null 2>&1
cli agents --wait 1 --timeout 30s -q >/dev/null
[[ $(cli ls -q | tr -dc '0-9\n' | tr '\n' ' ') == '4 3 2 1 ' ]] ||
    fail "runs are lost: $(cli ls)"
cli show 4 | grep -q succeeded || fail "run 4: $(cli show 4)"

# Told to stop, they do at once.
SECONDS=0
"${compose[@]}" stop >/dev/null 2>&1
((SECONDS < 8)) || fail "they needed $SECONDS s to stop"
"${compose[@]}" ps -aq 2>/dev/null | while read -r container; do
    code=$(docker inspect -f '{{.State.ExitCode}}' "$container")
    ((code == 0)) || fail "a container ended with $code"
done
echo "ok    docker.sh"
echo "1 passed, 0 failed"
