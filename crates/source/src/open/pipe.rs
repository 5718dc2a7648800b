//! Named pipes and devices, opened with a limit on the wait for a writer.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_setfl};

/// Time that the writer of a named pipe may take to open it.
const PATIENCE: Duration = Duration::from_secs(3);

/// Opens a file other than a regular file or a directory, to be read once and in order.
///
/// # Errors
/// If the system cannot open it, or no writer opens a pipe within a few seconds.
pub(super) fn open_pipe_or_device(path: &Path) -> io::Result<Box<dyn Read + Send>> {
    let no_waiting = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let mut file = File::options().read(true).custom_flags(no_waiting).open(path)?;
    let mut first = Vec::new();
    if file.metadata()?.file_type().is_fifo() {
        first = first_byte(&mut file)?;
    }
    fcntl_setfl(&file, OFlags::empty())?;
    Ok(Box::new(io::Cursor::new(first).chain(file)))
}

/// Waits for a writer, and returns the bytes read in the process.
fn first_byte(file: &mut File) -> io::Result<Vec<u8>> {
    let patience = Timespec::try_from(PATIENCE).map_err(io::Error::other)?;
    // Until a writer has opened the pipe, this waits; afterwards it returns with bytes or at the end.
    while let Err(error) = poll(&mut [PollFd::new(&*file, PollFlags::IN)], Some(&patience)) {
        if error != rustix::io::Errno::INTR {
            return Err(error.into());
        }
    }
    let mut byte = [0];
    match file.read(&mut byte) {
        Ok(0) => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "is a pipe without a writer; start its writer, or give the image on standard input",
        )),
        Ok(_) => Ok(byte.to_vec()),
        // The writer has opened the pipe, but not written yet.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}
