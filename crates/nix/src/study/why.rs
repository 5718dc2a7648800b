use super::StoreStudy;
use crate::contents::{Evidence, RootSource};
use crate::graph::{Chains, PathId, Reachability};
use crate::store_path::{StoreHash, StorePath};

/// Steps that a search for all chains may take.
const MOST_STEPS: usize = 2_000_000;
/// Chains that are given of one path.
const MOST_CHAINS: usize = 1000;
/// Equally short chains among which the one with the strongest reason is chosen.
const MOST_COMPARED: usize = 64;
/// Digits of a hash that may stand for all of it.
const LEAST_DIGITS: usize = 4;
/// Paths up to which names are compared letter by letter.
const MOST_COMPARED_NAMES: usize = 20_000;
/// Letters by which a name may differ from what was meant.
const MOST_LETTERS: usize = 3;

/// One way from a root to a store path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// Reasons why the first path is a root, strongest first.
    pub reasons: Vec<RootSource>,
    /// The root first, the path itself last; each refers to the next.
    pub paths: Vec<PathId>,
}

/// Why a store path is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Why {
    /// Which.
    pub path: PathId,
    /// The shortest first; none where no root reaches it.
    pub chains: Vec<Chain>,
    /// True if the search stopped before all were found.
    pub is_truncated: bool,
}

/// The store paths of an image that match a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Match {
    /// These: one by its path or hash, or all of a name.
    Paths(Vec<PathId>),
    /// Several whose hashes begin alike.
    Ambiguous(Vec<PathId>),
    /// It is named in the image, but is not there: a place in [`StoreStudy::dangling`].
    Dangling(usize),
    /// Nothing; names that are much like it.
    Nothing(Vec<String>),
}

impl StoreStudy {
    /// The shortest chain to a path, of equally short ones that with the strongest reason, or all chains.
    #[must_use]
    pub fn why(&self, path: PathId, all: bool) -> Why {
        let roots = self.root_paths();
        let mut search = Chains::new(&self.graph, &roots, path, MOST_STEPS);
        let mut chains: Vec<Chain> = Vec::new();
        let most = if all { MOST_CHAINS + 1 } else { MOST_COMPARED };
        for paths in search.by_ref() {
            if !all && chains.first().is_some_and(|first| first.paths.len() < paths.len()) {
                break;
            }
            let reasons = paths.first().map(|&root| self.reasons(root)).unwrap_or_default();
            chains.push(Chain { reasons, paths });
            if chains.len() >= most {
                break;
            }
        }
        let mut is_truncated = false;
        if all {
            is_truncated = search.is_truncated() || chains.len() > MOST_CHAINS;
            chains.truncate(MOST_CHAINS);
            if self.is_closure() {
                self.sort_as_nix(path, &mut chains);
            }
        } else {
            chains.sort_by(|left, right| left.reasons.first().cmp(&right.reasons.first()));
            chains.truncate(1);
        }
        Why { path, chains, is_truncated }
    }

    /// Puts chains to a path in the order of `nix why-depends --all`: at each step, what is nearer to it comes first.
    fn sort_as_nix(&self, path: PathId, chains: &mut [Chain]) {
        let distances = Reachability::search(self.graph.len(), &[path], |id| self.graph.referrers(id), |_| true);
        let steps = |chain: &Chain| chain.paths.iter().map(|&id| (distances.depth(id), id)).collect::<Vec<_>>();
        chains.sort_by_cached_key(steps);
    }

    /// The proofs that one path refers to another, in the order of the NAR; none where only a database says so.
    #[must_use]
    pub fn proofs(&self, from: PathId, to: PathId) -> Vec<Evidence> {
        let evidence = self.evidence.get(from.index()).map_or(&[][..], Vec::as_slice);
        evidence.iter().filter(|proof| proof.to == to).copied().collect()
    }

    /// Finds the store paths that a text denotes: a store path or something in it, a base name, a
    /// name with or without version or output, or the beginning of a hash.
    #[must_use]
    pub fn find(&self, text: &str) -> Match {
        if let Ok((path, _)) = StorePath::split(text.as_bytes()) {
            return match self.store.id_of(&path) {
                Some(id) => Match::Paths(vec![id]),
                None => self.absent(text, |absent| absent.hash() == path.hash()),
            };
        }
        let named = self.matching(|path| {
            let package = path.package();
            path.base_name() == text
                || path.name() == text
                || package.name == text
                || text.strip_prefix(package.name).is_some_and(|rest| rest.strip_prefix('-') == Some(package.output))
                || text.strip_prefix(package.name).is_some_and(|rest| rest.strip_prefix('-') == Some(package.version))
        });
        if !named.is_empty() {
            return Match::Paths(named);
        }
        if (LEAST_DIGITS..=StoreHash::LENGTH).contains(&text.len()) {
            let hashed = self.matching(|path| path.base_name().starts_with(text));
            match hashed.len() {
                0 => {}
                1 => return Match::Paths(hashed),
                _ => return Match::Ambiguous(hashed),
            }
        }
        self.absent(text, |absent| absent.base_name() == text || absent.name() == text || absent.package().name == text)
    }

    fn matching(&self, is_meant: impl Fn(&StorePath) -> bool) -> Vec<PathId> {
        self.ids().filter(|&id| self.store.get(id).is_some_and(|known| is_meant(&known.path))).collect()
    }

    fn absent(&self, text: &str, is_meant: impl Fn(&StorePath) -> bool) -> Match {
        match self.dangling.iter().position(|absent| is_meant(&absent.path)) {
            Some(place) => Match::Dangling(place),
            None => Match::Nothing(self.near(text)),
        }
    }

    /// Names that contain the text or are written much like it, the most similar first.
    fn near(&self, text: &str) -> Vec<String> {
        let text = StorePath::split(text.as_bytes()).map_or(text.to_owned(), |(path, _)| path.name().to_owned());
        let text: String = text.to_lowercase().chars().take(StorePath::MAX_NAME).collect();
        let compare = self.store.paths.len() <= MOST_COMPARED_NAMES;
        let mut near: Vec<(usize, String)> = Vec::new();
        for known in &self.store.paths {
            let package = known.path.package();
            let name = package.name.to_lowercase();
            let contained = text.len() >= 2 && known.path.name().to_lowercase().contains(&text);
            let distance = match contained || (name.len() >= 2 && text.contains(&name)) {
                true => Some(0),
                false if compare => {
                    let with_version = format!("{name}-{}", package.version.to_lowercase());
                    Some(letters_between(&text, &name).min(letters_between(&text, &with_version)))
                }
                false => None,
            };
            let most = MOST_LETTERS.min(text.chars().count() / 2);
            if let Some(distance) = distance.filter(|&distance| distance <= most) {
                near.push((distance, known.path.name().to_owned()));
            }
        }
        near.sort();
        near.dedup();
        near.into_iter().take(5).map(|(_, name)| name).collect()
    }
}

/// Letters to put in, take out or change to get from one text to the other (V. Levenshtein, 1966).
fn letters_between(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (taken, letter) in left.chars().enumerate() {
        let mut diagonal = taken;
        let mut before = taken + 1;
        if let Some(first) = row.first_mut() {
            *first = before;
        }
        for (place, &other) in row.iter_mut().skip(1).zip(&right) {
            let changed = diagonal + usize::from(letter != other);
            diagonal = *place;
            *place = changed.min(diagonal + 1).min(before + 1);
            before = *place;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::letters_between;

    #[test]
    fn letters_are_counted() {
        for (left, right, letters) in [("", "", 0), ("", "ab", 2), ("openssl", "opensll", 1), ("kitten", "sitting", 3)]
        {
            assert_eq!(letters_between(left, right), letters, "{left} {right}");
        }
    }
}
