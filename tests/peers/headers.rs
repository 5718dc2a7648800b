//! Random tar headers as umoci reads them, with the `archive/tar` of Go that all container engines use: names, kinds,
//! link targets and contents are the same.

use std::process::Command;

use tempfile::TempDir;

use crate::layout::{Chance, cases, of_directory, of_tree, write};
use crate::peers::have;
use crate::snapshot::opened;
use crate::tar_bytes::record;

const BLOCK: usize = 512;

/// A header block under construction.
struct Block([u8; BLOCK]);

impl Block {
    fn new(name: &[u8], type_flag: u8, length: usize) -> Self {
        let mut block = Self([0; BLOCK]);
        block.put(0, &name[..name.len().min(100)]);
        block.put(100, b"0000755\0");
        block.put(108, b"0000000\0");
        block.put(116, b"0000000\0");
        block.put(124, format!("{length:011o}\0").as_bytes());
        block.put(136, b"00000000000\0");
        block.put(156, &[type_flag]);
        block.put(257, b"ustar\x0000");
        block
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
    }

    /// The block with its checksum, over signed bytes as old tars have it where `signed`.
    fn sealed(mut self, signed: bool) -> [u8; BLOCK] {
        self.put(148, b"        ");
        let sum: i64 = self.0.iter().map(|&byte| if signed { i64::from(byte as i8) } else { i64::from(byte) }).sum();
        self.put(148, format!("{:06o}\0 ", sum.max(0)).as_bytes());
        self.0
    }
}

fn append(stream: &mut Vec<u8>, header: [u8; BLOCK], content: &[u8]) {
    stream.extend(header);
    stream.extend(content);
    stream.resize(stream.len().next_multiple_of(BLOCK), 0);
}

/// A name as friends and foes write it.
fn name(chance: &mut Chance) -> Vec<u8> {
    let parts: [&[u8]; 12] =
        [b"a", b"b", b"c", b"d", b"etc", b"x.y", b"\xc3\xa9", b"\xff", b"sp ace", b"..", b".", b""];
    let mut name = Vec::new();
    for part in 0..1 + chance.below(3) {
        if part > 0 {
            name.push(b'/');
        }
        let plain = if chance.is(5, 6) { &parts[..6] } else { &parts[..] };
        name.extend_from_slice(chance.one(plain));
    }
    match chance.below(12) {
        0 => name.insert(0, b'/'),
        1 => name.splice(0..0, *b"./").for_each(drop),
        2 => name.push(b'/'),
        3 => name.extend(std::iter::repeat_n(b'l', 100usize.saturating_sub(name.len()))),
        4 => name.extend(b"\0rest"),
        5 => name.splice(0..0, *b"../").for_each(drop),
        _ => {}
    }
    name
}

/// What may stand in front of an entry: extended headers, long names and targets, a global header.
fn append_prefix(stream: &mut Vec<u8>, chance: &mut Chance, length: usize) {
    match chance.below(8) {
        0..=3 => {
            let mut records = Vec::new();
            for _ in 0..chance.below(4) {
                let value = name(chance);
                let value = &value[..value.iter().position(|&byte| byte == 0).unwrap_or(value.len())];
                let sign = chance.one(&["", "+", "00"]);
                records.extend(match chance.below(12) {
                    0..=4 => record("path", value),
                    5 => record("path", b""),
                    6 => record("linkpath", value),
                    7 => record("size", format!("{sign}{length}").as_bytes()),
                    8 => record("GNU.sparse.name", value),
                    9 => record(chance.one(&["GNU.sparse.major", "GNU.sparse.minor"]), chance.one(&[&b"0"[..], b"1"])),
                    10 => record("mtime", b"12.5"),
                    _ => record("comment", value),
                });
            }
            append(stream, Block::new(b"PaxHeaders/x", b'x', records.len()).sealed(false), &records);
        }
        4 | 5 => {
            let mut long = name(chance);
            if chance.is(1, 6) {
                long.clear();
            }
            if chance.is(1, 2) {
                long.push(0);
            }
            let flag = if chance.is(2, 3) { b'L' } else { b'K' };
            append(stream, Block::new(b"././@LongLink", flag, long.len()).sealed(false), &long);
        }
        _ => {}
    }
}

fn number(chance: &mut Chance, value: u64) -> [u8; 12] {
    let mut field = [0; 12];
    let text = match chance.below(5) {
        0 => format!("{value:011o} "),
        1 => format!("{value:>11o}\0"),
        2 => format!("{value:o}\0"),
        3 => {
            field[4..].copy_from_slice(&value.to_be_bytes());
            field[0] = 0x80;
            return field;
        }
        _ => format!("{value:011o}\0"),
    };
    field[..text.len()].copy_from_slice(text.as_bytes());
    field
}

fn append_entry(stream: &mut Vec<u8>, chance: &mut Chance, number_of: usize) {
    let sparse = chance.is(1, 10);
    let content = if sparse { sparse_content(chance) } else { format!("content {number_of}").into_bytes() };
    for _ in 0..[0, 0, 1, 1, 2, 3][chance.below(6)] {
        append_prefix(stream, chance, content.len());
    }
    if sparse {
        append_sparse(stream, chance);
    }
    let flag = *chance.one(&[&b'0', &b'0', &b'0', &0, &0, &b'5', &b'2']);
    let has_content = matches!(flag, b'0' | 0);
    let name = name(chance);
    let mut block = Block::new(&name, flag, 0);
    let is_directory =
        flag == 0 && name[..name.len().min(100)].split(|&byte| byte == 0).next().unwrap().ends_with(b"/");
    let stored = if has_content && !is_directory { content.as_slice() } else { b"" };
    block.put(124, &number(chance, stored.len() as u64));
    if flag == b'2' {
        block.put(157, chance.one(&[&b"a"[..], b"/b", b"../c"]));
    }
    match chance.below(9) {
        0 => block.put(257, b"ustar  \0"),
        1 => {
            block.put(257, b"ustar  \0");
            block.put(345, b"00000000017\0");
        }
        2 => {
            block.put(257, b"ustar  \0");
            block.put(345, chance.one(&[&b"pre/fix"[..], b"17/x", b"p\xc3\xa9", b"777\0x/y", b" 17 8"]));
        }
        3 => block.put(257, &[0; 8]),
        4 => block.put(257, b"ustar   "),
        5 => {
            block.put(345, b"star/prefix");
            block.put(476, b"00000000017\0");
            block.put(488, b"00000000017\0");
            block.put(508, b"tar\0");
        }
        6 | 7 => block.put(345, chance.one(&[&b"pre/fix"[..], b"/pre", b"./p", b"p/"])),
        _ => {}
    }
    let signed = chance.is(1, 4);
    append(stream, block.sealed(signed), stored);
}

/// The stored bytes of a sparse file of format 1.0.
fn sparse_content(chance: &mut Chance) -> Vec<u8> {
    let mut content = format!("1\n{}\n5\n", chance.below(600)).into_bytes();
    content.resize(BLOCK, 0);
    content.extend(b"bytes");
    content
}

fn append_sparse(stream: &mut Vec<u8>, chance: &mut Chance) {
    let mut records = [record("GNU.sparse.major", b"1"), record("GNU.sparse.minor", b"0")].concat();
    records.extend(record(chance.one(&["GNU.sparse.realsize", "GNU.sparse.size"]), b"700"));
    if chance.is(2, 3) {
        records.extend(record("GNU.sparse.name", b"sparse"));
    }
    if chance.is(1, 2) {
        records.extend(record("path", b"GNUSparseFile.0/sparse"));
    }
    append(stream, Block::new(b"PaxHeaders/x", b'x', records.len()).sealed(false), &records);
}

#[test]
fn random_headers_read_as_go_reads_them() {
    if !have(&["umoci"]) {
        return;
    }
    let images = TempDir::new().unwrap();
    let (mut seen, mut differing) = (0, Vec::new());
    let count = cases(300);
    for seed in 0..count {
        let mut chance = Chance::new(seed);
        let mut stream = Vec::new();
        for number in 0..1 + chance.below(3) {
            append_entry(&mut stream, &mut chance, number);
        }
        stream.extend([0; 2 * BLOCK]);
        let layout = images.path().join(seed.to_string());
        write(&layout, std::slice::from_ref(&stream));
        let unpacked = images.path().join(format!("{seed}.unpacked"));
        let image = format!("{}:test", layout.display());
        let umoci = Command::new("umoci").args(["raw", "unpack", "--image", &image]).arg(&unpacked).output().unwrap();
        if !umoci.status.success() {
            continue;
        }
        let expected = of_directory(&unpacked);
        let opened = opened(&format!("oci:{image}"));
        let tree = &opened.image.tree;
        let found = of_tree(tree, &opened.contents, tree.top_layer().unwrap());
        seen += 1;
        if found != expected {
            let headers: Vec<String> = stream.chunks(BLOCK).map(told).collect();
            differing.push(format!("seed {seed}\n{}\nexpected {expected:?}\nfound    {found:?}", headers.join("\n")));
        }
    }
    assert!(differing.is_empty(), "{} of {seen}:\n{}", differing.len(), differing.join("\n"));
    assert!(seen * 2 >= count, "umoci took only {seen} of {count} layers");
}

/// A block without its zeros, for the message of a failed test.
fn told(block: &[u8]) -> String {
    block
        .escape_ascii()
        .to_string()
        .replace("\\x00", "·")
        .split("··")
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}
