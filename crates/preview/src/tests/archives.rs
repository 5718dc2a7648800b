use std::io::Write;
use std::process::Command;

use proptest::prelude::*;

use super::program;
use crate::{ArchiveFormat, ArchiveListing, Section, list_archive};
use nixdive_base::cancel::Cancel;
use nixdive_base::text::steers_terminal;
use nixdive_image::{Compression, Kind};

fn list(bytes: Vec<u8>, format: ArchiveFormat) -> ArchiveListing {
    list_archive(&Section::from_bytes(bytes), format, &Cancel::new())
}

fn names(listing: &ArchiveListing) -> Vec<String> {
    assert_eq!(listing.problem, None);
    listing.entries.iter().map(|entry| String::from_utf8(entry.name.clone()).unwrap()).collect()
}

fn tar() -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(3);
    header.set_mode(0o644);
    tar.append_data(&mut header, "etc/motd", &b"hi\n"[..]).unwrap();
    header.set_size(0);
    header.set_entry_type(tar::EntryType::Symlink);
    tar.append_link(&mut header, "bin/sh", "dash").unwrap();
    tar.into_inner().unwrap()
}

#[test]
fn tars_are_listed_packed_or_not() {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&tar()).unwrap();
    let packed = [
        (tar(), Compression::None),
        (gzip.finish().unwrap(), Compression::Gzip),
        (zstd::encode_all(&tar()[..], 1).unwrap(), Compression::Zstd),
    ];
    for (bytes, compression) in packed {
        let listing = list(bytes, ArchiveFormat::Tar(compression));
        assert_eq!(names(&listing), ["etc/motd", "bin/sh"]);
        let lines: Vec<String> = listing.lines(0..9).iter().map(|line| line.text()).collect();
        assert_eq!(lines[2], "-rw-r--r--       3 B  etc/motd");
        assert_eq!(lines[3], "lrw-r--r--       0 B  bin/sh → dash");
        assert_eq!(lines.len(), listing.total_lines());
    }
}

#[test]
fn debian_packages_show_the_files_they_install() {
    let mut bytes = b"!<arch>\n".to_vec();
    let member = |bytes: &mut Vec<u8>, name: &str, content: &[u8]| {
        bytes.extend(format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 0, "100644", content.len()).bytes());
        bytes.extend(content);
        bytes.resize(bytes.len().next_multiple_of(2), b'\n');
    };
    member(&mut bytes, "debian-binary", b"2.0\n");
    member(&mut bytes, "data.tar.zst/", &zstd::encode_all(&tar()[..], 1).unwrap());
    assert_eq!(names(&list(bytes, ArchiveFormat::Deb)), ["debian-binary", "data.tar.zst", "etc/motd", "bin/sh"]);
}

/// Makes an archive of the same files with a program of the system, where there is one.
fn made_by(name: &str, make: impl Fn(&mut Command)) -> Option<Vec<u8>> {
    let program = program(name)?;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a-member-with-quite-a-long-name.txt"), "12345").unwrap();
    std::fs::write(folder.path().join("b"), "1").unwrap();
    let mut command = Command::new(program);
    make(command.current_dir(folder.path()));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    Some(std::fs::read(folder.path().join("out")).unwrap())
}

const TWO: [&str; 2] = ["a-member-with-quite-a-long-name.txt", "b"];

#[test]
fn archives_of_other_programs_are_listed() {
    let files = |command: &mut Command| {
        command.args(TWO);
    };
    let ar = made_by("ar", |command| files(command.args(["rc", "out"])));
    let python = "import zipfile,sys\nz=zipfile.ZipFile('out','w')\n[z.write(n) for n in sys.argv[1:]]\nz.close()";
    let zip = made_by("python3", |command| files(command.args(["-c", python])));
    let cpio = made_by("sh", |command| {
        command.args(["-c", "command -v cpio >/dev/null && ls a* b | cpio -o -H newc >out 2>/dev/null || : >out"]);
    });
    let cpio = cpio.filter(|bytes| !bytes.is_empty());
    let made = [(ar, ArchiveFormat::Ar), (zip, ArchiveFormat::Zip), (cpio, ArchiveFormat::Cpio(Compression::None))];
    for (bytes, format) in made {
        let Some(bytes) = bytes else { continue };
        assert_eq!(ArchiveFormat::detect(&bytes[..bytes.len().min(512)]), Some(format));
        let listing = list(bytes, format);
        assert_eq!(names(&listing), TWO, "{format:?}");
        assert_eq!(listing.entries[0].bytes, 5);
    }
}

#[test]
fn cpio_archives_in_a_row_are_one_listing() {
    let member = |name: &str, mode: u32, content: &[u8]| {
        let numbers = [1, mode, 0, 0, 1, 0, content.len() as u32, 0, 0, 0, 0, name.len() as u32 + 1, 0];
        let mut bytes = b"070701".to_vec();
        numbers.iter().for_each(|number| bytes.extend(format!("{number:08x}").bytes()));
        bytes.extend(name.bytes().chain([0]));
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes.extend(content);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    };
    let mut bytes = member("bin", 0o040_755, b"");
    bytes.extend(member("TRAILER!!!", 0, b""));
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes.extend(member("init", 0o120_777, b"bin/busybox"));
    bytes.extend(member("TRAILER!!!", 0, b""));
    let listing = list(bytes, ArchiveFormat::Cpio(Compression::None));
    assert_eq!(names(&listing), ["bin", "init"]);
    assert_eq!(listing.entries[0].kind, Kind::Directory);
    assert_eq!(listing.entries[1].link.as_deref(), Some(&b"bin/busybox"[..]));
}

#[test]
fn damage_ends_a_listing_and_is_told() {
    let mut bytes = tar();
    bytes.truncate(1300);
    let listing = list(bytes, ArchiveFormat::Tar(Compression::None));
    assert_eq!(listing.entries.len(), 1);
    assert!(listing.problem.is_some());
    assert!(listing.lines(0..9).last().unwrap().text().starts_with("the listing ends here"));
}

proptest! {
    #[test]
    fn any_bytes_do_no_harm(
        bytes in proptest::collection::vec(any::<u8>(), 0..400),
        start in prop::sample::select(vec![&b""[..], b"!<arch>\n", b"PK\x05\x06", b"070701", b"PK\x01\x02"]),
    ) {
        let mut file = start.to_vec();
        file.extend(bytes);
        let tars = [Compression::None, Compression::Gzip, Compression::Zstd].map(ArchiveFormat::Tar);
        let others = [ArchiveFormat::Zip, ArchiveFormat::Ar, ArchiveFormat::Deb, ArchiveFormat::Cpio(Compression::None)];
        for format in tars.into_iter().chain(others) {
            for line in list(file.clone(), format).lines(0..1000) {
                prop_assert!(!line.text().chars().any(steers_terminal));
            }
        }
    }

    #[test]
    fn changed_bytes_of_real_archives_do_no_harm(changes in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..9)) {
        let mut bytes = tar();
        for (at, byte) in changes {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        list(bytes, ArchiveFormat::Tar(Compression::None));
    }
}
