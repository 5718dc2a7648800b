use std::process::ExitCode;

use super::arguments::InspectArguments;
use super::open_for;
use crate::open::Keep;

/// Prints what an image is made of.
pub fn run(arguments: &InspectArguments) -> anyhow::Result<ExitCode> {
    let opened = open_for(&arguments.image, &arguments.open, Keep::Trees)?;
    for (i, l) in opened.image.layers.iter().enumerate() {
        println!("{i} {:?} {} {:?} {} {} {:?} {:?}", l.compression, l.unpacked_bytes, l.compressed_bytes, l.entries, l.file_bytes, l.diff_id_check, opened.image.tree.layer_summary(crate::image::LayerIndex(i as u16)));
    }
    println!("{:?}", opened.image.identity);
    println!("{:?}", opened.image.warnings);
    Ok(ExitCode::SUCCESS)
}
