//! Writes directories and OCI archives: an OCI layout, as a directory or in a tar file, and skopeo's `dir:`.
//!
//! A new directory is built next to its destination and then renamed. For an existing layout, blobs are added first and
//! the index is replaced last.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use serde_json::{Map, Value, json};

use super::copy::{Arrival, CopyOptions, Sink};
use super::store::{Entry, Store, put_file};
use super::{KnownBlobs, Shipment, TransferError, TransferProgress};
use nixdive_base::beneath::{Directory, TemporaryDirectory};
use nixdive_source::formats::Naming;
use nixdive_source::store::TAR_BLOCK;
use nixdive_write::{
    ANNOTATION_NAME, NewFile, SharedLayout, WriteError, blobs_of, member_header, new_directory, publish_new,
};

/// Contents of the file `version` in skopeo's directories.
const VERSION: &[u8] = b"Directory Transport Version: 1.1\n";

/// Writes to `oci:` destinations.
pub(super) struct LayoutSink<'a> {
    pub directory: &'a Path,
    pub reference: Option<&'a str>,
}

/// Writes to `oci-archive:` destinations.
pub(super) struct OciArchiveSink<'a> {
    pub file: &'a Path,
    pub reference: Option<&'a str>,
}

/// Writes to `dir:` destinations.
pub(super) struct DirectorySink<'a> {
    pub path: &'a Path,
}

impl Sink for LayoutSink<'_> {
    fn deliver(
        &self,
        shipment: &Shipment,
        options: &CopyOptions,
        progress: &TransferProgress,
    ) -> Result<Arrival, TransferError> {
        let is_there = fs::read_dir(self.directory).ok().and_then(|mut entries| entries.next()).is_some();
        if is_there { self.add(shipment, options, progress) } else { self.make(shipment, options, progress) }
    }
}

impl LayoutSink<'_> {
    /// Adds the image to an existing layout.
    fn add(
        &self,
        shipment: &Shipment,
        options: &CopyOptions,
        progress: &TransferProgress,
    ) -> Result<Arrival, TransferError> {
        let mut shared = SharedLayout::open(self.directory)?;
        let root = shared.root().clone();
        let mut store = Store { root, naming: Naming::Layout, added: Vec::new(), options, progress };
        let known = store.known(shared.index());
        let added = store.fill(shipment, &known).and_then(|(arrival, entry)| {
            shared.change_index(&mut |index| Ok(self.with_entries(index, &entry, options)))?;
            Ok(arrival)
        });
        if added.is_err() {
            shared.abandon(&store.added);
        }
        added
    }

    /// Creates a new layout.
    fn make(
        &self,
        shipment: &Shipment,
        options: &CopyOptions,
        progress: &TransferProgress,
    ) -> Result<Arrival, TransferError> {
        let building = new_directory(self.directory)?;
        let root = opened(&building)?;
        blobs_of(&root, "sha256")?;
        let mut store = Store { root, naming: Naming::Layout, added: Vec::new(), options, progress };
        let (arrival, entry) = store.fill(shipment, &KnownBlobs::default())?;
        let index = Value::Object(self.with_entries(Map::new(), &entry, options)).to_string();
        let mut change = |index| Ok(self.with_entries(index, &entry, options));
        publish_new(building, self.directory, index.as_bytes(), &mut change)?;
        Ok(arrival)
    }

    /// Returns the index with the image added under all of its names.
    fn with_entries(&self, mut index: Map<String, Value>, entry: &Entry, options: &CopyOptions) -> Map<String, Value> {
        let more = options.more_names.iter().map(|name| Some(name.as_str()));
        for name in std::iter::once(self.reference).chain(more) {
            index = with_entry(index, entry, name);
        }
        index
    }
}

fn opened(building: &TemporaryDirectory) -> Result<Directory, TransferError> {
    let failed = |error| WriteError::Write { path: building.path().to_owned(), error };
    Ok(Directory::open(building.path()).map_err(failed)?)
}

impl Sink for OciArchiveSink<'_> {
    fn deliver(
        &self,
        shipment: &Shipment,
        options: &CopyOptions,
        progress: &TransferProgress,
    ) -> Result<Arrival, TransferError> {
        let scratch = new_directory(self.file)?;
        let sink = LayoutSink { directory: &scratch.path().join("layout"), reference: self.reference };
        let arrival = sink.deliver(shipment, options, progress)?;
        let new = NewFile::beside(self.file)?;
        write_tar(&new, sink.directory, progress)?;
        new.publish()?;
        Ok(arrival)
    }
}

impl Sink for DirectorySink<'_> {
    fn deliver(
        &self,
        shipment: &Shipment,
        options: &CopyOptions,
        progress: &TransferProgress,
    ) -> Result<Arrival, TransferError> {
        let is_one = fs::read(self.path.join("version")).is_ok_and(|text| text.starts_with(b"Directory Transport"));
        let is_empty = fs::read_dir(self.path).map_or(true, |mut entries| entries.next().is_none());
        if self.path.exists() && !is_one && !is_empty {
            let reason = "is a directory with other contents, not one written by skopeo";
            return Err(WriteError::Exists { path: self.path.to_owned(), reason }.into());
        }
        let building = new_directory(self.path)?;
        let root = opened(&building)?;
        let naming = Naming::Directory;
        let mut store = Store { root: root.clone(), naming, added: Vec::new(), options, progress };
        let (arrival, entry) = store.fill(shipment, &KnownBlobs::default())?;
        put_file(&root, &root.path().join("manifest.json"), &entry.document.bytes)?;
        put_file(&root, &root.path().join("version"), VERSION)?;
        // A directory cannot replace another one atomically.
        let old = if is_one { Some(set_aside(self.path)?) } else { None };
        publish(building, self.path)?;
        drop(old);
        Ok(arrival)
    }
}

/// Moves a directory out of the way so that it can be removed.
fn set_aside(path: &Path) -> Result<TemporaryDirectory, TransferError> {
    let aside = new_directory(path)?;
    let failed = |error| WriteError::Write { path: path.to_owned(), error };
    fs::rename(path, aside.path().join("old")).map_err(failed)?;
    Ok(aside)
}

fn publish(building: TemporaryDirectory, place: &Path) -> Result<(), TransferError> {
    let failed = |(error, _)| WriteError::Write { path: place.to_owned(), error };
    Ok(building.publish(place).map_err(failed)?)
}

/// Returns the index of a layout with one more image, which replaces an image of the same name.
fn with_entry(mut index: Map<String, Value>, entry: &Entry, reference: Option<&str>) -> Map<String, Value> {
    if index.is_empty() {
        index.insert("schemaVersion".into(), 2.into());
        index.insert("manifests".into(), json!([]));
    }
    let document = &entry.document;
    let mut described = Map::new();
    described.insert("mediaType".into(), document.media_type.as_str().into());
    described.insert("digest".into(), document.digest.as_str().into());
    described.insert("size".into(), document.bytes.len().into());
    if let Some(reference) = reference {
        described.insert("annotations".into(), json!({ANNOTATION_NAME: reference}));
    }
    if let Some(platform) = entry.platform.as_ref().filter(|platform| !platform.os.is_empty()) {
        let mut known = json!({"architecture": platform.architecture, "os": platform.os});
        if let (Some(variant), Some(known)) = (&platform.variant, known.as_object_mut()) {
            known.insert("variant".into(), variant.as_str().into());
        }
        described.insert("platform".into(), known);
    }
    if let Some(images) = index.get_mut("manifests").and_then(Value::as_array_mut) {
        let name = |one: &Value| one.pointer("/annotations").and_then(|all| all.get(ANNOTATION_NAME)).cloned();
        let new = Value::Object(described);
        images.retain(|known| {
            let same_name = name(known) == name(&new);
            !(same_name && (reference.is_some() || known.get("digest") == new.get("digest")))
        });
        images.push(new);
    }
    index
}

/// Writes a layout as a tar file: identifying files first, then the blobs by name.
fn write_tar(new: &NewFile, layout: &Path, progress: &TransferProgress) -> Result<(), TransferError> {
    let failed = |error| TransferError::from(WriteError::Write { path: new.place().to_owned(), error });
    let mut out = new.file();
    let mut names = vec!["oci-layout".to_owned(), "index.json".to_owned(), "blobs/".to_owned()];
    for algorithm in ["sha256", "sha512"] {
        let Ok(entries) = fs::read_dir(layout.join("blobs").join(algorithm)) else { continue };
        names.push(format!("blobs/{algorithm}/"));
        let mut blobs: Vec<String> = entries
            .flatten()
            .map(|entry| format!("blobs/{algorithm}/{}", entry.file_name().to_string_lossy()))
            .collect();
        blobs.sort();
        names.extend(blobs);
    }
    for name in names {
        progress.cancel().check().map_err(|_| TransferError::Cancelled)?;
        if name.ends_with('/') {
            out.write_all(&member_header(name.as_bytes(), 0)).map_err(failed)?;
            continue;
        }
        let mut file = File::open(layout.join(&name)).map_err(failed)?;
        let bytes = file.metadata().map_err(failed)?.len();
        out.write_all(&member_header(name.as_bytes(), bytes)).map_err(failed)?;
        let copied = io::copy(&mut file, &mut out).map_err(failed)?;
        let padding = copied.next_multiple_of(TAR_BLOCK as u64) - copied;
        out.write_all(&vec![0; usize::try_from(padding).unwrap_or_default()]).map_err(failed)?;
    }
    out.write_all(&[0; 2 * TAR_BLOCK]).map_err(failed)
}
