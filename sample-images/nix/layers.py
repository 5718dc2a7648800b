"""A store's paths as a layered docker-archive, in the form that dockerTools.buildLayeredImage gives it.

Standard library only.
"""

import hashlib
import io
import json
import os
import tarfile
from dataclasses import dataclass
from pathlib import Path

from store import STORE, StorePath

CREATED = "1970-01-01T00:00:01+00:00"


@dataclass
class Layer:
    tar: bytes
    history: dict
    is_customisation: bool = False

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.tar).hexdigest()


def by_popularity(paths: list[StorePath]) -> list[StorePath]:
    """The order of dockerTools' popularity contest: what most paths need, directly or not, comes first."""
    references = {p.path: [r for r in p.references if r != p.path] for p in paths}
    referenced = {r for below in references.values() for r in below}
    counts: dict[str, dict[str, int]] = {}

    def count(children: list[str]) -> dict[str, int]:
        total: dict[str, int] = {}
        for child in children:
            total[child] = total.get(child, 0) + 1
            if child not in counts:
                counts[child] = count(references[child])
            for below, number in counts[child].items():
                total[below] = total.get(below, 0) + number + 1
        return total

    score = count(sorted(set(references) - referenced))
    return sorted(paths, key=lambda p: (-score[p.path], p.name, p.hash_part))


def member(name: str, kind: bytes, mode: int, owner: str) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.mtime = kind, mode, 1
    entry.uname = entry.gname = owner
    return entry


def add_tree(tar: tarfile.TarFile, files: Path, name: str, owner: str) -> None:
    """Adds a file, link or directory with all below it, sorted component by component."""
    status = files.lstat()
    if files.is_symlink():
        entry = member(name, tarfile.SYMTYPE, 0o777, owner)
        entry.linkname = os.readlink(files)
        tar.addfile(entry)
    elif files.is_dir():
        tar.addfile(member(name, tarfile.DIRTYPE, status.st_mode & 0o7777, owner))
        for child in sorted(files.iterdir(), key=lambda child: os.fsencode(child.name)):
            add_tree(tar, child, f"{name}/{child.name}", owner)
    else:
        entry = member(name, tarfile.REGTYPE, status.st_mode & 0o7777, owner)
        content = files.read_bytes()
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))


def history(paths: list[str]) -> dict:
    # dockerTools writes the list as Python prints it.
    return {"created": CREATED, "comment": f"store paths: {paths!r}"}


def store_layer(paths: list[StorePath]) -> Layer:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in ("/nix", STORE):
            tar.addfile(member(name, tarfile.DIRTYPE, 0o755, "root"))
        for path in sorted(paths):
            add_tree(tar, path.files, path.path, "root")
    return Layer(buffer.getvalue(), history([path.path for path in paths]))


def plain_layer(files: Path, entry: dict) -> Layer:
    """A layer of `./…` names: the customisation layer, or one that a Dockerfile adds on top."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        add_tree(tar, files, ".", "")
    return Layer(buffer.getvalue(), entry)


def customisation_layer(files: StorePath) -> Layer:
    layer = plain_layer(files.files, history([files.path]))
    layer.is_customisation = True
    return layer


def layers_of(closure: list[StorePath], customisation: StorePath, maximum: int) -> list[Layer]:
    """One layer for each of the most popular paths, the rest in one, then the customisation layer."""
    ordered = by_popularity(closure)
    alone = maximum - 2 if len(ordered) > maximum - 1 else len(ordered)
    groups = [[path] for path in ordered[:alone]] + ([ordered[alone:]] if ordered[alone:] else [])
    return [store_layer(group) for group in groups] + [customisation_layer(customisation)]


def write_archive(out: Path, tag: str, config: dict, layers: list[Layer], created: str = CREATED) -> None:
    """Writes the docker-archive, uncompressed, its manifest last as dockerTools does."""
    image = {
        "created": created,
        "architecture": "amd64",
        "os": "linux",
        "config": config,
        "rootfs": {"diff_ids": [f"sha256:{layer.digest}" for layer in layers], "type": "layers"},
        "history": [layer.history for layer in layers],
    }
    image_json = json.dumps(image, indent=4).encode()
    image_name = hashlib.sha256(image_json).hexdigest() + ".json"
    names = [f"{layer.digest}/layer.tar" for layer in layers]
    manifest = json.dumps([{"Config": image_name, "RepoTags": [tag], "Layers": names}], indent=4).encode()
    with tarfile.open(out, mode="w", format=tarfile.PAX_FORMAT) as tar:

        def put(name: str, content: bytes, mode: int = 0o644, owner: str = "") -> None:
            entry = member(name, tarfile.REGTYPE, mode, owner)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))

        for name, layer in zip(names, layers):
            if layer.is_customisation:
                put(name, layer.tar, 0o444, "root")
            else:
                put(name, layer.tar)
        put(image_name, image_json)
        put("manifest.json", manifest)
