use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use super::copy_arguments::{CopyArguments, CopyFormat};
use super::signals::StopOnSignals;
use super::{integrity, output, transferring};
use nixdive_base::cancel::Cancel;
use nixdive_base::text::display_name;
use nixdive_image::reference::{ImageName, Location, Reference};
use nixdive_source::open::{Keep, OpenOptions};
use nixdive_transfer::{CopyDestination, CopyOptions, TransferProgress, copy, gather};
use nixdive_write::LayerCompression;

/// Copies an image.
pub fn run(arguments: &CopyArguments) -> anyhow::Result<ExitCode> {
    let progress = TransferProgress::new(Cancel::new());
    let signals = StopOnSignals::new(progress.cancel());
    signals.outcome(copy_all(arguments, &progress))
}

fn copy_all(arguments: &CopyArguments, progress: &TransferProgress) -> anyhow::Result<ExitCode> {
    let reference = Reference::parse(&arguments.image)?;
    let destinations: Vec<CopyDestination> =
        arguments.destinations.iter().map(|text| CopyDestination::parse(text)).collect::<Result<_, _>>()?;
    let compression = arguments.compression.as_deref().map(LayerCompression::parse).transpose()?;
    let siblings = arguments.siblings.iter().map(sibling).collect::<anyhow::Result<_>>()?;
    let opening = arguments.open.certifying(arguments.incomplete).options(Keep::Trees);
    let opening = OpenOptions { remote: opening.remote.noting(progress.waits()), ..opening };
    let source = OpenOptions { remote: arguments.logins.source(&opening.remote), ..opening.clone() };
    let protected = reference.local_path().map(Path::to_owned).into_iter().collect();
    let options = CopyOptions {
        remote: arguments.logins.destination(&opening.remote),
        compression,
        siblings,
        verification: transferring::verification(&opening),
        unpack_limit: opening.unpack_limit,
        protected,
        ..CopyOptions::default()
    };
    let quiet = arguments.quiet;
    let shipment =
        transferring::watched(progress, quiet, || gather(&reference, &source, arguments.all, progress.cancel()))?;
    let mut arrivals = Vec::with_capacity(destinations.len());
    for destination in &destinations {
        let arrival = transferring::watched(progress, quiet, || copy(&shipment, destination, &options, progress))?;
        integrity::warn(&arrival.warnings);
        if !quiet && arguments.format == CopyFormat::Text {
            let name = destination.to_string();
            let name = display_name(name.as_bytes());
            // Who reads no words of it has the image all the same.
            let _ = transferring::tell(&name, &arrival, &mut std::io::stderr().lock());
        }
        arrivals.push((destination.to_string(), arrival));
    }
    if let Some(cache) = &options.remote.cache {
        cache.keep_bound();
    }
    if arguments.format == CopyFormat::Json {
        let arrivals = arrivals.iter().map(|(destination, arrival)| (destination.clone(), arrival));
        let document = transferring::as_json(&reference.text, arrivals);
        output::print(|out| writeln!(out, "{document:#}"))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn sibling(text: &OsString) -> anyhow::Result<ImageName> {
    match Reference::parse(text)?.location {
        Location::Registry(name) => Ok(name),
        _ => anyhow::bail!("--siblings {}: write docker://HOST/NAME:TAG", display_name(text.as_encoded_bytes())),
    }
}
