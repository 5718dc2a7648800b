use std::io::{Cursor, Read};
use std::sync::Arc;

use proptest::prelude::*;

use super::header::{BLOCK, Header, number};
use super::pax::PaxMap;
use super::{Extended, SectionInput, TarInput, TarWalker, normalize};
use crate::{BlockReader, Part, Section, UnpackLimit};
use nixdive_base::cancel::Cancel;
use nixdive_image::testing::archive::{Written, any_damage, any_entries, any_path, base_256, damaged, seal, tar_of};
use nixdive_image::{Segment, Xattr};

fn section(bytes: &[u8]) -> Section {
    Section::new(Arc::new(Arc::<[u8]>::from(bytes)), 0, bytes.len() as u64)
}

/// All that a walk through an archive brings: each member with its content, and how it ended.
#[derive(Debug, PartialEq, Eq)]
struct Walk {
    members: Vec<(String, Vec<u8>)>,
    end: String,
}

fn walk<I: TarInput>(input: I, bytes: usize) -> Walk {
    let mut walker = TarWalker::new(input);
    let mut members = Vec::new();
    let end = loop {
        match walker.advance() {
            Ok(true) => {}
            Ok(false) => break "end".to_owned(),
            Err(error) => break error.to_string(),
        }
        let mut content = Vec::new();
        let member = format!("{:?}", walker.member());
        let result = walker.visit_content(&mut |piece| content.extend_from_slice(piece));
        members.push((member, content));
        assert!(members.len() <= bytes / BLOCK, "more members than blocks");
        if let Err(error) = result {
            break error.to_string();
        }
    };
    Walk { members, end: format!("{end}; {:?}", walker.take_oddities()) }
}

fn walk_by_headers(bytes: &[u8]) -> Walk {
    walk(SectionInput::new(section(bytes), Cancel::new()), bytes.len())
}

fn walk_as_stream(bytes: &[u8]) -> Walk {
    let input = Box::new(Cursor::new(bytes.to_vec()));
    let mut reader = BlockReader::spawn(input, Arc::default(), UnpackLimit::default(), Cancel::new()).unwrap();
    walk(Part::new(&mut reader, u64::MAX, true, Cancel::new()), bytes.len())
}

/// One record of an extended header: its length counts its own digits.
fn record(key: &[u8], value: &[u8]) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let length = (rest + 1..).find(|length| rest + length.to_string().len() == *length).unwrap();
    [length.to_string().as_bytes(), b" ", key, b"=", value, b"\n"].concat()
}

/// An archive of one empty file with an extended header.
fn with_extended(records: &[u8], name: &str) -> Vec<u8> {
    tar_of(&[Written { flag: b'x', ..Written::file("extended", records) }, Written::file(name, b"")])
}

fn first_path(bytes: &[u8]) -> String {
    let mut walker = TarWalker::new(SectionInput::new(section(bytes), Cancel::new()));
    assert!(walker.advance().unwrap());
    String::from_utf8_lossy(&walker.member().path).into_owned()
}

#[test]
fn an_extended_header_names_the_entry_behind_it() {
    assert_eq!(first_path(&with_extended(&record(b"path", b"real"), "short")), "real");
}

#[test]
fn a_sparse_file_has_the_name_that_gnu_tar_gives_beside_the_made_up_one() {
    let records = [record(b"path", b"d/GNUSparseFile.0/f"), record(b"GNU.sparse.name", b"d/f")].concat();
    // Without a version or a map it is not a sparse file, and Go's reader ignores the name.
    assert_eq!(first_path(&with_extended(&records, "short")), "d/GNUSparseFile.0/f");
    let of_version = |major: &[u8], minor: &[u8]| {
        let version = [record(b"GNU.sparse.major", major), record(b"GNU.sparse.minor", minor)].concat();
        first_path(&with_extended(&[records.clone(), version].concat(), "short"))
    };
    assert_eq!(of_version(b"0", b"1"), "d/f");
    assert_eq!(of_version(b"2", b"0"), "d/GNUSparseFile.0/f");
}

#[test]
fn a_sparse_map_before_the_content_ends_where_its_count_says() {
    let records =
        [record(b"GNU.sparse.major", b"1"), record(b"GNU.sparse.minor", b"0"), record(b"GNU.sparse.realsize", b"2000")]
            .concat();
    let mut content = b"2\n0\n10\n1990\n10\n".to_vec();
    content.resize(BLOCK, 0);
    content.extend([b'x'; 20]);
    let bytes = tar_of(&[
        Written { flag: b'x', ..Written::file("extended", &records) },
        Written::file("GNUSparseFile.0/f", &content),
    ]);
    let mut walker = TarWalker::new(SectionInput::new(section(&bytes), Cancel::new()));
    assert!(walker.advance().unwrap());
    let fields = &walker.member().fields;
    let runs = [Segment { file_offset: 0, length: 10 }, Segment { file_offset: 1990, length: 10 }];
    assert_eq!(fields.sparse.as_deref(), Some(&runs[..]));
    assert_eq!((fields.bytes, fields.offset), (2000, 4 * BLOCK as u64));
    assert_eq!(walker.read_content(100).unwrap(), [b'x'; 20]);
}

#[test]
fn attributes_without_number_do_not_take_time_without_bound() {
    let records: Vec<u8> =
        (0..40_000).flat_map(|number| record(format!("SCHILY.xattr.{number}").as_bytes(), b"")).collect();
    let mut extended = Extended::default();
    assert!(!extended.read(&records));
    assert!(extended.xattrs.len() < 2000);
}

#[test]
fn an_empty_value_of_an_extended_header_leaves_the_plain_one() {
    assert_eq!(first_path(&with_extended(&record(b"path", b""), "short")), "short");
}

/// Headers in front of a file `plain`, and the name that Go's `archive/tar` gives it.
#[test]
fn names_are_those_that_engines_read() {
    let pax = |records: &[u8]| Written { flag: b'x', ..Written::file("extended", records) };
    let long = |name: &[u8]| Written { flag: b'L', ..Written::file("././@LongLink", name) };
    let global = || Written { flag: b'g', ..Written::file("global", &record(b"path", b"global")) };
    let path = |name: &[u8]| record(b"path", name);
    let cases: Vec<(Vec<Written>, &str)> = vec![
        (vec![pax(&path(b"one")), pax(&path(b"two"))], "two"),
        (vec![pax(&path(b"one")), pax(&record(b"comment", b"-"))], "plain"),
        (vec![pax(&path(b"one")), pax(b"")], "plain"),
        (vec![pax(&[path(b"one"), path(b"")].concat())], "plain"),
        (vec![pax(&path(b"one")), long(b"long\0")], "long"),
        (vec![long(b"long\0"), pax(&path(b"one"))], "long"),
        (vec![long(b"long\0"), long(b"longer\0")], "longer"),
        (vec![long(b"long\0"), long(b"\0")], "plain"),
        (vec![long(b"\0"), pax(&path(b"one"))], "one"),
        (vec![long(b"cut\0short")], "cut"),
        (vec![pax(&path(b"one")), global()], "plain"),
        (vec![long(b"long\0"), global()], "plain"),
        (vec![global(), pax(&path(b"one"))], "one"),
        (vec![pax(b"+12 path=on\n")], "on"),
        (vec![pax(b"00000000000000000000000000000000000000000000000060 path=one\n")], "one"),
    ];
    for (mut entries, expected) in cases {
        entries.push(Written::file("plain", b""));
        let bytes = tar_of(&entries);
        assert_eq!(first_path(&bytes), expected, "{entries:?}");
    }
}

/// Fields of a header's second half, and the name that Go's `archive/tar` gives the file `name`.
#[test]
fn a_prefix_counts_where_engines_read_one() {
    let name_of = |magic: &[u8; 8], fields: &[(usize, &[u8])]| {
        let mut block = [0u8; BLOCK];
        block[..4].copy_from_slice(b"name");
        block[257..265].copy_from_slice(magic);
        for (at, value) in fields {
            block[*at..at + value.len()].copy_from_slice(value);
        }
        seal(&mut block);
        let mut path = Vec::new();
        Header::parse(&block).unwrap().append_path(&mut path);
        String::from_utf8_lossy(&path).into_owned()
    };
    let long = [b'p'; 155];
    assert_eq!(name_of(b"ustar\x0000", &[(345, b"root/.ssh")]), "root/.ssh/name");
    assert_eq!(name_of(b"ustar\0xx", &[(345, b"root")]), "root/name");
    assert_eq!(name_of(b"ustar\x0000", &[(345, &long)]).len(), 155 + 5);
    assert_eq!(name_of(b"ustar\x0000", &[(345, &long[..131]), (508, b"tar\0")]).len(), 131 + 5);
    assert_eq!(name_of(b"ustar  \0", &[(345, b"root/.ssh")]), "root/.ssh/name");
    assert_eq!(name_of(b"ustar  \0", &[(345, b"00001234567\0"), (357, b"00001234567\0")]), "name");
    assert_eq!(name_of(b"ustar  \0", &[(345, b"1234\0/x")]), "name");
    assert_eq!(name_of(b"ustar  \0", &[(345, "r\u{e9}/x".as_bytes())]), "name");
    assert_eq!(name_of(b"ustar   ", &[(345, b"root")]), "name");
    assert_eq!(name_of(b"other\x0000", &[(345, b"root")]), "name");
    assert_eq!(name_of(&[0; 8], &[(345, b"root")]), "name");
}

proptest! {
    #[test]
    fn octal_numbers_read_back(value in 0i64..1 << 33, spaces in 0usize..2) {
        let text = format!("{}{value:011o}", " ".repeat(spaces));
        prop_assert_eq!(number(text.as_bytes()), Some(value));
        prop_assert_eq!(number(format!("{text}\0").as_bytes()), Some(value));
        prop_assert_eq!(number(format!("{text} \0").as_bytes()), Some(value));
    }

    #[test]
    fn numbers_in_base_256_read_back(value in 0..i64::MAX, negative in any::<i64>()) {
        prop_assert_eq!(number(&base_256(value as u64, 12)), Some(value));
        let mut field = vec![0xff; 12];
        field[4..].copy_from_slice(&negative.wrapping_abs().wrapping_neg().to_be_bytes());
        prop_assert_eq!(number(&field), Some(negative.wrapping_abs().wrapping_neg()));
    }

    #[test]
    fn any_block_with_a_right_checksum_is_a_header(bytes in prop::collection::vec(any::<u8>(), BLOCK)) {
        let mut block = [0u8; BLOCK];
        block.copy_from_slice(&bytes);
        seal(&mut block);
        let header = Header::parse(&block).unwrap();
        let mut path = Vec::new();
        header.append_path(&mut path);
        prop_assert!(!path.contains(&0) && !header.link().contains(&0));
        prop_assert!(header.mode() < 0o10000);
        let _ = (header.uid(), header.gid(), header.content_bytes(), header.mtime(), header.device());
        prop_assert!(header.gnu_sparse().0.len() <= 4);
    }

    #[test]
    fn extended_headers_read_back(
        path in any_path(), link in any_path(), bytes in 0..=i64::MAX as u64, uid in any::<u32>(), gid in any::<u32>(),
        mtime in -1_000_000_000_000i64..1_000_000_000_000, name in "[a-z.]{1,9}", value in prop::collection::vec(any::<u8>(), 0..300),
        segments in prop::collection::vec((0..=i64::MAX as u64, 0..=i64::MAX as u64), 1..5),
    ) {
        prop_assume!(!path.is_empty() && !link.is_empty());
        let map: Vec<String> = segments.iter().map(|(at, length)| format!("{at},{length}")).collect();
        let data = [
            record(b"path", &path), record(b"linkpath", &link), record(b"size", bytes.to_string().as_bytes()),
            record(b"uid", uid.to_string().as_bytes()), record(b"gid", gid.to_string().as_bytes()),
            record(b"mtime", format!("{mtime}.000000000").as_bytes()),
            record(format!("SCHILY.xattr.user.{name}").as_bytes(), &value),
            record(b"GNU.sparse.map", map.join(",").as_bytes()),
            record(b"comment", &value),
        ].concat();
        let mut extended = Extended::default();
        prop_assert!(extended.read(&data));
        let sparse = extended.sparse.take().unwrap();
        let segments: Vec<Segment> =
            segments.into_iter().map(|(file_offset, length)| Segment { file_offset, length }).collect();
        prop_assert_eq!(sparse.map(), Some(PaxMap::InHeader(segments)));
        let xattr = Xattr { name: format!("user.{name}").into_bytes().into(), value: value.into() };
        let expected = Extended {
            path: Some(path), link: Some(link), content_bytes: Some(bytes), uid: Some(uid), gid: Some(gid),
            has_bad_length: false,
            mtime: Some(mtime), xattrs: vec![xattr], sparse: None,
        };
        prop_assert_eq!(extended, expected);
    }

    #[test]
    fn an_extended_header_may_be_anything(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Extended::default().read(&bytes);
        let _ = walk_by_headers(&with_extended(&bytes, "file"));
    }

    #[test]
    fn the_values_of_an_extended_header_may_be_anything(
        records in prop::collection::vec((prop::sample::select(vec![
            "path", "linkpath", "size", "uid", "gid", "mtime", "SCHILY.xattr.", "GNU.sparse.name", "GNU.sparse.map",
            "GNU.sparse.major", "GNU.sparse.minor", "GNU.sparse.realsize", "GNU.sparse.size", "GNU.sparse.offset",
            "GNU.sparse.numbytes", "GNU.sparse.numblocks",
        ]), prop_oneof![
            prop::collection::vec(any::<u8>(), 0..20), "-?[0-9]{1,21}(,[0-9]{1,20}){0,4}".prop_map(String::into_bytes),
        ]), 0..8),
        content in prop_oneof!["([0-9]{0,3}\n){0,9}", "[0-9\n]{0,600}"],
        flag in prop::sample::select(b"0x1g".to_vec()),
    ) {
        let data: Vec<u8> = records.iter().flat_map(|(key, value)| record(key.as_bytes(), value)).collect();
        let is_text = |key: &str| matches!(key, "path" | "linkpath");
        let has_nul = records.iter().any(|(key, value)| is_text(key) && value.contains(&0));
        prop_assert_eq!(Extended::default().read(&data), !has_nul);
        let mut padded = content.into_bytes();
        padded.resize(1024, 0);
        let bytes = tar_of(&[
            Written { flag: if flag == b'g' { flag } else { b'x' }, ..Written::file("extended", &data) },
            Written { flag: if flag == b'1' { flag } else { b'0' }, ..Written::file("file", &padded) },
        ]);
        prop_assert_eq!(walk_by_headers(&bytes), walk_as_stream(&bytes));
    }

    #[test]
    fn a_normal_name_has_only_names_and_stays_as_it_is(raw in prop_oneof![any_path(), "[./a]{0,20}".prop_map(String::into_bytes)]) {
        let (mut once, mut twice) = (Vec::new(), Vec::new());
        let climbs = normalize(&raw, &mut once).climbs;
        prop_assert_eq!(climbs, raw.split(|&byte| byte == b'/').any(|part| part == b".."));
        let odd = once.split(|&byte| byte == b'/').any(|part| matches!(part, b"" | b"." | b".."));
        prop_assert!(once.is_empty() || !odd);
        prop_assert!(!normalize(&once, &mut twice).climbs);
        prop_assert_eq!(once, twice);
    }

    #[test]
    fn archives_read_as_the_tar_crate_reads_them(entries in any_entries(12)) {
        let bytes = tar_of(&entries);
        let mut walker = TarWalker::new(SectionInput::new(section(&bytes), Cancel::new()));
        let mut archive = tar::Archive::new(bytes.as_slice());
        for (entry, written) in archive.entries().unwrap().zip(&entries) {
            let mut entry = entry.unwrap();
            prop_assert!(walker.advance().unwrap());
            let member = walker.member();
            prop_assert_eq!(&member.path, &written.path);
            prop_assert_eq!(&member.path[..], &entry.path_bytes()[..]);
            prop_assert_eq!(&member.link[..], &entry.link_name_bytes().unwrap_or_default()[..]);
            prop_assert_eq!(u32::from(member.fields.mode), entry.header().mode().unwrap());
            prop_assert_eq!(u64::from(member.fields.uid), entry.header().uid().unwrap());
            prop_assert_eq!(u64::from(member.fields.gid), entry.header().gid().unwrap());
            prop_assert_eq!(member.fields.mtime as u64, entry.header().mtime().unwrap());
            prop_assert_eq!(member.fields.bytes, entry.size());
            prop_assert_eq!(member.header_offset, entry.raw_header_position());
            prop_assert_eq!(member.fields.offset, entry.raw_file_position());
            let (mut ours, mut theirs) = (Vec::new(), Vec::new());
            walker.visit_content(&mut |piece| ours.extend_from_slice(piece)).unwrap();
            entry.read_to_end(&mut theirs).unwrap();
            prop_assert_eq!(&ours, &theirs);
            prop_assert_eq!(&ours, &written.content);
        }
        prop_assert!(!walker.advance().unwrap());
        prop_assert!(walker.take_oddities().is_empty());
    }

    #[test]
    fn any_bytes_come_to_an_end(bytes in prop::collection::vec(any::<u8>(), 0..3000)) {
        prop_assert_eq!(walk_by_headers(&bytes), walk_as_stream(&bytes));
    }

    #[test]
    fn damaged_archives_read_alike_by_headers_and_as_streams(
        entries in any_entries(8), damage in any_damage(), mend in any::<bool>(),
    ) {
        let bytes = damaged(&tar_of(&entries), &damage, mend);
        prop_assert_eq!(walk_by_headers(&bytes), walk_as_stream(&bytes));
    }
}
