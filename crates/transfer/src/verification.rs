//! Whether what is moved is whole and what its descriptions claim.

use std::io::{self, BufReader, Read};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded};

use nixdive_base::cancel::Cancel;
use nixdive_image::{Compression, Digest};
use nixdive_scan::compression::decoder;
use nixdive_scan::tar::{TarError, TarWalker};
use nixdive_scan::{BlockReader, Part, UnpackLimit, beside_sha256};

/// Pieces of a blob that wait to be unpacked.
const PIECES: usize = 16;

/// What is done about a blob that is absent, cut, or has another digest than the one stated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Strictness {
    /// It is an error. Layers that are read are unpacked too, to verify their diffIDs.
    #[default]
    Require,
    /// It is a warning, and the blob is moved as it is.
    Allow,
    /// It is an error. What is moved was written by this program just now, so that diffIDs are not verified again.
    Own,
}

/// How blobs are verified, and what was found wrong where that is allowed. Clones share the latter.
#[derive(Debug, Clone, Default)]
pub struct Verification {
    strictness: Strictness,
    warnings: Arc<Mutex<Vec<String>>>,
}

impl Verification {
    /// With nothing found yet.
    #[must_use]
    pub fn new(strictness: Strictness) -> Self {
        Self { strictness, warnings: Arc::default() }
    }

    /// Whether what is wrong is moved all the same.
    #[must_use]
    pub fn allows(&self) -> bool {
        self.strictness == Strictness::Allow
    }

    /// Whether layers are unpacked to verify their diffIDs where that is not needed to move them.
    #[must_use]
    pub fn unpacks(&self) -> bool {
        self.strictness != Strictness::Own
    }

    /// Takes note of what is wrong where that is allowed.
    ///
    /// # Errors
    /// The reason, where it is not.
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

    /// What was found wrong so far.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        self.warnings.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What a layer should unpack to.
#[derive(Debug, Clone)]
pub(super) struct Unpacked {
    pub diff_id: Digest,
    pub compression: Compression,
    pub stored_bytes: u64,
    pub limit: UnpackLimit,
}

/// Unpacks a blob on a thread of its own while its bytes pass, and verifies the diffID.
pub(super) struct UnpackCheck {
    sender: Option<Sender<Vec<u8>>>,
    thread: Option<JoinHandle<Result<(), String>>>,
}

impl UnpackCheck {
    /// Begins with the first byte of the blob.
    pub fn start(expected: Unpacked, cancel: Cancel) -> io::Result<Self> {
        let (sender, receiver) = bounded(PIECES);
        let work = move || expected.verify(Box::new(Pieces { receiver, piece: Vec::new(), taken: 0 }), &cancel);
        let thread = std::thread::Builder::new().name("verify".into()).spawn(work)?;
        Ok(Self { sender: Some(sender), thread: Some(thread) })
    }

    /// Adds the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        // Whoever unpacks may have seen enough.
        if self.sender.as_ref().is_some_and(|sender| sender.send(bytes.to_vec()).is_err()) {
            self.sender = None;
        }
    }

    /// What is wrong with the blob, all of which was given.
    pub fn finish(&mut self) -> Result<(), String> {
        self.sender = None;
        let Some(thread) = self.thread.take() else { return Ok(()) };
        thread.join().unwrap_or_else(|_| Err("a thread failed".to_owned()))
    }
}

/// Pieces that another thread sends, as a stream.
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
    /// Reads a blob to its end: it has to unpack, within the limit, to a tar stream that is not cut and has the diffID.
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
                // What is no tar stream at all has its digest all the same.
                Ok(false) | Err(TarError::NotAHeader(_)) => break,
                Err(error) => return Err(error.to_string()),
            }
        }
        let end = walker.into_input().finish().map_err(failed)?;
        let sha256 = end.sha256.as_ref().map(Digest::from_sha256);
        compare(&self.diff_id, end.other.or(sha256).as_ref())
    }
}

/// Compares the diffID that a layer's bytes have with the one that the configuration gives.
pub(super) fn compare(stated: &Digest, actual: Option<&Digest>) -> Result<(), String> {
    match actual.filter(|_| stated.is_verifiable()) {
        Some(actual) if actual == stated => Ok(()),
        Some(actual) => Err(format!("its bytes have the digest {actual}, the configuration says {stated}")),
        None => Err(format!("the diffID {stated} cannot be verified: {} is not supported", stated.algorithm())),
    }
}

/// An unpacked stream that ends with an error where it is implausibly long.
pub(super) struct Limited {
    inner: Box<dyn Read + Send>,
    position: u64,
    most_bytes: u64,
}

impl Limited {
    /// What `stored_bytes` unpack to; a plain stream has no limit.
    pub fn new(inner: Box<dyn Read + Send>, compression: Compression, stored_bytes: u64, limit: UnpackLimit) -> Self {
        let most_bytes = match compression {
            Compression::None => u64::MAX,
            _ => limit.always.max(stored_bytes.saturating_mul(limit.ratio)),
        };
        Self { inner, position: 0, most_bytes }
    }

    /// Bytes that were given out.
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
                "unpacks to more than the limit of {} bytes; raise --unpack-limit if that is meant",
                self.most_bytes
            );
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        Ok(count)
    }
}
