//! What a path holds, as rows.

use std::sync::Arc;

use crate::image::{FileTree, Image, Kind, OccurrenceId, display_bytes};
use crate::open::Contents;
use crate::preview::{
    ArchiveListing, Budget, Cancel, Comparison, ContentKind, HexView, Section, StyledLine, Syntaxes, TextDifference,
    TextPreview, UnifiedRow, classify, compare, follow_link, list_archive, summarise_directory, summarise_elf,
};
use crate::tui::{Form, Place, Subject, Ticket, View, ViewRequest};

/// Rows of a screen beyond which no more are handed out.
const MOST_HEIGHT: u16 = 200;
/// Common lines around each change of a difference.
const CONTEXT: u32 = 3;
/// Bytes that are counted through before an answer says how far that is.
const STEP: Budget = Budget { index_bytes: 32 << 20, colouring: std::time::Duration::from_millis(60) };

/// A path that is looked at in one form.
pub struct Viewed {
    ticket: Ticket,
    form: Form,
    kind: String,
    problem: Option<String>,
    body: Body,
    /// How far the last answer was: bytes counted, answers without full colours.
    last: (u64, u32),
}

enum Body {
    Lines(Vec<StyledLine>),
    Listing(ArchiveListing),
    Text(Box<TextPreview>),
    Bytes(HexView),
    Difference(Box<TextDifference>, Vec<UnifiedRow>),
}

struct Finder<'a> {
    image: &'a Image,
    contents: &'a Contents,
    subject: Subject,
    syntaxes: &'a Arc<Syntaxes>,
    cancel: &'a Cancel,
}

impl Viewed {
    /// Whether this is what is asked for.
    pub fn is_of(&self, request: &ViewRequest) -> bool {
        (self.ticket, self.form) == (request.ticket, request.form)
    }

    /// Finds out what there is to show. What goes wrong is shown in its place.
    pub fn open(
        image: &Image,
        contents: &Contents,
        request: &ViewRequest,
        syntaxes: &Arc<Syntaxes>,
        cancel: &Cancel,
    ) -> Self {
        let finder = Finder { image, contents, subject: request.subject, syntaxes, cancel };
        let found = match request.form {
            Form::Content => finder.content(),
            Form::Bytes => finder.bytes(),
            Form::Difference => finder.difference(),
        };
        let (kind, body, problem) = match found {
            Ok((kind, body)) => (kind, body, None),
            Err(problem) => (String::new(), Body::Lines(Vec::new()), Some(problem)),
        };
        Self { ticket: request.ticket, form: request.form, kind, problem, body, last: (0, 0) }
    }

    /// The rows asked for, as far as one step gets.
    pub fn rows(&mut self, request: &ViewRequest) -> View {
        let mut view = View {
            ticket: self.ticket,
            form: self.form,
            kind: self.kind.clone(),
            problem: self.problem.clone(),
            ..View::default()
        };
        match &mut self.body {
            Body::Text(text) => {
                let pending = text_rows(text, request, &mut view);
                let bytes = text.indexed_bytes();
                let waits = if bytes == self.last.0 { self.last.1 + 1 } else { 0 };
                self.last = (bytes, waits);
                // What gets no further is given up.
                view.pending = pending && waits < 64;
                view.problem = text.problem().map(str::to_owned);
            }
            Body::Bytes(hex) => byte_rows(hex, request, &mut view),
            Body::Lines(lines) => {
                fixed_rows(lines.len(), request, &mut view, |number| lines.get(number).cloned());
            }
            Body::Listing(listing) => {
                fixed_rows(listing.total_lines(), request, &mut view, |number| {
                    listing.lines(number..number.saturating_add(1)).pop()
                });
            }
            Body::Difference(difference, rows) => fixed_rows(rows.len(), request, &mut view, |number| {
                rows.get(number).map(|&row| difference.unified_line(row))
            }),
        }
        view
    }
}

/// The rows around a place, of the first on screen.
fn around(at: u64, request: &ViewRequest) -> std::ops::Range<u64> {
    let height = u64::from(request.height.clamp(1, MOST_HEIGHT));
    at.saturating_sub(2 * height)..at.saturating_add(3 * height)
}

/// The first row of the last screenful.
fn last_screen(total: u64, request: &ViewRequest) -> u64 {
    total.saturating_sub(u64::from(request.height.max(1)))
}

fn fixed_rows(total: usize, request: &ViewRequest, view: &mut View, line: impl Fn(usize) -> Option<StyledLine>) {
    let total = total as u64;
    let at = match request.place {
        Place::Row(row) => row,
        Place::Byte(_) => 0,
        Place::End => last_screen(total, request),
    };
    let range = around(at, request);
    view.at = (!matches!(request.place, Place::Row(_))).then_some(at);
    view.first = range.start.min(total);
    view.lines = (view.first..range.end.min(total)).filter_map(|number| line(usize::try_from(number).ok()?)).collect();
    (view.total, view.known) = (Some(total), total);
}

fn byte_rows(hex: &mut HexView, request: &ViewRequest, view: &mut View) {
    hex.fit(usize::from(request.width));
    let total = hex.total_rows();
    let at = match request.place {
        Place::Row(row) => row,
        Place::Byte(offset) => hex.row_at(offset),
        Place::End => last_screen(total, request),
    };
    let range = around(at, request);
    view.at = (!matches!(request.place, Place::Row(_))).then_some(at);
    view.first = range.start.min(total);
    match hex.rows(view.first..range.end.min(total)) {
        Ok(rows) => view.lines = rows.iter().map(|row| hex.line(row)).collect(),
        Err(error) => view.problem = Some(error.to_string()),
    }
    (view.total, view.known) = (Some(total), total);
    view.row_bytes = Some(hex.columns());
}

/// Whether the same again gets further.
fn text_rows(text: &mut TextPreview, request: &ViewRequest, view: &mut View) -> bool {
    let at = match request.place {
        Place::Row(row) => Some(row),
        Place::Byte(offset) => text.line_at(offset, STEP),
        Place::End => text.count_lines(STEP).map(|total| last_screen(total, request)),
    };
    let shown = at.unwrap_or(0);
    let window = text.lines(around(shown, request), STEP);
    view.at = at.filter(|_| !matches!(request.place, Place::Row(_)));
    view.first = window.first;
    view.lines = window.lines;
    (view.total, view.known) = (text.total_lines(), text.known_lines());
    at.is_none() || window.pending || window.colours_pending
}

impl Finder<'_> {
    fn tree(&self) -> &FileTree {
        &self.image.tree
    }

    fn section(&self, entry: OccurrenceId) -> Result<Section, String> {
        self.contents.random_access(self.tree(), entry).map_err(|error| error.to_string())
    }

    fn content(&self) -> Result<(String, Body), String> {
        let (tree, Subject { node, layer, entry }) = (self.tree(), self.subject);
        let linked = entry.and_then(|entry| tree.linked(entry));
        match linked.map(|entry| tree.occurrence(entry).kind) {
            None if entry.is_some() => Err("a hard link that leads nowhere".to_owned()),
            None | Some(Kind::Directory | Kind::OpaqueMark) => {
                let lines = summarise_directory(tree, node, layer).lines(tree);
                Ok(("directory".to_owned(), Body::Lines(lines)))
            }
            Some(Kind::Symlink) => {
                let lines = follow_link(tree, node, layer).lines(tree);
                Ok(("symbolic link".to_owned(), Body::Lines(lines)))
            }
            Some(Kind::CharacterDevice | Kind::BlockDevice) => Err("a device: it has no content".to_owned()),
            Some(Kind::Fifo) => Err("a pipe: it has no content".to_owned()),
            Some(Kind::Whiteout) => Err("a mark that something was removed: it has no content".to_owned()),
            Some(Kind::File | Kind::HardLink) => self.file(),
        }
    }

    fn file(&self) -> Result<(String, Body), String> {
        let entry = self.subject.entry.ok_or("has no content")?;
        let section = self.section(entry)?;
        let path = self.tree().path(self.subject.node);
        let kind = classify(&section, &path).map_err(|error| error.to_string())?;
        let mut words = format!("{}, {}", kind.name(), display_bytes(section.length()));
        let body = match kind {
            ContentKind::Empty => {
                words = "empty".to_owned();
                Body::Lines(Vec::new())
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
        Ok((words, body))
    }

    fn bytes(&self) -> Result<(String, Body), String> {
        let entry = self.subject.entry.ok_or("a directory: it has no bytes")?;
        let section = self.section(entry)?;
        Ok((format!("bytes, {}", display_bytes(section.length())), Body::Bytes(HexView::new(section))))
    }

    fn difference(&self) -> Result<(String, Body), String> {
        let tree = self.tree();
        let after = self.subject.entry.ok_or("a directory has no versions to compare")?;
        let layer = tree.occurrence(after).layer;
        let older = |id: &OccurrenceId| tree.occurrence(*id).layer < layer && tree.content_of(*id).is_some();
        let before = tree.occurrences_of(self.subject.node).find(older);
        let before = before.ok_or_else(|| format!("no layer below layer {} has a version of it", layer.0))?;
        let path = tree.path(self.subject.node);
        let compared = compare(&self.section(before)?, &self.section(after)?, &path, self.cancel);
        let layers = format!("layer {} to layer {}", tree.occurrence(before).layer.0, layer.0);
        match compared.map_err(|error| error.to_string())? {
            Comparison::Same { bytes } => Err(format!("the same {} in {layers}", display_bytes(bytes))),
            Comparison::Text(difference) => {
                let rows = difference.unified(CONTEXT);
                let (removed, added) = difference.counts();
                Ok((format!("{layers}, -{removed} +{added}"), Body::Difference(Box::new(difference), rows)))
            }
            Comparison::Bytes { too_long, before_bytes, after_bytes, first_difference, differing_bytes, .. } => {
                let why = if too_long { "too long to be compared by lines" } else { "no text" };
                Err(format!(
                    "{layers}: {why}; {before_bytes} and {after_bytes} bytes, of which {differing_bytes} differ, the \
                     first at {first_difference}"
                ))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::samples;
    use crate::image::LayerIndex;
    use crate::open::{Keep, OpenOptions, Opened, Progress, open_embedded};
    use crate::reference::Reference;

    fn sample() -> Opened {
        let reference = Reference::parse(samples::EMBEDDED.as_ref()).unwrap();
        let options = OpenOptions { keep: Keep::AnyContent, ..OpenOptions::default() };
        open_embedded(samples::embedded(&reference).unwrap(), "sample", &options, &Progress::new()).unwrap()
    }

    fn request(image: &Image, path: &[u8], form: Form, place: Place) -> ViewRequest {
        let layer = image.tree.top_layer().unwrap_or(LayerIndex(0));
        let node = image.tree.lookup(path).expect("it is there");
        let subject = Subject { node, layer, entry: image.tree.occurrences_of(node).next() };
        ViewRequest { ticket: Ticket(1), subject, form, place, height: 10, width: 80 }
    }

    fn view(opened: &Opened, request: &ViewRequest) -> View {
        let syntaxes = Arc::new(Syntaxes::new());
        let mut viewed = Viewed::open(&opened.image, &opened.contents, request, &syntaxes, &Cancel::new());
        loop {
            let view = viewed.rows(request);
            if !view.pending {
                return view;
            }
        }
    }

    #[test]
    fn every_path_of_the_sample_shows_something_or_says_why_not() {
        let opened = sample();
        for node in opened.image.tree.node_ids() {
            let path = opened.image.tree.path(node);
            for form in [Form::Content, Form::Bytes, Form::Difference] {
                for place in [Place::Row(0), Place::End, Place::Byte(7), Place::Row(u64::MAX)] {
                    let view = view(&opened, &request(&opened.image, &path, form, place));
                    let text: String = view.lines.iter().map(StyledLine::text).collect();
                    assert!(!text.chars().any(char::is_control), "{text:?}");
                    let shown = !view.lines.is_empty() || view.problem.is_some() || view.kind == "empty";
                    assert!(shown || place == Place::Row(u64::MAX), "{}", path.escape_ascii());
                }
            }
        }
    }

    #[test]
    fn bytes_are_shown_from_the_first_to_the_last() {
        let opened = sample();
        let tree = &opened.image.tree;
        let file = |id: &OccurrenceId| tree.occurrence(*id).kind == Kind::File && tree.occurrence(*id).bytes > 1000;
        let entry = tree.node_ids().filter_map(|node| tree.occurrences_of(node).find(file)).next().unwrap();
        let path = tree.path(tree.occurrence(entry).node());
        let content = opened.contents.random_access(tree, entry).unwrap();
        let mut start = [0; 2];
        content.read_full_at(&mut start, 0).unwrap();
        let bytes = view(&opened, &request(&opened.image, &path, Form::Bytes, Place::Row(0)));
        let expected = format!("00000000  {:02x} {:02x}", start[0], start[1]);
        assert!(bytes.lines[0].text().starts_with(&expected), "{}", bytes.lines[0].text());
        let end = view(&opened, &request(&opened.image, &path, Form::Bytes, Place::End));
        assert_eq!(end.at, bytes.total.map(|total| total - 10));
    }
}
