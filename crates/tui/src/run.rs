use std::time::{Duration, Instant};

use anyhow::Context as _;
use crossbeam_channel::{Receiver, bounded, never, select_biased, unbounded};

use super::message::{Effect, Message, Options, Report, Start};
use super::settings::Settings;
use super::state::{Level, Notice, State};
use super::terminal::{Readers, Terminal, TerminalEvent, check_size, restore_on_panic, restore_signals};
use super::update::update;

/// Least time between two drawings while reports keep coming.
const FRAME: Duration = Duration::from_millis(10);
/// Drawing interval while only unrequested messages arrive, so that they never delay the answer to a key.
const LEISURE: Duration = Duration::from_millis(200);

/// Reasons for the end of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The user left.
    Quit,
    /// A signal arrived. The caller should clean up and exit with 128 plus this number.
    Signal(i32),
    /// The terminal went away.
    Closed,
}

/// Continue, or the reason to end.
type Flow = std::ops::ControlFlow<Ended>;

struct Runner<F> {
    terminal: Terminal,
    state: State,
    effects: F,
}

/// Runs the interface until the user quits or the system asks for it.
///
/// `reports` delivers the opener's reports; `effects` receives what to open and what to cancel, and must not block.
/// Other effects (clipboard, mouse, suspending) are handled here. The terminal is restored in every case: return,
/// error, panic, `SIGINT`, `SIGTERM`, `SIGHUP`.
///
/// # Errors
/// If the program has no terminal, or cannot draw on it.
pub fn run(
    reports: Receiver<Message>,
    effects: impl FnMut(Effect),
    start: Start,
    options: Options,
    settings: Settings,
) -> anyhow::Result<Ended> {
    let (sender, events) = bounded(256);
    let (panics, panicked) = unbounded();
    restore_on_panic(std::thread::current().id(), panics);
    check_size()?;
    let terminal = Terminal::enter(options.mouse && settings.mouse).context("cannot set up the terminal")?;
    let size = terminal.size()?;
    let readers = Readers::start(&sender)?;
    drop(sender);
    let mut runner = Runner { terminal, state: State::with_settings(start, options, size, settings), effects };
    let ended = runner.draw().and_then(|()| runner.serve(reports, &events, &panicked));
    // The terminal is given back last: then nothing of ours reads it any more, and the program can end at once.
    let Runner { terminal, state, .. } = runner;
    drop(readers);
    drop(state);
    drop(terminal);
    restore_signals();
    ended
}

impl<F: FnMut(Effect)> Runner<F> {
    fn serve(
        &mut self,
        mut reports: Receiver<Message>,
        events: &Receiver<TerminalEvent>,
        panicked: &Receiver<TerminalEvent>,
    ) -> anyhow::Result<Ended> {
        let mut drawn = Instant::now();
        let mut pace = LEISURE;
        loop {
            let wait = self.wait(drawn, pace);
            let flow = select_biased! {
                recv(events) -> event => {
                    pace = Duration::ZERO;
                    self.take_event(event.unwrap_or(TerminalEvent::Gone))?
                }
                recv(panicked) -> event => match event {
                    Ok(event) => {
                        pace = Duration::ZERO;
                        self.take_event(event)?
                    }
                    Err(_) => Flow::Continue(()),
                },
                recv(reports) -> message => match message {
                    Ok(message) => {
                        pace = pace.min(pace_of(&message));
                        self.take(message)?
                    }
                    Err(_) => {
                        reports = never();
                        Flow::Continue(())
                    }
                },
                default(wait) => if self.state.has_work() {
                    pace = pace.min(FRAME);
                    self.take(Message::Tick)?
                } else {
                    Flow::Continue(())
                },
            };
            if let Flow::Break(ended) = flow {
                return Ok(ended);
            }
            if let Flow::Break(ended) = self.drain(&reports, events, &mut pace)? {
                return Ok(ended);
            }
            if drawn.elapsed() >= pace && self.state.take_changed() {
                self.terminal.draw(&self.state)?;
                drawn = Instant::now();
                pace = LEISURE;
            }
        }
    }

    /// Takes all that has come in meanwhile, for one drawing.
    fn drain(
        &mut self,
        reports: &Receiver<Message>,
        events: &Receiver<TerminalEvent>,
        pace: &mut Duration,
    ) -> anyhow::Result<Flow> {
        while let Ok(event) = events.try_recv() {
            *pace = Duration::ZERO;
            let flow = self.take_event(event)?;
            if flow.is_break() {
                return Ok(flow);
            }
        }
        while let Ok(message) = reports.try_recv() {
            *pace = (*pace).min(pace_of(&message));
            let flow = self.take(message)?;
            if flow.is_break() {
                return Ok(flow);
            }
        }
        Ok(Flow::Continue(()))
    }

    /// Time to wait: zero while there is work, until the next drawing is due if there is something to draw, else until
    /// a message arrives.
    fn wait(&self, drawn: Instant, pace: Duration) -> Duration {
        const FOREVER: Duration = Duration::from_secs(1 << 30);
        if self.state.has_work() {
            Duration::ZERO
        } else if self.state.is_changed() {
            pace.saturating_sub(drawn.elapsed())
        } else {
            FOREVER
        }
    }

    fn draw(&mut self) -> anyhow::Result<()> {
        self.state.take_changed();
        self.terminal.draw(&self.state)?;
        Ok(())
    }

    fn take_event(&mut self, event: TerminalEvent) -> anyhow::Result<Flow> {
        match event {
            TerminalEvent::Message(message) => return self.take(message),
            TerminalEvent::Gone => return Ok(self.end(Ended::Closed)),
            TerminalEvent::Terminate(signal) => return Ok(self.end(Ended::Signal(signal))),
            TerminalEvent::Suspend => self.suspend()?,
            TerminalEvent::Resumed => {
                self.terminal.resume()?;
                self.measure()?;
            }
            TerminalEvent::Panicked(text) => {
                let text = format!("Internal error: a background task crashed: {text}");
                self.state.notice = Some(Notice { level: Level::Error, text });
                self.state.changed = true;
            }
        }
        Ok(Flow::Continue(()))
    }

    fn take(&mut self, message: Message) -> anyhow::Result<Flow> {
        for effect in update(&mut self.state, message) {
            match effect {
                Effect::Copy(text) => self.terminal.copy(&text)?,
                Effect::Mouse(on) => self.terminal.set_mouse(on)?,
                Effect::Suspend => self.suspend()?,
                Effect::Quit => return Ok(self.end(Ended::Quit)),
                effect @ (Effect::Open { .. } | Effect::Compare { .. } | Effect::Cancel(_) | Effect::Ask { .. }) => {
                    (self.effects)(effect);
                }
            }
        }
        Ok(Flow::Continue(()))
    }

    fn end(&mut self, ended: Ended) -> Flow {
        (self.effects)(Effect::Quit);
        Flow::Break(ended)
    }

    fn suspend(&mut self) -> anyhow::Result<()> {
        self.terminal.suspend()?;
        self.measure()
    }

    fn measure(&mut self) -> anyhow::Result<()> {
        let (width, height) = self.terminal.size()?;
        update(&mut self.state, Message::Resize { width, height });
        Ok(())
    }
}

/// Minimum time between a drawing and the one that shows a message.
fn pace_of(message: &Message) -> Duration {
    match message {
        Message::Report(_, Report::Progress(_) | Report::Fetching(_) | Report::Hits(_)) => FRAME,
        Message::Report(_, Report::DigestChecked { .. }) => LEISURE,
        _ => Duration::ZERO,
    }
}
