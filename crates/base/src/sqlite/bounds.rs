//! Bounds for files of pages that point at each other.

/// Bytes that a file may still give out. In a sound file its values do not overlap, so together they are no longer than
/// it; in another one every pointer may lead to the same value.
pub struct Budget(pub usize);

impl Budget {
    /// Spends `bytes` of the budget; `None` if fewer are left.
    pub fn spend(&mut self, bytes: usize) -> Option<()> {
        self.0 = self.0.checked_sub(bytes)?;
        Some(())
    }
}

/// The pages of a file that were read, so that no page is read twice however they point at each other.
pub struct Visited(Vec<u64>);

impl Visited {
    /// For pages `0..pages`; the count comes from the length of the file.
    pub fn new(pages: usize) -> Self {
        Self(vec![0; pages / 64 + 1])
    }

    /// Marks a page; whether this is the first time.
    pub fn first(&mut self, page: usize) -> bool {
        let Some(word) = self.0.get_mut(page / 64) else { return false };
        let bit = 1 << (page % 64);
        let first = *word & bit == 0;
        *word |= bit;
        first
    }
}
