use std::io::{self, Read};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::NeedsError;
use super::elf::{self, Elf};
use super::jar;
use nixdive_base::cancel::Cancel;
use nixdive_image::{FileTree, OccurrenceId};
use nixdive_source::open::Contents;

/// Maximum length of a program or library that is read, bytes.
const MOST_PROGRAM: u64 = 512 << 20;
/// Programs and libraries above this length are read one at a time, regardless of the number of threads.
const LARGE_PROGRAM: u64 = 16 << 20;
/// Maximum length of a script or text that is read, bytes; longer ones are ignored.
pub(super) const MOST_TEXT: u64 = 4 << 20;
/// Maximum number of bytes of texts read before they are followed.
pub(super) const MOST_TEXTS: u64 = 16 << 20;
/// Maximum number of bytes of texts read before they are followed, if a layer must be unpacked each time.
pub(super) const MOST_TEXTS_UNPACKED: u64 = 128 << 20;
/// Bytes that determine the type of a file.
const START: u64 = 4096;
/// Bytes of files that one thread reads at a time.
const BATCH_BYTES: u64 = 1 << 20;

/// Content of a file as far as the search uses it.
#[derive(Debug)]
pub(crate) enum Facts {
    /// Program or library.
    Elf(Box<Elf>),
    /// File that begins with `#!`, text or not; only the beginning of a long one.
    Script(Vec<u8>),
    /// Other text, complete.
    Text(Vec<u8>),
    /// Java archive, with the archives that it names.
    Jar(Vec<Box<[u8]>>),
    /// Anything else.
    Other,
    /// Unreadable file, with the reason.
    Unreadable(String),
}

/// Reads files, each compressed layer once, and classifies them.
///
/// # Errors
/// If the operation was cancelled or a thread could not be started.
pub(crate) fn read_all(
    tree: &FileTree,
    contents: &Contents,
    files: &[OccurrenceId],
    cancel: &Cancel,
) -> Result<Vec<(OccurrenceId, Facts)>, NeedsError> {
    let batches = batches(tree, contents, files);
    let (next, large) = (AtomicUsize::new(0), Mutex::new(()));
    let run = || {
        let mut found = Vec::new();
        while let Some(batch) = batches.get(next.fetch_add(1, Ordering::Relaxed)) {
            read_batch(tree, contents, batch, &large, cancel, &mut found);
        }
        found
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(batches.len());
    let mut found = Vec::with_capacity(files.len());
    std::thread::scope(|scope| {
        let mut running = Vec::new();
        for _ in 1..threads {
            let spawned = std::thread::Builder::new().name("needs".into()).spawn_scoped(scope, run);
            running.push(spawned.map_err(NeedsError::Thread)?);
        }
        found.append(&mut run());
        for thread in running {
            found.append(&mut thread.join().map_err(|_| NeedsError::Thread(io::Error::other("a thread failed")))?);
        }
        Ok::<(), NeedsError>(())
    })?;
    cancel.check().map_err(|_| NeedsError::Cancelled)?;
    Ok(found)
}

/// Divides files into batches. Files of a layer that must be unpacked are one batch, so that it is unpacked once.
fn batches(tree: &FileTree, contents: &Contents, files: &[OccurrenceId]) -> Vec<Vec<OccurrenceId>> {
    let mut order = files.to_vec();
    order.sort_by_key(|&id| (tree.occurrence(id).layer, tree.occurrence(id).offset));
    order.dedup();
    let mut batches: Vec<Vec<OccurrenceId>> = Vec::new();
    let (mut layer, mut bytes) = (None, 0u64);
    for id in order {
        let occurrence = tree.occurrence(id);
        let is_full = contents.is_at_hand(occurrence.layer) && bytes > BATCH_BYTES;
        if layer != Some(occurrence.layer) || is_full {
            batches.push(Vec::new());
            (layer, bytes) = (Some(occurrence.layer), 0);
        }
        bytes = bytes.saturating_add(occurrence.bytes);
        if let Some(batch) = batches.last_mut() {
            batch.push(id);
        }
    }
    batches
}

fn read_batch(
    tree: &FileTree,
    contents: &Contents,
    batch: &[OccurrenceId],
    large: &Mutex<()>,
    cancel: &Cancel,
    found: &mut Vec<(OccurrenceId, Facts)>,
) {
    // An error of the visitor is a request to stop, which the caller handles.
    let _ = contents.for_each_stored::<io::Error>(tree, batch, &mut |id, stored| {
        cancel.check()?;
        let facts = match stored {
            // A sparse file yields only its data runs, and programs are not sparse.
            Ok(_) if tree.sparse(id).is_some() => Facts::Other,
            Ok(stored) => facts(stored, tree.occurrence(id).bytes, large)
                .unwrap_or_else(|error| Facts::Unreadable(error.to_string())),
            Err(error) => Facts::Unreadable(error.to_string()),
        };
        found.push((id, facts));
        Ok(())
    });
}

fn facts(stored: &mut dyn Read, bytes: u64, large: &Mutex<()>) -> io::Result<Facts> {
    let mut content = Vec::new();
    stored.take(START).read_to_end(&mut content)?;
    if content.starts_with(b"\x7fELF") {
        let is_large = bytes > LARGE_PROGRAM;
        let _one_at_a_time = is_large.then(|| large.lock().unwrap_or_else(PoisonError::into_inner));
        // Untouched memory is not committed, in case the file is shorter than stated.
        content.reserve_exact(usize::try_from(bytes.min(MOST_PROGRAM)).unwrap_or_default());
        stored.take(MOST_PROGRAM).read_to_end(&mut content)?;
        return Ok(elf::read(&content).map_or(Facts::Other, |elf| Facts::Elf(Box::new(elf))));
    }
    if content.starts_with(jar::MAGIC) {
        stored.take(jar::START).read_to_end(&mut content)?;
        let names = jar::class_path(&content);
        return Ok(if names.is_empty() { Facts::Other } else { Facts::Jar(names) });
    }
    let is_script = content.starts_with(b"#!");
    if !is_script && (content.contains(&0) || bytes > MOST_TEXT) {
        return Ok(Facts::Other);
    }
    stored.take(MOST_TEXT).read_to_end(&mut content)?;
    Ok(if is_script { Facts::Script(content) } else { Facts::Text(content) })
}
