//! One image that is being looked at, from its first bytes on.

use std::sync::Arc;

use super::find::{Marks, Needle};
use super::layout::{Areas, Arrangement, Pane, arrange};
use super::list::ListCursor;
use super::message::{Identified, LayerOutline, Opened, Opening, Overview, Progress};
use super::tree_view::TreeView;
use crate::image::{Baseline, DigestCheck, Image, Layer, LayerIndex, Scope};

/// What is selected in the list of layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LayerChoice {
    /// The whole image.
    All,
    One(LayerIndex),
}

/// An image whose trees are complete, and how they are looked at.
#[derive(Debug)]
pub(super) struct Exploration {
    pub image: Arc<Image>,
    pub overview: Overview,
    pub tree: TreeView,
    /// By layer, newer than what the image holds.
    pub checks: Vec<DigestCheck>,
}

/// How the panes show what they show.
#[derive(Debug, Clone, Copy)]
pub(super) struct Preferences {
    /// The selected layer's own entries, not the stack up to it.
    pub alone: bool,
    /// Changes since the base layer, not since the layer below.
    pub aggregated: bool,
    pub attributes: bool,
    pub wrap: bool,
    pub zoomed: bool,
    /// Share of the layers and details, percent.
    pub share: u16,
}

impl Default for Preferences {
    fn default() -> Self {
        Self { alone: false, aggregated: false, attributes: true, wrap: true, zoomed: false, share: 40 }
    }
}

/// A search term for jumping.
#[derive(Debug)]
pub(super) struct Search {
    pub text: String,
    pub needle: Needle,
    pub marks: Marks,
}

/// The state of one image on screen.
#[derive(Debug)]
pub(super) struct Session {
    pub opening: Opening,
    pub name: String,
    pub identified: Identified,
    pub progress: Progress,
    pub opened: Option<Exploration>,
    pub stopped: bool,
    pub focus: Pane,
    pub layers: ListCursor,
    pub details_offset: usize,
    pub preferences: Preferences,
    pub search: Option<Search>,
}

impl Session {
    pub(super) fn new(opening: Opening, name: String) -> Self {
        Self {
            opening,
            name,
            identified: Identified::default(),
            progress: Progress::default(),
            opened: None,
            stopped: false,
            focus: Pane::Layers,
            layers: ListCursor::default(),
            details_offset: 0,
            preferences: Preferences::default(),
            search: None,
        }
    }

    pub(super) fn layer_count(&self) -> usize {
        self.opened.as_ref().map_or(self.identified.layers.len(), |opened| opened.image.layers.len())
    }

    /// Rows of the list of layers: one for the whole image, then one for each.
    pub(super) fn layer_rows(&self) -> usize {
        self.layer_count() + 1
    }

    pub(super) fn layer_choice(&self) -> LayerChoice {
        match self.layers.selected.checked_sub(1).and_then(|index| u16::try_from(index).ok()) {
            Some(index) => LayerChoice::One(LayerIndex(index)),
            None => LayerChoice::All,
        }
    }

    pub(super) fn selected_layer(&self) -> Option<&Layer> {
        match self.layer_choice() {
            LayerChoice::All => None,
            LayerChoice::One(layer) => self.opened.as_ref()?.image.layers.get(layer.index()),
        }
    }

    pub(super) fn selected_outline(&self) -> Option<&LayerOutline> {
        self.layers.selected.checked_sub(1).and_then(|index| self.identified.layers.get(index))
    }

    pub(super) fn digest_check(&self, layer: usize) -> Option<&DigestCheck> {
        let opened = self.opened.as_ref()?;
        match opened.checks.get(layer) {
            Some(check) if *check != DigestCheck::NotChecked => Some(check),
            _ => opened.image.layers.get(layer).map(|layer| &layer.diff_id_check),
        }
    }

    /// What the tree shows, and since when it counts changes.
    pub(super) fn scope(&self, image: &Image) -> (Scope, Baseline) {
        let top = image.tree.top_layer().unwrap_or(LayerIndex(0));
        let baseline = if self.preferences.aggregated { Baseline::Base } else { Baseline::Below };
        match self.layer_choice() {
            LayerChoice::All => (Scope::Stacked(top), Baseline::Base),
            LayerChoice::One(layer) if self.preferences.alone => (Scope::Layer(layer), baseline),
            LayerChoice::One(layer) => (Scope::Stacked(layer), baseline),
        }
    }

    pub(super) fn open(&mut self, opened: Opened) {
        let Opened { image, overview } = opened;
        let (scope, baseline) = self.scope(&image);
        let tree = TreeView::new(&image.tree, scope, baseline);
        let checks = vec![DigestCheck::NotChecked; image.layers.len()];
        self.opened = Some(Exploration { image, overview, tree, checks });
        self.stopped = false;
        self.details_offset = 0;
    }

    /// Takes a better reading of the same tree; a tree of another shape is opened anew.
    pub(super) fn refine(&mut self, refined: Opened) {
        match &mut self.opened {
            Some(opened) if opened.image.tree.node_count() == refined.image.tree.node_count() => {
                opened.image = refined.image;
                opened.overview = refined.overview;
                let image = Arc::clone(&opened.image);
                opened.tree.rebuild(&image.tree);
            }
            _ => self.open(refined),
        }
    }

    /// Makes the tree follow the selected layer and the preferences.
    pub(super) fn follow(&mut self) {
        let Some(image) = self.opened.as_ref().map(|opened| Arc::clone(&opened.image)) else { return };
        let (scope, baseline) = self.scope(&image);
        let Some(opened) = &mut self.opened else { return };
        if (opened.tree.settings.scope, opened.tree.settings.baseline) != (scope, baseline) {
            opened.tree.settings.scope = scope;
            opened.tree.settings.baseline = baseline;
            opened.tree.rebuild(&image.tree);
            self.details_offset = 0;
        }
    }

    /// Runs something on the tree view with the tree itself at hand.
    pub(super) fn with_tree<R>(
        &mut self,
        change: impl FnOnce(&mut TreeView, &crate::image::FileTree) -> R,
    ) -> Option<R> {
        let opened = self.opened.as_mut()?;
        Some(change(&mut opened.tree, &opened.image.tree))
    }

    pub(super) fn set_search(&mut self, text: &str) -> bool {
        if self.search.as_ref().is_some_and(|search| search.text == text) {
            return true;
        }
        let Some(opened) = &self.opened else { return false };
        self.search = Needle::parse(text).map(|needle| {
            let marks = Marks::find(&opened.image.tree, &needle);
            Search { text: text.to_owned(), needle, marks }
        });
        self.search.is_some()
    }

    pub(super) fn areas(&self, size: (u16, u16)) -> Areas {
        arrange(&Arrangement {
            size,
            layer_rows: self.layer_rows(),
            focus: self.focus,
            zoomed: self.preferences.zoomed,
            share: self.preferences.share,
        })
    }
}
