#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Install the Debian packages that are missing; silent when none is.
#   tools/deps.sh          what building leat and its examples takes
#   tools/deps.sh check    and what `make check` takes besides
set -euo pipefail

packages=(
    gcc libc6-dev make pkg-config
    libyaml-dev libjansson-dev libsqlite3-dev libsodium-dev
    libzmq3-dev libczmq-dev libprotobuf-c-dev protobuf-c-compiler libxxhash-dev
    bash bc # the examples' own tools
)
if [[ ${1-} == check ]]; then
    packages+=(
        clang clang-format clang-tidy cppcheck g++ jq libclang-rt-14-dev
        lcov libcmocka-dev openssh-server llvm mandoc procps python3 python3-jsonschema
        python3-yaml shellcheck sqlite3 valgrind zlib1g-dev zsh
    )
fi

if ! command -v dpkg-query >/dev/null; then
    echo "tools/deps.sh: this is not Debian; leat needs what these packages" \
        "hold: ${packages[*]}" >&2
    exit 0
fi

# dpkg-query fails when a package is unknown to it: that is what we ask for
have=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' \
    "${packages[@]}" 2>/dev/null || true)
missing=()
for p in "${packages[@]}"; do
    [[ $'\n'$have$'\n' == *$'\n'"installed $p"$'\n'* ]] || missing+=("$p")
done
((${#missing[@]} > 0)) || exit 0

echo "tools/deps.sh: installing ${missing[*]}" >&2
root=()
if ((EUID != 0)); then
    if ! command -v sudo >/dev/null; then
        echo "tools/deps.sh: neither root nor sudo; as root, type:" \
            "apt-get install ${missing[*]}" >&2
        exit 1
    fi
    root=(sudo)
fi
apt=("${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq
    -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0)
"${apt[@]}" update >&2
"${apt[@]}" install --no-install-recommends -y "${missing[@]}" >&2
