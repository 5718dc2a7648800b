use std::io;

use nixdive_scan::{ReadAt as _, Section};

/// Reads until `buffer` is full, the section ends or fails: what was read before a failure counts.
///
/// # Errors
/// Those of the section, where nothing could be read.
pub(super) fn read_available(section: &Section, buffer: &mut [u8], offset: u64) -> io::Result<Available> {
    let mut bytes = 0;
    while let Some(rest) = buffer.get_mut(bytes..).filter(|rest| !rest.is_empty()) {
        match section.read_at(rest, offset.saturating_add(bytes as u64)) {
            Ok(0) => break,
            Ok(count) => bytes += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if bytes == 0 => return Err(error),
            Err(error) => return Ok(Available { bytes, problem: Some(error.to_string()) }),
        }
    }
    Ok(Available { bytes, problem: None })
}

/// What could be read.
pub(super) struct Available {
    pub bytes: usize,
    /// Why there is no more of it.
    pub problem: Option<String>,
}
