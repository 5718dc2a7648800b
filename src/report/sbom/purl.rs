use crate::nix::StorePath;
use crate::packages::{Package, PackageKind};

/// What `os-release(5)` says of an image, as far as names of packages need it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Distribution {
    /// `ID`: `debian`, `alpine`, `fedora`.
    pub id: Option<String>,
    /// `VERSION_ID`.
    pub version: Option<String>,
}

impl Distribution {
    /// Reads `os-release`: assignments of shell syntax, one a line. Of what is odd nothing is known.
    #[must_use]
    pub fn parse(content: &[u8]) -> Self {
        let value = |wanted: &str| {
            let text = std::str::from_utf8(content).ok()?;
            let line = text.lines().find_map(|line| line.trim().strip_prefix(wanted)?.strip_prefix('='))?;
            let value = line.trim().trim_matches(['"', '\'']);
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'+');
            (!value.is_empty() && value.len() <= 100 && value.bytes().all(is_plain)).then(|| value.to_owned())
        };
        Self { id: value("ID").map(|id| id.to_ascii_lowercase()), version: value("VERSION_ID") }
    }
}

/// The package URL of a package (purl specification 1.0, its types deb, apk, rpm and pypi).
pub(super) fn of_package(package: &Package, distribution: &Distribution) -> String {
    let (kind, usual) = match package.kind {
        PackageKind::Deb => ("deb", "debian"),
        PackageKind::Apk => ("apk", "alpine"),
        PackageKind::Rpm => ("rpm", ""),
        PackageKind::Python => {
            let name = package.name.to_lowercase().replace('_', "-");
            return format!("pkg:pypi/{}@{}", encoded(&name), encoded(&package.version));
        }
    };
    let namespace = distribution.id.as_deref().unwrap_or(usual);
    let (epoch, version) = match (package.kind, package.version.split_once(':')) {
        (PackageKind::Rpm, Some((epoch, version))) => (Some(epoch), version),
        _ => (None, &*package.version),
    };
    let name = match package.kind {
        PackageKind::Rpm => package.name.to_string(),
        _ => package.name.to_lowercase(),
    };
    let slash = if namespace.is_empty() { "" } else { "/" };
    let mut url = format!("pkg:{kind}/{}{slash}{}@{}", encoded(namespace), encoded(&name), encoded(version));
    let release =
        distribution.id.as_ref().zip(distribution.version.as_ref()).map(|(id, version)| format!("{id}-{version}"));
    let qualifiers = [("arch", package.architecture.as_deref()), ("distro", release.as_deref()), ("epoch", epoch)];
    add_qualifiers(&mut url, &qualifiers);
    url
}

/// The package URL of a store path; `nix` is a type that the specification lists as a candidate.
pub(super) fn of_store_path(path: &StorePath) -> String {
    let package = path.package();
    let mut url = format!("pkg:nix/{}", encoded(package.name));
    if !package.version.is_empty() {
        url.push('@');
        url.push_str(&encoded(package.version));
    }
    add_qualifiers(&mut url, &[("output", Some(package.output)), ("storepath", Some(&path.to_string()))]);
    url
}

/// In the order of their keys, which callers keep.
fn add_qualifiers(url: &mut String, qualifiers: &[(&str, Option<&str>)]) {
    let mut sign = '?';
    for (key, value) in qualifiers {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            url.push(sign);
            url.push_str(&format!("{key}={}", encoded(value)));
            sign = '&';
        }
    }
}

/// Percent-encoding of the specification: letters, digits, `.`, `-`, `_`, `~` and colons stay.
fn encoded(text: &str) -> String {
    use std::fmt::Write;
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'~' | b':') {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn os_release_names_the_distribution() {
        let read = Distribution::parse(b"PRETTY_NAME=\"Debian 12\"\nID=debian\nVERSION_ID=\"12\"\n");
        assert_eq!((read.id.as_deref(), read.version.as_deref()), (Some("debian"), Some("12")));
        assert_eq!(Distribution::parse(b"ID=$(reboot)\n\xff"), Distribution::default());
    }

    #[test]
    fn store_paths_have_urls() {
        let path = StorePath::parse(b"/nix/store/587imkh1g68lf1q2p27iyx7gsbia9hl1-libstdc++-12-dev").unwrap();
        assert_eq!(
            of_store_path(&path),
            "pkg:nix/libstdc%2B%2B@12?output=dev&storepath=%2Fnix%2Fstore%2F587imkh1g68lf1q2p27iyx7gsbia9hl1-libstdc%2B%2B-12-dev"
        );
    }
}
