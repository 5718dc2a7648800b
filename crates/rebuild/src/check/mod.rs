//! Verifies without running an image that the programs it starts find what they need.

mod links;
#[cfg(test)]
mod tests;

use super::needs::{How, NeedsError, NeedsOptions, find};
use nixdive_analyse::findings::{ACCOUNT_FILES, Accounts, Program, UnknownName, launch};
use nixdive_base::cancel::Cancel;
use nixdive_base::text::display_in_sentence;
use nixdive_image::{Image, NodeId, Resolution};
use nixdive_packages::Inventory;
use nixdive_source::open::Contents;

/// Result of checking an image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// Defects, without duplicates.
    pub broken: Vec<Broken>,
    /// Dangling links that nothing reaches: their targets may be mounted at run time, or were never there.
    pub loose_links: Vec<String>,
    /// Uncertainties, as sentences that are safe to show.
    pub doubts: Vec<String>,
    /// Number of paths reachable from the configuration.
    pub reached: usize,
    /// Number of links followed.
    pub links: usize,
}

/// Defect found by the check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Affected path; `None` for the configuration.
    pub node: Option<NodeId>,
    /// Kind of defect.
    pub kind: BrokenKind,
    /// Sentence that names the path and what is missing; safe to show.
    pub message: String,
}

/// Kind of defect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BrokenKind {
    /// A program to be started is missing.
    Start,
    /// The user is not in `passwd`, or the group not in `group`.
    User,
    /// The dynamic linker of a program is missing.
    Interpreter,
    /// A library required at program start is missing.
    Library,
    /// The interpreter in the first line of a script is missing.
    Shebang,
    /// A link into the store is broken.
    Link,
    /// A program is for a different processor than the configuration states.
    Architecture,
}

impl CheckReport {
    /// Returns `true` if everything that the image starts finds what it needs.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.broken.is_empty()
    }
}

/// Checks that every program and library reachable from the configuration finds its interpreter and libraries, every
/// script its interpreter and every link into the store its target, and that the paths in the configuration exist. Only
/// reachable files are read.
///
/// # Errors
/// If a reachable file cannot be searched or the check was cancelled.
pub fn check(image: &Image, contents: &Contents, cancel: &Cancel) -> Result<CheckReport, NeedsError> {
    let options = NeedsOptions { only_reached: true, ..NeedsOptions::default() };
    let needs = find(image, contents, &Inventory::default(), &options, cancel)?;
    let mut report = CheckReport {
        doubts: needs.doubts.iter().map(|doubt| doubt.message.clone()).collect(),
        reached: needs.reasons.iter().filter(|reason| reason.is_some()).count(),
        ..CheckReport::default()
    };
    for missing in &needs.missing {
        let by = missing.from.map_or_else(|| "the configuration".to_owned(), |node| shown(image, node));
        let name = &missing.name;
        let (kind, message) = match missing.how {
            How::Interpreter => {
                (BrokenKind::Interpreter, format!("{by} requires the dynamic linker {name}, which is missing"))
            }
            How::Shebang => (BrokenKind::Shebang, format!("{by} requires the interpreter {name}, which is missing")),
            How::Entrypoint(_) | How::Command(_) => {
                (BrokenKind::Start, format!("{by} starts {name}, which is missing"))
            }
            How::Healthcheck(_) => (BrokenKind::Start, format!("the health check starts {name}, which is missing")),
            _ => (BrokenKind::Library, format!("{by} needs {name}, which was not found")),
        };
        report.broken.push(Broken { node: missing.from, kind, message });
    }
    check_user(image, contents, &mut report);
    check_architecture(image, contents, &mut report);
    links::check(image, cancel, &mut report)?;
    Ok(report)
}

/// Checks that the user and group of the configuration exist in the image if they are given by name.
fn check_user(image: &Image, contents: &Contents, report: &mut CheckReport) {
    let mut accounts = Accounts::default();
    for (file, path) in ACCOUNT_FILES {
        accounts.add(file, &content(image, contents, path).unwrap_or_default());
    }
    for UnknownName { name, file, what } in accounts.unknown_names(&image.config.user) {
        let name = display_in_sentence(name);
        let message = format!("the configuration names the {what} {name}, which is not in {file}");
        report.broken.push(Broken { node: None, kind: BrokenKind::User, message });
    }
}

/// Checks that the program to be started is for the processor in the configuration.
fn check_architecture(image: &Image, contents: &Contents, report: &mut CheckReport) {
    if let Some(other) = other_architecture(image, contents) {
        report.broken.push(Broken { node: Some(other.node), kind: BrokenKind::Architecture, message: other.message });
    }
}

/// Program to be started that is for a different processor than the configuration states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherArchitecture {
    /// Path of the program.
    pub node: NodeId,
    /// Description in one sentence; safe to show.
    pub message: String,
}

/// Returns the first program that the image starts if it is for a different processor than the configuration states.
/// Only a few files are read, up to the first program that is not a script.
#[must_use]
pub fn other_architecture(image: &Image, contents: &Contents) -> Option<OtherArchitecture> {
    let tree = &image.tree;
    let read = |id| {
        let mut start = Vec::new();
        let reader = contents.reader(tree, id).ok()?;
        std::io::Read::read_to_end(&mut std::io::Read::take(reader, Program::START as u64), &mut start).ok()?;
        Program::read(&start, tree.occurrence(id).bytes)
    };
    let (node, _, machine) = launch(image, &read)?.machine?;
    let architecture = &image.config.platform.architecture;
    (machine.runs_on(architecture) == Some(false)).then(|| {
        let (program, architecture) = (shown(image, node), display_in_sentence(architecture));
        let message = format!("the configuration states {architecture}, but {program} is for {}", machine.name());
        OtherArchitecture { node, message }
    })
}

/// Reads the beginning of a file, at most 4 MiB.
fn content(image: &Image, contents: &Contents, path: &str) -> Option<Vec<u8>> {
    let top = image.tree.top_layer()?;
    let Resolution::Found { node, .. } = image.tree.resolve(path.as_bytes(), top, true) else { return None };
    let reader = contents.reader(&image.tree, image.tree.visible_at(node, top)?).ok()?;
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut std::io::Read::take(reader, 4 << 20), &mut bytes).ok()?;
    Some(bytes)
}

fn shown(image: &Image, node: NodeId) -> String {
    display_in_sentence(&String::from_utf8_lossy(&image.tree.path(node)))
}
