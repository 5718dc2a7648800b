#!/usr/bin/env python3
"""Writes small inputs for all fuzz targets to fuzz/corpus/."""

import bz2
import gzip
import hashlib
import io
import json
import lzma
import pathlib
import random
import shutil
import sqlite3
import struct
import subprocess
import tarfile

HERE = pathlib.Path(__file__).parent / "corpus"


def write(target, name, data):
    directory = HERE / target
    directory.mkdir(parents=True, exist_ok=True)
    (directory / f"seed-{name}").write_bytes(data)


def tar(members, form=tarfile.GNU_FORMAT, pax=None):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for name, kind, content in members:
            entry = tarfile.TarInfo(name)
            entry.type = kind
            entry.pax_headers = pax or {}
            if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
                entry.linkname = content
                archive.addfile(entry)
            else:
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def layers():
    file, directory, symlink, link = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE
    base = [("etc", directory, b""), ("etc/a", file, b"a"), ("b", symlink, "etc/a"), ("c", link, "etc/a")]
    marks = [("etc/.wh.a", file, b""), ("d/.wh..wh..opq", file, b""), ("d/" + "n" * 120, file, b"long")]
    xattrs = {"SCHILY.xattr.user.a": "b", "mtime": "-1.5"}
    sparse = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "s", "GNU.sparse.realsize": "99"}
    old = {"GNU.sparse.size": "99", "GNU.sparse.map": "0,2,97,2"}
    mapped = b"1\n0\n2\n".ljust(512, b"\0") + b"xy"
    return {
        "base": tar(base),
        "marks": tar(marks),
        "pax": tar(base, tarfile.PAX_FORMAT, xattrs),
        "sparse": tar([("GNUSparseFile.0/s", file, mapped)], tarfile.PAX_FORMAT, sparse),
        "sparse-0.1": tar([("s", file, b"abcd")], tarfile.PAX_FORMAT, old),
        "empty": tar([]),
    }


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def image(blobs):
    config = {
        "os": "linux",
        "architecture": "amd64",
        "config": {"Env": ["A=b"], "Cmd": ["sh"], "Labels": {"a": "b"}, "ExposedPorts": {"80/tcp": {}}},
        "rootfs": {"type": "layers", "diff_ids": [digest(blob) for blob in blobs]},
        "history": [{"created_by": "x", "created": "2024-01-01T00:00:00Z"} for _ in blobs],
    }
    return json.dumps(config).encode()


def docker(blobs):
    names = [f"{number}/layer.tar" for number in range(len(blobs))]
    manifest = json.dumps([{"Config": "c.json", "RepoTags": ["a:b"], "Layers": names}]).encode()
    members = [("manifest.json", manifest), ("c.json", image(blobs)), *zip(names, blobs)]
    return tar([(name, tarfile.REGTYPE, data) for name, data in members]), manifest


def oci(blobs):
    config = image(blobs)
    kind = "application/vnd.oci.image."

    def described(media_type, data):
        return {"mediaType": kind + media_type, "digest": digest(data), "size": len(data)}

    manifest = {"schemaVersion": 2, "config": described("config.v1+json", config)}
    manifest["layers"] = [described("layer.v1.tar", blob) for blob in blobs]
    manifest = json.dumps(manifest).encode()
    listed = described("manifest.v1+json", manifest) | {"annotations": {"org.opencontainers.image.ref.name": "a"}}
    index = json.dumps({"schemaVersion": 2, "manifests": [listed]}).encode()
    stored = [("blobs/" + digest(data).replace(":", "/"), data) for data in [manifest, config, *blobs]]
    members = [("oci-layout", b'{"imageLayoutVersion":"1.0.0"}'), ("index.json", index), *stored]
    return tar([(name, tarfile.REGTYPE, data) for name, data in members]), manifest, index


def main():
    found = layers()
    for name, data in found.items():
        write("layer", name, data)
        write("compression", f"gzip-{name}", gzip.compress(data))
        write("compression", f"xz-{name}", lzma.compress(data))
        write("compression", f"bzip2-{name}", bz2.compress(data))
        if shutil.which("zstd"):
            packed = subprocess.run(["zstd", "-c"], input=data, capture_output=True, check=True).stdout
            write("compression", f"zstd-{name}", packed)
    blobs = [found["base"], found["marks"]]
    archive, list_of_images = docker(blobs)
    write("archive", "docker", archive)
    write("archive", "docker-gzip", docker([gzip.compress(blob) for blob in blobs])[0])
    archive, manifest, index = oci(blobs)
    write("archive", "oci", archive)
    write("archive", "gzip", gzip.compress(archive))
    write("index", "oci", index)
    kept = b'{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:'
    write("index", "found", kept + b"a" * 64 + b'","size":1,"platform":{"os":"linux","architecture":"amd64"}}]}')
    for number, data in enumerate([list_of_images, b'{"a":{"latest":"top"}}', b'{"parent":"base"}', image([]), manifest]):
        write("manifest", str(number), bytes([number]) + data)
    write("config", "plain", image(blobs))
    database = sqlite3.connect(":memory:")
    database.executescript(
        "PRAGMA page_size = 512;"
        "CREATE TABLE ValidPaths (id integer primary key, path text, hash text, deriver text, narSize integer);"
        "CREATE TABLE Refs (referrer integer, reference integer, primary key (referrer, reference));"
    )
    for number in range(1, 9):
        path = "/nix/store/" + "a" * 31 + f"{number}-p-{number}"
        database.execute("INSERT INTO ValidPaths VALUES (?, ?, 'sha256:00', NULL, 96)", (number, path))
        database.execute("INSERT INTO Refs VALUES (?, ?)", (number, number + 1))
    database.commit()
    if hasattr(database, "serialize"):
        write("nix_database", "small", database.serialize())
    for records in [b"11 path=ab\n", b"20 linkpath=a/b/c/d\n12 size=12\n", b"25 GNU.sparse.map=0,1,2,3\n"]:
        write("pax", hashlib.sha256(records).hexdigest()[:8], records)
    layer = gzip.compress(b"hello") + gzip.compress(b"world")
    second = len(gzip.compress(b"hello"))
    digest = lambda content: "sha256:" + hashlib.sha256(content).hexdigest()
    entries = [
        {"type": "dir", "name": "etc/", "mode": 493, "modtime": "2024-01-01T00:00:00Z", "xattrs": {"user.a": "aGk="}},
        {"type": "reg", "name": "etc/a", "size": 14, "digest": digest(b"hello\0\0\0\0world"), "chunkSize": 5,
         "chunkDigest": digest(b"hello")},
        {"type": "chunk", "name": "etc/a", "chunkOffset": 5, "chunkSize": 4, "chunkType": "zeros"},
        {"type": "chunk", "name": "etc/a", "chunkOffset": 9, "offset": second, "chunkDigest": digest(b"world")},
        {"type": "reg", "name": "b", "size": 3, "digest": digest(b"rld"), "offset": second, "innerOffset": 2},
        {"type": "hardlink", "name": "c", "linkName": "etc/a"},
        {"type": "char", "name": "d", "devMajor": 1, "devMinor": 3},
    ]
    table = json.dumps({"version": 1, "entries": entries}).encode()
    write("layer_table", "both", struct.pack("<H", len(table)) + table + layer)
    texts = {
        "reference": ["docker-archive:a.tar:b:c", "oci:d", "dir:x:y", "-", "rootfs:/", "a:@1"],
        "digest": ["sha256:" + "0a" * 32, "sha512:" + "f" * 128, "md5:" + "0" * 32, "sha256:../../etc/passwd"],
        "platform": ["linux/amd64", "linux/arm/v7", "linux/x86_64", "x/i386", "windows/amd64/", "linux"],
        "display_name": ["etc/passwd", "a\x1b[31mb", "\u202eexe.txt", "ä\u0301", "tab\there", "\x9b1m"],
        "config": ['{"": 33e333}', '{"os": 5, "config": {"Env": {"a": 1}, "Cmd": "sh"}}', "[]"],
    }
    for target, list_of_texts in texts.items():
        for text in list_of_texts:
            write(target, hashlib.sha256(text.encode()).hexdigest()[:8], text.encode())
    write("display_name", "latin1", b"caf\xe9\xff")
    write("config", "latin1", b'{"x": "\xff", "os": "linux"}')
    for name, data in found.items():
        packed = gzip.compress(data)
        for spacing, offset, length in [(64, 700, 900), (0, 0, 65535), (4096, 3, 1)]:
            write("gzip_index", f"{name}-{spacing}", struct.pack("<HIH", spacing, offset, length) + packed)
        if shutil.which("zstd"):
            packed = subprocess.run(["zstd", "-c"], input=data, capture_output=True, check=True).stdout
            write("zstd_index", name, struct.pack("<IH", 700, 900) + packed + packed)
    # Any bytes make layers of some entries; `random` gives the same ones every time.
    numbers = random.Random(1)
    for length in [64, 512, 2048, 4096]:
        write("tree_builder", str(length), numbers.randbytes(length))


if __name__ == "__main__":
    main()
