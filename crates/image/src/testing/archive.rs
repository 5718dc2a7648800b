use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

use crate::Digest;

/// One entry of a tar archive that a test writes, as it is to stand there.
#[derive(Clone, PartialEq, Eq)]
pub struct Written {
    pub path: Vec<u8>,
    /// The tar type flag.
    pub flag: u8,
    pub link: Vec<u8>,
    pub mode: u16,
    pub uid: u32,
    pub gid: u32,
    pub mtime: u32,
    pub content: Vec<u8>,
}

impl std::fmt::Debug for Written {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { path, flag, link, mode, uid, gid, mtime, content } = self;
        let (path, flag, link) = (path.escape_ascii(), flag.escape_ascii(), link.escape_ascii());
        write!(formatter, "{flag} {path} -> {link} {mode:o} {uid}:{gid} @{mtime}, {} bytes", content.len())
    }
}

impl Written {
    /// A regular file.
    pub fn file(path: &str, content: &[u8]) -> Self {
        let (path, content) = (path.as_bytes().to_vec(), content.to_vec());
        Self { path, flag: b'0', link: Vec::new(), mode: 0o644, uid: 0, gid: 0, mtime: 0, content }
    }

    /// A directory.
    pub fn directory(path: &str) -> Self {
        Self { flag: b'5', mode: 0o755, ..Self::file(path, b"") }
    }

    /// A hard link.
    pub fn hard_link(path: &str, target: &str) -> Self {
        Self { flag: b'1', ..Self::symlink(path, target) }
    }

    /// A symbolic link.
    pub fn symlink(path: &str, target: &str) -> Self {
        Self { flag: b'2', link: target.as_bytes().to_vec(), ..Self::file(path, b"") }
    }
}

/// A tar stream of some entries, with its end. Long names are written as GNU tar writes them.
pub fn tar_of(entries: &[Written]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in entries {
        for (name, flag) in [(&entry.path, b'L'), (&entry.link, b'K')] {
            if name.len() > 100 {
                let mut content = name.clone();
                content.push(0);
                append(&mut bytes, &Written { flag, content, ..Written::file("././@LongLink", b"") });
            }
        }
        append(&mut bytes, entry);
    }
    bytes.resize(bytes.len() + 1024, 0);
    bytes
}

fn append(bytes: &mut Vec<u8>, entry: &Written) {
    let mut block = [0u8; 512];
    let mut put = |at: usize, value: &[u8]| block[at..at + value.len()].copy_from_slice(value);
    put(0, &entry.path[..entry.path.len().min(100)]);
    put(100, format!("{:07o}\0", entry.mode).as_bytes());
    put(108, &base_256(u64::from(entry.uid), 8));
    put(116, &base_256(u64::from(entry.gid), 8));
    put(124, format!("{:011o}\0", entry.content.len()).as_bytes());
    put(136, format!("{:011o}\0", entry.mtime).as_bytes());
    put(156, &[entry.flag]);
    put(157, &entry.link[..entry.link.len().min(100)]);
    put(257, b"ustar  \0");
    seal(&mut block);
    bytes.extend_from_slice(&block);
    bytes.extend_from_slice(&entry.content);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
}

/// A number in the base 256 of GNU tar.
pub fn base_256(value: u64, length: usize) -> Vec<u8> {
    let mut field = vec![0u8; length];
    for (place, byte) in field.iter_mut().rev().zip(value.to_le_bytes()) {
        *place = byte;
    }
    field[0] |= 0x80;
    field
}

/// Writes the checksum that the other bytes of a header give.
pub fn seal(block: &mut [u8; 512]) {
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

/// Returns an archive of an image with some layers as `docker save` writes it: `manifest.json`
/// comes last.
pub fn docker_archive(layers: &[Vec<u8>]) -> Vec<u8> {
    tar_of(&docker_members(layers))
}

/// The members of [`docker_archive`].
pub fn docker_members(layers: &[Vec<u8>]) -> Vec<Written> {
    let names: Vec<String> = (0..layers.len()).map(|number| format!("{number}/layer.tar")).collect();
    let diff_ids: Vec<String> =
        layers.iter().map(|layer| Digest::from_sha256(&Sha256::digest(layer).into()).to_string()).collect();
    let config = serde_json::json!({
        "architecture": "amd64", "os": "linux", "config": {"Env": ["PATH=/bin"], "Labels": {"a": "b"}},
        "history": diff_ids.iter().map(|_| serde_json::json!({"created_by": "a test"})).collect::<Vec<_>>(),
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
    });
    let manifest = serde_json::json!([{"Config": "config.json", "RepoTags": ["test:latest"], "Layers": names}]);
    let mut members: Vec<Written> = names.iter().zip(layers).map(|(name, layer)| Written::file(name, layer)).collect();
    members.push(Written::file("config.json", config.to_string().as_bytes()));
    members.push(Written::file("manifest.json", manifest.to_string().as_bytes()));
    members
}

/// Names as friends and foes write them: short, so that entries meet; climbing, absolute, long, not UTF-8.
pub fn any_path() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        6 => prop::sample::select(vec!["a", "b", "c", "etc"]).prop_map(|name| name.as_bytes().to_vec()),
        2 => prop::sample::select(vec!["..", ".", "", ".wh.a", ".wh.b", ".wh..wh..opq", ".wh..wh.plnk", ".wh."])
            .prop_map(|name| name.as_bytes().to_vec()),
        1 => prop::collection::vec(1u8..=255, 1..8),
        1 => (100usize..300).prop_map(|length| vec![b'l'; length]),
    ];
    (prop::collection::vec(part, 1..5), prop::bool::weighted(0.2)).prop_map(|(parts, absolute)| {
        let mut path = if absolute { b"/".to_vec() } else { Vec::new() };
        path.extend_from_slice(&parts.join(&b"/"[..]));
        path
    })
}

/// One entry of whatever kind, valid as a header.
pub fn any_entry() -> impl Strategy<Value = Written> {
    let flag = prop::sample::select(b"000000111222555\x0034678D".to_vec());
    let content = prop_oneof![Just(Vec::new()), prop::collection::vec(any::<u8>(), 0..40), Just(vec![b'x'; 1500])];
    (any_path(), flag, any_path(), 0u16..0o10000, any::<u32>(), any::<u32>(), any::<u32>(), content).prop_map(
        |(path, flag, link, mode, uid, gid, mtime, content)| {
            let is_link = matches!(flag, b'1' | b'2');
            let is_file = matches!(flag, b'0' | 0 | b'7' | b'8') && !(flag == 0 && path.ends_with(b"/"));
            Written {
                path,
                flag,
                link: if is_link { link } else { Vec::new() },
                mode,
                uid,
                gid,
                mtime,
                content: if is_file { content } else { Vec::new() },
            }
        },
    )
}

/// Some entries of whatever kind.
pub fn any_entries(most: usize) -> impl Strategy<Value = Vec<Written>> {
    prop::collection::vec(any_entry(), 0..most)
}

/// One thing that goes wrong with bytes on their way.
#[derive(Debug, Clone)]
pub enum Damage {
    Set { at: prop::sample::Index, to: u8 },
    Cut { at: prop::sample::Index },
    Drop { at: prop::sample::Index, length: usize },
    Repeat { at: prop::sample::Index, length: usize },
    Zero { at: prop::sample::Index, length: usize },
}

/// Some damage, of whole tar blocks more often than not.
pub fn any_damage() -> impl Strategy<Value = Vec<Damage>> {
    let at = any::<prop::sample::Index>;
    let length = || prop_oneof![Just(512usize), Just(1024), 1usize..600];
    let one = prop_oneof![
        6 => (at(), any::<u8>()).prop_map(|(at, to)| Damage::Set { at, to }),
        1 => at().prop_map(|at| Damage::Cut { at }),
        1 => (at(), length()).prop_map(|(at, length)| Damage::Drop { at, length }),
        1 => (at(), length()).prop_map(|(at, length)| Damage::Repeat { at, length }),
        1 => (at(), length()).prop_map(|(at, length)| Damage::Zero { at, length }),
    ];
    prop::collection::vec(one, 1..6)
}

/// Does the damage. Where `mend_checksums`, blocks that were tar headers before get a right checksum afterwards, so that
/// the damage reaches what lies behind that check.
pub fn damaged(bytes: &[u8], damage: &[Damage], mend_checksums: bool) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for one in damage {
        if bytes.is_empty() {
            break;
        }
        let run = |at: &prop::sample::Index, length: usize, total: usize| {
            let start = at.index(total);
            start..(start + length).min(total)
        };
        let total = bytes.len();
        match one {
            Damage::Set { at, to } => {
                let index = at.index(total);
                let block = index / 512 * 512;
                let was_header = bytes[block..].first_chunk::<512>().is_some_and(|block| block[257..262] == *b"ustar");
                bytes[index] = *to;
                if let (true, true, Some(block)) = (mend_checksums, was_header, bytes[block..].first_chunk_mut::<512>())
                {
                    seal(block);
                }
            }
            Damage::Cut { at } => bytes.truncate(at.index(total)),
            Damage::Drop { at, length } => drop(bytes.drain(run(at, *length, total))),
            Damage::Repeat { at, length } => {
                let range = run(at, *length, total);
                let again = bytes[range.clone()].to_vec();
                bytes.splice(range.start..range.start, again);
            }
            Damage::Zero { at, length } => bytes[run(at, *length, total)].fill(0),
        }
    }
    bytes
}
