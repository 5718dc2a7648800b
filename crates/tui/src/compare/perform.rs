//! Actions of keys and mouse in a comparison.

use std::sync::Arc;

use super::data::{CompareRequest, Compared};
use super::rows::PairSort;
use super::tables::Subject as RowSubject;
use super::{Comparing, PairPage, PairScreen};
use crate::action::Action;
use crate::list::ListCursor;
use crate::look;
use crate::message::Effect;
use crate::request::{Form, Request, Subject, Target};
use crate::viewer::{Viewer, WIDE};
use crate::walk::Direction;
use nixdive_analyse::compare::{CompareOptions, ComparedPath};
use nixdive_base::text::display_name;
use nixdive_image::{FileTree, Image, NodeId};

/// Does what an action says; what to tell the user of it.
pub fn perform(
    comparing: &mut Comparing,
    size: (u16, u16),
    action: Action,
    effects: &mut Vec<Effect>,
) -> Option<String> {
    if let Some(viewer) = &mut comparing.viewer {
        if action == Action::RevealHit {
            comparing.viewer = None;
        } else {
            look::perform_on_viewer(viewer, size.0, action);
        }
        return None;
    }
    match action {
        Action::ToggleSemantic => {
            let semantic = !comparing.options.semantic;
            return compare_anew(comparing, CompareOptions { semantic, ..comparing.options }, effects);
        }
        Action::ToggleEquivalent => {
            let equivalent = !comparing.options.equivalent;
            return compare_anew(comparing, CompareOptions { equivalent, ..comparing.options }, effects);
        }
        _ => {}
    }
    if comparing.pair.is_none() {
        return on_matrix(comparing, action, effects);
    }
    let pair = comparing.pair.as_mut()?;
    if let Some(page) = page_of(pair, action) {
        pair.page = page;
        return None;
    }
    if pair.page != PairPage::Files {
        return on_list(pair, action);
    }
    let compared = Arc::clone(&pair.compared);
    if matches!(action, Action::Toggle) && !pair.files.toggle(&compared.tree) || action == Action::Preview {
        return look_into(comparing, size.0);
    }
    on_files(pair, &compared, action)
}

/// Asks for the same two images compared in another way.
fn compare_anew(comparing: &mut Comparing, options: CompareOptions, effects: &mut Vec<Effect>) -> Option<String> {
    let Some(pair) = comparing.pair.as_ref().map(|pair| pair.compared.request.pair) else {
        comparing.options = options;
        return None;
    };
    ask(comparing, CompareRequest { pair, options }, effects);
    let words = match (options.semantic, options.equivalent) {
        (true, true) => "without metadata-only changes, same software matched",
        (true, false) => "without metadata-only changes",
        (false, true) => "all differences, same software matched",
        (false, false) => "all differences",
    };
    Some(format!("Comparing {words}"))
}

fn ask(comparing: &mut Comparing, request: CompareRequest, effects: &mut Vec<Effect>) {
    comparing.asked = Some(request);
    comparing.options = request.options;
    effects.push(Effect::Ask { opening: comparing.opening, request: Request::Compare(request) });
}

fn on_matrix(comparing: &mut Comparing, action: Action, effects: &mut Vec<Effect>) -> Option<String> {
    let matrix = comparing.matrix.as_mut()?;
    match action {
        Action::CellLeft => matrix.move_by(0, -1),
        Action::CellRight => matrix.move_by(0, 1),
        Action::NextLevel => matrix.next_level(1),
        Action::PreviousLevel => matrix.previous_level(),
        Action::LevelLayers => matrix.set_level(0),
        Action::LevelStorePaths => matrix.set_level(1),
        Action::LevelContent => matrix.set_level(2),
        Action::ComparePair => {
            let Some(pair) = matrix.pair() else { return Some("Pick two different images".to_owned()) };
            let request = CompareRequest { pair, options: comparing.options };
            ask(comparing, request, effects);
            return Some("Comparing…".to_owned());
        }
        _ => {}
    }
    None
}

/// The page that an action leads to.
fn page_of(pair: &PairScreen, action: Action) -> Option<PairPage> {
    let beside = |by: usize| {
        let at = PairPage::ALL.iter().position(|&page| page == pair.page).unwrap_or(0);
        PairPage::ALL.get((at + by) % PairPage::ALL.len()).copied()
    };
    match action {
        Action::ShowDifferences => Some(PairPage::Files),
        Action::ShowSummary => Some(PairPage::Summary),
        Action::ShowStorePaths => Some(PairPage::Store),
        Action::ShowPackageChanges => Some(PairPage::Packages),
        Action::ShowConfigChanges => Some(PairPage::Config),
        Action::ShowAlignedLayers => Some(PairPage::Layers),
        Action::NextPage => beside(1),
        Action::PreviousPage => beside(PairPage::ALL.len() - 1),
        _ => None,
    }
}

fn on_files(pair: &mut PairScreen, compared: &Compared, action: Action) -> Option<String> {
    let (files, tree) = (&mut pair.files, &compared.tree);
    match action {
        Action::Expand => files.expand(tree),
        Action::Collapse => files.collapse(tree),
        Action::ExpandBelow => files.set_below(tree, true),
        Action::CollapseBelow => files.set_below(tree, false),
        Action::ToggleAll => files.toggle_all(tree),
        Action::NextDifference if !files.next_difference(compared, Direction::Forward) => {
            return Some("No further difference".to_owned());
        }
        Action::PreviousDifference if !files.next_difference(compared, Direction::Backward) => {
            return Some("No difference before this one".to_owned());
        }
        Action::ToggleEqual => {
            files.only_differences = !files.only_differences;
            files.rebuild(tree);
            let only = files.only_differences;
            pair.only_differences = only;
            pair.arrange();
            return Some(if only { "Only differences" } else { "All entries of both sides" }.to_owned());
        }
        Action::Sort => {
            files.sort = match files.sort {
                PairSort::Change => PairSort::Name,
                PairSort::Name => PairSort::Change,
            };
            files.rebuild(tree);
        }
        Action::ReverseSort => {
            files.reversed = !files.reversed;
            files.rebuild(tree);
        }
        _ => {}
    }
    None
}

fn on_list(pair: &mut PairScreen, action: Action) -> Option<String> {
    match action {
        Action::ToggleEqual => {
            pair.only_differences = !pair.only_differences;
            pair.files.only_differences = pair.only_differences;
            let compared = Arc::clone(&pair.compared);
            pair.files.rebuild(&compared.tree);
            pair.arrange();
            let text = if pair.only_differences { "Only differences" } else { "Equal entries, too" };
            return Some(text.to_owned());
        }
        Action::RevealDifference => return reveal(pair),
        _ => {}
    }
    None
}

/// Goes to the files of the selected row of a list.
fn reveal(pair: &mut PairScreen) -> Option<String> {
    let node = |image: &super::ComparedImage, id| Some(image.store.as_ref()?.store.get(id)?.node);
    let compared = Arc::clone(&pair.compared);
    let (left, right) = match pair.subject()? {
        RowSubject::StorePath(ids) => {
            (ids.left.and_then(|id| node(&compared.left, id)), ids.right.and_then(|id| node(&compared.right, id)))
        }
        RowSubject::Package(ids) => {
            let first = |image: &super::ComparedImage, index| image.packages.ownership.files(index).first().copied();
            (
                ids.left.and_then(|index| first(&compared.left, index)),
                ids.right.and_then(|index| first(&compared.right, index)),
            )
        }
        RowSubject::Field(_) | RowSubject::Layer(_) => return None,
    };
    // Where it is now comes before where it was.
    let found = compared.tree.find(None, right).or_else(|| compared.tree.find(left, None));
    let Some(id) = found else { return Some("None of its files exist".to_owned()) };
    pair.page = PairPage::Files;
    pair.files.reveal(&compared.tree, id);
    pair.only_differences = pair.files.only_differences;
    None
}

/// Looks into both versions of the selected file.
fn look_into(comparing: &mut Comparing, width: u16) -> Option<String> {
    let pair = comparing.pair.as_ref()?;
    let compared = &pair.compared;
    let row = pair.files.selected_row()?;
    let node = compared.tree.get(row.id)?;
    let change = node.change.and_then(|place| compared.differences.files.changes.get(place as usize));
    // A moved file is compared with its old version, wherever that is.
    let side = |path: Option<ComparedPath>| path.map(|path| path.node);
    let (left, right) = change.map_or((node.left, node.right), |change| (side(change.left), side(change.right)));
    let numbers = compared.request.pair;
    let (one, other) = (&compared.left.image, &compared.right.image);
    let target = Target::Versions {
        left: left.and_then(|node| Some((numbers.0, subject(one, node)?))),
        right: right.and_then(|node| Some((numbers.1, subject(other, node)?))),
    };
    let path = right.map(|node| path_of(&other.tree, node)).or_else(|| left.map(|node| path_of(&one.tree, node)))?;
    let differs = change.is_some() && left.is_some() && right.is_some() && !node.is_directory;
    let form = match (differs, width >= WIDE) {
        (true, true) => Form::SideBySide,
        (true, false) => Form::Unified,
        (false, _) => Form::Content,
    };
    comparing.view(target, path, form);
    None
}

fn subject(image: &Image, node: NodeId) -> Option<Subject> {
    let layer = image.tree.top_layer()?;
    Some(Subject { node, layer, entry: image.tree.visible_at(node, layer), removed: false })
}

fn path_of(tree: &FileTree, node: NodeId) -> String {
    display_name(&tree.path(node)).into_owned()
}

/// Goes one step back; returns `true` if there was one within the comparison.
pub fn back(comparing: &mut Comparing) -> bool {
    if let Some(viewer) = &mut comparing.viewer {
        if !Viewer::forget(viewer) {
            comparing.viewer = None;
        }
        return true;
    }
    if !comparing.filter().is_empty() {
        comparing.set_filter("");
        return true;
    }
    match &mut comparing.pair {
        Some(pair) if pair.page != PairPage::Files => {
            pair.page = PairPage::Files;
            true
        }
        Some(_) if comparing.matrix.is_some() => {
            comparing.pair = None;
            comparing.asked = None;
            true
        }
        _ => false,
    }
}

/// Cursor and length of the current list, if there is one.
fn list(pair: &mut PairScreen) -> Option<(&mut ListCursor, usize)> {
    match pair.page {
        PairPage::Files => None,
        PairPage::Summary => {
            let length = pair.summary.shown.len();
            Some((&mut pair.summary.cursor, length))
        }
        _ => {
            let table = pair.table_mut()?;
            let length = table.shown.len();
            Some((&mut table.cursor, length))
        }
    }
}

/// Moves the selection by lines.
pub fn move_by(comparing: &mut Comparing, lines: isize) {
    let Some(pair) = &mut comparing.pair else {
        if let Some(matrix) = &mut comparing.matrix {
            matrix.move_by(lines, 0);
        }
        return;
    };
    match list(pair) {
        Some((cursor, length)) => cursor.move_by(lines, length),
        None => pair.files.move_by(lines),
    }
}

/// Scrolls the rows under the selection, for the mouse wheel.
pub fn scroll(comparing: &mut Comparing, lines: isize, height: usize) {
    let Some(pair) = &mut comparing.pair else { return move_by(comparing, lines.signum()) };
    match list(pair) {
        Some((cursor, length)) => cursor.scroll_by(lines, length, height),
        None => {
            let mut cursor = pair.files.cursor;
            cursor.scroll_by(lines, pair.files.rows().len(), height);
            pair.files.select(cursor.selected);
            pair.files.cursor = cursor;
        }
    }
}

/// Selects a line of those on screen; of a directory that is selected already, opens or closes it.
pub fn press(comparing: &mut Comparing, line: usize) {
    let Some(pair) = &mut comparing.pair else { return };
    if let Some((cursor, length)) = list(pair) {
        return cursor.select(cursor.offset + line, length);
    }
    let index = pair.files.cursor.offset + line;
    if index >= pair.files.rows().len() {
        return;
    }
    let again = pair.files.cursor.selected == index;
    pair.files.select(index);
    if again {
        let compared = Arc::clone(&pair.compared);
        pair.files.toggle(&compared.tree);
    }
}

/// Keeps every selection inside its list and on screen.
pub fn settle(comparing: &mut Comparing, width: u16, height: usize) {
    let Some(pair) = &mut comparing.pair else { return };
    pair.fit(width);
    let rows = pair.files.rows().len();
    pair.files.cursor.settle(rows, height);
    if let Some((cursor, length)) = list(pair) {
        cursor.settle(length, height);
    }
    pair.explain();
}

/// Returns the selection as text for the clipboard.
pub fn name_of_selection(comparing: &Comparing) -> Option<String> {
    if let Some(viewer) = &comparing.viewer {
        return Some(viewer.path.clone());
    }
    let Some(pair) = &comparing.pair else {
        let matrix = comparing.matrix.as_ref()?;
        return Some(matrix.shared.images.get(matrix.row)?.title());
    };
    let compared = &pair.compared;
    match pair.page {
        PairPage::Files => {
            let node = compared.tree.get(pair.files.selected_row()?.id)?;
            let right = node.right.map(|node| path_of(&compared.right.image.tree, node));
            right.or_else(|| node.left.map(|node| path_of(&compared.left.image.tree, node)))
        }
        PairPage::Summary => pair.summary.shown.get(pair.summary.cursor.selected).map(|(_, text, _)| text.clone()),
        PairPage::Store => {
            let (left, right) = pair.selected_store_path()?;
            let of = |image: &super::ComparedImage, id| Some(image.store.as_ref()?.get_path(id)?.to_string());
            right.and_then(|id| of(&compared.right, id)).or_else(|| left.and_then(|id| of(&compared.left, id)))
        }
        _ => Some(pair.row(pair.table()?.cursor.selected)?.cells.join("\t")),
    }
}
