//! JSON read as Go's `encoding/json` reads it into a struct: keys match fields without regard to case, and of several
//! keys for one field the last counts. Engines, registries and nix2container read manifests and configurations so.

mod deserializer;
#[cfg(test)]
mod tests;

use serde::Deserialize;
use serde::de::Error as _;
use serde_json::value::RawValue;

/// Returns `true` if a key of a document denotes a field of a struct; fields have ASCII names.
///
/// In addition to letters of the other case, Go accepts U+017F for `s` and the Kelvin sign for `k`.
#[must_use]
pub fn names(key: &str, field: &str) -> bool {
    if key.is_ascii() {
        return key.eq_ignore_ascii_case(field);
    }
    let folded = key.chars().map(|letter| match letter {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        other => other.to_ascii_lowercase(),
    });
    folded.eq(field.chars().map(|letter| letter.to_ascii_lowercase()))
}

/// The field that a key means: the one of exactly that name, else one that is equal but for case.
#[must_use]
pub fn field_of<'f>(key: &str, fields: &[&'f str]) -> Option<&'f str> {
    let exact = fields.iter().find(|field| **field == key);
    exact.or_else(|| fields.iter().find(|field| names(key, field))).copied()
}

/// Reads a document into a type whose structs derive `Deserialize`.
///
/// # Errors
/// If the bytes are not one JSON document, or do not suit the type.
pub fn from_slice<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, serde_json::Error> {
    let raw: &RawValue = serde_json::from_slice(bytes)?;
    // Places are counted from the beginning of some inner value: they would mislead.
    T::deserialize(deserializer::GoValue(raw)).map_err(|error| {
        let text = error.to_string();
        serde_json::Error::custom(text.rfind(" at line ").and_then(|end| text.get(..end)).unwrap_or(&text))
    })
}
