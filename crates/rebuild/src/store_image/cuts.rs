//! References to be overwritten, and the files that contain them.

use super::StoreImage;
use super::select::SelectError;
use crate::choices::Cut;
use crate::entry::top_of;
use nixdive_base::text::display_name;
use nixdive_image::NodeId;
use nixdive_nix::StorePath;
use nixdive_nix::contents::Place;
use nixdive_nix::graph::PathId;
use nixdive_nix::study::Match;

/// Reference that is overwritten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AppliedCut {
    pub from: PathId,
    pub to: PathId,
    /// Files in which the reference is overwritten; other files keep it.
    pub files: Vec<NodeId>,
    /// True if nothing else in `from` refers to `to`.
    pub is_whole: bool,
}

impl StoreImage<'_> {
    /// Finds the files of each cut.
    pub(super) fn find_cuts(&self, cuts: &[Cut]) -> Result<Vec<AppliedCut>, SelectError> {
        let mut applied = Vec::new();
        for cut in cuts {
            let before = applied.len();
            let to = self.meant(&cut.to)?;
            for (from, file) in self.meant_from(&cut.from, &to)? {
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

    /// Returns store paths, or files in them: by a full path or, if no store path has the name, by the name of a file
    /// that refers to `to`.
    fn meant_from(&self, text: &str, to: &[PathId]) -> Result<Vec<(PathId, Option<NodeId>)>, SelectError> {
        if let Ok((path, rest)) = StorePath::split(text.as_bytes())
            && !rest.is_empty()
            && let Some(id) = self.study.store.id_of(&path)
        {
            let file = self.tree().lookup(text.as_bytes()).filter(|&node| top_of(self.tree(), node).is_some());
            return match file {
                Some(file) => Ok(vec![(id, Some(file))]),
                None => Err(SelectError::Unknown { text: shown(text), near: String::new() }),
            };
        }
        let unknown = match self.meant(text) {
            Ok(paths) => return Ok(paths.into_iter().map(|path| (path, None)).collect()),
            Err(unknown) => unknown,
        };
        let mut files = Vec::new();
        for from in self.study.ids() {
            let proofs = self.study.evidence.get(from.index()).map_or(&[][..], Vec::as_slice);
            let named = |proof: &&nixdive_nix::contents::Evidence| {
                to.contains(&proof.to) && self.tree().name(proof.node) == text.as_bytes()
            };
            files.extend(proofs.iter().filter(named).map(|proof| (from, Some(proof.node))));
        }
        files.dedup();
        if files.is_empty() { Err(unknown) } else { Ok(files) }
    }
}

fn shown(text: &str) -> String {
    display_name(text.as_bytes()).into_owned()
}
