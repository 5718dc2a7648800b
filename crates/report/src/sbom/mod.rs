//! Bills of materials: every package and store path of an image, deterministic for one image.

mod components;
mod cyclonedx;
mod moment;
mod purl;
mod spdx;
mod text;

use std::io::{self, Write};

use nixdive_image::Image;
use nixdive_nix::Sha256Hash;
use nixdive_nix::study::StoreStudy;
use nixdive_packages::{Distribution, Inventory, PackageKind};

pub use components::Component;

/// The form of a bill of materials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SbomFormat {
    /// For reading.
    Text,
    /// CycloneDX 1.6, JSON.
    CycloneDx,
    /// SPDX 2.3, JSON.
    Spdx,
}

/// The components of an image.
#[derive(Debug)]
pub struct Sbom<'a> {
    image: &'a Image,
    distribution: &'a Distribution,
    components: Vec<Component>,
    /// Indices of the components that the image itself names: packages, and store paths that something outside the
    /// store holds.
    direct: Vec<usize>,
}

impl<'a> Sbom<'a> {
    /// Gathers the components. `distribution` is what `/etc/os-release` says.
    #[must_use]
    pub fn new(
        image: &'a Image,
        packages: Option<&Inventory>,
        store: Option<&StoreStudy>,
        distribution: &'a Distribution,
    ) -> Self {
        let (components, direct) = components::gather(image, packages, store, distribution);
        Self { image, distribution, components, direct }
    }

    /// The components: packages by kind and name, then store paths in Nix's order.
    #[must_use]
    pub fn components(&self) -> &[Component] {
        &self.components
    }

    /// Writes it, ending with a line feed. The same image gives the same bytes: serial numbers come from its digests, the
    /// time from its configuration.
    ///
    /// # Errors
    /// If writing to `out` fails.
    pub fn write(&self, format: SbomFormat, out: &mut dyn Write) -> io::Result<()> {
        match format {
            SbomFormat::Text => text::write(self, out),
            SbomFormat::CycloneDx => cyclonedx::write(self, out),
            SbomFormat::Spdx => spdx::write(self, out),
        }
    }

    /// In what the image is not whole, or not what it claims.
    fn warnings(&self) -> impl Iterator<Item = &str> {
        self.image.defects.iter().map(|defect| defect.message.as_str())
    }

    /// A UUID of version 8 (RFC 9562) out of the image's digests.
    fn uuid(&self) -> String {
        let identity = &self.image.identity;
        let mut text = String::from("nixdive sbom");
        for digest in [&identity.manifest_digest, &identity.config_digest].into_iter().flatten() {
            text.push_str(digest.as_str());
        }
        for layer in &self.image.layers {
            text.push_str(layer.diff_id.as_ref().map_or("", |digest| digest.as_str()));
        }
        let mut bytes = Sha256Hash::of(text.as_bytes()).0;
        bytes[6] = bytes[6] & 0x0f | 0x80;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        let hex = super::names::hexadecimal(&bytes);
        let part = |range: std::ops::Range<usize>| hex.get(range).unwrap_or_default();
        [part(0..8), part(8..12), part(12..16), part(16..20), part(20..32)].join("-")
    }

    /// Indices of the packages that make up the distribution.
    fn system_packages(&self) -> Vec<usize> {
        let kinds = PackageKind::ALL.iter().filter(|kind| kind.is_of_distribution());
        let kinds: Vec<&str> = kinds.map(|kind| kind.as_str()).collect();
        let is_of_system = |component: &Component| kinds.contains(&component.kind);
        let indices = self.components.iter().enumerate().filter(|(_, component)| is_of_system(component));
        indices.map(|(index, _)| index).collect()
    }

    /// When the image was made, as `YYYY-MM-DDThh:mm:ssZ`; the beginning of 1970 where it does not say.
    fn created(&self) -> String {
        let created = self.image.config.created.as_deref();
        created.and_then(moment::in_utc).unwrap_or_else(|| "1970-01-01T00:00:00Z".to_owned())
    }

    /// The image's name: its first reference, else as it was asked for.
    fn name(&self) -> String {
        let identity = &self.image.identity;
        let name = identity.references.first().unwrap_or(&identity.requested);
        let name = nixdive_base::text::display_in_sentence(name);
        if name.is_empty() { "image".to_owned() } else { name }
    }

    /// The digest that the image is known by.
    fn digest(&self) -> Option<&nixdive_image::Digest> {
        let identity = &self.image.identity;
        identity.manifest_digest.as_ref().or(identity.config_digest.as_ref())
    }
}
