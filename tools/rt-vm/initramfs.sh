#!/usr/bin/env bash
# What the guest consists of: busybox, the two static executables, and what stands in `inside/`.
# usage: initramfs.sh FOLDER-OF-EXECUTABLES FILE
set -eu
programs=$1 file=$2
inside=$(cd "$(dirname "$0")" && pwd)/inside
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root"/{bin,dev,proc,sys,run,tmp,rt-vm}
cp "$(command -v busybox)" "$root/bin/busybox"
if ldd "$root/bin/busybox" >/dev/null 2>&1; then
    echo "rt-vm: $(command -v busybox) is not static: install Debian's busybox-static" >&2
    exit 1
fi
cp "$programs/ephapse" "$programs/ephapse-stage" "$root/bin/"
cp "$inside"/* "$root/rt-vm/"
ln -s /rt-vm/init "$root/init"
(cd "$root" && find . -print0 | cpio --quiet --null --create --format=newc --owner=0:0 | gzip -1) >"$file"
