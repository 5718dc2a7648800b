//! Copies a part of an image to disk, never outside the chosen directory, whatever names and links the image contains.
//!
//! Every directory is created, or checked to be a real one, before anything is written into it. Symbolic links are
//! created last, so that nothing is written through them. A file is written under a temporary name and then renamed.

mod destination;

use std::io;
use std::ops::ControlFlow;
use std::path::Path;

use destination::{Destination, FileContent, WriteError};
use hashbrown::HashMap;

use crate::open::{ContentError, Contents};
use nixdive_base::text::display_name;
use nixdive_image::{Baseline, Change, FileTree, Kind, LayerIndex, NodeId, OccurrenceId, Scope};

/// Result of an extraction.
#[derive(Debug, Default)]
pub struct Extracted {
    /// Files written.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// One sentence for each skipped entry: the first ones, and a last one that counts the rest.
    pub skipped: Vec<String>,
}

/// Progress of an extraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ExtractProgress {
    /// Bytes of files written.
    pub bytes: u64,
    /// Bytes of files to write in all.
    pub total_bytes: u64,
}

/// Callback for progress; breaks to stop the extraction.
pub type Watch<'a> = dyn FnMut(ExtractProgress) -> ControlFlow<()> + 'a;

/// Reason why an extraction failed.
#[derive(Debug, thiserror::Error)]
pub enum ExtractError {
    /// Writing to disk failed.
    #[error("{}: {error}", display_name(path.as_os_str().as_encoded_bytes()))]
    Write {
        /// The path.
        path: std::path::PathBuf,
        /// The system's error.
        error: io::Error,
    },
    /// The content cannot be read from the image.
    #[error("{path} of layer {layer}: {error}")]
    Content {
        /// Path of the file in the image.
        path: String,
        /// Number of the layer that contains it.
        layer: usize,
        /// The reason.
        error: ContentError,
    },
    /// The extraction was cancelled. Files already written are complete.
    #[error("cancelled after {0} files")]
    Stopped(u64),
    /// Something other than a directory is in the way.
    #[error("{}: not a directory; refusing to write through it", display_name(.0.as_os_str().as_encoded_bytes()))]
    InTheWay(std::path::PathBuf),
}

/// Maximum bytes of a path and of a name on Linux: `PATH_MAX` and `NAME_MAX` of limits.h.
const MAX_PATH_BYTES: usize = 4095;
const MAX_NAME_BYTES: usize = 255;

/// Maximum number of sentences about skipped entries.
const MAX_SKIPPED: usize = 20;

/// Everything to create, found in one walk over the tree. Paths are relative to the destination.
#[derive(Default)]
struct Plan {
    directories: Vec<(Vec<u8>, Option<OccurrenceId>)>,
    files: Vec<(Vec<u8>, OccurrenceId)>,
    symlinks: Vec<(Vec<u8>, OccurrenceId)>,
    skipped: Vec<String>,
    skipped_more: u64,
}

/// Extracts `node`, as of layer `layer`, into the directory `output`: a file or a directory under its own name, the
/// root's content directly. Calls `watch` at least once per 64 KiB.
///
/// # Errors
/// [`ExtractError`] if it is cancelled, the image cannot be read, or the disk cannot be written.
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
        plan.skipped.push(format!("{} more skipped", plan.skipped_more));
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

/// Plans everything below a path. Skips names longer than the system allows, and everything below them; otherwise a
/// chain of long names would need memory quadratic in its depth.
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
                    plan.skip(&below, "longer than the system allows");
                } else {
                    stack.push((child, seen, below));
                }
            }
            continue;
        }
        let Some(id) = seen.occurrence else { continue };
        let Some(named) = tree.linked(id) else {
            plan.skip(&path, "dangling hard link");
            continue;
        };
        match tree.occurrence(named).kind {
            Kind::Symlink => match tree.link_target(named).map_or(0, <[u8]>::len) {
                1..=MAX_PATH_BYTES => plan.symlinks.push((path, named)),
                _ => plan.skip(&path, "symbolic link with a target that the system does not allow"),
            },
            Kind::File => plan.files.push((path, named)),
            Kind::Directory => plan.skip(&path, "hard link to a directory"),
            _ => plan.skip(&path, "device or pipe"),
        }
    }
    plan
}

impl Plan {
    fn skip(&mut self, path: &[u8], why: &str) {
        if self.skipped.len() < MAX_SKIPPED {
            self.skipped.push(format!("{}: skipped: {why}", display_name(path)));
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
