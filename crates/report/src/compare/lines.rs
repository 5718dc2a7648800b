//! Sections of cells for the text, Markdown and HTML reports of a comparison.

use super::details;
use super::grid::{Grid, Section, signed, signed_percent};
use crate::names::{layer_command, one_line, shortened};
use crate::sections::Quote;
use crate::table::Align::{Left, Right};
use nixdive_analyse::compare::{
    Cause, Comparison, Equivalents, FileChangeKind, Grown, GrowthItem, LayerChange, Side, Signal, Software,
};
use nixdive_base::text::display_bytes;
use nixdive_image::LayerIndex;
use nixdive_nix::graph::PathId;
use nixdive_packages::PackageIndex;

/// Rows of a list that are shown.
pub(super) const MOST_ROWS: usize = 20;
/// Names that a line lists before it counts.
const NAMED: usize = 3;
pub(super) const COMMAND_CHARACTERS: usize = 80;
pub(super) const CAUSE_CHARACTERS: usize = 120;

/// The figures of two closures: what stands in place of layers, compression and transfers.
fn closure_figures(comparison: &Comparison<'_>, mut grid: Grid) -> Grid {
    let [left, right] = comparison.nar_bytes();
    let delta = nixdive_analyse::compare::delta(left, right);
    let difference = format!("{} ({})", signed(delta), signed_percent(left, right));
    grid.row(vec!["NAR".into(), display_bytes(left), display_bytes(right), difference]);
    let paths = |side: &Side<'_>| side.store.map_or(0, |study| study.ids().len()).to_string();
    let shared = format!("{} shared", comparison.differences.store.shared.len());
    grid.row(vec!["store paths".into(), paths(&comparison.left), paths(&comparison.right), shared]);
    grid
}

/// The figures that matter most: name, left, right, difference.
pub(super) fn figures(comparison: &Comparison<'_>) -> Grid {
    let bytes = &comparison.differences.bytes;
    let mut grid = Grid::new(&[("", Left), ("left", Right), ("right", Right), ("difference", Right)]);
    if comparison.is_of_closures() {
        return closure_figures(comparison, grid);
    }
    let unpacked = bytes.unpacked;
    grid.row(vec![
        "unpacked".into(),
        display_bytes(unpacked.left),
        display_bytes(unpacked.right),
        format!("{} ({})", signed(unpacked.delta()), signed_percent(unpacked.left, unpacked.right)),
    ]);
    let about = if bytes.compressed_is_exact { "" } else { "~" };
    let known = |bytes: Option<u64>| bytes.map_or("unknown".into(), |bytes| format!("{about}{}", display_bytes(bytes)));
    let (left, right) = (bytes.compressed.left, bytes.compressed.right);
    grid.row(vec![
        "compressed, as stored here".into(),
        known(left),
        known(right),
        match (left, right) {
            (Some(left), Some(right)) => {
                format!(
                    "{about}{} ({})",
                    signed(nixdive_analyse::compare::delta(left, right)),
                    signed_percent(left, right)
                )
            }
            _ => "unknown".into(),
        },
    ]);
    let layers = |side: &Side<'_>| side.image.layers.len();
    let (left, right) = (layers(&comparison.left), layers(&comparison.right));
    let shared = comparison.differences.layers.rows.iter().filter(|row| row.change == LayerChange::Shared).count();
    grid.row(vec!["layers".into(), left.to_string(), right.to_string(), format!("{shared} shared")]);
    grid
}

/// The figures of fetching and sending, as sentences.
pub(super) fn transfers(comparison: &Comparison<'_>) -> Vec<String> {
    if comparison.is_of_closures() {
        return vec![format!(
            "Shared by whole store paths: {} of NAR",
            display_bytes(comparison.differences.store.shared_nar_bytes())
        )];
    }
    let bytes = &comparison.differences.bytes;
    let about = if bytes.compressed_is_exact { "" } else { "~" };
    let known = |bytes: Option<u64>| bytes.map_or("unknown".into(), |bytes| format!("{about}{}", display_bytes(bytes)));
    vec![
        format!("Shared by whole layers: {} unpacked", display_bytes(bytes.shared_unpacked)),
        format!("A host with the left image fetches {} for the right one (pull delta)", known(bytes.pull_delta)),
        format!("A registry with the left image is sent {} for the right one (push delta)", known(bytes.push_delta)),
    ]
}

/// `B adds 28 MB unpacked: +27 MB coreutils-9.1 and what it needs (brought by /bin/ls → …), …`.
pub(super) fn headline(comparison: &Comparison<'_>, quote: Quote) -> String {
    let cause = |item: &GrowthItem| format!(" ({})", cause(&comparison.right, item.cause, quote));
    headline_with(comparison, quote, cause)
}

/// The same without what brought each.
pub(super) fn headline_without_causes(comparison: &Comparison<'_>, quote: Quote) -> String {
    headline_with(comparison, quote, |_| String::new())
}

fn headline_with(comparison: &Comparison<'_>, quote: Quote, cause: impl Fn(&GrowthItem) -> String) -> String {
    let (subject, measure, of) = match comparison.is_of_closures() {
        true => ("closure", "NAR bytes", "of NAR"),
        false => ("image", "unpacked bytes", "unpacked"),
    };
    let delta = comparison.headline_delta();
    let amount = display_bytes(delta.unsigned_abs());
    let start = match delta {
        0 => format!("The right {subject} has exactly as many {measure} as the left one"),
        1.. => format!("The right {subject} adds {amount} {of}"),
        _ => format!("The right {subject} saves {amount} {of}: {}. New in it", savings(comparison)),
    };
    let items = &comparison.differences.growth.items;
    let named = items
        .iter()
        .take(NAMED)
        .map(|item| format!("+{} {}{}", display_bytes(item.bytes), what(comparison, item, quote), cause(item)));
    let named: Vec<String> = named.collect();
    match items.len().saturating_sub(NAMED) {
        0 if named.is_empty() => format!("{}.", start.trim_end_matches(". New in it")),
        0 => format!("{start}: {}.", named.join(", ")),
        more => format!("{start}: {}, and {more} more.", named.join(", ")),
    }
}

/// The categories that shrank most.
fn savings(comparison: &Comparison<'_>) -> String {
    let mut rows: Vec<_> = comparison.differences.categories.iter().filter(|row| row.bytes.delta() < 0).collect();
    rows.sort_by_key(|row| row.bytes.delta());
    let told = rows.iter().take(NAMED).map(|row| format!("{} {}", signed(row.bytes.delta()), row.category.name()));
    let told: Vec<String> = told.collect();
    if told.is_empty() { "fewer entries other than files".to_owned() } else { told.join(", ") }
}

/// All sections that have something to say, what matters most first.
pub(super) fn sections(comparison: &Comparison<'_>, quote: Quote) -> Vec<Section> {
    let mut sections = vec![growth(comparison, quote)];
    if let Some(found) = &comparison.differences.equivalents {
        sections.push(categories(comparison));
        sections.extend(equivalents(comparison, found, quote));
    }
    sections.extend(details::store(comparison, quote));
    sections.push(details::packages(comparison, quote));
    if !comparison.is_of_closures() {
        sections.push(details::layers(comparison, quote));
    }
    sections.extend(FileChangeKind::ALL.map(|kind| details::files(comparison, kind, quote)));
    sections.push(details::config(comparison, quote));
    if comparison.differences.equivalents.is_none() {
        sections.push(categories(comparison));
    }
    sections.retain(|section| !section.grid.is_empty());
    sections
}

fn growth(comparison: &Comparison<'_>, quote: Quote) -> Section {
    let mut grid = Grid::new(&[("bytes", Right), ("what", Left), ("brought by", Left)]);
    let items = &comparison.differences.growth.items;
    for item in items.iter().take(MOST_ROWS) {
        grid.row(vec![
            format!("+{}", display_bytes(item.bytes)),
            what(comparison, item, quote),
            cause(&comparison.right, item.cause, quote),
        ]);
    }
    Section::new("Why it grew", grid, items.len()).unfolded()
}

pub(super) fn software(side: &Side<'_>, id: PathId) -> String {
    let name = side.store.and_then(|study| study.get_path(id)).map(|path| path.name().to_owned());
    one_line(&name.unwrap_or_default())
}

/// Describes an item that grew in a few words.
pub(super) fn what(comparison: &Comparison<'_>, item: &GrowthItem, quote: Quote) -> String {
    let (left, right) = (&comparison.left, &comparison.right);
    match item.what {
        Grown::StorePath(id) => {
            let name = quote(&software(right, id));
            match item.with.len() {
                0 => name,
                count => {
                    let names: Vec<String> =
                        item.with.iter().take(NAMED).map(|&id| quote(&software(right, id))).collect();
                    let more = if count > NAMED { format!(" and {} more", count - NAMED) } else { String::new() };
                    format!("{name} and what it needs: {}{more}", names.join(", "))
                }
            }
        }
        Grown::StorePathFrom(before, after) => {
            let (before, after) = (software(left, before), software(right, after));
            match before == after {
                true => format!("{} (rebuilt)", quote(&after)),
                false => format!("{} → {}", quote(&before), quote(&after)),
            }
        }
        Grown::Package(index) => package(right, index, quote),
        Grown::PackageFrom(pair) => {
            let after = right.packages.packages.get(pair.right);
            let before = one_line(&left.packages.packages.get(pair.left).version);
            let (name, version) = (one_line(&after.name), one_line(&after.version));
            format!("{} {} {} → {}", after.kind.as_str(), quote(&name), quote(&before), quote(&version))
        }
        Grown::Files { largest, count, .. } => {
            let largest = quote(&details::path(&right.image.tree, largest));
            match count {
                1 => format!("{largest} (of no package)"),
                _ => format!("{largest} and {} more files of no package", count - 1),
            }
        }
    }
}

fn package(side: &Side<'_>, index: PackageIndex, quote: Quote) -> String {
    let package = side.packages.packages.get(index);
    let (name, version) = (one_line(&package.name), one_line(&package.version));
    format!("{} {} {}", package.kind.as_str(), quote(&name), quote(&version))
}

/// Describes the cause of growth in a few words.
pub(super) fn cause(side: &Side<'_>, cause: Cause, quote: Quote) -> String {
    let layer = |index: Option<LayerIndex>| {
        let known = index.and_then(|index| Some((index, side.image.layers.get(index.index())?)));
        match known {
            Some((index, layer)) => {
                let command = shortened(layer_command(layer), COMMAND_CHARACTERS);
                format!("layer {}: {}", index.0, quote(&command))
            }
            None => "a layer that is not known".to_owned(),
        }
    };
    match cause {
        Cause::Root(source) => quote(&shortened(source.describe(side.image), CAUSE_CHARACTERS)),
        Cause::Reference(id) => format!("a reference of {}", quote(&software(side, id))),
        Cause::Unreached(_) if side.image.is_closure() => "nothing refers to it".to_owned(),
        Cause::Unreached(index) => format!("nothing refers to it; {}", layer(index)),
        Cause::Layer(index) => layer(index),
    }
}

fn categories(comparison: &Comparison<'_>) -> Section {
    let mut grid = Grid::new(&[("file bytes for", Left), ("left", Right), ("right", Right), ("difference", Right)]);
    let told = comparison.differences.categories.iter().filter(|row| row.bytes.left > 0 || row.bytes.right > 0);
    for row in told {
        grid.row(vec![
            row.category.name().into(),
            display_bytes(row.bytes.left),
            display_bytes(row.bytes.right),
            signed(row.bytes.delta()),
        ]);
    }
    let count = grid.rows.len();
    Section::new("What the bytes are for", grid, count).unfolded()
}

fn equivalents(comparison: &Comparison<'_>, found: &Equivalents, quote: Quote) -> [Section; 3] {
    let (left, right) = (&comparison.left, &comparison.right);
    let columns = [("left", Left), ("bytes", Right), ("right", Left), ("bytes", Right), ("known by", Left)];
    let mut grid = Grid::new(&columns);
    for group in found.matched.iter().take(MOST_ROWS) {
        let bytes = group.bytes();
        grid.row(vec![
            listed(left, &group.left, quote),
            display_bytes(bytes.left),
            listed(right, &group.right, quote),
            display_bytes(bytes.right),
            group.signals.iter().take(NAMED).map(|signal| known_by(signal, quote)).collect::<Vec<_>>().join(", "),
        ]);
    }
    let only = |title, side: &Side<'_>, list: &[Software]| {
        let mut grid = Grid::new(&[("bytes", Right), ("software", Left)]);
        for software in list.iter().take(MOST_ROWS) {
            grid.row(vec![display_bytes(software.bytes), titled(side, software, quote)]);
        }
        Section::new(title, grid, list.len())
    };
    [
        Section::new("The same software on both sides", grid, found.matched.len()).unfolded(),
        only("Only on the left", left, &found.left_only),
        only("Only on the right", right, &found.right_only),
    ]
}

pub(super) fn titled(side: &Side<'_>, software: &Software, quote: Quote) -> String {
    let (name, version) = (side.software_name(software.id), side.software_version(software.id));
    let text = if version.is_empty() { name.to_owned() } else { format!("{name} {version}") };
    format!("{} {}", side.software_kind(software.id), quote(&one_line(&text)))
}

pub(super) fn listed(side: &Side<'_>, list: &[Software], quote: Quote) -> String {
    let mut names: Vec<String> = list.iter().take(NAMED).map(|software| titled(side, software, quote)).collect();
    if list.len() > NAMED {
        names.push(format!("{} more", list.len() - NAMED));
    }
    names.join(", ")
}

pub(super) fn known_by(signal: &Signal, quote: Quote) -> String {
    match signal {
        Signal::Name(name) => format!("name {}", quote(&one_line(name))),
        Signal::Soname(name) => quote(&one_line(name)),
        Signal::Program(name) => format!("program {}", quote(&one_line(name))),
    }
}
