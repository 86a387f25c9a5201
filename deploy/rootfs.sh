#!/usr/bin/env bash
# Lays out the image's file system: rootfs.sh BINARY FOLDER
#
# The binary without its debug information, the shared libraries it names, the CA certificates, the
# rules and the field map, an empty state folder and a user without a password or a home.
set -euo pipefail
binary=$1
root=$2
here=$(cd "$(dirname "$0")/.." && pwd)

rm -rf "$root"
mkdir -p "$root"/{usr/bin,etc/palisade,etc/ssl/certs,usr/share/palisade,var/lib/palisade,tmp}
chmod 1777 "$root/tmp"

strip -o "$root/usr/bin/palisade" "$binary"

# ldd prints `name => path (address)`, and the loader as `path (address)`.
ldd "$binary" | grep -oE '/[^ ]+' | while read -r library; do
  mkdir -p "$root$(dirname "$library")"
  cp -L "$library" "$root$library"
done

cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
cp -r "$here/detections" "$root/usr/share/palisade/detections"
cp "$here/deploy/palisade.yaml" "$root/etc/palisade/palisade.yaml"
echo 'palisade:x:65532:65532::/nonexistent:/sbin/nologin' >"$root/etc/passwd"
echo 'palisade:x:65532:' >"$root/etc/group"
