//! Verification that transferred blobs are complete and match their descriptions.

use std::io::{self, BufReader, Read};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded};

use nixdive_base::cancel::Cancel;
use nixdive_image::{Compression, Digest};
use nixdive_scan::compression::decoder;
use nixdive_scan::tar::{TarError, TarWalker};
use nixdive_scan::{BlockReader, Part, UnpackLimit, beside_sha256};

/// Number of pieces of a blob that may wait to be unpacked.
const PIECES: usize = 16;

/// Handling of a blob that is absent, truncated, or does not match its digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Strictness {
    /// Report an error. Layers that are read are also unpacked to verify their diffIDs.
    #[default]
    Require,
    /// Warn and transfer the blob unchanged.
    Allow,
    /// Report an error, without verifying diffIDs again: this program has just written the blobs itself.
    Own,
}

/// Verification policy, and the defects found if they are allowed. Clones share the latter.
#[derive(Debug, Clone, Default)]
pub struct Verification {
    strictness: Strictness,
    warnings: Arc<Mutex<Vec<String>>>,
}

impl Verification {
    /// Creates a verification without findings.
    #[must_use]
    pub fn new(strictness: Strictness) -> Self {
        Self { strictness, warnings: Arc::default() }
    }

    /// Returns `true` if defects are allowed.
    #[must_use]
    pub fn allows(&self) -> bool {
        self.strictness == Strictness::Allow
    }

    /// Returns `true` if layers are unpacked to verify their diffIDs even if the transfer does not need it.
    #[must_use]
    pub fn unpacks(&self) -> bool {
        self.strictness != Strictness::Own
    }

    /// Records a defect if defects are allowed.
    ///
    /// # Errors
    /// The reason, if defects are not allowed.
    pub fn settle(&self, what: &str, reason: String) -> Result<(), String> {
        if !self.allows() {
            return Err(reason);
        }
        let warning = format!("{what}: {reason}");
        let mut warnings = self.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        if !warnings.contains(&warning) {
            warnings.push(warning);
        }
        Ok(())
    }

    /// Returns the defects found so far.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        self.warnings.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Expected unpacked stream of a layer.
#[derive(Debug, Clone)]
pub(super) struct Unpacked {
    pub diff_id: Digest,
    pub compression: Compression,
    pub stored_bytes: u64,
    pub limit: UnpackLimit,
}

/// Unpacks a blob on its own thread while it is transferred, and verifies the diffID.
pub(super) struct UnpackCheck {
    sender: Option<Sender<Vec<u8>>>,
    thread: Option<JoinHandle<Result<(), String>>>,
}

impl UnpackCheck {
    /// Starts at the first byte of the blob.
    pub fn start(expected: Unpacked, cancel: Cancel) -> io::Result<Self> {
        let (sender, receiver) = bounded(PIECES);
        let work = move || expected.verify(Box::new(Pieces { receiver, piece: Vec::new(), taken: 0 }), &cancel);
        let thread = std::thread::Builder::new().name("verify".into()).spawn(work)?;
        Ok(Self { sender: Some(sender), thread: Some(thread) })
    }

    /// Adds the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        // The unpacking thread may have finished early.
        if self.sender.as_ref().is_some_and(|sender| sender.send(bytes.to_vec()).is_err()) {
            self.sender = None;
        }
    }

    /// Returns the defect of the blob, after all of it was given.
    pub fn finish(&mut self) -> Result<(), String> {
        self.sender = None;
        let Some(thread) = self.thread.take() else { return Ok(()) };
        thread.join().unwrap_or_else(|_| Err("a thread failed".to_owned()))
    }
}

/// Stream of the pieces that another thread sends.
struct Pieces {
    receiver: Receiver<Vec<u8>>,
    piece: Vec<u8>,
    taken: usize,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.piece.len() {
            self.taken = 0;
            match self.receiver.recv() {
                Ok(piece) => self.piece = piece,
                Err(_) => return Ok(0),
            }
        }
        let rest = self.piece.get(self.taken..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.taken += count;
        Ok(count)
    }
}

impl Unpacked {
    /// Reads a blob to its end: it must unpack, within the limit, to a complete tar stream that matches the diffID.
    fn verify(&self, blob: Box<dyn Read + Send>, cancel: &Cancel) -> Result<(), String> {
        let failed = |error: io::Error| error.to_string();
        let plain = match self.compression {
            Compression::None => blob,
            packed => decoder(BufReader::with_capacity(128 << 10, blob), packed, 1).map_err(failed)?,
        };
        let limited = Limited::new(plain, self.compression, self.stored_bytes, self.limit);
        let mut reader = BlockReader::direct(Box::new(limited), cancel.clone());
        let mut part = Part::new(&mut reader, u64::MAX, true, cancel.clone());
        if let Some(verifier) = beside_sha256(Some(&self.diff_id)) {
            part.verify(verifier);
        }
        let mut walker = TarWalker::new(part);
        loop {
            match walker.advance() {
                Ok(true) => {}
                // A stream that is not a tar archive still has a digest.
                Ok(false) | Err(TarError::NotAHeader(_)) => break,
                Err(error) => return Err(error.to_string()),
            }
        }
        let end = walker.into_input().finish().map_err(failed)?;
        let sha256 = end.sha256.as_ref().map(Digest::from_sha256);
        compare(&self.diff_id, end.other.or(sha256).as_ref())
    }
}

/// Compares the actual digest of a layer with the diffID in the configuration.
pub(super) fn compare(stated: &Digest, actual: Option<&Digest>) -> Result<(), String> {
    match actual.filter(|_| stated.is_verifiable()) {
        Some(actual) if actual == stated => Ok(()),
        Some(actual) => Err(format!("its bytes have the digest {actual}, the configuration says {stated}")),
        None => Err(format!("the diffID {stated} cannot be verified: {} is not supported", stated.algorithm())),
    }
}

/// Unpacked stream that fails if it grows implausibly long.
pub(super) struct Limited {
    inner: Box<dyn Read + Send>,
    position: u64,
    most_bytes: u64,
}

impl Limited {
    /// Limits the unpacked stream of `stored_bytes`; a plain stream has no limit.
    pub fn new(inner: Box<dyn Read + Send>, compression: Compression, stored_bytes: u64, limit: UnpackLimit) -> Self {
        let most_bytes = match compression {
            Compression::None => u64::MAX,
            _ => limit.always.max(stored_bytes.saturating_mul(limit.ratio)),
        };
        Self { inner, position: 0, most_bytes }
    }

    /// Returns the number of bytes read so far.
    pub fn position(&self) -> u64 {
        self.position
    }
}

impl Read for Limited {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.position = self.position.saturating_add(count as u64);
        if self.position > self.most_bytes {
            let message = format!(
                "unpacks to more than the limit of {} bytes; raise --unpack-limit to allow it",
                self.most_bytes
            );
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        Ok(count)
    }
}
