//! Configuration, manifests and indexes as JSON. Keys are in the order of the specifications, without white space, so
//! that equal images have equal bytes.

use serde_json::{Map, Value, json};

use super::WriteOptions;
use super::layer::{LayerSource, PlannedLayer};
use nixdive_image::{Compression, Config, Digest, HistoryEntry, Platform};

/// Modification time that Nix gives to everything: one second after the beginning of 1970.
pub(super) const EPOCH: &str = "1970-01-01T00:00:01Z";
/// Media type of an OCI manifest.
pub const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
/// Media type of an OCI configuration.
pub const CONFIG_TYPE: &str = "application/vnd.oci.image.config.v1+json";
/// Annotation on a descriptor in an index that marks images written by this program.
pub(super) const ANNOTATION_WRITER: &str = "org.nixdive.writer";
/// Annotation with the digest of the inputs of a layer, so that the layer need not be generated again.
pub const ANNOTATION_MADE_OF: &str = "org.nixdive.made-of";
/// Annotation on the descriptor of a compressed layer: its diffID.
pub const ANNOTATION_DIFF_ID: &str = "org.nixdive.diff-id";
/// Annotation on a descriptor in an OCI layout: the tag of the image.
pub const ANNOTATION_NAME: &str = "org.opencontainers.image.ref.name";

/// Serializes the image configuration: OCI image specification, "Image Configuration", with Docker's additions.
pub(super) fn config(config: &Config, layers: &[PlannedLayer<'_>], diff_ids: &[Digest], created: &str) -> Vec<u8> {
    let mut document = Map::new();
    document.insert("created".into(), created.into());
    put_text(&mut document, "author", config.author.as_deref().unwrap_or_default());
    let Platform { os, architecture, variant } = &config.platform;
    document.insert("architecture".into(), architecture.as_str().into());
    put_text(&mut document, "variant", variant.as_deref().unwrap_or_default());
    document.insert("os".into(), os.as_str().into());
    document.insert("config".into(), execution(config).into());
    let diff_ids: Vec<&str> = diff_ids.iter().map(Digest::as_str).collect();
    document.insert("rootfs".into(), json!({"type": "layers", "diff_ids": diff_ids}));
    let history: Vec<Value> = layers.iter().flat_map(|layer| history(layer, created)).collect();
    document.insert("history".into(), history.into());
    Value::Object(document).to_string().into_bytes()
}

/// Returns the run configuration of an image.
pub(super) fn execution(config: &Config) -> Map<String, Value> {
    let mut document = Map::new();
    put_text(&mut document, "User", &config.user);
    put_set(&mut document, "ExposedPorts", &config.exposed_ports);
    put_list(&mut document, "Env", &config.env);
    put_list(&mut document, "Entrypoint", &config.entrypoint);
    put_list(&mut document, "Cmd", &config.cmd);
    put_set(&mut document, "Volumes", &config.volumes);
    put_text(&mut document, "WorkingDir", &config.working_directory);
    if !config.labels.is_empty() {
        let labels: Map<String, Value> =
            config.labels.iter().map(|(key, value)| (key.clone(), value.as_str().into())).collect();
        document.insert("Labels".into(), labels.into());
    }
    put_text(&mut document, "StopSignal", config.stop_signal.as_deref().unwrap_or_default());
    if let Some(health) = &config.healthcheck {
        let mut check = Map::new();
        put_list(&mut check, "Test", &health.test);
        let numbers =
            [("Interval", health.interval), ("Timeout", health.timeout), ("StartPeriod", health.start_period)];
        for (key, number) in numbers.into_iter().chain([("Retries", health.retries)]) {
            if let Some(number) = number {
                check.insert(key.into(), number.into());
            }
        }
        document.insert("Healthcheck".into(), check.into());
    }
    put_list(&mut document, "OnBuild", &config.on_build);
    put_list(&mut document, "Shell", &config.shell);
    document
}

fn put_text(document: &mut Map<String, Value>, key: &str, text: &str) {
    if !text.is_empty() {
        document.insert(key.into(), text.into());
    }
}

fn put_list(document: &mut Map<String, Value>, key: &str, texts: &[String]) {
    if !texts.is_empty() {
        document.insert(key.into(), texts.into());
    }
}

fn put_set(document: &mut Map<String, Value>, key: &str, texts: &[String]) {
    if !texts.is_empty() {
        let set: Map<String, Value> = texts.iter().map(|text| (text.clone(), json!({}))).collect();
        document.insert(key.into(), set.into());
    }
}

/// Returns the history entries of one layer. Those of store paths list them, as dockerTools does.
fn history(layer: &PlannedLayer<'_>, created: &str) -> Vec<Value> {
    if let LayerSource::Base { layer, .. } = &layer.source {
        return layer.history.iter().map(of_entry).collect();
    }
    let comment = if layer.store_paths.is_empty() {
        "files outside the store".to_owned()
    } else {
        let paths: Vec<String> = layer.store_paths.iter().map(|path| format!("'{path}'")).collect();
        format!("store paths: [{}]", paths.join(", "))
    };
    vec![json!({"created": created, "comment": comment})]
}

fn of_entry(entry: &HistoryEntry) -> Value {
    let mut document = Map::new();
    let texts = [
        ("created", &entry.created),
        ("created_by", &entry.created_by),
        ("author", &entry.author),
        ("comment", &entry.comment),
    ];
    for (key, text) in texts {
        put_text(&mut document, key, text.as_deref().unwrap_or_default());
    }
    if entry.empty_layer {
        document.insert("empty_layer".into(), true.into());
    }
    Value::Object(document)
}

/// Returns the `manifest.json` of a docker-archive.
pub fn docker_manifest(config_name: &str, reference: Option<&str>, layers: &[String]) -> Vec<u8> {
    let tags: Vec<&str> = reference.into_iter().collect();
    json!([{"Config": config_name, "RepoTags": tags, "Layers": layers}]).to_string().into_bytes()
}

/// Layer as it is stored in an OCI layout.
#[derive(Debug, Clone)]
pub(super) struct Blob {
    pub digest: Digest,
    /// Length of the blob, bytes.
    pub stored_bytes: u64,
    /// Compression of the blob.
    pub compression: Compression,
    /// Digest of the inputs of the layer, if they determine its content, and its diffID.
    pub made_of: Option<(Digest, Digest)>,
}

/// Serializes the image manifest: OCI image specification, "Image Manifest".
pub(super) fn manifest(config: (&Digest, usize), blobs: &[Blob]) -> Vec<u8> {
    let layers: Vec<Value> = blobs.iter().map(descriptor).collect();
    let (digest, bytes) = config;
    json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": {"mediaType": CONFIG_TYPE, "digest": digest.as_str(), "size": bytes},
        "layers": layers,
    })
    .to_string()
    .into_bytes()
}

fn descriptor(blob: &Blob) -> Value {
    let media_type = match blob.compression {
        Compression::Gzip => "application/vnd.oci.image.layer.v1.tar+gzip",
        Compression::Zstd => "application/vnd.oci.image.layer.v1.tar+zstd",
        _ => "application/vnd.oci.image.layer.v1.tar",
    };
    let mut document = Map::new();
    document.insert("mediaType".into(), media_type.into());
    document.insert("digest".into(), blob.digest.as_str().into());
    document.insert("size".into(), blob.stored_bytes.into());
    if let Some((made_of, diff_id)) = &blob.made_of {
        let annotations = json!({ANNOTATION_MADE_OF: made_of.as_str(), ANNOTATION_DIFF_ID: diff_id.as_str()});
        document.insert("annotations".into(), annotations);
    }
    Value::Object(document)
}

/// Returns the descriptor of a manifest in an index.
pub(super) fn index_entry(digest: &Digest, bytes: usize, platform: &Platform, reference: Option<&str>) -> Value {
    let mut known = json!({"architecture": platform.architecture, "os": platform.os});
    if let (Some(variant), Some(known)) = (&platform.variant, known.as_object_mut()) {
        known.insert("variant".into(), variant.as_str().into());
    }
    let mut annotations = Map::new();
    if let Some(reference) = reference {
        annotations.insert(ANNOTATION_NAME.into(), reference.into());
    }
    annotations.insert(ANNOTATION_WRITER.into(), "nixdive".into());
    json!({
        "mediaType": MANIFEST_TYPE,
        "digest": digest.as_str(),
        "size": bytes,
        "annotations": annotations,
        "platform": known,
    })
}

/// Returns the creation time of the image, as its configuration states it.
pub(super) fn created(options: &WriteOptions) -> String {
    options.created.map_or_else(|| EPOCH.to_owned(), rfc3339)
}

/// Formats seconds since 1970 by RFC 3339, in UTC; days are converted to a date after H. Hinnant, "chrono-Compatible
/// Low-Level Date Algorithms", `civil_from_days`.
fn rfc3339(seconds: u64) -> String {
    let (days, of_day) = (seconds / 86_400, seconds % 86_400);
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_dates() {
        // `date -u -d @… +%FT%TZ`
        let table = [
            (1, EPOCH),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (4_102_444_800, "2100-01-01T00:00:00Z"),
        ];
        for (seconds, text) in table {
            assert_eq!(rfc3339(seconds), text);
        }
    }
}
