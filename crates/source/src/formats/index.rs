//! Selects a manifest of an index: OCI image specification, "Image Index"; Docker's manifest lists and those in skopeo
//! directories have the same shape.

use hashbrown::HashSet;
use oci_spec::image::{Descriptor, ImageIndex, ImageManifest};

use super::config::parse_config;
use super::oci::parse;
use super::selection::{Named, choices, selected};
use super::{Container, Request, SourceError};
use nixdive_image::reference::Transport;
use nixdive_image::{Digest, Platform};
use nixdive_scan::Verifier;

/// Maximum depth of nested indexes.
const MAX_NESTING: usize = 8;
/// Maximum number of manifests in all indexes together.
const MAX_MANIFESTS: usize = 10_000;
const REFERENCE_NAME: &str = "org.opencontainers.image.ref.name";
const IMAGE_NAME: &str = "io.containerd.image.name";
const ATTESTATION: &str = "vnd.docker.reference.type";

/// The names that a container uses for blobs and manifests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// `blobs/ALGORITHM/ENCODED`: OCI image specification, "Image Layout".
    Layout,
    /// The encoded part alone, and `ENCODED.manifest.json` for the entries of an index: skopeo's `dir:`.
    Directory,
    /// `manifests/DIGEST` and `blobs/DIGEST`: OCI distribution specification, "Endpoints".
    Registry,
}

impl Naming {
    /// Returns the name of the document that lists the images.
    #[must_use]
    pub fn index(self) -> &'static str {
        match self {
            Self::Layout => "index.json",
            Self::Directory => "manifest.json",
            Self::Registry => "the index",
        }
    }

    /// Returns the name of a blob, which cannot point outside the container.
    #[must_use]
    pub fn blob(self, digest: &Digest) -> String {
        match self {
            Self::Layout => format!("blobs/{}/{}", digest.algorithm(), digest.hex()),
            Self::Directory => digest.hex().to_owned(),
            Self::Registry => format!("blobs/{digest}"),
        }
    }

    /// Returns the name of a manifest or an index listed in an index.
    #[must_use]
    pub fn manifest(self, digest: &Digest) -> String {
        match self {
            Self::Layout => self.blob(digest),
            Self::Directory => format!("{}.manifest.json", digest.hex()),
            Self::Registry => format!("manifests/{digest}"),
        }
    }

    /// Returns the name of a blob from a digest in a document.
    pub(super) fn stated_blob(self, digest: &str, named_by: &str) -> Result<String, SourceError> {
        stated(digest, named_by).map(|digest| self.blob(&digest))
    }

    /// Returns the name of a manifest from a digest in an index.
    pub(super) fn stated_manifest(self, digest: &str) -> Result<String, SourceError> {
        stated(digest, self.index()).map(|digest| self.manifest(&digest))
    }
}

/// Parses a digest by the specification's grammar.
fn stated(digest: &str, named_by: &str) -> Result<Digest, SourceError> {
    Digest::parse(digest).ok_or_else(|| SourceError::Document {
        name: named_by.to_owned(),
        reason: format!("`{}` is not a digest", nixdive_base::text::display_name(digest.as_bytes())),
    })
}

/// A manifest listed in the index, with the names that lead to it.
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

/// A descriptor that has not been examined yet.
struct Pending {
    descriptor: Descriptor,
    names: Vec<String>,
    nesting: usize,
}

/// Returns all image manifests of an index and its nested indexes, in order, without attestations.
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
            return Err(broken(format!("more than {MAX_MANIFESTS} manifests are listed in it and its nested indexes")));
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
            // An index that is listed repeatedly is read once.
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
        // An index that contains only attestations shows them.
        found = attestations;
    }
    if found.is_empty() {
        return Err(broken("no image manifest is listed".to_owned()));
    }
    Ok(Candidates { found, altered })
}

/// The images listed in an index.
pub(super) struct Candidates {
    /// The manifests, in order.
    pub found: Vec<Candidate>,
    /// Digests of nested indexes that do not match or cannot be verified.
    pub altered: Vec<String>,
}

/// Returns the descriptors of an index, last first, one per digest with all its names. Descriptors without names
/// inherit those of the index.
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

/// Returns `true` for BuildKit's attestation manifests, which cannot be run.
fn is_attestation(descriptor: &Descriptor) -> bool {
    let annotated = descriptor.annotations().as_ref().is_some_and(|annotations| annotations.contains_key(ATTESTATION));
    let unknown = descriptor.platform().as_ref().is_some_and(|platform| {
        platform.os().to_string() == "unknown" && platform.architecture().to_string() == "unknown"
    });
    annotated || unknown
}

/// Returns the candidate that `request` selects: by its selector, then by platform, which defaults to this machine's.
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
        // Skopeo directories and indexes in registries have no names that distinguish their images.
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

/// Returns the platform given by the index, else by the configuration.
fn platform_of(container: &dyn Container, naming: Naming, candidate: &Candidate) -> Platform {
    let from_config = || {
        let name = naming.stated_manifest(&candidate.digest).ok()?;
        let manifest: ImageManifest = parse(&name, &container.document(&name).ok()??).ok()?;
        let config = naming.stated_blob(manifest.config().digest().as_ref(), &name).ok()?;
        Some(parse_config(&config, &container.document(&config).ok()??).ok()?.platform)
    };
    candidate.platform.clone().or_else(from_config).unwrap_or_default()
}
