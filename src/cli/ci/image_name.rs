use std::path::{Component, Path};

use nixdive_image::Identity;
use nixdive_image::reference::{Location, Reference, Start};

/// Ends of the names of archives and of documents that stand for an image.
const ARCHIVE_ENDS: [&str; 12] =
    [".gz", ".tgz", ".zst", ".xz", ".bz2", ".lz4", ".tar", ".oci", ".json", ".image", ".docker", ".img"];
const STORE: &str = "/nix/store/";
/// Characters of the hash of a store path.
const STORE_HASH: usize = 32;

/// Returns a name that stays the same from one build to the next: the repository of the first tag, else the typed
/// reference without tag, digest and the parts of its path that depend on the machine. `directory` is the working
/// directory.
pub(super) fn image_name(identity: &Identity, image: &Reference, directory: Option<&Path>) -> String {
    let tagged = identity.references.iter().find_map(|reference| repository(reference));
    tagged.unwrap_or_else(|| typed_name(image, directory))
}

/// `team/app` of `team/app:1` and `team/app@sha256:…`; `None` where the text is only a tag.
fn repository(reference: &str) -> Option<String> {
    let name = reference.split('@').next().unwrap_or(reference);
    let last = name.rfind('/').map_or(0, |slash| slash + 1);
    let repository = match name.get(last..).and_then(|last| last.rfind(':')) {
        Some(colon) => name.get(..last + colon)?,
        // An OCI layout names its images by a tag alone.
        None if last == 0 && !reference.contains('@') => return None,
        None => name,
    };
    (!repository.is_empty()).then(|| repository.to_owned())
}

fn typed_name(reference: &Reference, directory: Option<&Path>) -> String {
    match &reference.location {
        Location::StandardInput => "-".to_owned(),
        Location::Path(path) => path_name(path, directory),
        Location::Program(program) => match program.start() {
            Start::Build(installable) | Start::BuildAndRun(installable) => installable.to_owned(),
            Start::Run(script) => path_name(script, directory),
        },
        Location::Registry(name) | Location::Name(name) => name.without_tag().to_string(),
        Location::Engine(_, name) => repository(name).unwrap_or_else(|| name.clone()),
    }
}

/// A path below the working directory from there on, another one by its last name, without the ends of archives and
/// without the hash of a store path.
pub(super) fn path_name(path: &Path, directory: Option<&Path>) -> String {
    // Below the root is everything.
    let directory = directory.filter(|directory| directory.parent().is_some());
    let below = directory.and_then(|directory| path.strip_prefix(directory).ok());
    let kept = match below {
        Some(below) => below,
        None if path.is_absolute() => path.file_name().map_or(path, Path::new),
        None => path,
    };
    let parts = kept.components().filter(|part| !matches!(part, Component::CurDir | Component::RootDir));
    let parts: Vec<String> = parts.map(|part| part.as_os_str().to_string_lossy().into_owned()).collect();
    let mut name = parts.join("/");
    if name.is_empty() {
        let last = directory.and_then(Path::file_name).map(|last| last.to_string_lossy().into_owned());
        return last.unwrap_or_else(|| ".".to_owned());
    }
    if path.starts_with(STORE)
        && let Some(rest) = name.get(STORE_HASH..).and_then(|rest| rest.strip_prefix('-'))
    {
        name = rest.to_owned();
    }
    while let Some(stem) = ARCHIVE_ENDS.iter().find_map(|end| name.strip_suffix(end)).filter(|stem| !stem.is_empty()) {
        name = stem.to_owned();
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(references: &[&str]) -> Identity {
        Identity {
            references: references.iter().map(|&reference| reference.to_owned()).collect(),
            ..Identity::default()
        }
    }

    fn named(references: &[&str], typed: &str) -> String {
        image_name(
            &identity(references),
            &Reference::parse(typed.as_ref()).unwrap(),
            Some(Path::new("/builds/group/project")),
        )
    }

    #[test]
    fn tag_digest_and_directory_of_the_job_are_no_part_of_an_image() {
        let cases: [(&[&str], &str, &str); 14] = [
            (&["team/app:1"], "a.tar", "team/app"),
            (&["team/app:2", "team/app:latest"], "b.tar", "team/app"),
            (&["host:5000/app"], "b.tar", "host:5000/app"),
            (&["host:5000/app@sha256:00"], "b.tar", "host:5000/app"),
            (&["latest"], "oci:out", "out"),
            (&[], "./out/app.tar.gz", "out/app"),
            (&[], "/builds/group/project/out/app.tar", "out/app"),
            (&[], "/tmp/runner-17/app.tar", "app"),
            (&[], "docker-archive:app.tar.zst", "app"),
            (&[], "/nix/store/0c5a5mr4ypwkf5mmh7wxw4bl3slmvvbv-app.tar.gz", "app"),
            (&[], "docker://registry.test/team/app:abc", "registry.test/team/app"),
            (&[], "-", "-"),
            (&[], "/builds/group/project", "project"),
            (&[], "result", "result"),
        ];
        for (references, typed, expected) in cases {
            assert_eq!(named(references, typed), expected, "{references:?} {typed}");
        }
        assert_ne!(named(&[], "web/result"), named(&[], "worker/result"));
        assert_eq!(path_name(Path::new("/tmp/runner-17/app.tar"), Some(Path::new("/"))), "app");
        let digest = format!("docker://registry.test/team/app@sha256:{}", "0".repeat(64));
        assert_eq!(named(&[], &digest), "registry.test/team/app");
    }
}
