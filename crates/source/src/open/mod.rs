//! Opens references as images; combines sources, the scan and the data model.

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
use std::time::Instant;

use tracing::{debug, info};

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

/// Digests that are verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Verify {
    /// Only those that are cheap to verify, including compressed layers, which are read completely anyway.
    #[default]
    Cheap,
    /// All digests.
    All,
}

/// Contents that are kept in addition to the trees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Keep {
    /// Only trees and sizes.
    #[default]
    Trees,
    /// Contents of some files, read once soon after opening.
    Content,
    /// Contents of any file, at any time, within 100 ms.
    AnyContent,
    /// All contents, in any order, read by several threads: compressed data is unpacked to disk.
    Aside,
}

/// The way programs that produce an image are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Programs {
    /// Detached from the terminal: their output is shown only if they fail, and this program stops them.
    #[default]
    Background,
    /// On the terminal: an interrupt reaches them as well, and long builds show their log.
    Foreground,
}

/// Options for opening an image.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// `--platform`.
    pub platform: Option<Platform>,
    /// Digests to verify.
    pub verify: Verify,
    /// Contents to keep.
    pub keep: Keep,
    /// Limit on the unpacked size of a stream.
    pub unpack_limit: UnpackLimit,
    /// Maximum bytes of names and attributes in all layers together.
    pub name_limit: u64,
    /// Maximum number of entries in all layers together.
    pub entry_limit: usize,
    /// Number of layers read at the same time.
    pub threads: usize,
    /// Maximum bytes read immediately to compare files that several layers contain; the rest counts as modified until
    /// [`refine`] is called. `None` compares all files immediately.
    pub comparison_bytes: Option<u64>,
    /// Files whose contents are kept in memory.
    pub wanted: Option<Wanted>,
    /// Source of store paths that an image only names.
    pub store: LocalStore,
    /// The way programs are run.
    pub programs: Programs,
    /// Permission to start programs for an image.
    pub execution: Permission,
    /// Observes the contents of layers that are read completely; see [`Contents::watched`].
    pub watch: Option<Arc<dyn ContentWatch>>,
    /// Titles to show instead of references: pairs of a reference as typed and its title.
    pub titles: Vec<(String, String)>,
    /// Access to registries and engines.
    pub remote: Remote,
    /// True if layers in registries may be represented by their tables of contents, without reading them. A table is
    /// only the image's own claim: checks of an image read the layers.
    pub tables: bool,
    /// True if incomplete or altered images may be copied.
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

/// An image with its trees, and access to its files' contents.
#[derive(Debug)]
pub struct Opened {
    /// Description of the image and its trees.
    pub image: Image,
    /// Access to contents.
    pub contents: Contents,
    /// Contents of the wanted files, by layer.
    pub captured: Vec<(LayerIndex, Captured)>,
    /// True if every file contained in several layers was compared with the one below it.
    pub exact: bool,
}

impl Opened {
    /// Returns the image as umoci and the vfs storage driver unpack it, with the contents of wanted files: names
    /// through a symbolic link of a lower layer follow the link. Returns `None` without such names, since then all
    /// engines agree.
    ///
    /// # Errors
    /// [`TreeLimit`] if the tree exceeds a limit.
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

/// An image as interpreted by [`Opened::with_links_followed`].
#[derive(Debug)]
pub struct FollowedImage {
    /// Description of the image; its contents are those of the opened image.
    pub image: Image,
    /// Contents of the wanted files, by layer.
    pub captured: Vec<(LayerIndex, Captured)>,
}

/// Opens the image of a reference. `progress` shows the progress and can cancel it.
///
/// # Errors
/// [`OpenError`] if the image cannot be opened or it is cancelled.
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

/// Builds a program's image with Nix, and returns the path of the result.
///
/// # Errors
/// If programs must not be started or the build fails. A program that writes its image needs [`run_program`].
pub fn build_program(
    reference: &Reference,
    program: &Program,
    options: &OpenOptions,
    progress: &Progress,
) -> Result<PathBuf, OpenError> {
    Opening { reference, options, progress }.build_one(program)
}

/// Runs a script that writes an image, and passes its output to `take`.
///
/// # Errors
/// If programs must not be started or the script fails, even after its output was used.
pub fn run_program<T>(
    reference: &Reference,
    program: &Program,
    options: &OpenOptions,
    progress: &Progress,
    take: impl FnOnce(Box<dyn Read + Send>) -> T,
) -> Result<T, OpenError> {
    Opening { reference, options, progress }.run_script(program, take)
}

/// Opens an image embedded in this program.
///
/// # Errors
/// [`OpenError`] if the image is invalid.
pub fn open_embedded(
    bytes: &'static [u8],
    name: &str,
    options: &OpenOptions,
    progress: &Progress,
) -> Result<Opened, OpenError> {
    open_section(Section::new(Arc::new(bytes), 0, bytes.len() as u64), name, options, progress)
}

/// Opens the image in an archive that can be read at any offset. Messages refer to it as `name`.
///
/// # Errors
/// [`OpenError`] if the image cannot be opened or it is cancelled.
pub fn open_section(
    section: Section,
    name: &str,
    options: &OpenOptions,
    progress: &Progress,
) -> Result<Opened, OpenError> {
    let reference = named(name);
    Opening { reference: &reference, options, progress }.archive(section)
}

/// Opens the image in an archive that can be read only once, in order. Messages refer to it as `name`.
///
/// # Errors
/// [`OpenError`] if the image cannot be opened or it is cancelled.
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

    /// Returns an empty tree.
    fn tree(&self) -> TreeBuilder {
        TreeBuilder::new().with_entry_limit(self.options.entry_limit)
    }

    /// Returns the limits on names and attributes of all layers.
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
        let Reference { text, transport, location, .. } = self.reference;
        let (kind, why) = location.kind_and_reason(*transport);
        let platform = self.options.platform.as_ref().map(ToString::to_string);
        info!(target: "source", reference = text, kind, why, platform, "open");
        let begun = Instant::now();
        let opened = self.open_location();
        if let Ok(Opened { image, .. }) = &opened {
            let (kind, layers, ms) = (&image.identity.source_kind, image.layers.len(), begun.elapsed().as_millis());
            info!(target: "source", reference = text, kind, layers, ms, "opened");
        }
        opened
    }

    fn open_location(&self) -> Result<Opened, OpenError> {
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
                    Some(roots) => {
                        debug!(target: "source", roots = roots.len(), "lines of store paths: their closure");
                        self.closure(&roots)
                    }
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
            debug!(target: "source", "neither a file nor a directory: read as a stream");
            let pipe = pipe::open_pipe_or_device(path).map_err(|error| self.io_error(error))?;
            return self.pipe(pipe);
        }
        let file = File::open(path).map_err(|error| self.io_error(error))?;
        let is_script = nix::is_script(&file);
        if is_script && self.reference.transport != Some(Transport::Nix) {
            return Err(self.source_error(SourceError::Script(path.display().to_string())));
        }
        match self.store_path_at(path).filter(|_| !nix::may_be_an_image(&file)) {
            Some(store_path) => {
                debug!(target: "source", %store_path, "a store path that is neither archive nor JSON: its closure");
                self.closure(&[store_path])
            }
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
                Some(store_path) => {
                    debug!(target: "source", %store_path, "a store path without an image in it: its closure");
                    return self.closure(&[store_path]);
                }
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

    /// Opens a file: plain archives by their headers, compressed ones as a stream.
    fn archive(&self, section: Section) -> Result<Opened, OpenError> {
        let mut magic = [0u8; compression::MAGIC_BYTES];
        let count = section.read_full_at(&mut magic, 0).map_err(|error| self.io_error(error))?;
        if count == 0 {
            return Err(self.source_error(SourceError::NotAnImage("is empty".to_owned())));
        }
        if let Some(found) = compression::detect(&magic[..count]) {
            debug!(target: "source", compression = found.name(), "magic number of a compressed stream");
            return streamed::open_stream(self, stream_start::Input::Compressed(section, found));
        }
        if nix::looks_like_json(&magic[..count]) {
            debug!(target: "source", "begins as JSON: read as nix2container's image.json");
            return self.image_json(&section);
        }
        debug!(target: "source", bytes = section.length(), "read as a tar archive, by its headers");
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

    /// Opens input that can be read only once, in order.
    fn pipe(&self, input: Box<dyn Read + Send>) -> Result<Opened, OpenError> {
        streamed::open_stream(self, stream_start::Input::Pipe(input))
    }
}

fn file_section(file: File, length: u64) -> Section {
    Section::new(Arc::new(file), 0, length)
}

/// Returns standard input as a file: if it is a regular file, it can be read at any offset.
fn standard_input_file() -> std::io::Result<File> {
    use std::os::fd::AsFd;
    Ok(File::from(std::io::stdin().as_fd().try_clone_to_owned()?))
}

#[cfg(test)]
mod tests;
