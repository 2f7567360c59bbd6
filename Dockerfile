# Kadr's images: `app` is the server, `gateway` is nginx with the pages. docker-compose.yml builds both.
#
#   docker build --build-arg VERSION=v1.2.3 --tag kadr:v1.2.3 .
#   docker build --build-arg VERSION=v1.2.3 --tag kadr-gateway:v1.2.3 --target gateway .
#
# For amd64 and arm64. libvips is linked by cgo, so each platform's image is built on that platform (or by emulation): there
# is no cross compiler to go wrong, and nothing here names an architecture. The base images are pinned by version and Debian's
# packages by its release, of which only security fixes change. The binary is the same, to the byte, wherever and whenever it
# is built of the same sources with the same compiler and headers.

# ---- build: libvips, and Kadr on top of it ---------------------------------------------------------------------------
FROM golang:1.26.8-bookworm AS build
ENV DEBIAN_FRONTEND=noninteractive

# Debian's libvips of the same release and with the same patches, but with nothing in it that Kadr never lets near a picture:
# no ImageMagick, PDF, SVG, OpenEXR, FITS, MATLAB or slides. That is half of the image's size, and what is not there cannot
# be attacked.
WORKDIR /build/vips
RUN sed -i 's/^Types: deb$/Types: deb deb-src/' /etc/apt/sources.list.d/debian.sources \
	&& apt-get update \
	&& apt-get install --yes --no-install-recommends dpkg-dev gcc g++ libc6-dev meson ninja-build pkg-config \
		libcgif-dev libexif-dev libexpat1-dev libglib2.0-dev libheif-dev libimagequant-dev libjpeg62-turbo-dev \
		liblcms2-dev liborc-0.4-dev libpng-dev libtiff-dev libwebp-dev zlib1g-dev \
	&& apt-get source vips \
	&& rm -rf /var/lib/apt/lists/*
RUN cd vips-*/ \
	&& meson setup ../meson --prefix=/opt/vips --libdir=lib --buildtype=release --strip --auto-features=disabled \
		-Ddeprecated=false -Dexamples=false -Dcplusplus=false -Dintrospection=false -Dmodules=disabled \
		-Dppm=false -Danalyze=false -Dradiance=false -Dnsgif=true -Dcgif=enabled -Dexif=enabled -Dheif=enabled \
		-Dheif-module=disabled -Dimagequant=enabled -Djpeg=enabled -Dlcms=enabled -Dorc=enabled -Dpng=enabled -Dtiff=enabled \
		-Dwebp=enabled -Dzlib=enabled \
	&& ninja -C ../meson install

WORKDIR /build/kadr
ENV CGO_ENABLED=1 GOTOOLCHAIN=local GOFLAGS=-buildvcs=false PKG_CONFIG_PATH=/opt/vips/lib/pkgconfig
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY api api
COPY cmd cmd
COPY db db
COPY gen gen
COPY internal internal
COPY static static
ARG VERSION=dev
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
	go build -trimpath -ldflags "-s -w -X main.version=$VERSION" -o /out/kadr ./cmd/kadr

# ---- pages: what the browser gets, with its compressed copies --------------------------------------------------------
FROM debian:12.15-slim AS pages
RUN apt-get update \
	&& DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends brotli \
	&& rm -rf /var/lib/apt/lists/*
COPY nginx /nginx
COPY static /static
# Whatever the umask was that the sources were checked out with.
RUN sh /nginx/compress /static /pages && chmod -R u=rwX,go=rX /nginx /pages

# ---- gateway ---------------------------------------------------------------------------------------------------------
FROM nginx:1.28.2 AS gateway
ARG VERSION=dev
LABEL org.opencontainers.image.title="Kadr's gateway" \
	org.opencontainers.image.description="nginx before Kadr: the pages, the pictures, and the way to the server" \
	org.opencontainers.image.licenses="Apache-2.0" \
	org.opencontainers.image.version="$VERSION"
COPY --from=pages /nginx /etc/nginx/kadr
COPY --from=pages /pages /srv/kadr/static
# nginx's own user. The image's entrypoint, which rewrites files as root, is left out.
USER 101:101
EXPOSE 8080 8443/tcp 8443/udp
STOPSIGNAL SIGQUIT
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
	CMD ["curl", "--fail", "--silent", "--output", "/dev/null", "http://127.0.0.1:8081/"]
ENTRYPOINT ["sh", "/etc/nginx/kadr/start"]
CMD []

# ---- app: the server, and the default target -------------------------------------------------------------------------
FROM debian:12.15-slim AS app
RUN apt-get update \
	&& DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends ca-certificates \
		libcgif0 libexif12 libexpat1 libglib2.0-0 libheif1 libimagequant0 libjpeg62-turbo liblcms2-2 liborc-0.4-0 \
		libpng16-16 libtiff6 libwebp7 libwebpdemux2 libwebpmux3 zlib1g \
	&& rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/* \
	# Not by useradd, which would note the day.
	&& echo 'kadr:x:10001:' >>/etc/group \
	&& echo 'kadr:x:10001:10001::/data:/usr/sbin/nologin' >>/etc/passwd \
	# A new volume takes its owner and mode from here; the gateway reads it by the group.
	&& install -d -o kadr -g kadr -m 0750 /data /data/storage
COPY --from=build /opt/vips/lib/libvips.so.42 /usr/local/lib/
COPY --from=build /out/kadr /usr/local/bin/
RUN ldconfig && rm -rf /var/cache/ldconfig && kadr version

ARG VERSION=dev
LABEL org.opencontainers.image.title="Kadr" \
	org.opencontainers.image.description="Self-hosted image hosting" \
	org.opencontainers.image.licenses="Apache-2.0" \
	org.opencontainers.image.version="$VERSION"
ENV KADR_DATA_DIR=/data
USER 10001:10001
WORKDIR /data
VOLUME ["/data/storage"]
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=10s --start-period=30s --retries=3 CMD ["kadr", "healthcheck"]
ENTRYPOINT ["kadr"]
CMD ["serve"]
