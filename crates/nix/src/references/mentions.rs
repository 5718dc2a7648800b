use hashbrown::HashMap;
use memchr::memmem;

use crate::base32::is_digit;
use crate::store_path::{StoreHash, StorePath, is_name_byte};

const PREFIX: &[u8] = b"/nix/store/";
/// The longest text that tells a whole mention: prefix, hash, dash, name, and one byte that ends the name.
const LONGEST: usize = PREFIX.len() + StoreHash::LENGTH + 1 + StorePath::MAX_NAME + 1;
/// The text that `removeReferencesTo` of nixpkgs writes over a hash.
const SCRUBBED: [u8; StoreHash::LENGTH] = [b'e'; StoreHash::LENGTH];

/// A store path that a text names, whether or not there is such a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Mention {
    /// `/nix/store/<hash>-<name>`. The name goes as far as characters of names do, so that text directly behind it may
    /// be taken for a part of it.
    StorePath(StorePath),
    /// A reference whose hash was overwritten on purpose (32 times `e`), and the name after it.
    Scrubbed(Box<str>),
}

/// Store paths named in a stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mentions {
    /// Each with where its first occurrence begins, bytes, in that order.
    pub found: Vec<(Mention, u64)>,
    /// True if there were more than the limit.
    pub overflowed: bool,
}

/// Finds every `/nix/store/<32 characters>-<name>` in streams of bytes, known or not.
#[derive(Debug)]
pub struct MentionScanner {
    finder: memmem::Finder<'static>,
    /// The end of the stream so far, where a mention may have begun.
    pending: Vec<u8>,
    /// Offset of `pending` in the stream.
    position: u64,
    seen: HashMap<Box<[u8]>, ()>,
    limit: usize,
    mentions: Mentions,
}

impl MentionScanner {
    /// A scanner that keeps up to `limit` different mentions a stream, about 300 bytes each.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            finder: memmem::Finder::new(PREFIX),
            pending: Vec::with_capacity(2 * LONGEST),
            position: 0,
            seen: HashMap::new(),
            limit,
            mentions: Mentions::default(),
        }
    }

    /// Takes the next block of the stream.
    pub fn feed(&mut self, block: &[u8]) {
        let mut block = block;
        if !self.pending.is_empty() {
            let held = self.pending.len();
            let mut joined = std::mem::take(&mut self.pending);
            let (head, _) = block.split_at(block.len().min(LONGEST));
            joined.extend_from_slice(head);
            if head.len() == block.len() {
                // Too short to tell where it leads: keep all of it together.
                let kept = self.search(&joined, joined.len(), false);
                self.position += kept as u64;
                joined.drain(..kept);
                self.pending = joined;
                return;
            }
            self.search(&joined, held, true);
            self.position += held as u64;
            joined.clear();
            self.pending = joined;
        }
        let kept = self.search(block, block.len(), false);
        self.position += kept as u64;
        block = block.get(kept..).unwrap_or_default();
        self.pending.extend_from_slice(block);
    }

    /// Ends the stream, gives out what it named, and begins the next.
    pub fn finish(&mut self) -> Mentions {
        let pending = std::mem::take(&mut self.pending);
        self.search(&pending, pending.len(), true);
        self.pending = pending;
        self.pending.clear();
        self.position = 0;
        self.seen.clear();
        std::mem::take(&mut self.mentions)
    }

    /// Returns the store paths that one whole text names. Must not be called in the middle of a
    /// stream.
    pub fn scan(&mut self, text: &[u8]) -> Mentions {
        self.feed(text);
        self.finish()
    }

    /// Notes the mentions that begin in the first `begin_before` bytes. Where the text is not `complete`, returns from
    /// where on it must be looked at again with what follows.
    fn search(&mut self, text: &[u8], begin_before: usize, complete: bool) -> usize {
        let mut at = 0;
        while let Some(rest) = text.get(at..)
            && let Some(found) = self.finder.find(rest)
        {
            let start = at + found;
            if start >= begin_before {
                break;
            }
            let inner = text.get(start + PREFIX.len()..).unwrap_or_default();
            match measure(inner, complete) {
                Measure::Unfinished => return start,
                Measure::Nothing => {}
                Measure::Name(length) => self.note(inner.get(..length).unwrap_or_default(), start),
            }
            at = start + PREFIX.len();
        }
        let partial = (1..PREFIX.len()).rev().find(|&length| text.ends_with(PREFIX.get(..length).unwrap_or_default()));
        text.len() - partial.unwrap_or(0)
    }

    fn note(&mut self, base_name: &[u8], start: usize) {
        if self.mentions.overflowed || self.seen.contains_key(base_name) {
            return;
        }
        if self.seen.len() >= self.limit {
            self.mentions.overflowed = true;
            return;
        }
        let Some(mention) = mention(base_name) else { return };
        self.seen.insert(base_name.into(), ());
        self.mentions.found.push((mention, self.position + start as u64));
    }
}

enum Measure {
    /// It goes on behind the end of the text.
    Unfinished,
    /// No store path.
    Nothing,
    /// A base name of this many bytes.
    Name(usize),
}

/// How far a base name goes at the beginning of `text`.
fn measure(text: &[u8], complete: bool) -> Measure {
    let unfinished = |nothing| if complete { nothing } else { Measure::Unfinished };
    let hash = text.get(..StoreHash::LENGTH.min(text.len())).unwrap_or_default();
    if !hash.iter().all(|&byte| is_digit(byte)) && !hash.iter().all(|&byte| byte == b'e') {
        return Measure::Nothing;
    }
    let Some(rest) = text.get(StoreHash::LENGTH..).filter(|rest| !rest.is_empty()) else {
        return unfinished(Measure::Nothing);
    };
    let Some(name) = rest.strip_prefix(b"-") else {
        return Measure::Nothing;
    };
    let length = name.iter().take(StorePath::MAX_NAME).take_while(|&&byte| is_name_byte(byte)).count();
    if length == name.len() && length < StorePath::MAX_NAME {
        return unfinished(if length == 0 { Measure::Nothing } else { Measure::Name(StoreHash::LENGTH + 1 + length) });
    }
    if length == 0 { Measure::Nothing } else { Measure::Name(StoreHash::LENGTH + 1 + length) }
}

fn mention(base_name: &[u8]) -> Option<Mention> {
    match base_name.strip_prefix(&SCRUBBED) {
        Some(name) => {
            let name = std::str::from_utf8(name.strip_prefix(b"-")?).ok()?;
            Some(Mention::Scrubbed(name.into()))
        }
        None => StorePath::parse_base_name(base_name).ok().map(Mention::StorePath),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HASH: &str = "hmnypiai2d9q9ri3yd4kdycjp1rg1027";

    fn names(mentions: &Mentions) -> Vec<(String, u64)> {
        let name = |mention: &Mention| match mention {
            Mention::StorePath(path) => path.base_name().to_owned(),
            Mention::Scrubbed(name) => format!("scrubbed {name}"),
        };
        mentions.found.iter().map(|(mention, offset)| (name(mention), *offset)).collect()
    }

    fn in_blocks(text: &[u8], sizes: &[usize]) -> Mentions {
        let mut scanner = MentionScanner::new(100);
        let mut rest = text;
        for &size in sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (block, after) = rest.split_at(size.min(rest.len()));
            scanner.feed(block);
            rest = after;
        }
        scanner.finish()
    }

    #[test]
    fn mentions_are_whole_store_paths() {
        let mut scanner = MentionScanner::new(100);
        let text = format!("PATH=/nix/store/{HASH}-a/bin:/nix/store/{HASH}-b-1\0/nix/store/{HASH}-a");
        assert_eq!(names(&scanner.scan(text.as_bytes())), [(format!("{HASH}-a"), 5), (format!("{HASH}-b-1"), 55)]);
        let scrubbed = format!("/nix/store/{}-gcc-12/bin", "e".repeat(32));
        assert_eq!(names(&scanner.scan(scrubbed.as_bytes())), [("scrubbed gcc-12".to_owned(), 0)]);
        for nothing in [
            "/nix/store/",
            "/nix/store/x",
            &format!("/nix/store/{HASH}"),
            &format!("/nix/store/{HASH}-"),
            &format!("/nix/store/{HASH}-/"),
            &format!("/nix/store/{}-a", &HASH[1..]),
            &format!("/nix/store/e{}-a", &HASH[1..]),
        ] {
            assert_eq!(scanner.scan(nothing.as_bytes()), Mentions::default(), "{nothing}");
        }
    }

    #[test]
    fn more_than_the_limit_is_said() {
        let text = (0..5).fold(String::new(), |text, number| text + &format!("/nix/store/{HASH}-{number} "));
        let mentions = MentionScanner::new(3).scan(text.as_bytes());
        assert_eq!((mentions.found.len(), mentions.overflowed), (3, true));
    }

    proptest! {
        #[test]
        fn blocks_of_any_sizes_give_what_one_block_gives(
            pieces in proptest::collection::vec(prop_oneof![
                "[/nixstore-]{0,12}".boxed(),
                "/nix/store/".boxed(),
                Just(format!("/nix/store/{HASH}-")).boxed(),
                Just(format!("/nix/store/{}-", "e".repeat(32))).boxed(),
                "[a-z.-]{0,250}".boxed(),
                "[a-z]{0,9}/".boxed(),
            ], 0..12),
            sizes in proptest::collection::vec(prop_oneof![1usize..40, 1usize..600], 1..10),
        ) {
            let text = pieces.concat();
            let whole = MentionScanner::new(100).scan(text.as_bytes());
            prop_assert_eq!(in_blocks(text.as_bytes(), &sizes), whole);
        }
    }
}
