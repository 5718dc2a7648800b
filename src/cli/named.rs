//! Files of Compose and Kubernetes among the arguments, and the images that they stand for.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::open_arguments::{Mapping, NamedArguments};
use nixdive_base::text::display_in_sentence;
use nixdive_image::reference::{DataReference, Reference, named_image};
use nixdive_source::manifest::{self, EnvironmentFile, Manifest, NamedImage};

/// Bytes that a `.env` file may have.
const MAX_ENVIRONMENT_BYTES: u64 = 1 << 20;

/// Images to open.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    /// References of theirs.
    pub images: Vec<Reference>,
    /// For each, who uses it, safe to print; empty where it was given itself.
    pub users: Vec<String>,
    /// Notes on parts of the files that are not supported, as sentences, safe to print.
    pub notes: Vec<String>,
    /// True if a Compose or Kubernetes file named images.
    pub is_named: bool,
}

impl Wanted {
    /// Returns a hint for an image named by a file that cannot be opened.
    pub fn way_out(&self, number: usize) -> Option<String> {
        let users = self.users.get(number).filter(|users| !users.is_empty())?;
        let user = users.split(", ").next().unwrap_or(users);
        Some(format!("to use another image for `{users}`: --map {user}=FILE"))
    }
}

/// Puts the images of files that name some in the files' places.
///
/// # Errors
/// A file that names images and is broken; an image that cannot be opened and is not mapped; a mapping of nothing.
pub(super) fn expand(arguments: &[OsString], named: &NamedArguments) -> anyhow::Result<Wanted> {
    let mut wanted = Wanted::default();
    let mut used = vec![false; named.map.len()];
    let mut known = Vec::new();
    for argument in arguments {
        let Some(manifest) = manifest_of(argument)? else {
            wanted.images.push(Reference::parse(argument)?);
            wanted.users.push(String::new());
            continue;
        };
        let file = display_in_sentence(&argument.to_string_lossy());
        wanted.is_named = true;
        wanted.notes.extend(manifest.notes.iter().map(|note| format!("{file}: {note}")));
        put_images(argument, &manifest, &named.map, &mut used, &mut wanted)?;
        known.extend(manifest.images.iter().flat_map(|image| image.users.clone()));
    }
    let unused = named.map.iter().zip(&used).find(|(_, used)| !**used).map(|(mapping, _)| mapping);
    match unused {
        None => Ok(wanted),
        Some(_) if !wanted.is_named => {
            anyhow::bail!("--map needs a Compose or Kubernetes file; none of the arguments is one")
        }
        Some(mapping) => {
            let name = display_in_sentence(&mapping.name);
            anyhow::bail!(
                "--map {name}=…: no such service or image; expected one of {}",
                display_in_sentence(&known.join(", "))
            )
        }
    }
}

fn put_images(
    file: &OsString,
    manifest: &Manifest,
    map: &[Mapping],
    used: &mut [bool],
    wanted: &mut Wanted,
) -> anyhow::Result<()> {
    let directory = Path::new(file).parent().unwrap_or(Path::new(""));
    let file = display_in_sentence(&file.to_string_lossy());
    let mut missing = Vec::new();
    for image in &manifest.images {
        let mut mapped = None;
        for (mapping, used) in map.iter().zip(used.iter_mut()).filter(|(mapping, _)| image.is_called(&mapping.name)) {
            *used = true;
            if mapped.replace(&mapping.image).is_some_and(|before| *before != mapping.image) {
                let users = image.shown();
                anyhow::bail!("{file}: --map gives two images for `{users}`; expected one");
            }
        }
        let reference = match mapped {
            Some(typed) => Reference::parse(typed)?,
            None => match openable(image, directory) {
                Ok(found) => found.into_reference(),
                Err(why) => {
                    missing.push((image, why));
                    continue;
                }
            },
        };
        wanted.images.push(reference);
        wanted.users.push(image.shown());
    }
    if let Some((first, _)) = missing.first() {
        let user = first.users.first().map_or("", String::as_str);
        let line =
            |(image, why): &(&NamedImage, String)| format!("{file}:{}: {}", image.line, display_in_sentence(why));
        let lines: Vec<String> = missing.iter().map(line).collect();
        anyhow::bail!("{}\nhint: `--map {}=FILE` sets the image", lines.join("\n"), display_in_sentence(user));
    }
    if manifest.images.is_empty() {
        anyhow::bail!("{file}: the file names no image");
    }
    Ok(())
}

/// The image that a file names, or why it names none. The file is data: it cannot have a program started.
fn openable(image: &NamedImage, directory: &Path) -> Result<DataReference, String> {
    let users = image.shown();
    match (&image.reference, &image.why_none) {
        (Some(text), _) => named_image(text, directory).map_err(|error| format!("image of `{users}`: {error}")),
        (None, Some(why)) => Err(format!("`{users}` {why}")),
        (None, None) => Err(format!("`{users}` names no image")),
    }
}

/// The manifest in a file; `None` where the argument is none, or no file at all.
fn manifest_of(argument: &OsString) -> anyhow::Result<Option<Manifest>> {
    let path = Path::new(argument);
    let Some(text) = short_text(path, manifest::MAX_BYTES) else { return Ok(None) };
    let beside = || {
        let text = short_text(&path.parent()?.join(".env"), MAX_ENVIRONMENT_BYTES)?;
        Some(EnvironmentFile::parse(&text))
    };
    let file = beside().unwrap_or_default();
    let variable = |name: &str| std::env::var(name).ok().or_else(|| file.get(name).map(str::to_owned));
    let shown = display_in_sentence(&argument.to_string_lossy());
    manifest::read(&text, &variable).map_err(|error| anyhow::anyhow!("{shown}: {error}"))
}

/// Returns a regular file's text if it has at most `most_bytes` bytes.
fn short_text(path: &Path, most_bytes: u64) -> Option<String> {
    let is_short = std::fs::metadata(path).is_ok_and(|found| found.is_file() && found.len() <= most_bytes);
    let mut text = String::new();
    let file = is_short.then(|| File::open(path).ok()).flatten()?;
    file.take(most_bytes).read_to_string(&mut text).ok()?;
    (!text.contains('\0')).then_some(text)
}
