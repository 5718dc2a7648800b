use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use crate::image::display_name;

/// Says on standard error why something could not be done: once, without control characters.
pub fn complain(error: &anyhow::Error) {
    note(&error.to_string());
}

/// Says something on standard error, without control characters.
pub fn note(message: &str) {
    let shown: Vec<String> = message.lines().map(|line| display_name(line.as_bytes()).into_owned()).collect();
    // There is no one left to tell when standard error is closed.
    let _ = writeln!(io::stderr(), "nixdive: {}", shown.join("\n"));
}

/// Whether whoever read standard output has gone away.
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .any(|cause| cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe))
}

/// Prints on standard output through a large buffer.
///
/// # Errors
/// One that says that standard output is what failed; a reader who has gone away is still told by [`is_broken_pipe`].
pub fn print(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> anyhow::Result<()> {
    let mut out = BufWriter::with_capacity(64 << 10, io::stdout().lock());
    write(&mut out).and_then(|()| out.flush()).map_err(|error| {
        let message = format!("standard output: {error}");
        anyhow::Error::new(error).context(message)
    })
}

/// Writes a file whole or not at all: beside its place, and then moved there. What is no regular file, a device or a
/// pipe, is written to directly.
///
/// # Errors
/// One that names the file.
pub fn write_whole(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> anyhow::Result<()> {
    let failed = |error: io::Error| anyhow::anyhow!("{}: {error}", display_name(path.as_os_str().as_encoded_bytes()));
    if path.metadata().is_ok_and(|metadata| !metadata.is_file()) {
        let mut out = BufWriter::new(File::options().write(true).open(path).map_err(failed)?);
        return write(&mut out).and_then(|()| out.flush()).map_err(failed);
    }
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut beside = tempfile::Builder::new().prefix(".nixdive-").tempfile_in(directory).map_err(failed)?;
    let mut out = BufWriter::new(beside.as_file_mut());
    write(&mut out).and_then(|()| out.flush()).map_err(failed)?;
    drop(out);
    readable_as_usual(beside.as_file()).map_err(failed)?;
    beside.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

/// A temporary file is its owner's alone; a report is for others too.
fn readable_as_usual(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}
