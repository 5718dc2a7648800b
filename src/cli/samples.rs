use std::path::Path;

use nixdive_image::reference::Reference;

/// Reference of the built-in sample.
pub const EMBEDDED: &str = "embedded:sample";

/// A small real Nix image, made by `sample-images/build.sh`.
const SAMPLE: &[u8] = include_bytes!("../../assets/embedded-sample.tar.gz");

/// The bytes of the sample, where a reference names it and no file has that name.
pub fn embedded(reference: &Reference) -> Option<&'static [u8]> {
    (reference.text == EMBEDDED && !Path::new(EMBEDDED).exists()).then_some(SAMPLE)
}

/// Size of the built-in sample, bytes.
pub fn embedded_bytes() -> u64 {
    SAMPLE.len() as u64
}
