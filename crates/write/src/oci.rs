//! OCI layouts as directories and in tar files: OCI image specification, "Image Layout".

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};

use hashbrown::HashMap;
use serde_json::{Map, Value, json};

use super::docker_archive::{add_member, member_header, zeros};
use super::documents::{
    ANNOTATION_DIFF_ID, ANNOTATION_MADE_OF, ANNOTATION_NAME, ANNOTATION_WRITER, Blob, index_entry, manifest,
};
use super::layout::{SharedLayout, blobs_of, has_blob};
use super::pass::{KnownLayer, PassedLayer};
use super::place::{NewFile, metadata_at, new_directory};
use super::{FinishedImage, Job, WriteError, digest_of};
use nixdive_base::beneath::{Directory, TemporaryDirectory};
use nixdive_image::{Compression, Digest};
use nixdive_source::store::TAR_BLOCK;

const LAYOUT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;
/// Maximum length of an index or a manifest, bytes.
const MAX_DOCUMENT_BYTES: u64 = 16 << 20;
/// Maximum number of images of a layout to search for reusable layers.
const MAX_IMAGES: usize = 100;

/// Documents of an image in an OCI layout.
pub(super) struct OciImage {
    pub blobs: Vec<(Blob, Option<PathBuf>)>,
    manifest: Vec<u8>,
    pub manifest_digest: Digest,
}

impl OciImage {
    pub fn new(image: &FinishedImage, passed: &[PassedLayer]) -> Self {
        let blobs: Vec<(Blob, Option<PathBuf>)> = passed.iter().filter_map(|layer| layer.blob.clone()).collect();
        let described: Vec<Blob> = blobs.iter().map(|(blob, _)| blob.clone()).collect();
        let config = (&image.config_digest, image.config.len());
        let manifest = manifest(config, &described);
        let manifest_digest = digest_of(&manifest);
        Self { blobs, manifest, manifest_digest }
    }

    fn index_entry(&self, job: &Job<'_>, reference: Option<&str>) -> Value {
        let platform = &job.composition.config.platform;
        index_entry(&self.manifest_digest, self.manifest.len(), platform, reference)
    }
}

/// Layout directory that an image is added to.
pub(super) struct Layout {
    place: PathBuf,
    root: Directory,
    target: Target,
    /// Blobs that were added. They are removed if the image does not become part of the layout.
    added: Vec<PathBuf>,
    entry: Option<(Value, Option<String>)>,
    bytes: u64,
}

/// State of the layout.
enum Target {
    /// New layout, not yet published.
    New(TemporaryDirectory),
    /// Existing layout.
    There(SharedLayout),
    Published,
}

impl Layout {
    /// Opens the layout at `place`, or creates one if nothing or an empty directory is there.
    pub fn open(place: &Path) -> Result<Self, WriteError> {
        let failed = |error| WriteError::write(place, error);
        let (place, is_there) = match metadata_at(place)? {
            None => (place.to_owned(), false),
            Some(metadata) if !metadata.is_dir() => {
                let reason = "is not a directory and so not an OCI layout";
                return Err(WriteError::Exists { path: place.to_owned(), reason });
            }
            Some(_) => {
                let is_there = fs::read_dir(place).map_err(failed)?.next().is_some();
                (fs::canonicalize(place).map_err(failed)?, is_there)
            }
        };
        let (root, target) = if is_there {
            let shared = SharedLayout::open(&place)?;
            (shared.root().clone(), Target::There(shared))
        } else {
            let building = new_directory(&place)?;
            (Directory::open(building.path()).map_err(|error| WriteError::write(&place, error))?, Target::New(building))
        };
        blobs_of(&root, "sha256")?;
        Ok(Self { place, root, target, added: Vec::new(), entry: None, bytes: 0 })
    }

    fn blobs(&self) -> PathBuf {
        self.root.path().join("blobs").join("sha256")
    }

    fn images(&self) -> &[Value] {
        let Target::There(layout) = &self.target else { return &[] };
        layout.index().get("manifests").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
    }

    /// Returns the layers of images written by this program with this `compression`, by the digest of their inputs.
    pub fn known_layers(&self, compression: Compression) -> HashMap<Digest, KnownLayer> {
        let mut known = HashMap::new();
        let ours = self.images().iter().filter(|image| annotation(image, ANNOTATION_WRITER).is_some());
        for image in ours.rev().take(MAX_IMAGES) {
            let Some(digest) = digest(image.get("digest")) else { continue };
            let Some(manifest) = read_object(&self.blobs().join(digest.hex())) else { continue };
            let layers = manifest.get("layers").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            for layer in layers {
                if let Some((made_of, layer)) = self.known_layer(layer, compression) {
                    known.entry(made_of).or_insert(layer);
                }
            }
        }
        known
    }

    fn known_layer(&self, layer: &Value, compression: Compression) -> Option<(Digest, KnownLayer)> {
        let made_of = Digest::parse(annotation(layer, ANNOTATION_MADE_OF)?)?;
        let diff_id = Digest::parse(annotation(layer, ANNOTATION_DIFF_ID)?)?;
        let digest = digest(layer.get("digest"))?;
        let stored_bytes = layer.get("size")?.as_u64()?;
        let file = self.blobs().join(digest.hex());
        let is_whole = fs::metadata(&file).is_ok_and(|found| found.is_file() && found.len() == stored_bytes);
        let blob = Blob { digest, stored_bytes, compression, made_of: Some((made_of.clone(), diff_id.clone())) };
        is_whole.then_some((made_of, KnownLayer { diff_id, blob, file: Some(file) }))
    }

    /// Adds all blobs of an image and builds the index with it.
    pub fn add(
        &mut self,
        job: &Job<'_>,
        image: &FinishedImage,
        oci: &OciImage,
        reference: Option<&str>,
    ) -> Result<(), WriteError> {
        for (blob, file) in &oci.blobs {
            // Layers at other places are only listed.
            if let Some(file) = file {
                self.put_file(blob, file)?;
            }
        }
        self.put_bytes(&image.config_digest, &image.config)?;
        self.put_bytes(&oci.manifest_digest, &oci.manifest)?;
        self.entry = Some((oci.index_entry(job, reference), reference.map(str::to_owned)));
        Ok(())
    }

    /// Returns the index with the image added.
    fn with_entry(&self, mut index: Map<String, Value>) -> Result<Map<String, Value>, WriteError> {
        let Some((entry, reference)) = &self.entry else { return Ok(index) };
        if index.is_empty() {
            index.insert("schemaVersion".into(), 2.into());
            index.insert("manifests".into(), json!([]));
        }
        let Some(images) = index.get_mut("manifests").and_then(Value::as_array_mut) else {
            let reason = "is an OCI layout with an invalid index.json";
            return Err(WriteError::Exists { path: self.place.clone(), reason });
        };
        images.retain(|known| !is_replaced(known, entry, reference.as_deref()));
        images.push(entry.clone());
        Ok(index)
    }

    fn put_file(&mut self, blob: &Blob, from: &Path) -> Result<(), WriteError> {
        if has_blob(&self.root, &blob.digest, blob.stored_bytes) {
            return Ok(());
        }
        self.bytes = self.bytes.saturating_add(blob.stored_bytes);
        let (blobs, name) = (blobs_of(&self.root, "sha256")?, blob.digest.hex());
        let place = self.blobs().join(name);
        let failed = |error| WriteError::write(&place, error);
        let is_new = blobs.kind(name.as_ref()).map_err(failed)?.is_none();
        // A hard link if possible, else a copy.
        if !(is_new && linked(from, &blobs, name)) {
            let new = NewFile::within(&blobs, place.clone())?;
            let mut source = File::open(from).map_err(failed)?;
            io::copy(&mut source, &mut new.file()).map_err(failed)?;
            new.publish()?;
        }
        self.added.extend(is_new.then_some(place));
        Ok(())
    }

    fn put_bytes(&mut self, digest: &Digest, bytes: &[u8]) -> Result<(), WriteError> {
        if has_blob(&self.root, digest, bytes.len() as u64) {
            return Ok(());
        }
        self.bytes = self.bytes.saturating_add(bytes.len() as u64);
        let (blobs, name) = (blobs_of(&self.root, "sha256")?, digest.hex());
        let place = self.blobs().join(name);
        let is_new = blobs.kind(name.as_ref()).map_err(|error| WriteError::write(&place, error))?.is_none();
        let new = NewFile::within(&blobs, place.clone())?;
        new.file().write_all(bytes).map_err(|error| WriteError::write(&place, error))?;
        new.publish()?;
        self.added.extend(is_new.then_some(place));
        Ok(())
    }

    /// Makes the image part of the layout and returns the bytes written.
    pub fn publish(mut self) -> Result<u64, WriteError> {
        let index_bytes = match std::mem::replace(&mut self.target, Target::Published) {
            Target::There(shared) => {
                let changed = shared.change_index(&mut |index| self.with_entry(index));
                // Blobs that the index cannot name are removed.
                if changed.is_err() {
                    self.target = Target::There(shared);
                }
                changed?
            }
            Target::New(building) => {
                let index = Value::Object(self.with_entry(Map::new())?).to_string();
                publish_new(building, &self.place, index.as_bytes(), &mut |index| self.with_entry(index))?;
                index.len() as u64
            }
            Target::Published => 0,
        };
        self.added.clear();
        Ok(self.bytes.saturating_add(index_bytes))
    }
}

impl Drop for Layout {
    fn drop(&mut self) {
        if let Target::There(shared) = &mut self.target {
            shared.abandon(&self.added);
        }
    }
}

/// Moves a new layout into place. If another process was faster, the image is added to its layout.
pub fn publish_new(
    building: TemporaryDirectory,
    place: &Path,
    index: &[u8],
    change: &mut dyn FnMut(Map<String, Value>) -> Result<Map<String, Value>, WriteError>,
) -> Result<(), WriteError> {
    for (name, bytes) in [("oci-layout", LAYOUT), ("index.json", index)] {
        let path = building.path().join(name);
        fs::write(&path, bytes).map_err(|error| WriteError::write(&path, error))?;
    }
    let Err((error, building)) = building.publish(place) else { return Ok(()) };
    let is_taken = matches!(error.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists);
    if !is_taken {
        return Err(WriteError::write(place, error));
    }
    let there = SharedLayout::open(place)?;
    there.adopt(building.path())?;
    there.change_index(change).map(drop)
}

/// Creates a hard link to a file in a directory; returns `false` if that is not possible.
fn linked(from: &Path, directory: &Directory, name: &str) -> bool {
    let (Some(parent), Some(own)) = (from.parent(), from.file_name()) else { return false };
    Directory::open(parent).and_then(|parent| parent.hard_link(own, directory, name.as_ref())).is_ok()
}

/// Returns `true` if an image is replaced by a new one: an image of the same name or, without a name, the unnamed image
/// that this program wrote for the same platform. Equal manifests are listed once.
fn is_replaced(known: &Value, new: &Value, reference: Option<&str>) -> bool {
    let name = annotation(known, ANNOTATION_NAME);
    let is_same = name == reference && known.get("digest") == new.get("digest");
    let is_ours = annotation(known, ANNOTATION_WRITER).is_some() && known.get("platform") == new.get("platform");
    is_same || (name == reference && (reference.is_some() || is_ours))
}

fn annotation<'a>(described: &'a Value, key: &str) -> Option<&'a str> {
    described.get("annotations")?.get(key)?.as_str()
}

fn digest(value: Option<&Value>) -> Option<Digest> {
    Digest::parse(value?.as_str()?).filter(|digest| digest.algorithm() == "sha256")
}

fn read_object(file: &Path) -> Option<Map<String, Value>> {
    let mut bytes = Vec::new();
    File::open(file).ok()?.take(MAX_DOCUMENT_BYTES + 1).read_to_end(&mut bytes).ok()?;
    if bytes.len() as u64 > MAX_DOCUMENT_BYTES {
        return None;
    }
    match serde_json::from_slice(&bytes) {
        Ok(Value::Object(object)) => Some(object),
        _ => None,
    }
}

/// Writes an OCI layout with one image as a tar file and returns its length in bytes.
pub(super) fn write_archive(
    new: &NewFile,
    job: &Job<'_>,
    image: &FinishedImage,
    oci: &OciImage,
    reference: Option<&str>,
) -> Result<u64, WriteError> {
    let failed = |error| WriteError::write(new.place(), error);
    let entry = oci.index_entry(job, reference);
    let index = json!({"schemaVersion": 2, "manifests": [entry]}).to_string();
    let mut head = Vec::new();
    add_member(&mut head, "oci-layout", LAYOUT);
    add_member(&mut head, "index.json", index.as_bytes());
    head.extend(member_header(b"blobs/", 0));
    head.extend(member_header(b"blobs/sha256/", 0));
    add_member(&mut head, &blob_name(&oci.manifest_digest), &oci.manifest);
    add_member(&mut head, &blob_name(&image.config_digest), &image.config);
    let mut out = new.file();
    out.write_all(&head).map_err(failed)?;
    let mut names: Vec<&Digest> = Vec::new();
    for (blob, file) in &oci.blobs {
        if names.contains(&&blob.digest) {
            continue;
        }
        names.push(&blob.digest);
        let elsewhere = || failed(io::Error::other("one of its layers is stored elsewhere"));
        let file = file.as_ref().ok_or_else(elsewhere)?;
        out.write_all(&member_header(blob_name(&blob.digest).as_bytes(), blob.stored_bytes)).map_err(failed)?;
        // With two files, the system may copy without passing the bytes through this program.
        let copied = io::copy(&mut File::open(file).map_err(failed)?, &mut out).map_err(failed)?;
        if copied != blob.stored_bytes {
            return Err(failed(io::Error::other("a layer has changed while it was copied")));
        }
        out.write_all(&zeros(copied.next_multiple_of(TAR_BLOCK as u64) - copied)).map_err(failed)?;
    }
    out.write_all(&[0; 2 * TAR_BLOCK]).map_err(failed)?;
    out.stream_position().map_err(failed)
}

fn blob_name(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

/// Returns a buffered writer for a new file.
pub(super) fn buffered(new: &NewFile) -> BufWriter<&File> {
    BufWriter::with_capacity(256 << 10, new.file())
}
