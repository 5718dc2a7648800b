use super::{Evidence, Location};
use nixdive_base::text::display_name;
use nixdive_image::Image;
use nixdive_nix::contents::RootSource;
use nixdive_nix::graph::PathId;
use nixdive_nix::study::StoreStudy;

/// Store paths of a chain that are named.
const CHAIN: usize = 4;

/// Names places in words: of an image, its store, and with names quoted as the reader needs it.
#[derive(Debug, Clone, Copy)]
pub struct Places<'a> {
    /// The image.
    pub image: &'a Image,
    /// Its store.
    pub store: Option<&'a StoreStudy>,
    /// Makes a name stand as it is for whoever reads it. It gets names that are safe to show.
    pub quote: fn(&str) -> String,
}

impl Places<'_> {
    /// A hit on one line, without its bytes.
    #[must_use]
    pub fn describe(&self, evidence: &Evidence) -> String {
        let place = self.place(&evidence.location);
        let note = evidence.note.as_deref().map(self.quote);
        match (place.is_empty(), note) {
            (false, Some(note)) => format!("{place}  ({note})"),
            (true, Some(note)) => note,
            (_, None) => place,
        }
    }

    fn place(&self, location: &Location) -> String {
        match location {
            Location::Path { node, layer, offset, .. } => {
                let path = (self.quote)(&display_name(&self.image.tree.path(*node)));
                let offset = offset.map(|offset| format!(" at byte {offset}")).unwrap_or_default();
                let layer = layer.filter(|_| !self.image.is_closure());
                let layer = layer.map(|layer| format!(", layer {}", layer.0)).unwrap_or_default();
                format!("{path}{offset}{layer}")
            }
            Location::StorePath { path, chain, reason } => self.chain(*path, chain, *reason),
            Location::Absent { path, from, node, offset } => {
                let by = match (node, from) {
                    (Some(node), _) => (self.quote)(&display_name(&self.image.tree.path(*node))),
                    (None, Some(from)) => self.name(*from),
                    (None, None) => String::new(),
                };
                let offset = offset.map(|offset| format!(" at byte {offset}")).unwrap_or_default();
                let named = if by.is_empty() { String::new() } else { format!(", named by {by}{offset}") };
                format!("{}{named}", (self.quote)(path.name()))
            }
            Location::Layer(layer) => format!("layer {}", layer.0),
            Location::Environment(_) => "environment".to_owned(),
            Location::Label(_) => "label".to_owned(),
            Location::History(place) => format!("step {} of the history", place + 1),
            Location::Field(name) => (*name).to_owned(),
        }
    }

    fn name(&self, id: PathId) -> String {
        let path = self.store.and_then(|store| store.get_path(id));
        path.map(|path| (self.quote)(path.name())).unwrap_or_default()
    }

    /// `gcc-12 ← lib-1 ← web ← Entrypoint`: what is meant first.
    fn chain(&self, path: PathId, chain: &[PathId], reason: Option<RootSource>) -> String {
        let mut names = vec![self.name(path)];
        let holders: Vec<PathId> = chain.iter().rev().skip(1).copied().collect();
        names.extend(holders.iter().take(CHAIN).map(|&id| self.name(id)));
        if holders.len() > CHAIN {
            names.push("…".to_owned());
        }
        names.extend(reason.map(|reason| self.reason(reason)));
        names.join(" ← ")
    }

    fn reason(&self, reason: RootSource) -> String {
        match reason {
            RootSource::Tree(node, _) => (self.quote)(&display_name(&self.image.tree.path(node))),
            other => other.label(self.image).into_owned(),
        }
    }
}
