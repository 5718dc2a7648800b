use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use serde_json::{Value, json};

use super::index_arguments::{IndexArguments, IndexFormat};
use super::signals::StopOnSignals;
use super::{integrity, output, transferring};
use nixdive_base::cancel::Cancel;
use nixdive_base::text::{display_bytes, display_in_sentence, display_name};
use nixdive_image::reference::{ImageName, Reference};
use nixdive_rebuild::check::other_architecture;
use nixdive_source::open::{Keep, OpenOptions, Progress, open};
use nixdive_transfer::index::{Clash, Index, IndexPlan};
use nixdive_transfer::{Arrival, CopyDestination, CopyOptions, Shipment, TransferProgress, copy, gather};
use nixdive_write::{Destination, LayerCompression};

/// The name of the schema of [`as_json`].
const INDEX_SCHEMA: &str = "nixdive.index/1";

/// Makes an index of images, and sends it with them.
pub fn run(arguments: &IndexArguments) -> anyhow::Result<ExitCode> {
    let progress = TransferProgress::new(Cancel::new());
    let signals = StopOnSignals::new(progress.cancel());
    signals.outcome(make(arguments, &progress))
}

fn make(arguments: &IndexArguments, progress: &TransferProgress) -> anyhow::Result<ExitCode> {
    let target = Target::new(arguments)?;
    let compression = arguments.compression.as_deref().map(LayerCompression::parse).transpose()?;
    let opening = arguments.open.certifying(arguments.incomplete).options(Keep::Trees);
    let opening = OpenOptions { remote: opening.remote.noting(progress.waits()), ..opening };
    let quiet = arguments.quiet;
    let sources = transferring::watched(progress, quiet, || gathered(arguments, &opening, progress))?;
    let annotations: BTreeMap<String, String> = arguments.annotation.iter().cloned().collect();
    let (plan, images) = IndexPlan::new(&sources, annotations)?;
    let plan = Arc::new(plan);
    tell_clashes(&plan.clashes(), arguments.distinct)?;
    let options = CopyOptions {
        remote: arguments.logins.destination(&opening.remote),
        compression,
        siblings: repositories(&sources),
        more_names: target.more_names,
        verification: transferring::verification(&opening),
        assemble: Some(Arc::clone(&plan) as Arc<_>),
        unpack_limit: opening.unpack_limit,
        protected: arguments.images.iter().filter_map(path_of).collect(),
        ..CopyOptions::default()
    };
    let warnings = sources.iter().flat_map(|(_, source)| source.warnings.clone()).collect();
    let shipment = Shipment { images, indexes: Vec::new(), names: Vec::new(), repository: None, warnings };
    let arrival = transferring::watched(progress, quiet, || copy(&shipment, &target.destination, &options, progress))?;
    if let Some(cache) = &options.remote.cache {
        cache.keep_bound();
    }
    integrity::warn(&arrival.warnings);
    let index = plan.made().ok_or_else(|| anyhow::anyhow!("no index was made"))?;
    let done = Done { destination: &target.destination, names: &target.names, index, arrival: &arrival };
    match arguments.format {
        IndexFormat::Json => output::print(|out| writeln!(out, "{:#}", done.as_json()))?,
        IndexFormat::Text => output::print(|out| done.tell(out))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Destination of the index, and its names there.
struct Target {
    destination: CopyDestination,
    more_names: Vec<String>,
    names: Vec<String>,
}

impl Target {
    fn new(arguments: &IndexArguments) -> anyhow::Result<Self> {
        match CopyDestination::parse(&arguments.destination)? {
            CopyDestination::Registry(name) => {
                let mut names = arguments.tags.rules(name.given_tag()).tags()?;
                if names.is_empty() {
                    names.push(name.tag().to_owned());
                }
                let first = names.first().and_then(|tag| name.with_tag(tag)).unwrap_or(name);
                let more_names = names.iter().skip(1).cloned().collect();
                Ok(Self { destination: CopyDestination::Registry(first), more_names, names })
            }
            CopyDestination::File(file) => {
                let tags = arguments.tags.rules(None).tags()?;
                let (given, renamed): (_, fn(Destination, Option<String>) -> Destination) = match &file {
                    Destination::OciLayout { reference, .. } => (reference.clone(), |file, name| match file {
                        Destination::OciLayout { directory, .. } => {
                            Destination::OciLayout { directory, reference: name }
                        }
                        other => other,
                    }),
                    Destination::OciArchive { reference, .. } => (reference.clone(), |file, name| match file {
                        Destination::OciArchive { file, .. } => Destination::OciArchive { file, reference: name },
                        other => other,
                    }),
                    _ => return Err(no_index(&arguments.destination)),
                };
                let mut names: Vec<String> = given.into_iter().chain(tags).collect();
                names.dedup();
                let destination = CopyDestination::File(renamed(file, names.first().cloned()));
                let more_names = names.iter().skip(1).cloned().collect();
                Ok(Self { destination, more_names, names })
            }
            _ => Err(no_index(&arguments.destination)),
        }
    }
}

fn no_index(destination: &OsString) -> anyhow::Error {
    let shown = display_name(destination.as_encoded_bytes());
    anyhow::anyhow!("cannot write an index to {shown}; use docker://HOST/NAME:TAG, oci:DIRECTORY or oci-archive:FILE")
}

/// The images of each source: all of an index, unless one platform is chosen.
fn gathered(
    arguments: &IndexArguments,
    opening: &OpenOptions,
    progress: &TransferProgress,
) -> anyhow::Result<Vec<(String, Shipment)>> {
    let remote = arguments.logins.source(&opening.remote);
    let options = OpenOptions { remote, ..opening.clone() };
    let mut sources = Vec::with_capacity(arguments.images.len());
    for image in &arguments.images {
        let reference = Reference::parse(image)?;
        let shipment = gather(&reference, &options, options.platform.is_none(), progress.cancel())?;
        check_programs(&reference, &shipment, &options, progress.cancel())?;
        sources.push((reference.text.clone(), shipment));
    }
    Ok(sources)
}

/// Refuses an image whose program is for another processor than its configuration says: clients would fetch it for that
/// platform, and fail to start it. Of an image that cannot be opened, a note says that its programs were not checked.
fn check_programs(
    reference: &Reference,
    shipment: &Shipment,
    options: &OpenOptions,
    cancel: &Cancel,
) -> anyhow::Result<()> {
    let source = display_in_sentence(&reference.text);
    for image in &shipment.images {
        let platform = (shipment.images.len() > 1).then(|| image.platform.clone()).or_else(|| options.platform.clone());
        let options = OpenOptions { keep: Keep::AnyContent, platform, ..options.clone() };
        match open(reference, &options, &Progress::with_cancel(cancel.clone())) {
            Ok(opened) => {
                if let Some(other) = other_architecture(&opened.image, &opened.contents) {
                    anyhow::bail!(
                        "{source}: {}\nhint: build it for that platform, or correct the platform of its configuration",
                        other.message
                    );
                }
            }
            Err(_) if cancel.is_cancelled() => return Ok(()),
            Err(error) => output::note(&format!("{source}: its programs were not checked: {error}")),
        }
    }
    Ok(())
}

fn path_of(image: &OsString) -> Option<std::path::PathBuf> {
    Reference::parse(image).ok()?.local_path().map(std::path::Path::to_owned)
}

/// Repositories that blobs may be mounted from.
fn repositories(sources: &[(String, Shipment)]) -> Vec<ImageName> {
    sources.iter().filter_map(|(_, shipment)| Some(shipment.repository.as_ref()?.name().clone())).collect()
}

fn tell_clashes(clashes: &[Clash], are_refused: bool) -> anyhow::Result<()> {
    for Clash { platform, first, second } in clashes {
        let (first, second) = (display_in_sentence(first), display_in_sentence(second));
        let platform = platform.to_string();
        let platform = display_name(platform.as_bytes());
        if are_refused {
            anyhow::bail!("{first} and {second} are both for {platform}; expected one image for each platform");
        }
        output::note(&format!(
            "{first} and {second} are both for {platform}: clients get the first (--distinct refuses this)"
        ));
    }
    Ok(())
}

/// Result of `nixdive index`, for its report.
struct Done<'a> {
    destination: &'a CopyDestination,
    names: &'a [String],
    index: &'a Index,
    arrival: &'a Arrival,
}

impl Done<'_> {
    fn tell(&self, out: &mut dyn Write) -> std::io::Result<()> {
        let destination = self.destination.to_string();
        let digest = self.arrival.manifest_digest.as_ref().map(|digest| format!("  {digest}")).unwrap_or_default();
        writeln!(out, "{}{digest}", display_name(destination.as_bytes()))?;
        if !self.names.is_empty() {
            writeln!(out, "  tags: {}", self.names.join(", "))?;
        }
        for child in self.index.children() {
            let (platform, source) = (child.platform.to_string(), display_name(child.source.as_bytes()));
            writeln!(out, "  {:<16} {}  from {source}", display_name(platform.as_bytes()), child.digest.short())?;
        }
        let Arrival { sent_bytes, skipped_bytes, .. } = *self.arrival;
        writeln!(out, "  {} sent, {} were there", display_bytes(sent_bytes), display_bytes(skipped_bytes))
    }

    /// `nixdive.index/1`: integer bytes, a fixed order, `null` for unknown values.
    fn as_json(&self) -> Value {
        let image = |child: &nixdive_transfer::index::Child| {
            json!({
                "platform": child.platform.to_json(),
                "digest": child.digest.as_str(),
                "mediaType": child.media_type,
                "manifestBytes": child.manifest_bytes,
                "source": child.source,
            })
        };
        json!({
            "schema": INDEX_SCHEMA,
            "destination": self.destination.to_string(),
            "digest": self.arrival.manifest_digest.as_ref().map(|digest| digest.as_str()),
            "mediaType": self.index.media_type(),
            "tags": self.names,
            "images": self.index.children().iter().map(image).collect::<Vec<_>>(),
            "sentBytes": self.arrival.sent_bytes,
            "skippedBytes": self.arrival.skipped_bytes,
            "layers": self.arrival.layers.iter().map(transferring::of_layer).collect::<Vec<_>>(),
            "complete": self.arrival.warnings.is_empty(),
            "warnings": self.arrival.warnings,
        })
    }
}
