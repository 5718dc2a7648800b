//! Layers with a table of contents within them, made of tar streams.

use std::io::Read;

use serde_json::{Value, json};

use super::compress::{gzip, skippable_frame, zstd};
use super::images::digest;
use super::tar_bytes::Tar;

/// A layer as it is stored, and what its descriptor says of its table.
pub struct TabledLayer {
    /// The tar stream that it unpacks to.
    pub tar: Vec<u8>,
    pub blob: Vec<u8>,
    pub annotations: Value,
}

/// What lies between two places of a tar stream, and the entry that its content belongs to.
struct Piece {
    bytes: Vec<u8>,
    /// Number of the entry in the table, for content.
    entry: Option<usize>,
}

/// The entries of a tar stream as a table has them, and the stream in pieces of which each is compressed alone. Content
/// is cut at every `each` bytes. The blocks of zeros at the end are left out.
fn pieces(tar: &[u8], each: usize) -> (Vec<Value>, Vec<Piece>) {
    let (mut entries, mut pieces, mut position) = (Vec::new(), Vec::new(), 0);
    let mut archive = tar::Archive::new(tar);
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = String::from_utf8(entry.path_bytes().into_owned()).unwrap();
        let attributes: Vec<(String, String)> = entry
            .pax_extensions()
            .unwrap()
            .into_iter()
            .flatten()
            .filter_map(|record| {
                let record = record.ok()?;
                let name = record.key().ok()?.strip_prefix("SCHILY.xattr.")?.to_owned();
                Some((name, nixdive::http::base64(record.value_bytes())))
            })
            .collect();
        let header = entry.header();
        let kind = match header.entry_type().as_byte() {
            b'5' => "dir",
            b'2' => "symlink",
            b'1' => "hardlink",
            b'3' => "char",
            b'4' => "block",
            b'6' => "fifo",
            _ => "reg",
        };
        let mut listed = json!({
            "type": kind, "name": name, "mode": header.mode().unwrap(), "uid": header.uid().unwrap(),
            "gid": header.gid().unwrap(), "size": entry.size(), "modtime": time(header.mtime().unwrap()),
            "devMajor": header.device_major().ok().flatten().unwrap_or_default(),
            "devMinor": header.device_minor().ok().flatten().unwrap_or_default(),
        });
        if let Some(link) = entry.link_name_bytes() {
            listed["linkName"] = json!(String::from_utf8(link.into_owned()).unwrap());
        }
        if !attributes.is_empty() {
            listed["xattrs"] = attributes.into_iter().map(|(name, value)| (name, json!(value))).collect();
        }
        let start = entry.raw_file_position() as usize;
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        pieces.push(Piece { bytes: tar[position..start].to_vec(), entry: None });
        position = start + content.len();
        if !content.is_empty() {
            listed["digest"] = json!(digest(&content));
        }
        let chunks: Vec<&[u8]> = content.chunks(each).collect();
        for (number, chunk) in chunks.iter().enumerate() {
            let mut one = if number == 0 { listed.clone() } else { json!({"type": "chunk", "name": name}) };
            one["chunkDigest"] = json!(digest(chunk));
            if chunks.len() > 1 {
                one["chunkOffset"] = json!(number * each);
                one["chunkSize"] = json!(chunk.len());
            }
            pieces.push(Piece { bytes: chunk.to_vec(), entry: Some(entries.len()) });
            entries.push(one);
        }
        if chunks.is_empty() {
            entries.push(listed);
        }
    }
    let end = position.next_multiple_of(512);
    pieces.push(Piece { bytes: tar[position..end].to_vec(), entry: None });
    (entries, pieces)
}

/// The few times that the samples have.
fn time(seconds: u64) -> &'static str {
    match seconds {
        0 => "1970-01-01T00:00:00Z",
        1_700_000_000 => "2023-11-14T22:13:20Z",
        other => panic!("{other} is not among the times of samples"),
    }
}

fn stored(entries: &mut [Value], pieces: &[Piece], compress: fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let mut blob = Vec::new();
    for piece in pieces {
        if let Some(entry) = piece.entry {
            entries[entry]["offset"] = json!(blob.len());
        }
        blob.extend(compress(&piece.bytes));
        if let Some(entry) = piece.entry {
            entries[entry]["endOffset"] = json!(blob.len());
        }
    }
    blob
}

/// An eStargz layer.
pub fn estargz(tar: &[u8], each: usize) -> TabledLayer {
    let (mut entries, pieces) = pieces(tar, each);
    let mut blob = stored(&mut entries, &pieces, gzip);
    let table = json!({"version": 1, "entries": entries}).to_string();
    let last = Tar::new().add(super::tar_bytes::Entry::file("stargz.index.json", &table).mode(0).mtime(0)).finish();
    let start = blob.len();
    blob.extend(gzip(&last));
    blob.extend(b"\x1f\x8b\x08\x04\0\0\0\0\0\xff\x1a\0SG\x16\0");
    blob.extend(format!("{start:016x}STARGZ").as_bytes());
    blob.extend(b"\x01\0\0\xff\xff\0\0\0\0\0\0\0\0");
    let whole = pieces.iter().flat_map(|piece| piece.bytes.clone()).chain(last).collect();
    let annotations = json!({"containerd.io/snapshot/stargz/toc.digest": digest(table.as_bytes())});
    TabledLayer { tar: whole, blob, annotations }
}

/// A layer of zstd:chunked.
pub fn zstd_chunked(tar: &[u8], each: usize) -> TabledLayer {
    let (mut entries, mut pieces) = pieces(tar, each);
    pieces.push(Piece { bytes: vec![0; 1024], entry: None });
    let mut blob = stored(&mut entries, &pieces, zstd);
    let plain = json!({"version": 1, "entries": entries}).to_string();
    let table = zstd(plain.as_bytes());
    let start = blob.len() + 8;
    blob.extend(skippable_frame(&table));
    blob.extend(skippable_frame(b"offset, lengths, type and GNUlInUx"));
    let whole = pieces.into_iter().flat_map(|piece| piece.bytes).collect();
    let annotations = json!({
        "io.github.containers.zstd-chunked.manifest-checksum": digest(&table),
        "io.github.containers.zstd-chunked.manifest-position": format!("{start}:{}:{}:1", table.len(), plain.len()),
    });
    TabledLayer { tar: whole, blob, annotations }
}
