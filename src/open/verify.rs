use std::io::{self, Read};

use sha2::{Digest as _, Sha256};

use super::Contents;
use super::assemble::check;
use super::comparison::StoredComparison;
use crate::image::{Digest, DigestCheck, Image, compute_history};
use crate::scan::Cancel;

/// Holds an uncompressed layer that was opened by its headers alone against its diffID. `None` where that cannot be
/// done, or was done while opening.
///
/// # Errors
/// Those of the source, and when it was cancelled.
pub fn check_layer(
    image: &Image,
    contents: &Contents,
    number: usize,
    cancel: &Cancel,
) -> io::Result<Option<DigestCheck>> {
    let Some(layer) = image.layers.get(number).filter(|layer| !layer.is_absent()) else { return Ok(None) };
    let (DigestCheck::NotChecked, Some(stated)) = (&layer.diff_id_check, &layer.diff_id) else { return Ok(None) };
    let Some(section) = contents.plain_layer(number) else { return Ok(None) };
    let mut reader = section.reader();
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 256 << 10];
    loop {
        cancel.check()?;
        let count = reader.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        hash.update(&buffer[..count]);
    }
    let actual = Digest::from_sha256(&hash.finalize().into());
    Ok(Some(check(Some(stated), Some(&actual))))
}

/// The same image with every file compared with the one that it covers, however long that takes.
#[must_use]
pub fn refine(image: &Image, contents: &Contents) -> Image {
    let mut refined = image.clone();
    compute_history(&mut refined.tree, &mut StoredComparison::new(contents, None));
    refined
}
