//! What the programs that an image starts need of its files, found without running them.
//!
//! From the configuration's entry point and command a search follows what a program needs to start and to work; every
//! path that it reaches remembers what led there first.

mod beside;
mod calls;
mod chain;
mod elf;
pub(crate) mod fuzzing;
mod glob;
mod habits;
mod jar;
mod libraries;
mod linker;
mod linker_cache;
mod look_around;
mod package_files;
mod places;
mod programs;
mod python;
mod read;
mod runtimes;
mod scripts;
mod search;
mod settings;
mod shell;
mod start;
#[cfg(test)]
mod tests;
mod unowned;
mod view;

use std::io;

use nixdive_base::cancel::Cancel;
use nixdive_image::{Image, NodeId};
use nixdive_packages::Inventory;
use nixdive_source::open::Contents;
use search::{Follow, Search};
use view::View;

/// Says of a path whether the user wants it kept.
pub type IsKept<'a> = &'a dyn Fn(&[u8]) -> bool;

/// What is asked of the search besides the image.
#[derive(Default)]
pub struct NeedsOptions<'a> {
    /// In place of the configuration's entry point.
    pub entrypoint: Option<&'a [String]>,
    /// In place of the configuration's command.
    pub command: Option<&'a [String]>,
    /// Whether the user wants a path kept, whatever needs it. Asked of every path, directories included.
    pub is_kept: Option<IsKept<'a>>,
    /// Leaves out what no package owns, what lies in directories that programs name, and packages' configuration: what is
    /// left is what the configuration reaches for certain.
    pub only_reached: bool,
}

/// Why the search could not be done.
#[derive(Debug, thiserror::Error)]
pub enum NeedsError {
    /// The image has no layer.
    #[error("the image has no files")]
    NoFiles,
    /// It was cancelled.
    #[error("stopped")]
    Cancelled,
    /// The system refused a thread.
    #[error("starting a thread: {0}")]
    Thread(#[source] io::Error),
}

/// Finds what the programs that an image starts need. Only files that are reached are read, each once.
///
/// # Errors
/// [`NeedsError`].
pub fn find(
    image: &Image,
    contents: &Contents,
    packages: &Inventory,
    options: &NeedsOptions<'_>,
    cancel: &Cancel,
) -> Result<Needs, NeedsError> {
    let view = View::new(&image.tree).ok_or(NeedsError::NoFiles)?;
    let config = &image.config;
    let mut search = Search::new(&view, config, contents, packages, cancel);
    search.only_reached = options.only_reached;
    search.read_linker()?;
    let switch = view.find(b"/etc/nsswitch.conf");
    let switch = search.texts(switch.as_slice())?.into_values().next();
    search.begin(options.entrypoint.unwrap_or(&config.entrypoint), options.command.unwrap_or(&config.cmd));
    search.drain()?;
    if let Some(is_kept) = options.is_kept {
        search.keep_asked(is_kept);
        search.drain()?;
    }
    if !options.only_reached {
        search.unowned();
        search.drain()?;
    }
    // Each round can only add; a round that adds nothing is the last.
    loop {
        let before = search.marked_count();
        search.find_modules()?;
        search.habits(switch.as_deref());
        if !options.only_reached {
            search.package_configuration();
        }
        search.drain()?;
        if search.marked_count() == before {
            break;
        }
    }
    search.home()?;
    search.empty_directories();
    search.forget_found();
    search.look_around();
    Ok(search.needs)
}

impl Search<'_> {
    /// Marks what the user wants kept.
    fn keep_asked(&mut self, is_kept: &dyn Fn(&[u8]) -> bool) {
        let reason = Reason { from: None, how: How::Asked };
        let view = self.view;
        for node in view.below(NodeId::ROOT) {
            if node != NodeId::ROOT && is_kept(&view.tree.path(node)) {
                match view.is_directory(node) {
                    true => {
                        self.mark(node, reason, Follow::Nothing);
                    }
                    false => self.need_tree(node, reason, Follow::All, &|_, _| true),
                }
            }
        }
    }
}

/// What is needed, and why.
#[derive(Debug, Clone, Default)]
pub struct Needs {
    /// By [`NodeId`], why a path is needed; `None` for one that nothing needs. Directories above a needed path are not
    /// marked for its sake.
    pub reasons: Vec<Option<Reason>>,
    /// What nothing in the image can tell: sentences that are safe to show, with the path they concern.
    pub doubts: Vec<Doubt>,
    /// What is needed and is not in the image.
    pub missing: Vec<Missing>,
    /// Needed files that should say what else is needed, and do not: scripts that are no text, content that is broken.
    pub unreadable: Vec<NodeId>,
    /// Needed programs and scripts that look for others from where they themselves really are, links followed. More may be
    /// here than do: what a text says is not what it does.
    pub look_around: Vec<NodeId>,
}

/// Why a path is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reason {
    /// The path that needs it, itself needed; `None` where the configuration or habit does.
    pub from: Option<NodeId>,
    /// How it needs it.
    pub how: How,
}

/// Ways to need a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum How {
    /// An argument of the entry point.
    Entrypoint(u32),
    /// An argument of the command.
    Command(u32),
    /// An argument of the health check.
    Healthcheck(u32),
    /// A variable of the environment names it.
    Environment(u32),
    /// The working directory.
    WorkingDirectory,
    /// A mount point.
    Volume(u32),
    /// `PT_INTERP` of a program.
    Interpreter,
    /// `DT_NEEDED` of a program or library.
    Library,
    /// A library's faster variant under `glibc-hwcaps`.
    LibraryVariant,
    /// A dlopen note, or a name of a library in a program's strings.
    Plugin,
    /// The first line of a script.
    Shebang,
    /// A command that a script calls.
    ScriptCommand,
    /// A path that a script or a program names.
    NamedPath,
    /// Part of a language runtime's tree, or of a module that is imported.
    Runtime,
    /// The target of a needed link.
    LinkTarget,
    /// A link on the way to a needed path.
    LinkOnTheWay,
    /// Opened by habit: name services, time zones, certificates, …
    Habit(Habit),
    /// A configuration file of a package that is needed.
    PackageConfiguration,
    /// No package owns it: what the build brought.
    Unowned,
    /// A directory that programs expect to find.
    ExpectedDirectory,
    /// The user wants it kept.
    Asked,
}

/// Files that programs open without naming them anywhere that could be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Habit {
    /// `nsswitch.conf`, `libnss_*`, `hosts`, `resolv.conf`, `services`, `protocols`.
    NameServices,
    /// `passwd`, `group` and their like.
    Accounts,
    /// Which system this is: `os-release`, by which scanners know whose packages these are.
    SystemName,
    /// Certificate authorities.
    Certificates,
    /// Time zones.
    TimeZones,
    /// Conversions between character sets.
    CharacterSets,
    /// Locale data.
    Locales,
    /// `mime.types`.
    MediaTypes,
    /// Terminal descriptions.
    Terminals,
    /// The dynamic linker's cache and configuration.
    DynamicLinker,
}

/// Something that cannot be told from the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// The path that it concerns, if it concerns one.
    pub node: Option<NodeId>,
    /// One sentence, safe to show.
    pub message: String,
}

/// Something needed that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// What needs it; `None` for the configuration.
    pub from: Option<NodeId>,
    /// How.
    pub how: How,
    /// What is missing, as the needing one names it; safe to show.
    pub name: String,
}
