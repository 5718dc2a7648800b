//! `rebuild` of the images of the corpus: figures that agree with each other, and results that are no less sound.

use std::path::PathBuf;

use serde_json::Value;

use crate::support::program::{open_typed, run, scratch};

/// All classes of files that may be dropped.
const ALL: &str = "docs,locales,dev,static-libs,pycache,tests,debug,package-manager,unreachable";

const IMAGES: [&str; 8] = [
    "alpine/alpine-310.tar.gz",
    "alpine/alpine-311.tar.gz",
    "busybox/latest-amd64",
    "dive/test-docker-image.tar",
    "dive/test-kaniko-image.tar",
    "dockerfile/web-docker.tar.zst",
    "nix/hello-nix.tar.gz",
    "nix/web-nix.tar.gz",
];

#[test]
fn what_a_plan_says_is_what_is_written_and_nothing_breaks() {
    let directory = scratch();
    let root = std::env::var_os("NIXDIVE_CORPUS").map_or_else(|| PathBuf::from("../shared/corpus"), PathBuf::from);
    for name in IMAGES {
        let image = root.join(name);
        if !image.exists() {
            assert!(std::env::var_os("NIXDIVE_LIVE").is_none_or(|live| live != "1"), "{} is missing", image.display());
            println!("skipped: {} is missing (set NIXDIVE_CORPUS)", image.display());
            return;
        }
        let image = image.to_str().unwrap();
        let before = run(&["rebuild", image, "--check"]);
        for options in [&[][..], &["--drop", ALL]] {
            let what = format!("{name} {options:?}");
            let plan = run(&[&["rebuild", image, "--plan", "--format", "json"], options].concat());
            let plan: Value = serde_json::from_str(plan.done().text()).unwrap();
            let rows = plan["rows"].as_array().unwrap();
            let sum = |key: &str| rows.iter().map(|row| row[key].as_u64().unwrap()).sum::<u64>();
            assert_eq!(sum("bytesBefore"), plan["bytes"]["before"].as_u64().unwrap(), "{what}");
            assert_eq!(sum("bytesAfter"), plan["bytes"]["after"].as_u64().unwrap(), "{what}");
            for row in rows {
                let evidence = row["evidence"].as_array().unwrap();
                assert!(!evidence.is_empty(), "{what}: {row}");
            }
            let new = directory.path().join("new.tar");
            let written = run(&[&["rebuild", image, "-o", new.to_str().unwrap()], options].concat());
            assert_eq!(written.code, Some(0), "{what}: {}", written.stderr);
            let after = run(&["rebuild", new.to_str().unwrap(), "--check"]);
            assert!(after.code <= before.code, "{what}: {}", after.text());
            assert_eq!(content_bytes(&new), sum("bytesAfter"), "{what}");
        }
    }
}

/// Bytes of the files of an image, each content once.
fn content_bytes(image: &std::path::Path) -> u64 {
    let opened = open_typed(image).unwrap();
    let tree = &opened.image.tree;
    let contents: std::collections::HashSet<_> =
        tree.stacked_paths(tree.top_layer().unwrap()).filter_map(|(_, id)| tree.content_of(id?)).collect();
    contents.into_iter().map(|id| tree.occurrence(id).bytes).sum()
}
