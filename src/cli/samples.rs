use crate::reference::Reference;

/// The name under which the sample within the program is opened.
pub const EMBEDDED: &str = "sample";

/// The bytes of the sample, where a reference names it.
pub fn embedded(_reference: &Reference) -> Option<&'static [u8]> {
    None
}
