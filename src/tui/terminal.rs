//! The terminal itself, and nothing else: taking it over, giving it back on every way out, and reading it.

use std::io::{self, BufWriter, Stdout, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, JoinHandle, ThreadId};
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;
use crossterm::event::{
    Event, KeyCode as TerminalKey, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};
use crossterm::terminal::{disable_raw_mode, enable_raw_mode};
use ratatui::Terminal as Ratatui;
use ratatui::backend::CrosstermBackend;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGTERM, SIGTSTP, SIGWINCH};
use signal_hook::iterator::{Handle, Signals};

use super::draw::draw;
use super::input::{Key, KeyCode, Mouse, MouseAction};
use super::message::Message;
use super::state::State;

/// Alternate screen, cursor hidden, bracketed paste; and keys told apart that share a byte, Ctrl-M and Enter for one,
/// where the terminal knows how (kitty keyboard protocol, "Disambiguate escape codes"; others ignore it).
const ENTER: &[u8] = b"\x1b[?1049h\x1b[?25l\x1b[?2004h\x1b[>1u";
/// The same undone, all attributes reset.
const LEAVE: &[u8] = b"\x1b[?2026l\x1b[0m\x1b[<u\x1b[?2004l\x1b[?25h\x1b[?1049l";
/// Buttons, wheel and dragging, in the form that has no limit of columns; not every movement.
const MOUSE_ON: &[u8] = b"\x1b[?1000h\x1b[?1002h\x1b[?1006h";
const MOUSE_OFF: &[u8] = b"\x1b[?1006l\x1b[?1002l\x1b[?1000l";

/// Whether the terminal is ours at the moment. One terminal, so one flag for the whole program: the panic hook and
/// the signal thread have to know too.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// What comes from the terminal or the system.
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
    /// What stands on it; empty when it has to be drawn anew.
    shown: Buffer,
}

impl Terminal {
    /// Takes the terminal over.
    ///
    /// # Errors
    /// When there is no terminal, or it does not take raw mode.
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

    /// Gives the terminal back, stops this process, and takes the terminal again when it goes on.
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
    stopping: Arc<AtomicBool>,
}

impl Readers {
    /// Starts both.
    ///
    /// # Errors
    /// When signals cannot be waited for, or there is no thread to be had.
    pub(super) fn start(events: &Sender<TerminalEvent>) -> io::Result<Self> {
        let signals = Signals::new([SIGINT, SIGTERM, SIGHUP, SIGTSTP, SIGCONT])?;
        let stopping = Arc::new(AtomicBool::new(false));
        let mut readers = Self { signals: signals.handle(), threads: Vec::new(), stopping: Arc::clone(&stopping) };
        let to = events.clone();
        let signals = Builder::new().name("signals".into()).spawn(move || pass_on_signals(signals, &to))?;
        readers.threads.push(signals);
        let to = events.clone();
        let terminal = Builder::new().name("terminal".into()).spawn(move || pass_on_events(&to, &stopping))?;
        readers.threads.push(terminal);
        Ok(readers)
    }
}

impl Drop for Readers {
    /// Stops both threads, so that nothing takes keys any more that are meant for what comes after. From here on
    /// signals are ignored, until [`restore_signals`].
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.signals.close();
        // The thread that reads the terminal wakes up only when something comes.
        let _ = signal_hook::low_level::raise(SIGWINCH);
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

/// How long threads that should end are waited for.
const PATIENCE: Duration = Duration::from_millis(20);

fn pass_on_events(events: &Sender<TerminalEvent>, stopping: &AtomicBool) {
    loop {
        let event = match crossterm::event::read() {
            Ok(event) => translate(event).map(TerminalEvent::Message),
            Err(_) => Some(TerminalEvent::Gone),
        };
        let gone = matches!(event, Some(TerminalEvent::Gone));
        if stopping.load(Ordering::SeqCst) || event.is_some_and(|event| events.send(event).is_err()) || gone {
            return;
        }
    }
}

/// Passes signals on. A second one that asks to stop is obeyed there and then.
fn pass_on_signals(mut signals: Signals, events: &Sender<TerminalEvent>) {
    let mut asked = false;
    for signal in signals.forever() {
        let event = match signal {
            SIGTSTP => TerminalEvent::Suspend,
            SIGCONT => TerminalEvent::Resumed,
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

fn translate(event: Event) -> Option<Message> {
    match event {
        Event::Key(key) if key.kind != KeyEventKind::Release => translate_key(key).map(Message::Key),
        Event::Mouse(mouse) => translate_mouse(mouse).map(Message::Mouse),
        Event::Paste(text) => Some(Message::Paste(text)),
        Event::Resize(width, height) => Some(Message::Resize { width, height }),
        _ => None,
    }
}

fn translate_key(event: KeyEvent) -> Option<Key> {
    let code = match event.code {
        TerminalKey::Char(character) => KeyCode::Char(character),
        TerminalKey::Enter => KeyCode::Enter,
        TerminalKey::Esc => KeyCode::Escape,
        TerminalKey::Tab => KeyCode::Tab,
        TerminalKey::BackTab => KeyCode::BackTab,
        TerminalKey::Backspace => KeyCode::Backspace,
        TerminalKey::Delete => KeyCode::Delete,
        TerminalKey::Up => KeyCode::Up,
        TerminalKey::Down => KeyCode::Down,
        TerminalKey::Left => KeyCode::Left,
        TerminalKey::Right => KeyCode::Right,
        TerminalKey::Home => KeyCode::Home,
        TerminalKey::End => KeyCode::End,
        TerminalKey::PageUp => KeyCode::PageUp,
        TerminalKey::PageDown => KeyCode::PageDown,
        TerminalKey::F(number) => KeyCode::Function(number),
        _ => return None,
    };
    let held = |modifier| event.modifiers.contains(modifier);
    Some(Key { code, control: held(KeyModifiers::CONTROL), alt: held(KeyModifiers::ALT) })
}

fn translate_mouse(event: MouseEvent) -> Option<Mouse> {
    let action = match event.kind {
        MouseEventKind::Down(MouseButton::Left) => MouseAction::Press,
        MouseEventKind::Drag(MouseButton::Left) => MouseAction::Drag,
        MouseEventKind::Up(MouseButton::Left) => MouseAction::Release,
        MouseEventKind::ScrollUp => MouseAction::WheelUp,
        MouseEventKind::ScrollDown => MouseAction::WheelDown,
        _ => return None,
    };
    Some(Mouse { action, column: event.column, row: event.row })
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

    #[test]
    fn control_m_is_not_enter_where_the_terminal_tells_them_apart() {
        let event = KeyEvent::new(TerminalKey::Char('m'), KeyModifiers::CONTROL);
        assert_eq!(translate_key(event), Key::parse("ctrl-m"));
        assert_eq!(translate_key(KeyEvent::from(TerminalKey::Enter)), Key::parse("enter"));
    }

    #[test]
    fn control_space_arrives_as_such() {
        let event = KeyEvent::new(TerminalKey::Char(' '), KeyModifiers::CONTROL);
        assert_eq!(translate_key(event), Key::parse("ctrl-space"));
    }
}
