//! Nix stores in the reports.

use super::names::{bytes_and_exact, one_line};
use super::sections::Quote;
use super::table::{Align::Left, Align::Right, Table};
use nixdive_base::text::{display_bytes, display_name};
use nixdive_image::Image;
use nixdive_nix::contents::RootSource;
use nixdive_nix::graph::PathId;
use nixdive_nix::study::StoreStudy;

/// Names that a line lists before it counts.
const NAMED: usize = 3;

/// The store in a few names and values.
pub(super) fn figures(study: &StoreStudy, quote: Quote) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    if let Some(recognition) = study.builder {
        lines.push(("Builder", format!("{} (known by {})", recognition.builder.name(), recognition.signal)));
    }
    let bytes = bytes_and_exact(study.total_nar_bytes());
    let absent = study.absent_paths();
    lines.push((
        "Store paths",
        match absent {
            0 => format!("{}, {bytes} of NAR", study.ids().len()),
            _ if absent == study.ids().len() => format!("{absent}, named only: their contents are absent"),
            _ => format!("{}, {bytes} of NAR; the contents of {absent} are absent", study.ids().len()),
        },
    ));
    let unreachable: Vec<PathId> = study.unreachable().collect();
    let of_image = !study.is_closure();
    let reached = match unreachable.len() {
        0 if absent > 0 => ("Unreachable", "not known, as absent contents may refer to others".to_owned()),
        0 => ("Unreachable", "none: the configuration or a file leads to every store path".to_owned()),
        count => {
            let bytes = display_bytes(study.unreachable_bytes());
            let names = unreachable.iter().map(|&id| name(study, id));
            ("Unreachable", format!("{count}, {bytes} that nothing refers to: {}", listed(names, count, quote)))
        }
    };
    lines.extend(Some(reached).filter(|_| of_image && study.ids().len() > 0));
    let twice: Vec<PathId> =
        study.ids().filter(|&id| study.store.get(id).is_some_and(|p| p.layers.len() > 1)).collect();
    if !twice.is_empty() && of_image {
        let names = twice.iter().map(|&id| name(study, id));
        lines.push((
            "In layers",
            format!("{} in more than one layer: {}", twice.len(), listed(names, twice.len(), quote)),
        ));
    }
    if !study.dangling.is_empty() {
        let names = study.dangling.iter().map(|absent| absent.path.name().to_owned());
        let count = study.dangling.len();
        lines.push(("Dangling", format!("{count} named but absent: {}", listed(names, count, quote))));
    }
    if !study.scrubbed.is_empty() {
        let names = study.scrubbed.iter().map(|absent| absent.name.to_string());
        let count = study.scrubbed.len();
        lines.push(("Scrubbed", format!("{count} removed on purpose: {}", listed(names, count, quote))));
    }
    if !study.disagreements.is_empty() {
        let count = study.disagreements.len();
        lines.push(("Database", format!("disagrees with the files in {count} places; the database takes precedence")));
    }
    lines.extend(study.unread.iter().take(NAMED).map(|sentence| ("Not read", quote(&one_line(sentence)))));
    if study.is_truncated {
        lines.push(("Not whole", "a limit was reached; some references are missing".to_owned()));
    }
    lines
}

fn listed(names: impl Iterator<Item = String>, count: usize, quote: Quote) -> String {
    let mut text = names.take(NAMED).map(|name| quote(&one_line(&name))).collect::<Vec<_>>().join(", ");
    if count > NAMED {
        text.push_str(&format!(", … {} more", count - NAMED));
    }
    text
}

/// Name and version of a store path, without its hash.
fn name(study: &StoreStudy, id: PathId) -> String {
    study.store.get(id).map(|known| known.path.name().to_owned()).unwrap_or_default()
}

/// The paths that add most.
pub(super) fn adding_most(image: &Image, study: &StoreStudy, limit: usize, quote: Quote) -> Table<6> {
    let is_hidden = image.is_closure();
    let mut table = Table::new([
        ("added", Right),
        ("closure", Right),
        ("NAR", Right),
        ("layers", Left),
        ("name", Left),
        ("held by", Left),
    ]);
    for id in study.by_added_bytes().into_iter().take(limit) {
        let (Some(known), Some(path)) = (study.store.get(id), study.paths.get(id.index())) else { continue };
        let mut layers: Vec<String> = known.layers.iter().take(NAMED).map(|share| share.layer.0.to_string()).collect();
        if known.layers.len() > NAMED {
            layers.push("…".to_owned());
        }
        table.row([
            if path.is_absent { "not here".to_owned() } else { display_bytes(path.added_bytes) },
            path.closure_bytes.map_or("unknown".to_owned(), display_bytes),
            if path.is_absent { "not here".to_owned() } else { display_bytes(study.graph.nar_bytes(id)) },
            layers.join(" "),
            quote(known.path.name()),
            holder(image, study, id, quote),
        ]);
    }
    table.without("layers", is_hidden)
}

/// Describes in a few words the root or referrer whose removal would remove a path.
pub(super) fn holder(image: &Image, study: &StoreStudy, id: PathId, quote: Quote) -> String {
    if !study.is_reachable(id) {
        return if study.absent_paths() > 0 { "not known" } else { "nothing" }.to_owned();
    }
    if let Some(&source) = study.reasons(id).first() {
        return match source {
            RootSource::Tree(node, _) => quote(&display_name(&image.tree.path(node))),
            source => source.label(image).into_owned(),
        };
    }
    match (study.dominators.immediate(id), study.graph.referrers(id)) {
        (_, [one]) => quote(&name(study, *one)),
        (_, several) => format!("{} store paths", several.len()),
    }
}
