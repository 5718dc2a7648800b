use super::*;

fn refused(change: impl FnOnce(&mut Composition)) -> String {
    let mut composition = small();
    change(&mut composition);
    let scratch = tempfile::tempdir().unwrap();
    let destinations = [destination(&scratch.path().join("a.tar").display().to_string())];
    let options = WriteOptions::default();
    let error = write(&composition, &[vec![0, 1]], &destinations, &given(), &options, &WriteProgress::default());
    assert_eq!(names(scratch.path()), [] as [&str; 0], "nothing is left");
    error.unwrap_err().to_string()
}

#[test]
fn an_invalid_composition_is_an_error_and_nothing_is_written() {
    let twice = refused(|composition| composition.outside.push(file("tmp", b"")));
    assert_eq!(twice, "`/tmp` is a duplicate path");
    let below = refused(|composition| composition.outside.push(file("etc/passwd/x", b"")));
    assert_eq!(below, "`/etc/passwd` must be a directory, as it contains `/etc/passwd/x`");
    for path in ["/etc", "a//b", "a/../b", "a\0", "."] {
        assert!(
            refused(|composition| composition.outside.push(file(path, b""))).contains("not a valid path"),
            "{path}"
        );
    }
    assert!(refused(|composition| composition.outside.push(file("a/.wh.b", b""))).contains("removed files"));
    assert!(refused(|composition| composition.outside.push(symlink("a", ""))).contains("link"));
    let store = |entry: fn() -> Entry| {
        refused(|composition| {
            composition.outside.retain(|entry| !entry.path.starts_with(b"nix"));
            composition.outside.push(entry());
        })
    };
    assert_eq!(store(|| symlink("nix/store", "/s")), "`/nix/store` must be a directory, as it contains store paths");
    assert!(store(|| file("nix", b"")).contains("must be a directory"));
    assert!(refused(|composition| composition.store_paths[0].entries[1] = file("nix/x", b"")).contains("is not below"));
}

#[test]
fn every_store_path_is_in_one_layer() {
    let composition = small();
    for layers in [vec![vec![0]], vec![vec![0, 1], vec![1]], vec![vec![0, 1, 2]]] {
        let written = write(&composition, &layers, &[], &given(), &WriteOptions::default(), &WriteProgress::default());
        assert!(matches!(written, Err(WriteError::Composition(_))));
    }
}

#[test]
fn an_input_is_never_written_to_and_no_place_twice() {
    let scratch = tempfile::tempdir().unwrap();
    let input = scratch.path().join("in.tar");
    fs::write(&input, "input").unwrap();
    let other_name = scratch.path().join("link.tar");
    std::os::unix::fs::symlink(&input, &other_name).unwrap();
    let options = WriteOptions { protected: vec![input.clone()], ..WriteOptions::default() };
    for name in [&input, &other_name] {
        assert!(matches!(write_small(&[name.display().to_string()], &options), Err(WriteError::IsInput(_))));
    }
    let new = scratch.path().join("new.tar").display().to_string();
    let twice = write_small(&[new.clone(), new], &options);
    assert!(matches!(twice, Err(WriteError::Twice(_))));
    assert_eq!(fs::read(&input).unwrap(), b"input");
    assert_eq!(names(scratch.path()), ["in.tar", "link.tar"]);
}

#[test]
fn what_is_there_gives_way_only_where_it_is_such_a_thing() {
    let scratch = tempfile::tempdir().unwrap();
    let path = |name: &str| scratch.path().join(name);
    fs::create_dir(path("directory")).unwrap();
    fs::write(path("directory/file"), "mine").unwrap();
    fs::write(path("file"), "old").unwrap();
    std::os::unix::fs::symlink("file", path("link")).unwrap();
    let write_to = |text: String| write_small(&[text], &WriteOptions::default()).map_err(|error| error.to_string());
    assert!(write_to(format!("{}", path("directory").display())).unwrap_err().contains("is a directory"));
    assert!(write_to(format!("oci:{}", path("directory").display())).unwrap_err().contains("not an OCI layout"));
    assert!(write_to(format!("oci:{}", path("file").display())).unwrap_err().contains("not a directory"));
    assert!(write_to("/dev/null".to_owned()).unwrap_err().contains("neither a file nor a directory"));
    assert!(write_to(format!("{}", path("none/file").display())).is_err());
    // The file behind a link is written, and the link remains.
    write_to(format!("{}", path("link").display())).unwrap();
    assert!(fs::symlink_metadata(path("link")).unwrap().is_symlink());
    assert!(open_file(&path("file")).image.layers.len() == 3);
    assert_eq!(names(&path("directory")), ["file"]);
    assert_eq!(names(scratch.path()), ["directory", "file", "link"]);
    let mode = fs::metadata(path("file")).unwrap().permissions().mode();
    assert_eq!(mode & 0o600, 0o600);
}

#[test]
fn content_that_cannot_be_had_leaves_what_was_there() {
    let scratch = tempfile::tempdir().unwrap();
    let old = scratch.path().join("old.tar");
    fs::write(&old, "old").unwrap();
    let mut composition = small();
    let mut broken = file("etc/broken", b"x");
    broken.body = Body::File(crate::FileContent { bytes: 5, content: crate::Content::Given((*b"four").into()) });
    composition.outside = vec![broken];
    let layout = scratch.path().join("layout");
    let destinations = [destination(&old.display().to_string()), destination(&format!("oci:{}", layout.display()))];
    let options = WriteOptions::default();
    let error = write(&composition, &[vec![0, 1]], &destinations, &given(), &options, &WriteProgress::default());
    assert_eq!(error.unwrap_err().to_string(), "/etc/broken cannot be read: unexpected end of file");
    assert_eq!(names(scratch.path()), ["old.tar"]);
    assert_eq!(fs::read(&old).unwrap(), b"old");
}

#[test]
fn who_cancels_finds_nothing_written() {
    let scratch = tempfile::tempdir().unwrap();
    let progress = WriteProgress::default();
    progress.cancel().cancel();
    let destinations = [destination(&scratch.path().join("a.tar").display().to_string())];
    let written = write(&small(), &[vec![0, 1]], &destinations, &given(), &WriteOptions::default(), &progress);
    assert!(matches!(written, Err(WriteError::Cancelled)));
    assert_eq!(names(scratch.path()), [] as [&str; 0]);
}
