//! Text of the `README.md` next to the flake: how to build, what to review, what was not carried over.

use std::fmt::Write;

use super::render::image_name;
use super::survey::{LeftFiles, Survey, is_data};
use super::{Builder, NIXPKGS_BRANCH};
use nixdive_base::text::{display_bytes, display_in_sentence};

/// Maximum number of packages listed as not carried over.
const MOST_PACKAGES: usize = 40;

/// Returns the whole file.
pub(super) fn readme(survey: &Survey<'_>) -> String {
    let image = survey.request.image;
    let (name, tag) = image_name(image);
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = (|| {
        writeln!(text, "# {name}, built with nixpkgs\n")?;
        let requested = plain(&image.identity.requested);
        writeln!(
            text,
            "Made by nixdive from {requested}. Programs come from nixpkgs ({NIXPKGS_BRANCH}), chosen to match those in the image; the application's own files are in `files`.\n"
        )?;
        writeln!(text, "## Build\n\n```sh")?;
        match survey.request.builder {
            Builder::DockerTools => {
                writeln!(text, "nix build path:.#default\ndocker load < result     # {name}:{tag}\n```\n")?;
            }
            Builder::Nix2container => {
                writeln!(
                    text,
                    "nix build path:.#default\nnix run path:.#default.copyToDockerDaemon     # {name}:{tag}\n```\n"
                )?;
            }
        }
        writeln!(
            text,
            "In a Git repository, `git add` all of this directory first: Nix sees only files that Git tracks. `nixdive compare IMAGE result` shows both side by side.\n"
        )?;
        reviews(&mut text, survey)?;
        packages(&mut text, survey)?;
        left(&mut text, survey)
    })();
    text
}

/// Escapes a text from the image for Markdown.
fn plain(text: &str) -> String {
    let mut out = String::new();
    for letter in display_in_sentence(text).chars() {
        if matches!(letter, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '|' | '!' | '&') {
            out.push('\\');
        }
        out.push(letter);
    }
    out
}

fn reviews(text: &mut String, survey: &Survey<'_>) -> std::fmt::Result {
    writeln!(text, "## To review\n")?;
    let mut sentences: Vec<String> = Vec::new();
    for package in survey.mapped() {
        if let Some(doubt) = package.doubt {
            sentences.push(format!("{}: replaces {}; {doubt}", package.attribute, package.evidence));
        }
    }
    if let Some(python) = &survey.python {
        let unknown = python.modules.iter().filter(|(_, module)| !module.is_known).map(|(name, _)| name);
        sentences.extend(
            unknown.map(|name| format!("{name}: this Python module may have another name in nixpkgs, or be your own")),
        );
        let (attribute, is_release) = python.attribute();
        if !is_release {
            sentences.push(format!("{attribute}: the image has Python {}", python.release));
        }
        if !python.is_owned && !python.evidence.is_empty() {
            sentences.push(format!("{attribute}: no package of the image owns its Python"));
        }
    }
    sentences.extend(survey.reviews.iter().cloned());
    if survey.has_own_programs() {
        sentences.push("own programs use libraries of nixpkgs; test that they start".to_owned());
    }
    if let Some(needs) = survey.request.needs {
        sentences.extend(needs.doubts.iter().map(|doubt| doubt.message.clone()));
        sentences
            .extend(needs.missing.iter().map(|missing| format!("{} is needed but missing in the image", missing.name)));
    }
    if sentences.is_empty() {
        return writeln!(text, "Nothing.\n");
    }
    if survey.more_reviews > 0 {
        sentences.push(format!("{} more remarks", survey.more_reviews));
    }
    sentences.iter().try_for_each(|sentence| writeln!(text, "- {}", plain(sentence)))?;
    writeln!(text)
}

fn packages(text: &mut String, survey: &Survey<'_>) -> std::fmt::Result {
    let packages = survey.mapped();
    if packages.is_empty() && survey.python.is_none() {
        return Ok(());
    }
    writeln!(
        text,
        "## From nixpkgs\n\n| Attribute | In the image | Version in the image | Confidence |\n|---|---|---|---|"
    )?;
    for package in packages {
        let version = package.version.as_deref().map(plain).unwrap_or_default();
        let what = if is_data(&package.attribute) { "data" } else { package.confidence.name() };
        writeln!(text, "| `{}` | {} | {version} | {what} |", plain(&package.attribute), plain(&package.evidence))?;
    }
    if let Some(python) = &survey.python {
        let at = python.evidence.iter().map(|path| plain(path)).collect::<Vec<_>>().join(", ");
        writeln!(
            text,
            "| `{}` | {at} | {} | {} modules |",
            python.attribute().0,
            python.release,
            python.modules.len()
        )?;
    }
    writeln!(text)
}

fn left(text: &mut String, survey: &Survey<'_>) -> std::fmt::Result {
    writeln!(text, "## Not carried over\n")?;
    if survey.left_reasons.is_empty() && survey.left_packages.is_empty() {
        return writeln!(text, "Nothing that the programs of the image are known to need was left out.");
    }
    for (why, files) in &survey.left_reasons {
        writeln!(text, "- {}: {why}", counted(files))?;
    }
    if survey.left_packages.is_empty() {
        return Ok(());
    }
    writeln!(text, "- files of packages that nixpkgs replaces, whose own packages provide them:")?;
    let mut packages: Vec<_> = survey.left_packages.iter().collect();
    packages.sort_by_key(|(name, left)| (std::cmp::Reverse(left.bytes), *name));
    for (name, files) in packages.iter().take(MOST_PACKAGES) {
        writeln!(text, "  - {}: {}", plain(name), counted(files))?;
    }
    match packages.len().saturating_sub(MOST_PACKAGES) {
        0 => Ok(()),
        more => writeln!(text, "  - {more} more"),
    }
}

fn counted(left: &LeftFiles) -> String {
    let files = if left.files == 1 { "file" } else { "files" };
    format!("{} {files}, {}", left.files, display_bytes(left.bytes))
}
