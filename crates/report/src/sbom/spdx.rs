use std::collections::BTreeMap;
use std::io::{self, Write};

use serde_json::{Map, Value, json};

use super::super::json::{OWN, write_pretty};
use super::super::names::hexadecimal;
use super::{Component, Sbom};
use nixdive_nix::Sha256Hash;

const IMAGE: &str = "SPDXRef-Image";
/// Trivy knows an operating system by the beginning of this identifier.
const SYSTEM: &str = "SPDXRef-OperatingSystem";

/// SPDX 2.3 in JSON. Licences stand as the databases write them, as extracted texts.
pub(super) fn write(sbom: &Sbom<'_>, out: &mut dyn Write) -> io::Result<()> {
    let uuid = sbom.uuid();
    let mut packages = vec![image(sbom)];
    packages.extend(system(sbom));
    packages.extend(sbom.components.iter().enumerate().map(|(index, component)| package(index, component)));
    let mut document = json!({
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": sbom.name(),
        "documentNamespace": format!("{}/spdx/{uuid}", env!("CARGO_PKG_REPOSITORY")),
        "creationInfo": {
            "created": sbom.created(),
            "creators": [format!("Tool: nixdive-{}", env!("CARGO_PKG_VERSION"))],
        },
        "packages": packages,
        "hasExtractedLicensingInfos": licences(sbom),
        "relationships": relationships(sbom),
    });
    let warnings: Vec<&str> = sbom.warnings().collect();
    if let (Some(object), false) = (document.as_object_mut(), warnings.is_empty()) {
        let comment = format!("The image is incomplete or altered, and so is this list: {}", warnings.join("; "));
        object.insert("comment".to_owned(), json!(comment));
    }
    write_pretty(&document, OWN, out)
}

fn identifier(index: usize) -> String {
    format!("SPDXRef-Package-{index}")
}

fn image(sbom: &Sbom<'_>) -> Value {
    let mut image = json!({
        "SPDXID": IMAGE,
        "name": sbom.name(),
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": false,
        "primaryPackagePurpose": "CONTAINER",
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": "NOASSERTION",
        "copyrightText": "NOASSERTION",
    });
    if let (Some(object), Some(digest)) = (image.as_object_mut(), sbom.digest()) {
        object.insert("versionInfo".to_owned(), json!(digest.as_str()));
    }
    image
}

fn system(sbom: &Sbom<'_>) -> Option<Value> {
    let distribution = sbom.distribution;
    let name = distribution.id.as_ref()?;
    let mut system = json!({
        "SPDXID": SYSTEM,
        "name": name,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": false,
        // With an underscore in JSON: the schema has it so.
        "primaryPackagePurpose": "OPERATING_SYSTEM",
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": "NOASSERTION",
        "copyrightText": "NOASSERTION",
    });
    let object = system.as_object_mut()?;
    let mut put = |key: &str, value: Value| object.insert(key.to_owned(), value);
    if let Some(version) = &distribution.version {
        put("versionInfo", json!(version));
    }
    if let Some(title) = &distribution.title {
        put("description", json!(title));
    }
    if let Some(home) = &distribution.home {
        put("homepage", json!(home));
    }
    if let Some(cpe) = &distribution.cpe {
        let kind = if cpe.starts_with("cpe:2.3:") { "cpe23Type" } else { "cpe22Type" };
        put("externalRefs", json!([{"referenceCategory": "SECURITY", "referenceType": kind, "referenceLocator": cpe}]));
    }
    Some(system)
}

fn package(index: usize, component: &Component) -> Value {
    let mut object = Map::new();
    let mut put = |key: &str, value: Value| object.insert(key.to_owned(), value);
    put("SPDXID", json!(identifier(index)));
    put("name", json!(component.name));
    if !component.version.is_empty() {
        put("versionInfo", json!(component.version));
    }
    put("downloadLocation", json!("NOASSERTION"));
    put("filesAnalyzed", json!(false));
    put("licenseConcluded", json!("NOASSERTION"));
    put("licenseDeclared", json!(component.licence.as_deref().map_or("NOASSERTION".to_owned(), licence_id)));
    put("copyrightText", json!("NOASSERTION"));
    if let Some(hash) = &component.nar_hash {
        put("checksums", json!([{"algorithm": "SHA256", "checksumValue": hexadecimal(&hash.0)}]));
    }
    let layer = component.layer.map(|layer| {
        let diff_id = component.layer_diff_id.as_deref().unwrap_or("unknown diffID");
        format!("layer {layer} ({diff_id})")
    });
    let place = match (component.kind, &layer) {
        ("nix", Some(layer)) => format!("{} in {layer}; the checksum is the NAR hash", component.reference),
        ("nix", None) => format!("{}; the checksum is the NAR hash", component.reference),
        (kind, Some(layer)) => format!("{kind} database, {layer}"),
        (kind, None) => format!("{kind} database"),
    };
    match &component.source {
        // In the words by which Trivy finds the source package.
        Some((name, version)) => {
            put("sourceInfo", json!(format!("built package from: {name} {version}")));
            put("comment", json!(place));
        }
        None => {
            put("sourceInfo", json!(place));
        }
    }
    let purl = json!({
        "referenceCategory": "PACKAGE-MANAGER",
        "referenceType": "purl",
        "referenceLocator": component.purl,
    });
    put("externalRefs", json!([purl]));
    Value::Object(object)
}

/// The same for the same text.
fn licence_id(licence: &str) -> String {
    let hash = hexadecimal(&Sha256Hash::of(licence.as_bytes()).0);
    format!("LicenseRef-{}", hash.get(..16).unwrap_or_default())
}

fn licences(sbom: &Sbom<'_>) -> Vec<Value> {
    let named = sbom.components.iter().filter_map(|component| component.licence.as_deref());
    let by_id: BTreeMap<String, &str> = named.map(|licence| (licence_id(licence), licence)).collect();
    let entry = |(id, licence): (String, &str)| json!({"licenseId": id, "name": licence, "extractedText": licence});
    by_id.into_iter().map(entry).collect()
}

fn relationships(sbom: &Sbom<'_>) -> Vec<Value> {
    let relate = |from: &str, kind: &str, to: &str| json!({"spdxElementId": from, "relationshipType": kind, "relatedSpdxElement": to});
    let mut found = vec![relate("SPDXRef-DOCUMENT", "DESCRIBES", IMAGE)];
    if sbom.distribution.id.is_some() {
        found.push(relate(IMAGE, "CONTAINS", SYSTEM));
        found.extend(sbom.system_packages().iter().map(|&index| relate(SYSTEM, "CONTAINS", &identifier(index))));
    }
    for (index, component) in sbom.components.iter().enumerate() {
        let from = identifier(index);
        found.push(relate(IMAGE, "CONTAINS", &from));
        found.extend(component.dependencies.iter().map(|&to| relate(&from, "DEPENDS_ON", &identifier(to))));
    }
    found
}
