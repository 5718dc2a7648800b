mod oracle;

use super::*;
use nixdive_image::testing::{image, path};
use nixdive_image::{Difference, Image};
use nixdive_source::testing::corpus_image;

fn close(left: f64, right: f64) -> bool {
    (left - right).abs() < 1e-12
}

fn wasted(image: &Image) -> Vec<(String, u32, u64)> {
    let found = assess(image).wasted;
    found.iter().map(|path_| (path(&image.tree, path_.node), path_.count, path_.bytes)).collect()
}

fn score(layers: nixdive_image::testing::Layers<'_>) -> (f64, u64) {
    let figures = assess(&image(layers)).figures;
    (figures.efficiency, figures.wasted_bytes)
}

#[test]
fn the_figures_of_real_images_are_those_of_dive() {
    let cases = [
        ("dive/test-docker-image.tar", 0.984_421_213_418_430_9, 1_220_598, 66_237, 32_025, 0.483_491_100_140_404_9),
        ("dive/test-kaniko-image.tar", 0.979_368_849_021_643_1, 1_326_410, 94_677, 46_245, 0.488_450_204_379_099_5),
    ];
    for (name, efficiency, file_bytes, user_bytes, wasted, percent) in cases {
        let Some(image) = corpus_image(name) else { return };
        let figures = assess(&image).figures;
        assert!(close(figures.efficiency, efficiency), "{name}: {figures:?}");
        assert!(close(figures.user_wasted_percent, percent), "{name}: {figures:?}");
        let bytes = (figures.file_bytes, figures.user_file_bytes, figures.wasted_bytes);
        assert_eq!(bytes, (file_bytes, user_bytes, wasted), "{name}");
        assert_eq!(figures.dangling_whiteouts, 0, "{name}");
    }
}

#[test]
fn the_wasted_paths_of_a_real_image_come_in_the_order_of_dive() {
    let Some(image) = corpus_image("dive/test-docker-image.tar") else { return };
    let expected = [
        ("/root/saved.txt", 2, 12_810),
        ("/root/example/somefile1.txt", 2, 12_810),
        ("/root/example/somefile3.txt", 2, 6_405),
    ];
    assert_eq!(wasted(&image), expected.map(|(path, count, bytes)| (path.to_owned(), count, bytes)));
}

#[test]
fn removing_a_directory_that_has_an_entry_is_no_waste_to_dive() {
    let layers: nixdive_image::testing::Layers<'_> = &[&["d a", "f a/b 1000"], &["w a"]];
    assert_eq!(score(layers), (1.0, 0));
    let removed = assess(&image(layers)).removed_directories;
    assert_eq!(removed.len(), 1);
    assert_eq!(removed[0].bytes, 1000);
}

#[test]
fn removing_one_of_two_files_wastes_it() {
    assert_eq!(score(&[&["f a 1000", "f b 1000"], &["w a"]]), (0.5, 1000));
}

#[test]
fn every_copy_of_a_path_counts_as_wasted() {
    let (efficiency, wasted) = score(&[&["f a 1000"], &["f a 2000"], &["f a 3000"]]);
    assert!(close(efficiency, 1000.0 / 6000.0));
    assert_eq!(wasted, 6000);
}

#[test]
fn an_image_without_bytes_is_perfect() {
    assert_eq!(score(&[]), (1.0, 0));
    assert_eq!(score(&[&["d a", "l b -> a"], &["w b"]]), (1.0, 0));
    assert_eq!(assess(&image(&[&["f a 5"]])).figures.user_wasted_percent, 0.0);
}

#[test]
fn waste_over_a_base_without_user_bytes_is_infinite() {
    assert_eq!(assess(&image(&[&["f a 1000"], &["w a"]])).figures.user_wasted_percent, f64::INFINITY);
}

#[test]
fn a_whiteout_of_nothing_is_noted_and_the_rest_of_the_layer_still_counts() {
    let image = image(&[&["f z 1000"], &["w a", "f z 1000"]]);
    let figures = assess(&image).figures;
    assert_eq!((figures.efficiency, figures.wasted_bytes, figures.dangling_whiteouts), (0.5, 2000, 1));
}

#[test]
fn a_directory_whose_newest_mention_is_implied_counts_nothing_when_removed() {
    let explicit = &["d a", "f a/b 1000"][..];
    assert_eq!(score(&[&["f a/b 1000"], &["w a"]]), (1.0, 0));
    // The first sighting of /a is the fifo, the second the whiteout, which counts the directory's bytes or not.
    let bytes = |middle: &[&str]| assess(&image(&[&["p a"], explicit, middle, &["w a"]])).figures.wasted_bytes;
    assert_eq!(bytes(&["f other 1"]), 1000);
    assert_eq!(bytes(&["f a/c 1"]), 0);
    assert_eq!(bytes(&["d a", "f a/c 1"]), 1001);
}

#[test]
fn what_an_opaque_directory_hides_is_not_counted_below_it() {
    let image = image(&[&["p a"], &["d a", "f a/b 1000"], &["d a", "o a", "f a/c 10"], &["w a"]]);
    assert_eq!(assess(&image).figures.wasted_bytes, 10);
    assert_eq!(assess(&image).figures.visible_file_bytes, 0);
}

#[test]
fn a_whiteout_beside_its_own_path_counts_as_well() {
    assert_eq!(wasted(&image(&[&["f a 7"], &["w a", "f a 5"]])), [("/a".to_owned(), 3, 12)]);
    assert_eq!(wasted(&image(&[&["f a 7"], &["f a 5", "w a"]])), [("/a".to_owned(), 3, 12)]);
}

#[test]
fn the_cause_of_waste_follows_from_what_changed() {
    let cases: [(nixdive_image::testing::Layers<'_>, Cause, u64); 7] = [
        (&[&["f a 9"], &["w a"]], Cause::DeletedLater, 9),
        (&[&["d d", "f d/a 9"], &["f d/a 9 mode=600"], &["w d"]], Cause::DeletedLater, 18),
        (&[&["f a 9 content=1"], &["f a 9 content=2"]], Cause::Overwritten, 9),
        (&[&["f a 9"], &["f a 9 mode=755"], &["f a 9 owner=1:1"]], Cause::MetadataOnly, 18),
        (&[&["f a 9"], &["f a 9 time=1"]], Cause::WrittenAgain, 9),
        (&[&["f a 9"], &["w a"], &["f a 9"]], Cause::Restored, 9),
        (&[&["f a 9"], &["l a -> b"]], Cause::Overwritten, 9),
    ];
    for (layers, cause, hidden) in cases {
        let image = image(layers);
        let wasted = assess(&image).wasted;
        let waste = explain(&image, wasted[0]);
        assert_eq!((waste.cause, waste.hidden_bytes), (cause, hidden), "{layers:?}");
        assert_eq!(waste.sightings.iter().map(|sighting| sighting.bytes).sum::<u64>(), waste.bytes, "{layers:?}");
    }
}

#[test]
fn each_copy_is_told_with_its_layer() {
    let image = image(&[&["f a 9"], &["f b 1"], &["f a 9 mode=600"], &["w a"]]);
    let waste = explain(&image, assess(&image).wasted[0]);
    let told: Vec<_> = waste.sightings.iter().map(|copy| (copy.layer.0, copy.bytes, copy.is_whiteout)).collect();
    assert_eq!(told, [(0, 9, false), (2, 9, false), (3, 0, true)]);
    assert_eq!(waste.sightings[1].difference, Difference::MODE);
}

#[test]
fn the_largest_are_those_of_the_stacked_image() {
    let image = image(&[
        &["d usr", "f usr/big 900", "f usr/gone 5000", "f usr/lib/same1 50", "f usr/lib/same2 50", "f tiny 1"],
        &["w usr/gone", "f usr/big 800", "f opt/x 70"],
    ]);
    let (files, directories) = largest(&image, 3);
    let files: Vec<_> = files.iter().map(|file| (path(&image.tree, file.node), file.bytes, file.layer.0)).collect();
    assert_eq!(files, [("/usr/big".into(), 800, 1), ("/opt/x".into(), 70, 1), ("/usr/lib/same1".into(), 50, 0)]);
    let directories: Vec<_> =
        directories.iter().map(|found| (path(&image.tree, found.node), found.totals.bytes)).collect();
    assert_eq!(directories, [("/usr".into(), 900), ("/usr/lib".into(), 100), ("/opt".into(), 70)]);
    assert!(largest(&image, 0).0.is_empty());
}

#[test]
fn the_base_image_ends_where_it_says_what_it_runs() {
    type Step = (&'static str, bool);
    let layer = |text: &'static str| (text, false);
    let none = |text: &'static str| (text, true);
    let cases: [(&[Step], Option<u16>); 6] = [
        (&[layer("ADD rootfs"), none("CMD [\"sh\"]"), layer("RUN make"), none("CMD [\"app\"]")], Some(1)),
        (
            &[
                layer("/bin/sh -c #(nop) ADD file:1 in /"),
                none("/bin/sh -c #(nop)  CMD [\"bash\"]"),
                layer("RUN apt-get install nginx"),
                none("CMD [\"nginx\"]"),
                layer("COPY site /srv"),
            ],
            Some(2),
        ),
        (&[layer("COPY a"), layer("COPY b"), none("CMD [\"a\"]")], None),
        (&[layer("/bin/sh -c #(nop) ADD file:1 in /"), layer("RUN make")], Some(1)),
        (&[layer("ADD rootfs"), none("CMD [\"sh\"]")], None),
        (&[], None),
    ];
    for (history, base) in cases {
        let step = |(text, empty): &Step| nixdive_image::HistoryEntry {
            created_by: Some((*text).to_owned()),
            empty_layer: *empty,
            ..Default::default()
        };
        let config = nixdive_image::Config { history: history.iter().map(step).collect(), ..Default::default() };
        assert_eq!(base_layers(&config), base, "{history:?}");
    }
}

#[test]
fn hidden_copies_are_what_later_layers_cover_or_remove() {
    let image = image(&[&["d a", "f a/b 1000", "f c 10", "f d 7"], &["f c 20", "w a"], &["f c 30"]]);
    let hidden = HiddenCopies::of(&image.tree);
    let bytes = |layer: Option<u16>, path: &str| {
        let paths = hidden.paths(&image.tree, layer.map(nixdive_image::LayerIndex));
        paths.at(image.tree.lookup(path.as_bytes()).unwrap()).map(|totals| totals.bytes)
    };
    assert_eq!(bytes(None, "/"), Some(1030));
    assert_eq!(bytes(None, "a"), Some(1000));
    assert_eq!(bytes(None, "c"), Some(30));
    assert_eq!(bytes(Some(1), "c"), Some(20));
    assert_eq!(bytes(Some(2), "/"), None);
    assert_eq!(bytes(None, "d"), None);
}

#[test]
fn the_base_image_of_a_real_one_is_what_its_dockerfile_says() {
    let Some(image) = corpus_image("dockerfile/web-docker.tar.zst") else { return };
    assert_eq!(base_layers(&image.config), Some(1), "FROM localhost/debian:bookworm");
}
