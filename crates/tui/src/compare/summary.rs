//! A comparison in words and figures, one line each: what a reader looks for comes first.

use super::data::ComparedImage;
use super::tables::Mark;
use super::words::{cause, grown, known_by, listed, one_line, signed, titled};
use nixdive_analyse::compare::{BothSides, Differences, Equivalents, FileChangeKind, LayerChange, Software, delta};
use nixdive_base::text::{counted, display_bytes};
use nixdive_image::{Image, Platform};

/// Items that a list shows.
const MOST_LISTED: usize = 200;
/// Causes that the sentence names.
const NAMED: usize = 3;

/// One line of the summary; all text is safe to write to a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    Gap,
    Heading(String),
    /// Text that is wrapped.
    Text(String),
    Warning(String),
    /// A name, both sides and the difference.
    Figures {
        name: &'static str,
        left: String,
        right: String,
        delta: String,
    },
    /// A figure and what it means.
    Figure {
        value: String,
        meaning: &'static str,
    },
    /// Bytes and what has them, what brought it below.
    Item {
        mark: Mark,
        bytes: String,
        what: String,
        why: String,
    },
}

/// All lines.
pub fn summary(left: &ComparedImage, right: &ComparedImage, found: &Differences, notes: &[String]) -> Vec<Line> {
    let mut lines = vec![Line::Heading("Images".to_owned())];
    lines.push(Line::Text(format!("left   {}", identity(left))));
    lines.push(Line::Text(format!("right  {}", identity(right))));
    lines.extend(notes.iter().take(MOST_LISTED).map(|note| Line::Warning(one_line(note))));
    lines.extend([Line::Gap, Line::Text(headline(left, right, found)), Line::Gap]);
    bytes(&mut lines, left, right, found);
    growth(&mut lines, left, right, found);
    if let Some(equivalents) = &found.equivalents {
        categories(&mut lines, found);
        matched(&mut lines, left, right, equivalents);
    }
    counts(&mut lines, found, are_closures(left, right));
    if found.equivalents.is_none() {
        categories(&mut lines, found);
    }
    lines
}

fn identity(image: &ComparedImage) -> String {
    let Image { identity, config, layers, .. } = &*image.image;
    let platform = |platform: &Platform| match platform.os.is_empty() && platform.architecture.is_empty() {
        true => "platform unknown".to_owned(),
        false => one_line(&platform.to_string()),
    };
    let digest = identity.config_digest.as_ref().map(|digest| format!(", config {}", digest.short()));
    let asked = (identity.references.first() != Some(&identity.requested)).then(|| one_line(&identity.requested));
    let asked = asked.map(|text| format!(", opened as {text}")).unwrap_or_default();
    if image.image.is_closure() {
        return format!("{}: closure of {}{asked}", image.title(), counted(identity.store_roots.len(), "store path"));
    }
    let (title, kind, count) = (image.title(), one_line(&identity.source_kind), counted(layers.len(), "layer"));
    format!("{title}: {}, {kind}, {count}{}{asked}", platform(&config.platform), digest.unwrap_or_default())
}

/// `The right image adds 28 MB unpacked: +27 MB coreutils-9.1 and what it needs (/bin/ls → …), …`.
fn headline(left: &ComparedImage, right: &ComparedImage, found: &Differences) -> String {
    let is_closures = are_closures(left, right);
    let (subject, bytes, of) = match is_closures {
        true => ("closure", "NAR bytes", "of NAR"),
        false => ("image", "unpacked bytes", "unpacked"),
    };
    let difference = match is_closures {
        true => delta(nar_bytes(left), nar_bytes(right)),
        false => found.bytes.unpacked.delta(),
    };
    let amount = display_bytes(difference.unsigned_abs());
    let start = match difference {
        0 => format!("The right {subject} has exactly as many {bytes} as the left one"),
        1.. => format!("The right {subject} adds {amount} {of}"),
        _ => format!("The right {subject} saves {amount} {of}"),
    };
    let items = &found.growth.items;
    let named = items.iter().take(NAMED);
    let named = named
        .map(|item| format!("+{} {} ({})", display_bytes(item.bytes), grown(left, right, item), cause(right, item)));
    let named = named.collect::<Vec<_>>().join(", ");
    let new = if difference > 0 { "" } else { " new in it" };
    match items.len().saturating_sub(NAMED) {
        0 if named.is_empty() => format!("{start}."),
        0 => format!("{start}:{new} {named}."),
        more => format!("{start}:{new} {named}, and {more} more."),
    }
}

fn bytes(lines: &mut Vec<Line>, left: &ComparedImage, right: &ComparedImage, found: &Differences) {
    lines.push(Line::Heading("Bytes".to_owned()));
    let bytes = &found.bytes;
    let figures = |name, left, right, delta| Line::Figures { name, left, right, delta };
    if are_closures(left, right) {
        let (before, after) = (nar_bytes(left), nar_bytes(right));
        lines.push(figures("NAR", display_bytes(before), display_bytes(after), signed(delta(before, after))));
        let paths = |image: &ComparedImage| image.store.as_ref().map_or(0, |study| study.ids().len()).to_string();
        let shared = format!("{} shared", found.store.shared.len());
        lines.push(figures("store paths", paths(left), paths(right), shared));
        return;
    }
    let unpacked = bytes.unpacked;
    let percent = match unpacked.left {
        0 => String::new(),
        before => format!(" ({:+.1} %)", (unpacked.right as f64 - before as f64) / before as f64 * 100.0),
    };
    let shown = (display_bytes(unpacked.left), display_bytes(unpacked.right));
    lines.push(figures("unpacked", shown.0, shown.1, format!("{}{percent}", signed(unpacked.delta()))));
    let about = if bytes.compressed_is_exact { "" } else { "~" };
    let known = |bytes: Option<u64>| bytes.map_or("unknown".into(), |bytes| format!("{about}{}", display_bytes(bytes)));
    let BothSides { left: before, right: after } = bytes.compressed;
    let grown = bytes.compressed.delta().map_or("unknown".into(), |delta| format!("{about}{}", signed(delta)));
    lines.push(figures("compressed", known(before), known(after), grown));
    let shared = found.layers.rows.iter().filter(|row| row.change == LayerChange::Shared).count();
    let count = |image: &ComparedImage| image.image.layers.len().to_string();
    lines.push(figures("layers", count(left), count(right), format!("{shared} shared")));
    for (value, meaning) in [
        (display_bytes(bytes.shared_unpacked), "shared by whole layers, unpacked"),
        (known(bytes.pull_delta), "pull delta: fetched by a host that has the left image"),
        (known(bytes.push_delta), "push delta: sent to a registry that has the left image"),
    ] {
        lines.push(Line::Figure { value, meaning });
    }
}

/// Returns `true` if both sides are store paths of this machine rather than images.
fn are_closures(left: &ComparedImage, right: &ComparedImage) -> bool {
    left.image.is_closure() && right.image.is_closure()
}

fn nar_bytes(image: &ComparedImage) -> u64 {
    image.store.as_ref().map_or(0, |study| study.total_nar_bytes())
}

fn growth(lines: &mut Vec<Line>, left: &ComparedImage, right: &ComparedImage, found: &Differences) {
    let items = &found.growth.items;
    if items.is_empty() {
        return;
    }
    lines.extend([Line::Gap, Line::Heading("Why it grew".to_owned())]);
    lines.extend(items.iter().take(MOST_LISTED).map(|item| Line::Item {
        mark: Mark::Added,
        bytes: format!("+{}", display_bytes(item.bytes)),
        what: grown(left, right, item),
        why: cause(right, item),
    }));
    more(lines, items.len());
}

fn more(lines: &mut Vec<Line>, length: usize) {
    if let Some(more) = length.checked_sub(MOST_LISTED).filter(|&more| more > 0) {
        lines.push(Line::Text(format!("and {more} more")));
    }
}

fn categories(lines: &mut Vec<Line>, found: &Differences) {
    lines.extend([Line::Gap, Line::Heading("File bytes by category".to_owned())]);
    for row in found.categories.iter().filter(|row| row.bytes.left > 0 || row.bytes.right > 0) {
        lines.push(Line::Figures {
            name: row.category.name(),
            left: display_bytes(row.bytes.left),
            right: display_bytes(row.bytes.right),
            delta: signed(row.bytes.delta()),
        });
    }
}

fn matched(lines: &mut Vec<Line>, left: &ComparedImage, right: &ComparedImage, found: &Equivalents) {
    lines.extend([Line::Gap, Line::Heading("Same software on both sides".to_owned())]);
    if found.matched.is_empty() {
        lines.push(Line::Text("none found".to_owned()));
    }
    for group in found.matched.iter().take(MOST_LISTED) {
        let bytes = group.bytes();
        lines.push(Line::Item {
            mark: Mark::Changed,
            bytes: signed(bytes.delta()),
            what: format!(
                "{} {} ↔ {} {}",
                display_bytes(bytes.left),
                listed(left, &group.left),
                display_bytes(bytes.right),
                listed(right, &group.right)
            ),
            why: format!("matched by {}", known_by(&group.signals)),
        });
    }
    more(lines, found.matched.len());
    for (heading, mark, image, list) in [
        ("Only on the left", Mark::Removed, left, &found.left_only),
        ("Only on the right", Mark::Added, right, &found.right_only),
    ] {
        only(lines, heading, mark, image, list);
    }
}

fn only(lines: &mut Vec<Line>, heading: &str, mark: Mark, image: &ComparedImage, list: &[Software]) {
    if list.is_empty() {
        return;
    }
    lines.extend([Line::Gap, Line::Heading(heading.to_owned())]);
    lines.extend(list.iter().take(MOST_LISTED).map(|software| Line::Item {
        mark,
        bytes: display_bytes(software.bytes),
        what: titled(image, software),
        why: String::new(),
    }));
    more(lines, list.len());
}

fn counts(lines: &mut Vec<Line>, found: &Differences, is_closures: bool) {
    lines.extend([Line::Gap, Line::Heading("Differences".to_owned())]);
    let number = |count: usize, what: &str| (count > 0).then(|| format!("{count} {what}"));
    let joined = |parts: Vec<Option<String>>| {
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") }
    };
    let files = FileChangeKind::ALL.map(|kind| {
        let what = match kind {
            FileChangeKind::Content => "with changed content",
            FileChangeKind::Metadata => "with changed metadata",
            FileChangeKind::Type => "of another type",
            FileChangeKind::Renamed => "moved",
            FileChangeKind::Added => "added",
            FileChangeKind::Removed => "removed",
        };
        number(found.files.count(kind), what)
    });
    let changed = joined(files.into_iter().collect());
    lines.push(Line::Text(format!("Files: {changed}; {} the same", found.files.sums.unchanged_paths)));
    let layer = |change: LayerChange| {
        number(found.layers.rows.iter().filter(|row| row.change == change).count(), change.as_str())
    };
    let all = [LayerChange::Shared, LayerChange::Moved, LayerChange::Added, LayerChange::Removed];
    if !is_closures {
        lines.push(Line::Text(format!("Layers: {}", joined(all.map(layer).into_iter().collect()))));
    }
    let store = &found.store;
    if !store.is_empty() || !store.shared.is_empty() {
        lines.push(Line::Text(format!(
            "Store paths: {}",
            joined(vec![
                number(store.changed.len(), "in another version"),
                number(store.rebuilt.len(), "rebuilt"),
                number(store.added.len(), "added"),
                number(store.removed.len(), "removed"),
                number(store.shared.len(), "shared"),
            ])
        )));
    }
    let packages = &found.packages;
    if !packages.is_empty() || !packages.unchanged.is_empty() {
        lines.push(Line::Text(format!(
            "Packages: {}",
            joined(vec![
                number(packages.changed.len(), "in another version"),
                number(packages.added.len(), "added"),
                number(packages.removed.len(), "removed"),
                number(packages.unchanged.len(), "the same"),
            ])
        )));
    }
    lines.push(Line::Text(format!("Configuration: {}", joined(vec![number(found.config.len(), "fields")]))));
}
