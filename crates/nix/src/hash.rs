//! Hashes in the text forms that Nix writes: `sha256:<hex>` (database), `sha256:<base32>` (narinfo),
//! `sha256-<base64>` (SRI, JSON output).

use std::fmt::{self, Write};

use sha2::{Digest, Sha256};

use super::base32;

/// A SHA-256 value as Nix uses it for NAR hashes and content addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sha256Hash(pub [u8; 32]);

impl Sha256Hash {
    /// The hash of some bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Reads any of the three forms: after `sha256:` or `sha256-`, 64 hexadecimal digits, 52 of Nix's base 32, or
    /// 44 characters of base64.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("sha256")?.strip_prefix([':', '-'])?.as_bytes();
        match digits.len() {
            64 => decode_hex(digits),
            52 => base32::decode(digits),
            44 => decode_base64(digits),
            _ => None,
        }
        .map(Self)
    }

    /// `sha256-<base64>`: Subresource Integrity, as `nix path-info --json` has it.
    #[must_use]
    pub fn to_sri(&self) -> String {
        let mut text = "sha256-".to_owned();
        for group in self.0.chunks(3) {
            let byte = |index: usize| u32::from(group.get(index).copied().unwrap_or_default());
            let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
            for position in 0..4u32 {
                let padding = position as usize > group.len();
                let digit = (bits >> (18 - 6 * position)) & 63;
                text.push(if padding { '=' } else { char::from(BASE64[digit as usize]) });
            }
        }
        text
    }

    /// `sha256:<hex>`, as Nix's database and store path fingerprints have it.
    #[must_use]
    pub fn to_base16(&self) -> String {
        let mut text = "sha256:".to_owned();
        for byte in self.0 {
            let _ = write!(text, "{byte:02x}");
        }
        text
    }

    /// `sha256:<base32>`, as narinfo files have it.
    #[must_use]
    pub fn to_base32(&self) -> String {
        format!("sha256:{}", base32::encode(&self.0))
    }

    /// Folds the hash to 20 bytes by exclusive or: Nix's `compressHash`, used for the hash part of store paths.
    #[must_use]
    pub fn compress(&self) -> [u8; 20] {
        let mut folded = [0; 20];
        for (byte, place) in self.0.iter().zip((0..20).cycle()) {
            folded[place] ^= byte;
        }
        folded
    }
}

impl fmt::Display for Sha256Hash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.to_sri())
    }
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn decode_hex(digits: &[u8]) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |at: usize| char::from(*pair.get(at)?).to_digit(16);
        *byte = (digit(0)? * 16 + digit(1)?) as u8;
    }
    Some(bytes)
}

fn decode_base64(digits: &[u8]) -> Option<[u8; 32]> {
    let (digits, padding) = digits.split_at_checked(43)?;
    let mut bytes = [0; 32];
    let (mut bits, mut held, mut filled) = (0u32, 0, 0);
    for &digit in digits {
        let value = BASE64.iter().position(|&known| known == digit)?;
        bits = bits << 6 | value as u32;
        held += 6;
        if held >= 8 {
            held -= 8;
            *bytes.get_mut(filled)? = (bits >> held) as u8;
            filled += 1;
        }
    }
    let leftover = bits & ((1 << held) - 1);
    (padding == b"=" && leftover == 0).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn agrees_with_nix_hash_file() {
        // `printf abc >f; nix hash file --sri|--base16|--base32 f`
        let hash = Sha256Hash::of(b"abc");
        assert_eq!(hash.to_sri(), "sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
        assert_eq!(hash.to_base16(), "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(hash.to_base32(), "sha256:1b8m03r63zqhnjf7l5wnldhh7c134ap5vpj0850ymkq1iyzicy5s");
    }

    #[test]
    fn other_texts_are_refused() {
        let sri = Sha256Hash::of(b"abc").to_sri();
        for bad in ["", "sha256", "sha256:", "sha1:abc", &sri.replace('=', "A"), &sri.replace('W', "*"), &sri[7..]] {
            assert_eq!(Sha256Hash::parse(bad), None, "{bad}");
        }
        assert_eq!(Sha256Hash::parse(&sri.replace("0=", "1=")), None, "bits beyond 32 bytes");
    }

    proptest! {
        #[test]
        fn every_form_reads_back(bytes in any::<[u8; 32]>()) {
            let hash = Sha256Hash(bytes);
            for text in [hash.to_sri(), hash.to_base16(), hash.to_base32()] {
                prop_assert_eq!(Sha256Hash::parse(&text), Some(hash));
            }
        }

        #[test]
        fn no_text_panics(text in "sha256[:-].{40,70}") {
            let _ = Sha256Hash::parse(&text);
        }
    }
}
