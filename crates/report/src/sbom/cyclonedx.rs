use std::io::{self, Write};

use serde_json::{Map, Value, json};

use super::super::json::{OWN, write_pretty};
use super::super::names::hexadecimal;
use super::{Component, Sbom};

/// Reference of the image itself.
const IMAGE: &str = "image";
/// Reference of its operating system.
const SYSTEM: &str = "operating-system";

/// CycloneDX 1.6 in JSON.
pub(super) fn write(sbom: &Sbom<'_>, out: &mut dyn Write) -> io::Result<()> {
    let mut document = json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": format!("urn:uuid:{}", sbom.uuid()),
        "version": 1,
        "metadata": {
            "timestamp": sbom.created(),
            "tools": {"components": [{"type": "application", "name": "nixdive", "version": env!("CARGO_PKG_VERSION")}]},
            "component": image(sbom),
        },
        "components": system(sbom).into_iter().chain(sbom.components.iter().map(component)).collect::<Vec<_>>(),
        "dependencies": dependencies(sbom),
    });
    if !sbom.image.is_complete() {
        note_incomplete(sbom, &mut document);
    }
    write_pretty(&document, OWN, out)
}

fn image(sbom: &Sbom<'_>) -> Value {
    let mut image = json!({"type": "container", "bom-ref": IMAGE, "name": sbom.name()});
    if let (Some(object), Some(digest)) = (image.as_object_mut(), sbom.digest()) {
        object.insert("version".to_owned(), json!(digest.as_str()));
    }
    image
}

/// The operating system. Its name is `ID` of `os-release`, by which scanners choose their advisories.
fn system(sbom: &Sbom<'_>) -> Option<Value> {
    let distribution = sbom.distribution;
    let name = distribution.id.as_ref()?;
    let mut object = Map::new();
    let mut put = |key: &str, value: Value| object.insert(key.to_owned(), value);
    put("type", json!("operating-system"));
    put("bom-ref", json!(SYSTEM));
    put("name", json!(name));
    if let Some(version) = &distribution.version {
        put("version", json!(version));
    }
    if let Some(title) = &distribution.title {
        put("description", json!(title));
    }
    if let Some(cpe) = &distribution.cpe {
        put("cpe", json!(cpe));
    }
    if let Some(home) = &distribution.home {
        put("externalReferences", json!([{"type": "website", "url": home}]));
    }
    Some(Value::Object(object))
}

/// Says that the bill may lack something, and why.
fn note_incomplete(sbom: &Sbom<'_>, document: &mut Value) {
    let mut properties = vec![json!({"name": "nixdive:complete", "value": "false"})];
    properties.extend(sbom.warnings().map(|warning| json!({"name": "nixdive:warning", "value": warning})));
    if let Some(metadata) = document.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.insert("properties".to_owned(), Value::Array(properties));
    }
    if let Some(object) = document.as_object_mut() {
        object.insert("compositions".to_owned(), json!([{"aggregate": "incomplete", "assemblies": [IMAGE]}]));
    }
}

fn component(component: &Component) -> Value {
    let mut object = Map::new();
    object.insert("type".to_owned(), json!("library"));
    object.insert("bom-ref".to_owned(), json!(component.reference));
    object.insert("name".to_owned(), json!(component.name));
    if !component.version.is_empty() {
        object.insert("version".to_owned(), json!(component.version));
    }
    if let Some(hash) = &component.nar_hash {
        object.insert("hashes".to_owned(), json!([{"alg": "SHA-256", "content": hexadecimal(&hash.0)}]));
    }
    if let Some(licence) = &component.licence {
        object.insert("licenses".to_owned(), json!([{"license": {"name": licence}}]));
    }
    object.insert("purl".to_owned(), json!(component.purl));
    object.insert("properties".to_owned(), Value::Array(properties(component)));
    Value::Object(object)
}

fn properties(component: &Component) -> Vec<Value> {
    let layer = component.layer.map(|layer| layer.to_string());
    let is_store_path = component.kind == "nix";
    let bytes = component.bytes.to_string();
    let nar_hash = component.nar_hash.as_ref().map(nixdive_nix::Sha256Hash::to_sri);
    let pairs = [
        ("nixdive:kind", Some(component.kind)),
        ("nixdive:layer", layer.as_deref()),
        ("nixdive:layerDiffId", component.layer_diff_id.as_deref()),
        ("nixdive:storePath", is_store_path.then_some(component.reference.as_str())),
        (if is_store_path { "nixdive:narBytes" } else { "nixdive:installedBytes" }, Some(bytes.as_str())),
        ("nixdive:narHash", nar_hash.as_deref()),
    ];
    let pairs = pairs.into_iter().chain(source(component));
    pairs.filter_map(|(name, value)| Some(json!({"name": name, "value": value?}))).collect()
}

/// The source package in the properties by which Trivy looks advisories up. Where no version is given, it takes the
/// package's own.
fn source(component: &Component) -> Vec<(&'static str, Option<&str>)> {
    let Some((name, version)) = &component.source else { return Vec::new() };
    let mut pairs = vec![("aquasecurity:trivy:SrcName", Some(name.as_str()))];
    let without_epoch = component.version.split_once(':').map_or(component.version.as_str(), |(_, rest)| rest);
    if *version != component.version && version != without_epoch {
        let (epoch, rest) =
            version.split_once(':').map_or((None, version.as_str()), |(epoch, rest)| (Some(epoch), rest));
        let (upstream, release) = rest.rsplit_once('-').map_or((rest, None), |(rest, release)| (rest, Some(release)));
        let epoch = epoch.filter(|epoch| epoch.parse::<u32>().is_ok());
        pairs.extend([
            ("aquasecurity:trivy:SrcVersion", Some(upstream)),
            ("aquasecurity:trivy:SrcRelease", release),
            ("aquasecurity:trivy:SrcEpoch", epoch),
        ]);
    }
    pairs
}

fn dependencies(sbom: &Sbom<'_>) -> Vec<Value> {
    let references = |indices: &[usize]| -> Vec<&str> {
        indices.iter().filter_map(|&index| Some(sbom.components.get(index)?.reference.as_str())).collect()
    };
    let mut found = match sbom.distribution.id {
        None => vec![json!({"ref": IMAGE, "dependsOn": references(&sbom.direct)})],
        Some(_) => {
            let direct: Vec<&str> = std::iter::once(SYSTEM).chain(references(&sbom.direct)).collect();
            let of_system = references(&sbom.system_packages());
            vec![json!({"ref": IMAGE, "dependsOn": direct}), json!({"ref": SYSTEM, "dependsOn": of_system})]
        }
    };
    found.extend(
        sbom.components
            .iter()
            .map(|component| json!({"ref": component.reference, "dependsOn": references(&component.dependencies)})),
    );
    found
}
