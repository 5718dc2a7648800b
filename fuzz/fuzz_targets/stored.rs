//! What programs store: entries of the cache, containerd's bbolt database, nix2container's `image.json`. The first byte says
//! which.
#![no_main]

use std::ffi::OsStr;
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use nixdive::cancel::Cancel;
use nixdive::reference::Reference;
use nixdive::source_fuzzing::{bolt, cached_layer};
use nixdive::source::{Request, read_nix2container};
use nixdive::store::LocalStore;

fuzz_target!(|bytes: &[u8]| {
    let Some((first, content)) = bytes.split_first() else { return };
    match first % 3 {
        0 => {
            let _ = cached_layer(content);
        }
        1 => {
            let Some((keys, _)) = bolt(content) else { return };
            // Pages that lie over each other are read a limited number of times.
            assert!(keys <= content.len() * 64);
        }
        _ => {
            let reference = Reference::parse(OsStr::new("nix:/nowhere/image.json")).expect("a path");
            let request = Request { reference: &reference, platform: None };
            let store = LocalStore::at(Path::new("/nowhere"));
            match read_nix2container(content, &request, &store, &Cancel::new()) {
                Ok((layout, _)) => assert!(layout.layers.len() <= content.len()),
                Err(error) => assert!(!error.to_string().is_empty()),
            }
        }
    }
});
