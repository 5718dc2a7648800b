use std::fs;
use std::io::Write;

use proptest::prelude::*;
use sha2::Digest as _;

use super::*;
use nixdive_image::{EntryBatch, EntryFields, Kind, Segment, Xattr};
use nixdive_scan::{Captured, LayerScan};

fn digest(bytes: &[u8]) -> Digest {
    Digest::from_sha256(&sha2::Sha256::digest(bytes).into())
}

fn cache(most_bytes: u64) -> (tempfile::TempDir, Cache) {
    let place = tempfile::tempdir().unwrap();
    let cache = Cache::new(&place.path().join("nixdive"), most_bytes);
    (place, cache)
}

fn keep(cache: &Cache, bytes: &[u8]) -> Digest {
    let digest = digest(bytes);
    cache.keep_document(&digest, bytes);
    digest
}

#[test]
fn what_was_kept_is_given_until_it_is_tampered_with() {
    let (_place, cache) = cache(DEFAULT_BYTES);
    let kept = keep(&cache, b"manifest");
    assert_eq!(cache.document(&kept, 100).as_deref(), Some(b"manifest".as_slice()));
    assert_eq!(cache.document(&kept, 3), None);
    fs::write(cache.path_of(ItemKind::Blob, &kept), "manifesT").unwrap();
    assert_eq!(cache.document(&kept, 100), None);
    assert!(!cache.has_blob(&kept, 8), "a modified blob is removed");
}

#[test]
fn a_blob_has_no_name_before_all_of_it_is_written() {
    let (_place, cache) = cache(DEFAULT_BYTES);
    let blob = digest(b"blob");
    let writing = cache.begin_blob(&blob).unwrap();
    writing.file().unwrap().write_all(b"blob").unwrap();
    assert!(cache.blob(&blob, 4).is_none());
    writing.commit().unwrap();
    assert!(cache.blob(&blob, 4).is_some());
    assert!(cache.blob(&blob, 5).is_none(), "a blob of another length does not match");
}

#[test]
fn what_was_used_longest_ago_goes_first() {
    let (_place, cache) = cache(250);
    let kept: Vec<Digest> = (0..3u8).map(|number| keep(&cache, &[number; 100])).collect();
    for (age, digest) in [(300, &kept[0]), (200, &kept[1]), (100, &kept[2])] {
        let file = fs::File::options().append(true).open(cache.path_of(ItemKind::Blob, digest)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(age)).unwrap();
    }
    // Using it makes it recent again.
    assert!(cache.blob(&kept[0], 100).is_some());
    cache.keep_bound();
    let left: Vec<bool> = kept.iter().map(|digest| cache.has_blob(digest, 100)).collect();
    assert_eq!(left, [true, false, true]);
    assert_eq!(cache.clear().unwrap().len(), 2);
    assert!(cache.items().is_empty());
}

#[test]
fn several_may_write_the_same_at_once() {
    let (_place, cache) = cache(DEFAULT_BYTES);
    let bytes = vec![7; 100_000];
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..20 {
                    let kept = keep(&cache, &bytes);
                    assert_eq!(cache.document(&kept, 1 << 20).map(|found| found.len()), Some(bytes.len()));
                    cache.keep_bound();
                }
            });
        }
    });
}

#[test]
fn names_lead_to_manifests() {
    let (_place, cache) = cache(DEFAULT_BYTES);
    let known = KnownManifest { digest: digest(b"m"), media_type: "type".to_owned() };
    cache.keep_manifest("host/a:1", &known);
    assert_eq!(cache.manifest("host/a:1"), Some(known));
    assert_eq!(cache.manifest("host/a:2"), None);
}

#[test]
fn a_place_that_cannot_be_written_is_no_obstacle() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("file");
    fs::write(&file, "").unwrap();
    let cache = Cache::new(&file, DEFAULT_BYTES);
    let kept = keep(&cache, b"x");
    assert_eq!(cache.document(&kept, 10), None);
    assert!(cache.begin_blob(&kept).is_err() && cache.begin_layer().is_err());
    cache.keep_bound();
}

/// Path, link, fields.
type Entry = (Vec<u8>, Vec<u8>, EntryFields);

fn any_entry() -> impl Strategy<Value = Entry> {
    let numbers = (any::<u64>(), any::<i64>(), any::<u32>(), 0u16..0o7777, any::<u64>());
    let path = prop::collection::vec(any::<u8>(), 0..30);
    (path.clone(), path, numbers, any::<Option<[u8; 16]>>(), any::<Option<(u64, u64)>>(), any::<bool>()).prop_map(
        |(path, link, (bytes, mtime, uid, mode, offset), content, segment, has_xattr)| {
            let mut fields = EntryFields::new(if has_xattr { Kind::File } else { Kind::Whiteout });
            (fields.bytes, fields.mtime, fields.uid, fields.mode, fields.offset) = (bytes, mtime, uid, mode, offset);
            fields.content = content;
            fields.device = (uid, 0);
            fields.sparse = segment.map(|(file_offset, length)| vec![Segment { file_offset, length }]);
            if has_xattr {
                fields.xattrs = vec![Xattr { name: b"user.a".as_slice().into(), value: path.clone().into() }].into();
            }
            (path, link, fields)
        },
    )
}

fn write_layer(cache: &Cache, entries: &[Entry]) -> LayerScan {
    let mut batch = EntryBatch::default();
    for (path, link, fields) in entries {
        batch.push(path, link, fields.clone());
    }
    let scan = LayerScan {
        unpacked_bytes: 1024,
        file_bytes: 7,
        entries: entries.len() as u64,
        diff_id: Some([3; 32]),
        oddities: vec!["odd".to_owned()],
        captured: vec![Captured { path: b"etc/x".to_vec(), offset: 512, content: b"content".to_vec() }],
        ..LayerScan::default()
    };
    let mut writing = cache.begin_layer().unwrap();
    writing.add(&batch);
    writing.commit(&scan, Some("databases 1"));
    scan
}

#[test]
fn a_layer_counts_only_for_those_who_want_the_files_that_were_captured() {
    let (_place, cache) = cache(DEFAULT_BYTES);
    write_layer(&cache, &[]);
    let diff_id = Digest::from_sha256(&[3; 32]);
    assert!(cache.layer(&diff_id, Some("databases 2")).is_none(), "another list of package systems");
    assert!(cache.layer(&diff_id, Some("databases 1")).is_some());
    assert!(cache.layer(&diff_id, None).is_some(), "its entries are the same for everyone");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_layer_is_read_as_it_was_written(entries in prop::collection::vec(any_entry(), 0..20)) {
        let (_place, cache) = cache(DEFAULT_BYTES);
        let scan = write_layer(&cache, &entries);
        let known = cache.layer(&Digest::from_sha256(&[3; 32]), Some("databases 1")).unwrap();
        let found: Vec<Entry> = known.batches.iter().flat_map(|batch| batch.entries().iter().map(|entry| {
            let (path, link) = batch.names(entry);
            (path.to_vec(), link.to_vec(), entry.fields.clone())
        })).collect();
        prop_assert_eq!(format!("{found:?}"), format!("{entries:?}"));
        prop_assert_eq!(&known.scan.captured, &scan.captured);
        prop_assert_eq!((known.scan.entries, known.scan.unpacked_bytes, &known.scan.oddities), (scan.entries, 1024, &scan.oddities));
    }

    #[test]
    fn a_layer_that_was_tampered_with_is_none(at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let (_place, cache) = cache(DEFAULT_BYTES);
        write_layer(&cache, &[(b"etc/passwd".to_vec(), Vec::new(), EntryFields::new(Kind::File))]);
        let diff_id = Digest::from_sha256(&[3; 32]);
        let path = cache.path_of(ItemKind::Layer, &diff_id);
        let mut bytes = fs::read(&path).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        fs::write(&path, bytes).unwrap();
        prop_assert!(cache.layer(&diff_id, Some("databases 1")).is_none());
        prop_assert!(!path.exists());
    }
}
