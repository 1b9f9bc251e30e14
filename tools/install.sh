#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Install what was built in a folder: tools/install.sh build/gcc
# PREFIX is where it will be used, DESTDIR stands before it while packaging.
set -euo pipefail

build=$1
prefix=${PREFIX:-/usr/local}
dest=${DESTDIR-}$prefix
version=$(sed -n 's/^#define LEAT_VERSION *"\(.*\)"$/\1/p' lib/leat.h)
umask 022

put() { # MODE FOLDER FILE...
    local mode=$1 folder=$dest/$2
    shift 2
    install -d "$folder"
    install -m "$mode" "$@" "$folder"
}

put 755 bin "$build"/bin/{leat,leat-broker,leat-agent}
put 755 lib "$build/lib/libleat.so.0"
ln -sf libleat.so.0 "$dest/lib/libleat.so"
put 644 lib "$build/lib/libleat.a"
put 644 include lib/leat.h
put 644 share/man/man1 docs/leat.1
put 644 share/man/man3 docs/leat.3
put 644 share/man/man5 docs/leat-flow.5
put 644 share/man/man8 docs/leat-broker.8 docs/leat-agent.8
put 644 share/leat docs/leat-flow.schema.json

mkdir -p "$dest/lib/pkgconfig" "$dest/share/bash-completion/completions" \
    "$dest/share/zsh/site-functions"
"$build/bin/leat" completion bash \
    >"$dest/share/bash-completion/completions/leat"
"$build/bin/leat" completion zsh >"$dest/share/zsh/site-functions/_leat"
for unit in leat-broker leat-agent; do
    sed "s|@bin@|$prefix/bin|" "dist/$unit.service" >"$build/$unit.service"
    put 644 lib/systemd/system "$build/$unit.service"
done
# libzmq is not among them: it is opened when a cluster is used.
cat >"$dest/lib/pkgconfig/leat.pc" <<END
prefix=$prefix
includedir=\${prefix}/include
libdir=\${prefix}/lib

Name: leat
Description: Runs flows: graphs of commands and C functions
Version: $version
Requires: jansson
Requires.private: yaml-0.1 sqlite3 libsodium
Libs: -L\${libdir} -lleat
Libs.private: -lprotobuf-c -lxxhash -lm
Cflags: -I\${includedir}
END
