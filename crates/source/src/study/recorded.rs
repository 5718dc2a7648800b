use std::io::Read;

use crate::open::Contents;
use nixdive_image::Image;
use nixdive_nix::database::{self, DATABASE_PATH, WRITE_AHEAD_LOG_PATH};
use nixdive_nix::study::RecordedStore;

/// Maximum bytes of a database in an image; a machine with a hundred thousand store paths has a tenth of it.
const MAX_DATABASE_BYTES: u64 = 512 << 20;

/// Content of a database in an image.
#[derive(Default)]
pub(super) struct Found {
    /// The record; `None` if the database is missing or unreadable.
    pub store: Option<RecordedStore>,
    /// Problems, as sentences.
    pub problems: Vec<String>,
}

/// Reads Nix's database in an image, as of the topmost layer.
pub(super) fn find(image: &Image, contents: &Contents) -> Found {
    let mut found = Found::default();
    let bytes = match file(image, contents, DATABASE_PATH) {
        None => return found,
        Some(Err(reason)) => {
            found.problems.push(format!("/{DATABASE_PATH}: {reason}"));
            return found;
        }
        Some(Ok(bytes)) => bytes,
    };
    if has_bytes(image, WRITE_AHEAD_LOG_PATH) {
        found.problems.push(format!("/{WRITE_AHEAD_LOG_PATH} contains changes that are not read"));
    }
    match database::read(&bytes) {
        Ok(database) => {
            if database.invalid_rows > 0 {
                let rows = database.invalid_rows;
                found.problems.push(format!("/{DATABASE_PATH} has {rows} rows without a valid store path"));
            }
            found.store = Some(RecordedStore::from(&database));
        }
        Err(error) => found.problems.push(format!("/{DATABASE_PATH} {error}")),
    }
    found
}

/// Reads the file at a path of an image. Returns the reason if it cannot be read, or `None` if there is none.
fn file(image: &Image, contents: &Contents, path: &str) -> Option<Result<Vec<u8>, String>> {
    let tree = &image.tree;
    let id = tree.visible_at(tree.lookup(path.as_bytes())?, tree.top_layer()?)?;
    let id = tree.content_of(id)?;
    let length = tree.occurrence(id).bytes;
    if length > MAX_DATABASE_BYTES {
        return Some(Err(format!("has {length} bytes, more than the maximum of {MAX_DATABASE_BYTES}")));
    }
    let mut bytes = Vec::new();
    let read = contents.reader(tree, id).map_err(|error| error.to_string());
    Some(read.and_then(|reader| {
        reader.take(MAX_DATABASE_BYTES).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
        Ok(bytes)
    }))
}

fn has_bytes(image: &Image, path: &str) -> bool {
    let tree = &image.tree;
    let id = tree.lookup(path.as_bytes()).zip(tree.top_layer()).and_then(|(node, top)| tree.visible_at(node, top));
    id.and_then(|id| tree.content_of(id)).is_some_and(|id| tree.occurrence(id).bytes > 0)
}
