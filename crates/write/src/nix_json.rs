//! nix2container's `image.json`: layers as lists of store paths, which it packs when it copies the image. A layer whose
//! store paths are absent from this machine or were modified is a tar file next to it.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Value, json};

use super::layer::PlannedLayer;
use super::made_of::is_of_this_store;
use super::place::{NewFile, new_directory};
use super::{FinishedImage, Job, TarForm, WriteError, documents};
use nixdive_base::beneath::TemporaryDirectory;
use nixdive_image::Digest;

/// Layers written to separate files.
pub(super) struct LayerFiles {
    /// Final directory of the files.
    directory: PathBuf,
    /// Temporary directory, created with the first file.
    scratch: TemporaryDirectory,
    /// True for each layer that store paths describe completely.
    by_store_paths: Vec<bool>,
    written: Mutex<Vec<(PathBuf, PathBuf, u64)>>,
}

impl LayerFiles {
    /// Creates the layer files of an `image.json` that will be written to `file`.
    pub fn beside(file: &Path, job: &Job<'_>) -> Result<Self, WriteError> {
        let mut name = file.file_name().unwrap_or_default().to_owned();
        name.push(".layers");
        let directory = super::place::directory_of(file);
        let directory = fs::canonicalize(directory).map_err(|error| WriteError::write(file, error))?.join(name);
        let can_be_made = job.options.form == TarForm::Nix2container && job.options.created.is_none();
        let by_store_paths = job.layers.iter().map(|layer| can_be_made && is_of_this_store(layer)).collect();
        let scratch = new_directory(&directory)?;
        Ok(Self { directory, scratch, by_store_paths, written: Mutex::default() })
    }

    /// Opens a file for a layer; `None` if its store paths are sufficient.
    pub fn begin(&self, place: usize, layer: &PlannedLayer<'_>) -> Result<Option<LayerFile<'_>>, WriteError> {
        if self.by_store_paths.get(place).copied().unwrap_or_default() {
            return Ok(None);
        }
        let path = self.scratch.path().join(format!("layer-{place}"));
        let file = fs::File::options().write(true).create_new(true).open(&path);
        let file = file.map_err(|error| WriteError::write(&path, error))?;
        Ok(Some(LayerFile { files: self, path, file, unpacked_bytes: layer.unpacked_bytes }))
    }

    fn path_of(&self, diff_id: &Digest) -> PathBuf {
        self.directory.join(format!("{}.tar", diff_id.hex()))
    }

    /// Serializes the document. Its bytes depend on its location, as nix2container requires absolute paths of layers.
    pub fn document(&self, job: &Job<'_>, image: &FinishedImage) -> Vec<u8> {
        let config = &job.composition.config;
        let layers: Vec<Value> = job
            .layers
            .iter()
            .zip(&image.diff_ids)
            .zip(&self.by_store_paths)
            .map(|((layer, diff_id), by_store_paths)| self.layer(layer, diff_id, *by_store_paths))
            .collect();
        let mut document = Map::new();
        document.insert("version".into(), 1.into());
        document.insert("image-config".into(), documents::execution(config).into());
        document.insert("layers".into(), layers.into());
        document.insert("arch".into(), config.platform.architecture.as_str().into());
        document.insert("created".into(), documents::created(job.options).into());
        serde_json::to_vec_pretty(&document).unwrap_or_default()
    }

    fn layer(&self, layer: &PlannedLayer<'_>, diff_id: &Digest, by_store_paths: bool) -> Value {
        let mut document = Map::new();
        document.insert("digest".into(), diff_id.as_str().into());
        document.insert("size".into(), layer.unpacked_bytes.into());
        document.insert("diff_ids".into(), diff_id.as_str().into());
        if !layer.store_paths.is_empty() {
            let paths: Vec<Value> = layer.store_paths.iter().map(|path| json!({"path": path.to_string()})).collect();
            document.insert("paths".into(), paths.into());
        }
        document.insert("mediatype".into(), "application/vnd.oci.image.layer.v1.tar".into());
        if !by_store_paths {
            let path = self.path_of(diff_id);
            document.insert("layer-path".into(), path.to_string_lossy().into());
        }
        document.insert("History".into(), json!({"created_by": "nix2container"}));
        document.into()
    }

    /// Moves the files into place and returns their total size in bytes.
    pub fn publish(self) -> Result<u64, WriteError> {
        let written = self.written.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut sum = 0u64;
        if !written.is_empty() {
            fs::create_dir_all(&self.directory).map_err(|error| WriteError::write(&self.directory, error))?;
        }
        for (from, to, bytes) in written {
            fs::rename(from, &to).map_err(|error| WriteError::write(&to, error))?;
            sum = sum.saturating_add(bytes);
        }
        Ok(sum)
    }
}

/// Layer that is being written to a file.
pub(super) struct LayerFile<'a> {
    files: &'a LayerFiles,
    path: PathBuf,
    file: fs::File,
    unpacked_bytes: u64,
}

impl LayerFile<'_> {
    pub fn put(&self, position: u64, piece: &[u8]) -> Result<(), WriteError> {
        self.file.write_all_at(piece, position).map_err(|error| WriteError::write(&self.path, error))
    }

    pub fn finish(self, diff_id: &Digest) -> Result<(), WriteError> {
        let place = self.files.path_of(diff_id);
        let mut written = self.files.written.lock().unwrap_or_else(PoisonError::into_inner);
        written.push((self.path, place, self.unpacked_bytes));
        Ok(())
    }
}

/// Writes the document to its file.
pub(super) fn write_document(new: &NewFile, document: &[u8]) -> Result<(), WriteError> {
    new.file().write_all_at(document, 0).map_err(|error| WriteError::write(new.place(), error))
}
