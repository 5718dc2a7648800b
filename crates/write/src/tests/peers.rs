use super::*;

/// Runs another tool; returns `None`, with a printed reason, if it is not installed.
fn run(program: &str, arguments: &[&str]) -> Option<Vec<u8>> {
    match Command::new(program).args(arguments).output() {
        Ok(output) => {
            let error = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{program} {arguments:?}: {error}");
            Some(output.stdout)
        }
        Err(error) => {
            let live = std::env::var_os("NIXDIVE_LIVE").is_some_and(|value| value == "1");
            assert!(!live, "{program}: {error}");
            println!("skipped: {program} is not here: {error}");
            None
        }
    }
}

#[test]
fn skopeo_finds_the_same_layers_in_every_form() {
    let scratch = tempfile::tempdir().unwrap();
    let path = |name: &str| scratch.path().join(name).display().to_string();
    let forms = [
        format!("docker-archive:{}:small:1", path("a.tar")),
        format!("oci:{}:small", path("layout")),
        format!("oci-archive:{}:small", path("o.tar")),
    ];
    for compression in ["none", "gzip", "zstd"] {
        let options =
            WriteOptions { compression: LayerCompression::parse(compression).unwrap(), ..WriteOptions::default() };
        let written = write_small(&forms, &options).unwrap();
        let expected: Vec<&str> = written.layers.iter().map(|layer| layer.diff_id.as_str()).collect();
        for form in &forms {
            let copied = path("copied");
            let _ = fs::remove_dir_all(&copied);
            let Some(_) = run("skopeo", &["copy", "--insecure-policy", form, &format!("dir:{copied}")]) else { return };
            let opened = open(
                &Reference::parse(format!("dir:{copied}").as_ref()).unwrap(),
                &OpenOptions { verify: nixdive_source::open::Verify::All, ..OpenOptions::default() },
                &Progress::new(),
            );
            let image = opened.unwrap().image;
            assert_eq!(diff_ids(&image), expected, "{form} {compression}");
            let matches = |layer: &nixdive_image::Layer| layer.diff_id_check == nixdive_image::DigestCheck::Matches;
            assert!(image.layers.iter().all(matches), "{form} {compression}");
            let listed = run("skopeo", &["inspect", form]).unwrap();
            let listed: serde_json::Value = serde_json::from_slice(&listed).unwrap();
            assert_eq!(listed["Layers"].as_array().unwrap().len(), 3, "{form} {compression}");
        }
    }
}

#[test]
fn umoci_unpacks_what_was_written() {
    let scratch = tempfile::tempdir().unwrap();
    let layout = scratch.path().join("layout");
    let options = WriteOptions { compression: LayerCompression::GZIP, ..WriteOptions::default() };
    write_small(&[format!("oci:{}:small", layout.display())], &options).unwrap();
    let bundle = scratch.path().join("bundle").display().to_string();
    let image = format!("{}:small", layout.display());
    if run("umoci", &["unpack", "--image", &image, &bundle]).is_none() {
        return;
    }
    let root = Path::new(&bundle).join("rootfs");
    assert_eq!(fs::read(root.join("etc/passwd")).unwrap(), b"root:x:0:0::/:\n");
    assert_eq!(fs::read(root.join(format!("nix/store/{A}/bin/data"))).unwrap(), [7; 70_000]);
    assert_eq!(fs::metadata(root.join("tmp")).unwrap().permissions().mode() & 0o7777, 0o1777);
}

#[test]
fn podman_loads_what_was_written() {
    let scratch = tempfile::tempdir().unwrap();
    let path = |name: &str| scratch.path().join(name).display().to_string();
    let store = ["--root", &path("graph"), "--runroot", &path("run"), "--storage-driver", "vfs"].map(str::to_owned);
    let podman = |arguments: &[&str]| {
        let all: Vec<&str> = store.iter().map(String::as_str).chain(arguments.iter().copied()).collect();
        run("podman", &all)
    };
    let forms = [format!("docker-archive:{}:small:1", path("a.tar")), format!("oci-archive:{}:small:2", path("o.tar"))];
    let written = write_small(&forms, &WriteOptions::default()).unwrap();
    let expected: Vec<String> = written.layers.iter().map(|layer| layer.diff_id.to_string()).collect();
    for name in ["a.tar", "o.tar"] {
        let Some(_) = podman(&["load", "-i", &path(name)]) else { return };
        let id = written.config_digest.hex();
        let inspected = podman(&["image", "inspect", id]).unwrap();
        let inspected: serde_json::Value = serde_json::from_slice(&inspected).unwrap();
        assert_eq!(inspected[0]["RootFS"]["Layers"], serde_json::json!(expected), "{name}");
        podman(&["rmi", "-f", id]).unwrap();
    }
}
