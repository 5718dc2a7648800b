use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::compression::Access;
use super::gzip_index::{GzipIndex, Trailing};
use super::tar::{Member, SectionInput, TarError, TarInput, TarWalker, normalize};
use super::{
    BlockReader, ContentWatch, CountingReader, HashingReader, LayerWatch, NameRoom, Part, Section, UnpackLimit,
    beside_sha256, compression,
};
use nixdive_base::cancel::Cancel;
use nixdive_image::{Compression, ContentHash, Digest, EntryBatch, Kind};

/// How far a layer has been read, for a thread that watches.
#[derive(Debug, Default)]
pub struct LayerProgress {
    /// Bytes of the stored blob read so far.
    pub read_bytes: Arc<AtomicU64>,
    /// Entries found so far.
    pub entries: AtomicU64,
}

/// Results of reading a layer besides its entries.
#[derive(Debug, Clone, Default)]
pub struct LayerScan {
    /// Found by content.
    pub compression: Compression,
    /// Length of the unpacked tar stream, bytes.
    pub unpacked_bytes: u64,
    /// Sum of the sizes in the headers, bytes.
    pub file_bytes: u64,
    /// Number of entries.
    pub entries: u64,
    /// SHA-256 of the unpacked tar stream, where all of it came by.
    pub diff_id: Option<[u8; 32]>,
    /// SHA-256 of the stored blob, where all of it came by.
    pub blob_digest: Option<[u8; 32]>,
    /// The digests by other algorithms that were stated, where all of the layer came by.
    pub others: StatedDigests,
    /// Oddities, as sentences.
    pub oddities: Vec<String>,
    /// Why it could not be read to its end.
    pub failure: Option<TarError>,
    /// Index for unpacking a gzip blob from its middle, if requested.
    pub gzip_index: Option<GzipIndex>,
    /// Content of files that were wanted, in the order of the entries.
    pub captured: Vec<Captured>,
    /// The number under which a watch keeps what it noted of the layer; `None` where the content did not come by.
    pub watched: Option<usize>,
}

/// The digests that an image states for a layer, or those of a layer that was read, by the same
/// algorithms.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StatedDigests {
    /// Digest of the unpacked tar stream.
    pub diff_id: Option<Digest>,
    /// Digest of the stored blob.
    pub blob: Option<Digest>,
}

impl LayerScan {
    /// Digest of the unpacked tar stream by the algorithm of `stated`, or else by SHA-256; `None` where not all of it
    /// came by, or the algorithm was not computed.
    #[must_use]
    pub fn diff_id_like(&self, stated: Option<&Digest>) -> Option<Digest> {
        digest_like(stated, self.diff_id.as_ref(), self.others.diff_id.as_ref())
    }

    /// The same of the stored blob.
    #[must_use]
    pub fn blob_digest_like(&self, stated: Option<&Digest>) -> Option<Digest> {
        digest_like(stated, self.blob_digest.as_ref(), self.others.blob.as_ref())
    }
}

fn digest_like(stated: Option<&Digest>, sha256: Option<&[u8; 32]>, other: Option<&Digest>) -> Option<Digest> {
    match stated.map(Digest::algorithm) {
        None | Some("sha256") => sha256.map(Digest::from_sha256),
        Some(algorithm) => other.filter(|other| other.algorithm() == algorithm).cloned(),
    }
}

/// A small file whose content was wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Captured {
    /// Its path below the root.
    pub path: Vec<u8>,
    /// Offset of its content in the unpacked layer, bytes.
    pub offset: u64,
    /// All of its content.
    pub content: Vec<u8>,
}

/// Which files' content is wanted, told by their paths below the root.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// Returns `true` if the content of a path is wanted.
    pub is_wanted: fn(&[u8]) -> bool,
    /// Identity of `is_wanted`: what was captured under another one may lack files.
    pub identity: fn() -> String,
    /// Bytes that one file may have, and of all files in a layer together.
    pub most_bytes: u64,
}

/// How layers are read.
#[derive(Debug, Clone)]
pub struct LayerOptions {
    /// Read all of a plain layer for its digest and its content, not only its headers.
    pub whole: bool,
    /// When an unpacked stream stops being plausible.
    pub limit: UnpackLimit,
    /// Threads that one decoder may use.
    pub decoder_threads: usize,
    /// Positions from which the layer can be unpacked later.
    pub access: Access,
    /// Files whose content is wanted.
    pub wanted: Option<Wanted>,
    /// Looks at content that comes by.
    pub watch: Option<Arc<dyn ContentWatch>>,
    /// Digests that the image states for the layer.
    pub stated: StatedDigests,
    /// Room for names and attributes, shared by all layers of an image.
    pub names: NameRoom,
    /// Asks to stop.
    pub cancel: Cancel,
}

/// Takes entries, a batch at a time; an error stops the reading.
pub type EntrySink<'a> = dyn FnMut(EntryBatch) -> io::Result<()> + 'a;

/// Takes unpacked bytes, every one once and in order.
pub type Tee<'a> = dyn FnMut(&[u8]) -> io::Result<()> + 'a;

/// Reads the layer that a stored blob is, whatever it is compressed with. What is unpacked also goes to `tee`.
///
/// # Errors
/// When the blob cannot be read at all, and when it was cancelled. A layer that is broken further on is given as far
/// as it goes, with [`LayerScan::failure`].
pub fn scan_section(
    section: &Section,
    options: &LayerOptions,
    progress: &LayerProgress,
    sink: &mut EntrySink<'_>,
    tee: Option<&mut Tee<'_>>,
) -> io::Result<LayerScan> {
    let mut magic = [0u8; compression::MAGIC_BYTES];
    let count = section.read_full_at(&mut magic, 0)?;
    let found = compression::detect(&magic[..count]).unwrap_or_default();
    if found == Compression::None && !options.whole {
        return scan_headers(section, options, progress, sink);
    }
    let count = Arc::clone(&progress.read_bytes);
    let plain = found == Compression::None;
    // A plain layer that is read alone is hashed by the thread that reads it: the other one has the content to look at.
    let alone = plain && options.decoder_threads > 1;
    let (input, index, blob_digest): (Box<dyn io::Read + Send>, _, _) = if plain {
        let counting = CountingReader::new(section.buffered(), Arc::clone(&count));
        if alone {
            let (hashing, digest) = HashingReader::new(counting, beside_sha256(stated_plain(&options.stated)));
            (Box::new(hashing), None, Some(digest))
        } else {
            (Box::new(counting), None, None)
        }
    } else {
        let (hashing, blob_digest) = HashingReader::new(section.reader(), beside_sha256(options.stated.blob.as_ref()));
        let threads = options.decoder_threads;
        let (input, index) = compression::counted_decoder(hashing, found, threads, Arc::clone(&count), options.access)?;
        (input, index, Some(blob_digest))
    };
    let mut reader = if plain && !alone {
        BlockReader::direct(input, options.cancel.clone())
    } else {
        BlockReader::spawn(input, count, options.limit, options.cancel.clone())?
    };
    let mut part = Part::new(&mut reader, u64::MAX, !alone, options.cancel.clone());
    let stated = if plain { stated_plain(&options.stated) } else { options.stated.diff_id.as_ref() };
    if let Some(verifier) = beside_sha256(stated).filter(|_| !alone) {
        part.verify(verifier);
    }
    if let Some(tee) = tee
        && needs_tee(found, options.access)
    {
        part.watch(tee);
    }
    let mut scan = scan_part(part, progress, options, sink)?;
    drop(reader);
    scan.compression = found;
    if let Some(receiver) = blob_digest {
        let digests = receiver.recv().ok();
        scan.blob_digest = digests.as_ref().map(|(sha256, _)| *sha256);
        scan.others.blob = digests.and_then(|(_, other)| other);
    } else {
        (scan.blob_digest, scan.others.blob) = (scan.diff_id, scan.others.diff_id.clone());
    }
    if alone {
        (scan.diff_id, scan.others.diff_id) = (scan.blob_digest, scan.others.blob.clone());
    }
    if let Some(index) = index.map(|index| index.snapshot()) {
        scan.oddities.extend(trailing_oddity(&index));
        scan.gzip_index = Some(index).filter(|_| options.access == Access::Anywhere);
    }
    Ok(scan)
}

/// Returns the digest stated for a layer whose blob is its tar stream; if neither digest is
/// SHA-256, that of the blob counts, and the other is computed later.
fn stated_plain(stated: &StatedDigests) -> Option<&Digest> {
    let is_other = |digest: &&Digest| digest.algorithm() != "sha256";
    stated.blob.as_ref().filter(is_other).or(stated.diff_id.as_ref().filter(is_other))
}

/// Returns `true` if the unpacked bytes of a blob must be kept to read from its middle later.
#[must_use]
pub fn needs_tee(found: Compression, access: Access) -> bool {
    match found {
        Compression::None => false,
        Compression::Gzip => access == Access::Aside,
        _ => access != Access::Beginning,
    }
}

/// Describes trailing data that gzip(1) would warn of: anything but padding after the last member.
#[must_use]
pub fn trailing_oddity(index: &GzipIndex) -> Option<String> {
    match index.trailing() {
        Trailing::Garbage { compressed_offset } => {
            Some(format!("other data follows the gzip stream, at offset {compressed_offset}; it is not read"))
        }
        Trailing::Nothing | Trailing::Zeros => None,
    }
}

/// Reads a layer of an unpacked stream to its end, with digest and identities of content.
///
/// # Errors
/// When it was cancelled, or `sink` fails.
pub fn scan_part(
    part: Part<'_>,
    progress: &LayerProgress,
    options: &LayerOptions,
    sink: &mut EntrySink<'_>,
) -> io::Result<LayerScan> {
    let mut walker = TarWalker::new(part);
    let mut scan = collect(&mut walker, progress, options, sink)?;
    if scan.failure.as_ref().is_none_or(|failure| !matches!(failure, TarError::Source { .. })) {
        match walker.into_input().finish() {
            Ok(end) => {
                scan.unpacked_bytes = end.bytes;
                scan.diff_id = end.sha256;
                scan.others.diff_id = end.other;
            }
            Err(error) => {
                options.cancel.check()?;
                let offset = scan.unpacked_bytes;
                scan.failure.get_or_insert(TarError::source(offset, error));
            }
        }
    }
    Ok(scan)
}

fn scan_headers(
    section: &Section,
    options: &LayerOptions,
    progress: &LayerProgress,
    sink: &mut EntrySink<'_>,
) -> io::Result<LayerScan> {
    let mut walker = TarWalker::new(SectionInput::new(section.clone(), options.cancel.clone()));
    let mut scan = collect(&mut walker, progress, options, sink)?;
    scan.unpacked_bytes = section.length();
    progress.read_bytes.store(section.length(), Ordering::Relaxed);
    Ok(scan)
}

/// Names that are taken note of together, bytes.
const NAMES_AT_ONCE: u64 = 64 << 10;

/// Returns the memory that an entry takes besides its fixed part and its attributes, bytes.
fn name_bytes(member: &Member) -> u64 {
    let fields = &member.fields;
    let runs = fields.sparse.as_ref().map_or(0, |runs| size_of_val(runs.as_slice()));
    (member.path.len() + member.link.len() + runs) as u64
}

fn collect<I: TarInput>(
    walker: &mut TarWalker<I>,
    progress: &LayerProgress,
    options: &LayerOptions,
    sink: &mut EntrySink<'_>,
) -> io::Result<LayerScan> {
    let mut scan = LayerScan::default();
    let mut batch = EntryBatch::default();
    let mut path = Vec::new();
    let mut climbs = 0u64;
    let mut captured_bytes = 0u64;
    let mut names = 0u64;
    let watching = options.watch.as_ref().filter(|_| walker.content_comes_by());
    let mut watch = watching.map(|watch| watch.begin_layer());
    scan.failure = loop {
        match walker.advance() {
            Ok(true) => {}
            Ok(false) => break None,
            Err(error) => break Some(error),
        }
        names += name_bytes(walker.member());
        let has_room = options.names.share(&mut walker.member_mut().fields.xattrs)
            && (names < NAMES_AT_ONCE || options.names.take(std::mem::take(&mut names)));
        if !has_room {
            break Some(TarError::Crowded(walker.member().header_offset));
        }
        scan.entries += 1;
        climbs += u64::from(normalize(&walker.member().path, &mut path).climbs);
        let is_absolute = walker.member().path.first() == Some(&b'/');
        walker.member_mut().fields.is_absolute = is_absolute;
        let wanted = options.wanted.filter(|wanted| wants(wanted, walker.member(), &path, &captured_bytes));
        let mut content = wanted.map(|_| Vec::new());
        let needed = walker.content_comes_by() || wanted.is_some();
        let member = walker.member();
        let watched = match watch.as_deref_mut() {
            Some(watch) => watch.entry(&path, &member.link, &member.fields).then_some(watch),
            None => None,
        };
        let failure = if needed { read_content(walker, content.as_mut(), watched) } else { None };
        if let Some(content) = content.filter(|_| failure.is_none()) {
            captured_bytes += content.len() as u64;
            let offset = walker.member().fields.offset;
            scan.captured.push(Captured { path: path.clone(), offset, content });
        }
        let member = walker.member_mut();
        let fields = std::mem::replace(&mut member.fields, nixdive_image::EntryFields::new(Kind::File));
        scan.file_bytes = scan.file_bytes.saturating_add(fields.bytes);
        batch.push(&path, &member.link, fields);
        if batch.is_full() {
            progress.entries.store(scan.entries, Ordering::Relaxed);
            options.cancel.check()?;
            sink(std::mem::take(&mut batch))?;
        }
        if failure.is_some() {
            break failure;
        }
    };
    options.cancel.check()?;
    scan.watched = watch.map(|watch| watch.finish(scan.failure.is_none()));
    progress.entries.store(scan.entries, Ordering::Relaxed);
    if !batch.is_empty() {
        sink(batch)?;
    }
    scan.unpacked_bytes = walker.input_mut().position();
    scan.oddities = walker.take_oddities();
    if climbs > 0 {
        scan.oddities.push(format!("{climbs} names contain `..`; they are kept below the root"));
    }
    Ok(scan)
}

fn wants(wanted: &Wanted, member: &Member, path: &[u8], captured_bytes: &u64) -> bool {
    member.fields.kind == Kind::File
        && member.fields.sparse.is_none()
        && captured_bytes.saturating_add(member.stored_bytes) <= wanted.most_bytes
        && (wanted.is_wanted)(path)
}

/// Reads a file's content: puts its identity into the fields, and the bytes into `capture`; `watch` looks at them. A
/// sparse file has no identity: what is stored of it is not what it contains.
fn read_content<I: TarInput>(
    walker: &mut TarWalker<I>,
    mut capture: Option<&mut Vec<u8>>,
    mut watch: Option<&mut (dyn LayerWatch + '_)>,
) -> Option<TarError> {
    let member = walker.member();
    if member.fields.kind != Kind::File || member.fields.sparse.is_some() || member.stored_bytes == 0 {
        return None;
    }
    let mut hash = blake3::Hasher::new();
    let result = walker.visit_content(&mut |piece| {
        hash.update(piece);
        if let Some(capture) = &mut capture {
            capture.extend_from_slice(piece);
        }
        if let Some(watch) = &mut watch {
            watch.content(piece);
        }
    });
    if let Err(error) = result {
        return Some(error);
    }
    walker.member_mut().fields.content = Some(shortened(&hash));
    None
}

fn shortened(hash: &blake3::Hasher) -> ContentHash {
    let whole = hash.finalize();
    let mut short = ContentHash::default();
    short.iter_mut().zip(whole.as_bytes()).for_each(|(to, from)| *to = *from);
    short
}

/// The identity of all that `reader` gives.
///
/// # Errors
/// If the reader fails.
pub fn identity_of(reader: &mut dyn io::Read) -> io::Result<ContentHash> {
    identity_with(reader, &mut vec![0; 64 << 10])
}

/// Like [`identity_of`], but with a reusable buffer for callers that read many short files.
///
/// # Errors
/// If the reader fails.
pub fn identity_with(reader: &mut dyn io::Read, buffer: &mut [u8]) -> io::Result<ContentHash> {
    let mut hash = blake3::Hasher::new();
    loop {
        match reader.read(buffer) {
            Ok(0) => return Ok(shortened(&hash)),
            Ok(count) => {
                hash.update(&buffer[..count]);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
