//! Detects the kind of a JSON document by the keys of its outermost object.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::lenient::Lenient;

/// Maximum number of keys examined.
const MOST_KEYS: usize = 64;

/// A kind of document: its outermost object has all of these keys, and one value has the given prefix, if any.
struct Form {
    keys: &'static [&'static str],
    value: Option<(&'static str, &'static str)>,
    name: &'static str,
}

const fn form(keys: &'static [&'static str], name: &'static str) -> Form {
    Form { keys, value: None, name }
}

const fn valued(key: &'static str, value: &'static str, name: &'static str) -> Form {
    Form { keys: &[], value: Some((key, value)), name }
}

/// The image or layer description of nix2container.
pub(super) const NIX2CONTAINER: &str = "nix2container image.json; give it as a file";

/// The first match counts.
const FORMS: &[Form] = &[
    valued("schema", "nixdive.", "nixdive report (JSON)"),
    valued("bomFormat", "CycloneDX", "bill of materials (CycloneDX)"),
    form(&["spdxVersion"], "bill of materials (SPDX)"),
    valued("_type", "https://in-toto.io/", "attestation (in-toto)"),
    form(&["payloadType", "payload"], "signed envelope of an attestation (DSSE)"),
    form(&["critical"], "payload of a signature (cosign)"),
    form(&["schemaVersion", "fsLayers"], "Docker schema 1 image manifest, without the image's files"),
    form(&["schemaVersion", "manifests"], "image index, without the image's files"),
    form(&["schemaVersion", "layers"], "image manifest, without the image's files"),
    form(&["schemaVersion", "blobs"], "artifact manifest"),
    form(&["imageLayoutVersion"], "OCI layout marker; give the directory that contains it"),
    form(&["rootfs", "architecture"], "image configuration, without the image's files"),
    form(&["image", "layer"], "export of dive (JSON)"),
    form(&["SchemaVersion", "ArtifactName"], "Trivy report (JSON)"),
    form(&["matches", "descriptor"], "Grype report (JSON)"),
    form(&["artifacts", "artifactRelationships"], "Syft bill of materials (JSON)"),
    form(&["runs", "version"], "findings report (SARIF)"),
    form(&["auths"], "registry credentials (JSON)"),
    form(&["image-config"], NIX2CONTAINER),
    form(&["digest", "diff_ids"], NIX2CONTAINER),
    form(&["nodes", "root", "version"], "Nix flake lock file"),
    form(&["apiVersion", "kind"], "Kubernetes manifest (JSON)"),
    form(&["lockfileVersion"], "npm lock file"),
    form(&["name", "version", "dependencies"], "npm package (package.json)"),
    form(&["terraform_version"], "Terraform state"),
    form(&["nbformat", "cells"], "Jupyter notebook"),
];

/// Returns the kind of a JSON document as a noun phrase without article, or `None` if the text is not JSON. If the text
/// is truncated, only the keys before that point count.
#[must_use]
pub fn json_format(text: &[u8]) -> Option<&'static str> {
    let mut outline = Outline::default();
    let is_whole = (&mut outline).deserialize(&mut serde_json::Deserializer::from_slice(text)).is_ok();
    if let Some(form) = FORMS.iter().find(|form| outline.has(form)) {
        return Some(form.name);
    }
    if outline.is_list && outline.keys.iter().any(|key| key == "RepoTags") {
        return Some("list of images (`docker inspect`, or the manifest of a docker-archive), without their files");
    }
    (is_whole || !outline.keys.is_empty()).then_some("JSON document of unknown kind")
}

/// The first keys of a document's outermost object, or of the first object in a list.
#[derive(Debug, Default)]
struct Outline {
    is_list: bool,
    keys: Vec<String>,
    /// Values of keys that [`FORMS`] uses.
    texts: Vec<(String, String)>,
}

impl Outline {
    fn has(&self, form: &Form) -> bool {
        form.keys.iter().all(|key| self.keys.iter().any(|known| known == key))
            && form.value.is_none_or(|(key, value)| {
                self.texts.iter().any(|(known, text)| known == key && text.starts_with(value))
            })
    }
}

impl<'de> DeserializeSeed<'de> for &mut Outline {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &mut Outline {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object or a list")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let is_asked_for = |key: &str| FORMS.iter().any(|form| form.value.is_some_and(|(wanted, _)| wanted == key));
        while let Some(key) = entries.next_key::<String>()? {
            if self.keys.len() >= MOST_KEYS {
                entries.next_value::<IgnoredAny>()?;
                continue;
            }
            if is_asked_for(&key) {
                let Lenient(text) = entries.next_value::<Lenient<Option<String>>>()?;
                self.texts.extend(text.map(|text| (key.clone(), text)));
                self.keys.push(key);
            } else {
                self.keys.push(key);
                entries.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        self.is_list = true;
        items.next_element_seed(&mut *self)?;
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::json_format;

    #[test]
    fn documents_are_known_by_their_keys() {
        let cases = [
            (r#"{"bomFormat": "CycloneDX", "components": []}"#, "bill of materials (CycloneDX)"),
            (r#"{"spdxVersion": "SPDX-2.3"}"#, "bill of materials (SPDX)"),
            (r#"{"_type": "https://in-toto.io/Statement/v1", "subject": []}"#, "attestation (in-toto)"),
            (r#"{"schemaVersion": 2, "config": {}, "layers": []}"#, "image manifest, without the image's files"),
            (r#"{"schema": "nixdive.inspect/1"}"#, "nixdive report (JSON)"),
            (r#"{"x": 1}"#, "JSON document of unknown kind"),
        ];
        for (text, expected) in cases {
            assert_eq!(json_format(text.as_bytes()), Some(expected), "{text}");
        }
        let lists = json_format(br#"[{"Id": "x", "RepoTags": null}]"#);
        assert!(lists.is_some_and(|name| name.starts_with("list of images")));
    }

    #[test]
    fn keys_before_the_end_of_a_cut_text_count() {
        assert_eq!(json_format(br#"{"spdxVersion": "SPDX-2.3", "packages": ["#), Some("bill of materials (SPDX)"));
        assert_eq!(json_format(b"{ not json"), None);
        assert_eq!(json_format(b"[section]"), None);
        assert_eq!(json_format(b"[1, 2]"), None);
    }
}
