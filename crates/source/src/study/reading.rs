use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use hashbrown::HashMap;

use super::plan::plan;
use super::worker::{Found, Scene, Worker};
use super::{StudyError, StudyOptions};
use crate::open::Contents;
use nixdive_image::Image;
use nixdive_nix::study::{ContentFindings, StoreOutline};

/// Reads all contents that a study needs, except those that its watch has scanned.
pub(super) fn read(
    image: &Image,
    contents: &Contents,
    outline: &StoreOutline,
    options: &StudyOptions<'_>,
) -> Result<ContentFindings, StudyError> {
    let candidates = outline.store.candidates();
    let (mut findings, plan) = plan(image, contents, outline, &candidates, options.watch);
    let scene =
        Scene { tree: &image.tree, contents, outline, candidates, cancel: &options.cancel, kept: Default::default() };
    let threads = match options.threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        threads => threads,
    };
    let mut unpacked = in_parallel(threads, &scene, &plan.packed, |worker, layer| worker.packed(layer))?;
    let aside: HashMap<_, _> = unpacked.iter_mut().flat_map(|found| std::mem::take(&mut found.aside)).collect();
    let read = in_parallel(threads, &scene, &plan.units, |worker, unit| worker.unit(unit, &aside))?;
    for found in unpacked.into_iter().chain(read) {
        add(&mut findings, found);
    }
    findings.unread.sort_unstable();
    Ok(findings)
}

fn add(findings: &mut ContentFindings, found: Found) {
    findings.is_truncated |= found.is_truncated;
    findings.unread.extend(found.unread);
    findings.references.extend(found.references);
    findings.mentions.extend(found.mentions);
    for (path, digest) in found.digests {
        if let Some(place) = findings.digests.get_mut(path.index()) {
            *place = Some(digest);
        }
    }
}

/// Does all `work` in order, on several threads, each with its own worker.
fn in_parallel<'a, T: Sync>(
    threads: usize,
    scene: &'a Scene<'a>,
    work: &[T],
    perform: impl Fn(&mut Worker<'a>, &T) -> io::Result<()> + Sync,
) -> Result<Vec<Found>, StudyError> {
    let next = AtomicUsize::new(0);
    let run = || {
        let mut worker = Worker::new(scene);
        while let Some(item) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
            if perform(&mut worker, item).is_err() {
                // Only cancellation or lack of memory leads here; cancellation is reported below.
                worker.found.unread.push("some contents were not read: no space to store them temporarily".to_owned());
                break;
            }
        }
        worker.found
    };
    let threads = threads.min(work.len());
    if threads <= 1 {
        let found = if work.is_empty() { Vec::new() } else { vec![run()] };
        return cancelled(scene).map(|()| found);
    }
    std::thread::scope(|scope| {
        let mut running = Vec::new();
        for _ in 0..threads {
            let spawned = std::thread::Builder::new().name("study".into()).spawn_scoped(scope, run);
            running.push(spawned.map_err(|error| StudyError::System { what: "starting a thread", error })?);
        }
        let found = running.into_iter().map(|thread| thread.join());
        let failed = |_| StudyError::System { what: "reading", error: io::Error::other("a thread failed") };
        let found: Result<Vec<Found>, StudyError> = found.map(|found| found.map_err(failed)).collect();
        cancelled(scene).and(found)
    })
}

fn cancelled(scene: &Scene<'_>) -> Result<(), StudyError> {
    scene.cancel.check().map_err(|_| StudyError::Cancelled)
}
