#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Stores and files that can't be used: what is told, and the exit status.
# shellcheck source=tests/support/lib.sh disable=SC2016
source "$(dirname "$0")/../support/lib.sh"
command -v sqlite3 >/dev/null || skip "there is no sqlite3"

printf 'leat: 1\nname: a\ntasks: { a: { run: touch ran } }\n' >a.yaml

# told STATUS TEXT COMMAND...: it prints exactly that, and runs nothing
told() {
    local status=$1 text=$2
    shift 2

    exits "$status" leat "$@"
    expect "$text" <(sed "s|$work|WORK|g" err)
    [[ ! -e ran ]] || fail "something was run: $*"
}

no_store=$'\n--no-store runs without keeping anything'

# damaged, at its beginning or further on
mkdir damaged
printf 'this is no database, %03000d\n' 0 >damaged/leat.db
damaged='leat: WORK/damaged/leat.db is damaged (file is not a database); move its folder away to start a new one, or recover it with: sqlite3 WORK/damaged/leat.db .recover'
told 5 "$damaged$no_store" run --store "$work/damaged" a.yaml
told 5 "$damaged" ls --store "$work/damaged"
told 5 "$damaged" retry 1 --store "$work/damaged"
exits 0 leat run -q a.yaml
rm ran
sqlite3 store/leat.db 'PRAGMA wal_checkpoint(TRUNCATE)' >/dev/null
mkdir short
head -c 8000 store/leat.db >short/leat.db
told 5 'leat: WORK/short/leat.db is damaged (database disk image is malformed); move its folder away to start a new one, or recover it with: sqlite3 WORK/short/leat.db .recover' \
    show 1 --store "$work/short"

# from a newer leat
mkdir newer
cp store/leat.db newer/
sqlite3 newer/leat.db 'PRAGMA user_version = 999'
newer='leat: WORK/newer/leat.db was written by a newer leat (store version 999, this one reads 1): update leat, or choose another folder with --store'
told 5 "$newer$no_store" run --store "$work/newer" a.yaml
told 5 "$newer" show --store "$work/newer"

# a place where none can be
touch file
told 5 "leat: can't use the folder WORK/file: Not a directory; choose another with --store$no_store" \
    run --store "$work/file" a.yaml
told 5 "leat: can't use the folder WORK/file/x: Not a directory; choose another with --store$no_store" \
    run --store "$work/file/x" a.yaml

# Read-only: to run needs more, to look does not. Root needs a file system.
read_only() {
    if ((EUID != 0)); then
        chmod -R a-w store
        "$@"
        chmod -R u+w store
    else
        unshare -m bash -c 'mount --bind "$0" "$0" &&
            mount -o remount,ro,bind "$0" && exec "$@"' "$work/store" "$@"
    fi
}
export LEAT_STORE=$work/store
exits 0 leat run -q a.yaml
rm ran
if read_only true 2>/dev/null; then
    exits 5 read_only "$LEAT" run a.yaml
    expect "leat: can't write WORK/store/leat.db: it is read-only; choose another folder with --store$no_store" \
        <(sed "s|$work|WORK|g" err)
    [[ ! -e ran ]] || fail "it was run"
    exits 0 read_only "$LEAT" ls -q
    expect "2
1" out
fi

# Flow files and parameters that can't be read.
ln -s nowhere link.yaml
told 4 "leat: can't read link.yaml: No such file or directory" run link.yaml
told 4 "leat: can't read link.yaml: No such file or directory" check link.yaml
mkdir folder.yaml
told 5 "leat: can't read folder.yaml: Is a directory" run folder.yaml
told 5 "leat: can't read folder.yaml: Is a directory" run a.yaml -P folder.yaml
told 5 "leat: can't read folder.yaml: Is a directory" check folder.yaml
told 5 "leat: can't read folder.yaml: Is a directory" plan folder.yaml
ln -s loop.yaml loop.yaml
told 5 "leat: can't read loop.yaml: Too many levels of symbolic links" run loop.yaml
