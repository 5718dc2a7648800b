//! The deflate decoder, with the one thing that flate2 and zlib-rs do not offer safely: a copy of its state.
//!
//! `inflateCopy` is the only way to resume *inside* a block. Starts of blocks alone, which need no
//! `unsafe`, are not enough: zlib-ng and zlib-rs at level 1, and igzip at level 0, write one block
//! whatever the length of the data.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_int};

use libz_rs_sys as zlib;

/// Deflate without a header and with the largest window.
const RAW: c_int = -15;

/// A decoder of raw deflate data.
pub(super) struct Inflate {
    // In a box because zlib's interface forbids to move an initialised stream.
    stream: Box<zlib::z_stream>,
}

// SAFETY: the stream owns what it points to, that is its state, and nothing in it belongs to a
// thread. Its input and output pointers are set before each use. Through a shared reference it is
// only copied, which only reads it.
unsafe impl Send for Inflate {}
// SAFETY: as above.
unsafe impl Sync for Inflate {}

/// Result of one call.
pub(super) struct Step {
    /// How much of the input is used up, bytes.
    pub consumed: usize,
    /// How much of the output is written, bytes.
    pub produced: usize,
    pub state: State,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    /// There is more to come.
    Going,
    /// The deflate data ended.
    Ended,
    /// It makes no sense; why.
    Failed(Box<str>),
}

impl Inflate {
    /// A copy of [`Inflate`] takes about this much memory, bytes: its window, its tables and the rest of its state.
    pub const STATE_BYTES: usize = 48 << 10;

    /// Creates a decoder; `None` if memory is exhausted.
    pub fn new() -> Option<Self> {
        let mut stream = Box::new(zlib::z_stream::default());
        // SAFETY: the stream is a valid one with the default allocator set, and version and length are those of the
        // library itself.
        let code = unsafe {
            zlib::inflateInit2_(&mut *stream, RAW, zlib::zlibVersion(), size_of::<zlib::z_stream>() as c_int)
        };
        (code == zlib::Z_OK).then_some(Self { stream })
    }

    /// Makes ready for other data.
    pub fn reset(&mut self) {
        // SAFETY: the stream is initialised, as it is in every `Inflate`.
        unsafe { zlib::inflateReset(&mut *self.stream) };
    }

    /// Unpacks some of `input` into `output`.
    pub fn step(&mut self, input: &[u8], output: &mut [u8]) -> Step {
        let input = input.get(..u32::MAX as usize).unwrap_or(input);
        let room = output.len().min(u32::MAX as usize);
        let stream = &mut *self.stream;
        stream.next_in = input.as_ptr();
        stream.avail_in = input.len() as u32;
        stream.next_out = output.as_mut_ptr();
        stream.avail_out = room as u32;
        // SAFETY: the stream is initialised; its input and output are two live slices with their lengths or less, of
        // which the output is borrowed for this call alone.
        let code = unsafe { zlib::inflate(stream, zlib::Z_NO_FLUSH) };
        let consumed = input.len().saturating_sub(stream.avail_in as usize);
        let produced = room.saturating_sub(stream.avail_out as usize);
        // The slices end with this call. What is left points nowhere but is not null, for a copy refuses null.
        stream.next_in = std::ptr::NonNull::<u8>::dangling().as_ptr();
        stream.avail_in = 0;
        stream.next_out = std::ptr::NonNull::<u8>::dangling().as_ptr();
        stream.avail_out = 0;
        let state = match code {
            zlib::Z_OK | zlib::Z_BUF_ERROR => State::Going,
            zlib::Z_STREAM_END => State::Ended,
            _ => State::Failed(self.reason()),
        };
        Step { consumed, produced, state }
    }

    /// Returns a second decoder that continues from the same state; `None` if memory is exhausted,
    /// or nothing was unpacked yet.
    pub fn copy(&self) -> Option<Self> {
        let mut stream = Box::new(zlib::z_stream::default());
        // SAFETY: the source is initialised and is only read; the destination is memory for one stream and owns nothing
        // that would be lost. The copy gets a state of its own.
        let code = unsafe { zlib::inflateCopy(&mut *stream, &*self.stream) };
        (code == zlib::Z_OK).then_some(Self { stream })
    }

    fn reason(&self) -> Box<str> {
        if self.stream.msg.is_null() {
            return "the decoder gives no reason".into();
        }
        // SAFETY: zlib sets the message to a static string that ends with a zero, or to null.
        let text = unsafe { CStr::from_ptr(self.stream.msg) };
        text.to_string_lossy().into()
    }
}

impl Drop for Inflate {
    fn drop(&mut self) {
        // SAFETY: the stream is initialised and is not used again.
        unsafe { zlib::inflateEnd(&mut *self.stream) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// "a" and then 1000 copies of it, in one block with the fixed codes.
    const PACKED: &[u8] = &[0x4b, 0x4c, 0x1c, 0x05, 0xa3, 0x60, 0x14, 0x0c, 0x7b, 0x00, 0x00];

    #[test]
    fn a_copy_and_its_original_go_on_each_for_itself() {
        let mut first = Inflate::new().unwrap();
        let mut output = [0; 2000];
        let step = first.step(PACKED, &mut output[..10]);
        assert_eq!((step.produced, step.state), (10, State::Going));
        let second = first.copy().unwrap();
        let rest = &PACKED[step.consumed..];
        let go_on = move || {
            let mut second = second;
            let step = second.step(rest, &mut [0; 2000]);
            assert_eq!((step.produced, step.state), (991, State::Ended));
        };
        std::thread::spawn(go_on).join().unwrap();
        assert_eq!(first.step(rest, &mut output).produced, 991);
    }

    #[test]
    fn a_new_and_a_failed_decoder_may_be_copied_too() {
        let new = Inflate::new().unwrap();
        if let Some(mut copy) = new.copy() {
            assert_eq!(copy.step(PACKED, &mut [0; 2000]).produced, 1001);
        }
        let mut failed = Inflate::new().unwrap();
        let State::Failed(reason) = failed.step(b"\x07", &mut [0; 9]).state else { panic!("block type 3 is none") };
        assert_eq!(&*reason, "invalid block type");
        if let Some(mut copy) = failed.copy() {
            assert_ne!(copy.step(PACKED, &mut [0; 2000]).state, State::Ended);
        }
    }

    #[test]
    fn a_reset_forgets_the_window() {
        let mut inflate = Inflate::new().unwrap();
        let mut output = [0; 2000];
        assert_eq!(inflate.step(PACKED, &mut output).state, State::Ended);
        inflate.reset();
        // A match of three at distance one, with nothing before it.
        assert!(matches!(inflate.step(&[0x03, 0x02, 0x00], &mut output).state, State::Failed(_)));
    }
}
