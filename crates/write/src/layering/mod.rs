//! Assignment of store paths to layers.

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

/// Strategy that assigns store paths to layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Strategy {
    /// By size, by what other images share, and by what changes together.
    #[default]
    Stable,
    /// By popularity, as dockerTools does.
    Popularity,
    /// As nix2container does, with identical tar streams.
    Nix2container,
}

/// Store paths of another image in the same registry, now or later: base names with NAR sizes in bytes.
pub type Sibling = HashMap<String, u64>;

impl Strategy {
    /// All strategies.
    pub const ALL: [Self; 3] = [Self::Stable, Self::Popularity, Self::Nix2container];

    /// Returns the name used on the command line.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::Popularity => "popularity",
            Self::Nix2container => "nix2container",
        }
    }

    /// Returns the strategy with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|strategy| strategy.id() == name)
    }

    /// Returns the naming of entries in the layers of this strategy.
    #[must_use]
    pub fn tar_form(self) -> TarForm {
        match self {
            Self::Stable | Self::Popularity => TarForm::Relative,
            Self::Nix2container => TarForm::Nix2container,
        }
    }

    /// Assigns each store path of a composition to one layer: positions in [`Composition::store_paths`], sorted within
    /// a layer. The whole image gets at most `max_layers` layers, including those of the base and the one for files
    /// outside the store, but always at least one for store paths.
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
