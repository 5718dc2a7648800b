//! Images of containerd as stored on disk: blobs by digest, and names in a database. The socket is not used, since it
//! requires the same rights.

pub(crate) mod bolt;
#[cfg(test)]
#[path = "tests.rs"]
mod tests;

use std::fs;
use std::io;
use std::path::PathBuf;

pub use bolt::BoltError;
use bolt::{Bolt, Bucket, Item};

use super::{EngineEnvironment, EngineError};
use nixdive_image::Digest;
use nixdive_image::reference::{Engine, ImageName};

/// Directory of blobs, below containerd's directory.
const CONTENT: &str = "io.containerd.content.v1.content";
/// Database of names.
const METADATA: &str = "io.containerd.metadata.v1.bolt/meta.db";
/// The only version of the database: containerd, `core/metadata/buckets.go`.
const SCHEMA: &[u8] = b"v1";
/// Default namespace of `ctr` and `nerdctl`.
const DEFAULT_NAMESPACE: &str = "default";

/// The content of one containerd directory.
#[derive(Debug, Clone)]
pub struct ContentStore {
    root: PathBuf,
    namespace: Option<String>,
}

/// An image name in containerd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerdImage {
    /// Namespace: `default`, `k8s.io` for Kubernetes, `moby` for Docker.
    pub namespace: String,
    /// Full name: host, path, and tag or digest.
    pub name: String,
    /// Digest of its manifest or index.
    pub digest: Digest,
}

impl ContentStore {
    /// Returns the readable stores on this machine, those of the system first.
    ///
    /// # Errors
    /// [`EngineError::NotThere`] if there is none, [`EngineError::NotReadable`] if none may be read.
    pub fn find(environment: &EngineEnvironment) -> Result<Vec<Self>, EngineError> {
        let places = places(environment);
        let mut found = Vec::new();
        let mut closed = None;
        for root in &places {
            match fs::read_dir(root.join(CONTENT).join("blobs")) {
                Ok(_) => found.push(Self { root: root.clone(), namespace: environment.containerd_namespace.clone() }),
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => closed = Some(root.clone()),
                Err(_) => {}
            }
        }
        match (found.is_empty(), closed) {
            (false, _) => Ok(found),
            (true, Some(path)) => Err(EngineError::NotReadable { path }),
            (true, None) => Err(EngineError::NotThere { engine: Engine::Containerd, tried: places }),
        }
    }

    /// Returns the first store that has an image, and the digest of its manifest or index.
    ///
    /// # Errors
    /// [`EngineError`] if no store has the image, or none can be read.
    pub fn find_image(environment: &EngineEnvironment, typed: &str) -> Result<(Self, Digest), EngineError> {
        let mut missing = EngineError::NoSuchImage { engine: Engine::Containerd, image: typed.to_owned() };
        for store in Self::find(environment)? {
            match store.resolve(typed) {
                Ok(digest) => return Ok((store, digest)),
                Err(error @ EngineError::NoSuchImage { .. }) => missing = error,
                Err(error) => return Err(error),
            }
        }
        Err(missing)
    }

    /// Returns the directory that contains `blobs/ALGORITHM/HEX`.
    #[must_use]
    pub fn content(&self) -> PathBuf {
        self.root.join(CONTENT)
    }

    /// Returns the names in all namespaces, or in `$CONTAINERD_NAMESPACE` alone; those of `default` first.
    ///
    /// # Errors
    /// [`EngineError::Database`] if the database cannot be read.
    pub fn images(&self) -> Result<Vec<ContainerdImage>, EngineError> {
        let path = self.root.join(METADATA);
        let failed = |error: BoltError| EngineError::Database { path: path.clone(), reason: error.to_string() };
        let database = Bolt::read(&path).map_err(failed)?;
        let mut images = read_images(&database).map_err(failed)?;
        images.retain(|image| self.namespace.as_ref().is_none_or(|wanted| *wanted == image.namespace));
        images.sort_by_cached_key(|image| {
            (image.namespace != DEFAULT_NAMESPACE, image.namespace.clone(), image.name.clone())
        });
        Ok(images)
    }

    /// Returns the digest of the manifest or index for a name, in full or shortened as in Docker, or for a digest.
    ///
    /// # Errors
    /// [`EngineError`] if the name is missing or ambiguous, or the database cannot be read.
    pub fn resolve(&self, typed: &str) -> Result<Digest, EngineError> {
        let has = |digest: &Digest| self.content().join("blobs").join(digest.algorithm()).join(digest.hex()).is_file();
        if let Some(digest) = Digest::parse(typed).filter(has) {
            return Ok(digest);
        }
        let name = ImageName::parse(typed);
        let full = name.as_ref().map(ImageName::in_full);
        let images = self.images()?;
        let fits = |image: &&ContainerdImage| image.name == typed || Some(&image.name) == full.as_ref();
        let fitting: Vec<&ContainerdImage> = images.iter().filter(fits).collect();
        let by_digest = || name.as_ref()?.digest().and_then(Digest::parse).filter(has);
        match fitting.as_slice() {
            [] => by_digest()
                .ok_or_else(|| EngineError::NoSuchImage { engine: Engine::Containerd, image: typed.to_owned() }),
            [first, others @ ..] => match others.iter().find(|other| other.digest != first.digest) {
                Some(other) if first.namespace != DEFAULT_NAMESPACE => Err(EngineError::Namespaces {
                    image: typed.to_owned(),
                    first: first.namespace.clone(),
                    second: other.namespace.clone(),
                }),
                _ => Ok(first.digest.clone()),
            },
        }
    }
}

/// Returns the directories of containerd: its own, rootless, Docker's, k3s's and MicroK8s's.
fn places(environment: &EngineEnvironment) -> Vec<PathBuf> {
    let below_root = |path: &str| Some(environment.root.join(path));
    let places = [
        below_root("var/lib/containerd"),
        environment.data.as_ref().map(|data| data.join("containerd")),
        below_root("var/lib/docker/containerd/daemon"),
        below_root("var/lib/rancher/k3s/agent/containerd"),
        below_root("var/snap/microk8s/common/var/lib/containerd"),
    ];
    places.into_iter().flatten().collect()
}

/// Reads `v1/NAMESPACE/images/NAME/target/digest`.
fn read_images(database: &Bolt) -> Result<Vec<ContainerdImage>, BoltError> {
    let Some(schema) = database.bucket(database.root(), SCHEMA)? else { return Ok(Vec::new()) };
    let mut images = Vec::new();
    for (namespace, bucket) in buckets(database, schema)? {
        let Some(named) = database.bucket(bucket, b"images")? else { continue };
        for (name, bucket) in buckets(database, named)? {
            let Some(target) = database.bucket(bucket, b"target")? else { continue };
            if let Some(digest) = database.text(target, b"digest")?.and_then(Digest::parse) {
                images.push(ContainerdImage { namespace: namespace.to_owned(), name: name.to_owned(), digest });
            }
        }
    }
    Ok(images)
}

fn buckets<'a>(database: &'a Bolt, bucket: Bucket<'a>) -> Result<Vec<(&'a str, Bucket<'a>)>, BoltError> {
    let bucket_of = |(key, item): (&'a [u8], Item<'a>)| match item {
        Item::Bucket(bucket) => Some((std::str::from_utf8(key).ok()?, bucket)),
        Item::Value(_) => None,
    };
    Ok(database.items(bucket)?.into_iter().filter_map(bucket_of).collect())
}
