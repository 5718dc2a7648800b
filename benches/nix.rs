//! Speed of the Nix parts: reference scans, NAR hashes, closure graphs.

use std::sync::Arc;

use divan::{Bencher, counter::BytesCount};
use nixdive::nix::StoreHash;
use nixdive::nix::references::{Candidates, HashCollector, MentionScanner, ReferenceScanner};

fn main() {
    divan::main();
}

const CONTENT_BYTES: usize = 64 << 20;
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

fn text_content() -> Vec<u8> {
    let words = ["library ", "the ", "in\n", "function(", "0x7fff ", "    ", "value", "of ", "/share/doc/"];
    let mut numbers = Numbers(2);
    let mut content = Vec::with_capacity(CONTENT_BYTES + 16);
    while content.len() < CONTENT_BYTES {
        content.extend_from_slice(words[numbers.next() as usize % words.len()].as_bytes());
    }
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

#[divan::bench(args = CONTENTS, sample_count = 10)]
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

#[divan::bench(args = CONTENTS, sample_count = 10)]
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

#[divan::bench(args = CONTENTS, sample_count = 10)]
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
