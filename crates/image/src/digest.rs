use std::fmt;

/// A content digest, `algorithm:hex`, as the OCI image specification writes it ("Digests").
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(Box<str>);

impl Digest {
    /// Bytes of the longest digest that is accepted.
    const MAX_BYTES: usize = 512;

    /// Accepts the specification's grammar. Of the algorithms that this program computes (`sha256`, `sha384`, `sha512`,
    /// `blake3`) exactly the lower-case hexadecimal digits of their length count; `None` otherwise.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (algorithm, encoded) = text.split_once(':')?;
        let is_part = |part: &str| {
            !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        };
        let valid = match Self::hex_length(algorithm) {
            Some(length) => {
                encoded.len() == length && encoded.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
            }
            None => {
                !encoded.is_empty()
                    && text.len() <= Self::MAX_BYTES
                    && algorithm.split(['+', '.', '_', '-']).all(is_part)
                    && encoded.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'=' | b'_' | b'-'))
            }
        };
        valid.then(|| Self(text.into()))
    }

    /// Hexadecimal digits of an algorithm that this program computes.
    fn hex_length(algorithm: &str) -> Option<usize> {
        match algorithm {
            "sha256" | "blake3" => Some(64),
            "sha384" => Some(96),
            "sha512" => Some(128),
            _ => None,
        }
    }

    /// The digest by an algorithm that this program computes, from its value.
    #[must_use]
    pub fn from_bytes(algorithm: &str, bytes: &[u8]) -> Option<Self> {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        Self::parse(&format!("{algorithm}:{hex}"))
    }

    /// Returns `true` if this program supports the digest's algorithm and so can verify it.
    #[must_use]
    pub fn is_verifiable(&self) -> bool {
        Self::hex_length(self.algorithm()).is_some()
    }

    /// The digest whose SHA-256 value is `bytes`.
    #[must_use]
    pub fn from_sha256(bytes: &[u8; 32]) -> Self {
        use fmt::Write;
        let mut text = String::with_capacity(71);
        text.push_str("sha256:");
        for byte in bytes {
            let _ = write!(text, "{byte:02x}");
        }
        Self(text.into())
    }

    /// `algorithm:hex`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part after the colon.
    #[must_use]
    pub fn hex(&self) -> &str {
        self.0.split_once(':').map_or("", |(_, hex)| hex)
    }

    /// The part before the colon.
    #[must_use]
    pub fn algorithm(&self) -> &str {
        self.0.split_once(':').map_or("", |(algorithm, _)| algorithm)
    }

    /// The first twelve hexadecimal digits, as engines abbreviate.
    #[must_use]
    pub fn short(&self) -> &str {
        self.hex().get(..12).unwrap_or(self.hex())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_an_algorithm_and_lower_case_hex_of_its_length() {
        let good = format!("sha256:{}", "0f".repeat(32));
        assert_eq!(Digest::parse(&good).map(|digest| digest.short().to_owned()), Some("0f0f0f0f0f0f".into()));
        for bad in [
            "",
            "sha256:",
            "sha256:zz",
            "sha384:00",
            "md5:",
            "md5:../x",
            "a..b:00",
            "../../etc/passwd",
            &good.to_uppercase(),
            &format!("{good}0"),
        ] {
            assert_eq!(Digest::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_digest_by_an_unknown_algorithm_is_a_digest_that_nothing_verifies() {
        for text in
            ["md5:d41d8cd98f00b204e9800998ecf8427e", "multihash+base58:QmRZxt2b1FVZPNqd8hsiykDL3TdBDeTSPX9Kv46HmX4Gx8"]
        {
            assert!(Digest::parse(text).is_some_and(|digest| !digest.is_verifiable()), "{text}");
        }
        for (algorithm, length) in [("sha256", 32), ("sha384", 48), ("sha512", 64), ("blake3", 32)] {
            let digest = Digest::from_bytes(algorithm, &vec![7; length]);
            assert!(digest.is_some_and(|digest| digest.is_verifiable()), "{algorithm}");
        }
    }
}
