//! Tests of content shared by several images, and of layers that would let them share more.

use super::*;
use nixdive_image::testing::archive::Written;

#[test]
fn what_images_share_is_counted_once_and_read_once() {
    let shared = vec![file("base", "a shared base"), file("lib", "library")];
    let one = Known::of_layers(&[shared.clone(), vec![file("x", "the same bytes"), file("own", "1")]]);
    let two = Known::of_layers(&[shared.clone(), vec![file("y", "the same bytes"), file("z", "22")]]);
    let three = Known::of_layers(&[vec![file("w", "the same bytes")]]);
    let all = [&one, &two, &three];
    let outline = SharingOutline::new(all.iter().map(|known| known.side()).collect());
    let unknown = outline.unknown();
    assert_eq!(unknown.iter().map(Vec::len).collect::<Vec<_>>(), [1, 1, 1], "only what may be equal is read");
    let found: Vec<_> = all.iter().zip(&unknown).map(|(known, ids)| known.identify(ids).known).collect();
    let sharing = outline.finish(&found);
    let content = sharing.level(Level::Content).unwrap();
    let (base, same) = (13 + 7, 14);
    assert_eq!(content.shared, [[base + same + 1, base + same, same], [base + same, base + same + 2, same], [same; 3]]);
    assert_eq!((content.sum_bytes, content.together_bytes), (2 * base + 3 * same + 3, base + same + 3));
    let layers = sharing.level(Level::Layers).unwrap();
    assert_eq!(layers.shared[0][1], one.opened.image.layers[0].unpacked_bytes);
    assert_eq!(layers.shared[0][2], 0);
}

const BLOCK: u64 = 512;

/// A store path of one file; `letter` makes its hash.
fn store_path(letter: &str, name: &str, bytes: usize) -> (String, Vec<Written>) {
    let base = format!("{}-{name}", letter.repeat(32));
    let content = format!("{name:x<bytes$}");
    let root = format!("nix/store/{base}");
    (base, vec![Written::directory(&root), file(&format!("{root}/file"), &content)])
}

/// Tar bytes of such a path.
fn tar_bytes(content: u64) -> u64 {
    2 * BLOCK + content.next_multiple_of(BLOCK)
}

fn assignment(all: &[&Known], max_layers: usize) -> Option<LayerAssignment> {
    let outline = SharingOutline::new(all.iter().map(|known| known.side()).collect());
    outline.with_max_layers(max_layers).finish(&[]).assignment
}

#[test]
fn paths_that_the_same_images_hold_would_be_layers_of_both() {
    let ((libc, libc_files), (tls, tls_files)) = (store_path("a", "libc", 5000), store_path("b", "tls", 3000));
    let ((web, web_files), (job, job_files)) = (store_path("c", "web", 700), store_path("d", "job", 600));
    // Everything in one layer each: nothing is shared today.
    let one =
        Known::of_layers(&[[libc_files.clone(), tls_files.clone(), web_files].concat(), vec![file("etc/one", "1")]]);
    let two = Known::of_layers(&[[job_files, tls_files, libc_files].concat()]);
    let plan = assignment(&[&one, &two], 100).unwrap();
    assert_eq!(plan.saved_today(), 0);
    assert_eq!(plan.saved_then(), tar_bytes(5000) + tar_bytes(3000));
    let layers: Vec<_> = plan.layers.iter().map(|layer| (layer.store_paths.clone(), layer.bytes)).collect();
    assert_eq!(layers, [(vec![libc.clone()], tar_bytes(5000)), (vec![tls.clone()], tar_bytes(3000))]);
    assert!(plan.layers.iter().all(|layer| layer.images == [0, 1]), "{web} and {job} are of one image each");
    // libc, tls, what only it has; and the layer with /etc/one.
    assert_eq!(plan.layers_of_images, [4, 3]);
    assert_eq!(plan.then.shared[0][1], plan.saved_then());

    let tight = assignment(&[&one, &two], 3).unwrap();
    assert_eq!(tight.layers.len(), 1, "the first image has room for one layer more");
    assert_eq!(tight.layers[0].store_paths, [libc, tls]);
    assert_eq!((tight.saved_then(), tight.layers_of_images), (plan.saved_then(), vec![3, 2]));

    let none = assignment(&[&one, &two], 2).unwrap();
    assert_eq!((none.layers.len(), none.saved_then()), (0, 0), "no room");
}

#[test]
fn what_is_shared_today_is_not_promised_again() {
    let ((_, libc), (tls_name, tls)) = (store_path("a", "libc", 5000), store_path("b", "tls", 3000));
    let own = |name: &str| vec![file(name, name)];
    let one = Known::of_layers(&[libc.clone(), tls.clone(), own("etc/one")]);
    let two = Known::of_layers(&[libc, [tls, own("etc/two")].concat()]);
    let plan = assignment(&[&one, &two], 100).unwrap();
    assert_eq!(plan.saved_today(), tar_bytes(5000));
    assert_eq!(plan.saved_then() - plan.saved_today(), tar_bytes(3000), "{tls_name} is beside another file");
}

#[test]
fn three_images_share_by_who_holds_what() {
    let ((_, all), (_, pair), (_, last)) =
        (store_path("a", "all", 900), store_path("b", "pair", 4000), store_path("c", "last", 300));
    let one = Known::of_layers(&[[all.clone(), pair.clone()].concat()]);
    let two = Known::of_layers(&[[pair, all.clone(), last.clone()].concat()]);
    let three = Known::of_layers(&[[last, all].concat()]);
    let plan = assignment(&[&one, &two, &three], 100).unwrap();
    let images: Vec<_> = plan.layers.iter().map(|layer| (layer.images.clone(), layer.saved_bytes())).collect();
    let expected = [(vec![0, 1], tar_bytes(4000)), (vec![0, 1, 2], 2 * tar_bytes(900)), (vec![1, 2], tar_bytes(300))];
    assert_eq!(images, expected);
    assert_eq!(plan.layers_of_images, [2, 3, 2], "no layer is left for store paths of one image alone");
}

#[test]
fn without_two_stores_nothing_is_proposed() {
    let (_, files) = store_path("a", "libc", 10);
    let (nix, plain) = (Known::of_layers(&[files]), Known::of_layers(&[vec![file("bin/sh", "x")]]));
    assert_eq!(assignment(&[&nix, &plain], 100), None);
}

/// nix2container's file names the store paths of the same server: their bytes are those of the archive.
#[test]
fn store_paths_that_are_only_named_weigh_what_they_weigh_elsewhere() {
    let Some(here) = corpus_file("nix/web-nix.tar.gz") else { return };
    let Some(named) = corpus_file("nix2container/web-nix.image-4.json") else { return };
    let (here, named) = (Known::of_file(&here), Known::of_file(&named));
    let sharing = SharingOutline::new(vec![here.side(), named.side()]).finish(&[]);
    let paths = sharing.level(Level::StorePaths).unwrap();
    assert_eq!(paths.shared[0][1], paths.shared[1][0]);
    assert_eq!(paths.shared[0][0], paths.shared[1][1]);
    let plan = sharing.assignment.as_ref().unwrap();
    assert_eq!((plan.saved_today(), plan.saved_then()), (0, paths.shared[0][0]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Images of any of six store paths, in any layers: a plan is between nothing and what one path a layer gives, and
    /// gives all of that where layers are not scarce.
    #[test]
    fn a_plan_keeps_its_bounds(
        images in prop::collection::vec(prop::collection::vec((0usize..6, 0usize..3), 1..8), 2..5),
        max_layers in 0usize..6,
    ) {
        let paths: Vec<Vec<Written>> =
            ["a", "b", "c", "d", "f", "g"].iter().zip(1..).map(|(hash, at)| store_path(hash, "p", at * 700).1).collect();
        let known: Vec<Known> = images.iter().map(|image| {
            let mut layers = vec![Vec::new(); 3];
            let mut seen = std::collections::BTreeSet::new();
            for &(path, layer) in image.iter().filter(|(path, _)| seen.insert(*path)) {
                layers[layer].extend(paths[path].clone());
            }
            Known::of_layers(&layers)
        }).collect();
        let all: Vec<&Known> = known.iter().collect();
        let sharing = |most| {
            let outline = SharingOutline::new(all.iter().map(|known| known.side()).collect());
            outline.with_max_layers(most).finish(&[])
        };
        let tight = sharing(max_layers);
        let paths = tight.level(Level::StorePaths).unwrap();
        let most = paths.sum_bytes - paths.together_bytes;
        let plan = tight.assignment.as_ref().unwrap();
        prop_assert!(plan.saved_then() <= most && plan.saved_today() <= most);
        prop_assert_eq!(plan.saved_then(), plan.layers.iter().map(PlannedLayer::saved_bytes).sum::<u64>());
        let others: Vec<usize> = sharing(1).assignment.unwrap().layers_of_images;
        for (layers, least) in plan.layers_of_images.iter().zip(others) {
            prop_assert!(*layers <= max_layers.max(least));
        }
        prop_assert_eq!(sharing(100).assignment.unwrap().saved_then(), most);
    }
}
