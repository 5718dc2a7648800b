use crate::base32::is_digit;
use crate::store_path::StoreHash;

const WINDOW: usize = StoreHash::LENGTH;
/// Bytes at the right end of a window that are checked first, together. If one of them is not a
/// digit, no window that contains all of them can match.
const LOOKED_AT: usize = 6;

/// Finds every run of 32 base-32 digits in a stream of blocks: the candidates of Nix's reference
/// scanner (`references.cc`). A window is checked from its right end, and a byte that is not a
/// digit lets the search continue near or after it, so most bytes are never read.
#[derive(Debug, Clone)]
pub(super) struct Windows {
    /// Digits that the stream so far ended with, the last 31 of them at most.
    tail: [u8; WINDOW - 1],
    tail_length: usize,
    /// Bytes fed so far.
    position: u64,
}

impl Windows {
    pub fn new() -> Self {
        Self { tail: [0; WINDOW - 1], tail_length: 0, position: 0 }
    }

    /// Takes the next block and calls `visit` with the offset in the stream of every window that ends in it.
    pub fn feed(&mut self, block: &[u8], mut visit: impl FnMut(u64, &[u8; WINDOW])) {
        if self.tail_length > 0 {
            self.feed_border(block, &mut visit);
        }
        let start = self.position;
        let mut rest = block;
        let mut at = 0u64;
        while let Some((window, _)) = rest.split_first_chunk::<WINDOW>() {
            let skip = if ends_in_digits(window) {
                match window.iter().rposition(|&byte| !is_digit(byte)) {
                    Some(last) => last + 1,
                    None => visit_run(rest, start + at, &mut visit),
                }
            } else {
                WINDOW + 1 - LOOKED_AT
            };
            at += skip as u64;
            rest = rest.get(skip..).unwrap_or_default();
        }
        self.position += block.len() as u64;
        self.keep_tail(block);
    }

    /// Forgets the stream so far.
    pub fn reset(&mut self) {
        self.tail_length = 0;
        self.position = 0;
    }

    /// Windows that begin in the tail and end in `block`.
    fn feed_border(&mut self, block: &[u8], visit: &mut impl FnMut(u64, &[u8; WINDOW])) {
        let head = block.iter().take(WINDOW - 1).take_while(|&&byte| is_digit(byte)).count();
        let mut border = [0; 2 * (WINDOW - 1)];
        let length = self.tail_length + head;
        let joined = self.tail.iter().take(self.tail_length).chain(block);
        for (place, &byte) in border.iter_mut().zip(joined.take(length)) {
            *place = byte;
        }
        let start = self.position - self.tail_length as u64;
        let digits = border.get(..length).unwrap_or_default();
        for (at, window) in digits.windows(WINDOW).enumerate().take(self.tail_length) {
            if let Ok(window) = window.try_into() {
                visit(start + at as u64, window);
            }
        }
    }

    fn keep_tail(&mut self, block: &[u8]) {
        let run = block.iter().rev().take(WINDOW - 1).take_while(|&&byte| is_digit(byte)).count();
        let kept = if run == block.len() { (WINDOW - 1 - run).min(self.tail_length) } else { 0 };
        self.tail.copy_within(self.tail_length - kept..self.tail_length, 0);
        let ending = block.iter().skip(block.len() - run);
        for (place, &byte) in self.tail.iter_mut().skip(kept).zip(ending) {
            *place = byte;
        }
        self.tail_length = kept + run;
    }
}

/// Returns `true` if the last bytes of a window are digits; without a branch for each of them.
#[inline]
fn ends_in_digits(window: &[u8; WINDOW]) -> bool {
    let ending = window.last_chunk::<LOOKED_AT>().copied().unwrap_or_default();
    ending.iter().fold(true, |all, &byte| all & is_digit(byte))
}

/// Visits the windows of the run of digits that `bytes` begins with; the number of bytes up to and with the one that
/// ends it.
fn visit_run(bytes: &[u8], offset: u64, visit: &mut impl FnMut(u64, &[u8; WINDOW])) -> usize {
    let length = WINDOW + bytes.iter().skip(WINDOW).take_while(|&&byte| is_digit(byte)).count();
    let run = bytes.get(..length).unwrap_or_default();
    for (at, window) in run.windows(WINDOW).enumerate() {
        if let Ok(window) = window.try_into() {
            visit(offset + at as u64, window);
        }
    }
    length + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn plainly(text: &[u8]) -> Vec<(u64, Vec<u8>)> {
        let windows = text.windows(WINDOW).enumerate();
        let digits = windows.filter(|(_, window)| window.iter().all(|&byte| is_digit(byte)));
        digits.map(|(at, window)| (at as u64, window.to_vec())).collect()
    }

    fn in_blocks(text: &[u8], sizes: &[usize]) -> Vec<(u64, Vec<u8>)> {
        let mut found = Vec::new();
        let mut windows = Windows::new();
        let mut rest = text;
        for &size in sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (block, after) = rest.split_at(size.min(rest.len()));
            windows.feed(block, |offset, window| found.push((offset, window.to_vec())));
            rest = after;
        }
        found
    }

    #[test]
    fn a_run_of_34_digits_has_three_windows() {
        let text = format!("--{}e{}", "0".repeat(34), "1".repeat(31));
        let offsets: Vec<u64> = in_blocks(text.as_bytes(), &[1000]).iter().map(|found| found.0).collect();
        assert_eq!(offsets, [2, 3, 4]);
    }

    proptest! {
        #[test]
        fn blocks_of_any_sizes_give_what_one_block_gives(
            text in "([0-9a-dz]{20,50}|[a-z/-]{0,5}){0,12}",
            sizes in proptest::collection::vec(1usize..80, 1..10),
        ) {
            prop_assert_eq!(in_blocks(text.as_bytes(), &sizes), plainly(text.as_bytes()));
        }
    }
}
