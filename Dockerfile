# SPDX-License-Identifier: MPL-2.0
# leat, leat-broker and leat-agent in one image, with the examples. Where no
# registry can be reached, tools/base-image.sh makes the base.
FROM debian:bookworm-slim AS build
WORKDIR /src
COPY tools/deps.sh tools/
RUN tools/deps.sh
COPY . .
RUN make WERROR= CFLAGS=-O2 BUILD=build/image programs && \
    DESTDIR=/out PREFIX=/usr tools/install.sh build/image && \
    install -Dt /out/usr/share/leat/examples examples/*.yaml \
        $(find build/image/examples -type f -executable) && \
    rm -rf /out/usr/include /out/usr/lib/libleat.a /out/usr/lib/pkgconfig \
        /out/usr/lib/systemd /out/usr/share/man && \
    find /out -type f -exec strip --strip-unneeded {} + 2>/dev/null; \
    /out/usr/bin/leat --version

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
ENV LEAT_STORE=/var/lib/leat
WORKDIR /usr/share/leat
# control, results, lanes
EXPOSE 7100 7101 7200-7455
ENTRYPOINT ["leat"]
