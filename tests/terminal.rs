//! The real program on a real pseudo-terminal, which answers no question: whatever happens, the terminal is left as it
//! was found.
#![allow(clippy::disallowed_methods)]
#![cfg(unix)]
// clippy.toml allows it in test functions; here all functions serve tests.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::{Read, Write};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nixdive::tui::{Choice, Effect, Options, Settings, Start, run};
use portable_pty::{Child, CommandBuilder, PtyPair, PtySize, native_pty_system};

const PATIENCE: Duration = Duration::from_secs(20);
const PROGRAM: &str = env!("CARGO_BIN_EXE_nixdive");
const SAMPLE: &str = "embedded:sample";
/// Asks [`a_program_that_panics`] to be one.
const PANIC: &str = "NIXDIVE_TEST_PANICS";

/// What the program has written so far.
#[derive(Clone, Default)]
struct Output(Arc<Mutex<Vec<u8>>>);

impl Output {
    fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().clone()
    }

    fn has(&self, wanted: &str) -> bool {
        let bytes = self.bytes();
        bytes.windows(wanted.len()).any(|piece| piece == wanted.as_bytes())
    }
}

struct Terminal {
    pair: PtyPair,
    child: Box<dyn Child + Send + Sync>,
    keyboard: Box<dyn Write + Send>,
    output: Output,
    size: (u16, u16),
}

impl Terminal {
    /// The program with its own sample image on a terminal of this size.
    fn open(size: (u16, u16), variables: &[(&str, &str)]) -> Self {
        Self::run(PROGRAM, &[SAMPLE], size, variables)
    }

    /// Any program.
    fn run(program: &str, arguments: &[&str], size: (u16, u16), variables: &[(&str, &str)]) -> Self {
        let pair = native_pty_system().openpty(pty_size(size)).unwrap();
        let command = command(program, arguments, variables);
        let child = pair.slave.spawn_command(command).unwrap();
        let mut reader = pair.master.try_clone_reader().unwrap();
        let output = Output::default();
        let written = output.clone();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count) = reader.read(&mut buffer) {
                if count == 0 {
                    break;
                }
                written.0.lock().unwrap().extend_from_slice(&buffer[..count]);
            }
        });
        let keyboard = pair.master.take_writer().unwrap();
        Self { pair, child, keyboard, output, size }
    }

    fn opened(size: (u16, u16)) -> Self {
        let terminal = Self::open(size, &[]);
        terminal.waits_for("Bytes");
        terminal
    }

    fn types(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
        self.keyboard.flush().unwrap();
    }

    /// The screen as a terminal shows it.
    fn screen(&self) -> vt100::Parser {
        let mut parser = vt100::Parser::new(self.size.1, self.size.0, 0);
        parser.process(&self.output.bytes());
        parser
    }

    fn text(&self) -> String {
        self.screen().screen().contents()
    }

    fn waits_for(&self, wanted: &str) {
        self.waits_until(wanted, |terminal| terminal.text().contains(wanted));
    }

    fn waits_until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !holds(self) {
            assert!(begun.elapsed() < PATIENCE, "waited in vain for {what}:\n{}", self.text());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn signals(&self, signal: &str) {
        let process = self.child.process_id().unwrap().to_string();
        assert!(Command::new("kill").args([signal, &process]).status().unwrap().success());
    }

    /// The letter that Linux gives for what the process is doing: `T` for stopped.
    fn doing(&self) -> Option<char> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.process_id()?)).ok()?;
        stat.rsplit_once(") ")?.1.chars().next()
    }

    /// The exit code, once the program has ended.
    fn ends(&mut self) -> u32 {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.exit_code();
            }
            assert!(begun.elapsed() < PATIENCE, "it does not end:\n{}", self.text());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends with this code, and leaves the terminal as it was.
    fn leaves(&mut self, code: u32) {
        assert_eq!(self.ends(), code, "{}", self.text());
        self.waits_until("the terminal back", Self::is_given_back);
        assert_eq!(self.settings(), untouched());
    }

    /// Hundredths of a second for which it has kept the processor busy.
    fn busy(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.process_id().unwrap())).unwrap();
        let numbers = stat.rsplit_once(") ").unwrap().1.split(' ').skip(11).take(2);
        numbers.map(|number| number.parse::<u64>().unwrap()).sum()
    }

    fn settings(&self) -> String {
        // Compared as written: the type itself is not ours to name.
        format!("{:?}", self.pair.master.get_termios())
    }

    fn is_given_back(&self) -> bool {
        let parser = self.screen();
        let screen = parser.screen();
        !screen.alternate_screen()
            && !screen.hide_cursor()
            && !screen.bracketed_paste()
            && screen.mouse_protocol_mode() == vt100::MouseProtocolMode::None
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // What is still running after a failed test must not stay.
        let _ = self.child.kill();
    }
}

fn command(program: &str, arguments: &[&str], variables: &[(&str, &str)]) -> CommandBuilder {
    let mut command = CommandBuilder::new(program);
    command.args(arguments);
    command.env("TERM", "xterm-256color");
    command.env("LC_ALL", "C.UTF-8");
    command.env_remove("NO_COLOR");
    command.env_remove("CI");
    for (name, value) in variables {
        command.env(name, value);
    }
    command
}

fn pty_size((cols, rows): (u16, u16)) -> PtySize {
    PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }
}

#[test]
fn the_log_stays_off_the_screen() {
    let log = tempfile::NamedTempFile::new().unwrap();
    let file = log.path().to_str().unwrap();
    for variables in [&[("NIXDIVE_LOG", "trace")][..], &[("NIXDIVE_LOG_FILE", file)]] {
        let mut terminal = Terminal::open((80, 24), variables);
        terminal.waits_for("Bytes");
        terminal.types("q");
        terminal.child.wait().unwrap();
        assert!(!terminal.output.has("DEBUG") && !terminal.output.has("TRACE"));
    }
    assert!(std::fs::read_to_string(file).unwrap().contains("DEBUG layer: read"));
}

#[test]
fn files_are_searched_and_looked_into() {
    let mut terminal = Terminal::opened((100, 30));
    terminal.types("\x13");
    terminal.waits_for("Search in files");
    terminal.types("re:[a-z]\r");
    terminal.waits_for("kB searched; ");
    terminal.types("\r");
    terminal.waits_until("the file with the hit", |terminal| {
        let text = terminal.text();
        text.contains(" text, ") || text.contains(" bytes, ")
    });
    // Files are searched at once on all cores: the first hit may be in a program, which opens as bytes already.
    let is_text = terminal.text().contains(" text, ");
    terminal.types(if is_text { "x" } else { "g" });
    terminal.waits_for("00000000  ");
    terminal.types("q");
    terminal.leaves(0);
}

/// Images beside the source: one of a Dockerfile, one of Nix.
fn bundled(name: &str) -> String {
    format!("{}/sample-images/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn two_images_are_compared_and_a_file_of_both_is_looked_into() {
    let (left, right) = (bundled("lighttpd-docker.tar.zst"), bundled("lighttpd-nix.tar.gz"));
    let mut terminal = Terminal::run(PROGRAM, &[&left, &right], (120, 36), &[]);
    terminal.waits_for("only differences");
    terminal.types("2");
    terminal.waits_for("The right image saves");
    terminal.types("3");
    terminal.waits_for("glibc-2.36");
    terminal.types("1/etc/passwd\r\r");
    terminal.waits_until("the file of both", |terminal| {
        let text = terminal.text();
        text.contains("left to right") || text.contains("image, layer") || text.contains(" text, ")
    });
    terminal.types("q");
    terminal.leaves(0);
}

#[test]
fn a_plan_is_decided_about_written_and_compared() {
    let directory = tempfile::tempdir().unwrap();
    let image = directory.path().join("web.tar.gz");
    std::fs::copy(bundled("lighttpd-nix.tar.gz"), &image).unwrap();
    let before = std::fs::read(&image).unwrap();
    let image = image.to_str().unwrap();
    let mut terminal = Terminal::run(PROGRAM, &[image], (120, 36), &[]);
    terminal.waits_for("Bytes");
    terminal.types("R");
    terminal.waits_for("B, -");
    terminal.types("j ");
    terminal.waits_for("drop!?");
    // Nothing is written over what is being read.
    terminal.types(&format!("w\x15{image}\r"));
    terminal.waits_for("the image that is being read");
    terminal.types("\x1b");
    terminal.waits_for("keep/drop");
    terminal.types(&format!("w\x15{}/small.tar\r", directory.path().display()));
    terminal.waits_for("only differences");
    terminal.types("\x1b");
    terminal.waits_for("1 decided by you");
    terminal.types("q");
    terminal.leaves(0);
    assert!(directory.path().join("small.tar").is_file());
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 2, "nothing unfinished is left");
    assert!(std::fs::read(image).unwrap() == before);
}

#[test]
fn three_images_open_a_matrix_whose_cells_are_comparisons() {
    let (left, right) = (bundled("lighttpd-docker.tar.zst"), bundled("lighttpd-nix.tar.gz"));
    let mut terminal = Terminal::run(PROGRAM, &[SAMPLE, &left, &right], (120, 36), &[]);
    terminal.waits_for("together on one host");
    terminal.types("3l\r");
    terminal.waits_for("only differences");
    terminal.types("\x1b");
    terminal.waits_for("together on one host");
    terminal.types("q");
    terminal.leaves(0);
}

#[test]
fn a_side_that_is_not_there_is_named() {
    let mut terminal = Terminal::run(PROGRAM, &[SAMPLE, "/nowhere/new.tar"], (100, 24), &[]);
    terminal.waits_for("The right image, /nowhere/new.tar");
    terminal.types("q");
    terminal.leaves(0);
}

/// The settings of a terminal on which nothing has run yet.
fn untouched() -> String {
    let pair = native_pty_system().openpty(pty_size((80, 24))).unwrap();
    format!("{:?}", pair.master.get_termios())
}

#[test]
fn it_opens_moves_and_leaves_the_terminal_as_it_was() {
    let mut terminal = Terminal::opened((100, 30));
    assert!(terminal.screen().screen().alternate_screen());
    terminal.types("j");
    terminal.waits_for("layer 0");
    terminal.types("\t/lib");
    terminal.waits_for("Show only: lib");
    terminal.types("\x1b");
    terminal.waits_until("the filter to go", |terminal| !terminal.text().contains("Show only:"));
    terminal.types("q");
    terminal.leaves(0);
}

#[test]
fn it_asks_the_terminal_nothing() {
    let mut terminal = Terminal::opened((80, 24));
    terminal.types("q");
    terminal.ends();
    for question in ["\x1b[6n", "\x1b[c", "\x1b[>c", "\x1b]11;?", "\x1b[?u"] {
        assert!(!terminal.output.has(question), "{question:?}");
    }
}

#[test]
fn a_signal_to_stop_gives_the_terminal_back() {
    for (signal, code) in [("-TERM", 143), ("-INT", 130), ("-HUP", 129)] {
        let mut terminal = Terminal::opened((80, 24));
        terminal.signals(signal);
        terminal.leaves(code);
    }
}

#[test]
fn control_z_gives_the_terminal_back_until_it_goes_on() {
    let mut terminal = Terminal::opened((80, 24));
    let settings = terminal.settings();
    terminal.types("\x1a");
    terminal.waits_until("the program to stop", |terminal| terminal.doing() == Some('T'));
    terminal.waits_until("the terminal back", Terminal::is_given_back);
    assert_eq!(terminal.settings(), untouched());
    terminal.signals("-CONT");
    terminal.waits_until("the screen again", |terminal| terminal.screen().screen().alternate_screen());
    terminal.waits_for("Layers");
    assert_eq!(terminal.settings(), settings);
    terminal.types("q");
    terminal.leaves(0);
}

#[test]
fn a_resized_terminal_is_filled_again() {
    let mut terminal = Terminal::opened((120, 40));
    for size in [(50, 15), (200, 60), (20, 5), (80, 24)] {
        terminal.size = size;
        terminal.pair.master.resize(pty_size(size)).unwrap();
        let wanted = if size.0 < 30 { "Too small" } else { "help" };
        terminal.waits_until(wanted, |terminal| {
            let screen = terminal.text();
            screen.contains(wanted) && screen.lines().all(|line| line.chars().count() <= usize::from(size.0))
        });
    }
    terminal.types("q");
    terminal.leaves(0);
}

#[test]
fn without_colours_none_is_sent() {
    let mut terminal = Terminal::open((80, 24), &[("NO_COLOR", "1")]);
    terminal.waits_for("Bytes");
    terminal.types("jj\tq");
    terminal.ends();
    for colour in ["\x1b[31m", "\x1b[32m", "\x1b[38;", "\x1b[48;"] {
        assert!(!terminal.output.has(colour), "{colour:?}");
    }
    assert!(terminal.output.has("\x1b[7m"), "the selection is still set off");
}

#[test]
fn a_terminal_of_one_cell_is_waited_out() {
    let mut terminal = Terminal::opened((80, 24));
    for size in [(1, 1), (20, 5), (1, 40), (200, 1), (80, 24)] {
        let written = terminal.output.bytes().len();
        terminal.pair.master.resize(pty_size(size)).unwrap();
        terminal.waits_until("another drawing", |terminal| terminal.output.bytes().len() > written);
    }
    terminal.types("j");
    terminal.waits_for("layer 0");
    terminal.types("q");
    terminal.leaves(0);
}

/// The interface with parts that fail; does nothing unless [`PANIC`] is set, as the test below has it.
#[test]
fn a_program_that_panics() {
    if std::env::var_os(PANIC).is_none() {
        return;
    }
    let effects = |effect| match effect {
        Effect::Open { reference, .. } if reference == "first" => {
            // The panic itself is what is wanted of the thread.
            let _ = std::thread::spawn(|| panic!("a thread fails")).join();
        }
        Effect::Open { .. } => panic!("the drawing fails"),
        _ => {}
    };
    let choice = |name: &str| Choice { reference: name.into(), ..Choice::default() };
    let start = Start::Choosing(vec![choice("first"), choice("second")]);
    let (_reports, received) = crossbeam_channel::unbounded();
    run(received, effects, start, Options::default(), Settings::default()).unwrap();
}

#[test]
fn a_panic_gives_the_terminal_back_and_one_of_another_thread_is_a_notice() {
    let this = std::env::current_exe().unwrap();
    let arguments = ["--exact", "a_program_that_panics", "--nocapture"];
    let mut terminal =
        Terminal::run(this.to_str().unwrap(), &arguments, (80, 24), &[(PANIC, "1"), ("RUST_BACKTRACE", "0")]);
    terminal.waits_for("second");
    terminal.types("\r");
    terminal.waits_for("Internal error");
    assert!(terminal.screen().screen().alternate_screen());
    terminal.types("\x1b");
    terminal.waits_until("the notice to go", |terminal| !terminal.text().contains("Internal error"));
    terminal.types("\x1b");
    terminal.waits_for("second");
    terminal.types("j\r");
    terminal.leaves(101);
    assert!(terminal.text().contains("the drawing fails"), "{}", terminal.text());
}

#[test]
fn a_terminal_that_is_closed_ends_it() {
    let pair = native_pty_system().openpty(pty_size((80, 24))).unwrap();
    let mut child = pair.slave.spawn_command(command(PROGRAM, &[SAMPLE], &[])).unwrap();
    let mut reader = pair.master.try_clone_reader().unwrap();
    let (mut written, mut buffer) = (Vec::new(), [0; 4096]);
    while !written.windows(5).any(|piece| piece == b"Bytes") {
        let count = reader.read(&mut buffer).unwrap();
        written.extend_from_slice(&buffer[..count]);
    }
    drop((reader, pair));
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begun.elapsed() > PATIENCE {
            child.kill().unwrap();
            panic!("it goes on without a terminal");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn nothing_is_done_while_nothing_happens() {
    let from_nowhere = format!("exec {PROGRAM} {SAMPLE} </dev/null");
    for (program, arguments) in [(PROGRAM, &[SAMPLE][..]), ("sh", &["-c", &from_nowhere])] {
        let mut terminal = Terminal::run(program, arguments, (80, 24), &[]);
        terminal.waits_for("Bytes");
        // Digests are still checked when the first screen is there.
        std::thread::sleep(Duration::from_millis(300));
        let before = terminal.busy();
        std::thread::sleep(Duration::from_millis(300));
        assert!(terminal.busy() <= before + 1, "{} hundredths of a second, {arguments:?}", terminal.busy() - before);
        terminal.types("q");
        terminal.leaves(0);
    }
}

#[test]
fn a_terminal_of_a_size_that_no_memory_is_there_for_is_refused() {
    let mut terminal = Terminal::open((65535, 65535), &[]);
    assert_eq!(terminal.ends(), 2);
    // The last of the output may come after the end of the program.
    terminal.waits_until("the reason", |terminal| terminal.output.has("too large"));
}

#[test]
fn a_sequence_that_was_cut_short_does_not_swallow_control_c() {
    for cut in ["\x1b[<0;10", "\x1b[200~half a paste", "\x1b[1;"] {
        for interruption in ["\x03", "\x1b[99;5u"] {
            let mut terminal = Terminal::opened((80, 24));
            terminal.types(cut);
            terminal.types(interruption);
            terminal.leaves(0);
        }
    }
}
