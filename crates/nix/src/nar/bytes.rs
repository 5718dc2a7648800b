use super::{NarEntry, NarNode};

/// Bytes of a NAR before its root node.
pub const NAR_MAGIC_BYTES: u64 = string_bytes(13);

/// A string in a NAR: its length in eight bytes, itself, zeros up to a multiple of eight.
const fn string_bytes(length: u64) -> u64 {
    let padding = (8 - length % 8) % 8;
    length.saturating_add(8 + padding)
}

/// `(`, `type`, what it is, `)`.
const NODE_BYTES: u64 = 2 * string_bytes(1) + string_bytes(4);

/// NAR bytes of one entry: all that it adds to the NAR that it is part of, in whatever order entries are summed.
/// `u64::MAX` for lengths that no NAR can hold.
#[must_use]
pub fn nar_entry_bytes(entry: &NarEntry<'_>) -> u64 {
    let length = |bytes: &[u8]| string_bytes(bytes.len() as u64);
    let around = match entry.depth {
        0 => 0,
        // `entry`, `(`, `name`, the name, `node`, `)`.
        _ => 2 * string_bytes(1) + 2 * string_bytes(4) + string_bytes(5) + length(entry.name),
    };
    let inside = match entry.node {
        NarNode::Directory => string_bytes(9),
        NarNode::File { executable, bytes } => {
            let mark = if executable { string_bytes(10) + string_bytes(0) } else { 0 };
            string_bytes(bytes).saturating_add(string_bytes(7) + string_bytes(8) + mark)
        }
        NarNode::Symlink { target } => string_bytes(7) + string_bytes(6) + length(target),
    };
    inside.saturating_add(NODE_BYTES + around)
}

/// NAR size of a tree, bytes, from its entries alone; no content is read.
#[must_use]
pub fn nar_bytes<'n>(entries: impl IntoIterator<Item = NarEntry<'n>>) -> u64 {
    entries.into_iter().map(|entry| nar_entry_bytes(&entry)).fold(NAR_MAGIC_BYTES, u64::saturating_add)
}
