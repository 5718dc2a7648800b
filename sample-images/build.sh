#!/usr/bin/env bash
# Makes the sample images, and the one that is embedded in the program, from Debian 12's packages.
#
#   sudo sample-images/build.sh
#
# Needs an amd64 Debian 12 with python3, patchelf, buildah, skopeo, zstd, and root (buildah mounts and changes root).
# The same package versions, which packages.txt pins with their SHA-256, give the same bytes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

fail() {
  echo "build.sh: $*" >&2
  exit 1
}

for command in apt-get dpkg-deb python3 patchelf buildah skopeo zstd gzip; do
  command -v "$command" >/dev/null || fail "$command is missing"
done
[ "$(id -u)" -eq 0 ] || fail "must be run as root"
[ "$(dpkg --print-architecture)" = amd64 ] || fail "must be run on amd64"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
umask 022
# Every time in the Docker image: 2025-01-01.
moment=1735689600

fetch_packages() {
  mkdir "$work/debs" "$work/packages"
  local name version sum file
  while read -r name version sum; do
    [[ $name == '#'* ]] && continue
    (cd "$work/debs" && apt-get download -q -o APT::Sandbox::User=root "$name=$version" >/dev/null) ||
      fail "$name $version is not to be had: take the version that apt-cache policy $name shows into packages.txt"
    file=$(echo "$work/debs/${name}"_*.deb)
    echo "$sum  $file" | sha256sum --check --quiet || fail "$name $version is not the file that packages.txt names"
    mv "$file" "$work/debs/$name.deb"
    dpkg-deb --extract "$work/debs/$name.deb" "$work/packages/$name"
  done <packages.txt
}

build_nix_images() {
  python3 -B nix/images.py "$work/packages" docker "$work/nix" "$work/lighttpd-nix.tar" "$work/embedded-sample.tar"
  gzip -9n <"$work/lighttpd-nix.tar" >lighttpd-nix.tar.gz
  mkdir -p ../assets
  gzip -9n <"$work/embedded-sample.tar" >../assets/embedded-sample.tar.gz
}

build_docker_image() {
  printf '[storage]\ndriver = "vfs"\nrunroot = "%s/run"\ngraphroot = "%s/graph"\n' "$work" "$work" >"$work/storage.conf"
  export CONTAINERS_STORAGE_CONF=$work/storage.conf
  local context=$work/context build=(buildah bud --quiet --isolation chroot --layers --timestamp "$moment")
  mkdir -p "$work/base" "$context/packages"

  local base=() added=() name
  for name in base-files base-passwd libc6 libcrypt1 busybox netbase; do base+=("$work/debs/$name.deb"); done
  python3 -B docker/base.py "$work/base/rootfs.tar" "${base[@]}"
  printf 'FROM scratch\nADD rootfs.tar /\nRUN ["/bin/busybox", "--install", "-s"]\nCMD ["/bin/sh"]\n' >"$work/base/Dockerfile"
  "${build[@]}" -t localhost/debian-small:bookworm "$work/base" >/dev/null

  for name in libnettle8 libpcre2-8-0 libxxhash0 lighttpd make media-types; do
    cp "$work/debs/$name.deb" "$context/packages/"
  done
  cp -r Dockerfile docker/{.env,Makefile,install-package,lighttpd.conf,www} "$context/"
  # The context's own modes and times end up in the image.
  find "$context" -type d -exec chmod 755 {} + -o -type f -exec chmod 644 {} +
  chmod 755 "$context/install-package"
  find "$context" -exec touch -h -d "@$moment" {} +
  "${build[@]}" --pull-never -t localhost/lighttpd-docker:latest "$context" >/dev/null
  skopeo copy -q containers-storage:localhost/lighttpd-docker:latest \
    "docker-archive:$work/lighttpd-docker.tar:lighttpd-docker:latest"
  # The long window finds the second copies that the image carries.
  zstd -q -f -19 --long=27 "$work/lighttpd-docker.tar" -o lighttpd-docker.tar.zst
}

fetch_packages
build_nix_images
build_docker_image
ls -l ./*.tar.* ../assets/embedded-sample.tar.gz
total=$(cat ./*.tar.* | wc -c)
[ "$total" -le 10000000 ] || fail "the samples weigh $total bytes together, more than 10 MB"
