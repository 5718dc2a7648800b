use std::fmt;

/// A content digest, `algorithm:hex`, as the OCI image specification writes it ("Digests").
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(Box<str>);

impl Digest {
    /// Accepts `sha256:` with 64 and `sha512:` with 128 lower-case hexadecimal digits; `None` otherwise.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (algorithm, hex) = text.split_once(':')?;
        let length = match algorithm {
            "sha256" => 64,
            "sha512" => 128,
            _ => return None,
        };
        let valid = hex.len() == length && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        valid.then(|| Self(text.into()))
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
        self.hex().get(..12).unwrap_or_default()
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
        for bad in ["", "sha256:", "sha256:zz", "md5:00", "../../etc/passwd", &good.to_uppercase(), &format!("{good}0")]
        {
            assert_eq!(Digest::parse(bad), None, "{bad}");
        }
    }
}
