//! References that are to be overwritten: which files have them.

use super::select::SelectError;
use super::{StoreImage, links::top_of};
use crate::image::{NodeId, display_name};
use crate::nix::StorePath;
use crate::nix::contents::Place;
use crate::nix::graph::PathId;
use crate::nix::study::Match;
use crate::rebuild::choices::Cut;

/// A reference that is overwritten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AppliedCut {
    pub from: PathId,
    pub to: PathId,
    /// The files in which it is; others that have it keep it.
    pub files: Vec<NodeId>,
    /// Whether nothing else in `from` refers to `to`.
    pub is_whole: bool,
}

impl StoreImage<'_> {
    /// Finds the files of each cut.
    pub(super) fn find_cuts(&self, cuts: &[Cut]) -> Result<Vec<AppliedCut>, SelectError> {
        let mut applied = Vec::new();
        for cut in cuts {
            let before = applied.len();
            let to = self.meant(&cut.to)?;
            let (from, file) = self.meant_from(&cut.from)?;
            for &from in &from {
                for &to in &to {
                    applied.extend(self.cut_between(from, to, file)?);
                }
            }
            if applied.len() == before {
                return Err(SelectError::NothingToCut { from: shown(&cut.from), to: shown(&cut.to) });
            }
        }
        Ok(applied)
    }

    fn cut_between(&self, from: PathId, to: PathId, file: Option<NodeId>) -> Result<Option<AppliedCut>, SelectError> {
        if from == to {
            return Ok(None);
        }
        let proofs = self.study.proofs(from, to);
        let meant: Vec<_> = proofs.iter().filter(|proof| file.is_none_or(|file| proof.node == file)).collect();
        if let Some(other) = meant.iter().find(|proof| !matches!(proof.place, Place::Content(_))) {
            let path = display_name(&self.tree().path(other.node)).into_owned();
            return Err(SelectError::NotInContent { path, to: self.name(to) });
        }
        let mut files: Vec<NodeId> = meant.iter().map(|proof| proof.node).collect();
        files.sort_unstable();
        files.dedup();
        let is_whole = proofs.iter().all(|proof| files.binary_search(&proof.node).is_ok());
        Ok((!files.is_empty()).then_some(AppliedCut { from, to, files, is_whole }))
    }

    fn meant(&self, text: &str) -> Result<Vec<PathId>, SelectError> {
        match self.study.find(text) {
            Match::Paths(paths) => Ok(paths),
            Match::Ambiguous(_) => Err(SelectError::Ambiguous(shown(text))),
            Match::Dangling(_) => Err(SelectError::Unknown { text: shown(text), near: String::new() }),
            Match::Nothing(near) => Err(SelectError::Unknown { text: shown(text), near: near.join(", ") }),
        }
    }

    /// Store paths, or the one that a file is in and the file; a name without a slash may also be that of a file.
    fn meant_from(&self, text: &str) -> Result<(Vec<PathId>, Option<NodeId>), SelectError> {
        if let Ok((path, rest)) = StorePath::split(text.as_bytes())
            && !rest.is_empty()
            && let Some(id) = self.study.store.id_of(&path)
        {
            let file = self.tree().lookup(text.as_bytes()).filter(|&node| top_of(self.tree(), node).is_some());
            return match file {
                Some(file) => Ok((vec![id], Some(file))),
                None => Err(SelectError::Unknown { text: shown(text), near: String::new() }),
            };
        }
        self.meant(text).map(|paths| (paths, None))
    }
}

fn shown(text: &str) -> String {
    display_name(text.as_bytes()).into_owned()
}
