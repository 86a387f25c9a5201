#!/usr/bin/env bash
# Builds the image around a release binary and puts it through the end-to-end check:
# read-only, without capabilities, not as root, fed from a real Kafka broker.
#
#   deploy/test-image.sh            builds target/release/palisade first
#   deploy/test-image.sh BINARY     takes this one
#
# Needs podman (or docker with BuildKit), Java 17 and Maven. Set CONTAINER to choose the program, and
# CONTAINER_ARGS for options before its command, such as `--runtime runc`.
set -euo pipefail
cd "$(dirname "$0")/.."

container=${CONTAINER:-$(command -v podman || command -v docker)}
tag=localhost/palisade:test
binary=${1:-}
if [ -z "$binary" ]; then
  cargo build --release --locked
  binary=${CARGO_TARGET_DIR:-target}/release/palisade
fi

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
deploy/rootfs.sh "$binary" "$stage/rootfs"

build=(build --build-context "build=$stage" -f deploy/Containerfile -t "$tag")
case "$container" in
  *podman) build+=(--format docker --isolation chroot) ;;
esac
# shellcheck disable=SC2086 # options are words
"$container" ${CONTAINER_ARGS:-} "${build[@]}" .
# shellcheck disable=SC2086
"$container" ${CONTAINER_ARGS:-} image inspect --format 'image size: {{.Size}} bytes' "$tag"

PALISADE_CONTAINER="$container ${CONTAINER_ARGS:-}" PALISADE_IMAGE="$tag" \
  cargo test --features broker-tests,image-tests --test image -- --test-threads 1
