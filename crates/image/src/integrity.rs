//! Completeness of an image, and agreement with its digests.

use super::{DigestCheck, Image, Layer, LayerIndex};

/// In which way an image is less than, or other than, what describes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DefectKind {
    /// Something is missing: a layer was cut, reached a limit, or is absent.
    Incomplete,
    /// Bytes have another digest or length than the one given for them.
    Altered,
    /// A digest could not be verified, so nothing is known of the bytes behind it.
    Unverified,
}

/// One reason why an image cannot be certified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defect {
    /// In which way.
    pub kind: DefectKind,
    /// Index of the layer that it concerns, if it concerns one.
    pub layer: Option<LayerIndex>,
    /// One sentence that names the layer and what is wrong.
    pub message: String,
}

impl Image {
    /// Returns `true` if everything in the image was read and nothing is known to differ from its
    /// description. Digests that were not verified because verification was not requested do not
    /// count.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.defects.is_empty()
    }

    /// All reasons against certifying the image: its defects, and layers that nobody has verified.
    #[must_use]
    pub fn doubts(&self) -> Vec<Defect> {
        let mut found = self.defects.clone();
        for (number, layer) in self.layers.iter().enumerate() {
            let index = LayerIndex(u16::try_from(number).unwrap_or(u16::MAX));
            if found.iter().any(|defect| defect.layer == Some(index)) {
                continue;
            }
            if let Some(what) = unverified(layer) {
                let name = nixdive_base::text::display_in_sentence(&layer.stored_as);
                let message = format!("layer {number} ({name}): {what}");
                found.push(Defect { kind: DefectKind::Unverified, layer: Some(index), message });
            }
        }
        found
    }
}

/// Describes the parts of a layer that were not verified.
fn unverified(layer: &Layer) -> Option<String> {
    let digests = [("diffID", &layer.diff_id, &layer.diff_id_check), ("digest", &layer.digest, &layer.digest_check)];
    digests.into_iter().find_map(|(what, stated, check)| {
        let stated = stated.as_ref().filter(|_| *check == DigestCheck::NotChecked)?;
        Some(match stated.is_verifiable() {
            true => {
                format!("the {what} {stated} was not verified: the bytes were not kept; open the image from a file")
            }
            false => format!("the {what} {stated} was not verified: {} is not supported", stated.algorithm()),
        })
    })
}
