//! Proves of an image, without running it, that what it starts finds what it needs.

mod links;
#[cfg(test)]
mod tests;

use super::needs::{How, NeedsError, NeedsOptions, find};
use crate::image::{Image, NodeId, Resolution, display_in_sentence};
use crate::open::Contents;
use crate::packages::Inventory;
use crate::scan::Cancel;

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
    links::check(image, cancel, &mut report)?;
    Ok(report)
}

/// That the user of the configuration, where it is a name, is one of the image.
fn check_user(image: &Image, contents: &Contents, report: &mut CheckReport) {
    let user = image.config.user.trim();
    let (name, group) = user.split_once(':').map_or((user, None), |(name, group)| (name, Some(group)));
    for (name, file, what) in [(Some(name), "/etc/passwd", "user"), (group, "/etc/group", "group")] {
        let Some(name) = name.filter(|name| !name.is_empty() && name.parse::<u32>().is_err()) else { continue };
        let list = content(image, contents, file).unwrap_or_default();
        let mut names = list.split(|&byte| byte == b'\n').filter_map(|line| line.split(|&byte| byte == b':').next());
        if !names.any(|known| known == name.as_bytes()) {
            let message = format!(
                "the configuration runs it as the {what} {}, which {file} does not have",
                display_in_sentence(name)
            );
            report.broken.push(Broken { node: None, kind: BrokenKind::User, message });
        }
    }
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
