//! The log that `-v` and `NIXDIVE_LOG` ask for: which events are written, where to, and how.
//!
//! Without either, no subscriber is set, and an event costs one comparison.

use std::ffi::OsString;
use std::fmt::{self, Write as _};
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use nixdive_base::text::{display_in_sentence, display_name};

/// Names the level, or levels by target.
const LEVELS: &str = "NIXDIVE_LOG";
/// Names a file that the log is appended to.
const FILE: &str = "NIXDIVE_LOG_FILE";
/// The targets of events: what `target=level` may name.
const TARGETS: [&str; 9] =
    ["source", "http", "registry", "credentials", "cache", "layer", "rebuild", "transfer", "program"];

/// True while nothing may be logged to standard error, as the terminal interface draws its screen.
static IS_SILENT: AtomicBool = AtomicBool::new(false);
/// True if events are written to standard error.
static IS_SHOWN: AtomicBool = AtomicBool::new(false);

/// Keeps the log from standard error as long as it lives.
pub struct Silence(());

impl Silence {
    /// Keeps the log from standard error from now on. A file that is named goes on getting it.
    pub fn new() -> Self {
        IS_SILENT.store(true, Ordering::Relaxed);
        Self(())
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        IS_SILENT.store(false, Ordering::Relaxed);
    }
}

/// Returns `true` if standard error shows events, so that nothing there may be overwritten.
pub fn is_shown() -> bool {
    IS_SHOWN.load(Ordering::Relaxed)
}

/// Starts the log where `verbosity` (the count of `-v`) or the environment asks for one.
///
/// # Errors
/// If the environment names an unknown level, or a file that cannot be written.
pub fn start(verbosity: u8) -> anyhow::Result<()> {
    let text = std::env::var_os(LEVELS).filter(|text| !text.is_empty());
    let file = std::env::var_os(FILE).filter(|file| !file.is_empty());
    let mut filter = Filter::default();
    if let Some(text) = text {
        filter = Filter::parse(&display_name(text.as_encoded_bytes()))?;
    } else if file.is_some() {
        filter.general = LevelFilter::DEBUG;
    }
    filter.general = filter.general.max(of_verbosity(verbosity));
    if filter.highest() == LevelFilter::OFF {
        return Ok(());
    }
    let file = file.map(open).transpose()?;
    IS_SHOWN.store(file.is_none(), Ordering::Relaxed);
    let log = Log { filter, file: file.map(Mutex::new), start: Instant::now() };
    // Set once in a run of the program; tests that start it twice keep the first.
    let _ = tracing::subscriber::set_global_default(log);
    Ok(())
}

/// Moves `-v` and `-vv` in front of a command behind it: in front, clap would take the command for an image, as
/// arguments of browsing exclude commands.
pub fn with_verbosity_behind(arguments: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = arguments.collect();
    let is_verbosity = |argument: &&OsString| {
        let text = argument.as_encoded_bytes();
        text == b"--verbose"
            || text.strip_prefix(b"-").is_some_and(|rest| !rest.is_empty() && rest.iter().all(|&byte| byte == b'v'))
    };
    let count = arguments.iter().skip(1).take_while(is_verbosity).count();
    let is_word = |argument: &OsString| !argument.as_encoded_bytes().starts_with(b"-");
    if count > 0
        && arguments.get(1 + count).is_some_and(is_word)
        && let Some(moved) = arguments.get_mut(1..count + 2)
    {
        moved.rotate_left(count);
    }
    arguments
}

fn of_verbosity(count: u8) -> LevelFilter {
    match count {
        0 => LevelFilter::OFF,
        1 => LevelFilter::INFO,
        2 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    }
}

fn open(file: OsString) -> anyhow::Result<File> {
    let opened = OpenOptions::new().append(true).create(true).mode(0o600).open(&file);
    opened.map_err(|error| anyhow::anyhow!("{FILE}: {}: {error}", display_name(file.as_encoded_bytes())))
}

/// Which events are written.
#[derive(Debug, PartialEq)]
struct Filter {
    general: LevelFilter,
    targets: Vec<(String, LevelFilter)>,
}

impl Default for Filter {
    fn default() -> Self {
        Self { general: LevelFilter::OFF, targets: Vec::new() }
    }
}

impl Filter {
    fn parse(text: &str) -> anyhow::Result<Self> {
        let mut filter = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            match part.split_once('=') {
                None => filter.general = level(part)?,
                Some((target, name)) if TARGETS.contains(&target) => {
                    filter.targets.push((target.to_owned(), level(name)?));
                }
                Some((target, _)) => {
                    anyhow::bail!("{LEVELS}: unknown target `{target}`: expected one of {}", TARGETS.join(", "));
                }
            }
        }
        Ok(filter)
    }

    fn of(&self, target: &str) -> LevelFilter {
        let found = self.targets.iter().rev().find(|(known, _)| known == target);
        found.map_or(self.general, |(_, level)| *level)
    }

    fn highest(&self) -> LevelFilter {
        self.targets.iter().map(|(_, level)| *level).fold(self.general, LevelFilter::max)
    }
}

fn level(name: &str) -> anyhow::Result<LevelFilter> {
    // The crate would take numbers and nothing too.
    let is_word = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphabetic());
    let parsed = Some(name).filter(|_| is_word).and_then(|name| name.parse().ok());
    parsed.ok_or_else(|| {
        anyhow::anyhow!("{LEVELS}: unknown level `{name}`: expected one of off, error, warn, info, debug, trace")
    })
}

/// Writes one line an event: seconds since the start, level, target, message, fields.
struct Log {
    filter: Filter,
    file: Option<Mutex<File>>,
    start: Instant,
}

impl Log {
    fn write(&self, line: &str) {
        // A log that cannot be written stops nothing.
        let _ = match &self.file {
            Some(file) => file.lock().unwrap_or_else(PoisonError::into_inner).write_all(line.as_bytes()),
            None if IS_SILENT.load(Ordering::Relaxed) => Ok(()),
            None => std::io::stderr().lock().write_all(line.as_bytes()),
        };
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // Events of other crates have module paths as targets.
        TARGETS.contains(&metadata.target()) && *metadata.level() <= self.filter.of(metadata.target())
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.filter.highest())
    }

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        let mut line = Line(String::with_capacity(160));
        let seconds = self.start.elapsed().as_secs_f64();
        let _ = write!(line.0, "{seconds:8.3} {:5} {}:", metadata.level(), metadata.target());
        event.record(&mut line);
        line.0.push('\n');
        self.write(&line.0);
    }

    // Spans are not used.
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// A line that is being written. Every value is escaped, whatever it came from.
struct Line(String);

impl Line {
    fn push(&mut self, field: &Field, value: &str) {
        let shown = display_in_sentence(value);
        let _ = match field.name() {
            "message" => write!(self.0, " {shown}"),
            name if shown.is_empty() || shown.contains([' ', '"']) => write!(self.0, " {name}=\"{shown}\""),
            name => write!(self.0, " {name}={shown}"),
        };
    }
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.push(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.push(field, &format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moved(text: &str) -> String {
        let words = text.split(' ').map(OsString::from);
        let moved = with_verbosity_behind(words).into_iter().map(|word| word.into_string().unwrap());
        moved.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn verbosity_may_stand_before_a_command() {
        assert_eq!(moved("nixdive -vv inspect a"), "nixdive inspect -vv a");
        assert_eq!(moved("nixdive -v --verbose inspect a"), "nixdive inspect -v --verbose a");
        for same in ["nixdive", "nixdive -v", "nixdive inspect -v a", "nixdive -v --no-exec a", "nixdive -V a"] {
            assert_eq!(moved(same), same);
        }
    }

    #[test]
    fn levels_are_general_or_by_target() {
        let filter = Filter::parse("warn, registry=trace,cache=off").unwrap();
        assert_eq!(filter.of("registry"), LevelFilter::TRACE);
        assert_eq!(filter.of("cache"), LevelFilter::OFF);
        assert_eq!(filter.of("layer"), LevelFilter::WARN);
        assert_eq!(filter.highest(), LevelFilter::TRACE);
        assert_eq!(Filter::parse("off").unwrap().highest(), LevelFilter::OFF);
        for wrong in ["loud", "registry=loud", "nothing=info", "3", "=", "registry="] {
            let error = Filter::parse(wrong).unwrap_err().to_string();
            assert!(error.contains("expected one of"), "{wrong}: {error}");
        }
    }
}
