//! Hides large parts of the tree: the base image's layers, or everything that is not wasted. Also finds the layers
//! that changed a path.

use std::sync::Arc;

use super::pages::Page;
use super::session::{LayerChoice, Session};
use super::walk::Direction;
use nixdive_image::{FileTree, Kind, LayerIndex, NodeId};

impl Session {
    /// Shows only hidden copies in the files, or everything again; what to tell the user.
    pub(super) fn toggle_wasted(&mut self) -> String {
        if self.pages.findings.hidden.is_none() {
            return "Still computing the waste".to_owned();
        }
        // From another page, always show the files.
        self.preferences.wasted = !self.preferences.wasted || self.pages.current != Page::Files;
        self.pages.current = Page::Files;
        self.follow_wasted();
        if self.preferences.wasted {
            "Only files that a later layer replaces or removes".to_owned()
        } else {
            "All files".to_owned()
        }
    }

    /// Makes the tree show the hidden copies of the selected layer, if it shows hidden copies.
    pub(super) fn follow_wasted(&mut self) {
        let shows = self.opened.as_ref().is_some_and(|opened| opened.tree.shows_wasted());
        if !shows && !self.preferences.wasted {
            return;
        }
        let layer = match self.layer_choice() {
            LayerChoice::All => None,
            LayerChoice::One(layer) => Some(layer),
        };
        let findings = Arc::clone(&self.pages.findings);
        let hidden = findings.hidden.as_ref().filter(|_| self.preferences.wasted);
        self.with_tree(|view, tree| view.set_wasted(tree, hidden.map(|hidden| hidden.paths(tree, layer))));
    }

    /// Leaves the base image's layers and all that comes from them out of sight, or shows them again; what to tell the
    /// user.
    pub(super) fn toggle_base(&mut self) -> String {
        let Some(base) = self.opened.as_ref().map(|opened| opened.base_layers) else {
            return "Still reading the image".to_owned();
        };
        let Some(count) = base else {
            return "Base image unknown: the history does not mark its end".to_owned();
        };
        let choice = self.layer_choice();
        self.preferences.hide_base = !self.preferences.hide_base;
        match choice {
            LayerChoice::One(layer) if layer.0 < count && self.preferences.hide_base => self.layers.selected = 0,
            LayerChoice::One(layer) => self.select_layer(Some(layer)),
            LayerChoice::All => {}
        }
        self.follow();
        let layers = if count == 1 { "layer" } else { "layers" };
        let done = if self.preferences.hide_base { "Hidden" } else { "Shown" };
        format!("{done}: {count} {layers} of the base image, and the files they bring")
    }

    /// Layers at the bottom of the list that are out of sight.
    pub(super) fn hidden_layers(&self) -> usize {
        let base = self.opened.as_ref().and_then(|opened| opened.base_layers);
        base.filter(|_| self.preferences.hide_base).map_or(0, usize::from)
    }

    /// Selects a layer in the list, or the whole image.
    pub(super) fn select_layer(&mut self, layer: Option<LayerIndex>) {
        if layer.is_some_and(|layer| layer.index() < self.hidden_layers()) {
            self.preferences.hide_base = false;
        }
        self.layers.selected = layer.map_or(0, |layer| layer.index() + 1 - self.hidden_layers());
        self.details_offset = 0;
    }

    /// Selects the layer that last changed the selected path: the next one down from where it is, or up; what to tell
    /// the user.
    pub(super) fn go_to_change(&mut self, direction: Direction) -> Option<String> {
        let image = Arc::clone(&self.opened.as_ref()?.image);
        let node = self.opened.as_ref()?.tree.selected_row()?.node;
        let top = image.tree.top_layer()?;
        let changed = |layer: u16| changed_in(&image.tree, node, LayerIndex(layer));
        let found = match (self.layer_choice(), direction) {
            (LayerChoice::All, Direction::Backward) => (0..=top.0).rev().find(|&layer| changed(layer)),
            (LayerChoice::One(layer), Direction::Backward) => (0..layer.0).rev().find(|&layer| changed(layer)),
            (LayerChoice::All, Direction::Forward) => None,
            (LayerChoice::One(layer), Direction::Forward) => (layer.0 + 1..=top.0).find(|&layer| changed(layer)),
        };
        let Some(layer) = found else {
            let order = if direction == Direction::Backward { "earlier" } else { "later" };
            return Some(format!("No {order} layer changes it"));
        };
        self.select_layer(Some(LayerIndex(layer)));
        self.follow();
        self.with_tree(|view, tree| view.reveal(tree, node));
        Some(format!("Layer {layer} changes it"))
    }
}

/// Returns `true` if a layer has an entry for a path or for something below it.
fn changed_in(tree: &FileTree, node: NodeId, layer: LayerIndex) -> bool {
    let own = tree.occurrence_in(node, layer).map(|id| tree.occurrence(id));
    // An unchanged directory only has an entry for the sake of its content.
    let itself = own.is_some_and(|own| own.kind != Kind::Directory || own.difference().is_real());
    itself || tree.last_change_below(node, layer) == Some(layer)
}
