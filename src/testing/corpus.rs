use std::path::PathBuf;

use crate::image::Image;
use crate::open::{OpenOptions, Progress, open};
use crate::reference::Reference;

/// An image of the corpus, which `NIXDIVE_CORPUS` names; `None` with a printed reason where there is none.
pub(crate) fn corpus_image(name: &str) -> Option<Image> {
    let file = corpus_file(name)?;
    let reference = Reference::parse(file.as_os_str()).unwrap();
    Some(open(&reference, &OpenOptions::default(), &Progress::new()).unwrap().image)
}

/// A file of the corpus.
pub(crate) fn corpus_file(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("NIXDIVE_CORPUS").map_or_else(|| PathBuf::from("../shared/corpus"), PathBuf::from);
    let file = root.join(name);
    if file.exists() {
        return Some(file);
    }
    assert!(std::env::var_os("NIXDIVE_LIVE").is_none_or(|live| live != "1"), "{} is missing", file.display());
    println!("skipped: {} is missing (set NIXDIVE_CORPUS)", file.display());
    None
}
