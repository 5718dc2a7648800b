//! Named pipes and devices: opened without waiting for anybody on the other side for ever.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_setfl};

/// How long the writer of a named pipe may take to open it.
const PATIENCE: Duration = Duration::from_secs(3);

/// Opens what is neither a regular file nor a directory, to be read once and in order.
///
/// # Errors
/// Those of the system, and when nobody opens a pipe for writing within a few seconds.
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

/// Waits until a writer is there; what had to be read to find out is given.
fn first_byte(file: &mut File) -> io::Result<Vec<u8>> {
    let patience = Timespec::try_from(PATIENCE).map_err(io::Error::other)?;
    // Before anybody has opened it for writing, this waits; afterwards it returns with bytes or with the end.
    while let Err(error) = poll(&mut [PollFd::new(&*file, PollFlags::IN)], Some(&patience)) {
        if error != rustix::io::Errno::INTR {
            return Err(error.into());
        }
    }
    let mut byte = [0];
    match file.read(&mut byte) {
        Ok(0) => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "is a pipe that nobody writes to; start its writer, or give the image on standard input",
        )),
        Ok(_) => Ok(byte.to_vec()),
        // A writer that takes its time.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}
