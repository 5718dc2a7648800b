//! Lists the largest files of an image, with the layer that brings each:
//! `cargo run --example largest_files IMAGE [COUNT]`.

use std::error::Error;

use nixdive::analysis::largest;
use nixdive::text::{display_bytes, display_name};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let image = arguments.next().unwrap_or_else(|| "embedded:sample".into());
    let count = arguments.next().map_or(Ok(10), |count| count.to_string_lossy().parse())?;

    let image = nixdive::open(image)?.image;
    println!("{} in {} layers", display_bytes(image.unpacked_bytes()), image.layers.len());
    let (files, _) = largest(&image, count);
    for file in files {
        let path = image.tree.path(file.node);
        // Names come from the image: what would steer a terminal is spelled out.
        println!("{:>10}  layer {:>2}  {}", display_bytes(file.bytes), file.layer.index(), display_name(&path));
    }
    Ok(())
}
