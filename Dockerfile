# SPDX-License-Identifier: MPL-2.0
# leat, leat-broker and leat-agent in one image, with the examples. Where no
# registry can be reached, tools/base-image.sh makes the base.
FROM debian:bookworm-slim AS build
# docker image prune --filter label=leat=build
LABEL leat=build
WORKDIR /src
COPY tools/deps.sh tools/
RUN tools/deps.sh
COPY . .
RUN make WERROR= CFLAGS=-O2 BUILD=build/image programs && \
    DESTDIR=/out PREFIX=/usr tools/install.sh build/image && \
    install -d /out/usr/share/leat/examples && \
    install -m 644 -t /out/usr/share/leat/examples examples/*.yaml && \
    install -t /out/usr/share/leat/examples \
        $(find build/image/examples -type f -executable) && \
    rm -rf /out/usr/include /out/usr/lib/libleat.a /out/usr/lib/pkgconfig \
        /out/usr/lib/systemd /out/usr/share/man && \
    find /out -type f -executable \
        -exec strip --strip-unneeded {} +

FROM debian:bookworm-slim
RUN apt-get -qq update && \
    DEBIAN_FRONTEND=noninteractive apt-get -qq install -y \
        --no-install-recommends bc libczmq4 libjansson4 libprotobuf-c1 \
        libsodium23 libsqlite3-0 libxxhash0 libyaml-0-2 libzmq5 && \
    rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/log/* && \
    useradd --create-home --uid 1000 leat && \
    install -d -o leat -g leat /var/lib/leat
COPY --from=build /out/ /
USER leat
ENV LEAT_STORE=/var/lib/leat LEAT_BROKER_STORE=/var/lib/leat
WORKDIR /usr/share/leat
ENTRYPOINT ["leat"]
