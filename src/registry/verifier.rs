use sha2::{Digest as _, Sha256, Sha512};

use crate::image::Digest;

/// Takes the digest of bytes that come by, by the algorithm of the one that they should have.
pub enum Verifier {
    /// SHA-256.
    Sha256(Sha256),
    /// SHA-512.
    Sha512(Sha512),
}

impl Verifier {
    /// For bytes that should have this digest.
    #[must_use]
    pub fn new(stated: &Digest) -> Self {
        if stated.algorithm() == "sha512" { Self::Sha512(Sha512::new()) } else { Self::Sha256(Sha256::new()) }
    }

    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hash) => hash.update(bytes),
            Self::Sha512(hash) => hash.update(bytes),
        }
    }

    /// The digest of all of them; `None` only where there is no such algorithm.
    #[must_use]
    pub fn finish(self) -> Option<Digest> {
        match self {
            Self::Sha256(hash) => Some(Digest::from_sha256(&hash.finalize().into())),
            Self::Sha512(hash) => {
                let hex: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
                Digest::parse(&format!("sha512:{hex}"))
            }
        }
    }

    /// The digest of some bytes by the algorithm of `stated`.
    #[must_use]
    pub fn of(stated: &Digest, bytes: &[u8]) -> Option<Digest> {
        let mut verifier = Self::new(stated);
        verifier.update(bytes);
        verifier.finish()
    }
}
