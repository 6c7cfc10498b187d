#!/bin/sh
# What the build needs beside a Rust toolchain: the HDF5 library's headers. Says what it installs before it does.
# usage: tools/setup.sh [PACKAGE...]   Debian packages beyond that: there if a command of that name is, or dpkg says so
set -eu
if ! command -v "${CARGO:-cargo}" >/dev/null 2>&1; then
    echo "setup: no Rust toolchain found: install one (rustup.rs, or your distribution's rustup package), then run this again" >&2
    exit 1
fi
missing=""
command -v pkg-config >/dev/null 2>&1 || missing="$missing pkg-config"
command -v cc >/dev/null 2>&1 || missing="$missing gcc"
if command -v pkg-config >/dev/null 2>&1 && pkg-config --exists hdf5; then :; else missing="$missing libhdf5-dev"; fi
for package; do
    command -v "$package" >/dev/null 2>&1 || dpkg -s "$package" >/dev/null 2>&1 || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ]; then
    echo "setup: missing:$missing. Install with: sudo apt-get install$missing; then run this again" >&2
    exit 1
fi
if ! command -v apt-get >/dev/null 2>&1; then
    echo "setup: missing:$missing (names of Debian's packages). Install them with this system's package manager, then run this again" >&2
    exit 1
fi
echo "setup: installing$missing with apt-get"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq </dev/null
# shellcheck disable=SC2086 # a list of words
apt-get install -y -qq $missing </dev/null >/dev/null
