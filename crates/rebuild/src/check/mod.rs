//! Proves of an image, without running it, that what it starts finds what it needs.

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

/// What the check of an image found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// What does not work, each once.
    pub broken: Vec<Broken>,
    /// Links that lead nowhere and that nothing reaches: their targets may be mounted, or were never there.
    pub loose_links: Vec<String>,
    /// What cannot be told, as sentences that are safe to show.
    pub doubts: Vec<String>,
    /// Paths that the configuration reaches.
    pub reached: usize,
    /// Links that were followed.
    pub links: usize,
}

/// Something that does not work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The path that it concerns; `None` for the configuration.
    pub node: Option<NodeId>,
    /// In what way.
    pub kind: BrokenKind,
    /// One sentence, safe to show, that names path and what is missing.
    pub message: String,
}

/// In what way something does not work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BrokenKind {
    /// What is to be started is not there.
    Start,
    /// The user is in no `passwd`, the group in no `group`.
    User,
    /// A program's dynamic linker.
    Interpreter,
    /// A library that a program cannot start without.
    Library,
    /// The program of a script's first line.
    Shebang,
    /// A link into the store.
    Link,
    /// A program for another processor than the configuration says.
    Architecture,
}

impl CheckReport {
    /// Whether everything that the image starts finds what it needs.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.broken.is_empty()
    }
}

/// Checks an image: that every program and library that its configuration reaches finds its interpreter and libraries,
/// every script its program, every link into the store its target, and that the configuration points at what exists.
/// Only what is reached is read.
///
/// # Errors
/// [`NeedsError`].
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
                (BrokenKind::Interpreter, format!("{by} asks for the dynamic linker {name}, which is not there"))
            }
            How::Shebang => (BrokenKind::Shebang, format!("{by} begins with {name}, which is not there")),
            How::Entrypoint(_) | How::Command(_) => {
                (BrokenKind::Start, format!("{by} starts {name}, which is not there"))
            }
            How::Healthcheck(_) => (BrokenKind::Start, format!("the health check starts {name}, which is not there")),
            _ => (BrokenKind::Library, format!("{by} needs {name}, which is found nowhere")),
        };
        report.broken.push(Broken { node: missing.from, kind, message });
    }
    check_user(image, contents, &mut report);
    check_architecture(image, contents, &mut report);
    links::check(image, cancel, &mut report)?;
    Ok(report)
}

/// That the user of the configuration, where it is a name, is one of the image.
fn check_user(image: &Image, contents: &Contents, report: &mut CheckReport) {
    let mut accounts = Accounts::default();
    for (file, path) in ACCOUNT_FILES {
        accounts.add(file, &content(image, contents, path).unwrap_or_default());
    }
    for UnknownName { name, file, what } in accounts.unknown_names(&image.config.user) {
        let name = display_in_sentence(name);
        let message = format!("the configuration runs it as the {what} {name}, which {file} does not have");
        report.broken.push(Broken { node: None, kind: BrokenKind::User, message });
    }
}

/// That the program which is started runs on the processor of the configuration.
fn check_architecture(image: &Image, contents: &Contents, report: &mut CheckReport) {
    if let Some(other) = other_architecture(image, contents) {
        report.broken.push(Broken { node: Some(other.node), kind: BrokenKind::Architecture, message: other.message });
    }
}

/// A program that is started, for another processor than the configuration says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherArchitecture {
    /// The program.
    pub node: NodeId,
    /// One sentence, safe to show.
    pub message: String,
}

/// Whether what an image starts is for another processor than its configuration says. Only files on the way to the first
/// program that is no script are read, a few at most.
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
        let message = format!("the configuration says {architecture}, and {program} is for {}", machine.name());
        OtherArchitecture { node, message }
    })
}

/// The beginning of a file, at most 4 MiB.
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
