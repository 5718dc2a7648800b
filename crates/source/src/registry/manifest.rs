use serde::Deserialize;

use super::repository::{Call, Target};
use super::{Place, RegistryError, Repository, Verifier};
use crate::http::{Body, Method, Response};
use nixdive_base::go_json;
use nixdive_image::Digest;

/// Maximum bytes of a manifest, an index or a configuration; the same limit as in containers/image.
pub const MAX_MANIFEST_BYTES: u64 = 4 << 20;

/// Accepted media types, the most specific first.
const ACCEPTED: [&str; 6] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    // Accepted only to be refused by name.
    "application/vnd.docker.distribution.manifest.v1+prettyjws;q=0.1",
    "application/vnd.docker.distribution.manifest.v1+json;q=0.1",
];

/// A manifest or an index, as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Digest of its bytes.
    pub digest: Digest,
    /// Media type.
    pub media_type: String,
    /// Content.
    pub bytes: Vec<u8>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shape {
    schema_version: Option<u64>,
    media_type: Option<String>,
    manifests: Option<serde::de::IgnoredAny>,
}

impl Repository {
    /// Fetches the manifest or index of a tag or a digest, and verifies its digest.
    ///
    /// # Errors
    /// [`RegistryError`] if it cannot be fetched; for a missing tag, with similar ones.
    pub fn manifest(&self, reference: &str) -> Result<Manifest, RegistryError> {
        let result = self.anywhere(&mut |place| {
            let path = format!("manifests/{reference}");
            let call = self.manifest_call(Method::Get, &path, reference);
            let response = self.succeed(place, &call)?;
            self.check_manifest(place, reference, &call.what, response)
        });
        match result {
            Err(RegistryError::NotFound { .. }) if Digest::parse(reference).is_none() => {
                Err(self.no_such_tag(reference))
            }
            other => other,
        }
    }

    /// Returns the current digest of a tag with one HEAD request, or `None` if the registry does not state it.
    ///
    /// # Errors
    /// [`RegistryError`] if it cannot be fetched; for a missing tag, with similar ones.
    pub fn manifest_digest(&self, tag: &str) -> Result<Option<Digest>, RegistryError> {
        let path = format!("manifests/{tag}");
        let call = self.manifest_call(Method::Head, &path, tag);
        match self.read(&call) {
            Ok(response) => {
                Ok(response.header("docker-content-digest").and_then(Digest::parse).filter(Digest::is_verifiable))
            }
            Err(RegistryError::NotFound { .. }) => Err(self.no_such_tag(tag)),
            // Not all registries support HEAD.
            Err(RegistryError::Answer { status: 405, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn manifest_call<'a>(&self, method: Method, path: &'a str, reference: &str) -> Call<'a> {
        Call {
            method,
            target: Target::Path(path),
            headers: vec![("accept", ACCEPTED.join(", "))],
            body: &|| Body::None,
            actions: "pull",
            what: format!("the manifest {reference} of {}", self.name().repository()),
        }
    }

    fn no_such_tag(&self, tag: &str) -> RegistryError {
        let there = match self.nearest_tags(tag) {
            Err(missing @ RegistryError::NotFound { .. }) => return missing,
            found => found.unwrap_or_default(),
        };
        let name = format!("{}/{}", self.name().host(), self.name().repository());
        RegistryError::NoSuchTag { name, tag: tag.to_owned(), there }
    }

    fn check_manifest(
        &self,
        place: &Place,
        reference: &str,
        what: &str,
        response: Response,
    ) -> Result<Manifest, RegistryError> {
        let host = place.name.host().to_owned();
        let content = |reason: String| RegistryError::Content { host: host.clone(), what: what.to_owned(), reason };
        let announced = response.header("docker-content-digest").and_then(Digest::parse).filter(Digest::is_verifiable);
        let content_type = response.header("content-type").map(without_parameters).unwrap_or_default();
        let bytes = response.bytes(MAX_MANIFEST_BYTES).map_err(|error| content(error.to_string()))?;
        let too_long =
            || RegistryError::TooLong { host: host.clone(), what: what.to_owned(), most: MAX_MANIFEST_BYTES };
        let bytes = bytes.ok_or_else(too_long)?;
        // The requested digest takes precedence over the one that the registry states.
        let stated =
            Digest::parse(reference).or(announced).or_else(|| Digest::parse(EMPTY_DIGEST)).ok_or_else(too_long)?;
        let unverifiable = || content(format!("cannot be verified: {} is not supported", stated.algorithm()));
        let actual = Verifier::of(&stated, &bytes).ok_or_else(unverifiable)?;
        if actual != stated && stated.as_str() != EMPTY_DIGEST {
            return Err(RegistryError::Digest { host, what: what.to_owned(), stated, actual });
        }
        let shape: Shape = go_json::from_slice(&bytes).map_err(|error| content(format!("not a manifest: {error}")))?;
        let is_first = content_type.starts_with("application/vnd.docker.distribution.manifest.v1+")
            || shape.schema_version == Some(1);
        if is_first {
            return Err(RegistryError::Schema1(format!("{}/{}", place.name.host(), place.name.repository())));
        }
        let is_known = |kind: &str| ACCEPTED.contains(&kind);
        if let Some(own) = shape.media_type.as_deref().filter(|own| is_known(own) && is_known(&content_type))
            && own != content_type
        {
            return Err(content(format!("is sent as {content_type}, but its mediaType is {own}")));
        }
        let guess = if shape.manifests.is_some() { ACCEPTED[0] } else { ACCEPTED[1] };
        let given = Some(content_type).filter(|kind| is_known(kind));
        let media_type = shape.media_type.or(given).unwrap_or_else(|| guess.to_owned());
        Ok(Manifest { digest: actual, media_type, bytes })
    }
}

/// The digest of empty content, used if only its algorithm is needed.
const EMPTY_DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn without_parameters(value: &str) -> String {
    value.split(';').next().unwrap_or_default().trim().to_owned()
}
