#!/usr/bin/env bash
# Boots the guest: two CPUs in software, one thread of the host each, and nothing but serial lines.
# The first is the console; through the second the guest sends an archive, byte for byte.
# usage: boot.sh KERNEL INITRAMFS ARCHIVE     until it has powered itself off, for at most RT_VM_LIMIT_S (default 2400) seconds
#        boot.sh KERNEL INITRAMFS shell       with the keyboard, for as long as you like
set -eu
kernel=$1 initramfs=$2 archive=$3
# /dev/kvm is never asked for: where it exists it may still not work, and the test is to be the same everywhere.
machine=(qemu-system-x86_64 -accel "tcg,thread=multi" -cpu max -smp 2 -m 1024 -nodefaults -display none -no-reboot
    -kernel "$kernel" -initrd "$initramfs")
# The emulated TSC is the host's: both CPUs read the same. The kernel cannot know, and would ask a slow device for the time.
# Nor that an emulated serial line rings more often than its threaded handler finds work: it would switch the line off.
# And where FIFO stages leave nothing of a slow CPU, RCU has to get on all the same, or processes cannot end.
words="console=ttyS0 quiet panic=-1 clocksource=tsc tsc=reliable noirqdebug rcutree.kthread_prio=98"
if [ "$archive" = shell ]; then
    exec "${machine[@]}" -serial mon:stdio -append "$words rt-vm=shell"
fi
limit=${RT_VM_LIMIT_S:-2400}
# What else the machine has to do comes first.
nice -n 10 timeout "$limit" "${machine[@]}" -serial stdio -serial "file:$archive" -append "$words" </dev/null && code=0 || code=$?
if [ "$code" = 124 ]; then
    echo "rt-vm: the guest had not powered itself off after $limit s (RT_VM_LIMIT_S)" >&2
fi
exit "$code"
