use nixdive_base::text::display_name;
use nixdive_image::Image;
use nixdive_nix::graph::PathId;
use nixdive_nix::study::StoreStudy;
use nixdive_nix::{StorePath, contents::Place};

/// Links of a chain that a sentence names.
const MOST_LINKS: usize = 8;

/// Why a store path is there, in names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// The referrer: `openssl-3.0.9 (bin/c_rehash)`, or the root outside the store that refers to
    /// it.
    pub by: String,
    /// Store paths from a root to it.
    pub chain: Vec<String>,
}

/// Looks up why store paths are in an image.
#[derive(Debug, Clone, Copy)]
pub struct Reasons<'a> {
    /// The image.
    pub image: &'a Image,
    /// Its store.
    pub study: &'a StoreStudy,
}

impl Reasons<'_> {
    /// Why a store path is there; `None` where nothing in the image leads to it.
    #[must_use]
    pub fn of(&self, path: &str) -> Option<Reason> {
        let id = self.study.store.id_of(&StorePath::parse(path.as_bytes()).ok()?)?;
        let why = self.study.why(id, false);
        let chain = why.chains.first()?;
        let names: Vec<String> = chain.paths.iter().map(|&id| self.name(id)).collect();
        let parent = chain.paths.len().checked_sub(2).and_then(|place| chain.paths.get(place));
        let by = match parent {
            Some(&parent) => match self.file(parent, id) {
                Some(file) => format!("{} ({file})", self.name(parent)),
                None => self.name(parent),
            },
            None => chain.reasons.first()?.describe(self.image),
        };
        Some(Reason { by, chain: names })
    }

    /// The chain in a sentence, where it has more than the two that the reason names.
    pub(super) fn chain_text(reason: &Reason) -> Option<String> {
        (reason.chain.len() > 2 && reason.chain.len() <= MOST_LINKS).then(|| reason.chain.join(" → "))
    }

    fn name(&self, id: PathId) -> String {
        self.study.get_path(id).map(|path| display_name(path.name().as_bytes()).into_owned()).unwrap_or_default()
    }

    /// The first file in which a path names another: a text or program before a link.
    fn file(&self, from: PathId, to: PathId) -> Option<String> {
        let proofs = self.study.proofs(from, to);
        let proof = proofs.iter().find(|proof| matches!(proof.place, Place::Content(_))).or(proofs.first())?;
        let whole = self.image.tree.path(proof.node);
        let base = self.image.tree.path(self.study.store.get(from)?.node);
        let within = whole.strip_prefix(base.as_slice()).unwrap_or(&whole);
        let within = within.strip_prefix(b"/").unwrap_or(within);
        (!within.is_empty()).then(|| display_name(within).into_owned())
    }
}
