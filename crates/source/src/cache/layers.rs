//! The entries of a layer by its diffID, so that opening an image with the same layer need not unpack it again.

use std::fs;
use std::io::{self, BufWriter, Read as _, Write};

use tempfile::NamedTempFile;
use tracing::{debug, info};

use super::encode::{Decoder, Encoder};
use super::{Cache, ItemKind, touch};
use nixdive_image::{Compression, ContentHash, Digest, EntryBatch, EntryFields, Kind, Segment, Xattr, XattrPool};
use nixdive_scan::{Captured, LayerScan};

/// Encoded bytes that are written at once.
const WRITTEN_AT_ONCE: usize = 1 << 20;
/// Beginning of an index file. Files of other versions are ignored: they may have searched a layer for other files and
/// interpreted it differently.
const MAGIC: &[u8] = concat!("nixdive layer 3 ", env!("CARGO_PKG_VERSION"), "\n").as_bytes();
/// Bytes of the BLAKE3 checksum at the end.
const CHECKSUM: usize = 32;
/// Maximum bytes of the index of one layer.
const MAX_BYTES: u64 = 1 << 30;
/// Maximum bytes of a note that maps a blob to its diffID.
const MAX_NOTE_BYTES: u64 = 1 << 10;
const HAS_CONTENT: u8 = 1;
const HAS_XATTRS: u8 = 2;
const HAS_SEGMENTS: u8 = 4;
const HAS_DEVICE: u8 = 8;
const IS_ABSOLUTE: u8 = 16;

/// A layer as it was read before.
#[derive(Debug, Default)]
pub struct KnownLayer {
    /// Its entries, in order.
    pub batches: Vec<EntryBatch>,
    /// Further results of reading it, except how its blob is compressed.
    pub scan: LayerScan,
}

/// The index of a layer that is being read.
pub struct LayerWriting {
    cache: Cache,
    file: BufWriter<NamedTempFile>,
    hash: blake3::Hasher,
    encoder: Encoder,
    path: Vec<u8>,
    bytes: u64,
    failed: bool,
}

impl Cache {
    /// Returns the layer whose unpacked bytes have this digest. With `captured`, only if the files that this identity
    /// wants ([`nixdive_scan::Wanted::identity`]) are included.
    #[must_use]
    pub fn layer(&self, diff_id: &Digest, captured: Option<&str>) -> Option<KnownLayer> {
        let path = self.path_of(ItemKind::Layer, diff_id);
        let Some(mut file) = self.open(&path) else {
            debug!(target: "cache", %diff_id, "layer: miss");
            return None;
        };
        if file.metadata().ok()?.len() > MAX_BYTES {
            debug!(target: "cache", %diff_id, "layer: refused, too long");
            return None;
        }
        touch(&file);
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).ok()?;
        let known = decode(&bytes)
            .filter(|(known, _)| known.scan.diff_id.map(|bytes| Digest::from_sha256(&bytes)).as_ref() == Some(diff_id));
        match known {
            None => {
                // Damaged, or of another version: removed, to be written again.
                let _ = fs::remove_file(&path);
                info!(target: "cache", %diff_id, "layer: refused, damaged or of another version");
                None
            }
            Some((_, included)) if captured.is_some_and(|wanted| included.as_deref() != Some(wanted)) => {
                debug!(target: "cache", %diff_id, "layer: refused, without the content that is wanted");
                None
            }
            Some((known, _)) => {
                debug!(target: "cache", %diff_id, entries = known.scan.entries, "layer: hit");
                Some(known)
            }
        }
    }

    /// Starts the index of a layer.
    ///
    /// # Errors
    /// If nothing can be written.
    pub fn begin_layer(&self) -> io::Result<LayerWriting> {
        let mut writing = LayerWriting {
            cache: self.clone(),
            file: BufWriter::with_capacity(128 << 10, self.begin()?),
            hash: blake3::Hasher::new(),
            encoder: Encoder::default(),
            path: Vec::new(),
            bytes: 0,
            failed: false,
        };
        writing.encoder.fixed(MAGIC);
        writing.flush();
        Ok(writing)
    }

    /// Returns the layer that a blob unpacks to, as found by unpacking it before, and its compression.
    #[must_use]
    pub fn unpacked(&self, blob: &Digest) -> Option<(Digest, Compression)> {
        let mut text = String::new();
        self.open(&self.path_of(ItemKind::Unpacked, blob))?.take(MAX_NOTE_BYTES).read_to_string(&mut text).ok()?;
        let (diff_id, compression) = text.trim_end().split_once(' ')?;
        let all = [Compression::None, Compression::Gzip, Compression::Zstd, Compression::Xz, Compression::Bzip2];
        Some((Digest::parse(diff_id)?, all.into_iter().find(|one| one.name() == compression)?))
    }

    /// Records which layer a blob unpacks to.
    pub fn keep_unpacked(&self, blob: &Digest, diff_id: &Digest, compression: Compression) {
        let write = || -> io::Result<()> {
            let mut file = self.begin()?;
            writeln!(file, "{diff_id} {}", compression.name())?;
            Self::commit(file, &self.path_of(ItemKind::Unpacked, blob))
        };
        // On failure it is computed again next time.
        let _: io::Result<()> = write();
    }
}

impl LayerWriting {
    /// Appends entries.
    pub fn add(&mut self, batch: &EntryBatch) {
        if self.failed {
            return;
        }
        for entry in batch.entries() {
            let (path, link) = batch.names(entry);
            self.encoder.bytes.push(b'e');
            let shared = self.path.iter().zip(path).take_while(|(left, right)| left == right).count();
            self.encoder.number(shared as u64);
            self.encoder.text(path.get(shared..).unwrap_or_default());
            self.path.truncate(shared);
            self.path.extend_from_slice(path.get(shared..).unwrap_or_default());
            self.encoder.text(link);
            encode_fields(&mut self.encoder, &entry.fields);
            // Attributes that entries share in memory are written once per entry.
            if self.encoder.bytes.len() >= WRITTEN_AT_ONCE {
                self.flush();
                if self.failed {
                    return;
                }
            }
        }
        self.flush();
    }

    /// Finishes the index with the other results of reading the layer. `captured` is the identity of
    /// the files that were captured, if any were. If writing fails, the layer is not cached.
    pub fn commit(mut self, scan: &LayerScan, captured: Option<&str>) {
        let Some(diff_id) = scan.diff_id else { return };
        let encoder = &mut self.encoder;
        encoder.bytes.push(b't');
        encoder.fixed(&diff_id);
        [scan.unpacked_bytes, scan.file_bytes, scan.entries].into_iter().for_each(|number| encoder.number(number));
        encoder.number(scan.oddities.len() as u64);
        scan.oddities.iter().for_each(|oddity| encoder.text(oddity.as_bytes()));
        encoder.bytes.push(u8::from(captured.is_some()));
        encoder.text(captured.unwrap_or_default().as_bytes());
        encoder.number(scan.captured.len() as u64);
        for file in &scan.captured {
            encoder.text(&file.path);
            encoder.number(file.offset);
            encoder.text(&file.content);
        }
        self.flush();
        let checksum = self.hash.finalize();
        self.failed |= self.file.write_all(checksum.as_bytes()).is_err();
        if self.failed || self.bytes > MAX_BYTES {
            return;
        }
        let target = self.cache.path_of(ItemKind::Layer, &Digest::from_sha256(&diff_id));
        if let Ok(file) = self.file.into_inner() {
            // A full disk only costs time later.
            let _ = Cache::commit(file, &target);
        }
    }

    fn flush(&mut self) {
        self.hash.update(&self.encoder.bytes);
        self.bytes = self.bytes.saturating_add(self.encoder.bytes.len() as u64);
        self.failed |= self.bytes > MAX_BYTES || self.file.write_all(&self.encoder.bytes).is_err();
        self.encoder.bytes.clear();
    }
}

fn encode_fields(encoder: &mut Encoder, fields: &EntryFields) {
    let flag = |is: bool, bit: u8| if is { bit } else { 0 };
    let flags = flag(fields.content.is_some(), HAS_CONTENT)
        | flag(!fields.xattrs.is_empty(), HAS_XATTRS)
        | flag(fields.sparse.is_some(), HAS_SEGMENTS)
        | flag(fields.device != (0, 0), HAS_DEVICE)
        | flag(fields.is_absolute, IS_ABSOLUTE);
    encoder.fixed(&[flags, fields.type_flag, fields.kind as u8]);
    for number in [u64::from(fields.mode), u64::from(fields.uid), u64::from(fields.gid), fields.bytes, fields.offset] {
        encoder.number(number);
    }
    encoder.signed(fields.mtime);
    if fields.device != (0, 0) {
        encoder.number(u64::from(fields.device.0));
        encoder.number(u64::from(fields.device.1));
    }
    if let Some(content) = &fields.content {
        encoder.fixed(content);
    }
    if !fields.xattrs.is_empty() {
        encoder.number(fields.xattrs.len() as u64);
        for xattr in &fields.xattrs {
            encoder.text(&xattr.name);
            encoder.text(&xattr.value);
        }
    }
    if let Some(segments) = &fields.sparse {
        encoder.number(segments.len() as u64);
        for segment in segments {
            encoder.number(segment.file_offset);
            encoder.number(segment.length);
        }
    }
}

/// Returns whether a body without its magic number and checksum decodes.
pub(crate) fn decode_body(body: &[u8]) -> bool {
    let mut bytes = [MAGIC, body].concat();
    let checksum = blake3::hash(&bytes);
    bytes.extend_from_slice(checksum.as_bytes());
    decode(&bytes).is_some()
}

/// Decodes a layer, and the identity of the files that were captured from it. Returns `None` if the index is damaged.
fn decode(bytes: &[u8]) -> Option<(KnownLayer, Option<String>)> {
    let (body, checksum) = bytes.split_at_checked(bytes.len().checked_sub(CHECKSUM)?)?;
    if blake3::hash(body).as_bytes() != checksum {
        return None;
    }
    let mut decoder = Decoder::new(body.strip_prefix(MAGIC)?);
    let mut known = KnownLayer::default();
    let mut batch = EntryBatch::default();
    let mut path = Vec::new();
    let mut pool = XattrPool::default();
    while decoder.byte()? == b'e' {
        let shared: usize = decoder.small()?;
        if shared > path.len() {
            return None;
        }
        path.truncate(shared);
        path.extend_from_slice(decoder.text()?);
        let link = decoder.text()?;
        let fields = decode_fields(&mut decoder, &mut pool)?;
        batch.push(&path, link, fields);
        if batch.is_full() {
            known.batches.push(std::mem::take(&mut batch));
        }
    }
    if !batch.is_empty() {
        known.batches.push(batch);
    }
    let scan = &mut known.scan;
    scan.diff_id = Some(decoder.fixed()?);
    scan.unpacked_bytes = decoder.number()?;
    scan.file_bytes = decoder.number()?;
    scan.entries = decoder.number()?;
    for _ in 0..decoder.number()? {
        scan.oddities.push(String::from_utf8_lossy(decoder.text()?).into_owned());
    }
    let has_captured = decoder.byte()? == 1;
    let identity = String::from_utf8_lossy(decoder.text()?).into_owned();
    for _ in 0..decoder.number()? {
        let (path, offset) = (decoder.text()?.to_vec(), decoder.number()?);
        scan.captured.push(Captured { path, offset, content: decoder.text()?.to_vec() });
    }
    decoder.is_empty().then_some((known, has_captured.then_some(identity)))
}

fn decode_fields(decoder: &mut Decoder<'_>, pool: &mut XattrPool) -> Option<EntryFields> {
    let [flags, type_flag, kind] = decoder.fixed()?;
    let mut fields = EntryFields::new(kind_of(kind)?);
    fields.type_flag = type_flag;
    fields.is_absolute = flags & IS_ABSOLUTE != 0;
    fields.mode = decoder.small()?;
    fields.uid = decoder.small()?;
    fields.gid = decoder.small()?;
    fields.bytes = decoder.number()?;
    fields.offset = decoder.number()?;
    fields.mtime = decoder.signed()?;
    if flags & HAS_DEVICE != 0 {
        fields.device = (decoder.small()?, decoder.small()?);
    }
    if flags & HAS_CONTENT != 0 {
        let content: ContentHash = decoder.fixed()?;
        fields.content = Some(content);
    }
    if flags & HAS_XATTRS != 0 {
        let mut xattrs = Vec::new();
        for _ in 0..decoder.number()? {
            let (name, value) = (decoder.text()?.into(), decoder.text()?.into());
            xattrs.push(Xattr { name, value });
        }
        fields.xattrs = pool.share(&xattrs.into());
    }
    if flags & HAS_SEGMENTS != 0 {
        let mut segments = Vec::new();
        for _ in 0..decoder.number()? {
            segments.push(Segment { file_offset: decoder.number()?, length: decoder.number()? });
        }
        fields.sparse = Some(segments);
    }
    Some(fields)
}

fn kind_of(number: u8) -> Option<Kind> {
    const ALL: [Kind; 9] = [
        Kind::File,
        Kind::Directory,
        Kind::Symlink,
        Kind::HardLink,
        Kind::CharacterDevice,
        Kind::BlockDevice,
        Kind::Fifo,
        Kind::Whiteout,
        Kind::OpaqueMark,
    ];
    ALL.into_iter().find(|kind| *kind as u8 == number)
}
