//! Images for tests: from a docker-archive, from a directory, or made up.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::missing_panics_doc)]

use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use hashbrown::HashMap;

use super::*;
use crate::graph::{ClosureGraph, PathId};
use crate::nar::{NarDigest, NarWriter};
use crate::references::ReferenceScanner;
use nixdive_image::{Config, EntryBatch, EntryFields, FileTree, Kind, OccurrenceId, TreeBuilder, compute_history};

/// A tree and the bytes of its files.
pub struct Fixture {
    pub tree: FileTree,
    pub config: Config,
    layers: Vec<Vec<u8>>,
}

/// An entry: path, what it is, mode, content or link target.
pub type Item = (Vec<u8>, Kind, u16, Vec<u8>);

pub fn item(path: &str, kind: Kind, text: &str) -> Item {
    (path.into(), kind, 0o644, text.into())
}

impl Fixture {
    pub fn new(layers: &[Vec<Item>]) -> Self {
        let mut builder = TreeBuilder::new();
        let mut stored = Vec::new();
        for items in layers {
            builder.begin_layer().unwrap();
            let mut bytes = Vec::new();
            let mut batch = EntryBatch::default();
            for (path, kind, mode, text) in items {
                let mut fields = EntryFields::new(*kind);
                fields.mode = *mode;
                let is_file = *kind == Kind::File;
                if is_file {
                    fields.offset = bytes.len() as u64;
                    fields.bytes = text.len() as u64;
                    bytes.extend_from_slice(text);
                }
                batch.push(path, if is_file { b"" } else { text }, fields);
            }
            builder.add(&batch).unwrap();
            stored.push(bytes);
        }
        let mut tree = builder.finish();
        compute_history(&mut tree, &mut |_: &FileTree, _, _| false);
        Self { tree, config: Config::default(), layers: stored }
    }

    /// Reads the content of `root` on disk as the image's `/nix/store`.
    pub fn from_store(root: &Path) -> Self {
        let mut items = vec![(b"nix/store".to_vec(), Kind::Directory, 0o755, Vec::new())];
        let mut stack: Vec<PathBuf> = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
        while let Some(path) = stack.pop() {
            let metadata = fs::symlink_metadata(&path).unwrap();
            let name = [b"nix/store/", path.strip_prefix(root).unwrap().as_os_str().as_bytes()].concat();
            let mode = (metadata.permissions().mode() & 0o7777) as u16;
            if metadata.is_dir() {
                stack.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
                items.push((name, Kind::Directory, mode, Vec::new()));
            } else if metadata.is_symlink() {
                let target = fs::read_link(&path).unwrap().as_os_str().as_bytes().to_vec();
                items.push((name, Kind::Symlink, mode, target));
            } else {
                items.push((name, Kind::File, mode, fs::read(&path).unwrap()));
            }
        }
        Self::new(&[items])
    }

    /// A gzipped docker-archive.
    pub fn from_docker_archive(path: &Path) -> Self {
        let file = fs::File::open(path).unwrap();
        let mut members: HashMap<String, Vec<u8>> = HashMap::new();
        let mut archive = tar::Archive::new(flate2::read::MultiGzDecoder::new(file));
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let name = String::from_utf8(entry.path_bytes().into_owned()).unwrap();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            members.insert(name, bytes);
        }
        let manifest: serde_json::Value = serde_json::from_slice(&members["manifest.json"]).unwrap();
        let layers: Vec<Vec<Item>> =
            strings(&manifest[0]["Layers"]).iter().map(|name| tar_items(&members[name.as_str()])).collect();
        let mut fixture = Self::new(&layers);
        let config: serde_json::Value =
            serde_json::from_slice(&members[manifest[0]["Config"].as_str().unwrap()]).unwrap();
        fixture.config.entrypoint = strings(&config["config"]["Entrypoint"]);
        fixture.config.cmd = strings(&config["config"]["Cmd"]);
        fixture.config.env = strings(&config["config"]["Env"]);
        fixture
    }

    pub fn content(&self, id: OccurrenceId) -> &[u8] {
        let occurrence = self.tree.occurrence(id);
        let start = occurrence.offset as usize;
        &self.layers[occurrence.layer.index()][start..start + occurrence.bytes as usize]
    }

    /// Returns the references in every file's content, scanned in blocks of an odd size.
    pub fn content_references(&self, scanner: &mut ReferenceScanner) -> ContentReferences {
        let mut found = ContentReferences::new();
        for layer in self.tree.layer_indices() {
            for id in self.tree.layer_occurrences(layer).filter(|&id| self.tree.occurrence(id).kind == Kind::File) {
                for block in self.content(id).chunks(4093) {
                    scanner.feed(block);
                }
                found.insert(id, scanner.finish());
            }
        }
        found
    }

    pub fn nar_digest(&self, entries: &PathEntries) -> NarDigest {
        let mut writer = NarWriter::hashing();
        for entry in &entries.entries {
            writer.entry(&entry.nar_entry(&self.tree)).unwrap();
            if let TreeEntryKind::File { content, .. } = entry.kind {
                writer.content(self.content(content)).unwrap();
            }
        }
        writer.digest().unwrap()
    }
}

pub fn strings(value: &serde_json::Value) -> Vec<String> {
    let items = value.as_array().map_or(&[][..], Vec::as_slice);
    items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect()
}

fn tar_items(bytes: &[u8]) -> Vec<Item> {
    let mut items = Vec::new();
    for entry in tar::Archive::new(bytes).entries().unwrap() {
        let mut entry = entry.unwrap();
        let path: Vec<Vec<u8>> = entry
            .path_bytes()
            .split(|&byte| byte == b'/')
            .filter(|part| !matches!(*part, b"" | b"."))
            .map(<[u8]>::to_vec)
            .collect();
        let mode = (entry.header().mode().unwrap() & 0o7777) as u16;
        let (kind, mut text) = match entry.header().entry_type() {
            tar::EntryType::Directory => (Kind::Directory, Vec::new()),
            tar::EntryType::Symlink => (Kind::Symlink, entry.link_name_bytes().unwrap().into_owned()),
            tar::EntryType::Link => (Kind::HardLink, entry.link_name_bytes().unwrap().into_owned()),
            _ => (Kind::File, Vec::new()),
        };
        if kind == Kind::File {
            entry.read_to_end(&mut text).unwrap();
        }
        items.push((path.join(&b'/'), kind, mode, text));
    }
    items
}

/// All that this room finds out about the store of an image.
pub struct Study {
    pub store: StoreContents,
    pub entries: Vec<PathEntries>,
    pub digests: Vec<NarDigest>,
    pub evidence: Vec<Vec<Evidence>>,
    pub graph: ClosureGraph,
    pub roots: Vec<Root>,
}

impl Study {
    pub fn new(fixture: &Fixture) -> Self {
        let tree = &fixture.tree;
        let store = StoreContents::new(tree);
        let mut scanner = ReferenceScanner::new(store.candidates());
        let contents = fixture.content_references(&mut scanner);
        let entries: Vec<PathEntries> = store.paths.iter().map(|known| path_entries(tree, known.node)).collect();
        let digests: Vec<NarDigest> = entries.iter().map(|entries| fixture.nar_digest(entries)).collect();
        let evidence: Vec<Vec<Evidence>> = entries
            .iter()
            .map(|entries| references_between(tree, entries, &contents, &mut scanner, usize::MAX))
            .collect();
        let edges: Vec<(PathId, PathId)> =
            store.ids().flat_map(|from| evidence[from.index()].iter().map(move |proof| (from, proof.to))).collect();
        let sizes = entries.iter().map(|entries| entries.nar_bytes(tree).unwrap()).collect();
        let graph = ClosureGraph::new(sizes, &edges).unwrap();
        let mut roots = config_roots(&fixture.config, &mut scanner);
        roots.extend(tree_roots(tree, &store, &contents, &mut scanner));
        Self { store, entries, digests, evidence, graph, roots }
    }

    /// The store path with that name.
    pub fn named(&self, name: &str) -> PathId {
        let id = self.store.ids().find(|&id| self.store.get(id).is_some_and(|known| known.path.name() == name));
        id.unwrap_or_else(|| panic!("no store path is named {name}"))
    }

    pub fn name(&self, id: PathId) -> &str {
        self.store.get(id).map_or("", |known| known.path.name())
    }

    pub fn root_paths(&self) -> Vec<PathId> {
        self.roots.iter().map(|root| root.path).collect()
    }

    /// As `nix path-info -rS --json` has it: path, NAR hash, NAR size, closure size, references.
    pub fn rows(&self) -> Vec<Row> {
        let closures = self.graph.closure_bytes_of_all().unwrap();
        let path = |id: PathId| self.store.get(id).unwrap().path.to_string();
        let row = |id: PathId| {
            let mut references: Vec<PathId> = self.graph.references(id).to_vec();
            references.extend(self.graph.has_self_reference(id).then_some(id));
            references.sort_unstable();
            let digest = self.digests[id.index()];
            assert_eq!(digest.bytes, self.graph.nar_bytes(id));
            let references = references.into_iter().map(path).collect();
            (path(id), digest.hash.to_sri(), digest.bytes, closures[id.index()], references)
        };
        self.store.ids().map(row).collect()
    }
}

pub type Row = (String, String, u64, u64, Vec<String>);

/// Returns the output of Nix itself in the same form.
pub fn rows_of_nix(json: &[u8]) -> Vec<Row> {
    let value: serde_json::Value = serde_json::from_slice(json).unwrap();
    let row = |path: &serde_json::Value| {
        let text = |key: &str| path[key].as_str().unwrap().to_owned();
        let number = |key: &str| path[key].as_u64().unwrap();
        let mut references = strings(&path["references"]);
        references.sort();
        (text("path"), text("narHash"), number("narSize"), number("closureSize"), references)
    };
    let mut rows: Vec<Row> = value.as_array().unwrap().iter().map(row).collect();
    rows.sort();
    rows
}
