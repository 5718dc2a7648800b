//! `--emit-nix`: a flake that builds the image with nixpkgs, and what Nix makes of it.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::sync::Arc;

use crate::cli::arguments::ComparingArguments;
use crate::cli::named::Wanted;
use crate::cli::open_arguments::OpenArguments;
use crate::cli::rebuild_arguments::{Builder, ChoiceArguments, Granularity, RebuildArguments};
use crate::cli::{browse, output};
use nixdive_app::Examined;
use nixdive_base::cancel::Cancel;
use nixdive_base::text::{counted, display_name};
use nixdive_image::NodeId;
use nixdive_image::reference::{Location, Reference};
use nixdive_packages::Inventory;
use nixdive_rebuild::choices::Choices;
use nixdive_rebuild::emit::{self, Confidence, EmitRequest, Flake, all_files};
use nixdive_rebuild::needs::{self, Needs, NeedsOptions};
use nixdive_rebuild::package_image::{self, PackageImage};
use nixdive_rebuild::start;
use nixdive_source::open::Opened;

/// Writes the flake of an image.
pub fn write(
    directory: &Path,
    arguments: &RebuildArguments,
    examined: &Examined,
    choices: &Choices,
) -> anyhow::Result<()> {
    let opened = &examined.opened;
    let store = examined.store()?.filter(|store| !store.store.paths.is_empty()).map(Arc::as_ref);
    if opened.image.has_absent_layers() {
        anyhow::bail!("files of the image are missing; cannot write a flake");
    }
    check_build(arguments)?;
    if !(opened.image.config.entrypoint.is_empty() && opened.image.config.cmd.is_empty()) {
        start::program(&opened.image)?;
    }
    let packages = &**examined.packages();
    let needs = match store {
        Some(_) => None,
        None => Some(find(opened, packages, choices)?),
    };
    let kept = kept(opened, packages, needs.as_ref(), choices, &arguments.choices);
    let builder = match arguments.emit.builder {
        Builder::Dockertools => emit::Builder::DockerTools,
        Builder::Nix2container => emit::Builder::Nix2container,
    };
    let image = &opened.image;
    let request = EmitRequest { image, packages, needs: needs.as_ref(), store, kept: &kept, builder };
    let flake = emit::flake(&request);
    emit::write(directory, &flake, image, &opened.contents, &Cancel::new())?;
    tell(directory, &flake);
    let has_choices = !(choices.drop.is_empty() && choices.classes.is_empty() && choices.cut.is_empty());
    if store.is_some() && has_choices {
        output::note(
            "--drop and --cut do not change the flake: nixpkgs builds its store paths whole; rebuild what comes of it",
        );
    }
    Ok(())
}

/// A build needs the image once more, to compare with.
fn check_build(arguments: &RebuildArguments) -> anyhow::Result<()> {
    let reference = Reference::parse(&arguments.image)?;
    if !arguments.emit.build {
        return Ok(());
    }
    arguments.open.execution().check("nix")?;
    if reference.location == Location::StandardInput {
        anyhow::bail!("--build reads the image a second time, to compare it; give it as a file");
    }
    Ok(())
}

fn find(opened: &Opened, packages: &Inventory, choices: &Choices) -> anyhow::Result<Needs> {
    let is_kept = |path: &[u8]| choices.of_file(path, None) == Some(true);
    let asks = !choices.keep.is_empty();
    let options = NeedsOptions { is_kept: asks.then_some(&is_kept as needs::IsKept<'_>), ..NeedsOptions::default() };
    Ok(needs::find(&opened.image, &opened.contents, packages, &options, &Cancel::new())?)
}

fn kept(
    opened: &Opened,
    packages: &Inventory,
    needs: Option<&Needs>,
    choices: &Choices,
    arguments: &ChoiceArguments,
) -> Vec<NodeId> {
    let Some(needs) = needs else { return all_files(&opened.image) };
    let image = PackageImage::new(&opened.image, packages, needs);
    let granularity = match arguments.granularity {
        Granularity::File => package_image::Granularity::File,
        Granularity::Package => package_image::Granularity::Package,
    };
    let selection = package_image::select(&image, choices, granularity);
    image.kept(&selection).collect()
}

/// Reports the files written and how much to review.
fn tell(directory: &Path, flake: &Flake) {
    let unsure = flake.packages.iter().filter(|package| package.confidence != Confidence::High).count();
    let directory = display_name(directory.as_os_str().as_encoded_bytes()).into_owned();
    output::note(&format!(
        "wrote {directory}: flake.nix with {} of nixpkgs, {}; to review, see README.md: {}, {}",
        counted(flake.packages.len(), "package"),
        counted(flake.files.len(), "own file"),
        counted(unsure, "package"),
        counted(flake.reviews.len(), "more point"),
    ));
}

/// Builds a flake that was written, its output shown, and compares the image with what came of it.
pub fn build(directory: &Path, image: &OsString, open: &OpenArguments) -> anyhow::Result<ExitCode> {
    let directory = std::path::absolute(directory)?;
    let result: PathBuf = directory.join("result");
    let mut command = open.execution().command("nix")?;
    command.args(["--extra-experimental-features", "nix-command flakes", "build", "--out-link"]).arg(&result);
    // As a path, whatever is in its name, and whatever Git knows of it.
    command.args(["--", "path:."]).current_dir(&directory).stdin(Stdio::null());
    let shown = display_name(directory.as_os_str().as_encoded_bytes()).into_owned();
    let status = command.status().map_err(|error| match error.kind() {
        ErrorKind::NotFound => {
            anyhow::anyhow!("the flake is written to {shown}, with no nix on PATH to build it")
        }
        _ => anyhow::anyhow!("the flake is written to {shown}, but nix cannot be run: {error}"),
    })?;
    if !status.success() {
        anyhow::bail!(
            "the flake is written to {shown}, but nix could not build it ({status}); see README.md for what to review"
        );
    }
    let comparing = ComparingArguments { semantic: false, equivalent: true, different_platforms: false };
    let images = vec![Reference::parse(image)?, Reference::parse(result.as_os_str())?];
    let wanted = Wanted { users: vec![String::new(); images.len()], images, ..Wanted::default() };
    browse::together(&wanted, &comparing, open, None)
}
