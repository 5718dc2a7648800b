use super::classes::short_path;
use super::scene::{Gathered, Hits, Scene};
use super::{Evidence, Location, Rule};
use nixdive_base::text::{counted, display_in_sentence};
use nixdive_image::{Kind, NodeId};
use nixdive_packages::{Inventory, PackageIndex};

/// Packages that only a build needs, by name; a number may follow after a dash (`gcc-12`).
const TOOLS: &[&str] = &[
    "gcc",
    "g++",
    "cpp",
    "gfortran",
    "clang",
    "lld",
    "make",
    "cmake",
    "build-essential",
    "build-base",
    "binutils",
    "autoconf",
    "automake",
    "libtool",
    "m4",
    "bison",
    "flex",
    "ninja",
    "ninja-build",
    "meson",
    "pkg-config",
    "pkgconf",
    "pkgconf-pkg-config",
    "dpkg-dev",
    "rustc",
    "rust",
    "cargo",
    "golang",
    "go",
    "gdb",
    "patch",
    "fakeroot",
    "rpm-build",
    "abuild",
    "gcc-c++",
    "kernel-headers",
    "linux-headers",
    "fortify-headers",
    "scons",
    "swig",
    "nasm",
    "yasm",
];

/// Finds packages that only a build needs; and TLS libraries without certificates.
pub(super) fn find(scene: &Scene<'_>, found: &mut Gathered) {
    if let Some(inventory) = scene.packages {
        packages(scene, inventory, found);
    }
    certificates(scene, found);
}

fn is_tool(name: &str) -> bool {
    if name.ends_with("-dev") || name.ends_with("-devel") {
        return true;
    }
    if TOOLS.contains(&name) || name.starts_with("binutils-") {
        return true;
    }
    let numbered = |tool: &str| {
        let rest = name.strip_prefix(tool).and_then(|rest| rest.strip_prefix('-'));
        rest.is_some_and(|rest| {
            let end = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(rest.len());
            end > 0 && matches!(rest.get(end..), Some("" | "-x86-64-linux-gnu" | "-aarch64-linux-gnu" | "-go" | "-src"))
        })
    };
    TOOLS.iter().any(|tool| numbered(tool))
}

fn packages(scene: &Scene<'_>, inventory: &Inventory, found: &mut Gathered) {
    let mut hits = Hits::new(Rule::BuildTools);
    for index in inventory.packages.indices() {
        let package = inventory.packages.get(index);
        if !package.kind.is_of_distribution() || !is_tool(&package.name) {
            continue;
        }
        let (bytes, largest) = owned(scene, inventory, index, found);
        let Some(node) = largest else { continue };
        let note = Some(format!("package {}", display_in_sentence(&package.name)));
        let layer = inventory.ownership.of(index).layer;
        hits.add(Evidence { location: Location::Path { node, occurrence: None, layer, offset: None }, bytes, note });
    }
    found.finding(scene, hits, |count| format!("{} that only a build needs", counted(count, "package")));
}

/// Bytes of a package's files in the image, and the largest of them. They could go.
fn owned(scene: &Scene<'_>, inventory: &Inventory, index: PackageIndex, found: &mut Gathered) -> (u64, Option<NodeId>) {
    let (mut sum, mut largest) = (0u64, None);
    for &node in inventory.ownership.files(index) {
        let Some(id) = scene.tree.visible_at(node, scene.top) else { continue };
        let occurrence = scene.tree.occurrence(id);
        if occurrence.kind == Kind::File {
            found.reclaim.whole(id);
            sum = sum.saturating_add(occurrence.bytes);
            largest = largest.max(Some((occurrence.bytes, std::cmp::Reverse(node))));
        }
    }
    (sum, largest.map(|(_, std::cmp::Reverse(node))| node))
}

/// Libraries that check certificates, by the beginnings of their names.
const TLS_LIBRARIES: [&[u8]; 4] = [b"libssl.so", b"libgnutls.so", b"libcurl.so", b"libmbedtls.so"];
/// Files with the certificates to trust.
const BUNDLES: [&[u8]; 5] =
    [b"ca-certificates.crt", b"ca-bundle.crt", b"cert.pem", b"tls-ca-bundle.pem", b"cacert.pem"];

fn certificates(scene: &Scene<'_>, found: &mut Gathered) {
    let named = ["SSL_CERT_FILE=", "NIX_SSL_CERT_FILE=", "SSL_CERT_DIR=", "CURL_CA_BUNDLE=", "REQUESTS_CA_BUNDLE="];
    if scene.image.config.env.iter().any(|variable| named.iter().any(|name| variable.starts_with(name))) {
        return;
    }
    let mut hits = Hits::new(Rule::NoCaBundle);
    for &(node, id) in &scene.visible {
        let name = scene.tree.name(node);
        if BUNDLES.contains(&name) {
            // In a store path a bundle is found only through the environment or a link outside.
            let path = short_path(scene.tree, node).unwrap_or_default();
            let is_found = !scene.is_nix || !path.starts_with(b"/nix/store/");
            if is_found {
                return;
            }
        }
        let is_file = scene.tree.occurrence(id).kind == Kind::File;
        if is_file && TLS_LIBRARIES.iter().any(|library| name.starts_with(library)) {
            hits.add(Evidence { location: scene.location(id, None), bytes: 0, note: None });
        }
    }
    found.finding(scene, hits, |count| {
        let libraries = if count == 1 { "library is" } else { "libraries are" };
        format!("{count} TLS {libraries} present, but no trusted certificates")
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compilers_are_told_from_what_they_leave_for_programs() {
        for name in ["gcc", "gcc-12", "g++-12", "libc6-dev", "golang-1.21-go", "binutils-common", "zlib-devel", "make"]
        {
            assert!(is_tool(name), "{name}");
        }
        for name in ["gcc-12-base", "libgcc-s1", "libgcc", "makedev", "google", "perl-base", "libstdc++6", "gpatch"] {
            assert!(!is_tool(name), "{name}");
        }
    }
}
