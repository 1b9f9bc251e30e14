#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Ctrl-C: once cancels, twice kills; what ran is gone each time.
# shellcheck source=tests/support/lib.sh disable=SC2016,SC1083
source "$(dirname "$0")/../support/lib.sh"
set -m # background jobs must not ignore SIGINT

mkfifo ready
cat >flow.yaml <<'END'
leat: 1
name: flow
tasks:
  soft: { run: "echo $$ >ready; read -r x <>never", grace: 1h }
  never: { needs: [soft], run: touch ran }
END
mkfifo never

# begin ARG...: leat in the background; its task says when it has begun
begin() {
    LEAT_STORE=$work/store "$LEAT" "$@" 2>err &
    job=$!
    read -r task <ready
}

# ends STATUS: the leat of begin exits so, and its task is gone
ends() {
    local status=0

    wait "$job" || status=$?
    ((status == $1)) || fail "exit status $status, not $1: $(cat err)"
    wait_for 10 gone "$task"
}

begin run flow.yaml
kill -INT "$job"
ends 130
holds 'cancelling; again kills' err
holds 'run 1 cancelled: 2 tasks, 2 cancelled' err
holds 'leat retry 1' err
exits 7 leat wait 1

begin run flow.yaml
kill -TERM "$job"
ends 143

begin run --timeout 100ms flow.yaml
ends 124

# A task that does not listen: the second one kills.
cat >deaf.yaml <<'END'
leat: 1
name: deaf
tasks:
  deaf: { run: "trap '' TERM; echo $$ >ready; while :; do read -r x <>never || :; done", grace: 1h }
END
begin run deaf.yaml
kill -INT "$job"
wait_for 10 grep -q cancelling err
kill -INT "$job"
ends 130
grep -q '^deaf : cancelled in .*: the run was cancelled$' err || fail "$(cat err)"
[[ ! -e ran ]] || fail "it went on"

# With standard error gone the run goes on.
printf 'leat: 1\nname: pipe\ntasks: { a: { run: echo one; echo two }, b: { needs: [a], run: touch finished } }\n' >pipe.yaml
leat run pipe.yaml 2> >(:)
[[ -e finished ]] || fail "it did not go on"
