use std::path::{Path, PathBuf};

/// The root of the workspace.
pub fn workspace() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// A file of the corpus: the directory that `NIXDIVE_CORPUS` names, else `../shared/corpus`. Who has no corpus cannot
/// fetch one, so that the tests are then skipped in any case; but a corpus that was named, or is there, has to be whole.
pub fn corpus_file(name: &str) -> Option<PathBuf> {
    let named = std::env::var_os("NIXDIVE_CORPUS").map(PathBuf::from);
    let root = named.clone().unwrap_or_else(|| workspace().join("../shared/corpus"));
    let file = root.join(name);
    if file.exists() {
        return Some(file);
    }
    assert!(named.is_none() && !root.exists(), "{} is missing", file.display());
    println!("skipped: {} is missing (set NIXDIVE_CORPUS)", file.display());
    None
}
