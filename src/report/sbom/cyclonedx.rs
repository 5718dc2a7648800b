use std::io::{self, Write};

use serde_json::{Map, Value, json};

use super::super::json::{OWN, write_pretty};
use super::super::names::hexadecimal;
use super::{Component, Sbom};

/// Reference of the image itself.
const IMAGE: &str = "image";

/// CycloneDX 1.6 in JSON.
pub(super) fn write(sbom: &Sbom<'_>, out: &mut dyn Write) -> io::Result<()> {
    let document = json!({
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
        "components": sbom.components.iter().map(component).collect::<Vec<_>>(),
        "dependencies": dependencies(sbom),
    });
    write_pretty(&document, OWN, out)
}

fn image(sbom: &Sbom<'_>) -> Value {
    let mut image = json!({"type": "container", "bom-ref": IMAGE, "name": sbom.name()});
    if let (Some(object), Some(digest)) = (image.as_object_mut(), sbom.digest()) {
        object.insert("version".to_owned(), json!(digest.as_str()));
    }
    image
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
    let nar_hash = component.nar_hash.as_ref().map(crate::nix::Sha256Hash::to_sri);
    let pairs = [
        ("nixdive:kind", Some(component.kind)),
        ("nixdive:layer", layer.as_deref()),
        ("nixdive:layerDiffId", component.layer_diff_id.as_deref()),
        ("nixdive:storePath", is_store_path.then_some(component.reference.as_str())),
        (if is_store_path { "nixdive:narBytes" } else { "nixdive:installedBytes" }, Some(bytes.as_str())),
        ("nixdive:narHash", nar_hash.as_deref()),
    ];
    pairs.into_iter().filter_map(|(name, value)| Some(json!({"name": name, "value": value?}))).collect()
}

fn dependencies(sbom: &Sbom<'_>) -> Vec<Value> {
    let references = |indices: &[usize]| -> Vec<&str> {
        indices.iter().filter_map(|&index| Some(sbom.components.get(index)?.reference.as_str())).collect()
    };
    let mut found = vec![json!({"ref": IMAGE, "dependsOn": references(&sbom.direct)})];
    found.extend(
        sbom.components
            .iter()
            .map(|component| json!({"ref": component.reference, "dependsOn": references(&component.dependencies)})),
    );
    found
}
