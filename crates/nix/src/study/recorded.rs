use std::collections::{BTreeMap, BTreeSet};

use super::StudiedPath;
use crate::contents::StoreContents;
use crate::database::{KnownPath, StoreDatabase};
use crate::graph::PathId;
use crate::hash::Sha256Hash;
use crate::store_path::StorePath;

/// The record of a store path in a Nix database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedPath {
    /// Which.
    pub path: StorePath,
    /// References, including to itself if any.
    pub references: Vec<StorePath>,
    /// NAR hash.
    pub nar_hash: Option<Sha256Hash>,
    /// NAR size, bytes.
    pub nar_bytes: Option<u64>,
}

/// The records of an image's store in its Nix database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecordedStore {
    /// The valid paths.
    pub paths: Vec<RecordedPath>,
}

/// A difference between a database in the image and the files beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disagreement {
    /// The database has a path that is not there.
    NotThere(StorePath),
    /// A path is there that the database does not have.
    NotRecorded(PathId),
    /// A reference that no file shows.
    OnlyRecorded {
        /// Who refers.
        from: PathId,
        /// To whom.
        to: PathId,
    },
    /// A reference that the database does not have.
    OnlyFound {
        /// Who refers.
        from: PathId,
        /// To whom.
        to: PathId,
    },
    /// Another NAR size.
    NarBytes {
        /// Store path concerned.
        path: PathId,
        /// Size in the database, bytes.
        recorded: u64,
    },
    /// Another NAR hash: the content is not what was registered.
    NarHash {
        /// Store path concerned.
        path: PathId,
        /// Hash in the database.
        recorded: Sha256Hash,
    },
}

impl From<&StoreDatabase> for RecordedStore {
    fn from(database: &StoreDatabase) -> Self {
        let path = |known: &KnownPath| RecordedPath {
            path: known.path.clone(),
            references: known
                .references
                .iter()
                .filter_map(|&place| Some(database.paths.get(place)?.path.clone()))
                .collect(),
            nar_hash: known.nar_hash,
            nar_bytes: known.nar_bytes,
        };
        Self { paths: database.paths.iter().map(path).collect() }
    }
}

type Edge = (PathId, PathId);

impl RecordedStore {
    /// The references to go by, and where they and the paths are not as recorded.
    pub(super) fn reconcile(
        &self,
        store: &StoreContents,
        paths: &[StudiedPath],
        found: Vec<Edge>,
    ) -> (Vec<Edge>, Vec<Disagreement>) {
        let mut known: BTreeMap<PathId, &RecordedPath> = BTreeMap::new();
        let mut disagreements = Vec::new();
        for recorded in &self.paths {
            match store.id_of(&recorded.path) {
                Some(id) => {
                    known.insert(id, recorded);
                }
                None => disagreements.push(Disagreement::NotThere(recorded.path.clone())),
            }
        }
        for id in store.ids() {
            match known.get(&id) {
                None => disagreements.push(Disagreement::NotRecorded(id)),
                Some(recorded) => disagreements.extend(differences(id, recorded, paths.get(id.index()))),
            }
        }
        let found: BTreeSet<Edge> = found.into_iter().collect();
        let mut references: BTreeSet<Edge> = BTreeSet::new();
        for (&from, recorded) in &known {
            references.extend(recorded.references.iter().filter_map(|to| Some((from, store.id_of(to)?))));
        }
        for &(from, to) in references.difference(&found) {
            disagreements.push(Disagreement::OnlyRecorded { from, to });
        }
        for &(from, to) in found.difference(&references) {
            if known.contains_key(&from) {
                disagreements.push(Disagreement::OnlyFound { from, to });
            }
        }
        references.extend(found.into_iter().filter(|(from, _)| !known.contains_key(from)));
        (references.into_iter().collect(), disagreements)
    }
}

fn differences(
    path: PathId,
    recorded: &RecordedPath,
    studied: Option<&StudiedPath>,
) -> impl Iterator<Item = Disagreement> + use<> {
    let bytes =
        recorded.nar_bytes.filter(|&bytes| studied.and_then(|path| path.nar_bytes).is_some_and(|own| own != bytes));
    let hash = recorded.nar_hash.filter(|&hash| studied.and_then(|path| path.nar_hash).is_some_and(|own| own != hash));
    let bytes = bytes.map(|recorded| Disagreement::NarBytes { path, recorded });
    bytes.into_iter().chain(hash.map(|recorded| Disagreement::NarHash { path, recorded }))
}
