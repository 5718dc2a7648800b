//! Reads the files of an opened image once, on all cores, for the rules that judge it by content.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::findings::{ExaminePlan, Examiner, Facts};
use nixdive_base::cancel::Cancel;
use nixdive_image::{FileTree, Image, LayerIndex, OccurrenceId};
use nixdive_source::open::{ContentError, Contents};

/// Total size of a batch of files that one thread reads at a time, bytes.
const BATCH_BYTES: u64 = 8 << 20;
/// Files in one batch, however short they are.
const BATCH_FILES: usize = 512;

/// Why the contents could not be examined.
#[derive(Debug, thiserror::Error)]
pub enum ExamineError {
    /// It was cancelled.
    #[error("stopped")]
    Cancelled,
    /// The system refused a thread.
    #[error("starting a thread: {0}")]
    Thread(#[source] io::Error),
}

/// Reads what the rules need of an image's contents: each file at most once, a compressed layer unpacked once. Files
/// that cannot be read are counted in the result. `threads` is 0 for as many as there are cores.
///
/// # Errors
/// [`ExamineError`].
pub fn examine(image: &Image, contents: &Contents, threads: usize, cancel: &Cancel) -> Result<Facts, ExamineError> {
    let tree = &image.tree;
    let plan = ExaminePlan::new(tree);
    let batches = batches(tree, contents, &plan.files);
    let next = AtomicUsize::new(0);
    let run = || {
        let mut examiner = Examiner::new(tree, &plan);
        while let Some(batch) = batches.get(next.fetch_add(1, Ordering::Relaxed)) {
            if read(tree, contents, batch, &mut examiner, cancel).is_err() {
                break;
            }
        }
        examiner.finish()
    };
    let threads = match threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        threads => threads,
    };
    let mut facts = Facts::default();
    std::thread::scope(|scope| {
        let mut running = Vec::new();
        for _ in 1..threads.min(batches.len()) {
            let spawned = std::thread::Builder::new().name("examine".into()).spawn_scoped(scope, run);
            running.push(spawned.map_err(ExamineError::Thread)?);
        }
        facts.merge(run());
        for thread in running {
            let found = thread.join().map_err(|_| ExamineError::Thread(io::Error::other("a thread failed")))?;
            facts.merge(found);
        }
        Ok(())
    })?;
    cancel.check().map_err(|_| ExamineError::Cancelled)?;
    Ok(facts)
}

/// Shows some files to the examiner. An error is a request to stop.
fn read(
    tree: &FileTree,
    contents: &Contents,
    batch: &[OccurrenceId],
    examiner: &mut Examiner<'_>,
    cancel: &Cancel,
) -> io::Result<()> {
    contents.for_each_stored::<io::Error>(tree, batch, &mut |id, stored: Result<&mut dyn io::Read, ContentError>| {
        cancel.check()?;
        let read = stored.is_ok_and(|stored| examiner.examine(id, stored).is_ok());
        if !read {
            examiner.unread(id);
        }
        Ok(())
    })
}

/// The files of a layer that has to be unpacked are one batch, so that it is unpacked once; those come first.
fn batches(tree: &FileTree, contents: &Contents, files: &[OccurrenceId]) -> Vec<Vec<OccurrenceId>> {
    let (mut packed, mut others): (Vec<Vec<OccurrenceId>>, Vec<Vec<OccurrenceId>>) = (Vec::new(), Vec::new());
    let mut batch: Vec<OccurrenceId> = Vec::new();
    let mut bytes = 0u64;
    let mut layer: Option<LayerIndex> = None;
    for &id in files {
        let occurrence = tree.occurrence(id);
        let at_hand = contents.is_at_hand(occurrence.layer);
        let is_full = at_hand && (bytes >= BATCH_BYTES || batch.len() >= BATCH_FILES);
        if is_full || layer.is_some_and(|layer| layer != occurrence.layer) {
            let was_at_hand = layer.is_some_and(|layer| contents.is_at_hand(layer));
            let full = std::mem::take(&mut batch);
            if was_at_hand {
                others.push(full)
            } else {
                packed.push(full)
            }
            bytes = 0;
        }
        layer = Some(occurrence.layer);
        bytes = bytes.saturating_add(occurrence.bytes);
        batch.push(id);
    }
    if !batch.is_empty() {
        let at_hand = layer.is_some_and(|layer| contents.is_at_hand(layer));
        if at_hand { others.push(batch) } else { packed.push(batch) }
    }
    packed.append(&mut others);
    packed
}
