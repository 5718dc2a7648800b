//! Referrers of a manifest: signatures, bills of materials, attestations (OCI distribution specification, "Listing
//! Referrers", and "Referrers Tag Schema" for registries without support for the former).

use serde::Deserialize;

use super::repository::{Call, Target};
use super::{MAX_MANIFEST_BYTES, RegistryError, Repository};
use crate::http::{Body, Method};
use nixdive_base::go_json;
use nixdive_image::Digest;

/// Maximum number of referrers of one manifest.
const MOST: usize = 10_000;

/// A document that refers to a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Referrer {
    /// Digest of its own manifest.
    pub digest: Digest,
    /// Its artifact type, else its media type.
    pub kind: String,
    /// Length of its manifest in bytes.
    pub manifest_bytes: u64,
}

#[derive(Deserialize)]
struct Index {
    #[serde(default)]
    manifests: Vec<Descriptor>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    digest: String,
    #[serde(default)]
    size: u64,
    #[serde(default)]
    media_type: String,
    #[serde(default)]
    artifact_type: Option<String>,
}

impl Repository {
    /// Returns the referrers of a manifest, in the order of the registry.
    ///
    /// # Errors
    /// [`RegistryError`] if the list cannot be fetched.
    pub fn referrers(&self, digest: &Digest) -> Result<Vec<Referrer>, RegistryError> {
        let path = format!("referrers/{digest}");
        let what = format!("the referrers of {digest} in {}", self.name().repository());
        let call = Call {
            method: Method::Get,
            target: Target::Path(&path),
            headers: vec![("accept", "application/vnd.oci.image.index.v1+json".to_owned())],
            body: &|| Body::None,
            actions: "pull",
            what: what.clone(),
        };
        let bytes = match self.read(&call) {
            Ok(response) => {
                let host = response.address.host().to_owned();
                let failed = |reason: String| RegistryError::Content { host: host.clone(), what: what.clone(), reason };
                let bytes = response.bytes(MAX_MANIFEST_BYTES).map_err(|error| failed(error.to_string()))?;
                bytes.ok_or(RegistryError::TooLong { host, what: what.clone(), most: MAX_MANIFEST_BYTES })?
            }
            // The registry does not support referrers: they are listed under a tag, if there are any.
            Err(RegistryError::NotFound { .. }) => {
                let tag = format!("{}-{}", digest.algorithm(), digest.hex());
                match self.manifest(&tag) {
                    Ok(manifest) => manifest.bytes,
                    Err(RegistryError::NoSuchTag { .. }) => return Ok(Vec::new()),
                    Err(error) => return Err(error),
                }
            }
            Err(error) => return Err(error),
        };
        let index: Index = go_json::from_slice(&bytes).map_err(|error| RegistryError::Content {
            host: self.host().to_owned(),
            what,
            reason: error.to_string(),
        })?;
        let referrer = |descriptor: Descriptor| {
            Some(Referrer {
                digest: Digest::parse(&descriptor.digest)?,
                kind: descriptor.artifact_type.filter(|kind| !kind.is_empty()).unwrap_or(descriptor.media_type),
                manifest_bytes: descriptor.size,
            })
        };
        Ok(index.manifests.into_iter().filter_map(referrer).take(MOST).collect())
    }
}
