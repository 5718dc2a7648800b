use super::*;

#[test]
fn an_image_is_added_to_a_layout_and_disturbs_no_other() {
    let scratch = tempfile::tempdir().unwrap();
    let layout = scratch.path().join("layout");
    let text = |name: &str| format!("oci:{}{name}", layout.display());
    write_small(&[text(":one")], &WriteOptions::default()).unwrap();
    assert_eq!(names(scratch.path()), ["layout"]);
    let gzip = WriteOptions { compression: LayerCompression::GZIP, ..WriteOptions::default() };
    write_small(&[text(":two")], &gzip).unwrap();
    write_small(&[text("")], &WriteOptions { created: Some(5), ..gzip }).unwrap();
    assert_eq!(names(&layout), ["blobs", "index.json", "oci-layout"]);
    let index: serde_json::Value = serde_json::from_slice(&fs::read(layout.join("index.json")).unwrap()).unwrap();
    assert_eq!(index["manifests"].as_array().unwrap().len(), 3);
    let opened = ["one", "two"].map(|name| open_text(format!("oci:{}:{name}", layout.display()).as_ref()));
    assert_eq!(lines(&opened[0]), lines(&opened[1]));
    assert_eq!(opened[0].image.layers[0].compression, nixdive_image::Compression::Zstd);
    assert_eq!(opened[1].image.layers[0].compression, nixdive_image::Compression::Gzip);
    assert!(opened.iter().all(|opened| opened.image.warnings.is_empty()));
}

#[test]
fn layers_that_a_layout_has_are_neither_read_nor_written_again() {
    let scratch = tempfile::tempdir().unwrap();
    let layout = scratch.path().join("layout");
    let destinations = [destination(&format!("oci:{}:web", layout.display()))];
    let options = WriteOptions::default();
    let layers = [vec![1], vec![0]];
    let first = write(&small(), &layers, &destinations, &given(), &options, &WriteProgress::default()).unwrap();
    assert!(first.layers.iter().all(|layer| !layer.is_reused));
    let changed = small();
    let mut changed = Composition { outside: vec![file("etc/passwd", b"other")], ..changed };
    changed.store_paths[0].entries[3] = file(&format!("nix/store/{A}/bin/data"), &[8; 70_001]);
    let progress = WriteProgress::default();
    let second = write(&changed, &layers, &destinations, &given(), &options, &progress).unwrap();
    assert_eq!(second.layers.iter().map(|layer| layer.is_reused).collect::<Vec<_>>(), [true, false, false]);
    assert_eq!(second.layers[0].diff_id, first.layers[0].diff_id);
    assert_eq!(second.layers[0].blob, first.layers[0].blob);
    assert_eq!(progress.layers()[0].0, 0, "no byte of it was read");
    assert!(second.destinations[0].bytes < first.destinations[0].bytes);
    // Equals the result of writing into an empty directory.
    let fresh = [destination(&format!("oci:{}:web", scratch.path().join("fresh").display()))];
    let third = write(&changed, &layers, &fresh, &given(), &options, &WriteProgress::default()).unwrap();
    assert_eq!(third.destinations[0].manifest_digest, second.destinations[0].manifest_digest);
    let index: serde_json::Value = serde_json::from_slice(&fs::read(layout.join("index.json")).unwrap()).unwrap();
    assert_eq!(index["manifests"].as_array().unwrap().len(), 1, "the image of the same name was replaced");
}

#[test]
fn an_image_json_names_layers_beside_it() {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("image.json");
    let written = write_small(&[format!("nix:{}", file.display())], &WriteOptions::default()).unwrap();
    assert_eq!(names(scratch.path()), ["image.json", "image.json.layers"]);
    let document: serde_json::Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    assert_eq!(document["version"], 1);
    for (layer, written) in document["layers"].as_array().unwrap().iter().zip(&written.layers) {
        assert_eq!(layer["digest"], written.diff_id.as_str());
        let bytes = fs::read(layer["layer-path"].as_str().unwrap()).unwrap();
        assert_eq!((digest_of(&bytes), bytes.len() as u64), (written.diff_id.clone(), written.unpacked_bytes));
    }
    assert_eq!(document["layers"][0]["paths"][0]["path"], format!("/nix/store/{B}"));
    let opened = open_text(format!("nix:{}", file.display()).as_ref());
    assert!(lines(&opened).iter().any(|line| line.starts_with("/etc/passwd ")), "{:?}", opened.image.warnings);
}
