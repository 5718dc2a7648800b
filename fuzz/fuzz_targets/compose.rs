//! Compose and Kubernetes files that name images, with variables, and files of variables. Lines before a line `---ENV` are
//! the variables.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nixdive::manifest::{EnvironmentFile, read};

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let (variables, manifest) = text.split_once("---ENV\n").unwrap_or(("A=b", &text));
    let variables = EnvironmentFile::parse(variables);
    match read(manifest, &|name| variables.get(name).map(str::to_owned)) {
        Ok(Some(found)) => assert!(found.images.len() <= manifest.len()),
        Ok(None) => {}
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
