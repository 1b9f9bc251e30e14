# SPDX-License-Identifier: MPL-2.0
# leat, leat-broker and leat-agent in one small image. Where no registry can be
# reached, tools/base-image.sh makes the base.
FROM debian:bookworm-slim AS build
WORKDIR /src
COPY tools/deps.sh tools/
RUN apt-get -qq update && apt-get -qq install -y --no-install-recommends make \
    && tools/deps.sh
COPY . .
RUN make WERROR= BUILD=build/image && \
    DESTDIR=/out PREFIX=/usr tools/install.sh build/image && \
    rm -rf /out/usr/lib/libleat.a /out/usr/share/man

FROM debian:bookworm-slim
RUN apt-get -qq update && apt-get -qq install -y --no-install-recommends \
        bc jq libczmq4 libjansson4 libprotobuf-c1 libsodium23 libsqlite3-0 \
        libxxhash0 libyaml-0-2 libzmq5 && \
    rm -rf /var/lib/apt/lists/* && \
    useradd --create-home --uid 1000 leat && \
    install -d -o leat -g leat /var/lib/leat
COPY --from=build /out/ /
USER leat
ENV LEAT_STORE=/var/lib/leat
WORKDIR /home/leat
# 7100 control, 7101 results, 7200-7455 lanes
EXPOSE 7100 7101 7200-7455
ENTRYPOINT ["leat"]
