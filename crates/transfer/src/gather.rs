//! Resolves a reference to the parts that are to be transferred. Layers are not read, unless all of an image is in one
//! compressed stream.

mod all;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use super::made::{Shape, compression_of, diff_ids, document, nix_config};
use super::shelf::{Recording, RemoteContainer, Shelf};
use super::{BlobSource, Document, Parcel, ParcelLayer, Shipment, Strictness, TransferError, Verification};
use nixdive_base::cancel::{Cancel, is_cancellation};
use nixdive_image::reference::{Engine, ImageName, Location, Program, Reference, Start, Transport};
use nixdive_image::{Compression, Digest, LayerContents};
use nixdive_scan::Section;
use nixdive_scan::compression::{MAGIC_BYTES, decoder, detect};
use nixdive_source::engines::{ContentStore, EngineClient};
use nixdive_source::formats::{
    ArchiveIndex, Container, ContentStoreContainer, DirectoryContainer, Layout, MAX_DOCUMENT_BYTES, Naming, Request,
    SourceError, parse_config, read_layout, read_nix2container, read_remote,
};
use nixdive_source::http::HttpOptions;
use nixdive_source::open::{OpenOptions, Progress, Spool, build_program, is_script, run_program};
use nixdive_source::registry::carried;
use nixdive_write::CONFIG_TYPE;

/// Maximum number of layers of an image.
const MAX_LAYERS: usize = 10_000;

/// Finds the image that a reference names; with `all`, all images of its index. Uses the threads, store, platform,
/// registries and engines in `options`.
///
/// # Errors
/// If the reference names no image, or if its documents cannot be read or fail verification.
pub fn gather(
    reference: &Reference,
    options: &OpenOptions,
    all: bool,
    cancel: &Cancel,
) -> Result<Shipment, TransferError> {
    let strictness = if options.allow_incomplete { Strictness::Allow } else { Strictness::Require };
    let gathering = Gathering { reference, options, all, verification: Verification::new(strictness), cancel };
    let mut shipment = gathering.run()?;
    shipment.warnings = gathering.verification.warnings();
    Ok(shipment)
}

struct Gathering<'a> {
    reference: &'a Reference,
    options: &'a OpenOptions,
    all: bool,
    verification: Verification,
    cancel: &'a Cancel,
}

impl Gathering<'_> {
    fn failed(&self, error: SourceError) -> TransferError {
        match error {
            SourceError::Io(error) if is_cancellation(&error) || carried(&error).is_some() => {
                TransferError::reading(self.reference.text.clone(), &error)
            }
            error => TransferError::Source { reference: self.reference.text.clone(), error: error.into() },
        }
    }

    /// Rejects images whose documents are incomplete or altered, unless that is allowed.
    fn accept(&self, layout: &Layout) -> Result<(), TransferError> {
        for defect in &layout.defects {
            let settled = self.verification.settle(&self.reference.text, defect.message.clone());
            settled.map_err(|reason| self.refused(&reason))?;
        }
        Ok(())
    }

    fn io_error(&self, error: io::Error) -> TransferError {
        self.failed(SourceError::Io(error))
    }

    fn request(&self) -> Request<'_> {
        Request { reference: self.reference, platform: self.options.platform.as_ref() }
    }

    fn refused(&self, reason: &str) -> TransferError {
        TransferError::part(self.reference.text.clone(), reason)
    }

    fn run(&self) -> Result<Shipment, TransferError> {
        match &self.reference.location {
            Location::StandardInput => self.stream(&mut io::stdin().lock()),
            Location::Path(path) => self.path(path),
            Location::Registry(name) => self.registry(name),
            Location::Engine(Engine::Containerd, name) => self.containerd(name),
            Location::Engine(engine, name) => self.engine(&self.engine_client(*engine)?, name),
            Location::Name(name) => self.name(name),
            Location::Program(program) => self.program(program),
        }
    }

    /// Gathers the output of a program: a Nix build or a script.
    fn program(&self, program: &Program) -> Result<Shipment, TransferError> {
        let progress = Progress::with_cancel(self.cancel.clone());
        match program.start() {
            Start::Build(_) => self.path(&build_program(self.reference, program, self.options, &progress)?),
            Start::Run(_) | Start::BuildAndRun(_) => {
                let take = |mut output: Box<dyn Read + Send>| self.stream(&mut output);
                run_program(self.reference, program, self.options, &progress, take)?
            }
        }
    }

    fn path(&self, path: &Path) -> Result<Shipment, TransferError> {
        self.image_at(path).map_err(|error| match error {
            TransferError::Source { error, .. }
                if matches!(*error, SourceError::NotAnImage(_)) && self.options.store.store_path_at(path).is_some() =>
            {
                self.made_by_rebuild("a store path, not an image")
            }
            other => other,
        })
    }

    /// Rejects something that is not an image but can be rebuilt into one.
    fn made_by_rebuild(&self, what: &str) -> TransferError {
        let typed = &self.reference.text;
        self.refused(&format!("is {what}; to build and send an image from it: nixdive rebuild {typed} -o TO"))
    }

    fn image_at(&self, path: &Path) -> Result<Shipment, TransferError> {
        let metadata = std::fs::metadata(path).map_err(|error| self.io_error(error))?;
        if self.reference.transport == Some(Transport::Rootfs) {
            return Err(self.made_by_rebuild("a directory of files, not an image"));
        }
        if metadata.is_dir() {
            let container = DirectoryContainer::new(path);
            return self.container(&container, false);
        }
        let mut file = File::open(path).map_err(|error| self.io_error(error))?;
        if !metadata.is_file() {
            return self.stream(&mut file);
        }
        if is_script(&file) {
            return Err(self.failed(SourceError::Script(path.display().to_string())));
        }
        self.archive(Section::new(Arc::new(file), 0, metadata.len()))
    }

    fn engine_client(&self, engine: Engine) -> Result<EngineClient, TransferError> {
        let remote = &self.options.remote;
        let http = HttpOptions { cancel: self.cancel.clone(), ..remote.http.clone() };
        let environment = remote.engines.as_ref();
        let environment = environment.ok_or_else(|| self.refused("access to engines is disabled"))?;
        Ok(EngineClient::find(engine, environment, &http)?)
    }

    fn engine(&self, client: &EngineClient, name: &str) -> Result<Shipment, TransferError> {
        self.stream(&mut client.archive(name)?)
    }

    /// Gathers an image of containerd from its files on disk.
    fn containerd(&self, name: &str) -> Result<Shipment, TransferError> {
        let environment = self.options.remote.engines.as_ref();
        let environment = environment.ok_or_else(|| self.refused("access to engines is disabled"))?;
        let (store, digest) = ContentStore::find_image(environment, name)?;
        let container = ContentStoreContainer::new(&store.content());
        let shelf = self.shelf(&container, Naming::Registry, None);
        let bytes = shelf.manifest(&digest)?;
        let names = vec![name.to_owned()];
        if self.all {
            return Ok(Shipment { names, ..self.whole(&shelf, &digest, &bytes)? });
        }
        let layout = read_remote(&container, &self.request(), &digest, &bytes).map_err(|error| self.failed(error))?;
        self.accept(&layout)?;
        let chosen = layout.identity.manifest_digest.unwrap_or_else(|| digest.clone());
        let bytes = if chosen == digest { bytes } else { shelf.manifest(&chosen)? };
        Ok(Shipment { names, ..one(self.parcel(&shelf, &chosen, bytes)?) })
    }

    /// Resolves a bare name: an image of an engine, else one of a registry.
    fn name(&self, name: &ImageName) -> Result<Shipment, TransferError> {
        let text = name.to_string();
        for engine in [Engine::Docker, Engine::Podman] {
            let Ok(client) = self.engine_client(engine) else { continue };
            if client.has(&text) {
                return self.engine(&client, &text);
            }
        }
        if let Ok(shipment) = self.containerd(&text) {
            return Ok(shipment);
        }
        let registries = self.options.remote.registries(self.cancel)?;
        let full = registries.complete(name)?;
        self.registry(&full).map_err(|error| match error {
            TransferError::Registry(error) => {
                self.refused(&format!("no such file, and no engine here has it; as {}: {error}", full.in_full()))
            }
            other => other,
        })
    }

    fn registry(&self, name: &ImageName) -> Result<Shipment, TransferError> {
        let remote = &self.options.remote;
        let repository = remote.registries(self.cancel)?.repository(name)?;
        let manifest = remote.manifest(&repository)?;
        let container = RemoteContainer { repository: &repository, remote };
        let shelf = self.shelf(&container, Naming::Registry, Some((&repository, remote)));
        let names = if name.digest().is_some() { Vec::new() } else { vec![name.in_full()] };
        let shipment = if self.all {
            self.whole(&shelf, &manifest.digest, &manifest.bytes)?
        } else {
            let layout = read_remote(&container, &self.request(), &manifest.digest, &manifest.bytes)
                .map_err(|error| self.failed(error))?;
            self.accept(&layout)?;
            let digest = layout.identity.manifest_digest.unwrap_or_else(|| manifest.digest.clone());
            let bytes = if digest == manifest.digest { manifest.bytes } else { shelf.manifest(&digest)? };
            one(self.parcel(&shelf, &digest, bytes)?)
        };
        Ok(Shipment { names, repository: Some(repository), ..shipment })
    }

    fn shelf<'s>(
        &'s self,
        container: &'s dyn Container,
        naming: Naming,
        remote: Option<(&'s nixdive_source::registry::Repository, &'s nixdive_source::open::Remote)>,
    ) -> Shelf<'s> {
        Shelf { container, naming, remote, reference: &self.reference.text, verification: &self.verification }
    }

    /// Gathers an image from a stream, which is copied to a temporary file first.
    fn stream(&self, input: &mut dyn Read) -> Result<Shipment, TransferError> {
        let section = self.put_aside(input, u64::MAX)?;
        self.archive(section)
    }

    fn put_aside(&self, input: &mut dyn Read, most_bytes: u64) -> Result<Section, TransferError> {
        let mut spool = Spool::new().map_err(|error| self.io_error(error))?;
        let mut buffer = vec![0; 256 << 10];
        loop {
            self.cancel.check().map_err(|_| TransferError::Cancelled)?;
            let count = match input.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(self.io_error(error)),
            };
            if !spool.append(buffer.get(..count).unwrap_or_default()) {
                return Err(self.refused("not enough space for a temporary copy; set TMPDIR to a larger file system"));
            }
            if spool.length() > most_bytes {
                return Err(self.refused("it unpacks to more than the limit; raise --unpack-limit to allow it"));
            }
        }
        spool.section(0, spool.length()).ok_or_else(|| self.refused("not enough space for a temporary copy"))
    }

    fn archive(&self, section: Section) -> Result<Shipment, TransferError> {
        let mut magic = [0u8; MAGIC_BYTES];
        let count = section.read_full_at(&mut magic, 0).map_err(|error| self.io_error(error))?;
        let start = magic.get(..count).unwrap_or_default();
        if let Some(found) = detect(start) {
            let limit = self.options.unpack_limit;
            let most = limit.always.max(section.length().saturating_mul(limit.ratio));
            let unpacked = decoder(section.buffered(), found, self.options.threads);
            let mut unpacked = unpacked.map_err(|error| self.io_error(error))?;
            let plain = self.put_aside(&mut *unpacked, most)?;
            return self.plain_archive(plain);
        }
        if matches!(start.iter().find(|byte| !byte.is_ascii_whitespace()), Some(b'{' | b'[')) {
            return self.image_json(&section);
        }
        self.plain_archive(section)
    }

    fn plain_archive(&self, section: Section) -> Result<Shipment, TransferError> {
        let index = ArchiveIndex::read(section, self.cancel).map_err(|error| self.failed(error))?;
        let shipment = self.container(&index, true);
        if let Some(broken) = index.broken() {
            let reason = format!("the archive is incomplete: {broken}");
            let settled = self.verification.settle(&self.reference.text, reason);
            settled.map_err(|reason| self.refused(&reason))?;
        }
        shipment
    }

    fn container(&self, container: &dyn Container, is_archive: bool) -> Result<Shipment, TransferError> {
        let recording = Recording::new(container);
        let is_layout = container.locate("index.json").is_some() && container.locate("oci-layout").is_some();
        // A docker-archive has no index: its single image is all there is.
        if self.all && (is_layout || nixdive_source::formats::is_dir(container)) {
            let naming = if is_layout { Naming::Layout } else { Naming::Directory };
            return self.whole_of_container(&self.shelf(&recording, naming, None));
        }
        let layout = read_layout(&recording, &self.request(), is_archive).map_err(|error| self.failed(error))?;
        self.accept(&layout)?;
        let names = layout.identity.references.clone();
        let Some(digest) = &layout.identity.manifest_digest else {
            return Ok(Shipment { names, ..one(self.of_layout(&recording, &layout)?) });
        };
        let naming = if layout.identity.source_kind == "dir" { Naming::Directory } else { Naming::Layout };
        let shelf = self.shelf(&recording, naming, None);
        let bytes = shelf.manifest(digest)?;
        Ok(Shipment { names, ..one(self.parcel(&shelf, digest, bytes)?) })
    }

    /// Gathers an image by its manifest, which is kept byte for byte.
    fn parcel(&self, shelf: &Shelf<'_>, digest: &Digest, bytes: Vec<u8>) -> Result<Parcel, TransferError> {
        let what = format!("{}: the manifest {}", self.reference.text, digest.short());
        let shape = Shape::parse(&what, &bytes)?;
        let kind = shape.kind();
        let broken = |reason: &str| TransferError::part(what.clone(), reason);
        let config = shape.config.ok_or_else(|| broken("it does not name a configuration"))?;
        let config_digest = config.digest().ok_or_else(|| broken("its configuration has no digest"))?;
        let config_bytes = shelf.document(&config_digest)?;
        let diff_ids = diff_ids(&config_bytes);
        let listed = shape.layers.unwrap_or_default();
        if listed.len() > MAX_LAYERS {
            return Err(broken(&format!("it lists more than {MAX_LAYERS} layers")));
        }
        let mut layers = Vec::with_capacity(listed.len());
        for (place, layer) in listed.into_iter().enumerate() {
            let digest = layer.digest().ok_or_else(|| broken("one of its layers has no digest"))?;
            let urls = layer.urls.unwrap_or_default();
            layers.push(ParcelLayer {
                source: shelf.blob(&digest, layer.size, &urls),
                compression: compression_of(&layer.media_type),
                media_type: Some(layer.media_type),
                digest: Some(digest),
                stored_bytes: layer.size,
                diff_id: diff_ids.get(place).cloned(),
                urls,
            });
        }
        let platform = parse_config("the configuration", &config_bytes).map(|config| config.platform);
        Ok(Parcel {
            manifest: Some(Document { media_type: kind, digest: digest.clone(), bytes }),
            config: Document { media_type: config.media_type, digest: config_digest, bytes: config_bytes },
            layers,
            platform: platform.unwrap_or_default(),
        })
    }

    /// Gathers an image of a docker-archive, which has a configuration and plain layers but no manifest of its own.
    fn of_layout(&self, container: &Recording<'_>, layout: &Layout) -> Result<Parcel, TransferError> {
        let config = layout.identity.config_digest.as_ref().and_then(|digest| container.find(digest));
        let config = config.filter(|bytes| diff_ids(bytes).len() == layout.layers.len());
        let no_config =
            "it has no configuration with a diffID for each of its layers; nixdive rebuild can write a new one";
        let config = config.ok_or_else(|| self.refused(no_config))?;
        let mut layers = Vec::with_capacity(layout.layers.len());
        for layer in &layout.layers {
            let section = container.blob(&layer.located).map_err(|error| self.failed(error))?;
            // The missing layer was reported before.
            let section = section.unwrap_or_else(|| Section::from_bytes(Vec::new()));
            let mut magic = [0u8; MAGIC_BYTES];
            let count = section.read_full_at(&mut magic, 0).map_err(|error| self.io_error(error))?;
            let compression = detect(magic.get(..count).unwrap_or_default()).unwrap_or_default();
            let of_plain = layer.diff_id.clone().filter(|_| compression == Compression::None);
            layers.push(ParcelLayer {
                media_type: None,
                compression,
                digest: of_plain,
                stored_bytes: section.length(),
                diff_id: layer.diff_id.clone(),
                urls: Vec::new(),
                source: Arc::new(section),
            });
        }
        let platform = layout.config.platform.clone();
        Ok(Parcel { manifest: None, config: document(CONFIG_TYPE, config), layers, platform })
    }

    /// Gathers nix2container's `image.json`, which states digests and lengths. Layers are generated when they are read.
    fn image_json(&self, section: &Section) -> Result<Shipment, TransferError> {
        let length = section.length();
        if length > MAX_DOCUMENT_BYTES {
            let name = "the JSON document".to_owned();
            return Err(self.failed(SourceError::TooLong { name, length, most: MAX_DOCUMENT_BYTES }));
        }
        let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
        let count = section.read_full_at(&mut bytes, 0).map_err(|error| self.io_error(error))?;
        bytes.truncate(count);
        let read = read_nix2container(&bytes, &self.request(), &self.options.store, self.cancel);
        let (layout, made) = read.map_err(|error| self.failed(error))?;
        let mut layers = Vec::with_capacity(layout.layers.len());
        let mut listed = Vec::with_capacity(layout.layers.len());
        for (layer, text) in layout.layers.iter().zip(&layout.config.diff_ids) {
            let no_digest = || self.refused("one of its layers has no digest");
            let diff_id = layer.diff_id.clone().or_else(|| Digest::parse(text)).ok_or_else(no_digest)?;
            let found = made.blob(&layer.located).map_err(|error| self.failed(error))?;
            let source: Arc<dyn BlobSource> = match (found, &layer.contents) {
                // The placeholder for absent store paths is not the layer.
                (_, LayerContents::Absent(paths)) => Arc::new(super::blob::Missing(absent(paths))),
                (Some(section), _) => Arc::new(section),
                (None, _) => Arc::new(super::blob::Missing(absent(&[]))),
            };
            listed.push(diff_id.clone());
            layers.push(ParcelLayer {
                media_type: None,
                compression: compression_of(layer.media_type.as_deref().unwrap_or_default()),
                digest: layer.digest.clone(),
                stored_bytes: layer.stored_bytes.ok_or_else(no_digest)?,
                diff_id: Some(diff_id),
                urls: Vec::new(),
                source,
            });
        }
        let (config, platform) = (nix_config(&bytes, &listed)?, layout.config.platform);
        Ok(one(Parcel { manifest: None, config, layers, platform }))
    }
}

/// Returns the reason why a layer made of store paths cannot be read.
fn absent(paths: &[String]) -> String {
    let more = paths.len().saturating_sub(1);
    match paths.first() {
        None => "its file is absent from /nix/store of this machine".to_owned(),
        Some(path) if more == 0 => format!("absent store path: {path} is not on this machine"),
        Some(path) => format!("absent store paths: {path} and {more} more are not on this machine"),
    }
}

fn one(parcel: Parcel) -> Shipment {
    Shipment { images: vec![parcel], indexes: Vec::new(), names: Vec::new(), repository: None, warnings: Vec::new() }
}
