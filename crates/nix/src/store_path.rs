//! Store paths: `/nix/store/<hash>-<name>`.
//!
//! Rules as in Nix's `path.cc` (2.8, and the ban on names that begin with `.-` or `..-` or are dots alone of later
//! ones) and the Nix manual, "Store Path".

use std::fmt;

use super::base32;
use super::name::PackageName;

/// Directory of store paths. Nix can be built for another one; container images in the wild are
/// not.
pub const STORE_DIRECTORY: &str = "/nix/store";

/// The hash part of a store path: 32 digits of Nix's base 32.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StoreHash([u8; Self::LENGTH]);

impl StoreHash {
    /// Characters of a hash part.
    pub const LENGTH: usize = 32;

    /// Reads the hash part from its 32 characters; `None` if the length differs or one of them is
    /// not a digit.
    #[must_use]
    pub fn new(text: &[u8]) -> Option<Self> {
        let text: [u8; Self::LENGTH] = text.try_into().ok()?;
        text.iter().all(|&byte| base32::is_digit(byte)).then_some(Self(text))
    }

    /// Returns the hash part that encodes 20 bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 20]) -> Self {
        let mut text = [b'0'; Self::LENGTH];
        for (place, digit) in text.iter_mut().zip(base32::encode(bytes).bytes()) {
            *place = digit;
        }
        Self(text)
    }

    /// The window is known to hold digits only.
    pub(super) fn from_digits(digits: &[u8; Self::LENGTH]) -> Self {
        Self(*digits)
    }

    /// The characters.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }

    /// The characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for StoreHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl fmt::Debug for StoreHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Error for a text that is not a store path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StorePathError {
    /// It does not begin with `/nix/store/`, or goes on below the store path.
    #[error("not a path directly in /nix/store")]
    NotInStore,
    /// Fewer than 32 characters before the dash, or no dash after them.
    #[error("a store path begins with 32 characters of hash and a dash")]
    HashLength,
    /// A character outside Nix's base 32 in the hash.
    #[error("the hash of a store path has only the digits 0-9 and the letters a-z without e, o, t and u")]
    HashDigit,
    /// Nothing after the dash.
    #[error("a store path has a name after its hash")]
    NoName,
    /// More than [`StorePath::MAX_NAME`] characters of name.
    #[error("the name of a store path has at most {} characters", StorePath::MAX_NAME)]
    NameLength,
    /// A character that names may not have, or a name of dots.
    #[error("the name of a store path has only letters, digits and +-._?=, and is not `.` or `..`")]
    NameCharacter,
}

/// A valid store path. Ordered as Nix orders them: by hash, then name.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StorePath(Box<str>);

impl StorePath {
    /// Characters that a name may have.
    pub const MAX_NAME: usize = 211;

    /// Reads `/nix/store/<hash>-<name>` with nothing after it.
    ///
    /// # Errors
    /// [`StorePathError`].
    pub fn parse(path: &[u8]) -> Result<Self, StorePathError> {
        Self::parse_base_name(strip_store(path).ok_or(StorePathError::NotInStore)?)
    }

    /// Reads `<hash>-<name>`, as the entries of `/nix/store` are called.
    ///
    /// # Errors
    /// [`StorePathError`].
    pub fn parse_base_name(base_name: &[u8]) -> Result<Self, StorePathError> {
        if base_name.contains(&b'/') {
            return Err(StorePathError::NotInStore);
        }
        let (hash, name) = base_name.split_at_checked(StoreHash::LENGTH).ok_or(StorePathError::HashLength)?;
        let name = name.strip_prefix(b"-").ok_or(StorePathError::HashLength)?;
        StoreHash::new(hash).ok_or(StorePathError::HashDigit)?;
        check_name(name)?;
        // All bytes were found to be ASCII.
        let text = std::str::from_utf8(base_name).map_err(|_| StorePathError::NameCharacter)?;
        Ok(Self(text.into()))
    }

    /// Splits `/nix/store/<hash>-<name>/below` into the store path and `/below`, which may be empty.
    ///
    /// # Errors
    /// [`StorePathError`].
    pub fn split(path: &[u8]) -> Result<(Self, &[u8]), StorePathError> {
        let inner = strip_store(path).ok_or(StorePathError::NotInStore)?;
        let end = memchr::memchr(b'/', inner).unwrap_or(inner.len());
        let (base_name, below) = inner.split_at_checked(end).ok_or(StorePathError::NotInStore)?;
        Ok((Self::parse_base_name(base_name)?, below))
    }

    /// The store path of a hash and a name.
    ///
    /// # Errors
    /// [`StorePathError`] where the name is none.
    pub fn from_parts(hash: &StoreHash, name: &str) -> Result<Self, StorePathError> {
        check_name(name.as_bytes())?;
        Ok(Self(format!("{hash}-{name}").into()))
    }

    /// `<hash>-<name>`.
    #[must_use]
    pub fn base_name(&self) -> &str {
        &self.0
    }

    /// The hash part.
    #[must_use]
    pub fn hash(&self) -> StoreHash {
        let mut hash = [b'0'; StoreHash::LENGTH];
        for (place, digit) in hash.iter_mut().zip(self.0.bytes()) {
            *place = digit;
        }
        StoreHash(hash)
    }

    /// All after the hash: `openssl-3.0.9-dev`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.get(StoreHash::LENGTH + 1..).unwrap_or_default()
    }

    /// The name taken apart: package, version, output.
    #[must_use]
    pub fn package(&self) -> PackageName<'_> {
        PackageName::parse(self.name())
    }

    /// Returns `true` for a store derivation, which is a recipe rather than a result.
    #[must_use]
    pub fn is_derivation(&self) -> bool {
        self.0.ends_with(".drv")
    }
}

impl fmt::Display for StorePath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{STORE_DIRECTORY}/{}", self.0)
    }
}

impl fmt::Debug for StorePath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// Returns `true` if a byte is allowed in the name of a store path.
#[must_use]
#[inline]
pub fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.' | b'_' | b'?' | b'=')
}

fn strip_store(path: &[u8]) -> Option<&[u8]> {
    path.strip_prefix(STORE_DIRECTORY.as_bytes())?.strip_prefix(b"/")
}

fn check_name(name: &[u8]) -> Result<(), StorePathError> {
    if name.is_empty() {
        return Err(StorePathError::NoName);
    }
    if name.len() > StorePath::MAX_NAME {
        return Err(StorePathError::NameLength);
    }
    let dots = name.strip_prefix(b"..").or_else(|| name.strip_prefix(b"."));
    let only_dots = dots.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"-"));
    if only_dots || !name.iter().all(|&byte| is_name_byte(byte)) {
        return Err(StorePathError::NameCharacter);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HASH: &str = "hmnypiai2d9q9ri3yd4kdycjp1rg1027";

    #[test]
    fn a_store_path_is_a_hash_and_a_name() {
        let path = StorePath::parse(format!("/nix/store/{HASH}-glibc-2.36").as_bytes()).unwrap();
        assert_eq!((path.hash().as_str(), path.name()), (HASH, "glibc-2.36"));
        assert_eq!(path.to_string(), format!("/nix/store/{HASH}-glibc-2.36"));
        assert!(!path.is_derivation());
        let text = format!("{path}/lib/libc.so.6");
        assert_eq!(StorePath::split(text.as_bytes()), Ok((path, &b"/lib/libc.so.6"[..])));
    }

    #[test]
    fn what_nix_refuses_is_refused() {
        use StorePathError::*;
        let cases = [
            ("/nix/store".to_owned(), NotInStore),
            ("/nix/store/".to_owned(), HashLength),
            (format!("/gnu/store/{HASH}-a"), NotInStore),
            (format!("/nix/store/{HASH}-a/b"), NotInStore),
            (format!("/nix/store/{HASH}"), HashLength),
            (format!("/nix/store/{HASH}a-a"), HashLength),
            (format!("/nix/store/{}-a", HASH.replace('h', "e")), HashDigit),
            (format!("/nix/store/{}-a", HASH.to_uppercase()), HashDigit),
            (format!("/nix/store/{HASH}-"), NoName),
            (format!("/nix/store/{HASH}-{}", "a".repeat(212)), NameLength),
            (format!("/nix/store/{HASH}-a b"), NameCharacter),
            (format!("/nix/store/{HASH}-\u{e9}"), NameCharacter),
            (format!("/nix/store/{HASH}-.."), NameCharacter),
            (format!("/nix/store/{HASH}-.-a"), NameCharacter),
        ];
        for (text, error) in cases {
            assert_eq!(StorePath::parse(text.as_bytes()), Err(error), "{text}");
        }
        for good in ["a", ".a", "...", "a?=+_.-1", &"a".repeat(211)] {
            assert!(StorePath::parse_base_name(format!("{HASH}-{good}").as_bytes()).is_ok(), "{good}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_path_that_reads_back_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            if let Ok(path) = StorePath::parse_base_name(&bytes) {
                prop_assert_eq!(path.base_name().as_bytes(), &bytes[..]);
            }
        }

        #[test]
        fn parts_put_together_read_back(bytes in any::<[u8; 20]>(), name in "[0-9a-zA-Z+_?=][0-9a-zA-Z+._?=-]{0,40}") {
            let hash = StoreHash::from_bytes(&bytes);
            let path = StorePath::from_parts(&hash, &name).unwrap();
            prop_assert_eq!(StorePath::parse(path.to_string().as_bytes()), Ok(path.clone()));
            prop_assert_eq!((path.hash(), path.name()), (hash, name.as_str()));
        }
    }
}
