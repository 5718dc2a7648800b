//! Copies a part of an image to disk, and never outside the chosen directory, whatever names and links say.
//!
//! Every directory on the way is made, or found to be a real one, before anything is written in it; symbolic links are
//! made last, so that nothing is ever written through one of them. A file is written beside its place and moved there
//! whole.

mod destination;

use std::io;
use std::ops::ControlFlow;
use std::path::Path;

use destination::{Destination, FileContent, WriteError};
use hashbrown::HashMap;

use crate::open::{ContentError, Contents};
use nixdive_base::text::display_name;
use nixdive_image::{Baseline, Change, FileTree, Kind, LayerIndex, NodeId, OccurrenceId, Scope};

/// What was extracted.
#[derive(Debug, Default)]
pub struct Extracted {
    /// Files written.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What was left out, as sentences: the first ones, and a last one that counts the others.
    pub skipped: Vec<String>,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ExtractProgress {
    /// Bytes of files written.
    pub bytes: u64,
    /// Bytes of files to write in all.
    pub total_bytes: u64,
}

/// Is told how far it is, and says whether to go on.
pub type Watch<'a> = dyn FnMut(ExtractProgress) -> ControlFlow<()> + 'a;

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
    #[error("{path} of layer {layer}: {error}")]
    Content {
        /// The file within the image.
        path: String,
        /// The layer that holds it.
        layer: usize,
        /// Why.
        error: ContentError,
    },
    /// It was stopped. Files that are there are whole.
    #[error("stopped; {0} files were written before")]
    Stopped(u64),
    /// Something stands where a directory has to be.
    #[error("{} is no directory; nothing is written through it", display_name(.0.as_os_str().as_encoded_bytes()))]
    InTheWay(std::path::PathBuf),
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
    skipped_more: u64,
}

/// Writes what `node` is with the layers up to `layer` into the directory `output`: a file or a directory under its own
/// name, the root's content directly. `watch` is told at least after every 64 KiB.
///
/// # Errors
/// [`ExtractError`].
pub fn extract(
    tree: &FileTree,
    contents: &Contents,
    node: NodeId,
    layer: LayerIndex,
    output: &Path,
    watch: &mut Watch,
) -> Result<Extracted, ExtractError> {
    let room = MAX_PATH_BYTES.saturating_sub(output.as_os_str().len() + 1);
    let mut plan = plan(tree, node, layer, room);
    if plan.skipped_more > 0 {
        plan.skipped.push(format!("{} more are left out", plan.skipped_more));
    }
    let mut destination = Destination::open(output)?;
    for (path, _) in &plan.directories {
        destination.make_directory(path)?;
    }
    let mut done = Extracted { skipped: plan.skipped, ..Extracted::default() };
    write_files(tree, contents, &plan.files, &mut destination, &mut done, watch)?;
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
        if seen.is_directory {
            plan.directories.push((path.clone(), seen.occurrence.filter(|&id| !tree.occurrence(id).is_implied())));
            for child in tree.children(node).rev() {
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
        let Some(named) = tree.linked(id) else {
            plan.skip(&path, "is a hard link that leads nowhere");
            continue;
        };
        match tree.occurrence(named).kind {
            Kind::Symlink => match tree.link_target(named).map_or(0, <[u8]>::len) {
                1..=MAX_PATH_BYTES => plan.symlinks.push((path, named)),
                _ => plan.skip(&path, "is a symbolic link whose target the system does not take"),
            },
            Kind::File => plan.files.push((path, named)),
            Kind::Directory => plan.skip(&path, "is a hard link to a directory"),
            _ => plan.skip(&path, "is a device or a pipe"),
        }
    }
    plan
}

impl Plan {
    fn skip(&mut self, path: &[u8], why: &str) {
        if self.skipped.len() < MAX_SKIPPED {
            self.skipped.push(format!("«{}» {why}; it is left out", display_name(path)));
        } else {
            self.skipped_more += 1;
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
    watch: &mut Watch,
) -> Result<(), ExtractError> {
    let mut names: HashMap<OccurrenceId, Vec<usize>> = HashMap::new();
    for (index, (_, content)) in files.iter().enumerate() {
        names.entry(*content).or_default().push(index);
    }
    let wanted: Vec<OccurrenceId> = names.keys().copied().collect();
    let total_bytes = wanted.iter().map(|&id| tree.occurrence(id).bytes).fold(0, u64::saturating_add);
    let mut progress = ExtractProgress { bytes: 0, total_bytes };
    contents.for_each_stored(tree, &wanted, &mut |id, stored| {
        let occurrence = tree.occurrence(id);
        let failed = |error| ExtractError::Content {
            path: display_name(&tree.path(occurrence.node())).into_owned(),
            layer: occurrence.layer.index(),
            error,
        };
        let mut stored = stored.map_err(failed)?;
        let mut paths = names.get(&id).into_iter().flatten().map(|&index| files[index].0.as_slice());
        let Some(first) = paths.next() else { return Ok(()) };
        let mut content = FileContent {
            stored: &mut stored,
            runs: tree.sparse(id),
            bytes: occurrence.bytes,
            mode: occurrence.mode(),
            mtime: occurrence.mtime,
            written: &mut |count| {
                progress.bytes = progress.bytes.saturating_add(count);
                watch(progress)
            },
        };
        destination.write_file(first, &mut content).map_err(|error| match error {
            WriteError::Destination(error) => error,
            WriteError::Content(error) => failed(error.into()),
            WriteError::Stopped => ExtractError::Stopped(done.files),
        })?;
        done.bytes = done.bytes.saturating_add(occurrence.bytes);
        done.files += 1;
        for path in paths {
            destination.hard_link(first, path)?;
            done.files += 1;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests;
