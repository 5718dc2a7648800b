//! From a reference to an image: the one place that knows sources, the scan and the data model together.

mod assemble;
mod captured;
mod comparison;
mod contents;
mod error;
mod links;
mod nix;
mod pipe;
mod progress;
mod random_access;
mod remote;
mod seekable;
mod spool;
mod stream_start;
mod streamed;
mod streamed_digests;
mod verify;

use std::fs::File;
use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use contents::{ContentError, Contents, cut_off};
pub use error::OpenError;
pub use nix::is_script;
pub use progress::{Progress, Snapshot};
pub use remote::Remote;
pub use spool::{Spool, scratch_directory, unnamed_file};
pub use verify::{check_layer, refine, verified_doubts};

use crate::formats::{
    ArchiveIndex, DirectoryContainer, Layout, Request, RootfsWalk, SourceError, read_layout, rootfs_layout,
};
use crate::store::LocalStore;
use nixdive_base::cancel::Cancel;
use nixdive_image::execution::Permission;
use nixdive_image::reference::{Location, Program, Reference, Transport};
use nixdive_image::{Compression, DefectKind, Image, LayerIndex, Platform, TreeBuilder, TreeLimit};
use nixdive_scan::compression::Access;
use nixdive_scan::{Captured, ContentWatch, NameRoom, Section, UnpackLimit, Wanted, compression};

/// Which digests are verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Verify {
    /// Where that costs next to nothing; compressed layers in any case, as they are read whole anyway.
    #[default]
    Cheap,
    /// All of them.
    All,
}

/// What is wanted of an image besides its trees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Keep {
    /// Trees and figures alone.
    #[default]
    Trees,
    /// Some files' content, soon after opening, in one run.
    Content,
    /// Any file's content, at any time, within 100 ms.
    AnyContent,
    /// All content, in any order, by several threads: what is compressed is unpacked to disk.
    Aside,
}

/// How programs are run that an image comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Programs {
    /// Apart from the terminal: nothing that they say is shown before they fail, and stopping them is up to us.
    #[default]
    Background,
    /// On the terminal: what is interrupted there is interrupted with us, and long builds show their log.
    Foreground,
}

/// How an image is opened.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// `--platform`.
    pub platform: Option<Platform>,
    /// Which digests are checked.
    pub verify: Verify,
    /// What is kept for later.
    pub keep: Keep,
    /// When an unpacked stream stops being plausible.
    pub unpack_limit: UnpackLimit,
    /// Bytes that names and attributes of all layers together may have.
    pub name_limit: u64,
    /// Entries that all layers together may have.
    pub entry_limit: usize,
    /// Layers read at once.
    pub threads: usize,
    /// Bytes that may be read at once to compare files that several layers hold; what is beyond is taken as modified
    /// until [`refine`] has looked. `None`: all are compared at once.
    pub comparison_bytes: Option<u64>,
    /// Files whose content is to be kept in memory.
    pub wanted: Option<Wanted>,
    /// Where contents of store paths are that an image only names.
    pub store: LocalStore,
    /// How programs are run.
    pub programs: Programs,
    /// Whether programs may be started for an image.
    pub execution: Permission,
    /// Looks at the content of layers that are read whole; see [`Contents::watched`].
    pub watch: Option<Arc<dyn ContentWatch>>,
    /// What to show in place of a reference, as it is typed: pairs of both.
    pub titles: Vec<(String, String)>,
    /// How registries and engines are reached.
    pub remote: Remote,
    /// Whether layers in registries may be known by their tables of contents, unread. What a table says of its layer is
    /// the image's own word: whoever judges images reads the layers.
    pub tables: bool,
    /// Whether what is moved elsewhere may be incomplete or altered.
    pub allow_incomplete: bool,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self {
            platform: None,
            verify: Verify::default(),
            keep: Keep::default(),
            unpack_limit: UnpackLimit::default(),
            name_limit: NameRoom::USUAL,
            entry_limit: TreeBuilder::MAX_ENTRIES,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            comparison_bytes: None,
            wanted: None,
            store: LocalStore::default(),
            programs: Programs::default(),
            execution: Permission::default(),
            watch: None,
            titles: Vec::new(),
            remote: Remote::default(),
            tables: false,
            allow_incomplete: false,
        }
    }
}

/// An image with its trees, and the way to its files' content.
#[derive(Debug)]
pub struct Opened {
    /// Plain data.
    pub image: Image,
    /// Fetches content.
    pub contents: Contents,
    /// The content of the files that were wanted, by layer.
    pub captured: Vec<(LayerIndex, Captured)>,
    /// Whether every file that several layers hold was compared with the one it covers.
    pub exact: bool,
}

impl Opened {
    /// The image as umoci and the vfs storage driver unpack it, with the wanted files' content: names that pass through
    /// a symbolic link of a lower layer follow it. `None` where no name does, so that all engines agree.
    ///
    /// # Errors
    /// [`TreeLimit`].
    pub fn with_links_followed(&self, wanted: Option<Wanted>) -> Result<Option<FollowedImage>, TreeLimit> {
        let Some(tree) = self.image.tree.with_links_followed()? else { return Ok(None) };
        let (captured, mut warnings) = (self.captured.clone(), Vec::new());
        let captured = match wanted {
            Some(wanted) => captured::settle(&tree, &self.contents, wanted, captured, &mut warnings),
            None => captured,
        };
        let Image { identity, config, layers, source_bytes, .. } = &self.image;
        let image = Image {
            identity: identity.clone(),
            config: config.clone(),
            layers: layers.clone(),
            tree,
            warnings,
            defects: self.image.defects.clone(),
            source_bytes: *source_bytes,
        };
        Ok(Some(FollowedImage { image, captured }))
    }
}

/// An image in the reading of [`Opened::with_links_followed`].
#[derive(Debug)]
pub struct FollowedImage {
    /// Plain data; its contents are found with those of the image opened.
    pub image: Image,
    /// The content of the files that were wanted, by layer.
    pub captured: Vec<(LayerIndex, Captured)>,
}

/// Opens the image that a reference names. `progress` tells how far it is, and stops it.
///
/// # Errors
/// [`OpenError`].
pub fn open(reference: &Reference, options: &OpenOptions, progress: &Progress) -> Result<Opened, OpenError> {
    let opening = Opening { reference, options, progress };
    let opened = opening.open();
    let mut opened =
        opened.map_err(|error| if progress.cancel().is_cancelled() { OpenError::Cancelled } else { error })?;
    if let Some((_, title)) = options.titles.iter().find(|(typed, _)| *typed == opened.image.identity.requested) {
        opened.image.identity.requested.clone_from(title);
    }
    Ok(opened)
}

/// Runs what a program needs to be started for it, and gives the path of the image that was built.
///
/// # Errors
/// If programs may not be started, or the build fails. A program that writes its image is for [`run_program`].
pub fn build_program(
    reference: &Reference,
    program: &Program,
    options: &OpenOptions,
    progress: &Progress,
) -> Result<PathBuf, OpenError> {
    Opening { reference, options, progress }.build_one(program)
}

/// Runs a script that writes an image, and shows to `take` what it writes.
///
/// # Errors
/// If programs may not be started, or the script fails, also after its output was taken.
pub fn run_program<T>(
    reference: &Reference,
    program: &Program,
    options: &OpenOptions,
    progress: &Progress,
    take: impl FnOnce(Box<dyn Read + Send>) -> T,
) -> Result<T, OpenError> {
    Opening { reference, options, progress }.run_script(program, take)
}

/// Opens the image in bytes that are part of this program.
///
/// # Errors
/// [`OpenError`].
pub fn open_embedded(
    bytes: &'static [u8],
    name: &str,
    options: &OpenOptions,
    progress: &Progress,
) -> Result<Opened, OpenError> {
    open_section(Section::new(Arc::new(bytes), 0, bytes.len() as u64), name, options, progress)
}

/// Opens the image in an archive that lies at hand. `name` stands for it in what is said of it.
///
/// # Errors
/// [`OpenError`].
pub fn open_section(
    section: Section,
    name: &str,
    options: &OpenOptions,
    progress: &Progress,
) -> Result<Opened, OpenError> {
    let reference = named(name);
    Opening { reference: &reference, options, progress }.archive(section)
}

/// Opens the image in an archive that comes by once. `name` stands for it in what is said of it.
///
/// # Errors
/// [`OpenError`].
pub fn open_pipe(
    input: Box<dyn Read + Send>,
    name: &str,
    options: &OpenOptions,
    progress: &Progress,
) -> Result<Opened, OpenError> {
    let reference = named(name);
    Opening { reference: &reference, options, progress }.pipe(input)
}

fn named(name: &str) -> Reference {
    let location = Location::Path(std::path::PathBuf::from(name));
    Reference { text: name.to_owned(), transport: None, location, selector: None }
}

struct Opening<'a> {
    reference: &'a Reference,
    options: &'a OpenOptions,
    progress: &'a Progress,
}

impl Opening<'_> {
    fn cancel(&self) -> &Cancel {
        self.progress.cancel()
    }

    fn access(&self) -> Access {
        match self.options.keep {
            Keep::Trees | Keep::Content => Access::Beginning,
            Keep::AnyContent => Access::Anywhere,
            Keep::Aside => Access::Aside,
        }
    }

    /// An empty tree.
    fn tree(&self) -> TreeBuilder {
        TreeBuilder::new().with_entry_limit(self.options.entry_limit)
    }

    /// Room for the names and attributes of all layers.
    fn names(&self) -> NameRoom {
        NameRoom::new(self.options.name_limit)
    }

    fn request(&self) -> Request<'_> {
        Request { reference: self.reference, platform: self.options.platform.as_ref() }
    }

    fn source_error(&self, error: SourceError) -> OpenError {
        OpenError::Source { reference: self.reference.text.clone(), error }
    }

    fn io_error(&self, error: std::io::Error) -> OpenError {
        self.source_error(SourceError::Io(error))
    }

    fn open(&self) -> Result<Opened, OpenError> {
        match &self.reference.location {
            Location::StandardInput => self.standard_input(),
            Location::Path(path) => self.path(path),
            Location::Program(program) => self.program(program),
            Location::Registry(name) => self.registry(name),
            Location::Engine(engine, name) => self.engine(*engine, name),
            Location::Name(name) => self.name(name),
        }
    }

    fn path(&self, path: &Path) -> Result<Opened, OpenError> {
        let metadata = match std::fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(error) => {
                return match self.listed_store_paths(path) {
                    Some(roots) => self.closure(&roots),
                    None => Err(self.io_error(error)),
                };
            }
        };
        if self.reference.transport == Some(Transport::Rootfs) {
            return self.rootfs(path);
        }
        if metadata.is_dir() {
            return self.directory(path);
        }
        if !metadata.is_file() {
            let pipe = pipe::open_pipe_or_device(path).map_err(|error| self.io_error(error))?;
            return self.pipe(pipe);
        }
        let file = File::open(path).map_err(|error| self.io_error(error))?;
        let is_script = nix::is_script(&file);
        if is_script && self.reference.transport != Some(Transport::Nix) {
            return Err(self.source_error(SourceError::Script(path.display().to_string())));
        }
        match self.store_path_at(path).filter(|_| !nix::may_be_an_image(&file)) {
            Some(store_path) => self.closure(&[store_path]),
            None if is_script => Err(self.source_error(SourceError::Script(path.display().to_string()))),
            None => self.archive(file_section(file, metadata.len())),
        }
    }

    fn standard_input(&self) -> Result<Opened, OpenError> {
        let file = standard_input_file().map_err(|error| self.io_error(error))?;
        if file.is_terminal() {
            let reason = "standard input is a terminal; give a file, or redirect an image into it";
            return Err(self.source_error(SourceError::NotAnImage(reason.to_owned())));
        }
        let metadata = file.metadata().map_err(|error| self.io_error(error))?;
        if metadata.is_file() { self.archive(file_section(file, metadata.len())) } else { self.pipe(Box::new(file)) }
    }

    fn directory(&self, path: &Path) -> Result<Opened, OpenError> {
        let container = DirectoryContainer::new(path);
        let layout = match read_layout(&container, &self.request(), false) {
            Err(error @ SourceError::NotAnImage(_)) => match self.store_path_at(path) {
                Some(store_path) => return self.closure(&[store_path]),
                None => return Err(self.source_error(nix::not_built(path, error))),
            },
            read => read.map_err(|error| self.source_error(error))?,
        };
        self.progress.identified(&layout);
        seekable::open_layers(self, &container, layout, None)
    }

    fn rootfs(&self, path: &Path) -> Result<Opened, OpenError> {
        let layout = rootfs_layout(&self.request(), path);
        self.progress.identified(&layout);
        let walk = RootfsWalk::new(path, self.cancel().clone()).map_err(|error| self.source_error(error))?;
        assemble::rootfs(self, walk, layout, path)
    }

    /// A file: plain archives are read by their headers, compressed ones as a stream.
    fn archive(&self, section: Section) -> Result<Opened, OpenError> {
        let mut magic = [0u8; compression::MAGIC_BYTES];
        let count = section.read_full_at(&mut magic, 0).map_err(|error| self.io_error(error))?;
        if count == 0 {
            return Err(self.source_error(SourceError::NotAnImage("is empty".to_owned())));
        }
        if let Some(found) = compression::detect(&magic[..count]) {
            return streamed::open_stream(self, stream_start::Input::Compressed(section, found));
        }
        if nix::looks_like_json(&magic[..count]) {
            return self.image_json(&section);
        }
        let index = ArchiveIndex::read(section.clone(), self.cancel()).map_err(|error| self.source_error(error))?;
        let layout = read_layout(&index, &self.request(), true).map_err(|error| match index.broken() {
            Some(broken) => self.source_error(error.of_broken(broken)),
            None => self.source_error(error),
        })?;
        self.progress.identified(&layout);
        let mut layout: Layout = layout;
        if let Some(broken) = index.broken() {
            layout.defect(DefectKind::Incomplete, None, format!("the archive is incomplete: {broken}"));
        }
        layout.identity.source_compression = Some(Compression::None);
        seekable::open_layers(self, &index, layout, Some(section.length()))
    }

    /// What can only be read once, in order.
    fn pipe(&self, input: Box<dyn Read + Send>) -> Result<Opened, OpenError> {
        streamed::open_stream(self, stream_start::Input::Pipe(input))
    }
}

fn file_section(file: File, length: u64) -> Section {
    Section::new(Arc::new(file), 0, length)
}

/// Standard input as a file of its own: where it is a regular file, it can be read at any offset.
fn standard_input_file() -> std::io::Result<File> {
    use std::os::fd::AsFd;
    Ok(File::from(std::io::stdin().as_fd().try_clone_to_owned()?))
}

#[cfg(test)]
mod tests;
