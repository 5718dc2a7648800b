//! Store paths that an image declares for its layers, besides their entries: dockerTools in history
//! comments, nix-snapshotter in annotations.

use super::store_path::StorePath;
use nixdive_image::Layer;

/// How the comments of dockerTools' layers begin; a list as Python prints it follows.
pub(super) const COMMENT_PREFIX: &str = "store paths: [";
/// The annotation by which nix-snapshotter tells its layers.
pub(super) const ANNOTATION_OF_LAYER: &str = "containerd.io/snapshot/nix-layer";
/// How the annotations of nix-snapshotter that name store paths begin; a number follows.
pub(super) const ANNOTATION_PREFIX: &str = "containerd.io/snapshot/nix-store-path.";

/// The store paths that a layer is said to hold. None of them need be there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LayerClaim {
    /// In the order in which they are named.
    pub paths: Vec<StorePath>,
    /// Other names in the list: dockerTools names a base layer by its file.
    pub others: Vec<String>,
    /// True if the list is truncated or malformed after the part that was read.
    pub is_broken: bool,
}

impl LayerClaim {
    /// Returns the store paths that a layer's comment and annotations declare; `None` if they name
    /// none.
    #[must_use]
    pub fn of(layer: &Layer) -> Option<Self> {
        let list = layer.comment.as_deref().and_then(|comment| comment.strip_prefix(COMMENT_PREFIX));
        let mut claim = list.map(Self::from_python);
        if let Some(annotated) = Self::annotated(&layer.annotations) {
            let claim = claim.get_or_insert_default();
            claim.paths.extend(annotated.paths);
            claim.others.extend(annotated.others);
        }
        claim
    }

    /// Returns the store paths in nix-snapshotter's annotations, which are mounted over the layer
    /// and not among its bytes; `None` without such annotations.
    #[must_use]
    pub fn annotated(annotations: &[(String, String)]) -> Option<Self> {
        let mut claim: Option<Self> = None;
        for (key, value) in annotations {
            if key == ANNOTATION_OF_LAYER && value == "true" {
                claim.get_or_insert_default();
            }
            if key.starts_with(ANNOTATION_PREFIX) {
                claim.get_or_insert_default().add(value.clone());
            }
        }
        claim
    }

    fn add(&mut self, text: String) {
        match StorePath::parse(text.as_bytes()) {
            Ok(path) => self.paths.push(path),
            Err(_) => self.others.push(text),
        }
    }

    /// Reads what follows the `[` of a list of strings in Python's notation.
    fn from_python(list: &str) -> Self {
        let mut claim = Self::default();
        let mut rest = list.trim_start();
        while !rest.starts_with(']') {
            let Some((text, after)) = python_string(rest) else {
                claim.is_broken = true;
                return claim;
            };
            claim.add(text);
            rest = after.trim_start();
            rest = rest.strip_prefix(',').map_or(rest, str::trim_start);
        }
        claim
    }
}

/// The string in single or double quotes that `text` begins with, and what follows it.
fn python_string(text: &str) -> Option<(String, &str)> {
    let quote = text.chars().next().filter(|quote| matches!(quote, '\'' | '"'))?;
    let mut value = String::new();
    let mut characters = text.char_indices().skip(1);
    while let Some((place, character)) = characters.next() {
        match character {
            '\\' => value.push(characters.next()?.1),
            _ if character == quote => return Some((value, text.get(place + 1..)?)),
            _ => value.push(character),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PATH: &str = "/nix/store/hmnypiai2d9q9ri3yd4kdycjp1rg1027-glibc-2.36";

    fn claim(list: &str) -> (usize, Vec<String>, bool) {
        let claim = LayerClaim::from_python(list);
        (claim.paths.len(), claim.others, claim.is_broken)
    }

    #[test]
    fn a_comment_is_a_list_as_python_prints_it() {
        assert_eq!(claim("]"), (0, vec![], false));
        assert_eq!(claim(&format!("'{PATH}', \"{PATH}\"]")), (2, vec![], false));
        assert_eq!(claim("'abc/layer.tar', 'it\\'s']"), (0, vec!["abc/layer.tar".into(), "it's".into()], false));
    }

    #[test]
    fn a_comment_cut_in_the_middle_gives_what_was_whole() {
        assert_eq!(claim(&format!("'{PATH}', '/nix/store/hmny")), (1, vec![], true));
        assert_eq!(claim(&format!("'{PATH}'")), (1, vec![], true));
        assert_eq!(claim("1, 2]"), (0, vec![], true));
    }

    proptest! {
        #[test]
        fn no_comment_panics_or_loops(list in "['\", \\\\a\u{e9}\\]-]{0,40}") {
            let _ = LayerClaim::from_python(&list);
        }
    }
}
