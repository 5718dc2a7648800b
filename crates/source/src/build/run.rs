//! Runs a program, passes its output on as it arrives, and stops it when this program is stopped.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use signal_hook::SigId;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use nixdive_base::text::display_name;

/// Signals that ask a program to end.
const STOPPING: [i32; 3] = [SIGINT, SIGTERM, SIGHUP];
/// Lines kept for the error message.
const LAST_LINES: usize = 8;
/// Longer lines are passed on in parts.
const LONGEST_LINE: u64 = 8 << 10;
/// Interval at which the program is polled.
const TICK: Duration = Duration::from_millis(20);
/// Time that a program may take to end after it was asked to.
const PATIENCE: Duration = Duration::from_secs(10);
/// Time for which its pipes are read after it has ended: its child processes may keep them open.
const AFTERWARDS: Duration = Duration::from_secs(1);

/// How a program ended.
pub(super) enum Ended {
    Well,
    Badly {
        how: String,
        /// Its last lines, safe to print.
        said: Vec<String>,
    },
    /// This program received that signal; the other program has ended.
    Stopped(i32),
}

/// Runs a program. Copies its standard error, and its standard output if that is a pipe, to standard error line by
/// line.
pub(super) fn run(command: &mut Command, afterwards: &AfterSignals) -> io::Result<Ended> {
    let signals = Signals::new(afterwards)?;
    let mut child = command.stderr(Stdio::piped()).spawn()?;
    let said = Arc::<Mutex<VecDeque<String>>>::default();
    let pipes: [Option<Box<dyn Read + Send>>; 2] =
        [child.stdout.take().map(|pipe| Box::new(pipe) as _), child.stderr.take().map(|pipe| Box::new(pipe) as _)];
    let mut listeners = Vec::new();
    for pipe in pipes.into_iter().flatten() {
        let said = Arc::clone(&said);
        let listen = move || pass_on(pipe, &said);
        match std::thread::Builder::new().name("listen".into()).spawn(listen) {
            Ok(thread) => listeners.push(thread),
            Err(error) => {
                stop(&mut child);
                return Err(error);
            }
        }
    }
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if let Some(signal) = signals.came() {
            stop(&mut child);
            return Ok(Ended::Stopped(signal));
        }
        std::thread::sleep(TICK);
    };
    let begun = Instant::now();
    while listeners.iter().any(|thread| !thread.is_finished()) && begun.elapsed() < AFTERWARDS {
        std::thread::sleep(Duration::from_millis(1));
    }
    // At a terminal both processes receive the signal, and the other one may be faster.
    if let Some(signal) = signals.came() {
        return Ok(Ended::Stopped(signal));
    }
    if status.success() {
        return Ok(Ended::Well);
    }
    let said = said.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(Ended::Badly { how: in_words(status), said: said.iter().cloned().collect() })
}

/// Asks a program to end, and kills it if it does not.
fn stop(child: &mut Child) {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    // If it has already ended, the signal cannot be delivered.
    let _ = pid.map(|pid| kill_process(pid, Signal::TERM));
    let begun = Instant::now();
    while matches!(child.try_wait(), Ok(None)) && begun.elapsed() < PATIENCE {
        std::thread::sleep(TICK);
    }
    let _ = child.kill();
    let _ = child.wait();
}

fn in_words(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with exit status {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}

fn pass_on(pipe: Box<dyn Read + Send>, said: &Mutex<VecDeque<String>>) {
    let mut pipe = BufReader::new(pipe);
    let mut line = Vec::new();
    while let Ok(1..) = pipe.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line) {
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        let shown = display_name(text.trim_ascii_end()).into_owned();
        line.clear();
        // If standard error was closed, the output is dropped and the program goes on.
        let _ = writeln!(io::stderr().lock(), "{shown}");
        if !shown.is_empty() {
            let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
            said.push_back(shown);
            if said.len() > LAST_LINES {
                said.pop_front();
            }
        }
    }
}

/// Termination signals, recorded instead of obeyed while this value lives.
struct Signals {
    came: Arc<AtomicUsize>,
    hooks: Vec<SigId>,
    afterwards: AfterSignals,
}

impl Signals {
    fn new(afterwards: &AfterSignals) -> io::Result<Self> {
        let mut signals = Self { came: Arc::default(), hooks: Vec::new(), afterwards: afterwards.clone() };
        afterwards.follow(false);
        for signal in STOPPING {
            let number = usize::try_from(signal).unwrap_or_default();
            signals.hooks.push(signal_hook::flag::register_usize(signal, Arc::clone(&signals.came), number)?);
        }
        Ok(signals)
    }

    fn came(&self) -> Option<i32> {
        i32::try_from(self.came.load(Ordering::Relaxed)).ok().filter(|&signal| signal != 0)
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.hooks.drain(..).for_each(|hook| {
            signal_hook::low_level::unregister(hook);
        });
        self.afterwards.follow(true);
    }
}

/// Effect of termination signals after recording ends: they end this program as usual, until another handler takes
/// over.
#[derive(Debug, Clone)]
pub(super) struct AfterSignals(Arc<AtomicBool>);

impl AfterSignals {
    pub fn new() -> io::Result<Self> {
        let follow = Arc::new(AtomicBool::new(true));
        for signal in STOPPING {
            signal_hook::flag::register_conditional_default(signal, Arc::clone(&follow))?;
        }
        Ok(Self(follow))
    }

    /// Sets whether they end this program from now on.
    pub fn follow(&self, follow: bool) {
        self.0.store(follow, Ordering::Relaxed);
    }
}
