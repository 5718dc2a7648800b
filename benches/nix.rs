//! Speed of the Nix parts: reference scans, NAR hashes, closure graphs.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot be set up has to stop")]

use std::path::PathBuf;
use std::sync::Arc;

use divan::{Bencher, counter::BytesCount};
use nixdive::nix::StoreHash;
use nixdive::nix::graph::{ClosureGraph, Dominators, PathId, Reachability};
use nixdive::nix::nar::{NarEntry, NarNode, NarWriter};
use nixdive::nix::references::{Candidates, HashCollector, MentionScanner, ReferenceScanner};

fn main() {
    divan::main();
}

/// 50,000 paths with 1,000,000 references to later ones.
fn large_graph() -> (Vec<u64>, Vec<(PathId, PathId)>) {
    let count = 50_000u64;
    let mut numbers = Numbers(1);
    let edge = |edge| {
        let from = edge % (count - 1);
        (PathId(from as u32), PathId((from + 1 + numbers.next() % (count - 1 - from)) as u32))
    };
    (vec![1; count as usize], (0..1_000_000).map(edge).collect())
}

#[divan::bench(sample_count = 10)]
fn graph_is_made(bencher: Bencher) {
    let (bytes, edges) = large_graph();
    bencher.bench_local(|| ClosureGraph::new(bytes.clone(), &edges).unwrap());
}

#[divan::bench(sample_count = 10)]
fn graph_reachability(bencher: Bencher) {
    let (bytes, edges) = large_graph();
    let graph = ClosureGraph::new(bytes, &edges).unwrap();
    bencher.bench_local(|| Reachability::new(&graph, &[PathId(0)]));
}

#[divan::bench(sample_count = 10)]
fn graph_added_sizes(bencher: Bencher) {
    let (bytes, edges) = large_graph();
    let graph = ClosureGraph::new(bytes, &edges).unwrap();
    bencher.bench_local(|| Dominators::new(&graph, &[PathId(0)]));
}

#[divan::bench(sample_count = 10)]
fn graph_closure_sizes_of_all(bencher: Bencher) {
    let (bytes, edges) = large_graph();
    let graph = ClosureGraph::new(bytes, &edges).unwrap();
    bencher.bench_local(|| graph.closure_bytes_of_all());
}

#[divan::bench(sample_count = 10)]
fn nar_hash(bencher: Bencher) {
    let content = real_content();
    let node = NarNode::File { executable: false, bytes: content.len() as u64 };
    bencher.counter(BytesCount::new(content.len())).bench_local(|| {
        let mut writer = NarWriter::hashing();
        writer.entry(&NarEntry { depth: 0, name: b"", node }).unwrap();
        for block in content.chunks(BLOCK_BYTES) {
            writer.content(block).unwrap();
        }
        writer.digest().unwrap()
    });
}

const CONTENT_BYTES: usize = 16 << 20;
const BLOCK_BYTES: usize = 256 << 10;

/// A cheap generator of numbers that are the same on every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 24
    }
}

fn hashes(count: usize) -> Vec<StoreHash> {
    let mut numbers = Numbers(1);
    let mut bytes = || std::array::from_fn(|_| numbers.next() as u8);
    (0..count).map(|_| StoreHash::from_bytes(&bytes())).collect()
}

/// Programs, libraries and texts of this machine, with store paths written in every 16 KiB.
fn real_content() -> Vec<u8> {
    let mut content = Vec::with_capacity(CONTENT_BYTES);
    for directory in ["/usr/lib/x86_64-linux-gnu", "/usr/bin", "/usr/share/perl"] {
        let Ok(entries) = std::fs::read_dir(directory) else { continue };
        for entry in entries.flatten() {
            if content.len() < CONTENT_BYTES {
                content.extend_from_slice(&std::fs::read(entry.path()).unwrap_or_default());
            }
        }
    }
    content.resize(CONTENT_BYTES, b' ');
    let hashes = hashes(500);
    for (place, hash) in content.chunks_mut(16 << 10).zip(hashes.iter().cycle()) {
        let text = format!("/nix/store/{hash}-package-1.0/lib");
        place[..text.len()].copy_from_slice(text.as_bytes());
    }
    content
}

/// Scripts and documents of this machine.
fn text_content() -> Vec<u8> {
    let mut content = Vec::with_capacity(CONTENT_BYTES);
    let mut directories = vec![PathBuf::from("/usr/share"), PathBuf::from("/usr/lib/python3")];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(&directory).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() && !path.is_symlink() {
                directories.push(path);
            } else if content.len() < CONTENT_BYTES {
                content.extend_from_slice(std::fs::read_to_string(&path).unwrap_or_default().as_bytes());
            }
        }
    }
    content.resize(CONTENT_BYTES, b' ');
    content
}

/// Nothing but digits of base 32, the slowest there is.
fn digit_content() -> Vec<u8> {
    let mut numbers = Numbers(3);
    let alphabet = nixdive::nix::base32::ALPHABET;
    (0..CONTENT_BYTES).map(|_| alphabet[numbers.next() as usize % 32]).collect()
}

const CONTENTS: [&str; 3] = ["real", "text", "digits"];

fn content(name: &str) -> Vec<u8> {
    match name {
        "real" => real_content(),
        "text" => text_content(),
        _ => digit_content(),
    }
}

#[divan::bench(args = CONTENTS, sample_count = 40)]
fn known_references(bencher: Bencher, name: &str) {
    let content = content(name);
    let mut scanner = ReferenceScanner::new(Arc::new(Candidates::new(hashes(500))));
    bencher.counter(BytesCount::new(content.len())).bench_local(|| {
        for block in content.chunks(BLOCK_BYTES) {
            scanner.feed(block);
        }
        scanner.finish()
    });
}

#[divan::bench(args = CONTENTS, sample_count = 40)]
fn collected_hashes(bencher: Bencher, name: &str) {
    let content = content(name);
    let mut collector = HashCollector::new(10_000);
    bencher.counter(BytesCount::new(content.len())).bench_local(|| {
        for block in content.chunks(BLOCK_BYTES) {
            collector.feed(block);
        }
        collector.finish()
    });
}

#[divan::bench(args = CONTENTS, sample_count = 40)]
fn mentions(bencher: Bencher, name: &str) {
    let content = content(name);
    let mut scanner = MentionScanner::new(10_000);
    bencher.counter(BytesCount::new(content.len())).bench_local(|| {
        for block in content.chunks(BLOCK_BYTES) {
            scanner.feed(block);
        }
        scanner.finish()
    });
}
