use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::DirectoryContainer;
use super::directory::open_file;
use super::{Container, is_dir, is_oci_layout};
use nixdive_image::Compression;
use nixdive_scan::compression::{MAGIC_BYTES, decoder, detect};
use nixdive_scan::tar::{BLOCK, Header, normalize};

/// Maximum number of directory entries examined, so that a directory with a million files causes no delay.
const MAX_LOOKED_AT: usize = 2000;
/// Bytes of a JSON document that are examined.
const MAX_JSON_PEEKED: u64 = 4 << 10;
/// Compressed bytes of a file that are examined.
const MAX_PEEKED: u64 = 256 << 10;

/// An image found in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discovered {
    /// Path of the image.
    pub path: PathBuf,
    /// Apparent format, for display.
    pub kind: String,
    /// Bytes of the file; `None` for a directory.
    pub stored_bytes: Option<u64>,
    /// Time of its last modification.
    pub modified: Option<SystemTime>,
}

/// Finds the images in a directory, sorted by name, `result` links first. Guesses their formats from the first bytes.
#[must_use]
pub fn discover(directory: &Path) -> Vec<Discovered> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let mut found: Vec<Discovered> =
        entries.take(MAX_LOOKED_AT).flatten().filter_map(|entry| look_at(&entry.path())).collect();
    found.sort_by_cached_key(|image| {
        let name = image.path.file_name().unwrap_or_default().to_os_string();
        (!name.to_string_lossy().starts_with("result"), name)
    });
    found
}

fn look_at(path: &Path) -> Option<Discovered> {
    let metadata = fs::metadata(path).ok()?;
    let modified = metadata.modified().ok();
    let describe = |kind: String, stored_bytes| {
        // `./image.tar` is easier to read without its dot.
        let path = path.strip_prefix(".").unwrap_or(path).to_owned();
        Discovered { path, kind, stored_bytes, modified }
    };
    if metadata.is_dir() {
        let container = DirectoryContainer::new(path);
        let is_layout = container.locate("oci-layout").is_some() && is_oci_layout(&container);
        let is_skopeo = container.locate("version").is_some() && is_dir(&container);
        let kind = if is_layout { "OCI layout" } else { "skopeo directory" };
        return (is_layout || is_skopeo).then(|| describe(kind.to_owned(), None));
    }
    let (mut file, length) = open_file(path).ok()??;
    let mut start = Vec::new();
    file.by_ref().take(MAGIC_BYTES as u64).read_to_end(&mut start).ok()?;
    if start.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{') {
        file.take(MAX_JSON_PEEKED).read_to_end(&mut start).ok()?;
        let is_image = memchr::memmem::find(&start, b"\"image-config\"").is_some();
        return is_image.then(|| describe("nix2container image.json".to_owned(), Some(length)));
    }
    let compression = detect(&start).unwrap_or_default();
    if compression != Compression::None {
        let whole = std::io::BufReader::new(std::io::Cursor::new(start).chain(file).take(MAX_PEEKED));
        start = Vec::new();
        decoder(whole, compression, 1).ok()?.take(BLOCK as u64).read_to_end(&mut start).ok()?;
    }
    let kind = archive_kind(&start)?;
    let kind =
        if compression == Compression::None { kind.to_owned() } else { format!("{kind}, {}", compression.name()) };
    Some(describe(kind, Some(length)))
}

/// Guesses the format of an archive from the name of its first member.
fn archive_kind(start: &[u8]) -> Option<&'static str> {
    let header = Header::parse(start.first_chunk::<BLOCK>()?)?;
    let (mut raw, mut path) = (Vec::new(), Vec::new());
    header.append_path(&mut raw);
    normalize(&raw, &mut path);
    let first = path.split(|&byte| byte == b'/').next()?;
    let stem = first.strip_suffix(b".tar.gz").or(first.strip_suffix(b".tar")).unwrap_or(first);
    let stem = stem.strip_suffix(b".json").unwrap_or(stem);
    let stem = stem.strip_prefix(b"sha256:").unwrap_or(stem);
    let is_digest = stem.len() >= 32 && stem.iter().all(u8::is_ascii_hexdigit);
    match first {
        b"blobs" | b"oci-layout" | b"index.json" => Some("OCI archive"),
        b"manifest.json" | b"repositories" | b"layer.tar" => Some("docker-archive"),
        _ if is_digest => Some("docker-archive"),
        _ => None,
    }
}
