use crate::formats::parse_config;
use nixdive_image::Digest;
use nixdive_scan::{Verifier, beside_sha256};

/// Number of hex digits in a SHA-256.
const SHA256_DIGITS: usize = 64;

/// Selects the digest algorithms for the layers of a stream that cannot be read again: SHA-256 always, and the
/// algorithm in the configuration. If the configuration comes after the layers, the names of the layers decide, which
/// usually contain digests.
#[derive(Debug, Default)]
pub(super) struct StreamedDigests {
    has_configuration: bool,
    /// A diffID with an algorithm other than SHA-256.
    other: Option<Digest>,
}

impl StreamedDigests {
    /// Evaluates a document, if it is a configuration.
    pub fn note(&mut self, document: &[u8]) {
        let Ok(config) = parse_config("the configuration", document) else { return };
        self.has_configuration |= !config.diff_ids.is_empty();
        let mut others = config.diff_ids.iter().filter_map(|text| Digest::parse(text));
        if self.other.is_none() {
            self.other = others.find(|digest| beside_sha256(Some(digest)).is_some());
        }
    }

    /// Returns a verifier for the layer called `name` with an algorithm other than SHA-256, if its diffID may use one.
    pub fn verifier(&self, name: &str) -> Option<Verifier> {
        match &self.other {
            Some(stated) => beside_sha256(Some(stated)),
            None if self.has_configuration || is_named_by_sha256(name) => None,
            None => Some(Verifier::Sha512(sha2::Sha512::default())),
        }
    }
}

/// Returns `true` if a file is named by a SHA-256: `HEX.tar`, `HEX/layer.tar` or `blobs/sha256/HEX`.
fn is_named_by_sha256(name: &str) -> bool {
    let is_hex = |part: &str| part.len() == SHA256_DIGITS && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    name.split(['/', '.']).any(is_hex)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn algorithm(documents: &[&str], name: &str) -> Option<String> {
        let mut digests = StreamedDigests::default();
        documents.iter().for_each(|document| digests.note(document.as_bytes()));
        Some(digests.verifier(name)?.finish()?.algorithm().to_owned())
    }

    #[test]
    fn the_configuration_or_the_name_tells_the_algorithm() {
        let of = |digest: &str| format!(r#"{{"rootfs": {{"type": "layers", "diff_ids": ["{digest}"]}}}}"#);
        let sha256 = of(&format!("sha256:{}", "a".repeat(64)));
        let sha512 = of(&format!("sha512:{}", "a".repeat(128)));
        let hex = |count: usize| "0f".repeat(count / 2);
        for (documents, name, expected) in [
            (&[][..], "layer.tar".to_owned(), Some("sha512")),
            (&[], format!("{}.tar", hex(128)), Some("sha512")),
            (&[], format!("{}.tar", hex(64)), None),
            (&[], format!("{}/layer.tar", hex(64)), None),
            (&[], format!("blobs/sha256/{}", hex(64)), None),
            (&["[]", &sha256], "layer.tar".to_owned(), None),
            (&["[]"], "layer.tar".to_owned(), Some("sha512")),
            (&[&sha512], format!("{}.tar", hex(64)), Some("sha512")),
            (&[&sha256, &sha512], format!("{}.tar", hex(64)), Some("sha512")),
        ] {
            assert_eq!(algorithm(documents, &name).as_deref(), expected, "{documents:?} {name}");
        }
    }
}
