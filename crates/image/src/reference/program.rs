use std::path::{Path, PathBuf};

use super::is_file_name;

/// A program that provides an image: something for Nix to build, or a script to run. Only [`super::Reference::parse`]
/// makes one, from what a person typed; data cannot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program(Kind);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Installable(String),
    Script(PathBuf),
    BuiltScript(String),
}

/// The program to start for a [`Program`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start<'a> {
    /// `nix build` of this installable; what it builds is the image.
    Build(&'a str),
    /// This script, which writes the image to its standard output.
    Run(&'a Path),
    /// `nix build` of this installable, then the script that it builds.
    BuildAndRun(&'a str),
}

impl Program {
    /// Returns the program to start.
    #[must_use]
    pub fn start(&self) -> Start<'_> {
        match &self.0 {
            Kind::Installable(installable) => Start::Build(installable),
            Kind::Script(path) => Start::Run(path),
            Kind::BuiltScript(installable) => Start::BuildAndRun(installable),
        }
    }

    pub(super) fn installable(text: &str) -> Self {
        Self(Kind::Installable(for_nix(text)))
    }

    pub(super) fn script(path: PathBuf) -> Self {
        Self(Kind::Script(path))
    }

    pub(super) fn built_script(text: &str) -> Self {
        Self(Kind::BuiltScript(for_nix(text)))
    }
}

/// `flake:DIR` is the directory's default package; `flake:NAME` is Nix's own way to write an entry of its registry.
fn for_nix(text: &str) -> String {
    let directory = text.strip_prefix("flake:").filter(|rest| rest.starts_with(['.', '/', '~']));
    directory.unwrap_or(text).to_owned()
}

/// Returns `true` if a text that is not a file is an installable: `flake:…`, or `FLAKE#ATTRIBUTE`
/// where the flake is a path, a URL or an entry of Nix's registry, and the attribute is empty or
/// begins like a Nix name. So `image#1.tar` and `image#1` are missing files.
pub(super) fn is_installable(text: &str) -> bool {
    if text.starts_with("flake:") && text.len() > "flake:".len() {
        return true;
    }
    let Some((flake, attribute)) = text.split_once('#') else { return false };
    let begins_as_name =
        attribute.chars().next().is_none_or(|letter| letter.is_ascii_alphabetic() || "_\"^.".contains(letter));
    begins_as_name && !is_file_name(text) && is_flake(flake)
}

fn is_flake(flake: &str) -> bool {
    let is_path = flake.is_empty() || flake.starts_with(['.', '/', '~']);
    let is_url = flake.split_once(':').is_some_and(|(scheme, rest)| {
        let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(is_letter)
            && !rest.is_empty()
    });
    let is_entry = flake.starts_with(|first: char| first.is_ascii_alphabetic())
        && flake.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte));
    is_path || is_url || is_entry
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn installables_are_told_from_missing_files() {
        for text in [
            ".#image",
            "#image",
            "..#a.b",
            "nixpkgs#hello",
            "nixpkgs/nixos-24.05#hello^out,doc",
            "github:owner/repo/branch#a.b",
            "git+https://host.example/repo?ref=main#default",
            "path:./sub#\"odd name\"",
            "/some/flake#",
            "./flake#packages.x86_64-linux.image",
            "flake:nixpkgs",
            "flake:.",
        ] {
            assert!(is_installable(text), "{text}");
        }
        for text in ["image#1.tar", "image#1", "./out/image#2", "image#a.tar.gz", "a b#c", "flake:", "image.tar", "#1"]
        {
            assert!(!is_installable(text), "{text}");
        }
    }

    #[test]
    fn a_directory_behind_flake_is_given_to_nix_as_a_path() {
        for (text, given) in
            [("flake:.", "."), ("flake:./a#b", "./a#b"), ("flake:nixpkgs#hello", "flake:nixpkgs#hello")]
        {
            assert_eq!(Program::installable(text).start(), Start::Build(given), "{text}");
        }
    }
}
