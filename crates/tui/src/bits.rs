/// A set of numbers, a bit each: 125 kB for a million of them.
#[derive(Debug, Clone, Default)]
pub(super) struct Bits {
    words: Vec<u64>,
}

impl Bits {
    fn place(number: usize) -> (usize, u64) {
        (number / 64, 1 << (number % 64))
    }

    pub(super) fn contains(&self, number: usize) -> bool {
        let (word, bit) = Self::place(number);
        self.words.get(word).is_some_and(|word| word & bit != 0)
    }

    /// Adds a number; returns `true` if it is new.
    pub(super) fn insert(&mut self, number: usize) -> bool {
        let (word, bit) = Self::place(number);
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        let new = self.words[word] & bit == 0;
        self.words[word] |= bit;
        new
    }

    pub(super) fn remove(&mut self, number: usize) {
        let (word, bit) = Self::place(number);
        if let Some(word) = self.words.get_mut(word) {
            *word &= !bit;
        }
    }
}
