use std::io::{self, BufRead, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_channel::{Receiver, Sender, bounded};
use sha2::{Digest as _, Sha256};

use super::Verifier;
use nixdive_base::cancel::Cancel;
use nixdive_image::Digest;

/// Bytes handed from the decoding thread to the reading one at a time.
const BLOCK_BYTES: usize = 256 << 10;
/// Blocks under way between the two: memory of one pipe is this many blocks and two more.
const BLOCKS: usize = 16;

/// The limit beyond which an unpacked stream counts as a decompression bomb.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnpackLimit {
    /// Bytes that any stream may unpack to.
    pub always: u64,
    /// Beyond that, unpacked bytes for each compressed byte. Deflate cannot reach more than 1032.
    pub ratio: u64,
}

impl Default for UnpackLimit {
    fn default() -> Self {
        Self { always: 4 << 30, ratio: 200 }
    }
}

impl UnpackLimit {
    fn check(self, unpacked: u64, compressed: u64) -> io::Result<()> {
        let most = self.always.max(compressed.saturating_mul(self.ratio));
        if unpacked <= most {
            return Ok(());
        }
        Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!(
                "{compressed} compressed bytes unpack to more than the limit of {most} bytes; raise --unpack-limit if this is intended"
            ),
        ))
    }
}

/// Counts the bytes that are taken out, for a thread that watches; what is only buffered does not count.
pub struct CountingReader<R> {
    inner: R,
    count: Arc<AtomicU64>,
}

impl<R> CountingReader<R> {
    /// Reads `inner` and adds what it gives to `count`.
    pub fn new(inner: R, count: Arc<AtomicU64>) -> Self {
        Self { inner, count }
    }
}

impl<R: BufRead> Read for CountingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.count.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

impl<R: BufRead> BufRead for CountingReader<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.count.fetch_add(amount as u64, Ordering::Relaxed);
        self.inner.consume(amount);
    }
}

/// The SHA-256 of a stream, and its digest by another algorithm where that was asked for.
pub type StreamDigests = ([u8; 32], Option<Digest>);

/// Adds all bytes that pass to a SHA-256, and hands it out at the end.
pub struct HashingReader<R> {
    inner: R,
    hash: Option<(Sha256, Option<Verifier>)>,
    done: Sender<StreamDigests>,
}

impl<R: Read> HashingReader<R> {
    /// Reads `inner`; when its end is reached, or it is dropped after [`Read::read`] gave 0, the digests are sent.
    pub fn new(inner: R, verifier: Option<Verifier>) -> (Self, Receiver<StreamDigests>) {
        let (done, receiver) = bounded(1);
        (Self { inner, hash: Some((Sha256::new(), verifier)), done }, receiver)
    }
}

impl<R: Read> Read for HashingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        if count > 0 {
            if let Some((hash, verifier)) = &mut self.hash {
                hash.update(&buffer[..count]);
                if let Some(verifier) = verifier {
                    verifier.update(&buffer[..count]);
                }
            }
        } else if !buffer.is_empty()
            && let Some((hash, verifier)) = self.hash.take()
        {
            // The receiver may have lost interest.
            let _ = self.done.send((hash.finalize().into(), verifier.and_then(Verifier::finish)));
        }
        Ok(count)
    }
}

/// A stream in blocks: unpacked by a thread of its own, some blocks ahead of whoever reads it, or read when asked for.
pub struct BlockReader {
    supply: Supply,
    block: Block,
    start: usize,
    passed: u64,
    /// Compressed bytes that went into what came before the current block.
    compressed_before: u64,
    failure: Option<io::Error>,
}

/// The source of blocks.
enum Supply {
    Thread { filled: Receiver<io::Result<Block>>, empty: Sender<Vec<u8>> },
    Input { input: Box<dyn Read + Send>, failure: Option<io::Error>, cancel: Cancel },
}

/// Unpacked bytes, and how many compressed ones had been taken when they were complete.
#[derive(Default)]
struct Block {
    bytes: Vec<u8>,
    compressed: u64,
}

impl BlockReader {
    /// Reads `input` on a new thread. `compressed` counts the bytes that went into it so far.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn spawn(
        mut input: Box<dyn Read + Send>,
        compressed: Arc<AtomicU64>,
        limit: UnpackLimit,
        cancel: Cancel,
    ) -> io::Result<Self> {
        let (filled_in, filled) = bounded(BLOCKS);
        let (empty, empty_out) = bounded::<Vec<u8>>(BLOCKS + 2);
        let work = move || {
            let mut unpacked = 0u64;
            loop {
                let mut block = empty_out.try_recv().unwrap_or_default();
                let failure = cancel.check().and_then(|()| fill(&mut *input, &mut block)).err();
                unpacked = unpacked.saturating_add(block.len() as u64);
                let failure = failure.or_else(|| limit.check(unpacked, compressed.load(Ordering::Relaxed)).err());
                let last = block.is_empty() || failure.is_some();
                let compressed = compressed.load(Ordering::Relaxed);
                if !block.is_empty() && filled_in.send(Ok(Block { bytes: block, compressed })).is_err() {
                    return;
                }
                if let Some(failure) = failure {
                    // Whoever reads may be gone already.
                    let _ = filled_in.send(Err(failure));
                }
                if last {
                    return;
                }
            }
        };
        std::thread::Builder::new().name("unpack".into()).spawn(work)?;
        Ok(Self::new(Supply::Thread { filled, empty }))
    }

    /// Reads a plain `input` on the thread that asks for it: where every core has a stream of its own to read, handing
    /// blocks from thread to thread costs more than it saves.
    #[must_use]
    pub fn direct(input: Box<dyn Read + Send>, cancel: Cancel) -> Self {
        Self::new(Supply::Input { input, failure: None, cancel })
    }

    fn new(supply: Supply) -> Self {
        Self { supply, block: Block::default(), start: 0, passed: 0, compressed_before: 0, failure: None }
    }

    /// Bytes taken out so far.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.passed
    }

    /// Compressed bytes that went into the bytes taken out so far; within a block by proportion.
    #[must_use]
    pub fn compressed_position(&self) -> u64 {
        let within = self.block.compressed.saturating_sub(self.compressed_before);
        let length = self.block.bytes.len().max(1) as u64;
        self.compressed_before + within * self.start as u64 / length
    }

    /// Returns the bytes available without waiting for the next block, or waits for it if there are
    /// none. Empty at the end.
    ///
    /// # Errors
    /// If the unpacking thread failed.
    pub fn chunk(&mut self) -> io::Result<&[u8]> {
        if self.start == self.block.bytes.len() {
            self.next_block()?;
        }
        Ok(&self.block.bytes[self.start..])
    }

    /// Takes `count` bytes of the last [`Self::chunk`] out.
    pub fn consume(&mut self, count: usize) {
        let count = count.min(self.block.bytes.len() - self.start);
        self.start += count;
        self.passed += count as u64;
    }

    fn next_block(&mut self) -> io::Result<()> {
        if let Some(failure) = &self.failure {
            return Err(io::Error::new(failure.kind(), failure.to_string()));
        }
        let used = std::mem::take(&mut self.block);
        self.start = 0;
        if used.bytes.capacity() > 0 {
            self.compressed_before = used.compressed;
        }
        match self.supply.next(used) {
            Ok(block) => self.block = block,
            Err(error) => {
                self.failure = Some(io::Error::new(error.kind(), error.to_string()));
                return Err(error);
            }
        }
        Ok(())
    }
}

impl Supply {
    /// The next block; an empty one at the end. `used` is one that is no longer needed.
    fn next(&mut self, used: Block) -> io::Result<Block> {
        match self {
            Self::Thread { filled, empty } => {
                if used.bytes.capacity() > 0 {
                    // A full or closed channel only means that this buffer is not needed again.
                    let _ = empty.try_send(used.bytes);
                }
                filled.recv().unwrap_or_else(|_| Ok(Block::default()))
            }
            Self::Input { input, failure, cancel } => {
                cancel.check()?;
                if let Some(failure) = failure.take() {
                    return Err(failure);
                }
                let Block { mut bytes, compressed } = used;
                *failure = fill(&mut **input, &mut bytes).err();
                if let Some(failure) = failure.take_if(|_| bytes.is_empty()) {
                    return Err(failure);
                }
                let compressed = compressed.saturating_add(bytes.len() as u64);
                Ok(Block { bytes, compressed })
            }
        }
    }
}

impl Read for BlockReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let chunk = self.chunk()?;
        let count = chunk.len().min(buffer.len());
        buffer[..count].copy_from_slice(&chunk[..count]);
        self.consume(count);
        Ok(count)
    }
}

/// Fills `block` with up to [`BLOCK_BYTES`]; empty at the end. Bytes read before a failure stay in it.
fn fill(input: &mut dyn Read, block: &mut Vec<u8>) -> io::Result<()> {
    block.resize(BLOCK_BYTES, 0);
    let mut filled = 0;
    let mut result = Ok(());
    while filled < block.len() {
        match input.read(&mut block[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                result = Err(error);
                break;
            }
        }
    }
    block.truncate(filled);
    result
}
