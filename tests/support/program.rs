//! Opening through the library, and running the program, both within bounds of time.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use nixdive::execution::Permission;
use nixdive::open::{Keep, OpenError, OpenOptions, Opened, Progress, open};
use nixdive::reference::Reference;

/// Longer than anything here takes on a loaded machine, and short enough to fail in time.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What an opening gives.
pub type OpenResult = Result<Opened, OpenError>;

/// Opens what is typed, with the means to fetch contents soon after.
pub fn open_typed(typed: impl AsRef<OsStr>) -> OpenResult {
    open_with(typed, OpenOptions { keep: Keep::Content, execution: Permission::granted(), ..OpenOptions::default() })
}

/// Opens what is typed. Fails the test where that does not come to an end.
pub fn open_with(typed: impl AsRef<OsStr>, options: OpenOptions) -> OpenResult {
    let typed = typed.as_ref().to_owned();
    within(PATIENCE, move || {
        let reference = Reference::parse(&typed).unwrap();
        open(&reference, &options, &Progress::new())
    })
}

/// Runs something on a thread of its own, and fails where it takes too long.
pub fn within<T: Send + 'static>(patience: Duration, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = std::sync::mpsc::channel();
    let worker = std::thread::spawn(move || sender.send(work()));
    match receiver.recv_timeout(patience) {
        Ok(result) => result,
        Err(std::sync::mpsc::RecvTimeoutError::Timeout) => panic!("it did not end within {patience:?}"),
        Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => match worker.join() {
            Err(panic) => std::panic::resume_unwind(panic),
            Ok(_) => panic!("the thread ended without a result"),
        },
    }
}

/// The content of a file as the topmost layer leaves it, links followed.
pub fn content(opened: &Opened, path: &str) -> Vec<u8> {
    let tree = &opened.image.tree;
    let layer = tree.top_layer().unwrap();
    let nixdive::image::Resolution::Found { node, .. } = tree.resolve(path.as_bytes(), layer, true) else {
        panic!("{path} is not there")
    };
    let id = tree.visible_at(node, layer).unwrap_or_else(|| panic!("{path} has no entry"));
    let mut bytes = Vec::new();
    opened.contents.reader(tree, id).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

/// All paths of the topmost view, each with a slash behind a directory.
pub fn paths(opened: &Opened) -> Vec<String> {
    let tree = &opened.image.tree;
    let shown = |(node, id): (nixdive::image::NodeId, Option<nixdive::image::OccurrenceId>)| {
        let path = nixdive::text::display_name(&tree.path(node)).into_owned();
        let is_directory = id.is_none_or(|id| tree.occurrence(id).kind == nixdive::image::Kind::Directory);
        if is_directory { format!("{path}/") } else { path }
    };
    tree.stacked_paths(tree.top_layer().unwrap()).map(shown).collect()
}

/// The program, with nothing of the user's configuration.
pub fn nixdive() -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("nixdive"));
    for name in ["NIXDIVE_LIVE", "NIXDIVE_LOG", "NIXDIVE_LOG_FILE", "CI", "GITHUB_ACTIONS"] {
        command.env_remove(name);
    }
    command.stdin(Stdio::null());
    command
}

/// How a run of the program ended.
pub struct Run {
    pub code: Option<i32>,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl Run {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).expect("UTF-8 on standard output")
    }

    /// That it was done, and said nothing on standard error.
    #[track_caller]
    pub fn done(self) -> Self {
        assert_eq!((self.code, self.stderr.as_str()), (Some(0), ""), "{}", String::from_utf8_lossy(&self.stdout));
        self
    }

    /// That it was done, and said nothing but warnings on standard error.
    #[track_caller]
    pub fn printed(self) -> Self {
        assert_eq!(self.code, Some(0), "{}{}", self.stderr, String::from_utf8_lossy(&self.stdout));
        assert!(self.stderr.lines().all(|line| line.starts_with("nixdive: warning: ")), "{}", self.stderr);
        self
    }

    /// That it was done, with a warning on standard error.
    #[track_caller]
    pub fn warned(self) -> Self {
        let printed = self.printed();
        assert!(!printed.stderr.is_empty(), "{}", String::from_utf8_lossy(&printed.stdout));
        printed
    }

    /// That it could not be done: the reason, said once, is given.
    #[track_caller]
    pub fn refused(self) -> String {
        assert_eq!(self.code, Some(2), "{}{}", self.stderr, String::from_utf8_lossy(&self.stdout));
        let is_error = |line: &&str| line.starts_with("nixdive: ") && !line.starts_with("nixdive: warning: ");
        let messages = self.stderr.lines().filter(is_error).count();
        assert_eq!(messages, 1, "{}", self.stderr);
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        assert!(self.stdout.is_empty(), "{}", String::from_utf8_lossy(&self.stdout));
        self.stderr
    }
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        let stderr = String::from_utf8(output.stderr).expect("UTF-8 on standard error");
        Self { code: output.status.code(), stdout: output.stdout, stderr }
    }
}

/// Runs the program with some arguments.
pub fn run<S: AsRef<OsStr>>(arguments: &[S]) -> Run {
    run_command(nixdive().args(arguments))
}

/// Runs the program, and fails where it takes too long.
pub fn run_command(command: &mut Command) -> Run {
    watch(command, |_| {})
}

fn watch(command: &mut Command, mut look: impl FnMut(u32)) -> Run {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (mut out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let out = std::thread::spawn(move || read_all(&mut out));
    let err = std::thread::spawn(move || read_all(&mut err));
    let began = Instant::now();
    let status = loop {
        look(child.id());
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if began.elapsed() > PATIENCE {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("{command:?} did not end within {PATIENCE:?}");
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    Run::from(Output { status, stdout: out.join().unwrap(), stderr: err.join().unwrap() })
}

fn read_all(stream: &mut dyn Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    bytes
}

/// Runs the program with a file as standard input.
pub fn run_with_input(arguments: &[&str], input: &Path) -> Run {
    run_command(nixdive().args(arguments).stdin(File::open(input).unwrap()))
}

/// Runs the program with bytes that come through a pipe.
pub fn run_with_pipe(arguments: &[&str], bytes: &[u8]) -> Run {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let bytes = bytes.to_vec();
    let feeder = std::thread::spawn(move || {
        // The program may leave before it has seen everything.
        let _ = std::io::Write::write_all(&mut writer, &bytes);
    });
    let run = run_command(nixdive().args(arguments).stdin(reader));
    feeder.join().unwrap();
    run
}

/// Runs the program, and gives the most memory that it had in use, bytes (`VmHWM` of proc(5)).
pub fn run_measured<S: AsRef<OsStr>>(arguments: &[S]) -> (Run, u64) {
    let mut peak = 0;
    let run = watch(nixdive().args(arguments), |child| peak = peak.max(peak_memory(child).unwrap_or(0)));
    (run, peak)
}

fn peak_memory(child: u32) -> Option<u64> {
    // Until the program has taken its place, the child's memory is that of the tests.
    let program = |process: &str| std::fs::read_link(format!("/proc/{process}/exe")).ok();
    (program(&child.to_string())? != program("self")?).then_some(())?;
    let status = std::fs::read_to_string(format!("/proc/{child}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
}

/// Writes a file into a directory and gives its path.
pub fn file(directory: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = directory.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

/// A fresh directory that goes away at the end.
pub fn scratch() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}
