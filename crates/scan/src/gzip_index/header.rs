use std::io::{self, Read};

use zlib_rs::crc32::crc32;

use super::GzipProblem;
use super::input::Input;

/// The first two bytes of every member.
pub(super) const MAGIC: [u8; 2] = [0x1f, 0x8b];

const HEADER_CHECKSUM: u8 = 1 << 1;
const EXTRA: u8 = 1 << 2;
const NAME: u8 = 1 << 3;
const COMMENT: u8 = 1 << 4;
const RESERVED: u8 = 0b1110_0000;

/// Reads the two bytes that every member begins with.
pub(super) fn read_magic<R: Read>(input: &mut Input<R>) -> io::Result<()> {
    for expected in MAGIC {
        if input.byte()? != expected {
            return Err(GzipProblem::NotGzip.at(input.offset()));
        }
    }
    Ok(())
}

/// Reads the rest of a member header (RFC 1952, section 2.3). Name and comment are passed over, whatever their length.
pub(super) fn read_header<R: Read>(input: &mut Input<R>) -> io::Result<()> {
    let mut header = Header { checksum: crc32(0, &MAGIC), input };
    let method = header.byte()?;
    if method != 8 {
        return Err(header.problem(GzipProblem::Method(method)));
    }
    let flags = header.byte()?;
    if flags & RESERVED != 0 {
        return Err(header.problem(GzipProblem::ReservedFlags(flags & RESERVED)));
    }
    for _time_level_and_system in 0..6 {
        header.byte()?;
    }
    if flags & EXTRA != 0 {
        let length = u16::from_le_bytes([header.byte()?, header.byte()?]);
        for _ in 0..length {
            header.byte()?;
        }
    }
    for text in [NAME, COMMENT] {
        while flags & text != 0 && header.byte()? != 0 {}
    }
    if flags & HEADER_CHECKSUM != 0 {
        let found = header.checksum as u16;
        if u16::from_le_bytes([header.byte()?, header.byte()?]) != found {
            return Err(header.problem(GzipProblem::HeaderChecksum));
        }
    }
    Ok(())
}

struct Header<'a, R> {
    input: &'a mut Input<R>,
    checksum: u32,
}

impl<R: Read> Header<'_, R> {
    fn byte(&mut self) -> io::Result<u8> {
        let byte = self.input.byte()?;
        self.checksum = crc32(self.checksum, &[byte]);
        Ok(byte)
    }

    fn problem(&self, problem: GzipProblem) -> io::Error {
        problem.at(self.input.offset())
    }
}
