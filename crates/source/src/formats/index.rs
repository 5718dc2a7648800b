//! Which of the manifests of an index is meant: OCI image specification, "Image Index"; Docker's lists of manifests and
//! those in skopeo's directories have the same shape.

use hashbrown::HashSet;
use oci_spec::image::{Descriptor, ImageIndex, ImageManifest};

use super::config::parse_config;
use super::oci::parse;
use super::selection::{Named, choices, selected};
use super::{Container, Request, SourceError};
use nixdive_image::reference::Transport;
use nixdive_image::{Digest, Platform};
use nixdive_scan::Verifier;

/// Indexes within indexes that are followed.
const MAX_NESTING: usize = 8;
/// Manifests that all indexes together may list.
const MAX_MANIFESTS: usize = 10_000;
const REFERENCE_NAME: &str = "org.opencontainers.image.ref.name";
const IMAGE_NAME: &str = "io.containerd.image.name";
const ATTESTATION: &str = "vnd.docker.reference.type";

/// How a container names blobs and manifests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// `blobs/ALGORITHM/ENCODED`: OCI image specification, "Image Layout".
    Layout,
    /// The encoded part alone, and `ENCODED.manifest.json` for what an index lists: skopeo's `dir:`.
    Directory,
    /// `manifests/DIGEST` and `blobs/DIGEST`: OCI distribution specification, "Endpoints".
    Registry,
}

impl Naming {
    /// The document that lists the images.
    #[must_use]
    pub fn index(self) -> &'static str {
        match self {
            Self::Layout => "index.json",
            Self::Directory => "manifest.json",
            Self::Registry => "the index",
        }
    }

    /// The name of a blob. It cannot lead anywhere else.
    #[must_use]
    pub fn blob(self, digest: &Digest) -> String {
        match self {
            Self::Layout => format!("blobs/{}/{}", digest.algorithm(), digest.hex()),
            Self::Directory => digest.hex().to_owned(),
            Self::Registry => format!("blobs/{digest}"),
        }
    }

    /// The name of a manifest or an index that an index lists.
    #[must_use]
    pub fn manifest(self, digest: &Digest) -> String {
        match self {
            Self::Layout => self.blob(digest),
            Self::Directory => format!("{}.manifest.json", digest.hex()),
            Self::Registry => format!("manifests/{digest}"),
        }
    }

    /// The name of a blob by what a document has as its digest.
    pub(super) fn stated_blob(self, digest: &str, named_by: &str) -> Result<String, SourceError> {
        stated(digest, named_by).map(|digest| self.blob(&digest))
    }

    /// The name of a manifest by what an index has as its digest.
    pub(super) fn stated_manifest(self, digest: &str) -> Result<String, SourceError> {
        stated(digest, self.index()).map(|digest| self.manifest(&digest))
    }
}

/// A digest of the specification's grammar.
fn stated(digest: &str, named_by: &str) -> Result<Digest, SourceError> {
    Digest::parse(digest).ok_or_else(|| SourceError::Document {
        name: named_by.to_owned(),
        reason: format!("«{}» is no digest", nixdive_base::text::display_name(digest.as_bytes())),
    })
}

/// A manifest that the index lists, with the names that lead to it.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub digest: String,
    pub platform: Option<Platform>,
    pub names: Vec<String>,
}

impl Named for Candidate {
    fn names(&self) -> &[String] {
        &self.names
    }

    fn digest(&self) -> Option<&str> {
        Some(&self.digest)
    }

    fn platform(&self) -> Option<&Platform> {
        self.platform.as_ref()
    }
}

/// A descriptor that has still to be looked at.
struct Pending {
    descriptor: Descriptor,
    names: Vec<String>,
    nesting: usize,
}

/// All image manifests of an index and of those in it, in their order, attestations left out.
pub(super) fn candidates(container: &dyn Container, naming: Naming, index: &[u8]) -> Result<Candidates, SourceError> {
    let broken = |reason: String| SourceError::Document { name: naming.index().to_owned(), reason };
    let index: ImageIndex = parse(naming.index(), index)?;
    let mut found: Vec<Candidate> = Vec::new();
    let mut attestations: Vec<Candidate> = Vec::new();
    let mut indexes = HashSet::new();
    let mut altered = Vec::new();
    let mut seen = 0;
    let mut stack = pending(&index, &[], 0);
    while let Some(Pending { descriptor, names, nesting }) = stack.pop() {
        seen += 1;
        if seen > MAX_MANIFESTS {
            return Err(broken(format!("it and its nested indexes list more than {MAX_MANIFESTS} manifests")));
        }
        let digest = descriptor.digest().to_string();
        if is_attestation(&descriptor) {
            attestations.push(Candidate { digest, platform: None, names });
            continue;
        }
        let media_type = descriptor.media_type().to_string();
        if media_type.contains("image.index") || media_type.contains("manifest.list") {
            if nesting >= MAX_NESTING {
                return Err(broken(format!("indexes are nested more than {MAX_NESTING} deep")));
            }
            // One index listed a thousand times must not be read a thousand times.
            if indexes.insert(digest.clone()) {
                let name = naming.stated_manifest(&digest)?;
                let bytes = container.required(&name, naming.index())?;
                if Digest::parse(&digest)
                    .and_then(|stated| Verifier::of(&stated, &bytes))
                    .map(|actual| actual.to_string())
                    != Some(digest.clone())
                {
                    altered.push(digest.clone());
                }
                let inner: ImageIndex = parse(&name, &bytes)?;
                stack.extend(pending(&inner, &names, nesting + 1));
            }
            continue;
        }
        let platform = descriptor.platform().as_ref().map(|platform| Platform {
            os: platform.os().to_string(),
            architecture: platform.architecture().to_string(),
            variant: platform.variant().clone(),
        });
        match found.iter_mut().find(|candidate| candidate.digest == digest) {
            Some(same) => same.names.extend(names),
            None => found.push(Candidate { digest, platform, names }),
        }
    }
    if found.is_empty() {
        // An index of nothing else is opened for what it is.
        found = attestations;
    }
    if found.is_empty() {
        return Err(broken("it lists no image manifest".to_owned()));
    }
    Ok(Candidates { found, altered })
}

/// The images that an index leads to.
pub(super) struct Candidates {
    /// In their order.
    pub found: Vec<Candidate>,
    /// Digests of nested indexes that their bytes do not have, or that nothing verifies.
    pub altered: Vec<String>,
}

/// The descriptors of an index, last first, one for each digest with all its names. Where they have none of their own,
/// the names of the index lead to them.
fn pending(index: &ImageIndex, above: &[String], nesting: usize) -> Vec<Pending> {
    let mut positions = hashbrown::HashMap::new();
    let mut list: Vec<Pending> = Vec::new();
    for descriptor in index.manifests() {
        let own = own_names(descriptor);
        match positions.get(descriptor.digest().as_ref()).and_then(|&position: &usize| list.get_mut(position)) {
            Some(same) => same.names.extend(own),
            None => {
                positions.insert(descriptor.digest().to_string(), list.len());
                list.push(Pending { descriptor: descriptor.clone(), names: own, nesting });
            }
        }
    }
    for pending in list.iter_mut().filter(|pending| pending.names.is_empty()) {
        pending.names = above.to_vec();
    }
    list.reverse();
    list
}

fn own_names(descriptor: &Descriptor) -> Vec<String> {
    let Some(annotations) = descriptor.annotations() else { return Vec::new() };
    let mut names: Vec<String> =
        [IMAGE_NAME, REFERENCE_NAME].iter().filter_map(|key| annotations.get(*key)).cloned().collect();
    names.dedup();
    names
}

/// BuildKit's attestation manifests name no image that could run.
fn is_attestation(descriptor: &Descriptor) -> bool {
    let annotated = descriptor.annotations().as_ref().is_some_and(|annotations| annotations.contains_key(ATTESTATION));
    let unknown = descriptor.platform().as_ref().is_some_and(|platform| {
        platform.os().to_string() == "unknown" && platform.architecture().to_string() == "unknown"
    });
    annotated || unknown
}

/// The candidate that `request` asks for: by its selector, then by platform, without which this machine's counts.
pub(super) fn choose(
    container: &dyn Container,
    request: &Request<'_>,
    naming: Naming,
    transport: Transport,
    candidates: &[Candidate],
) -> Result<Candidate, SourceError> {
    let named = selected(request, transport, candidates)?;
    if let ([one], None) = (named.as_slice(), request.platform) {
        return Ok(candidates[*one].clone());
    }
    let there: Vec<(usize, Platform)> =
        named.iter().map(|&index| (index, platform_of(container, naming, &candidates[index]))).collect();
    let host = Platform::host();
    let wanted = request.platform.unwrap_or(&host);
    let fitting: Vec<usize> =
        there.iter().filter(|(_, platform)| platform.serves(wanted)).map(|&(index, _)| index).collect();
    match fitting.as_slice() {
        [one] => Ok(candidates[*one].clone()),
        // A directory of skopeo's has no names to tell its images apart, nor has an index in a registry.
        [first, ..] if naming != Naming::Layout => Ok(candidates[*first].clone()),
        [] if request.platform.is_none() && differently_named(&named, candidates) => {
            Err(SourceError::Several(choices(request, transport, candidates, &named)))
        }
        [] => Err(SourceError::NoPlatform {
            wanted: wanted.clone(),
            there: there.into_iter().map(|(_, platform)| platform).collect(),
        }),
        several => Err(SourceError::Several(choices(request, transport, candidates, several))),
    }
}

fn differently_named(named: &[usize], candidates: &[Candidate]) -> bool {
    let mut names = named.iter().map(|&index| &candidates[index].names);
    let first = names.next();
    names.any(|other| Some(other) != first)
}

/// The platform that the index gives, else the one of the configuration.
fn platform_of(container: &dyn Container, naming: Naming, candidate: &Candidate) -> Platform {
    let from_config = || {
        let name = naming.stated_manifest(&candidate.digest).ok()?;
        let manifest: ImageManifest = parse(&name, &container.document(&name).ok()??).ok()?;
        let config = naming.stated_blob(manifest.config().digest().as_ref(), &name).ok()?;
        Some(parse_config(&config, &container.document(&config).ok()??).ok()?.platform)
    };
    candidate.platform.clone().or_else(from_config).unwrap_or_default()
}
