//! Writing what a plan makes of an image, with a word on how far it is and what came of it.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};

use crate::image::{display_bytes, display_name};
use crate::open::Opened;
use crate::rebuild::plan::Plan;
use crate::rebuild::write::{self, Destination, WriteOptions, WriteProgress, Written};
use crate::rebuild::{Composition, ImageContent};
use crate::scan::Cancel;

/// Between two words on how far it is.
const TICK: Duration = Duration::from_millis(100);

/// Writes an image, and says on standard error what was written.
pub fn write(
    opened: &Opened,
    plan: &Plan,
    composition: &Composition,
    layers: &[Vec<u32>],
    destinations: &[Destination],
    options: &WriteOptions,
) -> anyhow::Result<()> {
    let content = ImageContent::new(&opened.image.tree, &opened.contents);
    let progress = WriteProgress::new(Cancel::new());
    let (finished, watched) = bounded::<()>(0);
    let written = std::thread::scope(|scope| {
        scope.spawn(|| watch(&progress, &watched));
        let written = write::write(composition, layers, destinations, &content, options, &progress);
        drop(finished);
        written
    })?;
    let mut err = std::io::stderr().lock();
    // Who reads no words of it has the image all the same.
    let _ = tell(opened, plan, &written, &mut err);
    Ok(())
}

/// Tells a terminal how far it is, on one line that is gone at the end.
fn watch(progress: &WriteProgress, finished: &Receiver<()>) {
    let mut told = false;
    let mut err = std::io::stderr();
    while let Err(RecvTimeoutError::Timeout) = finished.recv_timeout(TICK) {
        if !err.is_terminal() {
            continue;
        }
        let (done, total) =
            progress.layers().iter().fold((0u64, 0u64), |sum, layer| (sum.0 + layer.0, sum.1 + layer.1));
        told = true;
        let _ = write!(err, "\r\x1b[K{} of {} written", display_bytes(done), display_bytes(total));
        let _ = err.flush();
    }
    if told {
        let _ = write!(err, "\r\x1b[K");
    }
}

fn tell(opened: &Opened, plan: &Plan, written: &Written, err: &mut dyn Write) -> std::io::Result<()> {
    let unpacked: u64 = written.layers.iter().map(|layer| layer.unpacked_bytes).fold(0, u64::saturating_add);
    writeln!(
        err,
        "{} unpacked in {} layers become {} in {}",
        display_bytes(opened.image.unpacked_bytes()),
        opened.image.layers.len(),
        display_bytes(unpacked),
        written.layers.len()
    )?;
    for destination in &written.destinations {
        let name = destination.destination.to_string();
        let digest = destination.manifest_digest.as_ref().map(|digest| format!("  {digest}")).unwrap_or_default();
        writeln!(err, "{}: {} written{digest}", display_name(name.as_bytes()), display_bytes(destination.bytes))?;
    }
    for doubt in plan.rows.iter().filter_map(|row| Some(format!("{}: {}", row.name, row.doubt.as_ref()?))) {
        writeln!(err, "note: {doubt}")?;
    }
    plan.doubts.iter().try_for_each(|doubt| writeln!(err, "note: {doubt}"))
}
