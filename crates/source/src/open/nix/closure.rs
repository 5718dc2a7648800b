//! Layers of nix-snapshotter: mount points, and the closure mounted over them, which only annotations list
//! (github.com/pdtpartners/nix-snapshotter, `pkg/nix2container/generate.go`).

use std::io;

use crate::formats::{DescribedLayer, SourceError};
use crate::open::assemble::ReadLayer;
use crate::open::contents::LayerStore;
use crate::open::{OpenError, Opening};
use crate::store::{Rules, StoreError, TarPlan};
use nixdive_image::{EntryBatch, LayerContents, TreeBuilder};
use nixdive_nix::{LayerClaim, STORE_DIRECTORY, StorePath};
use nixdive_scan::{LayerOptions, LayerProgress, NameRoom, Section, StatedDigests, scan_section};

/// Store paths that annotations add to the layers.
#[derive(Default)]
pub(in crate::open) struct Mounts {
    /// For each layer with a closure, the parts of it that are missing on this machine.
    pub contents: Vec<Option<LayerContents>>,
    named: usize,
    absent: usize,
}

impl Mounts {
    /// Returns a sentence about what is missing.
    pub fn note(&self) -> Option<String> {
        let Self { named, absent, .. } = self;
        let rest =
            format!("that nix-snapshotter mounts are not in {STORE_DIRECTORY} on this machine: contents not available");
        (*absent > 0).then(|| format!("{absent} of the {named} store paths {rest}"))
    }
}

/// Finds the layers of nix-snapshotter. Adds the topmost layer's closure to the tree, as far as the local store
/// contains it, as if it were part of the layer: nix-snapshotter creates no other layers with a closure.
pub(in crate::open) fn mount(
    opening: &Opening<'_>,
    layers: &[DescribedLayer],
    read: &mut [ReadLayer],
    tree: &mut TreeBuilder,
) -> Result<Mounts, OpenError> {
    let mut mounts = Mounts::default();
    for (number, layer) in layers.iter().enumerate() {
        let Some(mut claim) = LayerClaim::annotated(&layer.annotations) else {
            mounts.contents.push(None);
            continue;
        };
        claim.paths.sort();
        claim.paths.dedup();
        let is_top = number + 1 == layers.len();
        let (here, absent): (Vec<StorePath>, Vec<StorePath>) =
            claim.paths.into_iter().partition(|path| is_top && opening.options.store.holds(path));
        let whole = absent.is_empty() && claim.others.is_empty() && !here.is_empty();
        if let (false, Some(read)) = (here.is_empty(), read.get_mut(number)) {
            add(opening, number, &here, read, tree)?;
        }
        let names: Vec<String> = absent.iter().map(ToString::to_string).chain(claim.others).collect();
        mounts.named += here.len() + names.len();
        mounts.absent += names.len();
        mounts.contents.push(Some(if whole { LayerContents::Present } else { LayerContents::Absent(names) }));
    }
    Ok(mounts)
}

/// Adds local store paths to the topmost layer.
fn add(
    opening: &Opening<'_>,
    number: usize,
    paths: &[StorePath],
    read: &mut ReadLayer,
    tree: &mut TreeBuilder,
) -> Result<(), OpenError> {
    let failed = |error: StoreError| opening.source_error(SourceError::Store { number, error });
    let mut plan = TarPlan::new(&opening.options.store, NameRoom::default(), opening.cancel().clone());
    for path in paths {
        plan.add(path, &Rules::default()).map_err(failed)?;
    }
    let section = plan.finish().into_section();
    let first_bytes = read.scan.unpacked_bytes;
    let options = LayerOptions {
        whole: false,
        limit: opening.options.unpack_limit,
        decoder_threads: 1,
        access: opening.access(),
        wanted: opening.options.wanted,
        watch: None,
        stated: StatedDigests::default(),
        names: opening.names(),
        cancel: opening.cancel().clone(),
    };
    let mut limit = None;
    let mut sink = |mut batch: EntryBatch| {
        batch.shift_contents(first_bytes);
        tree.add(&batch).map_err(|reached| {
            limit = Some(reached);
            io::Error::other(reached)
        })
    };
    let scan = scan_section(&section, &options, &LayerProgress::default(), &mut sink, None);
    if let Some(limit) = limit {
        return Err(OpenError::Limit { reference: opening.reference.text.clone(), limit });
    }
    let scan = scan.map_err(|error| opening.io_error(error))?;
    read.scan.entries = read.scan.entries.saturating_add(scan.entries);
    read.scan.file_bytes = read.scan.file_bytes.saturating_add(scan.file_bytes);
    read.scan.unpacked_bytes = first_bytes.saturating_add(scan.unpacked_bytes);
    read.scan.captured.extend(scan.captured.into_iter().map(|mut file| {
        file.offset = file.offset.saturating_add(first_bytes);
        file
    }));
    join(read, first_bytes, section);
    Ok(())
}

fn join(read: &mut ReadLayer, first_bytes: u64, second: Section) {
    let first = Box::new(std::mem::replace(&mut read.store, LayerStore::Gone));
    read.store = LayerStore::Joined { first, first_bytes, second };
}
