use std::collections::BTreeMap;

use crate::needs::{Needs, NeedsOptions, find};
use nixdive_base::cancel::Cancel;
use nixdive_image::LayerIndex;
use nixdive_image::reference::Reference;
use nixdive_image::testing::corpus_file;
use nixdive_packages::{self, CapturedFile, Inventory};
use nixdive_scan::Wanted;
use nixdive_source::open::{Keep, OpenOptions, Opened, Progress, open};

/// Opens an image of the corpus as a rebuild does, with its packages.
fn opened(name: &str) -> Option<(Opened, Inventory)> {
    let file = corpus_file(name)?;
    let reference = Reference::parse(file.as_os_str()).unwrap();
    let wanted = Wanted {
        is_wanted: nixdive_packages::is_wanted,
        identity: nixdive_packages::wanted_identity,
        most_bytes: nixdive_packages::MAX_DATABASE_BYTES,
    };
    let options = OpenOptions { keep: Keep::AnyContent, wanted: Some(wanted), ..OpenOptions::default() };
    let opened = open(&reference, &options, &Progress::new()).unwrap();
    let files = opened.captured.iter();
    let captured: Vec<CapturedFile<'_>> =
        files.map(|(layer, file)| CapturedFile { layer: *layer, path: &file.path, content: &file.content }).collect();
    let top: LayerIndex = opened.image.tree.top_layer().unwrap();
    let inventory = nixdive_packages::find(&opened.image.tree, top, &captured);
    Some((opened, inventory))
}

fn needs(opened: &Opened, packages: &Inventory) -> Needs {
    find(&opened.image, &opened.contents, packages, &NeedsOptions::default(), &Cancel::new()).unwrap()
}

/// Returns the needed files by path, with their sizes.
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
