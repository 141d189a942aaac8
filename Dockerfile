# syntax=docker/dockerfile:1

# The images of the three services, one for each target:
#
#   docker buildx build --target control-plane --tag registry.example.com/muster/muster-control-plane:0.1.0 .
#
# docs/operate.md says how they are published, with their list of parts. Each holds one program, the certificate
# authorities and the C library: no shell, nothing that can be written, no root.

# What the programs are made of is in Cargo.lock, which is in the context and not in the images.
ARG BUILDKIT_SBOM_SCAN_CONTEXT=true

# The version of rust-toolchain.toml, on the Debian whose C library the images have.
FROM rust:1.95.0-bookworm AS build
WORKDIR /muster
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/muster/target,sharing=locked \
    cargo build --release --locked \
        --package muster-control-plane --package muster-sender-node --package muster-gateway && \
    install -D --target-directory=/out \
        target/release/muster-control-plane target/release/muster-sender-node target/release/muster-gateway

FROM gcr.io/distroless/cc-debian12:nonroot AS base
LABEL org.opencontainers.image.licenses="Apache-2.0"
USER 65532:65532

FROM base AS control-plane
LABEL org.opencontainers.image.title="muster-control-plane"
COPY --from=build /out/muster-control-plane /usr/local/bin/muster-control-plane
ENTRYPOINT ["/usr/local/bin/muster-control-plane"]

FROM base AS sender-node
LABEL org.opencontainers.image.title="muster-sender-node"
COPY --from=build /out/muster-sender-node /usr/local/bin/muster-sender-node
ENTRYPOINT ["/usr/local/bin/muster-sender-node"]

FROM base AS gateway
LABEL org.opencontainers.image.title="muster-gateway"
COPY --from=build /out/muster-gateway /usr/local/bin/muster-gateway
ENTRYPOINT ["/usr/local/bin/muster-gateway"]
