//! Copies a part of an image to disk, and never outside the chosen directory, whatever names and links say.
//!
//! Every directory on the way is made, or found to be a real one, before anything is written in it; symbolic links are
//! made last, so that nothing is ever written through one of them. A file is written beside its place and moved there
//! whole.

mod destination;

use std::io::{self, Read};
use std::path::Path;

use destination::Destination;
use hashbrown::HashMap;

use crate::image::{Baseline, Change, FileTree, Kind, LayerIndex, NodeId, OccurrenceId, Scope, display_name};
use crate::open::{ContentError, Contents};

/// What was extracted.
#[derive(Debug, Default)]
pub struct Extracted {
    /// Files written.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What was left out, as sentences.
    pub skipped: Vec<String>,
}

/// Why it could not be extracted.
#[derive(Debug, thiserror::Error)]
pub enum ExtractError {
    /// The disk refused.
    #[error("{}: {error}", display_name(path.as_os_str().as_encoded_bytes()))]
    Write {
        /// Where.
        path: std::path::PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The image's content cannot be had.
    #[error("{path}: {error}")]
    Content {
        /// The file within the image.
        path: String,
        /// Why.
        error: ContentError,
    },
    /// Something stands where a directory has to be.
    #[error("{} is no directory; nothing is written through it", display_name(.0.as_os_str().as_encoded_bytes()))]
    InTheWay(std::path::PathBuf),
}

impl From<ContentError> for ExtractError {
    fn from(error: ContentError) -> Self {
        Self::Content { path: "content".to_owned(), error }
    }
}

/// Bytes that a whole path may have on Linux, and a name in it: `PATH_MAX` and `NAME_MAX` of limits.h.
const MAX_PATH_BYTES: usize = 4095;
const MAX_NAME_BYTES: usize = 255;

/// Sentences on what is left out that are kept.
const MAX_SKIPPED: usize = 20;

/// What is to be made, found by one walk over the tree. Paths are relative to the destination.
#[derive(Default)]
struct Plan {
    directories: Vec<(Vec<u8>, Option<OccurrenceId>)>,
    files: Vec<(Vec<u8>, OccurrenceId)>,
    symlinks: Vec<(Vec<u8>, OccurrenceId)>,
    skipped: Vec<String>,
}

/// Writes what `node` is with the layers up to `layer` into the directory `output`: a file or a directory under its own
/// name, the root's content directly.
///
/// # Errors
/// [`ExtractError`].
pub fn extract(
    tree: &FileTree,
    contents: &Contents,
    node: NodeId,
    layer: LayerIndex,
    output: &Path,
) -> Result<Extracted, ExtractError> {
    let room = MAX_PATH_BYTES.saturating_sub(output.as_os_str().len() + 1);
    let plan = plan(tree, node, layer, room);
    let mut destination = Destination::open(output)?;
    for (path, _) in &plan.directories {
        destination.make_directory(path)?;
    }
    let mut done = Extracted { skipped: plan.skipped, ..Extracted::default() };
    write_files(tree, contents, &plan.files, &mut destination, &mut done)?;
    for (path, id) in &plan.symlinks {
        destination.make_symlink(path, tree.link_target(*id).unwrap_or_default())?;
    }
    for (path, id) in plan.directories.iter().rev() {
        if let Some(id) = id {
            let occurrence = tree.occurrence(*id);
            destination.finish_directory(path, occurrence.mode(), occurrence.mtime)?;
        }
    }
    Ok(done)
}

/// What there is to make below a path; names longer than the system takes, and all below them, are left out. Otherwise
/// names that each hold the one above would cost memory by the square of their depth.
fn plan(tree: &FileTree, node: NodeId, layer: LayerIndex, room: usize) -> Plan {
    let mut plan = Plan::default();
    let scope = Scope::Stacked(layer);
    let Some(seen) = tree.see_alone(node, scope, Baseline::Below) else { return plan };
    let mut stack = vec![(node, seen, tree.name(node).to_vec())];
    while let Some((node, seen, path)) = stack.pop() {
        // A file that a broken layer puts something below becomes a directory.
        if seen.is_directory {
            plan.directories.push((path.clone(), seen.occurrence));
            for child in tree.children(node) {
                let visible = tree.see(child, scope, Baseline::Below, seen.floors);
                let Some(seen) = visible.filter(|seen| seen.change != Change::Removed) else { continue };
                let mut below = path.clone();
                if !below.is_empty() {
                    below.push(b'/');
                }
                below.extend_from_slice(tree.name(child));
                if below.len() > room || tree.name(child).len() > MAX_NAME_BYTES {
                    plan.skip(&below, "is longer than the system takes");
                } else {
                    stack.push((child, seen, below));
                }
            }
            continue;
        }
        let Some(id) = seen.occurrence else { continue };
        match tree.occurrence(id).kind {
            Kind::Symlink => match tree.link_target(id).map_or(0, <[u8]>::len) {
                1..=MAX_PATH_BYTES => plan.symlinks.push((path, id)),
                _ => plan.skip(&path, "is a symbolic link whose target the system does not take"),
            },
            Kind::File | Kind::HardLink => match tree.content_of(id) {
                Some(_) => plan.files.push((path, id)),
                None => plan.skip(&path, "is a hard link that leads nowhere"),
            },
            _ => plan.skip(&path, "is a device or a pipe"),
        }
    }
    plan
}

impl Plan {
    fn skip(&mut self, path: &[u8], why: &str) {
        if self.skipped.len() < MAX_SKIPPED {
            self.skipped.push(format!("«{}» {why}; it is left out", display_name(path)));
        }
    }
}

/// Writes every content once, and its other names as hard links.
fn write_files(
    tree: &FileTree,
    contents: &Contents,
    files: &[(Vec<u8>, OccurrenceId)],
    destination: &mut Destination,
    done: &mut Extracted,
) -> Result<(), ExtractError> {
    let mut names: HashMap<OccurrenceId, Vec<usize>> = HashMap::new();
    for (index, (_, id)) in files.iter().enumerate() {
        if let Some(content) = tree.content_of(*id) {
            names.entry(content).or_default().push(index);
        }
    }
    let wanted: Vec<OccurrenceId> = names.keys().copied().collect();
    contents.for_each(tree, &wanted, &mut |content: OccurrenceId, reader: &mut dyn Read| {
        let Some(indices) = names.get(&content) else { return Ok(()) };
        let occurrence = tree.occurrence(content);
        let mut first: Option<&[u8]> = None;
        for &index in indices {
            let path = files[index].0.as_slice();
            match first {
                None => {
                    done.bytes += destination.write_file(path, reader, occurrence.mode(), occurrence.mtime)?;
                    first = Some(path);
                }
                Some(first) => destination.hard_link(first, path)?,
            }
            done.files += 1;
        }
        Ok::<(), ExtractError>(())
    })
}

#[cfg(test)]
mod tests;
