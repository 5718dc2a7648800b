//! Package URLs (purl specification 1.0).

use super::{Distribution, Package};

/// Parts of the package URL of a package that makes up a distribution.
pub(crate) struct OfDistribution<'a> {
    /// Type of the package URL: `deb`, `apk` or `rpm`.
    pub kind: &'static str,
    /// Namespace if the distribution does not name itself.
    pub usual: &'static str,
    /// Name, written as its type requires.
    pub name: &'a str,
    /// Version without an epoch.
    pub version: &'a str,
    /// Epoch of an RPM package.
    pub epoch: Option<&'a str>,
    /// Source package, by which scanners find advisories: `openssl@3.0.11-1`.
    pub upstream: Option<String>,
}

impl OfDistribution<'_> {
    pub fn url(&self, package: &Package, distribution: &Distribution) -> String {
        let namespace = distribution.id.as_deref().unwrap_or(self.usual);
        let slash = if namespace.is_empty() { "" } else { "/" };
        let (name, version) = (encoded(self.name), encoded(self.version));
        let mut url = format!("pkg:{}/{}{slash}{name}@{version}", self.kind, encoded(namespace));
        let release = distribution.release();
        let qualifiers = [
            ("arch", package.architecture.as_deref()),
            ("distro", release.as_deref()),
            ("epoch", self.epoch),
            ("upstream", self.upstream.as_deref()),
        ];
        add_qualifiers(&mut url, &qualifiers);
        url
    }
}

/// Returns the package URL of a package whose type has lower-case names and whole versions (deb and apk).
pub(crate) fn lower_case_url(
    kind: &'static str,
    usual: &'static str,
    package: &Package,
    distribution: &Distribution,
) -> String {
    let (name, upstream) = (package.name.to_lowercase(), upstream(package));
    OfDistribution { kind, usual, name: &name, version: &package.version, epoch: None, upstream }
        .url(package, distribution)
}

/// Returns the source package if its name or version differs from the package's: `openssl` or `openssl@3.0.11-1`.
fn upstream(package: &Package) -> Option<String> {
    let source = package.source.as_ref()?;
    match source.version.as_deref().filter(|&version| version != &*package.version) {
        Some(version) => Some(format!("{}@{version}", source.name)),
        None if source.name == package.name => None,
        None => Some(source.name.to_string()),
    }
}

/// Appends qualifiers, which callers give in the order of their keys; those without a value are left out.
pub fn add_qualifiers(url: &mut String, qualifiers: &[(&str, Option<&str>)]) {
    let mut sign = '?';
    for (key, value) in qualifiers {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            url.push(sign);
            url.push_str(&format!("{key}={}", encoded(value)));
            sign = '&';
        }
    }
}

/// Percent-encodes a text as the specification says: letters, digits, `.`, `-`, `_`, `~` and colons are kept.
#[must_use]
pub fn encoded(text: &str) -> String {
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
