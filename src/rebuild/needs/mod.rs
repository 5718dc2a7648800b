//! What the programs that an image starts need of its files, found without running them.
//!
//! From the configuration's entry point and command a search follows what a program needs to start and to work; every
//! path that it reaches remembers what led there first.

use crate::image::{Image, NodeId, display_name};

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

impl Needs {
    /// What leads to a path, on one line that is safe to show.
    #[must_use]
    pub fn describe(&self, image: &Image, node: NodeId) -> String {
        display_name(&image.tree.path(node)).into_owned()
    }
}
