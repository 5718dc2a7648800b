use std::io::Read;

use crate::open::Contents;
use nixdive_image::Image;
use nixdive_nix::database::{self, DATABASE_PATH, WRITE_AHEAD_LOG_PATH};
use nixdive_nix::study::RecordedStore;

/// Bytes that a database in an image may have: that of a machine with a hundred thousand store paths has a tenth.
const MAX_DATABASE_BYTES: u64 = 512 << 20;

/// What a database in an image records.
#[derive(Default)]
pub(super) struct Found {
    /// `None` where there is no database, or it cannot be read.
    pub store: Option<RecordedStore>,
    /// What is wrong with it, as sentences.
    pub problems: Vec<String>,
}

/// Reads Nix's database in an image, as the topmost layer leaves it.
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
        found.problems.push(format!("/{WRITE_AHEAD_LOG_PATH} holds changes that are not read"));
    }
    match database::read(&bytes) {
        Ok(database) => {
            if database.invalid_rows > 0 {
                let rows = database.invalid_rows;
                found.problems.push(format!("/{DATABASE_PATH} has {rows} rows that name no store path of its own"));
            }
            found.store = Some(RecordedStore::from(&database));
        }
        Err(error) => found.problems.push(format!("/{DATABASE_PATH} {error}")),
    }
    found
}

/// The file of an image at a path, or why it cannot be read; `None` where there is none.
fn file(image: &Image, contents: &Contents, path: &str) -> Option<Result<Vec<u8>, String>> {
    let tree = &image.tree;
    let id = tree.visible_at(tree.lookup(path.as_bytes())?, tree.top_layer()?)?;
    let id = tree.content_of(id)?;
    let length = tree.occurrence(id).bytes;
    if length > MAX_DATABASE_BYTES {
        return Some(Err(format!("has {length} bytes; more than {MAX_DATABASE_BYTES} are not read")));
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
