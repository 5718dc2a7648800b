//! RPM's own container `Packages.db` (rpm, `lib/backend/ndb/rpmpkg.c`): pages of slots that point at blobs, all in
//! little-endian numbers.

use super::super::database::Malformed;
use super::fields::{slice, u32_le};
use nixdive_base::sqlite::Budget;

const FILE_MAGIC: &[u8] = b"RpmP";
const SLOT_MAGIC: &[u8] = b"Slot";
const BLOB_MAGIC: &[u8] = b"BlbS";
const FILE_HEADER_BYTES: usize = 32;
const PAGE_BYTES: usize = 4096;
const SLOT_BYTES: usize = 16;
const BLOCK_BYTES: usize = 16;
const BLOB_HEADER_BYTES: usize = 16;
const DAMAGED: Malformed = Malformed("is an RPM database with a damaged slot");

/// Calls `visit` with each blob.
pub(super) fn for_each_blob(content: &[u8], visit: &mut dyn FnMut(&[u8])) -> Result<(), Malformed> {
    let is_ndb = content.starts_with(FILE_MAGIC) && u32_le(content, 4) == Some(0);
    let slot_pages =
        u32_le(content, 12).filter(|_| is_ndb).ok_or(Malformed("is not an RPM database of a known version"))?;
    let slots_end = (slot_pages as usize).checked_mul(PAGE_BYTES).ok_or(DAMAGED)?;
    let slots = content.get(FILE_HEADER_BYTES..slots_end).ok_or(DAMAGED)?;
    let mut budget = Budget(content.len());
    for slot in slots.chunks_exact(SLOT_BYTES) {
        if !slot.starts_with(SLOT_MAGIC) {
            return Err(DAMAGED);
        }
        let package = u32_le(slot, 4).ok_or(DAMAGED)?;
        let block = u32_le(slot, 8).ok_or(DAMAGED)? as usize;
        if block == 0 {
            continue;
        }
        let blob = blob(content, package, block).ok_or(DAMAGED)?;
        budget.spend(blob.len() + BLOB_HEADER_BYTES).ok_or(DAMAGED)?;
        visit(blob);
    }
    Ok(())
}

fn blob(content: &[u8], package: u32, block: usize) -> Option<&[u8]> {
    let start = block.checked_mul(BLOCK_BYTES)?;
    let header = slice(content, start, BLOB_HEADER_BYTES)?;
    let matches = header.starts_with(BLOB_MAGIC) && u32_le(header, 4) == Some(package);
    let length = u32_le(header, 12).filter(|_| matches)? as usize;
    slice(content, start + BLOB_HEADER_BYTES, length)
}

#[cfg(test)]
mod tests {
    use super::super::samples::ndb_file;
    use super::*;
    use proptest::prelude::*;

    fn read(content: &[u8]) -> Result<Vec<Vec<u8>>, Malformed> {
        let mut blobs = Vec::new();
        for_each_blob(content, &mut |blob| blobs.push(blob.to_vec())).map(|()| blobs)
    }

    #[test]
    fn slots_that_all_point_at_one_blob_end_the_reading() {
        let mut file = ndb_file(&[vec![1; 60_000]]);
        let slot: [u8; SLOT_BYTES] = file[FILE_HEADER_BYTES..][..SLOT_BYTES].try_into().unwrap();
        for place in file[FILE_HEADER_BYTES..PAGE_BYTES].chunks_exact_mut(SLOT_BYTES) {
            place.copy_from_slice(&slot);
        }
        assert_eq!(read(&file), Err(DAMAGED));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            blobs in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 0..300),
        ) {
            prop_assert_eq!(read(&ndb_file(&blobs)), Ok(blobs));
        }

        #[test]
        fn damage_anywhere_never_panics(
            damage in proptest::collection::vec((0usize..8192, any::<u8>()), 1..12),
        ) {
            let mut file = ndb_file(&[vec![1; 600], vec![2; 3000], vec![3; 10]]);
            for (place, byte) in damage {
                let place = place % file.len();
                file[place] = byte;
            }
            let _ = read(&file);
        }
    }
}
