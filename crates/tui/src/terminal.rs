//! The terminal itself, and nothing else: taking it over, giving it back on every way out, and reading it.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, PipeReader, PipeWriter, Read, Stdout, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, JoinHandle, ThreadId};
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;
use crossterm::terminal::{disable_raw_mode, enable_raw_mode};
use ratatui::Terminal as Ratatui;
use ratatui::backend::CrosstermBackend;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGTERM, SIGTSTP, SIGWINCH};
use signal_hook::iterator::{Handle, Signals};

use super::draw::draw;
use super::message::Message;
use super::state::State;
use super::terminal_input::InputDecoder;

/// Alternate screen, cursor hidden, bracketed paste; and keys told apart that share a byte, Ctrl-M and Enter for one,
/// where the terminal knows how (kitty keyboard protocol, "Disambiguate escape codes"; others ignore it).
const ENTER: &[u8] = b"\x1b[?1049h\x1b[?25l\x1b[?2004h\x1b[>1u";
/// The same undone, all attributes reset.
const LEAVE: &[u8] = b"\x1b[?2026l\x1b[0m\x1b[<u\x1b[?2004l\x1b[?25h\x1b[?1049l";
/// Buttons, wheel and dragging, in the form that has no limit of columns; not every movement.
const MOUSE_ON: &[u8] = b"\x1b[?1000h\x1b[?1002h\x1b[?1006h";
const MOUSE_OFF: &[u8] = b"\x1b[?1006l\x1b[?1002l\x1b[?1000l";

/// True while the program has taken over the terminal. One flag for the whole program, as the panic hook and the
/// signal thread need it too.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// Events of the terminal and the system.
#[derive(Debug)]
pub(super) enum TerminalEvent {
    /// For the state.
    Message(Message),
    /// The terminal is gone, or cannot be read.
    Gone,
    /// Asked from outside to stop.
    Terminate(i32),
    /// Asked from outside to go to the background.
    Suspend,
    /// Back from the background.
    Resumed,
    /// A thread of this program panicked with this message.
    Panicked(String),
}

/// The terminal while it is ours. Given back when dropped.
pub(super) struct Terminal {
    screen: Ratatui<CrosstermBackend<BufWriter<Stdout>>>,
    mouse: bool,
    /// Content on screen; empty if everything must be redrawn.
    shown: Buffer,
}

impl Terminal {
    /// Takes over the terminal.
    ///
    /// # Errors
    /// If the program has no terminal, or the terminal does not support raw mode.
    pub(super) fn enter(mouse: bool) -> io::Result<Self> {
        // Colours are taken off the drawn screen where they are not wanted, not off the escape sequences.
        crossterm::style::force_color_output(true);
        let output = BufWriter::with_capacity(1 << 16, io::stdout());
        let screen = Ratatui::new(CrosstermBackend::new(output))?;
        let mut terminal = Self { screen, mouse, shown: Buffer::default() };
        terminal.take()?;
        Ok(terminal)
    }

    fn take(&mut self) -> io::Result<()> {
        self.shown = Buffer::default();
        TAKEN.store(true, Ordering::SeqCst);
        enable_raw_mode()?;
        self.write(ENTER)?;
        if self.mouse {
            self.write(MOUSE_ON)?;
        }
        // Not `clear`, which would ask the terminal for its cursor and wait for an answer that not every one gives.
        check_size()?;
        let size = self.screen.size()?;
        self.screen.resize(Rect::from((Position::ORIGIN, size)))
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let output = self.screen.backend_mut();
        output.write_all(bytes)?;
        output.flush()
    }

    /// Columns and rows.
    pub(super) fn size(&self) -> io::Result<(u16, u16)> {
        let size = self.screen.size()?;
        Ok((size.width, size.height))
    }

    /// Draws the state, if it looks different from what stands there.
    pub(super) fn draw(&mut self, state: &State) -> io::Result<()> {
        check_size()?;
        self.screen.autoresize()?;
        let mut next = Buffer::empty(self.screen.get_frame().area());
        draw(state, &mut next);
        if next == self.shown {
            return Ok(());
        }
        self.shown = next;
        // Shown at once where the terminal knows how (mode 2026), ignored where it does not.
        self.screen.backend_mut().write_all(b"\x1b[?2026h")?;
        let shown = &mut self.shown;
        self.screen.draw(|frame| {
            if frame.area() != shown.area {
                // The terminal got another size in between.
                *shown = Buffer::empty(frame.area());
                draw(state, shown);
            }
            frame.buffer_mut().clone_from(shown);
        })?;
        self.write(b"\x1b[?2026l")
    }

    pub(super) fn set_mouse(&mut self, on: bool) -> io::Result<()> {
        self.mouse = on;
        self.write(if on { MOUSE_ON } else { MOUSE_OFF })
    }

    /// Puts a text into the clipboard of the terminal's user: OSC 52.
    pub(super) fn copy(&mut self, text: &str) -> io::Result<()> {
        let sequence = format!("\x1b]52;c;{}\x07", base64(text.as_bytes()));
        self.write(sequence.as_bytes())
    }

    /// Restores the terminal, stops this process, and takes the terminal over again when it continues.
    pub(super) fn suspend(&mut self) -> io::Result<()> {
        restore();
        signal_hook::low_level::emulate_default_handler(SIGTSTP)?;
        self.take()
    }

    /// Takes the terminal again after others may have changed it.
    pub(super) fn resume(&mut self) -> io::Result<()> {
        self.take()
    }
}

/// Cells of a terminal that can be drawn on: each takes memory three times.
const MOST_CELLS: u64 = 25_000_000;

/// Refuses a terminal that is too large for the available memory.
///
/// # Errors
/// One that gives the size. A terminal that does not tell its size is not refused here.
pub(super) fn check_size() -> io::Result<()> {
    match crossterm::terminal::size() {
        Ok((width, height)) if u64::from(width) * u64::from(height) > MOST_CELLS => Err(io::Error::other(format!(
            "the terminal is too large: {width} × {height} cells, at most {MOST_CELLS} can be drawn"
        ))),
        _ => Ok(()),
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        restore();
    }
}

/// Gives the terminal back if it is ours. Errors are of no use to anyone by then: the terminal may be closed.
fn restore() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        let mut output = io::stdout();
        let _ = output.write_all(MOUSE_OFF);
        let _ = output.write_all(LEAVE);
        let _ = output.flush();
        let _ = disable_raw_mode();
    }
}

/// Lets a panic of the thread `drawing` give the terminal back before it is reported. A panic elsewhere is sent on,
/// so that it does not write over the screen.
pub(super) fn restore_on_panic(drawing: ThreadId, events: Sender<TerminalEvent>) {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !TAKEN.load(Ordering::SeqCst) {
            report(panic);
        } else if std::thread::current().id() == drawing {
            restore();
            report(panic);
        } else {
            let _ = events.try_send(TerminalEvent::Panicked(panic.to_string()));
        }
    }));
}

/// The threads that read the terminal and wait for signals, as long as this lives.
pub(super) struct Readers {
    signals: Handle,
    threads: Vec<JoinHandle<()>>,
    /// Closed when the thread that reads the terminal is to end.
    stop: Option<PipeWriter>,
}

impl Readers {
    /// Starts both threads.
    ///
    /// # Errors
    /// If signals cannot be caught, or a thread cannot be started.
    pub(super) fn start(events: &Sender<TerminalEvent>) -> io::Result<Self> {
        let signals = Signals::new([SIGINT, SIGTERM, SIGHUP, SIGTSTP, SIGCONT, SIGWINCH])?;
        let (stopped, stop) = io::pipe()?;
        let mut readers = Self { signals: signals.handle(), threads: Vec::new(), stop: Some(stop) };
        let keyboard = keyboard()?;
        let to = events.clone();
        let signals = Builder::new().name("signals".into()).spawn(move || pass_on_signals(signals, &to))?;
        readers.threads.push(signals);
        let to = events.clone();
        let terminal = Builder::new().name("terminal".into()).spawn(move || pass_on_input(keyboard, &stopped, &to))?;
        readers.threads.push(terminal);
        Ok(readers)
    }
}

impl Drop for Readers {
    /// Stops both threads, so that nothing takes keys any more that are meant for what comes after. From here on
    /// signals are ignored, until [`restore_signals`].
    fn drop(&mut self) {
        drop(self.stop.take());
        self.signals.close();
        let asked = Instant::now();
        for thread in self.threads.drain(..) {
            while !thread.is_finished() && asked.elapsed() < PATIENCE {
                std::thread::sleep(Duration::from_micros(50));
            }
            if thread.is_finished() {
                // A panic of such a thread was reported when it happened.
                let _ = thread.join();
            }
        }
    }
}

/// Gives the signals that ask to stop their usual meaning back.
pub(super) fn restore_signals() {
    let always = Arc::new(AtomicBool::new(true));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        // What cannot be registered keeps being ignored.
        let _ = signal_hook::flag::register_conditional_default(signal, Arc::clone(&always));
    }
}

/// Maximum time to wait for threads that should end.
const PATIENCE: Duration = Duration::from_millis(20);

/// The terminal to read from: standard input, or the one that controls the process where that is something else.
fn keyboard() -> io::Result<File> {
    let input = io::stdin();
    if input.is_terminal() { Ok(File::from(input.as_fd().try_clone_to_owned()?)) } else { File::open("/dev/tty") }
}

/// Events to wait for.
enum Waited {
    Input,
    Silence,
    Stop,
}

fn wait(keyboard: &File, stopped: &PipeReader, patience: Option<Duration>) -> io::Result<Waited> {
    let mut sources = [PollFd::new(keyboard, PollFlags::IN), PollFd::new(stopped, PollFlags::IN)];
    let patience = patience.and_then(|patience| Timespec::try_from(patience).ok());
    let count = poll(&mut sources, patience.as_ref())?;
    Ok(match (count, sources[1].revents().is_empty()) {
        (0, _) => Waited::Silence,
        (_, false) => Waited::Stop,
        _ => Waited::Input,
    })
}

fn pass_on_input(mut keyboard: File, stopped: &PipeReader, events: &Sender<TerminalEvent>) {
    let mut decoder = InputDecoder::default();
    let mut buffer = [0; 4096];
    loop {
        let waited = wait(&keyboard, stopped, decoder.patience());
        let messages = match waited {
            Ok(Waited::Stop) => return,
            Ok(Waited::Silence) => decoder.give_up(),
            Ok(Waited::Input) => match keyboard.read(&mut buffer) {
                Ok(count) if count > 0 => decoder.feed(buffer.get(..count).unwrap_or_default()),
                Err(error) if is_passing(&error) => continue,
                _ => {
                    // The receiver is gone if the interface has ended.
                    let _ = events.send(TerminalEvent::Gone);
                    return;
                }
            },
            Err(error) if is_passing(&error) => continue,
            Err(_) => {
                let _ = events.send(TerminalEvent::Gone);
                return;
            }
        };
        for message in messages {
            if events.send(TerminalEvent::Message(message)).is_err() {
                return;
            }
        }
    }
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock)
}

/// Passes signals on. A second one that asks to stop is obeyed there and then.
fn pass_on_signals(mut signals: Signals, events: &Sender<TerminalEvent>) {
    let mut asked = false;
    for signal in signals.forever() {
        let event = match signal {
            SIGTSTP => TerminalEvent::Suspend,
            SIGCONT => TerminalEvent::Resumed,
            SIGWINCH => match crossterm::terminal::size() {
                Ok((width, height)) => TerminalEvent::Message(Message::Resize { width, height }),
                Err(_) => continue,
            },
            signal if asked => {
                restore();
                std::process::exit(128 + signal);
            }
            signal => {
                asked = true;
                TerminalEvent::Terminate(signal)
            }
        };
        if events.send(event).is_err() {
            return;
        }
    }
}

/// RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let digit = (bits >> (18 - 6 * place)) as usize & 63;
            text.push(if place <= chunk.len() { char::from(DIGITS[digit]) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_rfc() {
        for (text, expected) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(text.as_bytes()), expected);
        }
    }

    #[test]
    fn what_is_set_is_unset() {
        let count = |bytes: &[u8], end: u8| bytes.windows(1).filter(|byte| byte[0] == end).count();
        assert_eq!(count(ENTER, b'u'), 1, "one set of keys pushed");
        assert_eq!(count(LEAVE, b'u'), 1, "and popped");
        for mode in ["1049", "2004", "25"] {
            let has = |bytes: &[u8]| bytes.windows(mode.len()).any(|piece| piece == mode.as_bytes());
            assert!(has(ENTER) && has(LEAVE), "{mode}");
        }
    }
}
