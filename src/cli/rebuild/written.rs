//! Writing what a plan makes of an image, with a word on how far it is and what came of it.

use std::io::Write;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};

use crate::cli::signals::StopOnSignals;
use nixdive_base::cancel::Cancel;
use nixdive_base::text::{counted, display_bytes, display_name};
use nixdive_image::Image;
use nixdive_rebuild::{Composition, ImageContent};
use nixdive_write::{self, Destination, WriteOptions, WriteProgress, Written};

/// Between two words on how far it is.
const TICK: Duration = Duration::from_millis(100);

/// Text of the report besides the figures.
pub struct Words<'a> {
    /// The image that it was made of, if it was made of one.
    pub before: Option<&'a Image>,
    /// Notes on the plan.
    pub notes: Vec<String>,
}

/// Maximum number of notes listed.
const MOST_NOTES: usize = 20;

/// An image to write, and its options.
#[derive(Clone, Copy)]
pub struct Writing<'a> {
    /// Content of the image.
    pub composition: &'a Composition,
    /// Store paths grouped by layer.
    pub layers: &'a [Vec<u32>],
    /// The way to its files.
    pub content: &'a ImageContent<'a>,
    /// Options of the write.
    pub options: &'a WriteOptions,
    /// Text of the report.
    pub words: &'a Words<'a>,
}

impl<'a> Writing<'a> {
    /// The same, written in another way.
    pub fn with<'b>(&self, options: &'b WriteOptions) -> Writing<'b>
    where
        'a: 'b,
    {
        Writing { options, ..*self }
    }

    /// Writes an image, and reports it on standard error.
    pub fn write(&self, destinations: &[Destination]) -> anyhow::Result<()> {
        let cancel = Cancel::new();
        let signals = StopOnSignals::new(&cancel);
        self.tell(&signals.outcome(self.run(destinations, &cancel))?);
        Ok(())
    }

    /// Writes an image, and tells a terminal how far it is.
    pub fn run(&self, destinations: &[Destination], cancel: &Cancel) -> anyhow::Result<Written> {
        let progress = WriteProgress::new(cancel.clone());
        let (finished, watched) = bounded::<()>(0);
        let written = std::thread::scope(|scope| {
            scope.spawn(|| watch(&progress, &watched));
            let written = nixdive_write::write(
                self.composition,
                self.layers,
                destinations,
                self.content,
                self.options,
                &progress,
            );
            drop(finished);
            written
        })?;
        Ok(written)
    }

    /// Reports on standard error what was written.
    pub fn tell(&self, written: &Written) {
        // Who reads no words of it has the image all the same.
        let _ = tell(self.words, written, &mut std::io::stderr().lock());
    }
}

/// Tells a terminal how far it is, on one line that is gone at the end.
fn watch(progress: &WriteProgress, finished: &Receiver<()>) {
    let mut told = false;
    let mut err = std::io::stderr();
    while let Err(RecvTimeoutError::Timeout) = finished.recv_timeout(TICK) {
        if !crate::cli::pace::is_watched() {
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

fn tell(words: &Words<'_>, written: &Written, err: &mut dyn Write) -> std::io::Result<()> {
    let unpacked: u64 = written.layers.iter().map(|layer| layer.unpacked_bytes).fold(0, u64::saturating_add);
    let after = format!("{} in {}", display_bytes(unpacked), counted(written.layers.len(), "layer"));
    match words.before {
        Some(before) => {
            let bytes = display_bytes(before.unpacked_bytes());
            writeln!(err, "{bytes} unpacked in {} become {after}", counted(before.layers.len(), "layer"))?;
        }
        None => writeln!(err, "{after}")?,
    }
    for destination in &written.destinations {
        let name = destination.destination.to_string();
        let digest = destination.manifest_digest.as_ref().map(|digest| format!("  {digest}")).unwrap_or_default();
        writeln!(err, "{}: {} written{digest}", display_name(name.as_bytes()), display_bytes(destination.bytes))?;
    }
    words.notes.iter().take(MOST_NOTES).try_for_each(|note| writeln!(err, "note: {note}"))?;
    match words.notes.len().saturating_sub(MOST_NOTES) {
        0 => Ok(()),
        more => writeln!(err, "note: {more} more; --plan has them all"),
    }
}
