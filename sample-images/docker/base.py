"""A small Debian: the files of a few packages as one tar, with the package database that belongs to them.

  base.py OUT.tar PACKAGE.deb…

Standard library and dpkg-deb only.
"""

import io
import re
import subprocess
import sys
import tarfile

# As `path-exclude` in dpkg's configuration leaves them out: the character set modules are two thirds of the C library.
EXCLUDED = re.compile(r"\./usr/lib/[^/]+/gconv(/|$)")


def output(*command: str) -> bytes:
    return subprocess.run(command, check=True, capture_output=True).stdout


class Base:
    def __init__(self) -> None:
        self.entries: dict[str, tuple[tarfile.TarInfo, bytes]] = {}
        self.status: list[str] = []
        self.newest = 0

    def file(self, name: str, content: bytes, mode: int = 0o644, kind: bytes = tarfile.REGTYPE) -> None:
        entry = tarfile.TarInfo(name)
        entry.type, entry.mode, entry.mtime, entry.size = kind, mode, self.newest, len(content)
        self.entries[name] = (entry, content)

    def package(self, path: str) -> None:
        control = output("dpkg-deb", "--field", path).decode()
        fields = dict(re.findall(r"^([A-Za-z-]+): (.*)$", control, re.M))
        record = "./var/lib/dpkg/info/" + fields["Package"]
        if fields.get("Multi-Arch") == "same":
            record += ":" + fields["Architecture"]
        names = []
        with tarfile.open(fileobj=io.BytesIO(output("dpkg-deb", "--fsys-tarfile", path))) as tar:
            for entry in tar:
                names.append(entry.name.removeprefix(".") or "/.")
                if EXCLUDED.match(entry.name):
                    continue
                content = tar.extractfile(entry).read() if entry.isreg() else b""
                self.newest = max(self.newest, int(entry.mtime))
                if not (entry.isdir() and entry.name in self.entries):
                    self.entries[entry.name] = (entry, content)
        self.file(record + ".list", "".join(name + "\n" for name in names).encode())
        with tarfile.open(fileobj=io.BytesIO(output("dpkg-deb", "--ctrl-tarfile", path))) as tar:
            for entry in tar:
                kind = entry.name.removeprefix("./")
                if kind in ("md5sums", "conffiles"):
                    self.file(f"{record}.{kind}", tar.extractfile(entry).read())
        self.status.append(control.replace("\n", "\nStatus: install ok installed\n", 1).rstrip("\n") + "\n\n")

    def finish(self, out: str) -> None:
        # Says that records of Multi-Arch packages carry their architecture in their names.
        self.file("./var/lib/dpkg/info/format", b"1\n")
        self.file("./var/lib/dpkg/status", "".join(self.status).encode())
        for name in ("passwd", "group"):
            self.file(f"./etc/{name}", self.entries[f"./usr/share/base-passwd/{name}.master"][1])
        for name in ("./var/lib/dpkg/info", "./usr/local/bin", "./usr/local/sbin"):
            self.file(name, b"", 0o755, tarfile.DIRTYPE)
        with tarfile.open(out, "w", format=tarfile.GNU_FORMAT) as tar:
            for name in sorted(self.entries, key=lambda name: name.split("/")):
                entry, content = self.entries[name]
                entry.pax_headers = {}
                tar.addfile(entry, io.BytesIO(content) if entry.isreg() else None)


def main() -> None:
    base = Base()
    for path in sys.argv[2:]:
        base.package(path)
    base.finish(sys.argv[1])


main()
