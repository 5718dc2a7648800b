use super::Distribution;
use nixdive_nix::StorePath;
use nixdive_packages::{Package, PackageKind};

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
    let (release, upstream) = (distribution.release(), upstream(package));
    let qualifiers = [
        ("arch", package.architecture.as_deref()),
        ("distro", release.as_deref()),
        ("epoch", epoch),
        ("upstream", upstream.as_deref()),
    ];
    add_qualifiers(&mut url, &qualifiers);
    url
}

/// The source package where it is another than the package, by which scanners find advisories: `openssl@3.0.11-1`.
fn upstream(package: &Package) -> Option<String> {
    let source = package.source.as_ref()?;
    let version = source.version.as_deref().filter(|&version| version != &*package.version);
    match (package.kind, version) {
        (PackageKind::Rpm, _) => source.version.as_ref().map(|version| format!("{}-{version}.src.rpm", source.name)),
        (_, Some(version)) => Some(format!("{}@{version}", source.name)),
        (_, None) if source.name == package.name => None,
        (_, None) => Some(source.name.to_string()),
    }
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
    fn store_paths_have_urls() {
        let path = StorePath::parse(b"/nix/store/587imkh1g68lf1q2p27iyx7gsbia9hl1-libstdc++-12-dev").unwrap();
        assert_eq!(
            of_store_path(&path),
            "pkg:nix/libstdc%2B%2B@12?output=dev&storepath=%2Fnix%2Fstore%2F587imkh1g68lf1q2p27iyx7gsbia9hl1-libstdc%2B%2B-12-dev"
        );
    }
}
