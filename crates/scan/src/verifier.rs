use sha2::{Digest as _, Sha256, Sha384, Sha512};

use nixdive_image::Digest;

/// Computes the digest of a byte stream by the algorithm of the digest that it should have.
pub enum Verifier {
    /// SHA-256.
    Sha256(Sha256),
    /// SHA-384.
    Sha384(Sha384),
    /// SHA-512.
    Sha512(Sha512),
    /// BLAKE3.
    Blake3(Box<blake3::Hasher>),
    /// An algorithm that this program does not compute.
    Unsupported,
}

impl Verifier {
    /// For bytes that should have this digest.
    #[must_use]
    pub fn new(stated: &Digest) -> Self {
        match stated.algorithm() {
            "sha256" => Self::Sha256(Sha256::new()),
            "sha384" => Self::Sha384(Sha384::new()),
            "sha512" => Self::Sha512(Sha512::new()),
            "blake3" => Self::Blake3(Box::default()),
            _ => Self::Unsupported,
        }
    }

    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hash) => hash.update(bytes),
            Self::Sha384(hash) => hash.update(bytes),
            Self::Sha512(hash) => hash.update(bytes),
            Self::Blake3(hash) => {
                hash.update(bytes);
            }
            Self::Unsupported => {}
        }
    }

    /// The digest of all of them; `None` where this program does not compute the algorithm.
    #[must_use]
    pub fn finish(self) -> Option<Digest> {
        match self {
            Self::Sha256(hash) => Some(Digest::from_sha256(&hash.finalize().into())),
            Self::Sha384(hash) => Digest::from_bytes("sha384", &hash.finalize()),
            Self::Sha512(hash) => Digest::from_bytes("sha512", &hash.finalize()),
            Self::Blake3(hash) => Digest::from_bytes("blake3", hash.finalize().as_bytes()),
            Self::Unsupported => None,
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

/// A digest by an algorithm other than SHA-256, computed beside it while bytes pass; nothing for SHA-256 and where none
/// is stated.
#[must_use]
pub fn beside_sha256(stated: Option<&Digest>) -> Option<Verifier> {
    stated.filter(|stated| stated.is_verifiable() && stated.algorithm() != "sha256").map(Verifier::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Digests of `abc`: FIPS 180-2, appendices B.1, C.1 and D.1; the BLAKE3 one is that of b3sum 1.5.
    #[test]
    fn digests_are_those_of_the_standards() {
        let known = [
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            "sha384:cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
            "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd\
             454d4423643ce80e2a9ac94fa54ca49f",
            "blake3:6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85",
        ];
        for text in known {
            let stated = Digest::parse(text).unwrap();
            assert_eq!(Verifier::of(&stated, b"abc").as_ref(), Some(&stated));
        }
        assert_eq!(Verifier::of(&Digest::parse("md5:900150983cd24fb0d6963f7d28e17f72").unwrap(), b"abc"), None);
    }
}
