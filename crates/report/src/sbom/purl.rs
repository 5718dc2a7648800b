use nixdive_nix::StorePath;
use nixdive_packages::{add_qualifiers, encoded};

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
