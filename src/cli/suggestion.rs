//! Names close to one that leads nowhere.

use std::path::{Path, PathBuf};

use super::help;
use nixdive_app::ExamineError;
use nixdive_image::reference::{Location, Reference};
use nixdive_source::open::OpenError;

/// Maximum number of files compared with a mistyped one.
const MAX_FILES: usize = 10_000;

/// Returns a hint for an image that does not exist: the file or the command that was probably meant.
pub fn hint(error: &anyhow::Error) -> Option<String> {
    let error = match error.downcast_ref::<ExamineError>() {
        Some(ExamineError::Open(error)) => error,
        _ => error.downcast_ref::<OpenError>()?,
    };
    let typed = error.missing()?;
    if let Some(command) = closest(typed, help::command().get_subcommands().map(clap::Command::get_name)) {
        return Some(format!("hint: did you mean `nixdive {command}`?"));
    }
    let path = match Reference::parse(typed.as_ref()).ok()?.location {
        Location::Path(path) => path,
        _ => PathBuf::from(typed),
    };
    let file = closest_file(&path)?;
    Some(format!("hint: did you mean `{}`?", nixdive_base::text::display_in_sentence(&file)))
}

/// Returns the path of the file in the same directory with the closest name.
fn closest_file(path: &Path) -> Option<String> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let entries = std::fs::read_dir(directory.unwrap_or(Path::new("."))).ok()?;
    let names: Vec<String> =
        entries.take(MAX_FILES).filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    let name = closest(path.file_name()?.to_str()?, names.iter().map(String::as_str))?;
    Some(path.with_file_name(name).to_str()?.to_owned())
}

/// Returns the name that a mistyped one was most likely meant to be; `None` if none is close.
fn closest<'n>(typed: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let most = typed.chars().count() / 4;
    names
        .map(|name| (strsim::osa_distance(typed, name), name))
        .filter(|&(distance, _)| distance <= most.clamp(1, 3))
        .min()
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_close_name_is_suggested() {
        let names = ["web.tar", "web-docker.tar", "job.tar"];
        let cases = [
            ("wbe.tar", Some("web.tar")),
            ("web-dokcer.tar", Some("web-docker.tar")),
            ("jobs.tar", Some("job.tar")),
            ("other.tar", None),
            ("x", None),
        ];
        for (typed, expected) in cases {
            assert_eq!(closest(typed, names.into_iter()), expected, "{typed}");
        }
    }

    #[test]
    fn the_closest_file_is_in_the_same_directory() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("image.tar.gz"), "").unwrap();
        let typed = directory.path().join("imgae.tar.gz");
        assert_eq!(closest_file(&typed).as_deref(), directory.path().join("image.tar.gz").to_str());
        assert_eq!(closest_file(&directory.path().join("absent/imgae.tar.gz")), None);
    }
}
