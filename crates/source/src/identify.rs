//! Hashes files of an opened image whose contents have to be compared, on several cores.

use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use hashbrown::HashMap;

use crate::open::{ContentError, Contents};
use nixdive_base::cancel::Cancel;
use nixdive_base::text::display_name;
use nixdive_image::{ContentHash, FileTree, Image, OccurrenceId};
use nixdive_scan::identity_with;

/// Bytes of files that one thread reads at a time.
const BATCH_BYTES: u64 = 8 << 20;
/// Maximum number of files in one batch.
const BATCH_FILES: usize = 256;
/// Maximum unpacked bytes of a sparse file; longer ones are skipped, since they may be arbitrarily long.
const MOST_SPARSE_BYTES: u64 = 4 << 30;

/// Result of hashing files.
#[derive(Debug, Clone, Default)]
pub struct Identified {
    /// Hashes of the contents that could be read.
    pub known: HashMap<OccurrenceId, ContentHash>,
    /// One sentence for each file that could not be read.
    pub unread: Vec<String>,
}

/// Reason why hashing stopped.
#[derive(Debug, thiserror::Error)]
pub enum IdentifyError {
    /// The user cancelled it.
    #[error("stopped")]
    Cancelled,
    /// The system could not start a thread.
    #[error("starting a thread: {0}")]
    Thread(#[source] io::Error),
}

/// Reads some files of an image, each once, unpacking each compressed layer once. `threads` is 0 for one per core.
/// Contents that cannot be read are listed in the result.
///
/// # Errors
/// [`IdentifyError`] if it is cancelled or a thread cannot be started.
pub fn identify(
    image: &Image,
    contents: &Contents,
    ids: &[OccurrenceId],
    threads: usize,
    cancel: &Cancel,
) -> Result<Identified, IdentifyError> {
    let tree = &image.tree;
    let batches = batches(tree, contents, ids);
    let next = AtomicUsize::new(0);
    let found = Mutex::new(Identified::default());
    let run = || {
        let mut own = Identified::default();
        let mut buffer = vec![0; 64 << 10];
        while let Some(batch) = batches.get(next.fetch_add(1, Ordering::Relaxed)) {
            if read(tree, contents, batch, &mut own, &mut buffer, cancel).is_err() {
                break;
            }
        }
        let mut all = found.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        all.known.extend(own.known);
        all.unread.extend(own.unread);
    };
    let threads = match threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        threads => threads,
    };
    std::thread::scope(|scope| {
        for _ in 1..threads.min(batches.len()) {
            let spawned = std::thread::Builder::new().name("identify".into()).spawn_scoped(scope, run);
            spawned.map_err(IdentifyError::Thread)?;
        }
        run();
        Ok(())
    })?;
    if cancel.is_cancelled() {
        return Err(IdentifyError::Cancelled);
    }
    let mut found = found.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    found.unread.sort();
    Ok(found)
}

/// Groups files that are adjacent in a layer; a layer that has to be unpacked is one group.
fn batches(tree: &FileTree, contents: &Contents, ids: &[OccurrenceId]) -> Vec<Vec<OccurrenceId>> {
    let mut order: Vec<OccurrenceId> = ids.to_vec();
    order.sort_by_key(|&id| (tree.occurrence(id).layer, tree.occurrence(id).offset, id));
    order.dedup();
    let mut batches: Vec<Vec<OccurrenceId>> = Vec::new();
    let mut bytes = 0u64;
    for id in order {
        let layer = tree.occurrence(id).layer;
        let fits = batches.last().is_some_and(|batch| {
            let same_layer = batch.first().is_some_and(|&first| tree.occurrence(first).layer == layer);
            same_layer && (!contents.is_at_hand(layer) || (bytes < BATCH_BYTES && batch.len() < BATCH_FILES))
        });
        if !fits {
            batches.push(Vec::new());
            bytes = 0;
        }
        bytes = bytes.saturating_add(tree.occurrence(id).bytes);
        if let Some(batch) = batches.last_mut() {
            batch.push(id);
        }
    }
    batches
}

fn read(
    tree: &FileTree,
    contents: &Contents,
    batch: &[OccurrenceId],
    found: &mut Identified,
    buffer: &mut [u8],
    cancel: &Cancel,
) -> Result<(), ContentError> {
    let is_endless = |id: &OccurrenceId| tree.sparse(*id).is_some() && tree.occurrence(*id).bytes > MOST_SPARSE_BYTES;
    let (endless, batch): (Vec<OccurrenceId>, Vec<OccurrenceId>) = batch.iter().partition(|&id| is_endless(id));
    let name = |id: OccurrenceId| display_name(&tree.path(tree.occurrence(id).node())).into_owned();
    for id in endless {
        found.unread.push(format!("{}: sparse file too long to read", name(id)));
    }
    let read = contents.for_each(tree, &batch, &mut |id, reader| {
        cancel.check()?;
        match identity_with(reader, buffer) {
            Ok(hash) => {
                found.known.insert(id, hash);
            }
            Err(error) => found.unread.push(format!("{}: {error}", name(id))),
        }
        Ok::<(), ContentError>(())
    });
    match read {
        Err(error) if cancel.is_cancelled() => Err(error),
        Err(error) => {
            // One sentence for all files that can no longer be read from the source.
            if let Some(&first) = batch.iter().find(|&id| !found.known.contains_key(id)) {
                found.unread.push(format!("{}: {error}", name(first)));
            }
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}
