use std::borrow::Cow;
use std::cell::RefCell;
use std::io::{self, Write};

use serde::{Serialize, Serializer};

use super::json;
use super::listing::{Listed, Lister};
use super::names::replaced;
use nixdive_analyse::analysis::Assessment;
use nixdive_image::{FileTree, HistoryEntry, Image, Kind, LayerIndex, OccurrenceId};

/// Writes what `dive --json` writes: same fields, same order, same values.
///
/// Source: dive v0.13.1, `export.NewExport`, and Go's `archive/tar` and `encoding/json`. Each byte of a name that is
/// not UTF-8 becomes U+FFFD, as Go does it. Paths stand without leading `./`, and with a leading `/` where
/// the archive has one.
///
/// # Errors
/// If writing to `out` fails.
pub fn write_dive_export(image: &Image, assessment: &Assessment, out: &mut dyn Write) -> io::Result<()> {
    let export = Export { layer: Layers(image), image: ImageExport::new(image, assessment) };
    json::write_pretty(&export, json::GO, out)
}

#[derive(Serialize)]
struct Export<'a> {
    layer: Layers<'a>,
    image: ImageExport<'a>,
}

struct Layers<'a>(&'a Image);

impl Serialize for Layers<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let image = self.0;
        let lister = RefCell::new(Lister::new(&image.tree));
        let steps: Vec<&HistoryEntry> = image.config.history.iter().filter(|step| !step.empty_layer).collect();
        serializer.collect_seq(image.layers.iter().zip(image.tree.layer_indices()).map(|(layer, index)| {
            let step = steps.get(index.index());
            let digest = image.config.diff_ids.get(index.index());
            LayerExport {
                index: index.0,
                id: layer.stored_as.split('/').next().unwrap_or_default(),
                digest_id: step.and(digest).map_or("", String::as_str),
                size_bytes: layer.file_bytes,
                command: match layer.store_paths.is_empty() {
                    true => step.map_or("(missing)".into(), |step| command(step).into()),
                    false => layer.command(),
                },
                file_list: FileList { tree: &image.tree, layer: index, lister: &lister },
            }
        }))
    }
}

fn command(step: &HistoryEntry) -> &str {
    let command = step.created_by.as_deref().unwrap_or_default();
    command.strip_prefix("/bin/sh -c ").unwrap_or(command)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LayerExport<'a> {
    index: u16,
    id: &'a str,
    digest_id: &'a str,
    size_bytes: u64,
    command: Cow<'a, str>,
    file_list: FileList<'a>,
}

struct FileList<'a> {
    tree: &'a FileTree,
    layer: LayerIndex,
    lister: &'a RefCell<Lister<'a>>,
}

impl Serialize for FileList<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let rows = self.lister.borrow_mut().layer(self.layer);
        let mut path = Vec::new();
        serializer.collect_seq(rows.into_iter().map(|row| FileExport::new(self.tree, row, &mut path)))
    }
}

#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
struct FileExport<'a> {
    path: String,
    type_flag: u8,
    link_name: Cow<'a, str>,
    size: u64,
    file_mode: u32,
    uid: u32,
    gid: u32,
    is_dir: bool,
}

impl<'a> FileExport<'a> {
    fn new(tree: &'a FileTree, row: Listed, path: &mut Vec<u8>) -> Self {
        match row {
            Listed::Implied => Self::default(),
            Listed::Whiteout(id) => {
                write_path(tree, id, true, path);
                let occurrence = tree.occurrence(id);
                // Of a whiteout that a later entry of the same path covers, only the name is kept.
                let own = occurrence.kind == Kind::Whiteout;
                let flag = if own && occurrence.type_flag != 0 { occurrence.type_flag } else { b'0' };
                let file_mode = if own { go_mode(occurrence.mode(), Kind::File) } else { 0 };
                Self { path: replaced(path).into_owned(), type_flag: flag, file_mode, ..Self::default() }
            }
            Listed::Entry(id) => {
                write_path(tree, id, false, path);
                let occurrence = tree.occurrence(id);
                let owner = tree.owner(id);
                Self {
                    path: replaced(path).into_owned(),
                    type_flag: type_flag(occurrence.type_flag, occurrence.kind),
                    link_name: tree.link_target(id).map_or(Cow::Borrowed(""), replaced),
                    size: occurrence.bytes,
                    file_mode: go_mode(occurrence.mode(), occurrence.kind),
                    uid: owner.uid,
                    gid: owner.gid,
                    is_dir: occurrence.kind == Kind::Directory,
                }
            }
        }
    }
}

fn write_path(tree: &FileTree, id: OccurrenceId, whiteout: bool, path: &mut Vec<u8>) {
    let node = tree.occurrence(id).node();
    path.clear();
    let whole = tree.path(node);
    let is_absolute = tree.occurrence(id).is_absolute();
    path.extend_from_slice(if is_absolute { &whole } else { whole.strip_prefix(b"/").unwrap_or_default() });
    if whiteout {
        let name_at = path.len().saturating_sub(tree.name(node).len());
        path.splice(name_at..name_at, *b".wh.");
    }
}

/// Go's reader turns the flag of the oldest archives into that of a file or a directory.
fn type_flag(flag: u8, kind: Kind) -> u8 {
    match (flag, kind) {
        (0, Kind::Directory) => b'5',
        (0, _) => b'0',
        (flag, _) => flag,
    }
}

/// Go's `io/fs.FileMode` of a tar entry.
fn go_mode(mode: u16, kind: Kind) -> u32 {
    const DIRECTORY: u32 = 1 << 31;
    const SYMLINK: u32 = 1 << 27;
    const DEVICE: u32 = 1 << 26;
    const NAMED_PIPE: u32 = 1 << 25;
    const SET_UID: u32 = 1 << 23;
    const SET_GID: u32 = 1 << 22;
    const CHARACTER_DEVICE: u32 = 1 << 21;
    const STICKY: u32 = 1 << 20;
    let mut bits = u32::from(mode & 0o777);
    for (tar, go) in [(0o4000, SET_UID), (0o2000, SET_GID), (0o1000, STICKY)] {
        if mode & tar != 0 {
            bits |= go;
        }
    }
    bits | match kind {
        Kind::Directory => DIRECTORY,
        Kind::Symlink => SYMLINK,
        Kind::BlockDevice => DEVICE,
        Kind::CharacterDevice => DEVICE | CHARACTER_DEVICE,
        Kind::Fifo => NAMED_PIPE,
        Kind::File | Kind::HardLink | Kind::Whiteout | Kind::OpaqueMark => 0,
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ImageExport<'a> {
    size_bytes: u64,
    inefficient_bytes: u64,
    efficiency_score: f64,
    file_reference: References<'a>,
}

impl<'a> ImageExport<'a> {
    fn new(image: &'a Image, assessment: &'a Assessment) -> Self {
        Self {
            size_bytes: assessment.figures.file_bytes,
            inefficient_bytes: assessment.figures.wasted_bytes,
            efficiency_score: assessment.figures.efficiency,
            file_reference: References { tree: &image.tree, assessment },
        }
    }
}

struct References<'a> {
    tree: &'a FileTree,
    assessment: &'a Assessment,
}

impl Serialize for References<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.assessment.wasted.iter().map(|path| Reference {
            count: path.count,
            size_bytes: path.bytes,
            file: replaced(&self.tree.path(path.node)).into_owned(),
        }))
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Reference {
    count: u32,
    size_bytes: u64,
    file: String,
}
