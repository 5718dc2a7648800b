//! Compositions for tests.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::missing_panics_doc)]

use nixdive_image::testing::corpus_file;
use nixdive_image::{Image, Kind};
use nixdive_nix::StorePath;
use nixdive_source::open::{Keep, OpenOptions, Opened};
use nixdive_source::testing::open_as_typed;

use super::{Body, ComposedStorePath, Composition, Content, Entry, FileContent, Metadata, Stability};

/// An image of the corpus, opened for rebuilding.
pub fn opened(name: &str) -> Option<Opened> {
    Some(open_file(&corpus_file(name)?))
}

pub fn open_file(file: &std::path::Path) -> Opened {
    open_text(file.as_os_str())
}

pub fn open_text(text: &std::ffi::OsStr) -> Opened {
    let options = OpenOptions { keep: Keep::AnyContent, ..OpenOptions::default() };
    open_as_typed(text, &options)
}

/// Returns all visible files of an image as a composition. `references` are pairs of base names.
pub fn whole(image: &Image, references: &[(String, String)]) -> Composition {
    let mut composition = Composition { config: image.config.clone(), ..Composition::default() };
    composition.config.history.clear();
    composition.config.diff_ids.clear();
    let Some(top) = image.tree.top_layer() else { return composition };
    for (node, occurrence) in image.tree.stacked_paths(top) {
        let Some(id) = occurrence else { continue };
        let path = image.tree.path(node);
        let occurrence = image.tree.occurrence(id);
        let owner = image.tree.owner(id);
        let metadata =
            Metadata { mode: occurrence.mode(), uid: owner.uid, gid: owner.gid, xattrs: image.tree.xattrs(id).clone() };
        let body = match occurrence.kind {
            Kind::Directory => Body::Directory,
            Kind::Symlink => Body::Symlink(image.tree.link_target(id).unwrap().into()),
            Kind::File | Kind::HardLink => {
                let id = image.tree.content_of(id).unwrap();
                Body::File(FileContent { bytes: image.tree.occurrence(id).bytes, content: Content::Image(id) })
            }
            _ => continue,
        };
        let entry = Entry { path: path[1..].into(), metadata, body };
        match StorePath::split(&path) {
            Ok((store_path, _)) => match composition.store_paths.last_mut().filter(|last| last.path == store_path) {
                Some(last) => last.entries.push(entry),
                None => composition.store_paths.push(store_path_with(store_path, vec![entry])),
            },
            Err(_) if path != b"/nix" && path != b"/nix/store" => composition.outside.push(entry),
            Err(_) => {}
        }
    }
    let place = |paths: &[ComposedStorePath], name: &str| paths.iter().position(|known| known.path.base_name() == name);
    for (from, to) in references.iter().filter(|(from, to)| from != to) {
        let paths = &mut composition.store_paths;
        let (from, to) = (place(paths, from).unwrap(), place(paths, to).unwrap());
        paths[from].references.push(to as u32);
        paths[from].references.sort_unstable();
    }
    composition
}

pub fn store_path_with(path: StorePath, entries: Vec<Entry>) -> ComposedStorePath {
    let bytes = |entry: &Entry| if let Body::File(file) = &entry.body { file.bytes } else { 0 };
    let nar_bytes = entries.iter().map(bytes).sum();
    ComposedStorePath { path, references: Vec::new(), nar_bytes, stability: Stability::Package, entries }
}

/// Returns the references in a closure graph of nix2container, as pairs of base names.
pub fn closure_graph(name: &str) -> Option<Vec<(String, String)>> {
    let text = std::fs::read(corpus_file(name)?).unwrap();
    let graph: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let base = |value: &serde_json::Value| value.as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let mut references = Vec::new();
    for path in graph.as_array().unwrap() {
        let from = base(&path["path"]);
        references.extend(path["references"].as_array().unwrap().iter().map(|to| (from.clone(), base(to))));
    }
    Some(references)
}

pub fn directory(path: &str) -> Entry {
    entry(path, 0o555, Body::Directory)
}

pub fn file(path: &str, content: &[u8]) -> Entry {
    let content = FileContent { bytes: content.len() as u64, content: Content::Given(content.into()) };
    entry(path, 0o444, Body::File(content))
}

pub fn symlink(path: &str, target: &str) -> Entry {
    entry(path, 0o777, Body::Symlink(target.as_bytes().into()))
}

fn entry(path: &str, mode: u16, body: Body) -> Entry {
    Entry { path: path.as_bytes().into(), metadata: Metadata { mode, ..Metadata::default() }, body }
}
