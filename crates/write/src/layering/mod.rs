//! Which store paths share a layer.

#[cfg(test)]
mod benchmark;
mod closures;
mod graph;
mod join;
mod nix2container;
mod own;
mod popularity;
#[cfg(test)]
mod tests;

use hashbrown::HashMap;

use super::Composition;
use super::TarForm;
use graph::Graph;

/// How store paths are put into layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Strategy {
    /// By bytes, by what other images share, and by what changes together.
    #[default]
    Stable,
    /// As dockerTools does: by how often a path is referred to.
    Popularity,
    /// As nix2container does, its tar streams included.
    Nix2container,
}

/// Store paths of other images that a registry has, or will have, beside this one: their base names and NAR sizes in
/// bytes.
pub type Sibling = HashMap<String, u64>;

impl Strategy {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Stable, Self::Popularity, Self::Nix2container];

    /// The name that people type.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::Popularity => "popularity",
            Self::Nix2container => "nix2container",
        }
    }

    /// The strategy of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|strategy| strategy.id() == name)
    }

    /// How entries are named in the layers that it makes.
    #[must_use]
    pub fn tar_form(self) -> TarForm {
        match self {
            Self::Stable | Self::Popularity => TarForm::Relative,
            Self::Nix2container => TarForm::Nix2container,
        }
    }

    /// Puts every store path of a composition into one layer: places in [`Composition::store_paths`], those within a layer
    /// in order. At most `max_layers` layers come out for the whole image, its base and what is outside the store
    /// counted, but one for store paths in any case.
    #[must_use]
    pub fn assign(self, composition: &Composition, siblings: &[Sibling], max_layers: usize) -> Vec<Vec<u32>> {
        let taken = composition.base.len() + usize::from(!composition.outside.is_empty());
        let most = max_layers.saturating_sub(taken).max(1);
        let graph = Graph::of(composition);
        let mut layers = match self {
            Self::Stable => own::group(&graph, siblings, most),
            Self::Popularity => popularity::group(&graph, most),
            Self::Nix2container => nix2container::group(&graph, most),
        };
        layers.iter_mut().for_each(|layer| layer.sort_unstable());
        layers
    }
}
