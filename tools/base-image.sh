#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Make the image that the Dockerfile builds on from Debian's packages, where no
# registry can be reached. Does nothing if the image is there.
#   tools/base-image.sh [debian:bookworm-slim]
set -euo pipefail

image=${1:-debian:bookworm-slim}
suite=${image#*:}
suite=${suite%-slim}

docker image inspect "$image" >/dev/null 2>&1 && exit
command -v mmdebstrap >/dev/null || {
    echo "tools/base-image.sh: installing mmdebstrap" >&2
    apt-get -qq -o Dpkg::Use-Pty=0 install --no-install-recommends -y \
        mmdebstrap >&2
}
echo "tools/base-image.sh: making $image from Debian's packages" >&2

mmdebstrap --quiet --variant=apt --include=usr-is-merged \
    --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr \
    --aptopt='APT::Install-Recommends "false"' \
    --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/info/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-exclude=/usr/share/man/*' \
    "$suite" - | docker import - "$image" >/dev/null
