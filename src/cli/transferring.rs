//! What is said of a transfer while it goes on, and what came of it.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};
use serde_json::{Value, json};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};

use crate::image::display_bytes;
use crate::scan::Cancel;
use crate::transfer::{Arrival, LayerArrival, LayerProgress, LayerState, TransferProgress, Way};

/// Between two looks at how far it is.
const TICK: Duration = Duration::from_millis(100);
/// Between two words on it where nobody sees lines change.
const WORD: Duration = Duration::from_secs(10);
/// Lines of a terminal that tell of layers.
const MOST_LINES: usize = 12;
/// The name of the schema of [`as_json`].
pub const COPY_SCHEMA: &str = "nixdive.copy/1";

/// Lets the first signal that asks the program to end stop the work, so that nothing is left behind; the second one ends
/// it at once. Until it is dropped.
pub struct StopOnSignals(Handle);

impl StopOnSignals {
    /// Where signals cannot be taken, they end the program as ever.
    pub fn new(cancel: &Cancel) -> Option<Self> {
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).ok()?;
        let (handle, cancel) = (signals.handle(), cancel.clone());
        let wait = move || {
            for signal in signals.forever() {
                if cancel.is_cancelled() {
                    let _ = signal_hook::low_level::emulate_default_handler(signal);
                }
                cancel.cancel();
            }
        };
        std::thread::Builder::new().name("signals".into()).spawn(wait).ok()?;
        Some(Self(handle))
    }
}

impl Drop for StopOnSignals {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Does something, and tells meanwhile on standard error how far it is.
pub fn watched<T>(progress: &TransferProgress, quiet: bool, work: impl FnOnce() -> T) -> T {
    let (finished, ended) = bounded::<()>(0);
    std::thread::scope(|scope| {
        if !quiet {
            scope.spawn(|| watch(progress, &ended));
        }
        let done = work();
        drop(finished);
        done
    })
}

fn watch(progress: &TransferProgress, ended: &Receiver<()>) {
    let mut err = std::io::stderr();
    let is_live = err.is_terminal();
    let (mut lines, mut last_word) = (0, Instant::now());
    while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(TICK) {
        let layers = progress.layers();
        if is_live {
            let text = live(&layers, lines);
            lines = text.1;
            let _ = err.write_all(text.0.as_bytes());
            let _ = err.flush();
        } else if last_word.elapsed() >= WORD && !layers.is_empty() {
            last_word = Instant::now();
            let _ = writeln!(err, "{}", summary(&layers));
        }
    }
    if lines > 0 {
        let _ = write!(err, "\x1b[{lines}A\r\x1b[J");
        let _ = err.flush();
    }
}

/// The lines of a terminal in place of those before, and how many they are.
fn live(layers: &[LayerProgress], lines_before: usize) -> (String, usize) {
    let mut text = String::new();
    if lines_before > 0 {
        text.push_str(&format!("\x1b[{lines_before}A\r\x1b[J"));
    }
    if layers.is_empty() {
        text.push_str("finding the image\r\n");
        return (text, 1);
    }
    let moving = layers.iter().filter(|layer| matches!(layer.state, LayerState::Reading | LayerState::Sending));
    let mut lines = 1;
    for layer in moving.take(MOST_LINES) {
        let what = match layer.state {
            LayerState::Reading => "reading",
            _ if layer.done_bytes >= layer.total_bytes => "waiting for an answer",
            _ => "sending",
        };
        let (done, total) = (display_bytes(layer.done_bytes), display_bytes(layer.total_bytes));
        text.push_str(&format!("  {}  {what}  {done} of {total}\r\n", layer.title));
        lines += 1;
    }
    text.push_str(&format!("{}\r\n", summary(layers)));
    (text, lines)
}

fn summary(layers: &[LayerProgress]) -> String {
    let count = |state: LayerState| layers.iter().filter(|layer| layer.state == state).count();
    let (arrived, there) = (count(LayerState::Arrived), count(LayerState::There));
    let done: u64 = layers.iter().map(|layer| layer.done_bytes).fold(0, u64::saturating_add);
    let total: u64 = layers.iter().map(|layer| layer.total_bytes).fold(0, u64::saturating_add);
    let of = layers.len();
    format!(
        "{} of {of} layers arrived, {there} of them were there; {} of {}",
        arrived + there,
        display_bytes(done),
        display_bytes(total)
    )
}

/// What came of it, in two lines.
pub fn tell(destination: &str, arrival: &Arrival, err: &mut dyn Write) -> std::io::Result<()> {
    let digest = arrival.manifest_digest.as_ref().map(|digest| format!("  {digest}")).unwrap_or_default();
    writeln!(err, "{destination}{digest}")?;
    let count = |ways: &[Way]| arrival.layers.iter().filter(|layer| ways.contains(&layer.way)).count();
    let unread = arrival.layers.iter().filter(|layer| !layer.is_read).count();
    let (sent, there) = (count(&[Way::Sent]), count(&[Way::There, Way::Mounted]));
    write!(err, "  {} sent, {sent} layers among it", display_bytes(arrival.sent_bytes))?;
    match there {
        0 => writeln!(err),
        _ => writeln!(
            err,
            "; {} in {there} layers were there, {unread} of them known without reading them",
            display_bytes(arrival.skipped_bytes)
        ),
    }
}

/// `nixdive.copy/1`: integer bytes, a fixed order, `null` for what is not known.
pub fn as_json<'a>(source: &str, arrivals: impl Iterator<Item = (String, &'a Arrival)>) -> Value {
    let destinations: Vec<Value> = arrivals.map(|(destination, arrival)| of_arrival(&destination, arrival)).collect();
    json!({"schema": COPY_SCHEMA, "source": source, "destinations": destinations})
}

fn of_arrival(destination: &str, arrival: &Arrival) -> Value {
    let layers: Vec<Value> = arrival.layers.iter().map(of_layer).collect();
    json!({
        "destination": destination,
        "manifestDigest": arrival.manifest_digest.as_ref().map(|digest| digest.as_str()),
        "sentBytes": arrival.sent_bytes,
        "skippedBytes": arrival.skipped_bytes,
        "layers": layers,
    })
}

/// A layer in JSON.
pub fn of_layer(layer: &LayerArrival) -> Value {
    let way = match layer.way {
        Way::Sent => "sent",
        Way::There => "there",
        Way::Mounted => "mounted",
        Way::Left => "left",
    };
    json!({
        "digest": layer.digest.as_str(),
        "diffId": layer.diff_id.as_ref().map(|digest| digest.as_str()),
        "storedBytes": layer.stored_bytes,
        "outcome": way,
        "read": layer.is_read,
    })
}
