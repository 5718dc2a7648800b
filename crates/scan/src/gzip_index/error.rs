use std::io;

/// An error in a gzip stream, with its offset.
///
/// Readers hand it out inside an [`io::Error`] of kind `InvalidData`, or `UnexpectedEof` for a truncated stream;
/// [`io::Error::get_ref`] and `downcast_ref` give it back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("gzip stream: {problem}, at compressed byte {compressed_offset}")]
pub struct GzipError {
    /// How many bytes of the compressed stream were used up when the problem showed.
    pub compressed_offset: u64,
    /// Kind of the error.
    pub problem: GzipProblem,
}

/// Kind of an error in a gzip stream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GzipProblem {
    /// The first two bytes are others.
    #[error("does not begin with the bytes 1f 8b, so this is not gzip")]
    NotGzip,
    /// A compression method other than deflate.
    #[error("compression method {0} is unknown (only 8, deflate, exists)")]
    Method(u8),
    /// Header flags that RFC 1952 reserves.
    #[error("the header sets reserved flags ({0:#04x})")]
    ReservedFlags(u8),
    /// The header's own checksum is another.
    #[error("the header does not match its checksum")]
    HeaderChecksum,
    /// The deflate data makes no sense; the decoder's reason.
    #[error("corrupt deflate data ({0})")]
    Deflate(Box<str>),
    /// The unpacked bytes of a member have another CRC-32 than its trailer says.
    #[error("the unpacked data has CRC-32 {found:08x}, the trailer says {expected:08x}")]
    Checksum {
        /// Checksum in the trailer.
        expected: u32,
        /// Checksum of the data.
        found: u32,
    },
    /// The unpacked bytes of a member are more or fewer than its trailer says.
    #[error("the unpacked data has {found} bytes (modulo 2^32), the trailer says {expected}")]
    Length {
        /// Length in the trailer, modulo 2³².
        expected: u32,
        /// Length of the data, modulo 2³².
        found: u32,
    },
    /// The stream ends inside a member.
    #[error("the stream is truncated")]
    Truncated,
    /// No memory for a decoder (48 KiB).
    #[error("no memory for a decoder")]
    Memory,
    /// It was read on after an error.
    #[error("reading stopped at an earlier error")]
    Stopped,
}

impl GzipProblem {
    pub(super) fn at(self, compressed_offset: u64) -> io::Error {
        let kind = match self {
            Self::Truncated => io::ErrorKind::UnexpectedEof,
            Self::Memory => io::ErrorKind::OutOfMemory,
            _ => io::ErrorKind::InvalidData,
        };
        io::Error::new(kind, GzipError { compressed_offset, problem: self })
    }
}
