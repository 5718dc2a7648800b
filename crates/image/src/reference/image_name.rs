use std::fmt;

/// The name of an image as registries and engines know it: `[HOST[:PORT]/]PATH[:TAG][@DIGEST]`
/// (github.com/distribution/reference, "Grammar").
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ImageName {
    host: Option<String>,
    path: String,
    tag: Option<String>,
    digest: Option<String>,
}

/// Letters that a whole name may have.
const MAX_LENGTH: usize = 512;
/// Default registry of names without a host.
const DEFAULT_HOST: &str = "docker.io";

impl ImageName {
    /// Parses a name; `None` for what is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.is_empty() || text.len() > MAX_LENGTH {
            return None;
        }
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest)),
            None => (text, None),
        };
        let (host, rest) = match name.split_once('/') {
            Some((first, rest)) if looks_like_host(first) => (Some(first), rest),
            _ => (None, name),
        };
        let (path, tag) = match rest.split_once(':') {
            Some((path, tag)) => (path, Some(tag)),
            None => (rest, None),
        };
        let valid = host.is_none_or(is_host)
            && path.split('/').all(is_component)
            && tag.is_none_or(is_tag)
            && digest.is_none_or(is_digest);
        let owned = |part: Option<&str>| part.map(str::to_owned);
        // A host that is distinguished from a path only by its capitals keeps them.
        let host = host.map(|host| {
            let lower = host.to_ascii_lowercase();
            if looks_like_host(&lower) { lower } else { host.to_owned() }
        });
        valid.then(|| Self { host, path: path.to_owned(), tag: owned(tag), digest: owned(digest) })
    }

    /// Host and port, where they are given.
    #[must_use]
    pub fn given_host(&self) -> Option<&str> {
        self.host.as_deref()
    }

    /// Host and port: Docker's where none is given.
    #[must_use]
    pub fn host(&self) -> &str {
        match self.host.as_deref() {
            None | Some("index.docker.io" | "registry-1.docker.io") => DEFAULT_HOST,
            Some(host) => host,
        }
    }

    /// The repository: the path on its host. What has one part there lies below `library` on Docker's.
    #[must_use]
    pub fn repository(&self) -> String {
        let official = self.host() == DEFAULT_HOST && !self.path.contains('/');
        if official { format!("library/{}", self.path) } else { self.path.clone() }
    }

    /// The path as it was given.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The tag, where one is given.
    #[must_use]
    pub fn given_tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The tag: `latest` where none is given.
    #[must_use]
    pub fn tag(&self) -> &str {
        self.tag.as_deref().unwrap_or("latest")
    }

    /// The digest, `ALGORITHM:HEX`, where one is given. It says more than the tag.
    #[must_use]
    pub fn digest(&self) -> Option<&str> {
        self.digest.as_deref()
    }

    /// Returns the same image at another host and path, as for an alias or a mirror; `None` if the
    /// result is not a valid name.
    #[must_use]
    pub fn moved_to(&self, location: &str) -> Option<Self> {
        let moved = Self::parse(location)?;
        Some(Self { host: moved.host, path: moved.path, tag: self.tag.clone(), digest: self.digest.clone() })
    }

    /// The same image without its tag and digest.
    #[must_use]
    pub fn without_tag(&self) -> Self {
        Self { tag: None, digest: None, ..self.clone() }
    }

    /// Returns the same repository with another tag; `None` if the tag is invalid.
    #[must_use]
    pub fn with_tag(&self, tag: &str) -> Option<Self> {
        is_tag(tag).then(|| Self { tag: Some(tag.to_owned()), digest: None, ..self.clone() })
    }

    /// In full, as Docker has it: host, path, and tag or digest.
    #[must_use]
    pub fn in_full(&self) -> String {
        let name = format!("{}/{}", self.host(), self.repository());
        match (&self.tag, &self.digest) {
            (None, Some(digest)) => format!("{name}@{digest}"),
            (Some(tag), Some(digest)) => format!("{name}:{tag}@{digest}"),
            _ => format!("{name}:{}", self.tag()),
        }
    }
}

impl fmt::Display for ImageName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(host) = &self.host {
            write!(formatter, "{host}/")?;
        }
        formatter.write_str(&self.path)?;
        if let Some(tag) = &self.tag {
            write!(formatter, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(formatter, "@{digest}")?;
        }
        Ok(())
    }
}

fn looks_like_host(part: &str) -> bool {
    part.contains(['.', ':']) || part == "localhost" || part.bytes().any(|byte| byte.is_ascii_uppercase())
}

fn is_host(host: &str) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    };
    let is_name_byte = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
    let is_address = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b':');
    let name_is_valid = match name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => !address.is_empty() && is_address(address),
        None => !name.is_empty() && name.bytes().all(is_name_byte) && !name.starts_with(['-', '.']),
    };
    name_is_valid && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
}

/// Lower-case letters and digits, and between them one dot, one or two underscores, or any number of dashes.
fn is_component(part: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = part.as_bytes();
    let ends_well = bytes.first().copied().is_some_and(is_letter) && bytes.last().copied().is_some_and(is_letter);
    let separators = part.split(|letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit());
    ends_well
        && separators
            .filter(|separator| !separator.is_empty())
            .all(|separator| matches!(separator, "." | "_" | "__") || separator.bytes().all(|byte| byte == b'-'))
}

fn is_tag(tag: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    tag.len() <= 128
        && tag.bytes().next().is_some_and(is_word)
        && tag.bytes().all(|byte| is_word(byte) || byte == b'.' || byte == b'-')
}

fn is_digest(digest: &str) -> bool {
    let is_hex = |hex: &str| hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    match digest.split_once(':') {
        Some(("sha256", hex)) => hex.len() == 64 && is_hex(hex),
        Some(("sha512", hex)) => hex.len() == 128 && is_hex(hex),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_completed_as_docker_does() {
        for (text, full) in [
            ("alpine", "docker.io/library/alpine:latest"),
            ("alpine:3.20", "docker.io/library/alpine:3.20"),
            ("grafana/grafana", "docker.io/grafana/grafana:latest"),
            ("index.docker.io/alpine", "docker.io/library/alpine:latest"),
            ("localhost/team/web:1", "localhost/team/web:1"),
            ("localhost:5000/web", "localhost:5000/web:latest"),
            ("[::1]:5000/web:1", "[::1]:5000/web:1"),
            ("Registry.Example/a__b/c--d:V1.0-x", "registry.example/a__b/c--d:V1.0-x"),
        ] {
            assert_eq!(ImageName::parse(text).unwrap().in_full(), full, "{text}");
        }
        let digest = format!("sha256:{}", "0a".repeat(32));
        let name = ImageName::parse(&format!("host.example/a:1@{digest}")).unwrap();
        assert_eq!((name.tag(), name.digest()), ("1", Some(digest.as_str())));
    }

    #[test]
    fn what_is_no_name() {
        for text in [
            "",
            "/etc/passwd",
            "./alpine",
            "Alpine",
            "a//b",
            "a/",
            "a..b",
            "-a",
            "a:",
            "a:-x",
            "a@sha256:00",
            "a b",
            "host.example:99999/a",
            "host.example:/a",
            "user@host.example/a",
            "a/../b",
            "a:tag:tag",
        ] {
            assert_eq!(ImageName::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_name_is_written_as_it_is_read(text in "[a-zA-Z0-9.:/@_-]{0,40}") {
            if let Some(name) = ImageName::parse(&text) {
                prop_assert_eq!(ImageName::parse(&name.to_string()), Some(name.clone()));
                prop_assert_eq!(ImageName::parse(&name.in_full()).map(|full| full.in_full()), Some(name.in_full()));
            }
        }
    }
}
