use std::collections::HashMap;
use std::io::Read;
use std::path::PathBuf;
use std::time::Instant;

use crate::{CapturedFile, Inventory, PackageIndex, find, is_wanted};
use nixdive_image::{EntryBatch, EntryFields, FileTree, Kind, LayerIndex, TreeBuilder, compute_history};

/// Returns the directory of the sample images: `NIXDIVE_CORPUS`, or next to the repository.
fn corpus() -> Option<PathBuf> {
    let beside = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/corpus"));
    Some(std::env::var_os("NIXDIVE_CORPUS").map_or_else(beside, PathBuf::from)).filter(|path| path.is_dir())
}

struct Captured {
    layer: LayerIndex,
    path: Vec<u8>,
    content: Vec<u8>,
}

/// The tree and the databases of a docker-archive, read with the `tar` crate alone.
fn open(archive: impl Read) -> (FileTree, Vec<Captured>) {
    let mut files: HashMap<String, Vec<u8>> = HashMap::new();
    let mut archive = tar::Archive::new(archive);
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().to_string_lossy().into_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        files.insert(path, content);
    }
    let manifest: serde_json::Value = serde_json::from_slice(&files["manifest.json"]).unwrap();
    let mut builder = TreeBuilder::new();
    let mut captured = Vec::new();
    for layer in manifest[0]["Layers"].as_array().unwrap() {
        let index = builder.begin_layer().unwrap();
        read_layer(&files[layer.as_str().unwrap()], index, &mut builder, &mut captured);
    }
    let mut tree = builder.finish();
    compute_history(&mut tree, &mut |_: &FileTree, _, _| false);
    (tree, captured)
}

fn read_layer(content: &[u8], layer: LayerIndex, builder: &mut TreeBuilder, captured: &mut Vec<Captured>) {
    for entry in tar::Archive::new(content).entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path_bytes().into_owned();
        let path = path.strip_prefix(b"./").unwrap_or(&path);
        let path = path.strip_suffix(b"/").unwrap_or(path).to_vec();
        let kind = match entry.header().entry_type() {
            tar::EntryType::Directory => Kind::Directory,
            tar::EntryType::Symlink => Kind::Symlink,
            tar::EntryType::Link => Kind::HardLink,
            _ => Kind::File,
        };
        let link = entry.link_name_bytes().map_or_else(Vec::new, |link| link.into_owned());
        let mut batch = EntryBatch::default();
        batch.push(&path, &link, EntryFields { bytes: entry.size(), ..EntryFields::new(kind) });
        builder.add(&batch).unwrap();
        if kind == Kind::File && is_wanted(&path) {
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            captured.push(Captured { layer, path, content });
        }
    }
}

fn inventory(tree: &FileTree, captured: &[Captured]) -> Inventory {
    let files: Vec<CapturedFile> = captured
        .iter()
        .map(|file| CapturedFile { layer: file.layer, path: &file.path, content: &file.content })
        .collect();
    let start = Instant::now();
    let found = find(tree, tree.top_layer().unwrap(), &files);
    eprintln!("{} packages in {:?}", found.packages.packages().len(), start.elapsed());
    assert_eq!(found.problems, []);
    found
}

fn listed(inventory: &Inventory) -> String {
    inventory
        .packages
        .packages()
        .iter()
        .map(|package| format!("{}\t{}\t{}\n", package.kind.as_str(), package.name, package.version))
        .collect()
}

fn index_of(inventory: &Inventory, name: &str) -> PackageIndex {
    let found = inventory.packages.indices().find(|&index| &*inventory.packages.get(index).name == name);
    found.unwrap_or_else(|| panic!("no package {name}"))
}

fn owned_paths(tree: &FileTree, inventory: &Inventory, name: &str) -> Vec<String> {
    let files = inventory.ownership.files(index_of(inventory, name)).iter();
    files.map(|&node| String::from_utf8(tree.path(node)).unwrap()).collect()
}

#[test]
fn a_debian_image_has_the_packages_that_are_known_of_it() {
    let Some(corpus) = corpus() else {
        return eprintln!("skipped: no sample images");
    };
    let file = std::fs::File::open(corpus.join("dockerfile/web-docker.tar.zst")).unwrap();
    let (tree, captured) = open(zstd::Decoder::new(file).unwrap());
    let found = inventory(&tree, &captured);
    assert_eq!(listed(&found), std::fs::read_to_string(corpus.join("packages/web-docker.tsv")).unwrap());

    // Debian's list says /bin/bash, and /bin is a link here.
    assert!(owned_paths(&tree, &found, "bash").contains(&"/usr/bin/bash".to_owned()));
    // dash diverts /bin/sh from itself, so it alone has it.
    let shell = tree.lookup(b"/usr/bin/sh").unwrap();
    assert_eq!(found.ownership.owners(shell).collect::<Vec<_>>(), [index_of(&found, "dash")]);
    let layer = |name: &str| found.ownership.of(index_of(&found, name)).layer;
    assert_eq!((layer("bash"), layer("nginx")), (Some(LayerIndex(0)), Some(LayerIndex(1))));
    assert_eq!(found.ownership.owner(tree.lookup(b"/usr").unwrap()), None);
}

#[test]
fn an_alpine_image_has_the_packages_that_are_known_of_it() {
    let Some(corpus) = corpus() else {
        return eprintln!("skipped: no sample images");
    };
    let file = std::fs::File::open(corpus.join("alpine/alpine-311.tar.gz")).unwrap();
    let (tree, captured) = open(flate2::read::GzDecoder::new(file));
    let found = inventory(&tree, &captured);
    assert_eq!(listed(&found), std::fs::read_to_string(corpus.join("packages/alpine-311.tsv")).unwrap());
    assert!(owned_paths(&tree, &found, "busybox").contains(&"/bin/busybox".to_owned()));
    let musl = index_of(&found, "musl");
    assert_eq!(found.ownership.of(musl).layer, Some(LayerIndex(0)));
    assert!(found.ownership.of(musl).bytes > 500_000);
}
