//! Runs programs that produce an image, reads their output, and stops them.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::open::Programs;
use nixdive_base::cancel::Cancel;

/// Interval at which a waiting reader checks for cancellation.
const TICK: Duration = Duration::from_millis(50);
/// Maximum bytes of standard error that are kept.
const MAX_SAID: usize = 16 << 10;

/// A running program, which is stopped when this value is dropped.
pub(super) struct Running {
    child: Child,
    has_group: bool,
    stdout: Output,
    said: Arc<Mutex<Vec<u8>>>,
    listener: Option<JoinHandle<()>>,
}

impl Running {
    /// Starts a program whose standard output is an image or the path of one. Its standard input is empty.
    pub fn start(command: &mut Command, programs: Programs, shows_log: bool, cancel: &Cancel) -> io::Result<Self> {
        let has_group = programs == Programs::Background;
        if has_group {
            command.process_group(0);
        }
        let log = if shows_log && !has_group { Stdio::inherit() } else { Stdio::piped() };
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn()?;
        let pipe = child.stdout.take().map(OwnedFd::from).ok_or_else(|| io::Error::other("no pipe"))?;
        let stdout = Output { pipe: Arc::new(File::from(pipe)), cancel: cancel.clone() };
        let said = Arc::<Mutex<Vec<u8>>>::default();
        let stderr = child.stderr.take();
        let mut running = Self { child, has_group, stdout, said, listener: None };
        if let Some(pipe) = stderr {
            let output = Output { pipe: Arc::new(File::from(OwnedFd::from(pipe))), cancel: cancel.clone() };
            let said = Arc::clone(&running.said);
            let listen = move || listen(output, &said);
            running.listener = Some(std::thread::Builder::new().name("listen".into()).spawn(listen)?);
        }
        Ok(running)
    }

    /// Returns its standard output, which can be read until it ends or the opening is cancelled.
    pub fn stdout(&self) -> Output {
        self.stdout.clone()
    }

    /// Waits for its end, at most for `patience`; returns `None` if it is still running.
    pub fn wait(&mut self, patience: Duration) -> io::Result<Option<ExitStatus>> {
        let begun = Instant::now();
        loop {
            let status = self.child.try_wait()?;
            if status.is_some() || begun.elapsed() > patience || self.stdout.cancel.is_cancelled() {
                return Ok(status);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Returns the end of its standard error after it has ended.
    pub fn said(&mut self) -> Vec<u8> {
        // A child process may still keep the pipe open.
        let begun = Instant::now();
        let listens = |listener: &Option<JoinHandle<()>>| listener.as_ref().is_some_and(|thread| !thread.is_finished());
        while listens(&self.listener) && begun.elapsed() < Duration::from_millis(500) {
            std::thread::sleep(Duration::from_millis(5));
        }
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let group = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
            // A program that has already ended cannot be stopped.
            let _ = match group.filter(|_| self.has_group) {
                Some(group) => kill_process_group(group, Signal::KILL).map_err(io::Error::from),
                None => self.child.kill(),
            };
            let _ = self.child.wait();
        }
    }
}

/// Describes the exit status of a program as part of a sentence.
pub(super) fn in_words(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with exit status {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}

fn listen(mut output: Output, said: &Mutex<Vec<u8>>) {
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = output.read(&mut buffer) {
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        said.extend_from_slice(buffer.get(..count).unwrap_or_default());
        let surplus = said.len().saturating_sub(MAX_SAID);
        said.drain(..surplus);
    }
}

/// A pipe that stops waiting for data when the opening is cancelled. Clones read the same pipe.
#[derive(Clone)]
pub(super) struct Output {
    pipe: Arc<File>,
    cancel: Cancel,
}

impl Output {
    /// Discards the remaining output, at most for `patience`.
    pub fn drain(&mut self, patience: Duration) {
        let begun = Instant::now();
        let mut buffer = [0; 4096];
        while begun.elapsed() < patience {
            let read =
                self.ready().and_then(|ready| if ready { (&*self.pipe).read(&mut buffer).map(Some) } else { Ok(None) });
            if matches!(read, Ok(Some(0)) | Err(_)) {
                return;
            }
        }
    }

    /// Returns `true` if data or the end has arrived within a moment.
    fn ready(&self) -> io::Result<bool> {
        self.cancel.check()?;
        let tick = Timespec::try_from(TICK).map_err(io::Error::other)?;
        match poll(&mut [PollFd::new(&*self.pipe, PollFlags::IN)], Some(&tick)) {
            Ok(count) => Ok(count > 0),
            Err(rustix::io::Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

impl Read for Output {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !self.ready()? {}
        (&*self.pipe).read(buffer)
    }
}
