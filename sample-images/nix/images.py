"""Builds the Nix samples from unpacked Debian packages.

  images.py PACKAGES SITE WORK lighttpd-nix.tar embedded-sample.tar

PACKAGES holds one directory a package, each with the unpacked files. Standard library and patchelf only.
"""

import hashlib
import shutil
import sys
from pathlib import Path

from layers import customisation_layer, layers_of, plain_layer, store_layer, write_archive
from store import Store, StorePath, nar, nix32, relocate, seal

MULTIARCH = "x86_64-linux-gnu"
# Where a store path keeps what Debian keeps elsewhere; the first match moves the directory.
MOVES = [
    (f"usr/lib/{MULTIARCH}", "lib"),
    (f"lib/{MULTIARCH}", "lib"),
    ("usr/lib", "lib"),
    ("usr/include", "include"),
    ("usr/share", "share"),
    ("usr/sbin", "bin"),
    ("usr/bin", "bin"),
    ("sbin", "bin"),
    ("bin", "bin"),
    ("etc", "etc"),
]


def take(package: Path, tree: Path, keep: tuple[str, ...], drop: tuple[str, ...] = ()) -> None:
    """Copies the package's files below the `keep` prefixes into the tree, moved to where Nix packages have them.

    The licence is always taken. Debian's absolute links and directories without files are left out.
    """
    for source in sorted(package.rglob("*")):
        name = source.relative_to(package).as_posix()
        if source.is_dir() and not source.is_symlink():
            continue
        wanted = name.startswith(keep) and not name.startswith(drop)
        if not wanted and not (name.startswith("usr/share/doc/") and name.endswith("/copyright")):
            continue
        for old, new in MOVES:
            if name.startswith(old + "/"):
                name = new + name.removeprefix(old)
                break
        target = tree / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_symlink():
            link = source.readlink()
            if not link.is_absolute():
                target.symlink_to(link)
        else:
            shutil.copyfile(source, target)
            target.chmod(source.stat().st_mode & 0o777)


def write(path: Path, content: str, mode: int = 0o444) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    path.chmod(mode)


class Builder:
    def __init__(self, packages: Path, work: Path):
        self.packages = packages
        self.store = Store(work)
        self.libraries: dict[str, str] = {}
        self.loader = ""

    def package(
        self, name: str, debian: str, keep: tuple[str, ...], drop: tuple[str, ...] = (), finish=None
    ) -> StorePath:
        """One store path of one Debian package. `finish` may add to the tree, given it and its own future path."""
        tree = self.store.begin(name)
        take(self.packages / debian, tree, keep, drop)
        own = self.store.own_path(name)
        if finish:
            finish(tree, own)
        libraries = [path for path in tree.glob("lib/*.so*")]
        directories = self.libraries | {path.name: f"{own}/lib" for path in libraries}
        if self.loader:
            for path in sorted(tree.rglob("*")):
                if path.is_file() and not path.is_symlink():
                    relocate(path, directories, self.loader)
        seal(tree)
        result = self.store.finish(name)
        self.libraries |= {path.name: f"{result}/lib" for path in libraries}
        return result

    def glibc(self) -> None:
        # The character set modules (gconv, two thirds of the package) are left out to keep the samples small.
        glibc = self.package("glibc-2.36", "libc6", (f"lib/{MULTIARCH}/", "etc/"))
        self.loader = f"{glibc}/lib/ld-linux-x86-64.so.2"

    def customisation(self, name: str, fill) -> StorePath:
        """The tree of a customisation layer. Its path is named in the history but is not in the image."""
        tree = self.store.begin(f"{name}-customisation-layer")
        tree.mkdir()
        fill(tree)
        for path in [tree, *tree.rglob("*")]:
            if not path.is_symlink() and path.name != "tmp":
                path.chmod(0o755 if path.is_dir() else 0o644)
        digest = hashlib.sha256(nar(tree)).digest()[:20]
        return StorePath(f"/nix/store/{nix32(digest)}-{tree.name}", tree.name, tree, [])


def accounts(tree: Path) -> None:
    write(tree / "etc/passwd", "root:x:0:0:root:/root:/noshell\nnobody:x:65534:65534:nobody:/var/empty:/noshell\n")
    write(tree / "etc/group", "root:x:0:\nnobody:x:65534:\n")
    (tree / "tmp").mkdir()
    (tree / "tmp").chmod(0o1777)


def link(tree: Path, name: str, target: str) -> None:
    (tree / name).parent.mkdir(parents=True, exist_ok=True)
    (tree / name).symlink_to(target)


def web_server(builder: Builder, site: Path, out: Path) -> None:
    builder.glibc()
    libraries = (f"lib/{MULTIARCH}/", f"usr/lib/{MULTIARCH}/")
    builder.package("libxcrypt-4.4.33", "libcrypt1", libraries)
    builder.package("nettle-3.8.1", "libnettle8", libraries)
    builder.package("pcre2-10.42", "libpcre2-8-0", libraries)
    xxhash = builder.package("xxhash-0.8.1", "libxxhash0", libraries)

    def development(tree: Path, own: str) -> None:
        pkgconfig = tree / "lib/pkgconfig/libxxhash.pc"
        text = pkgconfig.read_text().replace(f"/lib/{MULTIARCH}", "/lib")
        text = text.replace("prefix=/usr", f"prefix={own}").replace("libdir=${exec_prefix}/lib", f"libdir={xxhash}/lib")
        write(pkgconfig, text)
        write(tree / "nix-support/propagated-build-inputs", f"{xxhash}\n")

    # Left by the build of lighttpd, as such paths are: nothing in the image runs it, one file mentions it.
    xxhash_dev = builder.package(
        "xxhash-0.8.1-dev", "libxxhash-dev", ("usr/include/", f"usr/lib/{MULTIARCH}/"),
        (f"usr/lib/{MULTIARCH}/libxxhash.so",), development,
    )

    def propagate(tree: Path, own: str) -> None:
        write(tree / "nix-support/propagated-build-inputs", f"{xxhash_dev}\n")

    lighttpd = builder.package(
        "lighttpd-1.4.69", "lighttpd",
        ("usr/sbin/lighttpd", "usr/lib/lighttpd/", "usr/share/doc/", "usr/share/man/man8/"),
        ("usr/sbin/lighttpd-",), propagate,
    )
    dash = builder.package("dash-0.5.12", "dash", ("bin/dash", "usr/share/man/man1/dash"))
    media_types = builder.package("media-types-10.0.0", "media-types", ("etc/", "usr/share/doc/"))

    pages = builder.store.begin("web-root")
    shutil.copytree(site / "www", pages)
    seal(pages)
    web_root = builder.store.finish("web-root")
    settings = (site / "lighttpd.conf").read_text()
    for debian, nix in (("/srv/www", str(web_root)), ("/var/run/lighttpd.pid", "/tmp/lighttpd.pid")):
        settings = settings.replace(debian, nix)
    configuration = builder.store.write_file("lighttpd.conf", settings)

    start_tree = builder.store.begin("start-server")
    command = f'{lighttpd}/bin/lighttpd -D -m {lighttpd}/lib/lighttpd -f {configuration} "$@"'
    write(start_tree / "bin/start-server", f"#!{dash}/bin/dash\nset -eu\nexec {command}\n", 0o555)
    seal(start_tree)
    start = builder.store.finish("start-server")

    def fill(tree: Path) -> None:
        link(tree, "bin/start-server", f"{start}/bin/start-server")
        link(tree, "bin/sh", f"{dash}/bin/dash")
        accounts(tree)

    customisation = builder.customisation("lighttpd-nix", fill)
    closure = builder.store.closure([start, media_types])
    config = {
        "Entrypoint": [f"{start}/bin/start-server"],
        "Env": ["PATH=/bin", f"MIME_TYPES={media_types}/etc/mime.types"],
        "ExposedPorts": {"8080/tcp": {}},
    }
    write_archive(out, "lighttpd-nix:latest", config, layers_of(closure, customisation, 11))


def embedded(builder: Builder, out: Path) -> None:
    """A program of two paths, and a layer that a Dockerfile put on top: it hides what it cannot take away."""

    def only_static(tree: Path, own: str) -> None:
        (tree / "lib/x86_64-linux-musl/bin/mksh").rename(tree / "mksh")
        shutil.rmtree(tree / "lib")
        (tree / "bin").mkdir()
        (tree / "mksh").rename(tree / "bin/mksh")

    mksh = builder.package("mksh-59c", "mksh", ("usr/lib/x86_64-linux-musl/",), (), only_static)

    def mention(tree: Path, own: str) -> None:
        write(tree / "nix-support/propagated-build-inputs", f"{mksh}\n")

    manual = builder.package("mksh-59c-doc", "mksh", ("usr/share/doc/", "usr/share/man/man1/mksh"), (), mention)
    netbase = builder.package("netbase-6.4", "netbase", ("etc/", "usr/share/doc/"))
    tree = builder.store.begin("port-of")
    write(
        tree / "bin/port-of",
        f"#!{mksh}/bin/mksh\n"
        "# Prints the port and protocol of each service named.\n"
        "for service; do\n"
        "  while read -r name port rest; do\n"
        '    [[ $name = "$service" ]] && print -r -- "$name $port"\n'
        f"  done <{netbase}/etc/services\n"
        "done\n",
        0o555,
    )
    seal(tree)
    port_of = builder.store.finish("port-of")

    def fill(tree: Path) -> None:
        link(tree, "bin/port-of", f"{port_of}/bin/port-of")
        link(tree, "share/doc/mksh", f"{manual}/share/doc/mksh")
        write(tree / "etc/motd", "port-of SERVICE… prints the port of a service.\n")
        accounts(tree)

    customisation = builder.customisation("port-of", fill)
    top = builder.store.begin("dockerfile-layer")
    write(top / "etc/motd", "Ask me for a port: port-of ssh\n", 0o644)
    hidden = manual.path.removeprefix("/nix/store/")
    write(top / f"nix/store/.wh.{hidden}", "", 0o644)
    for path in [top, *top.rglob("*")]:
        if path.is_dir():
            path.chmod(0o755)
    command = f"/bin/sh -c echo 'Ask me for a port: port-of ssh' >/etc/motd && rm -rf {manual}"
    layers = [
        store_layer([mksh]),
        store_layer([netbase, manual, port_of]),
        customisation_layer(customisation),
        plain_layer(top, {"created": "1970-01-01T00:00:02+00:00", "created_by": command}),
    ]
    config = {
        "Entrypoint": [f"{port_of}/bin/port-of"],
        "Cmd": ["ssh", "domain", "http"],
        "Env": ["PATH=/bin"],
    }
    write_archive(out, "nixdive-sample:latest", config, layers, "1970-01-01T00:00:02+00:00")


def main() -> None:
    packages, site, work, web_out, embedded_out = map(Path, sys.argv[1:])
    web_server(Builder(packages, work / "web-server"), site, web_out)
    embedded(Builder(packages, work / "embedded"), embedded_out)


main()
