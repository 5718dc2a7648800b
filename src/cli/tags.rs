use std::ffi::OsString;
use std::process::ExitCode;

use super::arguments::TagsArguments;
use super::open_arguments::OpenArguments;
use super::output;
use nixdive_base::cancel::Cancel;
use nixdive_base::text::{display_bytes, display_name};
use nixdive_image::reference::{ImageName, Location, Reference};
use nixdive_source::registry::Repository;

/// Prints the tags of a repository, one a line.
pub fn run(arguments: &TagsArguments) -> anyhow::Result<ExitCode> {
    let repository = repository(&arguments.image, &arguments.open)?;
    if arguments.referrers {
        return referrers(&repository, arguments);
    }
    let tags = repository.tags().map_err(|error| anyhow::anyhow!("{}: {error}", repository.name().without_tag()))?;
    output::print(|out| tags.iter().try_for_each(|tag| writeln!(out, "{}", display_name(tag.as_bytes()))))?;
    Ok(ExitCode::SUCCESS)
}

/// Prints what refers to an image: digest, bytes of its manifest, and what it is.
fn referrers(repository: &Repository, arguments: &TagsArguments) -> anyhow::Result<ExitCode> {
    let failed = |error| anyhow::anyhow!("{}: {error}", repository.name());
    let manifest = arguments.open.remote().manifest(repository).map_err(failed)?;
    let referrers = repository.referrers(&manifest.digest).map_err(failed)?;
    output::print(|out| {
        referrers.iter().try_for_each(|one| {
            let bytes = display_bytes(one.manifest_bytes);
            writeln!(out, "{}  {bytes:>8}  {}", one.digest, display_name(one.kind.as_bytes()))
        })
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Prints the manifest or index of an image as it is stored; a terminal gets no control characters unless `raw_bytes` says so.
pub fn raw(image: &OsString, raw_bytes: bool, arguments: &OpenArguments) -> anyhow::Result<ExitCode> {
    let repository = repository(image, arguments)?;
    let remote = arguments.remote();
    let manifest = remote.manifest(&repository).map_err(|error| anyhow::anyhow!("{}: {error}", repository.name()))?;
    output::print_content(raw_bytes, |out| out.write_all(&manifest.bytes))?;
    Ok(ExitCode::SUCCESS)
}

fn repository(image: &OsString, arguments: &OpenArguments) -> anyhow::Result<Repository> {
    let reference = Reference::parse(image)?;
    let registries = arguments.remote().registries(&Cancel::new())?;
    let name: ImageName = match reference.location {
        Location::Registry(name) => name,
        Location::Name(name) => registries.complete(&name)?,
        _ => anyhow::bail!(
            "not a registry reference: {} (expected docker://HOST/NAME)",
            display_name(reference.text.as_bytes())
        ),
    };
    Ok(registries.repository(&name)?)
}
