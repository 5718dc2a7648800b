use std::io::{Read, Write};

use proptest::prelude::*;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::*;
use crate::{NameRoom, Section};
use nixdive_image::{Compression, Digest, Kind};

const CONTENTS_END: u64 = 1 << 20;

fn digest(bytes: &[u8]) -> String {
    Digest::from_sha256(&Sha256::digest(bytes).into()).to_string()
}

fn read(entries: &Value) -> Result<LayerTable, TableError> {
    let options = TableOptions {
        contents_end: CONTENTS_END,
        most_bytes: 1 << 62,
        holds_itself: false,
        names: NameRoom::default(),
        wanted: None,
    };
    LayerTable::read(json!({"version": 1, "entries": entries}).to_string().as_bytes(), &options)
}

fn refused(entries: &Value) -> String {
    read(entries).expect_err("it should be refused").to_string()
}

fn file(name: &str, bytes: u64) -> Value {
    json!({"type": "reg", "name": name, "size": bytes, "digest": digest(b"x")})
}

fn zeros(name: &str, bytes: u64) -> Value {
    json!({"type": "reg", "name": name, "size": bytes, "chunkType": "zeros"})
}

#[test]
fn entries_are_those_of_the_table() {
    let table = read(&json!([
        {"type": "dir", "name": "./etc/", "mode": 0o40755, "modtime": "2024-02-29T12:00:00+01:00"},
        {"type": "reg", "name": "etc/motd", "size": 5, "uid": 7, "gid": 8, "mode": 0o4711, "digest": digest(b"hello"),
            "xattrs": {"user.note": "aGk="}},
        {"type": "symlink", "name": "etc/link", "linkName": "motd"},
        {"type": "hardlink", "name": "again", "linkName": "etc/motd"},
        {"type": "char", "name": "null", "devMajor": 1, "devMinor": 3},
    ]))
    .unwrap();
    let batch = &table.batches[0];
    let names: Vec<_> = batch.entries().iter().map(|entry| batch.names(entry)).collect();
    let expected: [(&[u8], &[u8]); 5] =
        [(b"etc", b""), (b"etc/motd", b""), (b"etc/link", b"motd"), (b"again", b"etc/motd"), (b"null", b"")];
    assert_eq!(names, expected);
    let fields: Vec<_> = batch.entries().iter().map(|entry| &entry.fields).collect();
    assert_eq!((fields[0].kind, fields[0].mode, fields[0].mtime), (Kind::Directory, 0o755, 1_709_204_400));
    assert_eq!((fields[1].uid, fields[1].gid, fields[1].mode, fields[1].bytes), (7, 8, 0o4711, 5));
    assert_eq!((&*fields[1].xattrs[0].name, &*fields[1].xattrs[0].value), (&b"user.note"[..], &b"hi"[..]));
    assert_eq!(fields[4].device, (1, 3));
    assert_eq!((table.scan.entries, table.scan.file_bytes), (5, 5));
}

#[test]
fn what_contradicts_itself_is_refused() {
    let chunk = |offset: u64, bytes: u64| json!({"type": "chunk", "name": "a", "chunkOffset": offset, "chunkSize": bytes, "chunkDigest": digest(b"x")});
    let first = json!({"type": "reg", "name": "a", "size": 10, "chunkSize": 4, "chunkDigest": digest(b"x")});
    assert!(read(&json!([first, chunk(4, 0)])).is_ok());
    let cases = [
        (json!([{"type": "socket", "name": "a"}]), "unknown type"),
        (json!([chunk(0, 4)]), "does not belong to a file"),
        (json!([file("b", 4), chunk(4, 1)]), "another file"),
        (json!([first, chunk(3, 7)]), "where the one before it ends"),
        (json!([first, chunk(4, 7)]), "where the one before it ends"),
        (json!([first, chunk(4, 5), file("b", 1)]), "a part is missing"),
        (json!([first]), "a part is missing"),
        (json!([{"type": "reg", "name": "a", "size": 3}]), "no digest"),
        (json!([{"type": "reg", "name": "a", "size": 3, "digest": digest(b"x"), "offset": CONTENTS_END}]), "outside"),
        (json!([file("a", u64::MAX)]), "longer than any file"),
        (json!([zeros("a", 1 << 61), zeros("b", 1 << 61), zeros("c", 1)]), "longer than what the layer"),
        (json!([{"type": "dir", "name": "a", "modtime": "once"}]), "no valid time"),
        (json!([{"type": "dir", "name": "a", "xattrs": {"a": "*"}}]), "extended attributes"),
        (json!([{"type": "dir", "name": "a", "uid": -1}]), "cannot be read"),
        (json!({}), "cannot be read"),
        (json!([file("a", 65 << 20)]), "maximum size of a verified chunk"),
        (json!([{"type": "dir", "name": "a/".repeat(40_000)}]), "longer name"),
        (json!([{"type": "symlink", "name": "a", "linkName": "a".repeat(70_000)}]), "longer name"),
        (
            json!([{"type": "reg", "name": "a", "size": 3, "digest": digest(b"x"), "chunkDigest": digest(b"y")}]),
            "two digests",
        ),
    ];
    for (entries, reason) in cases {
        let error = refused(&entries);
        assert!(error.contains(reason), "{entries}: {error}");
    }
}

#[test]
fn names_have_their_bound() {
    let options = TableOptions {
        contents_end: 9,
        most_bytes: 1 << 62,
        holds_itself: false,
        names: NameRoom::new(10),
        wanted: None,
    };
    let entries = json!([{"type": "dir", "name": "long-name-1"}]);
    let json = json!({"entries": entries}).to_string();
    assert!(matches!(LayerTable::read(json.as_bytes(), &options), Err(TableError::Crowded)));
}

#[test]
fn a_table_of_nesting_alone_is_refused() {
    let json = format!("{{\"entries\":{}", "[".repeat(1 << 20));
    let options = TableOptions {
        contents_end: 9,
        most_bytes: 1 << 62,
        holds_itself: false,
        names: NameRoom::default(),
        wanted: None,
    };
    assert!(matches!(LayerTable::read(json.as_bytes(), &options), Err(TableError::Json(_))));
}

#[test]
fn a_table_has_entries_once() {
    let options =
        TableOptions { contents_end: 9, most_bytes: 9, holds_itself: false, names: NameRoom::default(), wanted: None };
    for json in ["{\"version\":1}", "{\"entries\":[],\"entries\":[]}"] {
        assert!(matches!(LayerTable::read(json.as_bytes(), &options), Err(TableError::Json(_))), "{json}");
    }
}

#[test]
fn nothing_is_given_before_it_is_held_against_its_digest() {
    let layer = [gzip(&[b'a'; 4000]), gzip(&[b'b'; 4000])].concat();
    let second = gzip(&[b'a'; 4000]).len();
    let given = |first: &[u8], whole: &[u8]| {
        let table = read(&json!([
            {"type": "reg", "name": "a", "size": 8000, "chunkSize": 4000, "chunkDigest": digest(first), "digest": digest(whole)},
            {"type": "chunk", "name": "a", "chunkOffset": 4000, "offset": second, "chunkDigest": digest(&[b'b'; 4000])},
        ]))
        .unwrap();
        let file = *table.content.file(512).unwrap();
        let mut reader = table.content.read(&file, Section::from_bytes(layer.clone()), Compression::Gzip);
        let mut bytes = Vec::new();
        let mut piece = [0; 1500];
        loop {
            match reader.read(&mut piece) {
                Ok(0) => return (bytes.len(), true),
                Ok(count) => bytes.extend_from_slice(&piece[..count]),
                Err(_) => return (bytes.len(), false),
            }
        }
    };
    let whole = [[b'a'; 4000], [b'b'; 4000]].concat();
    assert_eq!(given(&[b'a'; 4000], &whole), (8000, true));
    assert_eq!(given(b"other", &whole), (0, false));
    // Each chunk has its own digest, but the file has another one.
    assert!(matches!(given(&[b'a'; 4000], b"other"), (..8000, false)));
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn content_is_put_together_from_its_chunks() {
    // Two chunks in one member, zeros in between.
    let layer = [b"before".to_vec(), gzip(b"##hello"), gzip(b"world")].concat();
    let second = (layer.len() - gzip(b"world").len()) as u64;
    let entries = |last: &[u8]| {
        json!([
            {"type": "reg", "name": "a", "size": 14, "offset": 6, "innerOffset": 2, "chunkSize": 5,
                "chunkDigest": digest(b"hello")},
            {"type": "chunk", "name": "a", "chunkOffset": 5, "chunkSize": 4, "chunkType": "zeros"},
            {"type": "chunk", "name": "a", "chunkOffset": 9, "offset": second, "chunkDigest": digest(last)},
        ])
    };
    let content = |last: &[u8]| {
        let table = read(&entries(last)).unwrap();
        let file = *table.content.file(512).unwrap();
        let mut content = Vec::new();
        let section = Section::from_bytes(layer.clone());
        table.content.read(&file, section, Compression::Gzip).read_to_end(&mut content).map(|_| content)
    };
    assert_eq!(content(b"world").unwrap(), b"hello\0\0\0\0world");
    let error = content(b"other").unwrap_err().to_string();
    assert!(error.contains("does not match the digest"), "{error}");
}

#[test]
fn both_footers_are_known() {
    let new = [
        &b"\x1f\x8b\x08\x04\0\0\0\0\0\xff\x1a\0SG\x16\0"[..],
        b"00000000000000ffSTARGZ\x01\0\0\xff\xff\0\0\0\0\0\0\0\0",
    ]
    .concat();
    let old = [&b"\x1f\x8b\x08\x04\0\0\0\0\0\xff\x16\0"[..], b"00000000000000ffSTARGZ\x01\0\0\xff\xff\0\0\0\0\0\0\0\0"]
        .concat();
    assert_eq!((new.len(), old.len()), (51, 47));
    for footer in [new, old] {
        assert_eq!(table_start(&footer, 1000).unwrap(), 255);
        assert!(matches!(table_start(&footer, 255), Err(TableError::Outside)));
        assert!(matches!(table_start(&footer, 1 << 40), Err(TableError::TooLong(_))));
        assert!(matches!(table_start(&footer[1..], 1000), Err(TableError::NoFooter)));
    }
}

#[test]
fn positions_are_taken_from_annotations() {
    let annotations = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let digest = digest(b"table");
    let position = |place: &str| {
        let pairs = [
            ("io.github.containers.zstd-chunked.manifest-checksum", digest.as_str()),
            ("io.github.containers.zstd-chunked.manifest-position", place),
        ];
        TablePosition::of(&annotations(&pairs), 1000)
    };
    assert!(matches!(position("900:80:4000:1"), Some(TablePosition::ZstdChunked { offset: 900, length: 80, .. })));
    for wrong in ["", "900:80:4000:2", "900:101:4000:1", "18446744073709551615:2:3:1", "900:80:1", "900:80:40:1:1"] {
        assert_eq!(position(wrong), None, "{wrong}");
    }
    let estargz = annotations(&[("containerd.io/snapshot/stargz/toc.digest", &digest)]);
    assert!(matches!(TablePosition::of(&estargz, 1000), Some(TablePosition::Estargz { .. })));
    let broken = annotations(&[("containerd.io/snapshot/stargz/toc.digest", "sha256:../..")]);
    assert_eq!(TablePosition::of(&broken, 1000), None);
}

#[test]
fn a_table_that_unpacks_without_end_is_cut_off() {
    let bomb = zstd::encode_all(std::io::repeat(b' ').take(MAX_TABLE_BYTES + 10), 1).unwrap();
    let digest = Digest::parse(&digest(&bomb)).unwrap();
    assert!(matches!(zstd_table(bomb.clone(), &digest), Err(TableError::TooLong(_))));
    let other = Digest::parse(&super::tests::digest(b"other")).unwrap();
    assert!(matches!(zstd_table(bomb, &other), Err(TableError::Digest)));
}

fn any_entry() -> impl Strategy<Value = Value> {
    let number = prop_oneof![Just(0u64), 1..40u64, Just(CONTENTS_END - 1), any::<u64>()];
    let kinds = ["reg", "chunk", "chunk", "dir", "hardlink", "symlink", "fifo", "whatever"];
    let name = prop_oneof![Just("a".to_owned()), Just("../a".to_owned()), Just("b/".to_owned()), "\\PC{0,6}"];
    let kind = prop::sample::select(kinds.to_vec());
    let digests = prop::sample::select(vec![digest(b"x"), String::new(), "sha512:00".to_owned()]);
    (kind, name, prop::collection::vec(number, 7), digests).prop_map(|(kind, name, numbers, digest)| {
        json!({
            "type": kind, "name": name, "linkName": "a", "size": numbers[0], "offset": numbers[1],
            "endOffset": numbers[2], "chunkOffset": numbers[3], "chunkSize": numbers[4], "innerOffset": numbers[5],
            "mode": numbers[6] as u32, "digest": digest, "chunkDigest": digest,
        })
    })
}

proptest! {
    #[test]
    fn no_table_does_harm(entries in prop::collection::vec(any_entry(), 0..8)) {
        let Ok(table) = read(&json!(entries)) else { return Ok(()) };
        for batch in &table.batches {
            for entry in batch.entries() {
                let Some(file) = table.content.file(entry.fields.offset) else { continue };
                let mut content = Vec::new();
                let section = Section::from_bytes(gzip(b"some content"));
                let reader = table.content.read(file, section, Compression::Gzip);
                let _ = reader.take(1 << 16).read_to_end(&mut content);
            }
        }
    }

    #[test]
    fn any_bytes_may_be_a_table(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let options =
            TableOptions { contents_end: 9, most_bytes: 1 << 62, holds_itself: true, names: NameRoom::default(), wanted: None };
        let _ = LayerTable::read(&bytes, &options);
        let _ = table_start(&bytes, 1000);
        let _ = estargz_table(bytes.clone(), &Digest::from_sha256(&[0; 32]));
    }
}
