use std::io;

use nixdive_scan::{ReadAt as _, Section};

/// Reads until `buffer` is full, the section ends or fails: what was read before a failure counts.
///
/// # Errors
/// If nothing could be read because the section failed.
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

/// The part of a section that could be read.
pub(super) struct Available {
    pub bytes: usize,
    /// Reason why the rest is missing.
    pub problem: Option<String>,
}
