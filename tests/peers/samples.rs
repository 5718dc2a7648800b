//! The images that come with nixdive.

use std::path::Path;

use serde_json::Value;

use crate::peers::{inspect, nixdive, of_layers, output};

fn sample(name: &str) -> Value {
    inspect(Path::new(env!("CARGO_MANIFEST_DIR")).join("sample-images").join(name))
}

fn assert_whole(report: &Value, layers: usize) {
    assert_eq!(report["layers"].as_array().unwrap().len(), layers);
    assert_eq!(report["warnings"], Value::Array(Vec::new()));
    assert!(of_layers(report, "diffIdCheck").iter().all(|check| check == "matches"));
}

#[test]
fn the_nix_image_opens_and_wastes_nothing() {
    let report = sample("lighttpd-nix.tar.gz");
    assert_whole(&report, 11);
    assert_eq!(report["figures"]["wastedBytes"], 0);
    assert_eq!(report["identity"]["sourceCompression"], "gzip");
}

#[test]
fn the_docker_image_opens_and_wastes_what_its_readme_says() {
    let report = sample("lighttpd-docker.tar.zst");
    assert_whole(&report, 10);
    let figures = &report["figures"];
    assert!(figures["wastedBytes"].as_u64().unwrap() > 500_000, "{figures}");
    assert!(figures["efficiency"].as_f64().unwrap() < 0.98, "{figures}");
    // A file overwritten, a `chown -R`, and a build context that is removed too late.
    let waste = report["waste"].as_array().unwrap();
    for cause in ["overwritten", "metadataOnly"] {
        assert!(waste.iter().any(|waste| waste["cause"] == cause), "{cause}");
    }
    let removed = report["removedDirectories"].as_array().unwrap();
    assert!(removed.iter().any(|directory| directory["path"] == "/src"), "{removed:?}");
}

#[test]
fn the_sample_within_the_program_opens_anywhere() {
    let place = tempfile::tempdir().unwrap();
    let bytes = output(nixdive().current_dir(place.path()).args(["inspect", "embedded:sample", "--format", "json"]));
    let report: Value = serde_json::from_slice(&bytes).unwrap();
    assert_whole(&report, 4);
    assert!(report["figures"]["wastedBytes"].as_u64().unwrap() > 0);
}
