//! Whatever bytes an archive of images is: it opens in every way or says why, and of what opens every report can be
//! written and every file read.
#![no_main]

use std::io::{Cursor, Read, Write};
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use nixdive::analysis::assess;
use nixdive::open::{Keep, OpenError, OpenOptions, Opened, Progress, Verify, open_pipe, open_section};
use nixdive::report::{Format, InspectOptions, Inspection, write_dive_export};
use nixdive::scan::Section;

/// Bytes read of one file: a sparse one may have any number.
const READ_LIMIT: u64 = 1 << 16;

fn check(opened: Result<Opened, OpenError>) {
    let opened = match opened {
        Ok(opened) => opened,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let tree = &opened.image.tree;
    assert_eq!(tree.layer_indices().count(), opened.image.layers.len());
    let inspection = Inspection::new(&opened.image, InspectOptions::default());
    for format in [Format::Text, Format::Markdown, Format::Json] {
        let mut report = Vec::new();
        inspection.write(format, &mut report).expect("memory takes it");
        let steers = |&byte: &u8| byte != b'\n' && byte.is_ascii_control();
        assert!(!report.iter().any(steers), "{format:?}");
    }
    write_dive_export(&opened.image, &assess(&opened.image), &mut std::io::sink()).expect("it takes everything");
    for layer in tree.layer_indices() {
        for (node, id) in tree.stacked_paths(layer) {
            assert_eq!(tree.lookup(&tree.path(node)), Some(node));
            if let Some(reader) = id.and_then(|id| opened.contents.reader(tree, id).ok()) {
                // A file that was cut off ends with an error.
                let _ = std::io::copy(&mut reader.take(READ_LIMIT), &mut std::io::sink());
            }
        }
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

fn section(bytes: &[u8]) -> Section {
    Section::new(Arc::new(Arc::<[u8]>::from(bytes)), 0, bytes.len() as u64)
}

fuzz_target!(|bytes: &[u8]| {
    let progress = Progress::new();
    let options = OpenOptions { threads: 1, keep: Keep::Content, ..OpenOptions::default() };
    check(open_section(section(bytes), "archive", &options, &progress));
    let whole = OpenOptions { verify: Verify::All, ..options.clone() };
    check(open_section(section(bytes), "archive", &whole, &progress));
    check(open_section(section(&gzip(bytes)), "archive", &options, &progress));
    check(open_pipe(Box::new(Cursor::new(bytes.to_vec())), "archive", &options, &progress));
});
