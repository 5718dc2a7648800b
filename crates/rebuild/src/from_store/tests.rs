use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::*;
use crate::{Body, Entry, ImageContent};
use nixdive_write::fixture::{open_file, opened};
use nixdive_write::layering::Strategy;
use nixdive_write::{Destination, WriteOptions, WriteProgress, write};

const HELLO: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-hello-1.0";
const LIBRARY: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb-library-2.0";
const OTHER: &str = "cccccccccccccccccccccccccccccccc-other-3.0";

/// Creates a store with hello, its library, and another package that shares some file paths.
fn store() -> (tempfile::TempDir, LocalStore) {
    let root = tempfile::tempdir().unwrap();
    let put = |path: String, content: &str| {
        let file = root.path().join("nix/store").join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, content).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o555)).unwrap();
    };
    put(format!("{HELLO}/bin/hello"), &format!("uses /nix/store/{LIBRARY}/lib/x"));
    put(format!("{HELLO}/share/doc/readme"), "the same");
    put(format!("{HELLO}/nix-support/propagated"), "");
    put(format!("{LIBRARY}/lib/x"), "x");
    put(format!("{OTHER}/bin/other"), "other");
    put(format!("{OTHER}/share/doc/readme"), "the same");
    let local = LocalStore::at(root.path());
    (root, local)
}

fn path(base_name: &str) -> StorePath {
    StorePath::parse_base_name(base_name.as_bytes()).unwrap()
}

fn shown(entries: &[Entry]) -> Vec<String> {
    let line = |entry: &Entry| {
        let path = String::from_utf8_lossy(&entry.path).into_owned();
        match &entry.body {
            Body::Symlink(target) => format!("{path} -> {}", String::from_utf8_lossy(target)),
            _ => path,
        }
    };
    entries.iter().map(line).collect()
}

#[test]
fn a_closure_becomes_an_image_with_its_contents_at_the_root() {
    let (_root, store) = store();
    let wanted = FromStore { linked: vec![path(HELLO), path(OTHER)], ..FromStore::default() };
    let composed = compose(&store, &wanted, None, &Cancel::new()).unwrap();
    let composition = &composed.composition;
    let names: Vec<&str> = composition.store_paths.iter().map(|known| known.path.base_name()).collect();
    assert_eq!(names, [HELLO, LIBRARY, OTHER]);
    assert_eq!(composition.store_paths[0].references, [1]);
    assert_eq!(composition.store_paths[0].stability, Stability::Application);
    assert_eq!(composition.store_paths[1].stability, Stability::Package);
    assert_eq!(
        shown(&composition.outside),
        [
            "bin".to_owned(),
            format!("bin/hello -> /nix/store/{HELLO}/bin/hello"),
            format!("bin/other -> /nix/store/{OTHER}/bin/other"),
            "share".to_owned(),
            "share/doc".to_owned(),
            format!("share/doc/readme -> /nix/store/{HELLO}/share/doc/readme"),
        ]
    );
    assert_eq!(composition.config.platform, Platform::host());
    assert!(composed.notes[0].contains("references were searched for in files"));
}

#[test]
fn two_files_at_one_place_are_an_error() {
    let (root, store) = store();
    let readme = root.path().join("nix/store").join(OTHER).join("share/doc/readme");
    fs::remove_file(&readme).unwrap();
    fs::write(&readme, "another").unwrap();
    let wanted = FromStore { linked: vec![path(HELLO), path(OTHER)], ..FromStore::default() };
    let error = compose(&store, &wanted, None, &Cancel::new()).unwrap_err().to_string();
    assert!(error.starts_with(&format!("/share/doc/readme would be both /nix/store/{HELLO}")), "{error}");
    let nothing = compose(&store, &FromStore::default(), None, &Cancel::new());
    assert!(matches!(nothing, Err(FromStoreError::Nothing)));
    let gone = FromStore { paths: vec![path(&HELLO.replace("hello", "gone"))], ..FromStore::default() };
    assert!(matches!(compose(&store, &gone, None, &Cancel::new()), Err(FromStoreError::Store(_))));
}

#[test]
fn nar_sizes_are_those_of_the_archive() {
    let (_root, store) = store();
    let composed = walk::store_path(&store, &path(HELLO), &Cancel::new()).unwrap();
    let on_disk = store.on_disk(path(HELLO).to_string().as_bytes());
    match std::process::Command::new("nix-store").arg("--dump").arg(on_disk).output() {
        Ok(dumped) if dumped.status.success() => assert_eq!(composed.nar_bytes, dumped.stdout.len() as u64),
        _ if std::env::var_os("NIXDIVE_LIVE").is_some_and(|live| live == "1") => panic!("nix-store is not here"),
        _ => println!("skipped: nix-store is not here"),
    }
}

fn write_to(file: &Path, composed: &Composed, content: &ImageContent<'_>) {
    let layers = Strategy::Stable.assign(&composed.composition, &[], 100);
    let destination = Destination::parse(file.as_os_str()).unwrap();
    let (options, progress) = (WriteOptions::default(), WriteProgress::default());
    write(&composed.composition, &layers, &[destination], content, &options, &progress).unwrap();
}

#[test]
fn a_base_keeps_its_layers_and_its_store_paths_are_not_repeated() {
    let (_root, store) = store();
    let scratch = tempfile::tempdir().unwrap();
    let first = scratch.path().join("first.tar");
    let wanted = FromStore { paths: vec![path(LIBRARY)], linked: vec![path(LIBRARY)], ..FromStore::default() };
    let composed = compose(&store, &wanted, None, &Cancel::new()).unwrap();
    let Some(some_image) = opened("nix/hello-nix.tar.gz") else { return };
    let content = ImageContent::new(&some_image.image.tree, &some_image.contents);
    write_to(&first, &composed, &content);

    let below = open_file(&first);
    let base = Base { image: &below.image };
    let config = Config { env: vec!["A=1".into()], ..Config::default() };
    let wanted = FromStore { linked: vec![path(HELLO)], config, ..FromStore::default() };
    let composed = compose(&store, &wanted, Some(base), &Cancel::new()).unwrap();
    assert_eq!(composed.in_base, [path(LIBRARY)]);
    assert_eq!(composed.composition.store_paths.len(), 1);
    let content = ImageContent::new(&below.image.tree, &below.contents).with_base(composed.base_layers.clone());
    let second = scratch.path().join("second.tar");
    write_to(&second, &composed, &content);
    let image = open_file(&second).image;
    assert_eq!(image.layers[..2].iter().map(|layer| &layer.diff_id).collect::<Vec<_>>(), {
        below.image.layers.iter().map(|layer| &layer.diff_id).collect::<Vec<_>>()
    });
    assert_eq!(image.layers.len(), 4);
    assert_eq!(image.config.history.len(), 4);
    assert_eq!(image.config.env, ["A=1"]);
    for inside in [format!("/nix/store/{LIBRARY}/lib/x"), "/lib/x".into(), "/bin/hello".into()] {
        assert!(image.tree.lookup(inside.as_bytes()).is_some(), "{inside}");
    }
}

#[test]
fn a_configuration_is_read_as_dockertools_takes_it() {
    let text = br#"{"Entrypoint": ["/bin/hello"], "Env": ["A=b"], "ExposedPorts": {"80/tcp": {}}, "WorkingDir": "/data",
        "Volumes": {"/data": {}}, "Labels": {"a": "b"}, "Healthcheck": {"Test": ["CMD", "x"], "Interval": 30000000000}}"#;
    let config = read_config(text).unwrap();
    assert_eq!(config.entrypoint, ["/bin/hello"]);
    assert_eq!(config.exposed_ports, ["80/tcp"]);
    assert_eq!(config.healthcheck.unwrap().interval, Some(30_000_000_000));
    for bad in [&br#"{"Entrypont": []}"#[..], b"[]", br#"{"Env": ["A"]}"#, br#"{"ExposedPorts": {"x": {}}}"#, b"{"] {
        assert!(read_config(bad).is_err(), "{}", String::from_utf8_lossy(bad));
    }
}

#[test]
fn options_change_what_they_name() {
    let mut config = read_config(br#"{"Env": ["A=1", "B=2"], "Cmd": ["x"]}"#).unwrap();
    let changes = ConfigChanges {
        entrypoint: Some(vec!["/bin/hello".into()]),
        env: vec!["B=3".into(), "C=".into()],
        exposed_ports: vec!["80".into(), "53/udp".into()],
        labels: vec!["a=b=c".into()],
        ..ConfigChanges::default()
    };
    changes.apply(&mut config).unwrap();
    assert_eq!(config.env, ["A=1", "B=3", "C="]);
    assert!(config.cmd.is_empty());
    assert_eq!(config.exposed_ports, ["53/udp", "80/tcp"]);
    assert_eq!(config.labels, [("a".to_owned(), "b=c".to_owned())]);
    for (env, port, directory) in [("=x", "80", "/"), ("A=1", "0", "/"), ("A=1", "80", "relative")] {
        let changes = ConfigChanges {
            env: vec![env.into()],
            exposed_ports: vec![port.into()],
            working_directory: Some(directory.into()),
            ..ConfigChanges::default()
        };
        let before = config.clone();
        assert!(changes.apply(&mut config).is_err());
        assert_eq!(config, before);
    }
}
