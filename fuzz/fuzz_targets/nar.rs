//! A NAR of any entries is refused, or as long as was computed before; equal entries make equal NARs.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use nixdive::nix::nar::{NAR_MAGIC_BYTES, NarEntry, NarNode, NarWriter, nar_bytes, nar_entry_bytes};

#[derive(Arbitrary, Debug)]
enum Node {
    Directory,
    File(bool, Vec<u8>),
    Symlink(Vec<u8>),
}

#[derive(Arbitrary, Debug)]
struct Entry {
    depth: u8,
    name: Vec<u8>,
    node: Node,
}

impl Entry {
    fn as_nar(&self, is_root: bool) -> NarEntry<'_> {
        let node = match &self.node {
            Node::Directory => NarNode::Directory,
            Node::File(executable, content) => NarNode::File { executable: *executable, bytes: content.len() as u64 },
            Node::Symlink(target) => NarNode::Symlink { target },
        };
        NarEntry { depth: if is_root { 0 } else { usize::from(self.depth % 6) }, name: &self.name, node }
    }
}

fn write(entries: &[Entry]) -> Option<Vec<u8>> {
    let mut writer = NarWriter::new(Vec::new());
    for (number, entry) in entries.iter().enumerate() {
        writer.entry(&entry.as_nar(number == 0)).ok()?;
        if let Node::File(_, content) = &entry.node {
            writer.content(content).ok()?;
        }
    }
    let (bytes, length) = writer.finish().ok()?;
    assert_eq!(bytes.len() as u64, length);
    Some(bytes)
}

fuzz_target!(|entries: Vec<Entry>| {
    let Some(bytes) = write(&entries) else { return };
    let all = || entries.iter().enumerate().map(|(number, entry)| entry.as_nar(number == 0));
    assert_eq!(bytes.len() as u64, nar_bytes(all()));
    assert_eq!(bytes.len() as u64, NAR_MAGIC_BYTES + all().map(|entry| nar_entry_bytes(&entry)).sum::<u64>());
    assert_eq!(write(&entries), Some(bytes));
});
