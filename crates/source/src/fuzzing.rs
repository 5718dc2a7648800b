//! Parsers of this crate that fuzz targets call and that are not public otherwise.

use std::path::Path;

use nixdive_image::reference::ImageName;

use crate::engines::bolt::{Bolt, Bucket, Item};
use crate::registry::{Configuration, Found};

/// Reads bytes as an entry of the cache, whose checksum is added. Returns whether they are one.
#[must_use]
pub fn cached_layer(body: &[u8]) -> bool {
    crate::cache::decode_body(body)
}

/// Reads a text as `registries.conf`.
///
/// # Errors
/// If it is not valid.
pub fn registries_conf(text: &str) -> Result<Configuration, String> {
    Configuration::parse(text, Path::new("registries.conf"))
}

/// Returns the credential that bytes in the format of `auth.json` hold for an image. Starts no helper.
#[must_use]
pub fn auth_json(bytes: &[u8], name: &ImageName) -> Option<Found> {
    crate::registry::look_up_in(bytes, name)
}

/// Reads bytes as a bbolt database. Returns how many keys and bytes its buckets hold, down to a depth of 8.
#[must_use]
pub fn bolt(bytes: &[u8]) -> Option<(usize, usize)> {
    let bolt = Bolt::new(bytes.to_vec()).ok()?;
    let mut sum = (0, 0);
    count(&bolt, bolt.root(), 8, &mut sum);
    Some(sum)
}

fn count(bolt: &Bolt, bucket: Bucket<'_>, depth: usize, sum: &mut (usize, usize)) {
    for (key, item) in bolt.items(bucket).unwrap_or_default() {
        sum.0 += 1;
        sum.1 += key.len();
        match item {
            Item::Value(value) => sum.1 += value.len(),
            Item::Bucket(inner) if depth > 0 => count(bolt, inner, depth - 1, sum),
            Item::Bucket(_) => {}
        }
    }
}
