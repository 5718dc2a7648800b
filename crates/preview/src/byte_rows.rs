use std::io;

use nixdive_base::cancel::Cancel;
use nixdive_scan::Section;

/// Rows that are listed.
const MOST_ROWS: usize = 10_000;
/// Number of bytes compared at a time.
const RUN: u64 = 256 << 10;

/// Returns the offsets of the rows of `columns` bytes that differ between two files, starting with
/// the row of `from`; and whether these are all of them.
///
/// # Errors
/// When one of them cannot be read, or the work was cancelled.
pub fn differing_rows(
    before: &Section,
    after: &Section,
    from: u64,
    columns: u8,
    cancel: &Cancel,
) -> io::Result<(Vec<u64>, bool)> {
    let columns = u64::from(columns.max(1));
    let end = before.length().max(after.length());
    let run = RUN - RUN % columns;
    let mut rows = Vec::new();
    let mut runs = (vec![0; run as usize], vec![0; run as usize]);
    let mut at = from - from % columns;
    while at < end {
        cancel.check()?;
        let old = before.read_full_at(&mut runs.0, at)?;
        let new = after.read_full_at(&mut runs.1, at)?;
        let (old, new) = (&runs.0[..old], &runs.1[..new]);
        if old.is_empty() && new.is_empty() {
            break;
        }
        if old != new {
            for row in (0..old.len().max(new.len())).step_by(columns as usize) {
                let of = |bytes: &[u8]| (row.min(bytes.len()), (row + columns as usize).min(bytes.len()));
                let ((old_from, old_to), (new_from, new_to)) = (of(old), of(new));
                if old[old_from..old_to] != new[new_from..new_to] {
                    if rows.len() >= MOST_ROWS {
                        return Ok((rows, false));
                    }
                    rows.push(at + row as u64);
                }
            }
        }
        at += run;
    }
    Ok((rows, true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_differ_are_listed() {
        let before: Vec<u8> = (0..100).collect();
        let mut after = before.clone();
        after[20] = 0xff;
        after.extend([1, 2, 3]);
        let section = |bytes: &[u8]| Section::from_bytes(bytes.to_vec());
        let rows = |from, columns| differing_rows(&section(&before), &section(&after), from, columns, &Cancel::new());
        assert_eq!(rows(0, 8).unwrap(), (vec![16, 96], true));
        assert_eq!(rows(20, 16).unwrap(), (vec![16, 96], true));
        let long = differing_rows(&section(&[0; 1 << 20]), &section(&[1; 1 << 20]), 0, 8, &Cancel::new()).unwrap();
        assert_eq!((long.0.len(), long.1), (MOST_ROWS, false));
        let cancel = Cancel::new();
        cancel.cancel();
        assert!(differing_rows(&section(&before), &section(&after), 0, 8, &cancel).is_err());
    }
}
