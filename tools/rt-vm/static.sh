#!/usr/bin/env bash
# Both executables as the demo has them, linked statically: the guest has no libraries. Prints their folder.
# usage: static.sh FOLDER
#
# HDF5 comes out of Debian's libhdf5.a. The crate that binds it always asks the linker for the shared library, so the
# linker is shown a folder in which there is none; the crate looks for one too, to compare versions, and finds it beside.
set -eu
made=$1
target=x86_64-unknown-linux-gnu
word() { pkg-config "$1" hdf5 | sed -E 's/^-[IL]([^ ]*).*/\1/'; }
include=$(word --cflags-only-I)
library=$(word --libs-only-L)
mkdir -p "$made/hdf5/lib" "$made/hdf5/bin"
ln -sfn "$include" "$made/hdf5/include"
ln -sf "$library/libhdf5.a" "$made/hdf5/lib/libhdf5.a"
ln -sf "$library/libhdf5.so" "$made/hdf5/bin/libhdf5.so"
export HDF5_DIR=$made/hdf5
# What HDF5's filters call: compression.
export RUSTFLAGS="-C target-feature=+crt-static -C link-arg=-l:libsz.a -C link-arg=-l:libaec.a -C link-arg=-l:libz.a"
"${CARGO:-cargo}" build --quiet --locked --profile demo -p ephapse --bins --target "$target" >&2
echo "${CARGO_TARGET_DIR:-target}/$target/demo"
