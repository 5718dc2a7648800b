//! Compares two images by layers and files: `cargo run --example compare_images OLD NEW`.

use std::error::Error;

use nixdive::cancel::Cancel;
use nixdive::compare::{CompareOptions, FileChangeKind, KnownContents, Outline, Side};
use nixdive::identify::identify;
use nixdive::packages::Inventory;
use nixdive::text::display_bytes;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(old), Some(new)) = (arguments.next(), arguments.next()) else {
        return Err("usage: compare_images OLD NEW".into());
    };
    let (old, new) = (nixdive::open(old)?, nixdive::open(new)?);

    // Layers that both images have are never read. Files that differ only in content are identified by reading them.
    let outline = Outline::new(&old.image, &new.image);
    let (unknown, cancel) = (outline.unknown(), Cancel::new());
    let known = KnownContents {
        left: identify(&old.image, &old.contents, &unknown.left, 0, &cancel)?.known,
        right: identify(&new.image, &new.contents, &unknown.right, 0, &cancel)?.known,
    };

    let packages = Inventory::default();
    let left = Side { image: &old.image, packages: &packages, store: None };
    let right = Side { image: &new.image, packages: &packages, store: None };
    let comparison = outline.finish(left, right, &known, CompareOptions::default());
    println!(
        "unpacked: {} -> {}",
        display_bytes(old.image.unpacked_bytes()),
        display_bytes(new.image.unpacked_bytes())
    );
    for kind in [FileChangeKind::Added, FileChangeKind::Removed, FileChangeKind::Content] {
        println!("{}: {} files", kind.as_str(), comparison.differences.files.count(kind));
    }
    Ok(())
}
