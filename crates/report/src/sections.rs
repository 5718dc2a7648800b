//! The tables that the text and the Markdown report share.

use std::collections::BTreeSet;

use super::Inspection;
use super::names::{bytes_and_exact, field_value, grouped, layer_command, one_line, percent, shortened};
use super::table::{Align::Left, Align::Right, Table};
use nixdive_analyse::analysis::{Cause, Waste, explain};
use nixdive_base::text::{counted, display_bytes, display_name};
use nixdive_image::{Image, Layer, LayerContents, LayerIndex, Measured, NodeId, Warning};
use nixdive_packages::{Inventory, PackageIndex};

/// How text that comes from an image is put into a cell.
pub(super) type Quote = fn(&str) -> String;

const COMMAND_CHARACTERS: usize = 100;
const LAYERS_NAMED: usize = 4;

/// Returns the title of an image: its first reference, otherwise what the user typed.
pub(super) fn title(image: &Image) -> String {
    let identity = &image.identity;
    field_value(identity.references.first().unwrap_or(&identity.requested))
}

/// `linux/amd64`, or that nothing says so; of store paths, how many were opened.
pub(super) fn platform(image: &Image) -> String {
    if image.is_closure() {
        return counted(image.identity.store_roots.len(), "store path");
    }
    let platform = &image.config.platform;
    if platform.os.is_empty() && platform.architecture.is_empty() {
        return "platform unknown".into();
    }
    field_value(&platform.to_string())
}

/// Describes the source of an image and its digests.
pub(super) fn source(image: &Image, quote: Quote) -> String {
    let identity = &image.identity;
    let mut parts =
        vec![format!("{} {}", field_value(&identity.source_kind), quote(&field_value(&identity.requested)))];
    let roots = identity.store_roots.iter().filter(|root| **root != identity.requested);
    parts.extend(roots.map(|root| quote(&field_value(root))));
    if let Some(digest) = &identity.manifest_digest {
        parts.push(format!("manifest {}", digest.short()));
    }
    if let Some(digest) = &identity.config_digest {
        parts.push(format!("image ID {}", digest.short()));
    }
    if let Some(created) = &image.config.created {
        parts.push(format!("created {}", quote(&field_value(created))));
    }
    parts.join(", ")
}

/// The figures as names and values.
pub(super) fn figures(inspection: &Inspection<'_>) -> Vec<(&'static str, String)> {
    let image = inspection.image;
    if image.is_closure() {
        return closure_figures(inspection);
    }
    let figures = &inspection.assessment.figures;
    let entries = match image.has_absent_layers() {
        true => String::new(),
        false => {
            let count = image.layers.iter().map(|layer| layer.entries).fold(0, u64::saturating_add);
            format!(", {} entries", grouped(count))
        }
    };
    let layers = counted(image.layers.len(), "layer");
    let listed = image.layers.iter().filter(|layer| layer.listed).count();
    let unpacked = match listed {
        0 => bytes_and_exact(figures.unpacked_bytes),
        _ => format!("about {}", display_bytes(figures.unpacked_bytes)),
    };
    let mut lines = vec![
        ("Unpacked", format!("{unpacked} in {layers}{entries}")),
        ("Compressed", compressed(image)),
        ("Files", files(inspection)),
        ("Efficiency", percent(figures.efficiency)),
        ("Wasted", wasted(inspection)),
    ];
    if is_of_windows(image) {
        lines.push(("Windows", "Files/ is the root of drive C:, Hives/ has changes to the registry".to_owned()));
    }
    let unreadable = image.layers.iter().filter(|layer| matches!(layer.contents, LayerContents::Unreadable(_)));
    let unreadable = unreadable.count();
    if unreadable > 0 {
        lines.push(("Unreadable", format!("{unreadable} of {} layers, see the warnings", image.layers.len())));
    }
    if listed > 0 {
        let of = image.layers.len();
        lines.push((
            "Not read",
            format!("{listed} of {of} layers: they are shown by their tables of contents and not checked, unless with --verify"),
        ));
    }
    if figures.dangling_whiteouts > 0 {
        lines.push((
            "Whiteouts",
            format!("{} remove what no lower layer has", grouped(figures.dangling_whiteouts.into())),
        ));
    }
    lines
}

/// Returns `true` for Windows layers, which have `Files` and `Hives` in place of a root directory.
pub(super) fn is_of_windows(image: &Image) -> bool {
    let tree = &image.tree;
    let is_visible = |path: &[u8]| {
        tree.lookup(path).zip(tree.top_layer()).is_some_and(|(node, top)| tree.visible_at(node, top).is_some())
    };
    image.config.platform.os == "windows" || (is_visible(b"/Files") && is_visible(b"/Hives"))
}

/// The figures of store paths that were opened in place of an image.
fn closure_figures(inspection: &Inspection<'_>) -> Vec<(&'static str, String)> {
    let entries = inspection.image.layers.iter().map(|layer| layer.entries).fold(0, u64::saturating_add);
    let files = bytes_and_exact(inspection.assessment.figures.visible_file_bytes);
    let mut lines = Vec::new();
    if let Some(study) = inspection.store {
        let bytes = bytes_and_exact(study.total_nar_bytes());
        lines.push(("Closure", format!("{bytes} of NAR in {}", counted(study.ids().len(), "store path"))));
    }
    lines.push(("Files", format!("{files}, {} entries", grouped(entries))));
    lines
}

fn files(inspection: &Inspection<'_>) -> String {
    let figures = &inspection.assessment.figures;
    let hidden = figures.file_bytes.saturating_sub(figures.visible_file_bytes);
    let all =
        format!("{}, of which {} hidden by upper layers", bytes_and_exact(figures.file_bytes), display_bytes(hidden));
    let layers = &inspection.image.layers;
    match layers.iter().filter(|layer| layer.is_absent()).count() {
        0 => all,
        _ if figures.file_bytes == 0 => "not here".into(),
        absent => format!("{all}; {absent} of {} layers are incomplete", layers.len()),
    }
}

fn compressed(image: &Image) -> String {
    let Some(bytes) = image.compressed_bytes() else {
        return "unknown".into();
    };
    let is_share = |layer: &Layer| matches!(layer.compressed_bytes, Some(Measured::Share(_)));
    if image.layers.iter().any(is_share) {
        return format!("~{}, the layers' share of a compressed archive", display_bytes(bytes));
    }
    bytes_and_exact(bytes)
}

/// `34 kB`, `~34 kB` where it is that of a table of contents.
fn unpacked(layer: &Layer) -> String {
    match layer.known_unpacked_bytes() {
        None if layer.listed => format!("~{}", display_bytes(layer.unpacked_bytes)),
        known => known.map_or("unknown".into(), display_bytes),
    }
}

/// `34 kB`, `~34 kB` where only a share is known.
fn measured(measured: Measured) -> String {
    let about = if matches!(measured, Measured::Share(_)) { "~" } else { "" };
    format!("{about}{}", display_bytes(measured.bytes()))
}

fn wasted(inspection: &Inspection<'_>) -> String {
    let figures = &inspection.assessment.figures;
    let bytes = bytes_and_exact(figures.wasted_bytes);
    match figures.user_wasted_percent {
        _ if figures.wasted_bytes == 0 => bytes,
        ratio if ratio.is_finite() => format!("{bytes}, {} of the file bytes above the base layer", percent(ratio)),
        _ => format!("{bytes}; the layers above the base hold no file bytes"),
    }
}

/// A row a layer.
pub(super) fn layers(image: &Image, quote: Quote) -> Table<10> {
    let mut table = Table::new([
        ("#", Right),
        ("diffID", Left),
        ("unpacked", Right),
        ("compressed", Right),
        ("files", Right),
        ("entries", Right),
        ("+", Right),
        ("~", Right),
        ("-", Right),
        ("command", Left),
    ]);
    for (index, layer) in image.layers.iter().enumerate() {
        let summary = image.tree.layer_summary(LayerIndex(u16::try_from(index).unwrap_or(u16::MAX)));
        table.row([
            index.to_string(),
            layer.diff_id.as_ref().map_or("unknown".into(), |digest| digest.short().to_owned()),
            unpacked(layer),
            layer.compressed_bytes.map_or("unknown".into(), measured),
            layer.known_file_bytes().map_or("not here".into(), display_bytes),
            if layer.is_absent() { "not here".into() } else { layer.entries.to_string() },
            summary.added.to_string(),
            summary.modified.to_string(),
            summary.removed.to_string(),
            quote(&shortened(layer_command(layer), COMMAND_CHARACTERS)),
        ]);
    }
    table
}

/// The most wasting paths.
pub(super) fn waste(inspection: &Inspection<'_>, quote: Quote) -> Table<5> {
    let image = inspection.image;
    let mut table =
        Table::new([("wasted", Right), ("count", Right), ("in layers", Left), ("cause", Left), ("path", Left)]);
    for &wasted in inspection.assessment.wasted.iter().take(inspection.options.waste) {
        let waste = explain(image, wasted);
        table.row([
            display_bytes(waste.bytes),
            wasted.count.to_string(),
            layers_of(&waste),
            waste.cause.describe().into(),
            quote(&path(image, waste.node)),
        ]);
    }
    table
}

/// Returns the remedies for wasted bytes, a sentence for each cause among the paths shown.
pub(super) fn remedies(inspection: &Inspection<'_>) -> Vec<String> {
    let shown = inspection.assessment.wasted.iter().take(inspection.options.waste);
    let causes: BTreeSet<Cause> = shown.map(|&wasted| explain(inspection.image, wasted).cause).collect();
    causes.into_iter().map(|cause| format!("{}: {}", cause.describe(), cause.remedy().describe())).collect()
}

/// `0 3 -5`: copies in layers 0 and 3, removed in layer 5.
fn layers_of(waste: &Waste) -> String {
    let signed = |copy: &nixdive_analyse::analysis::Sighting| {
        format!("{}{}", if copy.is_whiteout { "-" } else { "" }, copy.layer.0)
    };
    let count = waste.sightings.len();
    let mut named: Vec<String> = waste.sightings.iter().take(LAYERS_NAMED).map(signed).collect();
    if count > LAYERS_NAMED {
        named.push("…".into());
        named.extend(waste.sightings.last().map(signed));
    }
    named.join(" ")
}

/// Directories that are shipped and then removed.
pub(super) fn removed_directories(inspection: &Inspection<'_>, quote: Quote) -> Table<3> {
    let image = inspection.image;
    let mut table = Table::new([("files", Right), ("removed in layer", Right), ("path", Left)]);
    for directory in inspection.assessment.removed_directories.iter().take(inspection.options.waste) {
        table.row([display_bytes(directory.bytes), directory.layer.0.to_string(), quote(&path(image, directory.node))]);
    }
    table
}

/// The largest files of the stacked image.
pub(super) fn largest_files(inspection: &Inspection<'_>, quote: Quote) -> Table<3> {
    let mut table = Table::new([("file", Right), ("layer", Right), ("path", Left)]);
    for file in &inspection.largest_files {
        table.row([display_bytes(file.bytes), file.layer.0.to_string(), quote(&path(inspection.image, file.node))]);
    }
    table.without("layer", inspection.image.is_closure())
}

/// The largest directories of the stacked image.
pub(super) fn largest_directories(inspection: &Inspection<'_>, quote: Quote) -> Table<3> {
    let mut table = Table::new([("files", Right), ("entries", Right), ("path", Left)]);
    for directory in &inspection.largest_directories {
        let totals = directory.totals;
        table.row([
            display_bytes(totals.bytes),
            totals.entries.to_string(),
            quote(&path(inspection.image, directory.node)),
        ]);
    }
    table
}

/// The packages that take most, largest first.
pub(super) fn packages(inventory: &Inventory, limit: usize, quote: Quote) -> Table<6> {
    let columns = [
        ("installed", Right),
        ("files", Right),
        ("layer", Right),
        ("type", Left),
        ("package", Left),
        ("version", Left),
    ];
    let mut indices: Vec<PackageIndex> = inventory.packages.indices().collect();
    indices.sort_by_key(|&index| std::cmp::Reverse(inventory.installed_bytes(index)));
    let mut table = Table::new(columns);
    for index in indices.into_iter().take(limit) {
        let package = inventory.packages.get(index);
        let owned = inventory.ownership.of(index);
        table.row([
            display_bytes(inventory.installed_bytes(index)),
            owned.file_count().to_string(),
            owned.layer.map(|layer| layer.0.to_string()).unwrap_or_default(),
            package.kind.as_str().to_owned(),
            quote(&one_line(&package.name)),
            quote(&one_line(&package.version)),
        ]);
    }
    table
}

/// Returns the fields of the configuration as names and values on one line each, without unset
/// ones.
pub(super) fn config(image: &Image) -> Vec<(&'static str, String)> {
    let config = &image.config;
    let words =
        |words: &[String]| words.iter().map(|word| field_value(&quoted_word(word))).collect::<Vec<_>>().join(" ");
    let mut lines = vec![
        ("Entrypoint", words(&config.entrypoint)),
        ("Command", words(&config.cmd)),
        ("User", field_value(&config.user)),
        ("Directory", field_value(&config.working_directory)),
        ("Ports", words(&config.exposed_ports)),
        ("Volumes", words(&config.volumes)),
        ("Stop signal", config.stop_signal.as_deref().map(field_value).unwrap_or_default()),
        ("Author", config.author.as_deref().map(field_value).unwrap_or_default()),
    ];
    lines.extend(config.env.iter().map(|variable| ("Env", field_value(variable))));
    lines.extend(config.labels.iter().map(|(name, value)| ("Label", field_value(&format!("{name}={value}")))));
    lines.retain(|(_, value)| !value.is_empty());
    lines
}

fn quoted_word(word: &str) -> String {
    if word.is_empty() || word.contains([' ', '\t', '\n', '"']) { format!("{word:?}") } else { word.to_owned() }
}

/// A warning on one line. Its message names the layer that it concerns.
pub(super) fn warning(warning: &Warning) -> String {
    one_line(&warning.message)
}

fn path(image: &Image, node: NodeId) -> String {
    display_name(&image.tree.path(node)).into_owned()
}
