use std::io::{self, Write};

use crate::image::display_name;

/// Says on standard error why something could not be done: once, without control characters.
pub fn complain(error: &anyhow::Error) {
    let message = error.to_string();
    let shown: Vec<String> = message.lines().map(|line| display_name(line.as_bytes()).into_owned()).collect();
    // There is no one left to tell when standard error is closed.
    let _ = writeln!(io::stderr(), "nixdive: {}", shown.join("\n"));
}

/// Whether whoever read standard output has gone away.
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    })
}
