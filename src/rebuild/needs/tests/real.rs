use std::collections::BTreeMap;

use crate::image::LayerIndex;
use crate::open::{Keep, OpenOptions, Opened, Progress, open};
use crate::packages::{self, CapturedFile, Inventory};
use crate::rebuild::needs::{Needs, NeedsOptions, find};
use crate::reference::Reference;
use crate::scan::{Cancel, Wanted};
use crate::testing::corpus_file;

/// An image of the corpus, opened as a rebuild opens it, with its packages.
fn opened(name: &str) -> Option<(Opened, Inventory)> {
    let file = corpus_file(name)?;
    let reference = Reference::parse(file.as_os_str()).unwrap();
    let wanted =
        Wanted { is_wanted: |path| packages::wanted(path).is_some(), most_bytes: packages::MAX_DATABASE_BYTES };
    let options = OpenOptions { keep: Keep::AnyContent, wanted: Some(wanted), ..OpenOptions::default() };
    let opened = open(&reference, &options, &Progress::new()).unwrap();
    let files = opened.captured.iter();
    let captured: Vec<CapturedFile<'_>> =
        files.map(|(layer, file)| CapturedFile { layer: *layer, path: &file.path, content: &file.content }).collect();
    let top: LayerIndex = opened.image.tree.top_layer().unwrap();
    let inventory = packages::find(&opened.image.tree, top, &captured);
    Some((opened, inventory))
}

fn needs(opened: &Opened, packages: &Inventory) -> Needs {
    find(&opened.image, &opened.contents, packages, &NeedsOptions::default(), &Cancel::new()).unwrap()
}

/// What is needed, by path, with its bytes.
fn kept(opened: &Opened, needs: &Needs) -> BTreeMap<String, u64> {
    let tree = &opened.image.tree;
    let nodes = tree.node_ids().filter(|&node| needs.is_needed(node));
    let bytes = |node| {
        let id = tree.visible_at(node, tree.top_layer().unwrap()).and_then(|id| tree.content_of(id));
        id.map_or(0, |id| tree.occurrence(id).bytes)
    };
    nodes.map(|node| (String::from_utf8_lossy(&tree.path(node)).into_owned(), bytes(node))).collect()
}

#[test]
fn a_web_server_is_a_few_files_of_its_distribution() {
    let Some((opened, packages)) = opened("dockerfile/web-docker.tar.zst") else { return };
    let needs = needs(&opened, &packages);
    let kept = kept(&opened, &needs);
    let bytes: u64 = kept.values().sum();
    assert!(bytes < 11_500_000, "{bytes} bytes");
    for path in ["/usr/sbin/nginx", "/lib64", "/usr/lib/x86_64-linux-gnu/libssl.so.3", "/etc/nginx/mime.types", "/tmp"]
    {
        assert!(kept.contains_key(path), "{path} is dropped");
    }
    for path in
        ["/usr/bin/dash", "/usr/bin/apt", "/var/lib/dpkg/status", "/usr/bin/openssl", "/var/log/nginx/error.log"]
    {
        assert!(!kept.contains_key(path), "{path} is kept");
    }
    let node = opened.image.tree.lookup(b"/usr/lib/x86_64-linux-gnu/libssl.so.3").unwrap();
    assert_eq!(needs.describe(&opened.image, node), "Entrypoint → /usr/sbin/nginx → libssl.so.3 (NEEDED)");
    assert_eq!((needs.missing.len(), needs.doubts.len()), (0, 0), "{:?} {:?}", needs.missing, needs.doubts);
}
