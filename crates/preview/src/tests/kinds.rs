use proptest::prelude::*;

use crate::{ArchiveFormat, ContentKind, Encoding, Section, classify};
use nixdive_image::Compression;

fn kind(bytes: &[u8]) -> ContentKind {
    classify(&Section::from_bytes(bytes.to_vec()), b"name").unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

#[test]
fn a_file_is_what_its_bytes_say() {
    let mut tar = tar::Builder::new(Vec::new());
    tar.append_data(&mut tar::Header::new_gnu(), "a", &b""[..]).unwrap();
    let tar = tar.into_inner().unwrap();
    let utf16: Vec<u8> = [0xff, 0xfe].into_iter().chain("text\n".bytes().flat_map(|byte| [byte, 0])).collect();
    for (bytes, expected) in [
        (&b""[..], ContentKind::Empty),
        (b"text\n", ContentKind::Text(Encoding::Utf8)),
        ("naïve\n".as_bytes(), ContentKind::Text(Encoding::Utf8)),
        (b"\x1b[31mred\x1b[0m of a log\n", ContentKind::Text(Encoding::Utf8)),
        (b"le caf\xe9 est ferm\xe9\n", ContentKind::Text(Encoding::Latin1)),
        (&utf16, ContentKind::Text(Encoding::Utf16Le)),
        (b"a\0b", ContentKind::Binary(None)),
        (b"\x7fELF\x02\x01", ContentKind::Elf),
        (b"\x89PNG\r\n\x1a\n\0\0", ContentKind::Binary(Some("PNG image"))),
        (b"SQLite format 3\0", ContentKind::Binary(Some("SQLite database"))),
        (b"!<arch>\ndebian-binary   ", ContentKind::Archive(ArchiveFormat::Deb)),
        (b"!<arch>\nx/   ", ContentKind::Archive(ArchiveFormat::Ar)),
        (b"PK\x03\x04", ContentKind::Archive(ArchiveFormat::Zip)),
        (&tar, ContentKind::Archive(ArchiveFormat::Tar(Compression::None))),
        (&gzip(&tar), ContentKind::Archive(ArchiveFormat::Tar(Compression::Gzip))),
        (&gzip(b"text"), ContentKind::Binary(Some("gzip data"))),
    ] {
        assert_eq!(kind(bytes), expected, "{:?}", &bytes[..bytes.len().min(30)]);
    }
}

#[test]
fn real_files_are_recognised() {
    let of = |path: &str| classify(&Section::from_bytes(std::fs::read(path).unwrap()), path.as_bytes()).unwrap();
    assert_eq!(of("/etc/passwd"), ContentKind::Text(Encoding::Utf8));
    assert_eq!(of(std::env::current_exe().unwrap().to_str().unwrap()), ContentKind::Elf);
}

#[test]
fn a_character_that_the_sample_cuts_in_two_makes_no_binary() {
    let text = "x".to_owned() + &"é".repeat(10_000);
    assert_eq!(kind(text.as_bytes()), ContentKind::Text(Encoding::Utf8));
}

proptest! {
    #[test]
    fn any_bytes_are_something(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let kind = kind(&bytes);
        prop_assert_eq!(kind == ContentKind::Empty, bytes.is_empty());
    }
}
