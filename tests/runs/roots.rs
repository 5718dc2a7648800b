//! One image as several root directories: whole, with the files that it needs alone, and as the program rebuilds it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use nixdive::cancel::Cancel;
use nixdive::open::{Keep, OpenOptions, Opened};
use nixdive::packages::{self, CapturedFile, Inventory};
use nixdive::rebuild::needs::{Needs, NeedsOptions, find};
use nixdive::scan::Wanted;

use crate::support::chroot::{Service, get, run_in_chroot, unpack};
use crate::support::program::{Run, nixdive, open_with, run_command};

/// A root directory that an image was unpacked to, and what was opened of it.
pub struct Root {
    pub what: &'static str,
    pub path: PathBuf,
    pub opened: Opened,
}

impl Root {
    fn new(what: &'static str, directory: &Path, opened: Opened) -> Self {
        let path = directory.join(what);
        std::fs::create_dir(&path).unwrap();
        unpack(&opened, &path, None);
        Self { what, path, opened }
    }

    /// Bytes of the files.
    pub fn bytes(&self) -> u64 {
        let tree = &self.opened.image.tree;
        let top = tree.top_layer().unwrap();
        let contents: std::collections::HashSet<_> =
            tree.stacked_paths(top).filter_map(|(_, id)| tree.content_of(id?)).collect();
        contents.into_iter().map(|id| tree.occurrence(id).bytes).sum()
    }

    /// Whether a path is there, links on the way followed as in a container.
    pub fn has(&self, path: &str) -> bool {
        self.path.join(path.trim_start_matches('/')).symlink_metadata().is_ok()
    }
}

/// The roots of an image.
pub struct Roots {
    pub whole: Root,
    pub rebuilt: Root,
    /// With only what is needed, as it was; `None` where the image has a store.
    pub needed: Option<(Root, Needs)>,
}

impl Roots {
    /// Opens, rebuilds with some options and unpacks an image.
    #[track_caller]
    pub fn new(directory: &Path, image: &Path, options: &[&str]) -> Self {
        let whole = Root::new("whole", directory, open(image));
        let written = rebuild(directory, image, options);
        let rebuilt = Root::new("rebuilt", directory, open(&written));
        Self { whole, rebuilt, needed: None }
    }

    /// The same of an image without a store, with a root of only what it needs.
    #[track_caller]
    pub fn with_needed(directory: &Path, image: &Path) -> Self {
        let roots = Self::new(directory, image, &[]);
        let opened = open(image);
        let needs =
            find(&opened.image, &opened.contents, &inventory(&opened), &NeedsOptions::default(), &Cancel::new())
                .unwrap();
        let path = directory.join("needed");
        std::fs::create_dir(&path).unwrap();
        unpack(&opened, &path, Some(&|node| needs.is_needed(node)));
        Self { needed: Some((Root { what: "needed", path, opened }, needs)), ..roots }
    }

    /// All but the whole one.
    fn smaller(&self) -> impl Iterator<Item = &Root> {
        self.needed.iter().map(|(root, _)| root).chain([&self.rebuilt])
    }

    /// That a path is in the smaller roots, or in none of them.
    #[track_caller]
    pub fn assert_has(&self, path: &str, expected: bool) {
        for root in self.smaller() {
            assert_eq!(root.has(path), expected, "{path} in {}", root.what);
        }
    }

    /// That a program that comes to its end does the same with all; gives what it says.
    #[track_caller]
    pub fn assert_same_run(&self) -> String {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let whole = run_in_chroot(&self.whole.path, &self.whole.opened.image.config);
        for root in self.smaller() {
            let run = run_in_chroot(&root.path, &root.opened.image.config);
            assert_eq!(text(&run.stdout), text(&whole.stdout), "{}: {}", root.what, text(&run.stderr));
            assert_eq!(text(&run.stderr), text(&whole.stderr), "{}", root.what);
            assert_eq!(run.status.code(), whole.status.code(), "{}", root.what);
        }
        text(&whole.stdout)
    }

    /// That a service answers the same with all.
    #[track_caller]
    pub fn assert_same_answers(&self, port: u16, paths: &[&str]) -> Vec<(String, Vec<u8>)> {
        static ONE_AT_A_TIME: std::sync::Mutex<()> = std::sync::Mutex::new(());
        let _one = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let answers = |root: &Root| {
            let _service = Service::start(&root.path, &root.opened.image.config, port);
            paths.iter().map(|path| get(port, path)).collect::<Vec<_>>()
        };
        let whole = answers(&self.whole);
        for root in self.smaller() {
            assert_eq!(answers(root), whole, "{}", root.what);
        }
        whole
    }
}

fn open(image: &Path) -> Opened {
    let wanted = Wanted {
        is_wanted: packages::is_wanted,
        identity: packages::wanted_identity,
        most_bytes: packages::MAX_DATABASE_BYTES,
    };
    open_with(image, OpenOptions { keep: Keep::AnyContent, wanted: Some(wanted), ..OpenOptions::default() }).unwrap()
}

fn inventory(opened: &Opened) -> Inventory {
    let captured: Vec<CapturedFile<'_>> = opened
        .captured
        .iter()
        .map(|(layer, file)| CapturedFile { layer: *layer, path: &file.path, content: &file.content })
        .collect();
    packages::find(&opened.image.tree, opened.image.tree.top_layer().unwrap(), &captured)
}

/// Runs the program on one processor and on all: the same bytes each time, of an image that it calls sound, or in which
/// nothing is broken that was not before.
#[track_caller]
fn rebuild(directory: &Path, image: &Path, options: &[&str]) -> PathBuf {
    let (first, second) = (directory.join("rebuilt.tar"), directory.join("again.tar"));
    let mut on_one = Command::new("taskset");
    on_one.args(["-c", "0"]).arg(nixdive().get_program()).stdin(std::process::Stdio::null());
    for (command, file) in [(&mut nixdive(), &first), (&mut on_one, &second)] {
        let mut destination = OsStr::new("docker-archive:").to_owned();
        destination.push(file);
        let run = run_command(command.arg("rebuild").arg(image).args(options).arg("-o").arg(destination));
        assert_eq!(run.code, Some(0), "{}", run.stderr);
    }
    assert!(std::fs::read(&first).unwrap() == std::fs::read(second).unwrap(), "other bytes on another run");
    let check = |image: &Path| -> Run { run_command(nixdive().arg("rebuild").arg(image).arg("--check")) };
    let (before, after) = (check(image), check(&first));
    let new: Vec<String> = broken(&after).difference(&broken(&before)).cloned().collect();
    assert!(new.is_empty() && after.code <= before.code, "{new:#?}{}", after.stderr);
    first
}

/// What is broken in an image, by names of files: store paths may have others than before.
fn broken(check: &Run) -> std::collections::BTreeSet<String> {
    let told = check.text();
    let lines = told.lines().filter_map(|line| line.strip_prefix("broken: "));
    lines.map(|line| line.rsplit('/').next().unwrap_or_default().to_owned()).collect()
}
