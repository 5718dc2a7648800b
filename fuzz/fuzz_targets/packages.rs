//! Databases of packages: dpkg, apk, RPM (SQLite, ndb, Berkeley DB, manifest) with their headers, chisel, Python. The first
//! byte says which.
#![no_main]

use std::borrow::Cow;

use libfuzzer_sys::fuzz_target;
use nixdive::packages::{DatabaseFile, is_wanted, parse};

const PATHS: [&str; 14] = [
    "var/lib/dpkg/status",
    "var/lib/dpkg/status.d/a",
    "var/lib/dpkg/status.d/a.md5sums",
    "var/lib/dpkg/info/a.list",
    "var/lib/dpkg/diversions",
    "lib/apk/db/installed",
    "var/lib/rpm/rpmdb.sqlite",
    "var/lib/rpm/Packages.db",
    "var/lib/rpm/Packages",
    "var/lib/rpmmanifest/container-manifest-2",
    "var/lib/chisel/manifest.wall",
    "usr/lib/python3/a-1.dist-info/METADATA",
    "usr/lib/python3/a-1.dist-info/RECORD",
    "usr/lib/python3/a.egg-info/installed-files.txt",
];

fuzz_target!(|bytes: &[u8]| {
    let Some((first, content)) = bytes.split_first() else { return };
    let path = PATHS[usize::from(*first) % PATHS.len()];
    assert!(is_wanted(path.as_bytes()));
    let file = |path: &'static str, content| DatabaseFile { path: Cow::Borrowed(path.as_bytes()), content };
    let files = [
        file("var/lib/dpkg/status", b"Package: a\nStatus: install ok installed\nVersion: 1\n".as_slice()),
        file("usr/lib/python3/a-1.dist-info/METADATA", b"Name: a\nVersion: 1\n"),
        file("usr/lib/python3/a.egg-info/PKG-INFO", b"Name: a\nVersion: 1\n"),
        // Of two files with one path the last counts.
        file(path, content),
    ];
    let parsed = parse(&files);
    assert!(parsed.problems.len() <= files.len());
});
