//! Files of an image that the programs it starts need, determined without running them.
//!
//! A search from the configuration's entry point and command follows what a program needs to start and to work. Each
//! path that it reaches records what led there first.

mod beside;
mod calls;
mod chain;
mod elf;
pub(crate) mod fuzzing;
mod glob;
mod implicit;
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

/// Function that returns `true` for a path that the user chose to keep.
pub type IsKept<'a> = &'a dyn Fn(&[u8]) -> bool;

/// Options of the search.
#[derive(Default)]
pub struct NeedsOptions<'a> {
    /// Replacement for the configuration's entry point.
    pub entrypoint: Option<&'a [String]>,
    /// Replacement for the configuration's command.
    pub command: Option<&'a [String]>,
    /// Returns `true` for paths to keep, needed or not. Called for every path, including directories.
    pub is_kept: Option<IsKept<'a>>,
    /// True to leave out unowned files, files in directories that programs name, and configuration of packages. The
    /// remaining files are certainly reachable from the configuration.
    pub only_reached: bool,
}

/// Reasons why the search failed.
#[derive(Debug, thiserror::Error)]
pub enum NeedsError {
    /// The image has no layers.
    #[error("the image has no files")]
    NoFiles,
    /// The search was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// A thread could not be started.
    #[error("cannot start a thread: {0}")]
    Thread(#[source] io::Error),
}

/// Finds the files that the programs started by an image need. Only reachable files are read, each once.
///
/// # Errors
/// If the image has no layers, the search was cancelled, or a thread could not be started.
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
    // Rounds only add needs; the first one that adds none is the last.
    loop {
        let before = search.marked_count();
        search.find_modules()?;
        search.implicit_needs(switch.as_deref());
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
    /// Marks the files that the user chose to keep.
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

/// Needed files with the reasons.
#[derive(Debug, Clone, Default)]
pub struct Needs {
    /// Reason why a path is needed, indexed by [`NodeId`]; `None` if it is not. Parents of a needed path are not
    /// marked.
    pub reasons: Vec<Option<Reason>>,
    /// Uncertainties, as sentences that are safe to show, with the affected path.
    pub doubts: Vec<Uncertainty>,
    /// Needed files that are not in the image.
    pub missing: Vec<Missing>,
    /// Needed files whose own needs cannot be read: scripts that are not text, or damaged contents.
    pub unreadable: Vec<NodeId>,
    /// Needed programs and scripts that may look for files relative to their real path. The list may be too long, as
    /// not everything in a text is executed.
    pub look_around: Vec<NodeId>,
}

/// Reason why a path is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reason {
    /// Needed path that needs this one; `None` for the configuration or an implicit need.
    pub from: Option<NodeId>,
    /// Way in which the path is needed.
    pub how: How,
}

/// Ways in which a file can be needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum How {
    /// Argument of the entry point.
    Entrypoint(u32),
    /// Argument of the command.
    Command(u32),
    /// Argument of the health check.
    Healthcheck(u32),
    /// Named by an environment variable.
    Environment(u32),
    /// Working directory of the configuration.
    WorkingDirectory,
    /// Mount point of a volume.
    Volume(u32),
    /// `PT_INTERP` of a program.
    Interpreter,
    /// `DT_NEEDED` of a program or library.
    Library,
    /// Variant of a library for newer processors, under `glibc-hwcaps`.
    LibraryVariant,
    /// Library in a dlopen note or in a program's strings.
    Plugin,
    /// Interpreter in the first line of a script.
    Shebang,
    /// Command called by a script.
    ScriptCommand,
    /// Path named by a script or a program.
    NamedPath,
    /// Part of a language runtime or of an imported module.
    Runtime,
    /// Target of a needed link.
    LinkTarget,
    /// Link on the way to a needed path.
    LinkOnTheWay,
    /// Opened implicitly: name services, time zones, certificates, …
    Implicit(ImplicitNeed),
    /// Configuration file of a needed package.
    PackageConfiguration,
    /// File that no package owns: added by the image build.
    Unowned,
    /// Directory that programs expect to exist.
    ExpectedDirectory,
    /// Kept by the user.
    Asked,
}

/// Files that programs open without naming them in a way that can be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ImplicitNeed {
    /// `nsswitch.conf`, `libnss_*`, `hosts`, `resolv.conf`, `services`, `protocols`.
    NameServices,
    /// Account files: `passwd`, `group` and related files.
    Accounts,
    /// Name of the system: `os-release`, which scanners use to identify the distribution.
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

/// Uncertainty that analysis of the image cannot resolve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uncertainty {
    /// Affected path, if any.
    pub node: Option<NodeId>,
    /// Description in one sentence; safe to show.
    pub message: String,
}

/// Needed file that is not in the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// Path that needs it; `None` for the configuration.
    pub from: Option<NodeId>,
    /// Way in which it is needed.
    pub how: How,
    /// Name of the file, as the path that needs it states it; safe to show.
    pub name: String,
}
