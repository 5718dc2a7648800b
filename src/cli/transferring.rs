//! Progress and result of a transfer.

use std::io::Write;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};
use serde_json::{Value, json};

use super::pace::{self, Pace};
use nixdive_base::text::display_bytes;
use nixdive_source::open::OpenOptions;
use nixdive_transfer::{
    Arrival, LayerArrival, LayerProgress, LayerState, Strictness, TransferProgress, Verification, Way,
};
use nixdive_tui::Traffic;

/// Between two looks at how far it is.
const TICK: Duration = Duration::from_millis(100);
/// Interval between two progress lines where lines cannot be redrawn.
const WORD: Duration = Duration::from_secs(10);
/// Nothing has moved for so long that one wonders.
const SILENCE: Duration = Duration::from_secs(3);
/// Maximum number of layer lines on a terminal.
const MOST_LINES: usize = 12;
/// The name of the schema of [`as_json`].
pub const COPY_SCHEMA: &str = "nixdive.copy/1";

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
    let is_live = pace::is_watched();
    let (mut lines, mut last_word, mut paces) = (0, Instant::now(), Paces::default());
    while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(TICK) {
        let layers = progress.layers();
        let words = paces.words(progress, &layers, Instant::now());
        if is_live {
            let columns = crossterm::terminal::size().map_or(80, |(columns, _)| usize::from(columns));
            let text = live(&layers, &words, columns.saturating_sub(1), lines);
            lines = text.1;
            let _ = err.write_all(text.0.as_bytes());
            let _ = err.flush();
        } else if last_word.elapsed() >= WORD && !layers.is_empty() {
            last_word = Instant::now();
            let _ = writeln!(err, "{}", summary(&layers, &words));
        }
    }
    if lines > 0 {
        let _ = write!(err, "\x1b[{lines}A\r\x1b[J");
        let _ = err.flush();
    }
}

/// Transfer rates.
#[derive(Default)]
struct Paces {
    /// Bytes sent: determines the remaining time.
    sent: Pace,
    /// Bytes read and sent: shows that the transfer is alive.
    all: Pace,
}

impl Paces {
    /// Describes the rate, or what the transfer waits for.
    fn words(&mut self, progress: &TransferProgress, layers: &[LayerProgress], now: Instant) -> String {
        let (done, total) = sum(layers);
        let read = sum(layers.iter().filter(|layer| layer.state == LayerState::Reading)).0;
        let sent = done.saturating_sub(read);
        let traffic = self.sent.note_bytes(sent, Duration::ZERO, now);
        let silent = self.all.note_bytes(done, Duration::ZERO, now).silent;
        if progress.cancel().is_cancelled() {
            return "stopping".to_owned();
        }
        match progress.waits().left() {
            Some(left) => format!("trying again in {} s", left.as_secs().saturating_add(1)),
            None if silent >= SILENCE => format!("nothing has moved for {} s", silent.as_secs()),
            None => Traffic { silent: Duration::ZERO, ..traffic }.in_words(Some(total.saturating_sub(sent))),
        }
    }
}

/// The lines of a terminal in place of those before, and how many they are.
fn live(layers: &[LayerProgress], words: &str, columns: usize, lines_before: usize) -> (String, usize) {
    let mut lines = Vec::new();
    let moving = layers.iter().filter(|layer| matches!(layer.state, LayerState::Reading | LayerState::Sending));
    for layer in moving.take(MOST_LINES) {
        let what = match layer.state {
            LayerState::Reading => "reading",
            _ if layer.done_bytes >= layer.total_bytes => "waiting for an answer",
            _ => "sending",
        };
        let (done, total) = (display_bytes(layer.done_bytes), display_bytes(layer.total_bytes));
        let again = match layer.repeats {
            0 => String::new(),
            1 => ", taken up again once".to_owned(),
            times => format!(", taken up again {times} times"),
        };
        lines.push(format!("  {}  {what}  {done} of {total}{again}", layer.title));
    }
    lines.push(summary(layers, words));
    let mut text = String::new();
    if lines_before > 0 {
        text.push_str(&format!("\x1b[{lines_before}A\r\x1b[J"));
    }
    for line in &lines {
        // A line that wraps would be counted as one.
        text.extend(line.chars().take(columns));
        text.push_str("\r\n");
    }
    (text, lines.len())
}

fn sum<'a>(layers: impl IntoIterator<Item = &'a LayerProgress>) -> (u64, u64) {
    layers.into_iter().fold((0, 0), |(done, total): (u64, u64), layer| {
        (done.saturating_add(layer.done_bytes), total.saturating_add(layer.total_bytes))
    })
}

fn summary(layers: &[LayerProgress], words: &str) -> String {
    let words = if words.is_empty() { String::new() } else { format!(", {words}") };
    if layers.is_empty() {
        return format!("finding the image{words}");
    }
    let count = |state: LayerState| layers.iter().filter(|layer| layer.state == state).count();
    let (arrived, there) = (count(LayerState::Arrived), count(LayerState::There));
    let (done, total) = sum(layers);
    let (done, total) = (display_bytes(done), display_bytes(total));
    let of = layers.len();
    let there_words = if there == 0 { String::new() } else { format!(", {there} were there") };
    // What changes comes first: a narrow terminal shows no more.
    format!("{done} of {total}{words}; {} of {of} layers arrived{there_words}", arrived + there)
}

/// Prints the result of a transfer, in two lines.
pub fn tell(destination: &str, arrival: &Arrival, err: &mut dyn Write) -> std::io::Result<()> {
    let digest = arrival.manifest_digest.as_ref().map(|digest| format!("  {digest}")).unwrap_or_default();
    writeln!(err, "{destination}{digest}")?;
    let count = |ways: &[Way]| arrival.layers.iter().filter(|layer| ways.contains(&layer.way)).count();
    let unread = arrival.layers.iter().filter(|layer| !layer.is_read).count();
    let (sent, there) = (count(&[Way::Sent]), count(&[Way::There, Way::Mounted]));
    let skipped = display_bytes(arrival.skipped_bytes);
    if sent == 0 && there > 0 {
        // Manifest and configuration are still sent if the tag is new.
        let documents = display_bytes(arrival.sent_bytes);
        return writeln!(
            err,
            "  no layers to send ({documents} sent): all {there} ({skipped}) present, {unread} not read"
        );
    }
    write!(err, "  {} sent, with {sent} layers", display_bytes(arrival.sent_bytes))?;
    match there {
        0 => writeln!(err),
        _ => writeln!(err, "; {there} layers ({skipped}) already present, {unread} not read"),
    }
}

/// `nixdive.copy/1`: integer bytes, a fixed order, `null` for unknown values.
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
        "complete": arrival.warnings.is_empty(),
        "warnings": arrival.warnings,
    })
}

/// How to treat blobs that do not match their digests.
pub fn verification(options: &OpenOptions) -> Verification {
    Verification::new(if options.allow_incomplete { Strictness::Allow } else { Strictness::Require })
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

#[cfg(test)]
mod tests {
    use super::*;

    fn layers() -> Vec<LayerProgress> {
        let layer = |title: &str, state, done_bytes| LayerProgress {
            title: title.to_owned(),
            state,
            done_bytes,
            total_bytes: 10_000_000,
            repeats: u32::from(title == "bbb"),
        };
        vec![
            layer("aaa", LayerState::Arrived, 10_000_000),
            layer("bbb", LayerState::Sending, 2_000_000),
            layer("ccc", LayerState::Sending, 10_000_000),
        ]
    }

    #[test]
    fn lines_tell_of_layers_that_move_and_of_all_together() {
        let (text, lines) = live(&layers(), "1.0 MB/s, 8 s left", 200, 0);
        let expected = [
            "  bbb  sending  2.0 MB of 10 MB, taken up again once",
            "  ccc  waiting for an answer  10 MB of 10 MB",
            "22 MB of 30 MB, 1.0 MB/s, 8 s left; 1 of 3 layers arrived",
            "",
        ];
        assert_eq!(text.split("\r\n").collect::<Vec<_>>(), expected);
        assert_eq!(lines, 3);
    }

    #[test]
    fn no_line_is_longer_than_the_terminal() {
        let (text, lines) = live(&layers(), "", 20, 3);
        assert!(text.starts_with("\x1b[3A\r\x1b[J"));
        assert_eq!(lines, 3);
        assert!(text.trim_start_matches("\x1b[3A\r\x1b[J").split("\r\n").all(|line| line.len() <= 20), "{text}");
        assert_eq!(live(&[], "", 20, 0), ("finding the image\r\n".to_owned(), 1));
    }

    #[test]
    fn waits_and_standing_still_are_told() {
        let (progress, mut paces, begun) = (TransferProgress::default(), Paces::default(), Instant::now());
        let mut at = |seconds| paces.words(&progress, &layers(), begun + Duration::from_secs(seconds));
        assert_eq!(at(0), "");
        assert_eq!(at(4), "nothing has moved for 4 s");
        let clock = progress.waits().noted_by(std::sync::Arc::new(nixdive_source::http::RealClock));
        let cancel = progress.cancel().clone();
        let waiting = std::thread::spawn(move || clock.wait(Duration::from_secs(30), &cancel).is_err());
        while progress.waits().left().is_none() {
            std::thread::yield_now();
        }
        assert_eq!(at(5), "trying again in 30 s");
        progress.cancel().cancel();
        assert_eq!(at(6), "stopping");
        assert!(waiting.join().unwrap());
        assert_eq!(progress.waits().left(), None);
    }

    #[test]
    fn the_pace_is_that_of_what_is_sent() {
        let (progress, mut paces, begun) = (TransferProgress::default(), Paces::default(), Instant::now());
        let mut layers = layers();
        layers[0] = LayerProgress { state: LayerState::Reading, done_bytes: 0, ..layers[0].clone() };
        paces.words(&progress, &layers, begun);
        (layers[0].done_bytes, layers[1].done_bytes) = (9_000_000, 4_000_000);
        assert_eq!(paces.words(&progress, &layers, begun + Duration::from_secs(1)), "2.0 MB/s, 8 s left");
    }

    #[test]
    fn what_was_lost_is_taken_up_again() {
        let progress = TransferProgress::default();
        progress.begin(std::iter::once(("aaa".to_owned(), 10)));
        progress.enter(0, LayerState::Sending, 10);
        for done in [4, 8, 2, 2, 10] {
            progress.at(0, done);
        }
        assert_eq!(progress.layers()[0].repeats, 1);
    }
}
