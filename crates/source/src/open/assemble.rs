use std::path::Path;

use super::captured;
use super::comparison::StoredComparison;
use super::contents::{LayerStore, read_in};
use super::nix::closure;
use super::verify;
use super::{Contents, OpenError, Opened, Opening, Verify, links};
use crate::formats::{DescribedLayer, Layout, RootfsWalk};
use nixdive_image::{
    Compression, Defect, DefectKind, Digest, DigestCheck, FileTree, Image, Kind, Layer, LayerContents, LayerIndex,
    Measured, TreeBuilder, TreeLimit, Warning, compute_history,
};
use nixdive_nix::LayerClaim;
use nixdive_nix::contents::StoreContents;
use nixdive_scan::tar::{BLOCK, TarError};
use nixdive_scan::{Captured, LayerScan, Section};

/// Length of a layer's stored blob.
pub(super) enum Stored {
    Exactly(u64),
    Share(u64),
    Unknown,
}

/// One layer after it was read.
pub(super) struct ReadLayer {
    pub scan: LayerScan,
    pub stored: Stored,
    pub store: LayerStore,
    /// Name of its format, if it is known and not a tar stream.
    pub format: Option<&'static str>,
    /// The stored blob, if it can be read again.
    pub blob: Option<Section>,
    /// True if the provider of the blob has verified its digest.
    pub is_verified: bool,
    /// Limit that kept entries out of the tree.
    pub limit: Option<TreeLimit>,
}

impl ReadLayer {
    /// Returns a layer that is not read, because of its format or its description.
    pub fn unread(format: Option<&'static str>) -> Self {
        Self {
            scan: LayerScan::default(),
            stored: Stored::Unknown,
            store: LayerStore::Gone,
            blob: None,
            is_verified: false,
            limit: None,
            format,
        }
    }
}

/// Message for the blob of a layer in an unknown format.
pub(super) const NOT_A_TAR_STREAM: &str = "not a tar stream, nor one compressed with gzip, zstd, xz or bzip2";

/// Builds an image from its description and the layers that were read.
pub(super) fn finish(
    opening: &Opening<'_>,
    layout: Layout,
    mut tree: TreeBuilder,
    mut read: Vec<ReadLayer>,
    source_bytes: Option<u64>,
) -> Result<Opened, OpenError> {
    let mut problems = Problems { warnings: layout.warnings, defects: layout.defects };
    let mut layers = Vec::with_capacity(read.len());
    let mut stores = Vec::with_capacity(read.len());
    let mut blobs = Vec::with_capacity(read.len());
    let mut captured = Vec::new();
    let mut mounts = closure::mount(opening, &layout.layers, &mut read, &mut tree)?;
    problems.warnings.extend(mounts.note().map(|message| Warning { layer: None, message }));
    let mut watched = Vec::with_capacity(read.len());
    let has_readable = read.iter().any(|layer| layer.format.is_none());
    for (number, (mut described, mut read)) in layout.layers.into_iter().zip(read).enumerate() {
        let unreadable = read.format.filter(|_| has_readable).map(str::to_owned);
        if let Some(format) = unreadable {
            described.contents = LayerContents::Unreadable(format);
            read.scan.failure = None;
        } else if read.scan.entries == 0
            && let Some(reason) = read
                .format
                .map(|format| format!("not a tar stream: {format}"))
                .or_else(|| read.scan.failure.as_ref().filter(|failure| !is_cut(failure)).map(unreadable_reason))
        {
            return Err(OpenError::Layer {
                reference: opening.reference.text.clone(),
                number,
                name: described.name,
                reason,
            });
        }
        let wanted = std::mem::take(&mut read.scan.captured);
        captured.extend(wanted.into_iter().map(|file| (LayerIndex(number as u16), file)));
        let mut layer = layer(number, described, &read, &mut problems);
        if let Some(contents) = mounts.contents.get_mut(number).and_then(Option::take) {
            layer.contents = contents;
        }
        problems.note_absent(number, &layer);
        layers.push(layer);
        watched.push(read.scan.watched);
        stores.push(read.store);
        blobs.push(read.blob);
    }
    let tree = tree.finish();
    name_by_store_paths(&mut layers, &tree);
    let contents = Contents::new(stores, blobs, watched);
    if let Some(wanted) = opening.options.wanted {
        captured = captured::settle(&tree, &contents, wanted, captured, &mut problems.warnings);
    }
    problems.warnings.extend(links::warnings(&tree));
    let (tree, exact) = with_history(tree, &contents, opening.options.comparison_bytes, &mut problems.warnings);
    opening.cancel().check().map_err(|_| OpenError::Cancelled)?;
    let (identity, config) = (layout.identity, layout.config);
    let Problems { warnings, defects } = problems;
    let mut image = Image { identity, config, layers, tree, warnings, defects, source_bytes };
    if opening.options.verify == Verify::All {
        verify::complete(&mut image, &contents, opening.options.threads, opening.cancel())
            .map_err(|_| OpenError::Cancelled)?;
    }
    Ok(Opened { image, contents, captured, exact })
}

/// Lists the store paths of layers whose history does not describe them: those of nix-snapshotter, whose annotations
/// list them, and copied layers of nix2container.
fn name_by_store_paths(layers: &mut [Layer], tree: &FileTree) {
    for layer in layers.iter_mut().filter(|layer| layer.store_paths.is_empty()) {
        if let Some(claim) = LayerClaim::annotated(&layer.annotations) {
            layer.store_paths = claim.paths.iter().map(ToString::to_string).collect();
        }
    }
    let is_unnamed = |layer: &Layer| {
        let says_nothing = match layer.created_by.as_deref() {
            None => layer.comment.is_none(),
            Some(command) => command == "nix2container",
        };
        layer.store_paths.is_empty() && says_nothing
    };
    if !layers.iter().any(is_unnamed) {
        return;
    }
    let unnamed: Vec<bool> = layers.iter().map(is_unnamed).collect();
    for (layer, share) in StoreContents::shares(tree) {
        let index = layer.index();
        if let (Some(true), Some(layer)) = (unnamed.get(index), layers.get_mut(index)) {
            layer.store_paths.push(share.to_string());
        }
    }
}

/// Warnings about an image, and its missing or altered parts.
struct Problems {
    warnings: Vec<Warning>,
    defects: Vec<Defect>,
}

impl Problems {
    fn defect(&mut self, kind: DefectKind, number: usize, message: String) {
        let layer = Some(LayerIndex(number as u16));
        self.warnings.push(Warning { layer, message: message.clone() });
        self.defects.push(Defect { kind, layer, message });
    }

    /// Records a layer whose files are missing, unless its source has recorded it already.
    fn note_absent(&mut self, number: usize, layer: &Layer) {
        let index = Some(LayerIndex(number as u16));
        let LayerContents::Absent(paths) = &layer.contents else { return };
        if self.defects.iter().any(|defect| defect.layer == index) {
            return;
        }
        let name = nixdive_base::text::display_in_sentence(&layer.stored_as);
        let what = match paths.len() {
            0 => "its files are not available".to_owned(),
            1 => "one of its store paths is not available".to_owned(),
            count => format!("{count} of its store paths are not available"),
        };
        // The source has warned about all layers together.
        let message = format!("layer {number} ({name}): {what}");
        self.defects.push(Defect { kind: DefectKind::Incomplete, layer: index, message });
    }
}

/// Returns `true` if a layer is truncated, damaged or beyond a limit, but not in another format.
fn is_cut(failure: &TarError) -> bool {
    match failure {
        TarError::NotAHeader(_) => false,
        TarError::Source { error, .. } => {
            matches!(error.kind(), std::io::ErrorKind::InvalidData | std::io::ErrorKind::UnexpectedEof)
        }
        _ => true,
    }
}

fn with_history(
    mut tree: FileTree,
    contents: &Contents,
    bytes: Option<u64>,
    warnings: &mut Vec<Warning>,
) -> (FileTree, bool) {
    let mut comparison = StoredComparison::new(contents, bytes);
    compute_history(&mut tree, &mut comparison);
    let exact = comparison.is_exact();
    if let Some(failure) = comparison.failure() {
        warnings.push(Warning { layer: None, message: failure });
    }
    (tree, exact)
}

fn unreadable_reason(failure: &TarError) -> String {
    match failure {
        TarError::NotAHeader(0) => NOT_A_TAR_STREAM.to_owned(),
        TarError::Source { error, .. } if error.kind() != std::io::ErrorKind::Other => {
            format!("cannot be read: {failure}")
        }
        other => other.to_string(),
    }
}

fn layer(number: usize, described: DescribedLayer, read: &ReadLayer, problems: &mut Problems) -> Layer {
    let scan = &read.scan;
    let name = nixdive_base::text::display_in_sentence(&described.name);
    for oddity in &scan.oddities {
        let layer = Some(LayerIndex(number as u16));
        problems.warnings.push(Warning { layer, message: format!("layer {number} ({name}): {oddity}") });
    }
    let mut defect = |kind: DefectKind, message: String| {
        problems.defect(kind, number, format!("layer {number} ({name}): {message}"));
    };
    let is_present = described.contents == LayerContents::Present;
    if let LayerContents::Unreadable(reason) = &described.contents {
        defect(DefectKind::Incomplete, format!("not read: {reason}"));
    }
    if let Some(failure) = scan.failure.as_ref().filter(|_| is_present) {
        defect(DefectKind::Incomplete, format!("{failure}; the {} entries before that are shown", scan.entries));
    }
    if let Some(limit) = read.limit {
        defect(DefectKind::Incomplete, format!("{limit}; the rest is not shown"));
    }
    // Placeholders of absent store paths do not have the bytes that the source describes.
    let is_whole = scan.failure.is_none() && is_present;
    let actual = scan.diff_id_like(described.diff_id.as_ref()).filter(|_| is_whole);
    let diff_id_check = check(described.diff_id.as_ref(), actual.as_ref());
    if let (DigestCheck::Differs { actual }, Some(stated)) = (&diff_id_check, &described.diff_id) {
        defect(DefectKind::Altered, other_diff_id(stated, actual));
    }
    let blob = scan.blob_digest_like(described.digest.as_ref()).filter(|_| is_whole);
    let digest_check = match check(described.digest.as_ref(), blob.as_ref()) {
        DigestCheck::NotChecked if read.is_verified && is_whole && scan.blob_digest.is_some() => DigestCheck::Matches,
        checked => checked,
    };
    if let (DigestCheck::Differs { actual }, Some(stated)) = (&digest_check, &described.digest) {
        defect(DefectKind::Altered, other_digest(stated, actual));
    }
    let stored_bytes = match read.stored {
        _ if described.contents != LayerContents::Present => described.stored_bytes.map(Measured::Exact),
        Stored::Exactly(bytes) => Some(Measured::Exact(bytes)),
        Stored::Share(bytes) => Some(Measured::Share(bytes)),
        Stored::Unknown => None,
    };
    if let (Some(stated), Some(Measured::Exact(actual))) = (described.stored_bytes, stored_bytes)
        && stated != actual
        && is_present
    {
        defect(DefectKind::Altered, format!("the manifest gives {stated} bytes, the blob has {actual}"));
    }
    let plain = scan.compression == Compression::None;
    let unpacked_bytes = match (&described.contents, described.stored_bytes) {
        (LayerContents::Present, _) => scan.unpacked_bytes,
        (LayerContents::Absent(_), Some(stored))
            if described.media_type.as_ref().is_some_and(|kind| kind.ends_with("tar")) =>
        {
            stored
        }
        _ => 0,
    };
    let diff_id = described.diff_id.clone().or(actual);
    let contents = match described.contents {
        LayerContents::Present if scan.failure.is_some() || read.limit.is_some() => LayerContents::Broken,
        contents => contents,
    };
    Layer {
        digest: described.digest.or(blob).or_else(|| diff_id.clone().filter(|_| plain)),
        diff_id,
        media_type: described.media_type.unwrap_or_else(|| docker_media_type(scan.compression).to_owned()),
        stored_as: described.name,
        compression: scan.compression,
        unpacked_bytes,
        compressed_bytes: stored_bytes,
        file_bytes: scan.file_bytes,
        entries: scan.entries,
        diff_id_check,
        digest_check,
        created_by: described.created_by,
        comment: described.comment,
        created: described.created,
        annotations: described.annotations,
        store_paths: described.store_paths,
        contents,
        listed: matches!(read.store, LayerStore::Listed(_)),
    }
}

/// Returns the message for a layer whose diffID differs from the configuration's.
pub(super) fn other_diff_id(stated: &Digest, actual: &Digest) -> String {
    format!("the configuration gives the diffID {stated}, the bytes have {actual}")
}

/// Returns the message for a blob whose digest differs from the manifest's.
pub(super) fn other_digest(stated: &Digest, actual: &Digest) -> String {
    format!("the manifest gives the digest {stated}, the blob has {actual}")
}

pub(super) fn check(stated: Option<&Digest>, actual: Option<&Digest>) -> DigestCheck {
    match (stated, actual) {
        (None, _) => DigestCheck::NotGiven,
        (Some(_), None) => DigestCheck::NotChecked,
        (Some(stated), Some(actual)) if stated.algorithm() != actual.algorithm() => DigestCheck::NotChecked,
        (Some(stated), Some(actual)) if stated == actual => DigestCheck::Matches,
        (Some(_), Some(actual)) => DigestCheck::Differs { actual: actual.clone() },
    }
}

/// Returns the media type of a layer in a docker-archive, which has no descriptor.
fn docker_media_type(compression: Compression) -> &'static str {
    match compression {
        Compression::None => "application/vnd.docker.image.rootfs.diff.tar",
        Compression::Gzip => "application/vnd.docker.image.rootfs.diff.tar.gzip",
        Compression::Zstd => "application/vnd.docker.image.rootfs.diff.tar.zstd",
        Compression::Xz => "application/vnd.docker.image.rootfs.diff.tar.xz",
        Compression::Bzip2 => "application/vnd.docker.image.rootfs.diff.tar.bzip2",
    }
}

/// Builds an image of one layer from an extracted root directory.
pub(super) fn rootfs(
    opening: &Opening<'_>,
    mut walk: RootfsWalk,
    layout: Layout,
    root: &Path,
) -> Result<Opened, OpenError> {
    let mut tree = opening.tree();
    let limit = |limit| OpenError::Limit { reference: opening.reference.text.clone(), limit };
    tree.begin_layer().map_err(limit)?;
    let mut scan = LayerScan::default();
    loop {
        let batch = walk.next_batch().map_err(|_| OpenError::Cancelled)?;
        if batch.is_empty() {
            break;
        }
        scan.entries += batch.entries().len() as u64;
        for entry in batch.entries() {
            let bytes = entry.fields.bytes;
            scan.file_bytes = scan.file_bytes.saturating_add(bytes);
            let blocks = bytes.div_ceil(BLOCK as u64).saturating_mul(BLOCK as u64);
            scan.unpacked_bytes = scan.unpacked_bytes.saturating_add(BLOCK as u64).saturating_add(blocks);
            let path = batch.names(entry).0;
            if let Some(wanted) = opening.options.wanted
                && entry.fields.kind == Kind::File
                && entry.fields.bytes <= wanted.most_bytes
                && (wanted.is_wanted)(path)
                && let Ok(content) = read_in(root, path, wanted.most_bytes)
            {
                scan.captured.push(Captured { path: path.to_vec(), offset: entry.fields.offset, content });
            }
        }
        tree.add(&batch).map_err(limit)?;
    }
    // Without a tar stream, the size is that of the simplest one with these entries, which ends with two blocks of
    // zeros.
    scan.unpacked_bytes = scan.unpacked_bytes.saturating_add(2 * BLOCK as u64);
    scan.oddities = walk.unreadable;
    let store = LayerStore::Directory(root.to_owned());
    let read =
        ReadLayer { scan, stored: Stored::Unknown, store, blob: None, is_verified: false, limit: None, format: None };
    finish(opening, layout, tree, vec![read], None)
}
