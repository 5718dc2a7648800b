use std::sync::Arc;

use super::body::{Body, ByteRows};
use nixdive_base::text::display_bytes;
use nixdive_image::{FileTree, Image, Kind, OccurrenceId};
use nixdive_preview::{
    Cancel, Comparison, ContentKind, HexView, Section, StyledLine, Syntaxes, TextPreview, classify, compare,
    differing_rows, follow_link, list_archive, summarise_directory, summarise_elf,
};
use nixdive_source::open::Contents;
use nixdive_tui::{Form, Subject};

/// Common lines around each change of a difference.
const CONTEXT: u32 = 3;

/// Content of a path and its description.
#[derive(Default)]
pub struct Shown {
    pub body: Body,
    pub kind: String,
    /// Names of the two halves of a difference.
    pub halves: Option<(String, String)>,
    /// Layer that its bytes come from.
    pub layer: String,
}

/// Finds out what there is to show of a path.
pub struct Finder<'a> {
    pub image: &'a Image,
    pub contents: &'a Contents,
    pub subject: Subject,
    pub syntaxes: &'a Arc<Syntaxes>,
    pub cancel: &'a Cancel,
}

impl Finder<'_> {
    /// Returns the content of the path in a form, or the reason why there is none, as a sentence.
    pub fn find(&self, form: Form) -> Result<Shown, String> {
        match form {
            Form::Content => self.content(),
            Form::Bytes => self.bytes(),
            Form::Unified | Form::SideBySide => self.difference(form == Form::SideBySide),
        }
    }

    fn tree(&self) -> &FileTree {
        &self.image.tree
    }

    fn layer(&self, entry: OccurrenceId) -> String {
        let content = self.tree().content_of(entry).unwrap_or(entry);
        format!("layer {}", self.tree().occurrence(content).layer.0)
    }

    fn section(&self, entry: OccurrenceId) -> Result<Section, String> {
        let section = self.contents.random_access(self.tree(), entry);
        section.map_err(|error| format!("{}: {error}", self.layer(entry)))
    }

    fn content(&self) -> Result<Shown, String> {
        let (tree, Subject { node, layer, entry, .. }) = (self.tree(), self.subject);
        let linked = entry.and_then(|entry| tree.linked(entry));
        let lines = |kind: &str, lines| Shown { body: Body::Lines(lines), kind: kind.to_owned(), ..Shown::default() };
        match linked.map(|entry| tree.occurrence(entry).kind) {
            None if entry.is_some() => Err("a hard link that leads nowhere".to_owned()),
            None | Some(Kind::Directory | Kind::OpaqueMark) => {
                Ok(lines("directory", summarise_directory(tree, node, layer).lines(tree)))
            }
            Some(Kind::Symlink) => Ok(lines("symbolic link", follow_link(tree, node, layer).lines(tree))),
            Some(Kind::CharacterDevice | Kind::BlockDevice) => Err("a device: it has no content".to_owned()),
            Some(Kind::Fifo) => Err("a pipe: it has no content".to_owned()),
            Some(Kind::Whiteout) => Err("a mark that something was removed: it has no content".to_owned()),
            Some(Kind::File | Kind::HardLink) => self.file(),
        }
    }

    fn file(&self) -> Result<Shown, String> {
        let entry = self.subject.entry.ok_or("has no content")?;
        let section = self.section(entry)?;
        let path = self.tree().path(self.subject.node);
        let layer = self.layer(entry);
        let kind = classify(&section, &path).map_err(|error| format!("{layer}: {error}"))?;
        let mut words = format!("{}, {}", kind.name(), display_bytes(section.length()));
        let body = match kind {
            ContentKind::Empty => {
                words = "empty".to_owned();
                Body::default()
            }
            ContentKind::Text(encoding) => {
                let mut text = TextPreview::new(section, encoding, &path, self.syntaxes);
                if let Some(syntax) = text.syntax() {
                    words = format!("{syntax}, {words}");
                }
                Body::Text(Box::new(text))
            }
            ContentKind::Elf => match summarise_elf(&section) {
                Ok(summary) => Body::Lines(summary.lines()),
                Err(_) => Body::Bytes(HexView::new(section)),
            },
            ContentKind::Archive(format) => Body::Listing(list_archive(&section, format, self.cancel)),
            ContentKind::Binary(_) => Body::Bytes(HexView::new(section)),
        };
        Ok(Shown { body, kind: words, layer, ..Shown::default() })
    }

    fn bytes(&self) -> Result<Shown, String> {
        let entry = self.subject.entry.ok_or("a directory: it has no bytes")?;
        let section = self.section(entry)?;
        let kind = format!("bytes, {}", display_bytes(section.length()));
        Ok(Shown { body: Body::Bytes(HexView::new(section)), kind, layer: self.layer(entry), ..Shown::default() })
    }

    fn difference(&self, side_by_side: bool) -> Result<Shown, String> {
        let (before, after) = self.versions()?;
        let none = || Section::from_bytes(Vec::new());
        let read = |entry: Option<OccurrenceId>| entry.map_or_else(|| Ok(none()), |entry| self.section(entry));
        let (old, new) = (read(before)?, read(after)?);
        let absent = if before.is_none() { "in no layer below" } else { "removed" };
        let name = |entry: Option<OccurrenceId>| entry.map_or_else(|| absent.to_owned(), |entry| self.layer(entry));
        let halves = (name(before), name(after));
        let words = match (before, after) {
            (None, _) => format!("new in {}", halves.1),
            (_, None) => format!("removed, was in {}", halves.0),
            _ => format!("{} to {}", halves.0, halves.1),
        };
        let path = self.tree().path(self.subject.node);
        Versions { old, new, halves, words, path }.show(side_by_side, self.cancel)
    }

    /// The versions that are compared: the one that is looked at with that of the next lower layer, or the last one
    /// with its absence.
    fn versions(&self) -> Result<(Option<OccurrenceId>, Option<OccurrenceId>), String> {
        let tree = self.tree();
        let entry = self.subject.entry.ok_or("a directory has no versions to compare")?;
        tree.content_of(entry).ok_or("no file with content: it has no versions to compare")?;
        if self.subject.removed {
            return Ok((Some(entry), None));
        }
        let layer = tree.occurrence(entry).layer;
        let older = |id: &OccurrenceId| tree.occurrence(*id).layer < layer && tree.content_of(*id).is_some();
        Ok((tree.occurrences_of(self.subject.node).find(older), Some(entry)))
    }

    /// Content of a path for a comparison with another image; a link is followed.
    fn version(&self) -> Result<Section, String> {
        let entry = self.subject.entry.ok_or("a directory has no content to compare")?;
        let kind = self.tree().linked(entry).map(|linked| self.tree().occurrence(linked).kind);
        match (kind, self.tree().link_target(entry)) {
            (Some(Kind::Symlink), Some(target)) => Ok(Section::from_bytes([target, b"\n".as_slice()].concat())),
            (Some(Kind::File), _) => self.section(entry),
            _ => Err("no file with content: it has no versions to compare".to_owned()),
        }
    }
}

/// Compares a file of one image with a file of another; `None` for a side without the file.
pub fn difference_between(
    (left, right): (Option<Finder<'_>>, Option<Finder<'_>>),
    side_by_side: bool,
    cancel: &Cancel,
) -> Result<Shown, String> {
    let read = |finder: &Option<Finder<'_>>| match finder {
        Some(finder) => finder.version(),
        None => Ok(Section::from_bytes(Vec::new())),
    };
    let (old, new) = (read(&left)?, read(&right)?);
    let name = |side: &str, finder: &Option<Finder<'_>>| {
        let layer = finder.as_ref().and_then(|finder| Some(finder.layer(finder.subject.entry?)));
        layer.map_or_else(|| format!("not in the {side} image"), |layer| format!("{side} image, {layer}"))
    };
    let halves = (name("left", &left), name("right", &right));
    let words = match (&left, &right) {
        (None, _) => "only in the right image".to_owned(),
        (_, None) => "only in the left image".to_owned(),
        _ => "left to right".to_owned(),
    };
    let path = right.as_ref().or(left.as_ref()).map(|finder| finder.tree().path(finder.subject.node));
    Versions { old, new, halves, words, path: path.unwrap_or_default() }.show(side_by_side, cancel)
}

/// Two versions of a file.
struct Versions {
    old: Section,
    new: Section,
    /// Names of the two versions.
    halves: (String, String),
    /// Short description of the two versions.
    words: String,
    path: Vec<u8>,
}

impl Versions {
    fn show(self, side_by_side: bool, cancel: &Cancel) -> Result<Shown, String> {
        let Self { old, new, halves, words, path } = self;
        let compared = compare(&old, &new, &path, cancel).map_err(|error| format!("{words}: {error}"))?;
        let (body, kind) = match compared {
            Comparison::Same { bytes } => {
                let same = format!("the same {} in both", display_bytes(bytes));
                (Body::Lines(vec![StyledLine::remark(&same)]), words)
            }
            Comparison::Text(difference) => {
                let (removed, added) = difference.counts();
                let kind = format!("{words}, -{removed} +{added}");
                let difference = Box::new(difference);
                if side_by_side {
                    let rows = difference.side_by_side(CONTEXT);
                    (Body::SideBySide(difference, rows), kind)
                } else {
                    let rows = difference.unified(CONTEXT);
                    (Body::Unified(difference, rows), kind)
                }
            }
            Comparison::Bytes { too_long, before_bytes, after_bytes, first_difference, differing_bytes, .. } => {
                let why = if too_long { "too long for lines" } else { "not text" };
                let lengths = format!("{} and {}", display_bytes(before_bytes), display_bytes(after_bytes));
                let kind = format!("{words}, {why}: {lengths}, {differing_bytes} bytes differ");
                (byte_rows((old, new), first_difference, side_by_side, cancel)?, kind)
            }
        };
        Ok(Shown { body, kind, halves: Some(halves), ..Shown::default() })
    }
}

fn byte_rows(
    (before, after): (Section, Section),
    first: u64,
    side_by_side: bool,
    cancel: &Cancel,
) -> Result<Body, String> {
    // Two halves fit on a screen with 8 bytes each.
    let columns = if side_by_side { 8 } else { 16 };
    let rows = differing_rows(&before, &after, first, columns, cancel);
    let (rows, all) = rows.map_err(|error| error.to_string())?;
    let view = |section| HexView::with_columns(section, columns);
    let end = (!all).then(|| StyledLine::remark("further rows differ"));
    let (before, after) = (view(before), view(after));
    Ok(Body::ByteRows(Box::new(ByteRows { before, after, rows, side_by_side, end })))
}
