//! Registries according to the OCI distribution specification: manifests, blobs and tags, with the credentials,
//! certificates and mirrors of Docker and podman.

mod blob;
mod certificates;
mod challenge;
mod client;
mod configuration;
mod credentials;
mod environment;
mod error;
mod manifest;
mod referrers;
mod repository;
mod tags;
mod tokens;
mod upload;
mod write;

pub use blob::{BlobReader, carried};
pub use challenge::Challenge;
pub use client::{Login, Registries, Settings};
pub use configuration::{Configuration, Place};
pub(crate) use credentials::look_up_in;
pub use credentials::{Credential, Found, find as find_credential};
pub use environment::Environment;
pub use error::RegistryError;
pub use manifest::{MAX_MANIFEST_BYTES, Manifest};
pub use nixdive_scan::Verifier;
pub use referrers::Referrer;
pub use repository::{Call, Repository, Target};
pub use tokens::Scope;
pub use upload::{Sent, Session, Upload};
pub use write::Mounted;
