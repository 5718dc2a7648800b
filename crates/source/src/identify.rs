//! Reads files of an opened image whose content has to be told from others, on several cores.

use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use hashbrown::HashMap;

use crate::open::{ContentError, Contents};
use nixdive_base::cancel::Cancel;
use nixdive_base::text::display_name;
use nixdive_image::{ContentHash, FileTree, Image, OccurrenceId};
use nixdive_scan::identity_with;

/// Files of so many bytes together are read by one thread at a time.
const BATCH_BYTES: u64 = 8 << 20;
/// Files in one batch, however short they are.
const BATCH_FILES: usize = 256;
/// A sparse file may unpack to so many bytes; what is longer is not read, as it may be without end.
const MOST_SPARSE_BYTES: u64 = 4 << 30;

/// What contents were found to be.
#[derive(Debug, Clone, Default)]
pub struct Identified {
    /// Identities of the contents that could be read.
    pub known: HashMap<OccurrenceId, ContentHash>,
    /// What could not be read, as sentences.
    pub unread: Vec<String>,
}

/// Why contents could not be read.
#[derive(Debug, thiserror::Error)]
pub enum IdentifyError {
    /// It was cancelled.
    #[error("stopped")]
    Cancelled,
    /// The system refused a thread.
    #[error("starting a thread: {0}")]
    Thread(#[source] io::Error),
}

/// Reads some files of an image, each once, a compressed layer unpacked once. `threads` is 0 for as many as there are
/// cores. What cannot be read is told in the result.
///
/// # Errors
/// [`IdentifyError`].
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

/// Runs of files that lie one behind the other; a layer that has to be unpacked is one run.
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
        found.unread.push(format!("{}: a sparse file too long to be read", name(id)));
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
            // One sentence for all that a source no longer gives.
            if let Some(&first) = batch.iter().find(|&id| !found.known.contains_key(id)) {
                found.unread.push(format!("{}: {error}", name(first)));
            }
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}
