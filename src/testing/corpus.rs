use std::ffi::OsStr;
use std::path::PathBuf;

use crate::image::Image;
use crate::open::{OpenOptions, Opened, Progress, open};
use crate::reference::Reference;

/// An image of the corpus; `None` with a printed reason where there is none.
pub(crate) fn corpus_image(name: &str) -> Option<Image> {
    Some(open_as_typed(corpus_file(name)?.as_os_str(), &OpenOptions::default()).image)
}

/// An image as a user names it.
pub(crate) fn open_as_typed(text: &OsStr, options: &OpenOptions) -> Opened {
    open(&Reference::parse(text).unwrap(), options, &Progress::new()).unwrap()
}

/// A file of the corpus: the directory that `NIXDIVE_CORPUS` names, else `../shared/corpus`. Who has no corpus cannot
/// fetch one, so that the tests are then skipped in any case; but a corpus that was named, or is there, has to be whole.
pub(crate) fn corpus_file(name: &str) -> Option<PathBuf> {
    let named = std::env::var_os("NIXDIVE_CORPUS").map(PathBuf::from);
    let root = named.clone().unwrap_or_else(|| PathBuf::from("../shared/corpus"));
    let file = root.join(name);
    if file.exists() {
        return Some(file);
    }
    assert!(named.is_none() && !root.exists(), "{} is missing", file.display());
    println!("skipped: {} is missing (set NIXDIVE_CORPUS)", file.display());
    None
}
