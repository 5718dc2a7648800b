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
import zipfile

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


def rpm_header():
    """A package of RPM: an index of tags, then their values."""
    texts = [(1000, b"bash\0"), (1001, b"5.2\0"), (1002, b"1\0"), (1022, b"x86_64\0"), (1014, b"GPL\0")]
    index, data = b"", b""
    for tag, text in texts:
        index += struct.pack(">IIII", tag, 6, len(data), 1)
        data += text
    return struct.pack(">II", len(texts), len(data)) + index + data


def ndb(blob):
    """A database of RPM's own format with one package."""
    header = struct.pack("<IIIIIIII", 0x506D7052, 0, 0, 1, 0, 0, 0, 0)
    slot = struct.pack("<IIII", 0x746F6C53, 1, 256, (len(blob) + 31) // 16)
    body = struct.pack("<IIII", 0x53626C42, 1, 0, len(blob)) + blob
    return (header + slot).ljust(4096, b"\0") + body


def zipped():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("META-INF/MANIFEST.MF", "Class-Path: a.jar\n b.jar\n")
    return out.getvalue()


def parsers():
    """Seeds of the targets whose first byte chooses a parser."""
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, blob BLOB)")
    database.execute("INSERT INTO Packages VALUES (1, ?)", (rpm_header(),))
    database.commit()
    sql = database.serialize() if hasattr(database, "serialize") else b"SQLite format 3\0"
    status = b"Package: a\nStatus: install ok installed\nVersion: 1-2\nArchitecture: amd64\nSource: b (3)\n\n"
    packages = [
        status, status, b"d41d8cd98f00b204e9800998ecf8427e  usr/bin/a\n", b"/.\n/usr\n/usr/bin/a\n",
        b"/bin/sh\n/bin/sh.distrib\ndash\n",
        b"C:Q1x\nP:musl\nV:1-r0\nA:x86_64\nS:1\nI:2\nL:MIT\no:musl\nF:lib\nR:a.so\nZ:Q1x\n\n",
        sql, ndb(rpm_header()), b"\0" * 12 + struct.pack("<II", 0x061561, 9) + b"\0" * 492,
        b"bash-5.2-1.x86_64\t(none)\tGPL\n", b"(\xb5\x2f\xfd", b"Metadata-Version: 2.1\nName: a\nVersion: 1\n\ntext",
        b"a/__init__.py,sha256=x,12\n\"b,c.py\",,\n", b"../a.py\n",
    ]
    ar = b"!<arch>\n" + b"a/".ljust(16) + b"0".ljust(12) + b"0".ljust(6) * 2 + b"644".ljust(8) + b"2".ljust(10) + b"`\nhi"
    cpio = b"".join([b"070701", b"%08x" % 1, b"%08x" % 0o100644, b"0" * 32, b"%08x" % 2, b"0" * 32, b"%08x" % 2, b"0" * 8])
    elf = pathlib.Path("/bin/true").read_bytes()
    elf = elf[:20000] if elf.startswith(b"\x7fELF") else b"\x7fELF\x02\x01\x01"
    deb = ar.replace(b"a/".ljust(16), b"debian-binary".ljust(16))
    preview = [zipped(), ar, deb, cpio + b"a\0hi", tar([("a", tarfile.REGTYPE, b"a")]), elf, b"#!/bin/sh\n", b"a\nb\na\nc\n"]
    cache = b"glibc-ld.so.cache1.1" + struct.pack("<II", 1, 0) + b"\0" * 20
    cache += struct.pack("<III", 3, 72, 77) + b"\0" * 12 + b"libc\0/lib/c\0"
    needs = [
        elf, b"see /usr/share/a and /etc/b.", cache, b"#!/bin/sh\nset -e\nif [ -f \"$HOME/a\" ]; then exec ${x:-b} $(c <<E\nE\n); fi\n",
        b"import os, a.b\nfrom c import d\n", zipped(), b"system('ls -l'); `date`; %x(a b) qx{c}", b"command=/bin/a b\nExecStart=/bin/c\n", b"*.[a-c]?so.1",
    ]
    rules = [
        b"a: &x [1, {b: 'c'}]\nd: *x\ne: |\n  f\n---\n- g\n", b"rules:\n  max-size: 10 MB\nbudgets:\n- subject: layers\n  max: 3\n",
        b'{"schema":"nixdive.baseline/1"}', b"10 %", b"0.9", b"/usr/**/*.{a,b}\n/usr/x/y.a",
    ]
    compose = b"A=b\n---ENV\nservices:\n  web:\n    image: ${A:-c}:${TAG?none}\n    build: .\n"
    pod = b"apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - name: a\n    image: b:c\n"
    conf = b'unqualified-search-registries = ["a.example"]\n[[registry]]\nprefix = "h.example/team"\nlocation = "b.example"\n[[registry.mirror]]\nlocation = "c.example"\n'
    auth = b'{"auths":{"h.example/team":{"auth":"bWU6aHVudGVyMg=="},"docker.io":{"identitytoken":"t"}},"credsStore":"x"}'
    registry = [
        b'Basic realm="a", Bearer realm="https://b/token",service="c",scope="d:e:pull"', b"https://h.example:443/a?b=c#d",
        b"Sun, 06 Nov 1994 08:49:37 GMT", b"aGk=", conf, auth,
    ]
    meta = struct.pack("<QHHI", 0, 4, 0, 0) + struct.pack("<IIIIQQQQQ", 0xED0CDAED, 2, 4096, 0, 2, 0, 3, 4, 1)
    checksum = 0xCBF29CE484222325
    for byte in meta[16:]:
        checksum = ((checksum ^ byte) * 0x100000001B3) % (1 << 64)
    meta = (meta + struct.pack("<Q", checksum)).ljust(4096, b"\0")
    leaf = struct.pack("<QHHI", 2, 2, 1, 0) + struct.pack("<IIII", 0, 16, 1, 1) + b"kv"
    layer = {"digest": "sha256:" + "a" * 64, "diff_ids": "sha256:" + "a" * 64, "size": 1, "media-type": "x",
             "paths": [{"path": "/nix/store/" + "a" * 32 + "-p"}], "history": {"created_by": "x"}}
    document = {"version": 1, "image-config": {"Env": ["A=b"]}, "layers": [layer], "arch": "amd64"}
    stored = [b"t" + b"\0" * 40, meta + meta + leaf.ljust(4096, b"\0"), json.dumps(document).encode()]
    chosen = {"packages": packages, "preview": preview, "needs": needs, "rules": rules, "registry": registry, "stored": stored}
    for target, seeds in chosen.items():
        for number, seed in enumerate(seeds):
            write(target, str(number), bytes([number]) + seed)
    write("compose", "compose", compose)
    write("compose", "kubernetes", pod)
    numbers = random.Random(2)
    for length in [16, 64, 256]:
        write("nar", str(length), numbers.randbytes(length))


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
    parsers()
    # Any bytes make layers of some entries; `random` gives the same ones every time.
    numbers = random.Random(1)
    for length in [64, 512, 2048, 4096]:
        write("tree_builder", str(length), numbers.randbytes(length))


if __name__ == "__main__":
    main()
