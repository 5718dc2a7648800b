use crate::{follow_link, summarise_directory};
use nixdive_image::testing::tree;
use nixdive_image::{LayerIndex, NodeId};

#[test]
fn links_are_followed_inside_the_image() {
    let tree = tree(&[
        &["d usr/bin", "f usr/bin/dash 9", "l bin -> usr/bin", "l usr/bin/sh -> /etc/sh", "l etc/sh -> ../bin/dash"],
        &["l gone -> usr/nothing/here", "l round -> again", "l again -> round"],
    ]);
    let lines = |path: &[u8]| -> Vec<String> {
        let chain = follow_link(&tree, tree.lookup(path).unwrap(), LayerIndex(1));
        chain.lines(&tree).iter().map(|line| line.text()).collect()
    };
    assert_eq!(
        lines(b"/usr/bin/sh"),
        ["/usr/bin/sh → /etc/sh", "/etc/sh → ../bin/dash", "/bin → usr/bin", "leads to /usr/bin/dash"]
    );
    assert_eq!(lines(b"/gone")[1], "leads nowhere: /usr/nothing is not in the image");
    assert_eq!(lines(b"/round").last().unwrap(), "unresolved: more than 40 links");
}

#[test]
fn a_directory_is_summarised_as_the_layer_leaves_it() {
    let tree = tree(&[
        &["f a/big 900", "f a/gone 5000", "d a/inner", "f a/inner/x 40", "l a/link -> big", "p a/pipe"],
        &["w a/gone"],
    ]);
    let summary = summarise_directory(&tree, tree.lookup(b"/a").unwrap(), LayerIndex(1));
    assert_eq!((summary.files, summary.directories, summary.symlinks, summary.others), (1, 1, 1, 1));
    assert_eq!(summary.totals.bytes, 940);
    let lines: Vec<String> = summary.lines(&tree).iter().map(|line| line.text()).collect();
    assert_eq!(lines[3].trim(), "900 B  big");
    assert_eq!(lines[4].trim(), "40 B  inner");
    assert_eq!(summarise_directory(&tree, NodeId::ROOT, LayerIndex(0)).totals.bytes, 5940);
}
