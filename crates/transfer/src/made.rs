//! Documents that are read or generated on the way: parsed manifests, manifests for images without one, and the
//! configuration of nix2container's images.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Document, TransferError};
use nixdive_base::go_json;
use nixdive_image::{Compression, Digest};
use nixdive_write::{CONFIG_TYPE, MANIFEST_TYPE};

pub(super) const INDEX_TYPE: &str = "application/vnd.oci.image.index.v1+json";
const DOCKER_MANIFEST_TYPE: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LIST_TYPE: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// Descriptor of a part in a manifest or an index.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptor {
    #[serde(default)]
    pub media_type: String,
    pub digest: String,
    #[serde(default)]
    pub size: u64,
    #[serde(default)]
    pub urls: Option<Vec<String>>,
    #[serde(default)]
    pub annotations: Option<Map<String, Value>>,
}

impl Descriptor {
    pub fn digest(&self) -> Option<Digest> {
        Digest::parse(&self.digest)
    }

    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.annotations.as_ref()?.get(key)?.as_str()
    }

    pub fn is_index(&self) -> bool {
        self.media_type.contains("image.index") || self.media_type.contains("manifest.list")
    }
}

/// Manifest or index.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Shape {
    #[serde(default)]
    pub media_type: Option<String>,
    #[serde(default)]
    pub config: Option<Descriptor>,
    #[serde(default)]
    pub layers: Option<Vec<Descriptor>>,
    #[serde(default)]
    pub manifests: Option<Vec<Descriptor>>,
}

impl Shape {
    pub fn parse(what: &str, bytes: &[u8]) -> Result<Self, TransferError> {
        go_json::from_slice(bytes).map_err(|error| TransferError::part(what, error))
    }

    /// Returns the stated media type, or else the one that follows from the parts.
    pub fn kind(&self) -> String {
        let of_docker = |one: &Descriptor| one.media_type.contains("vnd.docker.");
        let guess = match (&self.manifests, &self.config) {
            (Some(manifests), _) if manifests.iter().any(of_docker) => DOCKER_LIST_TYPE,
            (Some(_), _) => INDEX_TYPE,
            (None, Some(config)) if of_docker(config) => DOCKER_MANIFEST_TYPE,
            (None, _) => MANIFEST_TYPE,
        };
        self.media_type.clone().unwrap_or_else(|| guess.to_owned())
    }
}

/// Returns the compression that the media type of a layer states.
pub(super) fn compression_of(media_type: &str) -> Compression {
    match media_type {
        gzip if gzip.ends_with("gzip") => Compression::Gzip,
        zstd if zstd.ends_with("zstd") => Compression::Zstd,
        _ => Compression::None,
    }
}

/// Returns `true` if the blob of a layer is a plain or compressed tar stream, neither encrypted nor an attestation.
pub(super) fn is_tar(media_type: &str) -> bool {
    ["tar", "gzip", "zstd"].iter().any(|end| media_type.ends_with(end))
}

/// Returns the media type of a layer with this compression.
pub(super) fn layer_type(compression: Compression) -> &'static str {
    match compression {
        Compression::Gzip => "application/vnd.oci.image.layer.v1.tar+gzip",
        Compression::Zstd => "application/vnd.oci.image.layer.v1.tar+zstd",
        _ => "application/vnd.oci.image.layer.v1.tar",
    }
}

/// Layer as a manifest names it.
#[derive(Debug, Clone)]
pub(super) struct MadeLayer {
    pub media_type: String,
    pub digest: Digest,
    pub stored_bytes: u64,
    /// Inputs that the layer was generated from, for later runs.
    pub annotations: Map<String, Value>,
}

/// Builds an image manifest: OCI image specification, "Image Manifest".
pub(super) fn manifest(config: &Document, layers: &[MadeLayer]) -> Document {
    let described = layers.iter().map(|layer| {
        let mut document = Map::new();
        document.insert("mediaType".into(), layer.media_type.as_str().into());
        document.insert("digest".into(), layer.digest.as_str().into());
        document.insert("size".into(), layer.stored_bytes.into());
        if !layer.annotations.is_empty() {
            document.insert("annotations".into(), layer.annotations.clone().into());
        }
        Value::Object(document)
    });
    let bytes = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": {"mediaType": CONFIG_TYPE, "digest": config.digest.as_str(), "size": config.bytes.len()},
        "layers": described.collect::<Vec<_>>(),
    });
    document(MANIFEST_TYPE, bytes.to_string().into_bytes())
}

/// Builds a document and computes its digest.
pub(super) fn document(media_type: &str, bytes: Vec<u8>) -> Document {
    use sha2::Digest as _;
    let digest = Digest::from_sha256(&sha2::Sha256::digest(&bytes).into());
    Document { media_type: media_type.to_owned(), digest, bytes }
}

/// Part of a configuration that lists the layers.
#[derive(Deserialize)]
struct ConfigShape {
    rootfs: Option<RootFs>,
}

#[derive(Deserialize)]
struct RootFs {
    diff_ids: Option<Vec<Value>>,
}

/// Returns the diffIDs of a configuration in order, up to the first invalid one.
pub(super) fn diff_ids(config: &[u8]) -> Vec<Digest> {
    let shape = go_json::from_slice(config).unwrap_or(ConfigShape { rootfs: None });
    let listed = shape.rootfs.and_then(|rootfs| rootfs.diff_ids).unwrap_or_default();
    listed.iter().map_while(|one| Digest::parse(one.as_str()?)).collect()
}

/// Parts of an `image.json` that go into a configuration. `image-config` is kept verbatim.
#[derive(Deserialize)]
struct NixImage {
    #[serde(rename = "image-config")]
    config: Option<Value>,
    layers: Vec<NixLayer>,
    arch: Option<String>,
    created: Option<String>,
}

#[derive(Deserialize)]
struct NixLayer {
    #[serde(rename = "History")]
    history: Option<Value>,
}

fn nix_image(bytes: &[u8]) -> Result<NixImage, serde_json::Error> {
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
        let layers = go_json::from_slice(bytes)?;
        return Ok(NixImage { config: None, layers, arch: None, created: None });
    }
    go_json::from_slice(bytes)
}

/// Builds the configuration that nix2container generates from its `image.json` (its `nix/image.go`, `GetConfigBlob`):
/// the run configuration verbatim, with one diffID and one history entry for each layer.
pub(super) fn nix_config(image: &[u8], diff_ids: &[Digest]) -> Result<Document, TransferError> {
    let image = nix_image(image).map_err(|error| TransferError::part("the image.json", error))?;
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let history: Vec<Value> =
        image.layers.into_iter().map(|layer| layer.history.unwrap_or_else(|| json!({}))).collect();
    let diff_ids: Vec<&str> = diff_ids.iter().map(Digest::as_str).collect();
    let mut config = Map::new();
    if let Some(created) = given(image.created) {
        config.insert("created".into(), created.into());
    }
    config.insert("architecture".into(), given(image.arch).unwrap_or_else(|| "amd64".to_owned()).into());
    config.insert("os".into(), "linux".into());
    config.insert("config".into(), image.config.unwrap_or_else(|| json!({})));
    config.insert("rootfs".into(), json!({"type": "layers", "diff_ids": diff_ids}));
    config.insert("history".into(), history.into());
    Ok(document(CONFIG_TYPE, Value::Object(config).to_string().into_bytes()))
}
