//! Image indexes: OCI image specification, "Image Index"; Docker's "Image Manifest Version 2, Schema 2", "Manifest
//! List".

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::platform::ChildPlatform;
use nixdive_image::Digest;

/// Media type of an OCI index.
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// Media type of Docker's manifest list.
pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// Annotations with names that were valid at the source only.
const NAMES: [&str; 3] = ["org.opencontainers.image.ref.name", "io.containerd.image.name", "org.nixdive.writer"];
/// Annotation of BuildKit's attestations: digest of the manifest that the attestation describes.
const ATTESTATION_OF: &str = "vnd.docker.reference.digest";

/// Manifest listed in an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Child {
    /// Source of the image, as the user typed it.
    pub source: String,
    /// Digest of the manifest.
    pub digest: Digest,
    /// Length of the manifest, bytes.
    pub manifest_bytes: u64,
    /// Media type of the manifest.
    pub media_type: String,
    /// Platform of the image.
    pub platform: ChildPlatform,
    /// Annotations from the index that the image was listed in.
    pub annotations: BTreeMap<String, String>,
}

impl Child {
    fn is_attestation(&self) -> bool {
        self.annotations.contains_key(ATTESTATION_OF)
    }
}

/// Index of images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    children: Vec<Child>,
    annotations: BTreeMap<String, String>,
}

impl Index {
    /// Builds an index sorted by platform, whatever the order of `children`; images for the same platform keep their
    /// order. Equal digests are listed once. Attestations come last, and only together with the image that they
    /// describe.
    #[must_use]
    pub fn new(children: Vec<Child>, annotations: BTreeMap<String, String>) -> Self {
        let mut kept: Vec<Child> = Vec::with_capacity(children.len());
        for mut child in children {
            if kept.iter().all(|other| other.digest != child.digest) {
                child.annotations.retain(|key, _| !NAMES.contains(&key.as_str()));
                kept.push(child);
            }
        }
        let images: Vec<String> =
            kept.iter().filter(|child| !child.is_attestation()).map(|child| child.digest.to_string()).collect();
        kept.retain(|child| child.annotations.get(ATTESTATION_OF).is_none_or(|digest| images.contains(digest)));
        kept.sort_by(|a, b| (a.is_attestation(), &a.platform).cmp(&(b.is_attestation(), &b.platform)));
        Self { children: kept, annotations }
    }

    /// Manifests that the index lists.
    #[must_use]
    pub fn children(&self) -> &[Child] {
        &self.children
    }

    /// Returns Docker's manifest list type if all images are Docker's and nothing needs OCI features such as
    /// annotations; otherwise the OCI index type, which may list both kinds.
    #[must_use]
    pub fn media_type(&self) -> &'static str {
        let is_docker = |child: &Child| child.media_type == DOCKER_MANIFEST && child.annotations.is_empty();
        let has_docker_only = self.annotations.is_empty() && self.children.iter().all(is_docker);
        if has_docker_only && !self.children.is_empty() { DOCKER_LIST } else { OCI_INDEX }
    }

    /// Serializes the index to JSON. Equal images and annotations give the same bytes.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let children: Vec<Value> = self.children.iter().map(descriptor).collect();
        let mut document = json!({"schemaVersion": 2, "mediaType": self.media_type(), "manifests": children});
        if let (false, Some(document)) = (self.annotations.is_empty(), document.as_object_mut()) {
            document.insert("annotations".into(), texts(&self.annotations));
        }
        document.to_string().into_bytes()
    }
}

fn descriptor(child: &Child) -> Value {
    let mut document = json!({
        "mediaType": child.media_type,
        "digest": child.digest.as_str(),
        "size": child.manifest_bytes,
        "platform": child.platform.to_json(),
    });
    if let (false, Some(document)) = (child.annotations.is_empty(), document.as_object_mut()) {
        document.insert("annotations".into(), texts(&child.annotations));
    }
    document
}

fn texts(pairs: &BTreeMap<String, String>) -> Value {
    Value::Object(pairs.iter().map(|(key, value)| (key.clone(), value.as_str().into())).collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use oci_spec::image::{Arch, ImageIndex};

    use super::*;

    const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

    fn child(source: &str, platform: &str, media_type: &str) -> Child {
        use sha2::Digest as _;
        let mut parts = platform.split('/').map(str::to_owned);
        Child {
            source: source.to_owned(),
            digest: Digest::from_sha256(&sha2::Sha256::digest(source.as_bytes()).into()),
            manifest_bytes: 500,
            media_type: media_type.to_owned(),
            platform: ChildPlatform {
                os: parts.next().unwrap(),
                architecture: parts.next().unwrap(),
                variant: parts.next(),
                ..ChildPlatform::default()
            },
            annotations: BTreeMap::new(),
        }
    }

    fn pair(key: &str, value: &str) -> BTreeMap<String, String> {
        BTreeMap::from([(key.to_owned(), value.to_owned())])
    }

    #[test]
    fn an_index_is_the_same_whatever_the_order_of_its_images() {
        let [amd, arm, v7] = ["linux/amd64", "linux/arm64", "linux/arm/v7"];
        let children = vec![child("b", arm, OCI_MANIFEST), child("a", amd, OCI_MANIFEST), child("c", v7, OCI_MANIFEST)];
        let index = Index::new(children.clone(), pair("b", "2"));
        let turned = Index::new(children.into_iter().rev().collect(), pair("b", "2"));
        assert_eq!(index.to_json(), turned.to_json());
        let read: ImageIndex = serde_json::from_slice(&index.to_json()).unwrap();
        let architectures: Vec<Arch> =
            read.manifests().iter().map(|child| child.platform().clone().unwrap().architecture().clone()).collect();
        assert_eq!(architectures, [Arch::Amd64, Arch::ARM, Arch::ARM64]);
        assert_eq!(read.media_type().clone().unwrap().to_string(), OCI_INDEX);
        assert_eq!(read.annotations().clone().unwrap().get("b").map(String::as_str), Some("2"));
    }

    #[test]
    fn the_kind_of_the_index_follows_that_of_its_images() {
        let docker = child("a", "linux/amd64", DOCKER_MANIFEST);
        let oci = child("b", "linux/arm64", OCI_MANIFEST);
        let kind = |children: &[&Child], annotations| {
            Index::new(children.iter().copied().cloned().collect(), annotations).media_type()
        };
        assert_eq!(kind(&[&docker], BTreeMap::new()), DOCKER_LIST);
        assert_eq!(kind(&[&docker, &oci], BTreeMap::new()), OCI_INDEX);
        assert_eq!(kind(&[&docker], pair("a", "1")), OCI_INDEX, "Docker's list has no annotations");
        assert_eq!(kind(&[], BTreeMap::new()), OCI_INDEX);
    }

    #[test]
    fn equal_images_are_one_and_those_of_one_platform_keep_their_order() {
        let first = child("a", "linux/amd64", OCI_MANIFEST);
        let mut same = first.clone();
        same.source = "copy of a".into();
        let second = child("b", "linux/amd64", OCI_MANIFEST);
        let index = Index::new(vec![second, first, same], BTreeMap::new());
        let sources: Vec<&str> = index.children().iter().map(|child| child.source.as_str()).collect();
        assert_eq!(sources, ["b", "a"]);
    }

    #[test]
    fn attestations_stay_with_what_they_are_about_and_old_names_go() {
        let mut image = child("a", "linux/amd64", OCI_MANIFEST);
        image.annotations = pair("org.opencontainers.image.ref.name", "old");
        let mut about = child("proof", "unknown/unknown", OCI_MANIFEST);
        about.annotations = pair(ATTESTATION_OF, image.digest.as_str());
        let mut lost = child("lost", "unknown/unknown", OCI_MANIFEST);
        lost.annotations = pair(ATTESTATION_OF, about.digest.as_str());
        let index = Index::new(vec![lost, about, image], BTreeMap::new());
        let sources: Vec<&str> = index.children().iter().map(|child| child.source.as_str()).collect();
        assert_eq!(sources, ["a", "proof"]);
        assert!(!String::from_utf8(index.to_json()).unwrap().contains("ref.name"));
    }
}
