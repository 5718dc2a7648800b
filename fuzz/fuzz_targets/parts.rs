//! An image in memory, of which a fuzzer writes one document. Part of the targets `manifest` and `index`.

use std::collections::HashMap;
use std::ffi::OsStr;

use nixdive::image::Platform;
use nixdive::reference::Reference;
use nixdive::scan::Section;
use nixdive::source::{Container, Request, SourceError, read_layout};

const MANIFEST: &str = r#"{"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc","size":2},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"sha256:1111111111111111111111111111111111111111111111111111111111111111","size":4}]}"#;
const CONFIG: &str = r#"{"os":"linux","architecture":"amd64","rootfs":{"type":"layers","diff_ids":["sha256:1111111111111111111111111111111111111111111111111111111111111111"]},"history":[{"created_by":"x"}]}"#;

struct Parts(HashMap<&'static str, Vec<u8>>);

impl Container for Parts {
    fn locate(&self, name: &str) -> Option<String> {
        self.0.contains_key(name).then(|| name.to_owned())
    }

    fn document(&self, name: &str) -> Result<Option<Vec<u8>>, SourceError> {
        Ok(self.0.get(name).cloned())
    }

    fn blob(&self, _located: &str) -> Result<Option<Section>, SourceError> {
        Ok(None)
    }
}

/// Looks for an image where the document of this name has these bytes.
pub fn read(name: &'static str, bytes: &[u8]) {
    let mut parts: HashMap<&'static str, Vec<u8>> = HashMap::from([
        ("blobs/sha256/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", MANIFEST.into()),
        ("blobs/sha256/cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc", CONFIG.into()),
        ("blobs/sha256/1111111111111111111111111111111111111111111111111111111111111111", b"tar!".to_vec()),
        ("cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc", CONFIG.into()),
        ("1111111111111111111111111111111111111111111111111111111111111111", b"tar!".to_vec()),
        ("config.json", CONFIG.into()),
        ("top/json", br#"{"parent":"base"}"#.to_vec()),
        ("top/layer.tar", b"tar!".to_vec()),
        ("base/json", b"{}".to_vec()),
        ("base/layer.tar", b"tar!".to_vec()),
    ]);
    parts.insert(name, bytes.to_vec());
    let parts = Parts(parts);
    let platform = Platform::parse("linux/amd64");
    for text in ["image", "oci-archive:/nowhere:latest", "docker-archive:/nowhere:@1"] {
        let reference = Reference::parse(OsStr::new(text)).expect("it is a path");
        for platform in [None, platform.as_ref()] {
            let request = Request { reference: &reference, platform };
            match read_layout(&parts, &request, true) {
                Ok(layout) => assert!(layout.layers.len() <= bytes.len()),
                Err(error) => assert!(!error.to_string().is_empty()),
            }
        }
    }
}
