//! Names of file formats other than archives and compressed streams, detected by their first bytes: for messages about
//! files that are not images.
//!
//! Magic numbers come from each format's own specification; file(1) detects the same.

use super::json_format::json_format;

/// Bytes at the start of a file that [`format_of`] examines: the magic number of Btrfs is beyond 64 KiB.
pub const PROBE_BYTES: usize = 68 << 10;

/// A format with its magic number at a fixed offset.
struct Magic {
    offset: usize,
    bytes: &'static [u8],
    name: &'static str,
}

const fn at(offset: usize, bytes: &'static [u8], name: &'static str) -> Magic {
    Magic { offset, bytes, name }
}

/// The first match counts: the content of a disk image says more than its partition table.
const MAGICS: &[Magic] = &[
    at(0, b"QFI\xfb", "disk image (qcow2)"),
    at(0, b"KDMV", "disk image (VMDK)"),
    at(0, b"COWD", "disk image (VMDK)"),
    at(0, b"# Disk DescriptorFile", "description of a disk image (VMDK)"),
    at(0, b"vhdxfile", "disk image (VHDX)"),
    at(0, b"conectix", "disk image (VHD)"),
    at(64, b"\x7f\x10\xda\xbe", "disk image (VDI)"),
    at(0, b"QED\0", "disk image (QED)"),
    at(0, b"WithoutFreeSpace", "disk image (Parallels)"),
    at(0, b"WithouFreSpacExt", "disk image (Parallels)"),
    at(0, b"LUKS\xba\xbe", "encrypted disk image (LUKS)"),
    at(0, b"hsqs", "file system image (squashfs)"),
    at(0, b"sqsh", "file system image (squashfs)"),
    at(32, b"SIF_MAGIC", "Singularity image (SIF)"),
    at(0x400, b"\xe2\xe1\xf5\xe0", "file system image (EROFS)"),
    at(0, b"\x45\x3d\xcd\x28", "file system image (cramfs)"),
    at(0, b"-rom1fs-", "file system image (romfs)"),
    at(0, b"XFSB", "file system image (XFS)"),
    at(0x400, b"\x10\x20\xf5\xf2", "file system image (F2FS)"),
    at(0x10040, b"_BHRfS_M", "file system image (Btrfs)"),
    at(0x8001, b"CD001", "disk image (ISO 9660)"),
    at(3, b"NTFS    ", "file system image (NTFS)"),
    at(3, b"EXFAT   ", "file system image (exFAT)"),
    at(82, b"FAT32   ", "file system image (FAT)"),
    at(54, b"FAT16   ", "file system image (FAT)"),
    at(54, b"FAT12   ", "file system image (FAT)"),
    at(512, b"EFI PART", "disk image (raw, GPT partitions)"),
    at(4096, b"EFI PART", "disk image (raw, GPT partitions)"),
    at(0, b"\x0d\0\0\0\0\0\0\0nix-archive-1\0\0\0", "Nix archive (NAR)"),
    at(0, b"\x01\0\0\0\0\0\0\0\x0d\0\0\0\0\0\0\0nix-archive-1\0\0\0", "export of Nix store paths (nix-store --export)"),
    at(0, b"Derive([", "Nix derivation (.drv)"),
    at(0, b"DrvWithVersion(", "Nix derivation (.drv)"),
    at(0, b"StorePath: /", "description of a Nix store path (.narinfo)"),
    at(0, b"SQLite format 3\0", "SQLite database"),
    at(0, b"\xcf\xfa\xed\xfe", "program (Mach-O)"),
    at(0, b"\xce\xfa\xed\xfe", "program (Mach-O)"),
    at(0, b"\xca\xfe\xba\xbe", "program (Mach-O) or Java class"),
    at(0, b"\0asm", "WebAssembly module"),
    at(0, b"PK\x03\x04", "zip archive"),
    at(0, b"PK\x05\x06", "zip archive, empty"),
    at(0, b"!<arch>\ndebian-binary", "package (deb)"),
    at(0, b"!<arch>\n", "ar archive"),
    at(0, b"\xed\xab\xee\xdb", "package (RPM)"),
    at(0, b"070701", "cpio archive"),
    at(0, b"070702", "cpio archive"),
    at(0, b"070707", "cpio archive"),
    at(0, b"\xc7\x71", "cpio archive"),
    at(0, b"7z\xbc\xaf\x27\x1c", "7-Zip archive"),
    at(0, b"Rar!\x1a\x07", "RAR archive"),
    at(0, b"MSWIM\0\0\0", "Windows image (WIM)"),
    at(0, b"\x04\x22\x4d\x18", "stream compressed with lz4; not used for images"),
    at(0, b"\x1f\x9d", "stream compressed with compress(1); not used for images"),
    at(0, b"LZIP", "stream compressed with lzip; not used for images"),
    at(0, b"\x5d\0\0", "stream compressed with lzma; not used for images"),
    at(0, b"age-encryption.org/v1", "file encrypted with age"),
    at(0, b"-----BEGIN PGP", "OpenPGP file"),
    at(0, b"-----BEGIN ", "certificate or key (PEM)"),
    at(0, b"version https://git-lfs.github.com/spec/v1", "Git LFS pointer; fetch the file with `git lfs pull`"),
    at(0, b"bplist00", "property list"),
    at(0, b"%PDF-", "PDF document"),
    at(0, b"\x89PNG\r\n\x1a\n", "picture (PNG)"),
    at(0, b"\xff\xd8\xff", "picture (JPEG)"),
    at(0, b"<?xml", "XML document"),
];

/// Returns the format of a file as a noun phrase without article, or `None` if it is unknown. `start` contains the
/// first [`PROBE_BYTES`], or all of a shorter file. Does not detect the archives and compressed streams used for
/// images.
#[must_use]
pub fn format_of(start: &[u8]) -> Option<&'static str> {
    let fits = |magic: &&Magic| start.get(magic.offset..).is_some_and(|rest| rest.starts_with(magic.bytes));
    if let Some(magic) = MAGICS.iter().find(fits) {
        return Some(magic.name);
    }
    ext(start).or_else(|| program(start)).or_else(|| document(start)).or_else(|| partitioned(start))
}

/// Detects the superblock of ext2, ext3 and ext4: the magic number, and a valid block size and state.
fn ext(start: &[u8]) -> Option<&'static str> {
    let superblock = start.get(0x400..0x500)?;
    let word = |at: usize| superblock.get(at..at + 2).map_or(0, |field| u16::from_le_bytes([field[0], field[1]]));
    (word(0x38) == 0xef53 && word(0x18) <= 6 && word(0x1a) == 0).then_some("file system image (ext4)")
}

fn program(start: &[u8]) -> Option<&'static str> {
    if start.starts_with(b"\x7fELF") {
        // AppImages are marked in the padding of the ELF identification.
        let is_app_image = matches!(start.get(8..11), Some([b'A', b'I', 1 | 2]));
        return Some(match start.get(16) {
            _ if is_app_image => "AppImage",
            Some(1) => "object file (ELF)",
            Some(4) => "core dump (ELF)",
            _ => "program or library (ELF)",
        });
    }
    let new_header = start.get(0x3c..0x40).and_then(|field| Some(u32::from_le_bytes(field.try_into().ok()?)));
    let is_pe = start.starts_with(b"MZ")
        && new_header.is_some_and(|at| start.get(at as usize..).is_some_and(|rest| rest.starts_with(b"PE\0\0")));
    is_pe.then_some("program (Windows)")
}

/// Detects text documents by how they begin.
fn document(start: &[u8]) -> Option<&'static str> {
    let text = start.trim_ascii_start();
    let first = text.get(..text.len().min(64)).unwrap_or_default().to_ascii_lowercase();
    if first.starts_with(b"<!doctype html") || first.starts_with(b"<html") {
        return Some("HTML page, perhaps of a failed download");
    }
    if matches!(text.first(), Some(b'{' | b'[')) {
        return json_format(text);
    }
    let words = text.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    let first_line = words.into_iter().find(|line| !line.is_empty() && !line.starts_with(b"#"))?;
    let is_text = start
        .get(..start.len().min(4096))
        .is_some_and(|start| start.iter().all(|byte| !byte.is_ascii_control() || byte.is_ascii_whitespace()));
    let begins = |words: &[&[u8]]| words.iter().any(|word| first_line.starts_with(word));
    match () {
        () if !is_text => None,
        () if begins(&[b"FROM ", b"ARG "]) => Some("Dockerfile; to build it, use `nixdive build`"),
        () if begins(&[b"apiVersion:", b"kind:"]) => Some("Kubernetes manifest"),
        () => None,
    }
}

/// Detects an MBR partition table: the signature, and entries with valid flags.
fn partitioned(start: &[u8]) -> Option<&'static str> {
    let entries = start.get(446..510)?;
    let is_signed = start.get(510..512) == Some(&[0x55, 0xaa]);
    let entries_fit = entries.chunks_exact(16).all(|entry| matches!(entry[0], 0 | 0x80));
    let has_one = entries.chunks_exact(16).any(|entry| entry[4] != 0);
    (is_signed && entries_fit && has_one).then_some("disk image (raw, MBR partitions)")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn formats_are_known_by_their_magic_numbers() {
        let put = |offset: usize, bytes: &[u8]| {
            let mut start = vec![0; 70 << 10];
            start[offset..offset + bytes.len()].copy_from_slice(bytes);
            start
        };
        for magic in MAGICS {
            assert!(magic.offset + magic.bytes.len() <= PROBE_BYTES, "{}", magic.name);
            assert!(format_of(&put(magic.offset, magic.bytes)).is_some(), "{}", magic.name);
        }
        let mut elf = put(0, b"\x7fELF\x02\x01\x01");
        elf[16] = 3;
        assert_eq!(format_of(&elf), Some("program or library (ELF)"));
        assert_eq!(format_of(&put(0x438, &[0x53, 0xef])), Some("file system image (ext4)"));
        let mut disk = put(510, &[0x55, 0xaa]);
        assert_eq!(format_of(&disk), None, "a signature without partitions");
        (disk[446], disk[450]) = (0x80, 0x83);
        assert_eq!(format_of(&disk), Some("disk image (raw, MBR partitions)"));
        assert_eq!(
            format_of(b"# syntax=docker/dockerfile:1\nFROM alpine\n").map(|name| &name[..10]),
            Some("Dockerfile")
        );
        assert_eq!(format_of(b"\n<!DOCTYPE HTML>\n"), Some("HTML page, perhaps of a failed download"));
    }

    #[test]
    fn unknown_data_has_no_format() {
        for start in [&b""[..], b"x", b"hello world\n", &[0; 4096], b"MZ is not yet a program"] {
            assert_eq!(format_of(start), None, "{start:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_may_be_looked_at(start in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let _ = format_of(&start);
        }
    }
}
