use super::super::action::{Action, Context, Keymap};
use super::super::layout::Pane;
use super::super::pages::{Heading, Look, Page, Way};
use super::super::session::{Exploration, Session};
use super::rebuild::{STOP, only_files_of};
use nixdive_analyse::findings::{Location, Places};

/// The page that an action leads to.
pub(super) fn page_of(session: &Session, action: Action) -> Option<Page> {
    let beside = |by: usize| {
        let at = Page::ALL.iter().position(|&page| page == session.pages.current).unwrap_or(0);
        Page::ALL[(at + by) % Page::ALL.len()]
    };
    Some(match action {
        Action::ShowFiles => Page::Files,
        Action::ShowImage => Page::Image,
        Action::ShowWaste => Page::Waste,
        Action::ShowPackages => Page::Packages,
        Action::ShowMap => Page::Map,
        Action::ShowStore => Page::Store,
        Action::ShowFindings => Page::Findings,
        Action::ShowRebuild => Page::Rebuild,
        Action::NextPage => beside(1),
        Action::PreviousPage => beside(Page::ALL.len() - 1),
        _ => return None,
    })
}

pub(super) fn move_on_page(session: &mut Session, size: (u16, u16), lines: isize) {
    if session.pages.current == Page::Store && matches!(session.pages.store.look, Look::Map(_)) {
        let heading = if lines > 0 { Heading::Down } else { Heading::Up };
        return session.pages.store.go(super::super::draw::page_rows_area(session, size), heading);
    }
    if session.pages.current == Page::Map {
        return go(session, size, if lines > 0 { Heading::Down } else { Heading::Up });
    }
    if let Some((cursor, length)) = session.pages.list() {
        cursor.move_by(lines, length);
    }
}

pub(super) fn go(session: &mut Session, size: (u16, u16), heading: Heading) {
    let Some(opened) = &session.opened else { return };
    let tiles = super::super::draw::map_tiles(session, opened, size);
    session.pages.map.go(&tiles, heading);
}

/// Along references and referrers, or on the map to the side.
fn step_in_store(session: &mut Session, size: (u16, u16), action: Action) -> Option<String> {
    let (way, heading) = match action {
        Action::StoreLeft => (Way::Referrers, Heading::Left),
        _ => (Way::References, Heading::Right),
    };
    if matches!(session.pages.store.look, Look::Map(_)) {
        let area = super::super::draw::page_rows_area(session, size);
        session.pages.store.go(area, heading);
        return None;
    }
    session.pages.store.step(way)
}

/// Actions on the pages; returns a message for the user.
pub(super) fn perform_on_page(
    session: &mut Session,
    size: (u16, u16),
    action: Action,
    keymap: &Keymap,
) -> Option<String> {
    match action {
        Action::StoreLeft | Action::StoreRight => return step_in_store(session, size, action),
        Action::NextChain => return session.pages.store.next_chain(),
        Action::StoreMap => {
            session.pages.store.toggle_map();
            session.pages.store.go(super::super::draw::page_rows_area(session, size), Heading::Down);
        }
        Action::StoreMapIn => {
            let said = session.pages.store.map_in();
            session.pages.store.go(super::super::draw::page_rows_area(session, size), Heading::Down);
            return said;
        }
        Action::StoreMapOut => {
            session.pages.store.map_out();
        }
        Action::Sort => session.pages.store.next_sort(),
        Action::ReverseSort => session.pages.store.reverse(),
        Action::ToggleKept if session.writing.is_some() => {
            return Some(keymap.hint("The image is being written", Context::Rebuild, STOP));
        }
        Action::ToggleKept => return super::rebuild::toggle(session),
        Action::UndoChoices if session.writing.is_none() => return Some(session.pages.rebuild.undo().to_owned()),
        Action::RevealRow => return super::rebuild::reveal(session, keymap),
        Action::ToggleFinding => {
            session.pages.judgement.toggle();
        }
        Action::CloseFinding => session.pages.judgement.close(),
        Action::ShowPlace if session.pages.judgement.toggle() => {}
        Action::ShowPlace => show_place(session),
        Action::RevealPath => {
            let id = session.pages.store.selected()?;
            let node = session.pages.store.study()?.store.get(id)?.node;
            session.reveal(node);
        }
        Action::MapLeft => go(session, size, Heading::Left),
        Action::MapRight => go(session, size, Heading::Right),
        Action::MapOut => map_out(session),
        Action::MapColour => {
            session.pages.map.colouring = session.pages.map.colouring.next();
            return Some(format!("Coloured by {}", session.pages.map.colouring.name()));
        }
        Action::MapIn => {
            let node = session.pages.map.selected?;
            let opened = session.opened.as_ref()?;
            let (scope, baseline) = session.scope(&opened.image);
            let seen = opened.image.tree.see_alone(node, scope, baseline)?;
            if !seen.is_directory || seen.totals.bytes == 0 {
                return Some("A file has no map".to_owned());
            }
            session.pages.map.directory = node;
            session.pages.map.selected = None;
            go(session, size, Heading::Down);
        }
        Action::RevealTile => {
            let node = session.pages.map.selected?;
            session.reveal(node);
        }
        Action::Reveal => match session.pages.current {
            Page::Waste => {
                let opened = session.opened.as_ref()?;
                let waste = &session.pages.waste;
                let assessment = &session.pages.findings.assessment;
                let row = waste.row(&opened.image, assessment, waste.cursor.selected)?;
                session.reveal(row.node);
            }
            Page::Packages => {
                let findings = std::sync::Arc::clone(&session.pages.findings);
                let package = session.pages.packages.get(session.pages.packages.cursor.selected)?;
                let name = findings.packages.packages.get(package).name.clone();
                session.show_only(&name, findings.packages.ownership.files(package));
                return Some(only_files_of(&name, keymap));
            }
            Page::Files | Page::Image | Page::Map | Page::Store | Page::Findings | Page::Rebuild => {}
        },
        _ => {}
    }
    None
}

/// Goes to where the selected hit of a finding is.
fn show_place(session: &mut Session) {
    let Some(location) = session.pages.judgement.evidence().map(|evidence| evidence.location.clone()) else { return };
    match location {
        Location::Path { node, .. } | Location::Absent { node: Some(node), .. } => session.reveal(node),
        Location::StorePath { path, .. } | Location::Absent { from: Some(path), .. } => {
            session.pages.store.select(path);
            session.pages.current = Page::Store;
        }
        Location::Layer(layer) => {
            session.pages.current = Page::Files;
            session.focus = Pane::Layers;
            session.select_layer(Some(layer));
            session.follow();
        }
        _ => session.pages.current = Page::Image,
    }
}

/// From a directory of the map to the one above it.
pub(in super::super) fn map_out(session: &mut Session) {
    let Some(opened) = &session.opened else { return };
    let below = session.pages.map.directory;
    if let Some(above) = opened.image.tree.parent(below) {
        session.pages.map.directory = above;
        session.pages.map.selected = Some(below);
    }
}

/// Returns the selection of a page as text for the clipboard.
pub(in super::super) fn selected_on_page(session: &Session, opened: &Exploration) -> Option<String> {
    let pages = &session.pages;
    match pages.current {
        Page::Files => None,
        Page::Image => pages.image.selected().map(str::to_owned),
        Page::Waste => {
            Some(pages.waste.row(&opened.image, &pages.findings.assessment, pages.waste.cursor.selected)?.path)
        }
        Page::Packages => Some(pages.packages.row(&pages.findings.packages, pages.packages.cursor.selected)?.name),
        Page::Findings => {
            let store = pages.store.study().map(AsRef::as_ref);
            let places = Places { image: &opened.image, store, quote: str::to_owned };
            Some(places.describe(pages.judgement.evidence()?))
        }
        Page::Store => {
            let id = pages.store.selected()?;
            Some(pages.store.study()?.store.get(id)?.path.to_string())
        }
        Page::Rebuild => pages.rebuild.name_of_selection(),
        Page::Map => {
            let node = pages.map.selected?;
            Some(nixdive_base::text::display_name(&opened.image.tree.path(node)).into_owned())
        }
    }
}
