use std::io::{self, Read};
use std::sync::Arc;

use zlib_rs::crc32::crc32;

use super::GzipProblem;
use super::checkpoint::{Checkpoint, CheckpointPlan, IndexInProgress, Recorder};
use super::header::{MAGIC, read_header, read_magic};
use super::inflate::{Inflate, State};
use super::input::Input;

/// The content after the last member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Trailing {
    /// Nothing, or nothing known yet.
    #[default]
    Nothing,
    /// Zeros to the end, as tape blocks are padded.
    Zeros,
    /// Something else, passed over: gzip(1) warns of it and ignores it.
    Garbage {
        /// Offset of its first byte.
        compressed_offset: u64,
    },
}

/// Unpacks a gzip stream (RFC 1952): all its members, one after the other, with their checksums checked. Reads its
/// source to the end.
///
/// Read into buffers of 64 KiB and more; the decoder is slow with small ones.
pub struct GzipReader<R> {
    input: Input<R>,
    phase: Phase,
    member: Member,
    unpacked_offset: u64,
    recorder: Option<Recorder>,
}

enum Phase {
    /// Before the first member.
    Start,
    /// In a member's deflate data.
    Data(Inflate),
    /// After it; its decoder serves the next member.
    Trailer(Inflate),
    Ended(Trailing),
    Failed,
}

/// The part of a member that was unpacked so far.
#[derive(Clone, Default)]
pub(super) struct Member {
    checksum: u32,
    unpacked: u64,
}

impl<R: Read> GzipReader<R> {
    /// Unpacks `source`, without recording anything.
    pub fn new(source: R) -> Self {
        Self {
            input: Input::new(source, 0),
            phase: Phase::Start,
            member: Member::default(),
            unpacked_offset: 0,
            recorder: None,
        }
    }

    /// Unpacks `source` and records checkpoints, which the second part gives out at any time, to any thread.
    pub fn recording(source: R, plan: CheckpointPlan) -> (Self, IndexInProgress) {
        let index = IndexInProgress::default();
        let recorder = Some(Recorder::new(plan, index.clone()));
        (Self { recorder, ..Self::new(source) }, index)
    }

    /// Unpacks from `checkpoint` on; `source` stands where its input begins.
    pub(super) fn resuming(source: R, checkpoint: &Checkpoint) -> io::Result<Self> {
        let no_memory = || GzipProblem::Memory.at(checkpoint.compressed_offset);
        Ok(Self {
            input: Input::new(source, checkpoint.compressed_offset),
            phase: Phase::Data(checkpoint.inflate.copy().ok_or_else(no_memory)?),
            member: checkpoint.member.clone(),
            unpacked_offset: checkpoint.unpacked_offset,
            recorder: None,
        })
    }

    /// Compressed bytes used up so far.
    #[must_use]
    pub fn compressed_offset(&self) -> u64 {
        self.input.offset()
    }

    /// Unpacked bytes given out so far.
    #[must_use]
    pub fn unpacked_offset(&self) -> u64 {
        self.unpacked_offset
    }

    /// Returns the content after the last member; known after [`Read::read`] has returned 0.
    #[must_use]
    pub fn trailing(&self) -> Trailing {
        match self.phase {
            Phase::Ended(trailing) => trailing,
            _ => Trailing::Nothing,
        }
    }

    /// Goes on until something is unpacked. After an error nothing is.
    fn advance(&mut self, output: &mut [u8]) -> io::Result<usize> {
        loop {
            match std::mem::replace(&mut self.phase, Phase::Failed) {
                Phase::Start => {
                    read_magic(&mut self.input)?;
                    let inflate = Inflate::new().ok_or_else(|| GzipProblem::Memory.at(0))?;
                    self.begin_member(inflate)?;
                }
                Phase::Data(inflate) => match self.unpack(inflate, output)? {
                    0 => {}
                    produced => return Ok(produced),
                },
                Phase::Trailer(inflate) => {
                    self.check_trailer()?;
                    match self.find_member()? {
                        None => self.begin_member(inflate)?,
                        Some(trailing) => self.end(trailing),
                    }
                }
                Phase::Ended(trailing) => {
                    self.phase = Phase::Ended(trailing);
                    return Ok(0);
                }
                Phase::Failed => return Err(GzipProblem::Stopped.at(self.input.offset())),
            }
        }
    }

    /// Begins the member whose first two bytes are read.
    fn begin_member(&mut self, mut inflate: Inflate) -> io::Result<()> {
        read_header(&mut self.input)?;
        inflate.reset();
        self.member = Member::default();
        self.phase = Phase::Data(inflate);
        Ok(())
    }

    /// Has the decoder do one step; 0 when it unpacked nothing yet.
    fn unpack(&mut self, mut inflate: Inflate, output: &mut [u8]) -> io::Result<usize> {
        let distance = self.recorder.as_ref().map_or(u64::MAX, |recorder| recorder.distance(self.unpacked_offset));
        let room = usize::try_from(distance).unwrap_or(usize::MAX).min(output.len());
        let output = output.get_mut(..room).unwrap_or_default();
        self.input.fill()?;
        let offered = self.input.available().len();
        let step = inflate.step(self.input.available(), output);
        self.input.consume(step.consumed);
        if step.produced == 0 && step.state == State::Going {
            if offered == 0 {
                return Err(GzipProblem::Truncated.at(self.input.offset()));
            }
            if step.consumed == 0 {
                return Err(GzipProblem::Deflate("the decoder makes no progress".into()).at(self.input.offset()));
            }
        }

        let unpacked = output.get(..step.produced).unwrap_or_default();
        self.member.checksum = crc32(self.member.checksum, unpacked);
        self.member.unpacked = self.member.unpacked.saturating_add(step.produced as u64);
        self.unpacked_offset = self.unpacked_offset.saturating_add(step.produced as u64);
        self.phase = match step.state {
            State::Going => {
                self.record(&inflate);
                Phase::Data(inflate)
            }
            State::Ended => Phase::Trailer(inflate),
            // What was unpacked before the error is handed out first; the decoder reports the error again.
            State::Failed(_) if step.produced > 0 => Phase::Data(inflate),
            State::Failed(reason) => return Err(GzipProblem::Deflate(reason).at(self.input.offset())),
        };
        Ok(step.produced)
    }

    fn record(&mut self, inflate: &Inflate) {
        let Some(recorder) = self.recorder.as_mut().filter(|recorder| recorder.distance(self.unpacked_offset) == 0)
        else {
            return;
        };
        // Without memory for a checkpoint, reading later begins at an earlier one.
        if let Some(inflate) = inflate.copy() {
            recorder.keep(Checkpoint {
                compressed_offset: self.input.offset(),
                unpacked_offset: self.unpacked_offset,
                member: self.member.clone(),
                inflate: Arc::new(inflate),
            });
        }
    }

    fn check_trailer(&mut self) -> io::Result<()> {
        let start = self.input.offset();
        let (checksum, length) = (self.input.number()?, self.input.number()?);
        let found = self.member.checksum;
        if found != checksum {
            return Err(GzipProblem::Checksum { expected: checksum, found }.at(start));
        }
        let found = self.member.unpacked as u32;
        if found != length {
            return Err(GzipProblem::Length { expected: length, found }.at(start));
        }
        Ok(())
    }

    /// Looks for another member: `None` when there is one, whose first two bytes are then read.
    fn find_member(&mut self) -> io::Result<Option<Trailing>> {
        let start = self.input.offset();
        let first = self.input.peek()?;
        if first.is_none() {
            return Ok(Some(Trailing::Nothing));
        }
        if first == Some(0) {
            return self.pass_zeros().map(Some);
        }
        if first == Some(MAGIC[0]) {
            self.input.consume(1);
            if self.input.peek()? == Some(MAGIC[1]) {
                self.input.consume(1);
                return Ok(None);
            }
        }
        self.pass_garbage(start).map(Some)
    }

    fn pass_zeros(&mut self) -> io::Result<Trailing> {
        loop {
            match self.input.peek()? {
                None => return Ok(Trailing::Zeros),
                Some(0) => {
                    let zeros = self.input.available().iter().take_while(|&&byte| byte == 0).count();
                    self.input.consume(zeros);
                }
                Some(_) => return self.pass_garbage(self.input.offset()),
            }
        }
    }

    /// Reads on to the end, for whoever takes a digest of the source.
    fn pass_garbage(&mut self, compressed_offset: u64) -> io::Result<Trailing> {
        while self.input.peek()?.is_some() {
            self.input.consume(self.input.available().len());
        }
        Ok(Trailing::Garbage { compressed_offset })
    }

    fn end(&mut self, trailing: Trailing) {
        self.phase = Phase::Ended(trailing);
        if let Some(recorder) = &mut self.recorder {
            recorder.complete(self.unpacked_offset, trailing);
        }
    }
}

impl<R: Read> Read for GzipReader<R> {
    fn read(&mut self, output: &mut [u8]) -> io::Result<usize> {
        if output.is_empty() { Ok(0) } else { self.advance(output) }
    }
}
