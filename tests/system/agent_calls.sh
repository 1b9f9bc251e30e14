#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# C functions on an agent: what they break is told as here, and costs nobody
# else anything; their program is fetched once.
# shellcheck source=tests/support/lib.sh disable=SC2016,SC1083
source "$(dirname "$0")/../support/lib.sh"
# shellcheck source=tests/support/cluster.sh
source "$root/tests/support/cluster.sh"
set -m
export XDG_CACHE_HOME=$work/cache

cat >breaks.c <<'END'
#include <leat.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static json_t *
crash(leat_task *task)
{
    (void)task;
    printf("last words of %s\n", leat_task_name(task));
    fflush(stdout);
    abort();
}

static json_t *
leave(leat_task *task)
{
    exit((int)leat_int(task, "code"));
}

static json_t *
hang(leat_task *task)
{
    FILE *f = fopen(leat_string(task, "file"), "w");

    fprintf(f, "%d\n", (int)getpid());
    fclose(f);
    for (;;)
        pause();
    return NULL;
}

static json_t *
one_breaks(leat_task *task)
{
    json_int_t i = leat_int(task, "i");

    if (i == 777)
        kill(getpid(), SIGKILL);
    return json_integer(i);
}

static json_t *
look(leat_task *task)
{
    char cwd[4096];

    (void)task;
    return json_string(getenv("WORD") ? getenv("WORD")
                                      : getcwd(cwd, sizeof cwd));
}

LEAT_FLOW(breaks, flow)
{
    leat_ref what = leat_parameter(flow, "what");
    leat_ref file = leat_parameter_with(flow, "file",
                                        .fallback = json_string("none"));
    leat_ref task;

    leat_case(flow, what, json_string("crash")) {
        task = leat_call(flow, crash);
        leat_options(task, .timeout = "1m");
    }
    leat_case(flow, what, json_string("leave")) {
        leat_ref well = leat_call(flow, leave,
                                  {"code", leat_value(flow, json_integer(0))});
        leat_ref badly = leat_call(flow, leave,
                                   {"code", leat_value(flow, json_integer(3))});
        leat_options(well, .timeout = "1m");
        leat_options(badly, .timeout = "1m");
    }
    leat_case(flow, what, json_string("late")) {
        task = leat_call(flow, hang, {"file", file});
        leat_options(task, .timeout = "200ms");
    }
    leat_case(flow, what, json_string("hang"))
        leat_call(flow, hang, {"file", file});
    leat_case(flow, what, json_string("many"))
        leat_map(flow, one_breaks,
                 {"i", leat_range(leat_value(flow, json_integer(1)),
                                  leat_value(flow, json_integer(2000)))});
    leat_case(flow, what, json_string("look")) {
        task = leat_call(flow, look);
        leat_options(task, .when = "test -e /");
    }
}
END
compile breaks 2>cc.log || skip "no program can be built: $(tail -n1 cc.log)"

there() {
    [[ -s $1 ]]
}

# ends WORDS: how its tasks ended, in the last run of a store
ends() {
    "$@" show --json last |
        jq -rc '.tasks[] | select(.state != "skipped") | [.name, .state, .cause]'
}

start_broker
start_agent one --slots 2
one=$agent_pid
exits 0 remote agents --wait 1 --timeout 20s

# --- told as here, where such a function is called in a child ---

for what in crash leave late; do
    exits 1 env LEAT_STORE="$work/store" ./breaks run -q -p what=$what \
        -p file="$work/pid"
    ends leat >here
    exits 1 env LEAT_BROKER="$broker" ./breaks run -q -p what=$what \
        -p file="$work/pid"
    ends remote >there
    diff -u here there >&4 || fail "$what is told otherwise"
done
exits 1 env LEAT_BROKER="$broker" ./breaks run -p what=crash
holds 'last words of crash' err
exits 0 env LEAT_BROKER="$broker" ./breaks run -q -p what=look
exits 0 remote show --json last
holds "\"$work\"" out

# --- a worker that is killed in a call costs that call ---

rm -f pid
exits 0 env LEAT_BROKER="$broker" ./breaks run -d -p what=hang \
    -p file="$work/pid"
run=$(cat out)
wait_for 10 there pid
kill -KILL "$(cat pid)"
exits 1 remote wait "$run"
exits 0 remote show --json "$run"
holds 'killed by signal 9 (Killed)' out
exits 1 env LEAT_BROKER="$broker" ./breaks run -q -p what=many
exits 0 remote show --json last
jq -e '.tasks[] | select(.name == "one_breaks").children |
    (map(select(.state == "failed")) | length) == 1 and
    (map(select(.state == "succeeded")) | length) == 1999' out >/dev/null ||
    fail "more than one call was lost"

# --- cancelled: with everything it has started ---

rm -f pid
exits 0 env LEAT_BROKER="$broker" ./breaks run -d -p what=hang \
    -p file="$work/pid"
run=$(cat out)
wait_for 10 there pid
exits 0 remote cancel "$run"
exits 7 remote wait "$run"
wait_for 10 gone "$(cat pid)"

# --- one that can't be run there is refused, with the cause ---

cat >lib.c <<'END'
int extra(void);
int
extra(void)
{
    return 4;
}
END
cat >lacks.c <<'END'
#include <leat.h>
#include <stdlib.h>
#include <unistd.h>

int extra(void);

static json_t *
four(leat_task *task)
{
    (void)task;
    return json_integer(extra());
}

LEAT_FLOW(lacks, flow)
{
    leat_ref one = leat_value(flow, json_integer(1));

    leat_map(flow, four,
             {"i", leat_range(one, leat_value(flow, json_integer(40)))});
    if (getenv("GONE"))
        unlink(getenv("GONE"));
}
END
"${CC:-cc}" -shared -fPIC -o libextra.so lib.c
# beside an agent's folder is where it looks for the library
compile lacks -L. -lextra -Wl,-rpath,'$ORIGIN/../lib'
here=(env LEAT_BROKER="$broker" LD_LIBRARY_PATH=.)
exits 1 "${here[@]}" ./lacks run
holds "it ended before it served (exit code 127): error while loading" err

# --- and left to agents that can, if there are any ---

mkdir -p can/lib
cp libextra.so can/lib/
start_agent can --slots 2 --programs "$work/can/programs"
exits 0 remote agents --wait 2 --timeout 20s
exits 0 "${here[@]}" ./lacks run
exits 0 remote show --json last
jq -e '.tasks[0].children | length == 40 and
    all(.state == "succeeded" and .attempts == 1 and .value == 4)' out \
    >/dev/null || fail "not all were called, and once"
kill "$agent_pid"
wait "$agent_pid" || fail "it did not leave well"

# --- one for another machine, which the client finds in its own place ---

cp lacks other
cp lacks 'other (deleted)'
printf '\4\0' | dd of='other (deleted)' bs=1 seek=18 conv=notrunc 2>/dev/null
exits 1 "${here[@]}" GONE=other ./other run
holds 'was built for another kind of machine' err
exits 0 remote show --json last
jq -e '.tasks[0].children | length == 40 and all(.state == "failed")' out \
    >/dev/null || fail "they are not told to be failed"
for program in lacks 'other (deleted)'; do
    rm "$work/cache/leat/programs/$(b2sum -l 256 "$program" | cut -d' ' -f1)"
done

# --- its program is kept, once, and not believed when it is damaged ---

hash=$(b2sum -l 256 breaks | cut -d' ' -f1)
kept=$work/cache/leat/programs
[[ $(ls "$kept") == "$hash" ]] || fail "kept: $(ls "$kept")"
cmp breaks "$kept/$hash"
[[ $(stat -c %a "$kept/$hash") == 700 ]] || fail "others may read it"
kill "$one"
wait "$one"
printf 'x' | dd of="$kept/$hash" bs=1 seek=100 conv=notrunc 2>/dev/null
start_agent two
exits 0 env LEAT_BROKER="$broker" ./breaks run -q -p what=look
cmp breaks "$kept/$hash"
[[ $(ls -A "$kept") == "$hash" ]] || fail "left over: $(ls -A "$kept")"
