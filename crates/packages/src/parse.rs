use super::PackageSet;
use super::database::{DatabaseFile, Files};
use super::ecosystem::{Part, Source, part_of};
use super::set::{SetBuilder, trim_slashes};

/// A database that could not be read, wholly or in part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file, without a leading slash.
    pub path: Vec<u8>,
    /// Description of the problem, one sentence.
    pub message: String,
}

/// Packages and problems of a set of database files.
#[derive(Debug, Default)]
pub struct Parsed {
    /// All installed packages.
    pub packages: PackageSet,
    /// Problems in the files; packages read before are kept.
    pub problems: Vec<Problem>,
}

/// Reads all packages from the database files of one view of an image. Ignores files that are not
/// databases; of two files with the same path the last counts.
#[must_use]
pub fn parse(files: &[DatabaseFile<'_>]) -> Parsed {
    let all = Files::new(files);
    let mut builder = SetBuilder::new();
    let mut problems = Vec::new();
    for (index, file) in files.iter().enumerate() {
        let path = trim_slashes(&file.path);
        if all.get(path).map(|(place, _)| place) != Some(index) {
            continue;
        }
        let Some((kind, Part::Database)) = part_of(path) else { continue };
        let source = Source { index, path, content: file.content, files: &all };
        let result = kind.ecosystem().parse(&source, &mut builder);
        if let Err(error) = result {
            problems.push(Problem { path: path.to_vec(), message: error.to_string() });
        }
    }
    let (packages, overflowed) = builder.finish();
    if overflowed {
        let message = "exceeds the limit on packages, files or path lengths; the rest is left out".to_owned();
        problems.push(Problem { path: Vec::new(), message });
    }
    Parsed { packages, problems }
}
