use super::super::compare::differing;
use super::super::layout::Pane;
use super::super::session::{Exploration, Session};
use super::super::theme::Glyphs;
use super::super::wrap::wrap;
use super::files::{owner, permissions};
use super::header::percent;
use super::layers::one_line;
use super::painter::Canvas;
use super::time::time;
use super::title;
use nixdive_base::text::{counted, display_bytes, display_name};
use nixdive_image::{
    Change, Config, Difference, DigestCheck, Identity, Kind, Layer, LayerContents, LayerIndex, Measured, NodeId,
    OccurrenceId,
};
use ratatui::layout::Rect;

/// Longest value shown, bytes: a command may be a whole script.
const LONGEST_VALUE: usize = 16 << 10;
/// Most copies, warnings or variables listed.
const MOST_LISTED: usize = 50;

/// One line of the details.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Line {
    Heading(String),
    /// A label, empty in the lines that follow its first, and a piece of the value.
    Field(&'static str, String),
    Bad(&'static str, String),
    Gap,
}

const LABEL_WIDTH: usize = 11;

pub(super) fn draw(canvas: &mut Canvas, area: Rect, session: &Session) {
    if area.height == 0 {
        return;
    }
    let theme = canvas.theme;
    let rows = Rect { y: area.y + 1, height: area.height - 1, ..area };
    let lines = lines(session, usize::from(area.width), canvas.glyphs);
    let last = (session.details_offset + usize::from(rows.height)).min(lines.len());
    let place = if last < lines.len() || session.details_offset > 0 {
        format!("{last}/{}", lines.len())
    } else {
        String::new()
    };
    title(canvas, area, "Details", "", &place, session.focus == Pane::Details);
    for (line, content) in (0..rows.height).zip(lines.iter().skip(session.details_offset)) {
        let mut pen = canvas.line(rows, line);
        pen.skip(1);
        match content {
            Line::Heading(text) => pen.fitted(text, theme.strong),
            Line::Field(label, value) => pen.left(label, LABEL_WIDTH, theme.dim).fitted(value, theme.plain),
            Line::Bad(label, value) => pen.left(label, LABEL_WIDTH, theme.dim).fitted(value, theme.error),
            Line::Gap => &mut pen,
        };
    }
}

/// All lines of the details, the selection of the pane in use first.
pub(super) fn lines(session: &Session, width: usize, glyphs: &Glyphs) -> Vec<Line> {
    let mut sheet =
        Sheet { lines: Vec::new(), room: width.saturating_sub(LABEL_WIDTH + 2), wrap: session.preferences.wrap };
    let whole_image = session.layers.selected == 0;
    if session.focus != Pane::Layers
        && let Some(opened) = &session.opened
    {
        file(&mut sheet, opened);
    }
    if whole_image {
        image(&mut sheet, session, glyphs);
    } else {
        layer(&mut sheet, session, glyphs);
        image(&mut sheet, session, glyphs);
    }
    sheet.lines
}

/// Lines being filled in.
struct Sheet {
    lines: Vec<Line>,
    room: usize,
    wrap: bool,
}

impl Sheet {
    fn heading(&mut self, text: impl Into<String>) {
        if !self.lines.is_empty() {
            self.lines.push(Line::Gap);
        }
        self.lines.push(Line::Heading(text.into()));
    }

    /// A field, over several lines where lines are wrapped. An empty value is left out.
    fn field(&mut self, label: &'static str, value: &str) {
        self.push(label, value, false);
    }

    /// A field in one line, cut where it is too long: a digest that no one reads to its end, and `y` copies whole.
    fn digest(&mut self, label: &'static str, value: &str) {
        if !value.is_empty() {
            self.lines.push(Line::Field(label, one_line(value)));
        }
    }

    fn push(&mut self, label: &'static str, value: &str, bad: bool) {
        let line = |label, piece| if bad { Line::Bad(label, piece) } else { Line::Field(label, piece) };
        if value.is_empty() {
            return;
        }
        let value = value.get(..value.floor_char_boundary_at(LONGEST_VALUE)).unwrap_or(value);
        if !self.wrap {
            return self.lines.push(line(label, one_line(value)));
        }
        let mut label = label;
        for paragraph in value.split('\n') {
            for piece in wrap(&display_name(paragraph.trim_end().replace('\t', "  ").as_bytes()), self.room) {
                self.lines.push(line(std::mem::take(&mut label), piece.to_owned()));
            }
        }
    }

    fn list(&mut self, label: &'static str, values: &[String]) {
        let mut label = label;
        for value in values.iter().take(MOST_LISTED) {
            self.field(if value.is_empty() { "" } else { std::mem::take(&mut label) }, value);
        }
        if let Some(more) = values.len().checked_sub(MOST_LISTED).filter(|&more| more > 0) {
            self.field("", &format!("and {more} more"));
        }
    }
}

trait FloorBoundary {
    /// The largest place at or below `index` where the text may be cut.
    fn floor_char_boundary_at(&self, index: usize) -> usize;
}

impl FloorBoundary for str {
    fn floor_char_boundary_at(&self, index: usize) -> usize {
        let mut at = index.min(self.len());
        while !self.is_char_boundary(at) {
            at -= 1;
        }
        at
    }
}

fn file(sheet: &mut Sheet, opened: &Exploration) {
    let tree = &opened.image.tree;
    let Some((node, seen)) = opened.tree.selected_seen(tree) else { return };
    sheet.heading("File");
    sheet.field("Path", &display_name(&tree.path(node)));
    let what = match seen.change {
        Change::Added => "added",
        Change::Removed => "removed",
        Change::Modified(_) => "modified",
        Change::Touched => "time only",
        Change::Unmodified => "unmodified",
    };
    let kind = seen.occurrence.map_or("directory without its own entry", |id| kind(tree.occurrence(id).kind));
    sheet.field("Kind", kind);
    sheet.field("Change", &change(what, seen.change));
    let below = if seen.is_directory { format!(" in {} entries", seen.totals.entries) } else { String::new() };
    sheet.field("Bytes", &format!("{} ({}){below}", display_bytes(seen.totals.bytes), seen.totals.bytes));
    let Some(id) = seen.occurrence else { return held_by(sheet, opened, node) };
    let occurrence = tree.occurrence(id);
    sheet.field("Mode", &format!("{} {:04o}", permissions(tree, &seen), occurrence.mode()));
    sheet.field("Owner", &owner(tree, id));
    sheet.field("Time", &time(occurrence.mtime));
    if let Some(target) = tree.link_target(id) {
        sheet.field("Link to", &display_name(target));
    }
    if let Some((major, minor)) = tree.device(id) {
        sheet.field("Device", &format!("{major}, {minor}"));
    }
    for attribute in tree.xattrs(id).iter().take(MOST_LISTED) {
        sheet.field("Attribute", &display_name(&attribute.name));
    }
    held_by(sheet, opened, node);
}

/// Layers that contain a path, highest first, with what each of them did to it.
fn held_by(sheet: &mut Sheet, opened: &Exploration, node: NodeId) {
    let tree = &opened.image.tree;
    let ids: Vec<OccurrenceId> = tree.occurrences_of(node).collect();
    // Layers that follow each other and did the same share a line.
    let mut lines: Vec<(String, String)> = Vec::new();
    for &id in ids.iter().take(MOST_LISTED) {
        let occurrence = tree.occurrence(id);
        let did = match occurrence.kind {
            Kind::Whiteout => "removed".to_owned(),
            Kind::OpaqueMark => "emptied".to_owned(),
            _ if occurrence.difference().contains(Difference::ADDED) => "added".to_owned(),
            _ if occurrence.difference().is_real() => format!("modified: {}", differing(occurrence.difference())),
            _ if occurrence.difference().is_empty() => "rewritten unchanged".to_owned(),
            _ => "time only".to_owned(),
        };
        let did =
            if occurrence.kind == Kind::File { format!("{} {did}", display_bytes(occurrence.bytes)) } else { did };
        match lines.last_mut().filter(|(_, before)| *before == did) {
            Some((layers, _)) => layers.push_str(&format!(" {}", occurrence.layer.0)),
            None => lines.push((format!("{:>3}", occurrence.layer.0), did)),
        }
    }
    let mut label = "In layers";
    for (layers, did) in lines {
        sheet.field(std::mem::take(&mut label), &format!("{layers} {did}"));
    }
    if ids.len() > MOST_LISTED {
        sheet.field("", &format!("and {} more", ids.len() - MOST_LISTED));
    }
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::File => "file",
        Kind::Directory => "directory",
        Kind::Symlink => "symbolic link",
        Kind::HardLink => "hard link",
        Kind::CharacterDevice => "character device",
        Kind::BlockDevice => "block device",
        Kind::Fifo => "named pipe",
        Kind::Whiteout => "whiteout: removes the path below it",
        Kind::OpaqueMark => "opaque whiteout: removes its content from lower layers",
    }
}

fn change(what: &str, change: Change) -> String {
    match change {
        Change::Modified(difference) => format!("{what}: {}", differing(difference)),
        _ => what.to_owned(),
    }
}

fn layer(sheet: &mut Sheet, session: &Session, glyphs: &Glyphs) {
    let index = session.selected_layer_index().unwrap_or(0);
    sheet.heading(format!("Layer {index}"));
    let Some(layer) = session.selected_layer() else {
        if let Some(outline) = session.selected_outline() {
            sheet.field("Command", &outline.command);
            sheet.digest("DiffID", outline.diff_id.as_deref().unwrap_or_default());
            sheet.field("Compressed", &outline.compressed_bytes.map(display_bytes).unwrap_or_default());
        }
        return;
    };
    // Layers of Nix have none; their comment, or a list of their store paths, says what is in them.
    let command = layer.created_by.as_deref().unwrap_or_default();
    sheet.field("Command", command.strip_prefix("/bin/sh -c ").unwrap_or(command));
    sheet.list("Store paths", &layer.store_paths);
    sheet.field("Comment", layer.comment.as_deref().unwrap_or_default());
    if let Some(bytes) = layer.known_unpacked_bytes() {
        sheet.field("Unpacked", &format!("{} ({bytes})", display_bytes(bytes)));
    }
    if layer.listed {
        sheet.field("Unpacked", &format!("about {}", display_bytes(layer.unpacked_bytes)));
        sheet.field("Read", "from the table of contents; layer not fetched");
    }
    sheet.field("Compressed", &compressed(layer));
    match layer.known_file_bytes() {
        Some(bytes) => sheet.field("In files", &format!("{} in {} entries", display_bytes(bytes), layer.entries)),
        None => sheet.field("Contents", "not here"),
    }
    if let (Some(opened), Ok(index)) = (&session.opened, u16::try_from(index)) {
        let summary = opened.image.tree.layer_summary(LayerIndex(index));
        let removed = match summary.removed {
            0 => String::new(),
            removed => format!(", -{removed} removed ({})", display_bytes(summary.removed_bytes)),
        };
        sheet.field("Changes", &format!("+{} added, ~{} modified{removed}", summary.added, summary.modified));
    }
    sheet.digest("DiffID", &layer.diff_id.as_ref().map(ToString::to_string).unwrap_or_default());
    match session.digest_check(index) {
        Some(DigestCheck::Matches) => sheet.field("", &format!("{} matches the bytes", glyphs.check)),
        Some(DigestCheck::Differs { actual }) => {
            sheet.push("", &format!("{} but the bytes have a different one:", glyphs.cross), true);
            sheet.lines.push(Line::Bad("", actual.to_string()));
        }
        Some(DigestCheck::NotChecked) if layer.listed => sheet.field("", "not checked"),
        Some(DigestCheck::NotChecked) => sheet.field("", "not checked yet"),
        Some(DigestCheck::NotGiven) | None => {}
    }
    if layer.digest != layer.diff_id {
        sheet.digest("Digest", &layer.digest.as_ref().map(ToString::to_string).unwrap_or_default());
    }
    sheet.field("Media type", &layer.media_type);
    sheet.digest("Stored as", &layer.stored_as);
    sheet.field("Made", layer.created.as_deref().unwrap_or_default());
    let annotations: Vec<String> = layer.annotations.iter().map(|(name, value)| format!("{name}={value}")).collect();
    sheet.list("Annotated", &annotations);
    if let LayerContents::Absent(paths) = &layer.contents {
        sheet.list("Not here", paths);
    }
    if let LayerContents::Unreadable(reason) = &layer.contents {
        sheet.field("Not read", reason);
    }
}

fn compressed(layer: &Layer) -> String {
    match layer.compressed_bytes {
        None => String::new(),
        Some(Measured::Exact(bytes)) => format!("{} ({bytes}), {}", display_bytes(bytes), layer.compression.name()),
        Some(Measured::Share(bytes)) => format!("about {} of the archive", display_bytes(bytes)),
    }
}

fn image(sheet: &mut Sheet, session: &Session, glyphs: &Glyphs) {
    sheet.heading("Image");
    let (identity, config) = match &session.opened {
        Some(opened) => (&opened.image.identity, &opened.image.config),
        None => (&session.identified.identity, &session.identified.config),
    };
    sheet.field("Name", &super::header::name(session));
    if let Some(opened) = &session.opened {
        warnings(sheet, opened);
        figures(sheet, opened, glyphs);
    }
    identification(sheet, identity, session.opened.is_some() || !session.identified.layers.is_empty(), config);
    configuration(sheet, config);
}

fn warnings(sheet: &mut Sheet, opened: &Exploration) {
    let warnings = &opened.image.warnings;
    for warning in warnings.iter().take(MOST_LISTED) {
        sheet.push("Warning", &warning.message, true);
    }
    if let Some(more) = warnings.len().checked_sub(MOST_LISTED).filter(|&more| more > 0) {
        sheet.push("", &format!("and {more} more"), true);
    }
}

fn figures(sheet: &mut Sheet, opened: &Exploration, _glyphs: &Glyphs) {
    let (image, overview) = (&opened.image, &opened.overview);
    sheet.field(
        "Unpacked",
        &format!("{} in {}", display_bytes(image.unpacked_bytes()), counted(image.layers.len(), "layer")),
    );
    sheet.field("Compressed", &image.compressed_bytes().map(display_bytes).unwrap_or_default());
    let in_files =
        if image.has_absent_layers() { "not all here".to_owned() } else { display_bytes(image.file_bytes()) };
    sheet.field("In files", &in_files);
    sheet.field("Efficiency", &percent(overview.efficiency));
    let share = percent(overview.user_wasted_percent);
    let wasted = format!("{}, {share} of the layers above the base", display_bytes(overview.wasted_bytes));
    sheet.field("Wasted", if overview.wasted_bytes == 0 { "nothing" } else { &wasted });
}

fn identification(sheet: &mut Sheet, identity: &Identity, known: bool, config: &Config) {
    if known {
        sheet.field("Platform", &config.platform.to_string());
    }
    sheet.field("Opened as", &identity.requested);
    sheet.field("Source", &identity.source_kind);
    let others = identity.references.get(1..).unwrap_or_default();
    sheet.list("Aliases", others);
    sheet.digest("Manifest", &identity.manifest_digest.as_ref().map(ToString::to_string).unwrap_or_default());
    sheet.digest("Config", &identity.config_digest.as_ref().map(ToString::to_string).unwrap_or_default());
    sheet.field("Made", config.created.as_deref().unwrap_or_default());
}

fn configuration(sheet: &mut Sheet, config: &Config) {
    sheet.field("Entrypoint", &words(&config.entrypoint));
    sheet.field("Cmd", &words(&config.cmd));
    sheet.field("User", &config.user);
    sheet.field("Directory", &config.working_directory);
    sheet.list("Ports", &config.exposed_ports);
    sheet.list("Volumes", &config.volumes);
    sheet.list("Env", &config.env);
    let labels: Vec<String> = config.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    sheet.list("Labels", &labels);
}

/// Words of a command, quoted where a shell would need it.
fn words(words: &[String]) -> String {
    let plain = |word: &str| !word.is_empty() && !word.contains(|c: char| c.is_whitespace() || "\"'\\$`".contains(c));
    let quoted = words.iter().map(|word| if plain(word) { word.clone() } else { format!("{word:?}") });
    quoted.collect::<Vec<_>>().join(" ")
}
