//! Opening images: `cargo bench --bench open`. Inputs are the samples and archives made here.
#![allow(clippy::disallowed_methods)]

use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};

use divan::Bencher;
use nixdive::analysis::assess;
use nixdive::image::{Baseline, Image, LayerIndex, NodeId, Scope, compute_history};
use nixdive::open::{Keep, OpenOptions, Progress, Verify, open};
use nixdive::reference::Reference;
use sha2::{Digest as _, Sha256};

fn main() {
    divan::main();
}

fn open_image(path: &Path, keep: Keep) -> Image {
    let reference = Reference::parse(path.as_os_str()).unwrap_or_else(|error| unreachable!("{error}"));
    let options = OpenOptions { keep, ..OpenOptions::default() };
    open(&reference, &options, &Progress::new()).unwrap_or_else(|error| unreachable!("{error}")).image
}

/// A plain docker-archive of `files` small files in one layer and `layers` more that touch a few of them.
fn generated(files: usize, layers: usize) -> PathBuf {
    let path = std::env::temp_dir().join(format!("nixdive-bench-{files}-{layers}.tar"));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/large-image");
    let words = ["--files".into(), files.to_string(), "--layers".into(), layers.to_string()];
    if !path.exists() {
        let made = std::process::Command::new(script).arg(&path).args(words).status();
        assert!(made.is_ok_and(|status| status.success()), "benches/large-image needs python3");
    }
    path
}

#[divan::bench(args = ["lighttpd-nix.tar.gz", "lighttpd-docker.tar.zst"])]
fn sample(bencher: Bencher<'_, '_>, name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("sample-images").join(name);
    bencher.bench(|| open_image(&path, Keep::Trees));
}

#[divan::bench(args = [50_000, 200_000], sample_count = 10)]
fn plain_archive(bencher: Bencher<'_, '_>, files: usize) {
    let path = generated(files, 19);
    bencher.bench(|| open_image(&path, Keep::Trees));
}

/// What `ci`, `sbom` and `rebuild` do before anything else: every digest is verified.
#[divan::bench(args = [50_000, 200_000], sample_count = 10)]
fn plain_archive_verified(bencher: Bencher<'_, '_>, files: usize) {
    let reference = Reference::parse(generated(files, 19).as_os_str()).unwrap_or_else(|error| unreachable!("{error}"));
    let options = OpenOptions { verify: Verify::All, ..OpenOptions::default() };
    bencher
        .bench(|| open(&reference, &options, &Progress::new()).unwrap_or_else(|error| unreachable!("{error}")).image);
}

/// The measure for [`plain_archive_verified`]: one pass of SHA-256.
#[divan::bench(args = [50_000, 200_000], sample_count = 10)]
fn sha256_of_the_same_bytes(bencher: Bencher<'_, '_>, files: usize) {
    let path = generated(files, 19);
    bencher.bench(|| {
        let mut file = std::fs::File::open(&path).unwrap_or_else(|error| unreachable!("{error}"));
        let mut hash = Sha256::new();
        let mut buffer = vec![0; 1 << 20];
        while let Ok(count @ 1..) = file.read(&mut buffer) {
            hash.update(&buffer[..count]);
        }
        hash.finalize()
    });
}

#[divan::bench(sample_count = 10)]
fn history_of_200_000_entries(bencher: Bencher<'_, '_>) {
    let image = open_image(&generated(200_000, 19), Keep::Trees);
    bencher
        .with_inputs(|| image.tree.clone())
        .bench_values(|mut tree| compute_history(&mut tree, &mut |_: &_, _, _| true));
}

#[divan::bench(sample_count = 10)]
fn figures_of_200_000_entries(bencher: Bencher<'_, '_>) {
    let image = open_image(&generated(200_000, 19), Keep::Trees);
    bencher.bench(|| assess(&image));
}

#[divan::bench]
fn look_at_every_child_of_the_root(bencher: Bencher<'_, '_>) {
    let image = open_image(&generated(200_000, 19), Keep::Trees);
    let scope = Scope::Stacked(LayerIndex(10));
    bencher.bench(|| {
        let root = image.tree.see(NodeId::ROOT, scope, Baseline::Below, Default::default());
        let floors = root.map(|seen| seen.floors).unwrap_or_default();
        image
            .tree
            .children(NodeId::ROOT)
            .filter_map(|child| image.tree.see(child, scope, Baseline::Below, floors))
            .count()
    });
}

#[divan::bench]
fn parse_a_reference() -> bool {
    Reference::parse(OsStr::new("docker-archive:/tmp/image.tar:web:1.0")).is_ok()
}
