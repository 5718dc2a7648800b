//! Bad input: a clear error, or the image with a warning; never a panic, a hang, or memory without bound.

mod bombs;
mod damaged;
mod documents;
mod nix;
mod shapes;

use std::path::Path;

use crate::support::program::{OpenResult, open_typed};

/// That what is typed is refused in one sentence that begins with the file; gives the sentence.
#[track_caller]
fn refused(typed: impl AsRef<Path>) -> String {
    match open_typed(typed.as_ref()) {
        Ok(opened) => panic!("it opens, with {:?}", opened.image.warnings),
        Err(error) => sentence(typed.as_ref(), &error),
    }
}

#[track_caller]
fn sentence(typed: &Path, error: &nixdive::open::OpenError) -> String {
    let message = error.to_string();
    assert!(message.starts_with(&format!("{}: ", typed.display())), "names the file first: {message}");
    assert_eq!(message.lines().count(), 1, "{message}");
    assert!(!message.ends_with('.'), "{message}");
    message
}

/// The warnings of an image that opens all the same.
#[track_caller]
fn warnings(result: OpenResult) -> Vec<String> {
    let opened = result.unwrap_or_else(|error| panic!("{error}"));
    opened.image.warnings.iter().map(|warning| warning.message.clone()).collect()
}
