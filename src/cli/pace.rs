//! Transfer rates, for progress reports.

use std::collections::VecDeque;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};

use nixdive_base::text::display_bytes;
use nixdive_source::open::{Progress, Snapshot};
use nixdive_tui::{Traffic, Transfer};

/// Period that a rate is measured over.
const WINDOW: Duration = Duration::from_secs(3);
/// Less of it tells nothing.
const LEAST: Duration = Duration::from_millis(500);
/// Shorter waits are not reported.
const UNTOLD: Duration = Duration::from_secs(1);
/// Between two looks.
const TICK: Duration = Duration::from_millis(200);

/// Bytes that arrived during the last seconds.
#[derive(Default)]
pub struct Pace {
    past: VecDeque<(Instant, u64)>,
    changed: Option<Instant>,
}

impl Pace {
    /// Takes note of how far it is now.
    pub fn note(&mut self, snapshot: &Snapshot, now: Instant) -> Option<Traffic> {
        let waiting = snapshot.waiting.unwrap_or_default();
        match &snapshot.arrived {
            Some(_) => Some(self.note_bytes(sum(snapshot).0, waiting, now)),
            // Before the layers are known there may be a wait already.
            None => (!waiting.is_zero()).then(|| Traffic { waiting, ..Traffic::default() }),
        }
    }

    /// Records the arrival of `bytes`.
    pub fn note_bytes(&mut self, bytes: u64, waiting: Duration, now: Instant) -> Traffic {
        if self.past.back().is_none_or(|&(_, last)| last != bytes) {
            self.changed = Some(now);
        }
        self.past.push_back((now, bytes));
        while self.past.len() > 2 && self.past.get(1).is_some_and(|&(then, _)| now.duration_since(then) >= WINDOW) {
            self.past.pop_front();
        }
        let (then, before) = self.past.front().copied().unwrap_or((now, bytes));
        let elapsed = now.duration_since(then);
        let came = bytes.saturating_sub(before);
        let bytes_per_second = if elapsed >= LEAST { (came as f64 / elapsed.as_secs_f64()) as u64 } else { 0 };
        let silent = self.changed.map_or(Duration::ZERO, |changed| now.duration_since(changed));
        Traffic { bytes_per_second, silent, waiting }
    }
}

/// Reports layers that are fetched on demand after an image is open, until cancelled or until `tell` returns `false`.
/// `stored`: total bytes of each layer.
pub fn tell_of_fetches(progress: &Progress, stored: &[u64], tell: &mut dyn FnMut(Option<(Transfer, Traffic)>) -> bool) {
    let mut pace: Option<Pace> = None;
    while !progress.cancel().is_cancelled() {
        let snapshot = progress.snapshot();
        let Some(arrived) = snapshot.arrived else { return };
        let under_way = arrived.iter().zip(stored).filter(|&(&arrived, &stored)| arrived > 0 && arrived < stored);
        let (read_bytes, total) = under_way.fold((0u64, 0u64), |(read, all), (arrived, stored)| {
            (read.saturating_add(*arrived), all.saturating_add(*stored))
        });
        let is_told = if total > 0 {
            let waiting = snapshot.waiting.unwrap_or_default();
            let traffic = pace.get_or_insert_default().note_bytes(read_bytes, waiting, Instant::now());
            tell(Some((Transfer { read_bytes, total_bytes: Some(total) }, traffic)))
        } else {
            pace.take().is_none() || tell(None)
        };
        if !is_told {
            return;
        }
        std::thread::sleep(TICK);
    }
}

/// Bytes that have come, and those that are to come where that is known.
fn sum(snapshot: &Snapshot) -> (u64, Option<u64>) {
    match snapshot.stream_read_bytes {
        0 => (snapshot.layers.iter().map(|&(bytes, _)| bytes).fold(0, u64::saturating_add), None),
        read => (read, Some(snapshot.stream_bytes).filter(|&bytes| bytes > 0)),
    }
}

/// Returns `true` if progress output would be seen: standard error is a terminal.
pub fn is_watched() -> bool {
    std::io::stderr().is_terminal() && !super::log::is_shown()
}

/// Shows the progress of opening an image on one line of the terminal, until it is finished.
pub fn tell(progress: &Progress, finished: &Receiver<()>) {
    let (begun, mut pace, mut told) = (Instant::now(), Pace::default(), false);
    while let Err(RecvTimeoutError::Timeout) = finished.recv_timeout(TICK) {
        let now = Instant::now();
        let snapshot = progress.snapshot();
        let traffic = pace.note(&snapshot, now);
        if now.duration_since(begun) < UNTOLD {
            continue;
        }
        let layout = progress.layout();
        let stored = layout.iter().flat_map(|layout| layout.layers.iter().filter_map(|layer| layer.stored_bytes));
        let (read, stream) = sum(&snapshot);
        let total = stream.or(layout.is_some().then(|| stored.fold(0, u64::saturating_add)));
        told = true;
        // A closed standard error is not an error here.
        let _ = write!(std::io::stderr(), "\r\x1b[K{}", line(read, total, traffic.as_ref()));
    }
    if told {
        let _ = write!(std::io::stderr(), "\r\x1b[K");
    }
}

fn line(read: u64, total: Option<u64>, traffic: Option<&Traffic>) -> String {
    let bytes = match total {
        Some(total) => format!("{} of {}", display_bytes(read), display_bytes(total)),
        None if read > 0 => display_bytes(read),
        None => "opening".to_owned(),
    };
    let left = total.map(|total| total.saturating_sub(read));
    match traffic.map(|traffic| traffic.in_words(left)).filter(|words| !words.is_empty()) {
        Some(words) => format!("{bytes}, {words}"),
        None => bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remote(bytes: u64) -> Snapshot {
        Snapshot { layers: vec![(bytes, 0)], arrived: Some(vec![bytes]), ..Snapshot::default() }
    }

    #[test]
    fn the_pace_is_that_of_the_last_seconds() {
        let (begun, mut pace) = (Instant::now(), Pace::default());
        let mut at = |seconds: u64, bytes| pace.note(&remote(bytes), begun + Duration::from_secs(seconds)).unwrap();
        assert_eq!(at(0, 0).in_words(Some(9_000_000)), "");
        assert_eq!(at(1, 2_000_000).in_words(Some(7_000_000)), "2.0 MB/s, 3 s left");
        at(4, 2_000_000);
        assert_eq!(at(5, 2_000_000).in_words(Some(7_000_000)), "stalled for 4 s");
        let waiting = Snapshot { waiting: Some(Duration::from_millis(6500)), ..remote(2_000_000) };
        let traffic = pace.note(&waiting, begun + Duration::from_secs(6)).unwrap();
        assert_eq!(line(2_000_000, Some(9_000_000), Some(&traffic)), "2.0 MB of 9.0 MB, rate limited, 7 s left");
    }

    #[test]
    fn what_lies_here_has_no_pace() {
        let local = Snapshot { layers: vec![(5, 5)], ..Snapshot::default() };
        assert_eq!(Pace::default().note(&local, Instant::now()), None);
    }
}
