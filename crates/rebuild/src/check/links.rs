use super::{Broken, BrokenKind, CheckReport, shown};
use crate::needs::NeedsError;
use nixdive_analyse::findings::may_be_mounted;
use nixdive_base::cancel::Cancel;
use nixdive_base::text::display_in_sentence;
use nixdive_image::{FileTree, Image, Kind, NodeId, Resolution};

/// Maximum number of reported links of one kind.
const MOST_LINKS: usize = 1000;
/// Follows every link of an image. A link from outside into the store must resolve, and a link to an absent store path
/// is broken; other dangling links are only reported.
pub(super) fn check(image: &Image, cancel: &Cancel, report: &mut CheckReport) -> Result<(), NeedsError> {
    let tree = &image.tree;
    let Some(top) = tree.top_layer() else { return Ok(()) };
    for (node, id) in tree.stacked_paths(top) {
        let is_link = id.and_then(|id| tree.linked(id)).is_some_and(|id| tree.occurrence(id).kind == Kind::Symlink);
        if !is_link {
            continue;
        }
        cancel.check().map_err(|_| NeedsError::Cancelled)?;
        report.links += 1;
        let path = tree.path(node);
        let (missing, why) = match tree.resolve(&path, top, true) {
            Resolution::Found { .. } => continue,
            Resolution::Missing { path, .. } => {
                let why = format!("{} does not exist", sentence(&path));
                (path, why)
            }
            Resolution::TooManyLinks => (path.clone(), format!("more than {} links in a row", FileTree::MAX_LINKS)),
        };
        if may_be_mounted(image, &missing) {
            continue;
        }
        let message = format!("{} is a broken link: {why}", shown(image, node));
        let from_outside = is_in_store(&missing) && !is_in_store(&path);
        if (from_outside || is_store_path(&missing)) && !is_cut(&missing) {
            push(report, node, message);
        } else if report.loose_links.len() < MOST_LINKS {
            report.loose_links.push(message);
        }
    }
    Ok(())
}

fn push(report: &mut CheckReport, node: NodeId, message: String) {
    if report.broken.len() < MOST_LINKS {
        report.broken.push(Broken { node: Some(node), kind: BrokenKind::Link, message });
    }
}

fn sentence(path: &[u8]) -> String {
    display_in_sentence(&String::from_utf8_lossy(path))
}

const STORE: &[u8] = b"/nix/store/";

fn is_in_store(path: &[u8]) -> bool {
    path.starts_with(STORE)
}

/// Returns `true` if a path is a store path itself, not a file in one.
fn is_store_path(path: &[u8]) -> bool {
    path.strip_prefix(STORE).is_some_and(|name| !name.is_empty() && !name.contains(&b'/'))
}

/// Returns `true` if a reference was cut on purpose: its hash is all `e`.
fn is_cut(path: &[u8]) -> bool {
    path.strip_prefix(STORE).and_then(|name| name.get(..32)).is_some_and(|hash| hash.iter().all(|&byte| byte == b'e'))
}
