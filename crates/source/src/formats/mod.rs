//! Manifest, configuration and layer blobs of an image in every kind of source, one file per kind. Independent of
//! trees, Nix and screens.

mod archive;
mod artifact;
mod config;
mod container;
mod content_store;
mod dir;
mod directory;
mod discover;
mod docker_archive;
mod docker_legacy;
mod error;
mod format;
mod index;
mod json_format;
mod layout;
mod lenient;
mod nix2container;
mod not_an_image;
mod oci;
mod remote;
mod rootfs;
mod selection;
mod streamed;

use sha2::{Digest as _, Sha256};
use tracing::debug;

use nixdive_image::{DefectKind, Digest};
use nixdive_scan::Verifier;

pub use archive::{ArchiveIndex, MemberLimit};
pub(crate) use artifact::is_foreign;
pub use config::parse_config;
pub use container::{Container, MAX_DOCUMENT_BYTES};
pub use content_store::ContentStoreContainer;
pub use dir::{is_dir, read_dir};
pub use directory::DirectoryContainer;
pub use discover::{Discovered, discover};
pub use docker_archive::{is_docker_archive, read_docker_archive};
pub use error::SourceError;
pub use format::{PROBE_BYTES, format_of};
pub use index::Naming;
pub use layout::{Choice, DescribedLayer, Layout, Request};
pub use nix2container::{StoreLayers, read_nix2container};
pub use not_an_image::{describe_section, describe_start, format_of_blob};
pub(crate) use oci::elsewhere;
pub use oci::{is_oci_layout, read_oci_layout};
pub use remote::read_remote;
pub use rootfs::{RootfsWalk, rootfs_layout};
pub use streamed::{StreamedMember, StreamedMembers};

use nixdive_image::reference::Transport;

/// Reads the image that `request` selects in an archive or a directory. The transport determines its kind, or else its
/// content.
///
/// # Errors
/// [`SourceError`] if it is not an image, or a document is missing or invalid.
pub fn read_layout(container: &dyn Container, request: &Request<'_>, is_archive: bool) -> Result<Layout, SourceError> {
    let container = &container::Rationed::new(container);
    let oci = if is_archive { Transport::OciArchive } else { Transport::Oci };
    let taken_for = |transport: Transport, why| {
        debug!(target: "source", kind = transport.name(), why, "layout");
    };
    match request.reference.transport {
        Some(Transport::DockerArchive) => read_docker_archive(container, request),
        Some(Transport::Oci | Transport::OciArchive) => read_oci_layout(container, request, oci),
        Some(Transport::Dir) => read_dir(container, request),
        _ if is_dir(container) => {
            taken_for(Transport::Dir, "a manifest.json with a schema version");
            read_dir(container, request)
        }
        _ if is_docker_archive(container) => {
            taken_for(Transport::DockerArchive, "a manifest.json that lists images");
            read_docker_archive(container, request)
        }
        _ if is_oci_layout(container) => {
            taken_for(oci, "an index.json and no manifest.json");
            read_oci_layout(container, request, oci)
        }
        _ => {
            let what = if is_archive { "is a tar archive" } else { "is a directory" };
            Err(SourceError::NotAnImage(format!(
                "{what}, but holds no image: it contains neither manifest.json nor index.json{}",
                if is_archive { "" } else { "; for an extracted root directory use rootfs:DIRECTORY" }
            )))
        }
    }
}

/// Returns the SHA-256 digest of a document.
fn digest_of(bytes: &[u8]) -> Digest {
    Digest::from_sha256(&Sha256::digest(bytes).into())
}

/// Verifies the digest under which a document is listed, and records a mismatch.
fn check_digest(layout: &mut Layout, what: &str, stated: Option<&Digest>, bytes: &[u8]) {
    let Some(stated) = stated else { return };
    match Verifier::of(stated, bytes) {
        Some(actual) if actual == *stated => {}
        Some(actual) => {
            let message = format!("the {what} is listed under the digest {stated}, but its digest is {actual}");
            layout.defect(DefectKind::Altered, None, message);
        }
        None => {
            let algorithm = stated.algorithm();
            let message = format!("the digest {stated} of the {what} was not verified: {algorithm} is not supported");
            layout.defect(DefectKind::Unverified, None, message);
        }
    }
}

#[cfg(test)]
mod tests;
