#!/usr/bin/env bash
# The engine on a real PREEMPT_RT kernel, in emulation: builds, boots, and judges what was brought back.
# usage: tools/rt-vm/run.sh          the whole test; exit 0 if every claim holds
#        tools/rt-vm/run.sh shell    a shell inside instead (leave it with `exit`)
set -eu
cd "$(dirname "$0")/../.."
# Everything that is made lies here; the kernel is kept from run to run.
made=${CARGO_TARGET_DIR:-target}/rt-vm
mkdir -p "$made"
made=$(cd "$made" && pwd)
kernel=$(tools/rt-vm/kernel.sh "$made")
programs=$(tools/rt-vm/static.sh "$made")
tools/rt-vm/initramfs.sh "$programs" "$made/initramfs.cpio.gz"
if [ "${1:-}" = shell ]; then
    exec tools/rt-vm/boot.sh "$kernel" "$made/initramfs.cpio.gz" shell
fi
rm -rf "$made/back" "$made/back.tar.gz"
mkdir "$made/back"
tools/rt-vm/boot.sh "$kernel" "$made/initramfs.cpio.gz" "$made/back.tar.gz"
# A guest that was cut short has sent half an archive, or nothing.
if ! tar -xzf "$made/back.tar.gz" -C "$made/back"; then
    echo "rt-vm: what the guest sent is not whole ($made/back.tar.gz): its last words are above; look inside with tools/rt-vm/run.sh shell" >&2
    exit 1
fi
exec python3 tools/rt-vm/judge.py "$made/back"
