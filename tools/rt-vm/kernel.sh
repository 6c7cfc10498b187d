#!/usr/bin/env bash
# Debian's PREEMPT_RT kernel: its image alone, out of the package that the meta package names today. Prints the image's path.
# usage: kernel.sh FOLDER
set -eu
folder=$1
meta=linux-image-rt-amd64
package=$(apt-cache show --no-all-versions "$meta" 2>/dev/null | sed -n 's/^Depends: \(linux-image-[^ ,]*\).*/\1/p')
if [ -z "$package" ]; then
    echo "rt-vm: apt knows no package $meta: run \`apt-get update\`; systems other than Debian do not have it" >&2
    exit 1
fi
image=$folder/vmlinuz-${package#linux-image-}
if [ ! -e "$image" ]; then
    echo "rt-vm: fetching $package" >&2
    work=$(mktemp -d "$folder/kernel.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    # apt's own user may not write here; the package is checked against its signature all the same.
    (cd "$work" && apt-get download -qq -o APT::Sandbox::User=root "$package" >&2)
    dpkg-deb --fsys-tarfile "$work"/*.deb | tar -xO "./boot/${image##*/}" >"$work/image"
    mv "$work/image" "$image"
fi
echo "$image"
