//! Small images in every form.

use std::path::{Path, PathBuf};

use nixdive::image::Platform;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::tar_bytes::{Tar, archive};

/// Parts of an image by their names in an archive or a directory.
pub type Members = Vec<(String, Vec<u8>)>;

/// `sha256:…` of some bytes.
pub fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex(bytes))
}

/// The hexadecimal part of a digest.
pub fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What the upper layer of the sample has in `/etc/motd`.
pub const MOTD: &str = "from the upper layer\n";

/// Two layers: the upper one changes `/etc/motd`, and removes `/bin/old`.
pub fn sample_layers() -> Vec<Vec<u8>> {
    let base = Tar::new()
        .directory("bin/")
        .file("bin/tool", vec![7; 3000])
        .file("bin/old", "old")
        .directory("etc/")
        .file("etc/motd", "from the base layer\n");
    let upper = Tar::new().directory("etc/").file("etc/motd", MOTD).file("bin/.wh.old", "");
    vec![base.finish(), upper.finish()]
}

/// A layer as it lies in a source.
#[derive(Clone)]
pub struct Layer {
    pub media_type: &'static str,
    pub tar: Vec<u8>,
    pub blob: Vec<u8>,
}

pub const OCI_TAR: &str = "application/vnd.oci.image.layer.v1.tar";
pub const OCI_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";

impl Layer {
    pub fn plain(tar: Vec<u8>) -> Self {
        Self { media_type: OCI_TAR, blob: tar.clone(), tar }
    }

    pub fn stored(tar: Vec<u8>, media_type: &'static str, compress: impl Fn(&[u8]) -> Vec<u8>) -> Self {
        Self { media_type, blob: compress(&tar), tar }
    }
}

/// An image with all that its manifest says.
#[derive(Clone)]
pub struct Image {
    pub layers: Vec<Layer>,
    pub config: Value,
    /// `name:tag`.
    pub names: Vec<String>,
    /// In the index; `None`: only the configuration tells.
    pub platform: Option<Value>,
    pub manifest_type: &'static str,
    pub config_type: &'static str,
}

impl Image {
    /// An image of some plain layers for this machine.
    pub fn new(layers: Vec<Vec<u8>>) -> Self {
        Self::of(layers.into_iter().map(Layer::plain).collect())
    }

    pub fn of(layers: Vec<Layer>) -> Self {
        let diff_ids: Vec<String> = layers.iter().map(|layer| digest(&layer.tar)).collect();
        let history: Vec<Value> =
            (0..layers.len()).map(|number| json!({"created_by": format!("step {number}")})).collect();
        let config = json!({
            "os": "linux",
            "architecture": Platform::host().architecture,
            "config": {"Cmd": ["/bin/tool"]},
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
            "history": history,
        });
        Self {
            layers,
            config,
            names: Vec::new(),
            platform: None,
            manifest_type: OCI_MANIFEST,
            config_type: "application/vnd.oci.image.config.v1+json",
        }
    }

    pub fn sample() -> Self {
        Self::new(sample_layers())
    }

    /// Layers under a transformation, such as a compression.
    pub fn stored(media_type: &'static str, compress: impl Fn(&[u8]) -> Vec<u8>) -> Self {
        Self::of(sample_layers().into_iter().map(|tar| Layer::stored(tar, media_type, &compress)).collect())
    }

    /// Any layers under a transformation.
    pub fn stored_of(layers: Vec<Vec<u8>>, compress: impl Fn(&[u8]) -> Vec<u8>) -> Self {
        Self::of(layers.into_iter().map(|tar| Layer::stored(tar, OCI_GZIP, &compress)).collect())
    }

    pub fn named(mut self, name: &str) -> Self {
        self.names.push(name.to_owned());
        self
    }

    /// For another machine; the index says so too.
    pub fn platform(mut self, architecture: &str, variant: Option<&str>) -> Self {
        self.config["architecture"] = architecture.into();
        let mut platform = json!({"os": "linux", "architecture": architecture});
        if let Some(variant) = variant {
            self.config["variant"] = variant.into();
            platform["variant"] = variant.into();
        }
        self.platform = Some(platform);
        self
    }

    /// The index says nothing of the platform.
    pub fn platform_in_config_alone(mut self) -> Self {
        self.platform = None;
        self
    }

    pub fn config_bytes(&self) -> Vec<u8> {
        self.config.to_string().into_bytes()
    }
}

/// The members of a docker-archive of some images, `manifest.json` first. `layer_name` names a layer by its position
/// and its bytes.
pub fn docker_members(images: &[Image], layer_name: impl Fn(usize, &Layer) -> String) -> Members {
    let mut members = Members::new();
    let mut manifest = Vec::new();
    for image in images {
        let config = image.config_bytes();
        let config_name = format!("{}.json", hex(&config));
        let names: Vec<String> =
            image.layers.iter().enumerate().map(|(number, layer)| layer_name(number, layer)).collect();
        manifest.push(json!({"Config": config_name, "RepoTags": image.names, "Layers": names}));
        members.push((config_name, config));
        members.extend(names.into_iter().zip(image.layers.iter().map(|layer| layer.blob.clone())));
    }
    members.insert(0, ("manifest.json".into(), Value::from(manifest).to_string().into_bytes()));
    members
}

/// A docker-archive as skopeo writes it.
pub fn docker_archive(image: &Image) -> Vec<u8> {
    archive(&docker_members(std::slice::from_ref(image), |_, layer| format!("{}.tar", hex(&layer.tar))))
}

/// The blob of an image's manifest, and all blobs that it names.
pub fn manifest_blobs(image: &Image) -> (Vec<u8>, Members) {
    let config = image.config_bytes();
    let layers: Vec<Value> = image.layers.iter().map(|layer| descriptor(layer.media_type, &layer.blob)).collect();
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": image.manifest_type,
        "config": descriptor(image.config_type, &config),
        "layers": layers,
    });
    let manifest = manifest.to_string().into_bytes();
    let mut blobs = vec![blob(manifest.clone()), blob(config)];
    blobs.extend(image.layers.iter().map(|layer| blob(layer.blob.clone())));
    (manifest, blobs)
}

/// A descriptor of some bytes.
pub fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({"mediaType": media_type, "digest": digest(bytes), "size": bytes.len()})
}

/// A blob under its digest.
pub fn blob(bytes: Vec<u8>) -> (String, Vec<u8>) {
    (format!("blobs/sha256/{}", hex(&bytes)), bytes)
}

/// The entries of an index for an image, one for each of its names, and its blobs.
pub fn index_entries(image: &Image) -> (Vec<Value>, Members) {
    let (manifest, blobs) = manifest_blobs(image);
    let mut plain = descriptor(image.manifest_type, &manifest);
    if let Some(platform) = &image.platform {
        plain["platform"] = platform.clone();
    }
    let named = |name: &String| {
        let mut entry = plain.clone();
        entry["annotations"] = json!({"org.opencontainers.image.ref.name": name});
        entry
    };
    let entries = if image.names.is_empty() { vec![plain.clone()] } else { image.names.iter().map(named).collect() };
    (entries, blobs)
}

/// An index of some entries.
pub fn index(entries: &[Value]) -> Vec<u8> {
    json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).to_string().into_bytes()
}

/// The members of an OCI layout with some index entries.
pub fn layout_members(entries: &[Value], blobs: Members) -> Members {
    let mut members = vec![
        ("oci-layout".into(), br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec()),
        ("index.json".into(), index(entries)),
    ];
    for (name, bytes) in blobs {
        if !members.iter().any(|(other, _)| *other == name) {
            members.push((name, bytes));
        }
    }
    members
}

/// The members of an OCI layout of some images.
pub fn oci_members(images: &[Image]) -> Members {
    let (entries, blobs): (Vec<_>, Vec<_>) = images.iter().map(index_entries).unzip();
    layout_members(&entries.concat(), blobs.concat())
}

/// The members of a directory of skopeo's.
pub fn dir_members(image: &Image) -> Members {
    let (manifest, blobs) = manifest_blobs(image);
    let mut members: Members =
        vec![("manifest.json".into(), manifest), ("version".into(), b"Directory Transport Version: 1.1\n".to_vec())];
    members.extend(blobs.into_iter().skip(1).map(|(name, bytes)| (name.replace("blobs/sha256/", ""), bytes)));
    members
}

/// Writes members as files below a directory.
pub fn write_directory(directory: &Path, members: &Members) -> PathBuf {
    for (name, bytes) in members {
        let path = directory.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    directory.to_owned()
}
