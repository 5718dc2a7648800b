"""A Nix store made without Nix: trees of files become content-addressed store paths with true references.

A path's name is computed as `nix store make-content-addressed` computes it, so Nix itself accepts the result.
Standard library only.
"""

import hashlib
import os
import re
import shutil
import stat
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

STORE = "/nix/store"
ALPHABET = "0123456789abcdfghijklmnpqrsvwxyz"


def nix32(digest: bytes) -> str:
    """Nix's base 32: least significant digit last, five bits a digit, read from the end."""
    number = int.from_bytes(digest, "little")
    length = (len(digest) * 8 - 1) // 5 + 1
    return "".join(ALPHABET[(number >> 5 * index) & 31] for index in reversed(range(length)))


def fold(digest: bytes, length: int) -> bytes:
    """Nix's compressHash: the digest's bytes exclusive-ored into `length` bytes."""
    folded = bytearray(length)
    for index, byte in enumerate(digest):
        folded[index % length] ^= byte
    return bytes(folded)


def nar(path: Path) -> bytes:
    """The tree serialised as a Nix archive."""
    parts: list[bytes] = []

    def text(value: bytes) -> None:
        parts.append(len(value).to_bytes(8, "little") + value + b"\0" * (-len(value) % 8))

    def node(path: Path) -> None:
        text(b"(")
        text(b"type")
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            text(b"symlink")
            text(b"target")
            text(os.fsencode(os.readlink(path)))
        elif stat.S_ISDIR(mode):
            text(b"directory")
            for child in sorted(path.iterdir(), key=lambda child: os.fsencode(child.name)):
                text(b"entry")
                text(b"(")
                text(b"name")
                text(os.fsencode(child.name))
                text(b"node")
                node(child)
                text(b")")
        else:
            text(b"regular")
            if mode & stat.S_IXUSR:
                text(b"executable")
                text(b"")
            text(b"contents")
            text(path.read_bytes())
        text(b")")

    text(b"nix-archive-1")
    node(path)
    return b"".join(parts)


@dataclass(order=True)
class StorePath:
    """A finished path: `/nix/store/<hash>-<name>`, and where its files lie on this machine."""

    path: str
    name: str = field(compare=False)
    files: Path = field(compare=False)
    references: list[str] = field(compare=False)

    @property
    def hash_part(self) -> str:
        return self.path.removeprefix(STORE + "/")[:32]

    def __str__(self) -> str:
        return self.path


class Store:
    """The store under construction. `begin` gives a tree to fill, `finish` seals it."""

    def __init__(self, work: Path):
        self.work = work
        self.paths: dict[str, StorePath] = {}
        shutil.rmtree(work, ignore_errors=True)
        (work / "unfinished").mkdir(parents=True)
        (work / "store").mkdir()

    def own_path(self, name: str) -> str:
        """The stand-in by which files of an unfinished path name that path."""
        return f"{STORE}/{nix32(hashlib.sha256(name.encode()).digest()[:20])}-{name}"

    def begin(self, name: str) -> Path:
        return self.work / "unfinished" / name

    def finish(self, name: str) -> StorePath:
        tree = self.begin(name)
        serialised = nar(tree)
        stand_in = self.own_path(name).removeprefix(STORE + "/")[:32].encode()
        references = sorted(p.path for p in self.paths.values() if p.hash_part.encode() in serialised)
        path = content_address(name, serialised, stand_in, references)
        if stand_in in serialised:
            replace_everywhere(tree, stand_in, path.removeprefix(STORE + "/")[:32].encode())
            references.append(path)
        files = self.work / "store" / path.removeprefix(STORE + "/")
        tree.rename(files)
        self.paths[path] = StorePath(path, name, files, sorted(references))
        return self.paths[path]

    def write_file(self, name: str, content: str) -> StorePath:
        """A path that is one file, as writeText makes it."""
        self.begin(name).write_text(content)
        self.begin(name).chmod(0o444)
        return self.finish(name)

    def closure(self, roots: list[StorePath]) -> list[StorePath]:
        seen: dict[str, StorePath] = {}
        waiting = [root.path for root in roots]
        while waiting:
            path = waiting.pop()
            if path not in seen:
                seen[path] = self.paths[path]
                waiting.extend(self.paths[path].references)
        return sorted(seen.values())


def content_address(name: str, serialised: bytes, stand_in: bytes, references: list[str]) -> str:
    """Nix's makeFixedOutputPath over the NAR hash modulo self references (libstore, HashModuloSink)."""
    at = [match.start() for match in re.finditer(re.escape(stand_in), serialised)]
    hasher = hashlib.sha256(serialised.replace(stand_in, b"\0" * len(stand_in)))
    hasher.update("".join(f"|{offset}" for offset in at).encode())
    kind = ":".join(["source", *references, *(["self"] if at else [])])
    text = f"{kind}:sha256:{hasher.hexdigest()}:{STORE}:{name}"
    return f"{STORE}/{nix32(fold(hashlib.sha256(text.encode()).digest(), 20))}-{name}"


def replace_everywhere(tree: Path, old: bytes, new: bytes) -> None:
    for path in [tree, *tree.rglob("*")]:
        if path.is_symlink():
            target = os.fsencode(os.readlink(path))
            if old in target:
                path.unlink()
                os.symlink(target.replace(old, new), os.fsencode(path))
        elif path.is_file():
            content = path.read_bytes()
            if old in content:
                mode = path.stat().st_mode
                path.chmod(0o644)
                path.write_bytes(content.replace(old, new))
                path.chmod(stat.S_IMODE(mode))


def patchelf(*arguments: str) -> str:
    return subprocess.run(["patchelf", *arguments], check=True, capture_output=True, text=True).stdout.strip()


def relocate(path: Path, libraries: dict[str, str], interpreter: str) -> None:
    """Points an ELF file's loader and library search at store paths; `libraries` maps a soname to its directory."""
    with path.open("rb") as file:
        if file.read(4) != b"\x7fELF":
            return
    mode = stat.S_IMODE(path.stat().st_mode)
    path.chmod(0o755)
    needed = patchelf("--print-needed", str(path)).split()
    directories = sorted({libraries[soname] for soname in needed if soname in libraries})
    missing = [soname for soname in needed if soname not in libraries]
    if missing:
        raise SystemExit(f"{path}: no store path brings {', '.join(missing)}")
    if directories:
        patchelf("--set-rpath", ":".join(directories), str(path))
    probe = subprocess.run(["patchelf", "--print-interpreter", str(path)], capture_output=True, text=True)
    if probe.returncode == 0 and probe.stdout.strip():
        patchelf("--set-interpreter", interpreter, str(path))
    path.chmod(mode)


def seal(tree: Path) -> None:
    """The modes that every path in a Nix store has: 0555 for directories and programs, 0444 for other files."""
    for path in [tree, *tree.rglob("*")]:
        if not path.is_symlink():
            runs = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
            path.chmod(0o555 if runs else 0o444)
