use super::*;

#[test]
fn an_archive_opens_as_the_nix_image_that_it_was_made_of() {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("small.tar");
    let written =
        write_small(&[format!("docker-archive:{}:small:1", file.display())], &WriteOptions::default()).unwrap();
    assert_eq!(names(scratch.path()), ["small.tar"]);
    assert_eq!(written.destinations[0].bytes, fs::metadata(&file).unwrap().len());
    let opened = open_file(&file);
    let image = &opened.image;
    assert_eq!(image.identity.references, ["small:1"]);
    assert_eq!(image.identity.config_digest.as_ref(), Some(&written.config_digest));
    assert_eq!(diff_ids(image), written.layers.iter().map(|layer| layer.diff_id.to_string()).collect::<Vec<_>>());
    assert_eq!(image.config.entrypoint, [format!("/nix/store/{A}/bin/a")]);
    assert_eq!(image.config.created.as_deref(), Some("1970-01-01T00:00:01Z"));
    let store = nixdive_nix::contents::StoreContents::new(&image.tree);
    let builder = nixdive_nix::recognise(image, &store).unwrap().builder;
    assert_eq!(builder, nixdive_nix::Builder::DockerToolsLayered);
    let claims: Vec<usize> = image
        .layers
        .iter()
        .filter_map(|layer| nixdive_nix::LayerClaim::of(layer).map(|claim| claim.paths.len()))
        .collect();
    assert_eq!(claims, [1, 1]);
    let shown = lines(&opened);
    let line = |start: &str| shown.iter().find(|line| line.starts_with(start)).unwrap().clone();
    assert!(line("/tmp ").starts_with("/tmp Directory 1777 0:0 ") && line("/tmp ").ends_with(" 1"));
    assert!(line("/usr ").starts_with("/usr Directory 755 "));
    let ping = line("/usr/bin/ping ");
    assert!(ping.contains("File 4755 3000000:0 None [Xattr { name: [115, 101, 99, "), "{ping}");
    assert!(line(&format!("/nix/store/{A}/bin/link")).contains("Symlink 777"));
    assert!(image.warnings.is_empty(), "{:?}", image.warnings);
}

#[test]
fn the_same_bytes_come_out_again_whatever_the_threads_and_however_it_is_packed() {
    let scratch = tempfile::tempdir().unwrap();
    let path = |name: &str| scratch.path().join(name);
    let text = |name: &str| format!("docker-archive:{}", path(name).display());
    for threads in [1, 4] {
        let options = WriteOptions { threads, ..WriteOptions::default() };
        let all = ["tar", "tar.gz", "tar.zst"].map(|end| text(&format!("{threads}.{end}")));
        let oci = [format!("oci-archive:{}", path(&format!("{threads}.oci")).display())];
        write_small(&[all.as_slice(), &oci].concat(), &options).unwrap();
    }
    let read = |name: &str| fs::read(path(name)).unwrap();
    for end in ["tar", "tar.gz", "tar.zst", "oci"] {
        assert!(read(&format!("1.{end}")) == read(&format!("4.{end}")), "{end}");
    }
    let plain = read("1.tar");
    let mut unpacked = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(read("1.tar.gz").as_slice()), &mut unpacked).unwrap();
    assert!(unpacked == plain);
    assert!(zstd::decode_all(read("1.tar.zst").as_slice()).unwrap() == plain);
}

#[test]
fn a_creation_time_is_used_if_given() {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("a.tar");
    let options = WriteOptions { created: Some(1_700_000_000), ..WriteOptions::default() };
    write_small(&[file.display().to_string()], &options).unwrap();
    let opened = open_file(&file);
    assert_eq!(opened.image.config.created.as_deref(), Some("2023-11-14T22:13:20Z"));
    assert!(lines(&opened).iter().all(|line| line.ends_with(" 1700000000")));
}

#[test]
fn an_image_of_the_corpus_comes_out_as_it_was() {
    for name in ["nix/hello-nix.tar.gz", "dive/test-docker-image.tar"] {
        let Some(original) = opened(name) else { return };
        let scratch = tempfile::tempdir().unwrap();
        let file = scratch.path().join("again.tar");
        let composition = whole(&original.image, &[]);
        let layers = Layering::Stable.assign(&composition, &[], 100);
        let content = ImageContent::new(&original.image.tree, &original.contents);
        let destinations = [destination(&file.display().to_string())];
        let options = WriteOptions::default();
        write(&composition, &layers, &destinations, &content, &options, &WriteProgress::default()).unwrap();
        // Times and the modes of the directories above the store are not preserved.
        let lasting = |opened: &nixdive_source::open::Opened| -> Vec<String> {
            let lines =
                lines(opened).into_iter().filter(|line| !line.starts_with("/nix ") && !line.starts_with("/nix/store "));
            lines.map(|line| line.rsplit_once(' ').unwrap().0.to_owned()).collect()
        };
        let again = open_file(&file);
        assert_eq!(lasting(&original), lasting(&again), "{name}");
    }
}

fn any_part() -> impl proptest::strategy::Strategy<Value = String> {
    prop_oneof!["[a-c]{1,2}", "[a-z\u{e9}]{60,140}"]
}

fn any_entries() -> impl proptest::strategy::Strategy<Value = Vec<Entry>> {
    let path = proptest::collection::vec(any_part(), 1..4).prop_map(|parts| parts.join("/"));
    let body = prop_oneof![
        Just(None),
        proptest::collection::vec(any::<u8>(), 0..1500).prop_map(|bytes| Some(Ok(bytes))),
        "[a-z/.]{1,120}".prop_map(|target| Some(Err(target))),
    ];
    let metadata = (0u16..0o10000, prop_oneof![Just(0u32), Just(1000), any::<u32>()]);
    proptest::collection::btree_map(path, (body, metadata), 0..12).prop_map(|entries| {
        let mut all: Vec<Entry> = Vec::new();
        let paths: Vec<String> = entries.keys().cloned().collect();
        for (path, (body, (mode, uid))) in entries {
            let is_above = paths.iter().any(|other| other.starts_with(&format!("{path}/")));
            let mut entry = match body {
                Some(Ok(bytes)) if !is_above => file(&path, &bytes),
                Some(Err(target)) if !is_above => symlink(&path, &target),
                _ => directory(&path),
            };
            if !matches!(entry.body, Body::Symlink(_)) {
                entry.metadata.mode = mode;
            }
            (entry.metadata.uid, entry.metadata.gid) = (uid, uid / 2);
            all.push(entry);
        }
        all
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_composition_reads_back_as_it_was(entries in any_entries()) {
        let mut composition = small();
        composition.outside = entries.iter().filter(|entry| !entry.path.starts_with(b"nix")).cloned().collect();
        let scratch = tempfile::tempdir().unwrap();
        let file = scratch.path().join("any.tar");
        let destinations = [destination(&file.display().to_string())];
        let options = WriteOptions::default();
        write(&composition, &[vec![0, 1]], &destinations, &given(), &options, &WriteProgress::default()).unwrap();
        let opened = open_file(&file);
        let tree = &opened.image.tree;
        for entry in &composition.outside {
            let node = tree.lookup(&entry.path).unwrap();
            let id = tree.visible_at(node, tree.top_layer().unwrap()).unwrap();
            prop_assert_eq!(tree.occurrence(id).mode(), entry.metadata.mode);
            prop_assert_eq!((tree.owner(id).uid, tree.owner(id).gid), (entry.metadata.uid, entry.metadata.gid));
            match &entry.body {
                Body::Symlink(target) => prop_assert_eq!(tree.link_target(id), Some(&**target)),
                Body::Directory => prop_assert_eq!(tree.occurrence(id).kind, nixdive_image::Kind::Directory),
                Body::File(content) => {
                    let mut bytes = Vec::new();
                    std::io::Read::read_to_end(&mut opened.contents.reader(tree, id).unwrap(), &mut bytes).unwrap();
                    let crate::Content::Given(given) = &content.content else { unreachable!() };
                    prop_assert_eq!(&bytes[..], &given[..]);
                }
            }
        }
    }
}
