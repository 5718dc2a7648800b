//! What Nix builds.

use std::sync::Arc;

use nixdive::compare::{CompareOptions, KnownContents, Outline, Side};
use nixdive::findings::Subject;
use nixdive::image::{DigestCheck, LayerContents};
use nixdive::nix::contents::RootSource;
use nixdive::nix::study::StoreStudy;
use nixdive::open::{Keep, OpenOptions, Opened, Verify};
use nixdive::packages::Inventory;
use nixdive::report::{CompareFormat, Format, InspectOptions, Inspection, write_comparison};
use nixdive::store::LocalStore;
use nixdive::study::{StoreWatch, StudyOptions, study};
use serde_json::{Value, json};

use crate::support::compress::gzip;
use crate::support::images::{
    Image, Layer, OCI_GZIP, OCI_MANIFEST, blob, descriptor, digest, docker_archive, index, oci_members, write_directory,
};
use crate::support::program::{Run, content, file, nixdive, open_with, paths, run, run_command, scratch};
use crate::support::tar_bytes::Tar;

const BASE_NAME: &str = "hmnypiai2d9q9ri3yd4kdycjp1rg1027-tool-1.0";

/// With the store that lies in a directory of the test's own.
fn with_store(root: &std::path::Path) -> OpenOptions {
    OpenOptions { store: LocalStore::at(root), verify: Verify::All, keep: Keep::Content, ..OpenOptions::default() }
}

#[test]
fn a_layer_that_lies_in_a_file_is_read_from_it() {
    let root = scratch();
    let layers = root.path().join("nix/store").join(BASE_NAME);
    std::fs::create_dir_all(&layers).unwrap();
    let tar = Tar::new().directory("etc/").file("etc/motd", "hello").finish();
    file(&layers, "layer.tar", &tar);
    let layer = |name: &str| {
        json!({"digest": digest(&tar), "size": tar.len(), "diff_ids": digest(&tar), "mediatype": "application/vnd.oci.image.layer.v1.tar",
            "layer-path": format!("/nix/store/{BASE_NAME}/{name}"), "History": {"created_by": "nix2container"}})
    };
    let document =
        json!({"version": 1, "image-config": {"Cmd": ["/bin/sh"]}, "layers": [layer("layer.tar")], "arch": "arm64"});
    let json = file(root.path(), "image.json", document.to_string().as_bytes());
    let link = root.path().join("result");
    std::os::unix::fs::symlink(&json, &link).unwrap();
    for typed in [format!("nix:{}", json.display()), link.display().to_string()] {
        let opened = open_with(&typed, with_store(root.path())).unwrap();
        assert_eq!(paths(&opened), ["/etc/", "/etc/motd"]);
        assert_eq!(content(&opened, "/etc/motd"), b"hello");
        assert_eq!(opened.image.warnings, []);
        assert_eq!(opened.image.config.platform.to_string(), "linux/arm64");
        assert_eq!(opened.image.identity.source_kind, "nix2container");
    }
    let absent = json!([layer("gone.tar")]);
    let json = file(root.path(), "layers.json", absent.to_string().as_bytes());
    let image = open_with(&json, with_store(root.path())).unwrap().image;
    assert!(image.layers[0].is_absent());
    assert_eq!(image.layers[0].known_unpacked_bytes(), Some(tar.len() as u64));
}

#[test]
fn a_platform_that_is_not_there_is_refused() {
    let root = scratch();
    let json = file(root.path(), "image.json", br#"{"version": 1, "layers": [], "arch": "arm64"}"#);
    let platform = nixdive::image::Platform::parse("linux/amd64");
    let error = open_with(json, OpenOptions { platform, ..OpenOptions::default() }).unwrap_err();
    assert!(error.to_string().contains("linux/arm64"), "{error}");
}

/// An OCI layout as nix-snapshotter makes them: mount points in the only layer, the closure in its annotations.
fn snapshotter_layout(directory: &std::path::Path, tar: Vec<u8>, store_paths: &[&str]) -> std::path::PathBuf {
    let layer = Layer::stored(tar, OCI_GZIP, gzip);
    let mut members = oci_members(&[Image::of(vec![layer])]);
    let manifest = members
        .iter_mut()
        .find(|(_, bytes)| {
            bytes.starts_with(b"{") && serde_json::from_slice::<Value>(bytes).unwrap()["layers"].is_array()
        })
        .unwrap();
    let mut document: Value = serde_json::from_slice(&manifest.1).unwrap();
    let mut annotations = json!({"containerd.io/snapshot/nix-layer": "true"});
    for (number, path) in store_paths.iter().enumerate() {
        annotations[format!("containerd.io/snapshot/nix-store-path.{number}")] = format!("/nix/store/{path}").into();
    }
    document["layers"][0]["annotations"] = annotations;
    let changed = document.to_string().into_bytes();
    *manifest = blob(changed.clone());
    let position = members.iter().position(|(name, _)| name == "index.json").unwrap();
    members[position].1 = index(&[descriptor(OCI_MANIFEST, &changed)]);
    write_directory(&directory.join("layout"), &members)
}

#[test]
fn the_closure_of_a_nix_snapshotter_image_comes_from_the_local_store_where_that_has_it() {
    const OTHER: &str = "xkqm7yb4n7aj317l7w8xfchlfazmxlzx-other-2.0";
    let root = scratch();
    let here = root.path().join("nix/store").join(BASE_NAME);
    std::fs::create_dir_all(here.join("bin")).unwrap();
    file(&here.join("bin"), "tool", b"a tool");
    let mount_points = Tar::new()
        .directory("nix/")
        .directory("nix/store/")
        .directory(format!("nix/store/{BASE_NAME}/"))
        .directory(format!("nix/store/{OTHER}/"))
        .file("bin-list", "tool")
        .finish();
    let tool = format!("/nix/store/{BASE_NAME}/bin/tool");

    let whole = snapshotter_layout(root.path(), mount_points.clone(), &[BASE_NAME]);
    for keep in [Keep::Content, Keep::AnyContent] {
        let opened = open_with(&whole, OpenOptions { keep, ..with_store(root.path()) }).unwrap();
        assert_eq!(opened.image.warnings, []);
        let layer = &opened.image.layers[0];
        assert!(!layer.is_absent());
        assert_eq!(layer.diff_id_check, DigestCheck::Matches);
        assert_eq!(content(&opened, &tool), b"a tool");
        assert_eq!(content(&opened, "/bin-list"), b"tool");
    }

    let partial = snapshotter_layout(root.path(), mount_points, &[OTHER, BASE_NAME]);
    let opened = open_with(partial, with_store(root.path())).unwrap();
    let layer = &opened.image.layers[0];
    assert_eq!(layer.contents, LayerContents::Absent(vec![format!("/nix/store/{OTHER}")]));
    assert_eq!(layer.diff_id_check, DigestCheck::Matches);
    assert_eq!(content(&opened, &tool), b"a tool");
    assert!(paths(&opened).contains(&format!("/nix/store/{OTHER}/")));
    assert!(opened.image.warnings[0].message.starts_with("1 of the 2 store paths"), "{:?}", opened.image.warnings);
}

#[test]
fn a_script_that_streams_an_image_is_run_where_that_is_asked_for() {
    let directory = scratch();
    let tar = file(directory.path(), "image.tar", &docker_archive(&Image::sample()));
    let ran = directory.path().join("ran");
    let text = format!("#!/bin/sh\ntouch {}\necho streaming >&2\ncat {}\n", ran.display(), tar.display());
    let script = super::script(directory.path(), "stream", &text);
    let link = directory.path().join("result");
    std::os::unix::fs::symlink(&script, &link).unwrap();
    for typed in [&script, &link] {
        let error = super::refused(typed).to_string();
        assert!(error.contains(&format!("`nixdive stream:{}`", typed.display())), "{error}");
        let error = super::refused(format!("nix:{}", typed.display())).to_string();
        assert!(error.contains("nixdive stream:"), "{error}");
    }
    assert!(!ran.exists(), "it was run because its path was given");
    super::assert_opens(format!("stream:{}", link.display()), "a script");
    assert!(ran.exists());
    let run = run(&["inspect", "--format", "json", &format!("stream:{}", script.display())]).done();
    assert_eq!(serde_json::from_slice::<Value>(&run.stdout).unwrap()["layers"].as_array().unwrap().len(), 2);
}

#[test]
fn a_store_path_that_is_no_image_opens_as_its_closure() {
    let root = scratch();
    let store = root.path().join("nix/store");
    let library = "xkqm7yb4n7aj317l7w8xfchlfazmxlzx-library-2.0";
    std::fs::create_dir_all(store.join(library)).unwrap();
    std::fs::create_dir_all(store.join(BASE_NAME).join("bin")).unwrap();
    file(&store.join(library), "data", b"some data");
    super::script(&store.join(BASE_NAME).join("bin"), "tool", &format!("#!/bin/sh\ncat /nix/store/{library}/data\n"));
    let wrapper = "35kdi21hl9pb66jiwhc8k8jpq3d8fzzd-wrapper";
    super::script(&store, wrapper, &format!("#!/bin/sh\nexec /nix/store/{BASE_NAME}/bin/tool\n"));
    let link = root.path().join("result");
    std::os::unix::fs::symlink(store.join(BASE_NAME), &link).unwrap();
    for typed in [store.join(BASE_NAME), link] {
        let opened = open_with(&typed, with_store(root.path())).unwrap();
        let names: Vec<&str> = opened.image.layers.iter().map(|layer| layer.stored_as.as_str()).collect();
        assert_eq!(names, [format!("/nix/store/{library}"), format!("/nix/store/{BASE_NAME}")]);
        assert_eq!(content(&opened, &format!("/nix/store/{library}/data")), b"some data");
        assert_eq!(opened.image.identity.source_kind, "store-path");
    }
    let error = open_with(store.join(wrapper), with_store(root.path())).unwrap_err().to_string();
    assert!(error.contains("nixdive stream:"), "{error}");
    let typed = format!("nix:{}", store.join(wrapper).display());
    assert_eq!(open_with(typed, with_store(root.path())).unwrap().image.layers.len(), 3);
    let error = open_with(store.join(BASE_NAME).join("bin"), with_store(root.path())).unwrap_err().to_string();
    assert!(error.contains("holds no image"), "{error}");
}

/// Opened with what is read of its store, as commands do.
fn studied(typed: impl AsRef<std::ffi::OsStr>, root: &std::path::Path) -> (Opened, StoreStudy) {
    let watch = StoreWatch::new();
    let options = OpenOptions { watch: Some(Arc::new(watch.clone())), ..with_store(root) };
    let opened = open_with(typed, options).unwrap();
    let study = study(&opened, &StudyOptions { watch: Some(&watch), ..StudyOptions::default() }).unwrap().unwrap();
    (opened, study)
}

fn named(study: &StoreStudy, name: &str) -> nixdive::nix::graph::PathId {
    study.ids().find(|&id| study.get_path(id).unwrap().base_name() == name).unwrap()
}

const LIBRARY: &str = "xkqm7yb4n7aj317l7w8xfchlfazmxlzx-library-2.0";
const DATA: &str = "35kdi21hl9pb66jiwhc8k8jpq3d8fzzd-data-1.1";

/// A store in which a tool refers to a library, and that to data.
fn store_of_three(root: &std::path::Path) -> std::path::PathBuf {
    let store = root.join("nix/store");
    for (path, content) in [
        (BASE_NAME, format!("#!/bin/sh\ncat /nix/store/{LIBRARY}/data\n")),
        (LIBRARY, format!("see /nix/store/{DATA}/file\n")),
        (DATA, "x".repeat(5000)),
    ] {
        std::fs::create_dir_all(store.join(path)).unwrap();
        file(&store.join(path), "file", content.as_bytes());
    }
    store
}

fn report(opened: &Opened, study: &StoreStudy, format: Format) -> String {
    let mut text = Vec::new();
    let inspection = Inspection::new(&opened.image, InspectOptions::default()).with_store(Some(study));
    inspection.write(format, &mut text).unwrap();
    String::from_utf8(text).unwrap()
}

#[test]
fn a_store_path_is_the_root_of_its_closure() {
    let root = scratch();
    let store = store_of_three(root.path());
    let (opened, study) = studied(store.join(BASE_NAME), root.path());
    assert!(opened.image.is_closure());
    let (tool, data) = (named(&study, BASE_NAME), named(&study, DATA));
    assert_eq!(
        study.roots.iter().map(|root| (root.path, root.source)).collect::<Vec<_>>(),
        [(tool, RootSource::Given)]
    );
    assert_eq!((study.unreachable().count(), study.builder), (0, None));
    let why = study.why(data, false);
    assert_eq!(why.chains[0].paths, [tool, named(&study, LIBRARY), data]);
    let whole = study.paths[tool.index()];
    assert_eq!((whole.added_bytes, whole.closure_bytes), (study.total_nar_bytes(), Some(study.total_nar_bytes())));

    for format in [Format::Text, Format::Markdown] {
        let text = report(&opened, &study, format).to_lowercase();
        assert!(text.contains("3 store paths") && text.contains("root"), "{text}");
        for word in ["layer", "unreachable", "builder", "efficiency", "compressed", "(missing)", "not built"] {
            assert!(!text.contains(word), "{word}: {text}");
        }
    }
    let document: Value = serde_json::from_str(&report(&opened, &study, Format::Json)).unwrap();
    let root = json!({"path": format!("/nix/store/{BASE_NAME}"), "source": {"kind": "given"}});
    assert_eq!((&document["store"]["roots"], &document["builder"]), (&json!([root]), &Value::Null));

    let facts = nixdive::examine::examine(&opened.image, &opened.contents, 0, &nixdive::cancel::Cancel::new()).unwrap();
    let subject = Subject { image: &opened.image, packages: None, store: Some(&study), facts: Some(&facts) };
    let found: Vec<&str> =
        nixdive::findings::find(&subject).list.iter().map(|finding| finding.rule.info().id).collect();
    assert_eq!(found, [] as [&str; 0]);
}

#[test]
fn several_store_paths_are_several_roots() {
    let root = scratch();
    let store = store_of_three(root.path());
    let typed = format!("{},{}", store.join(LIBRARY).display(), store.join(BASE_NAME).display());
    let (opened, study) = studied(&typed, root.path());
    assert_eq!(opened.image.identity.store_roots, [LIBRARY, BASE_NAME].map(|path| format!("/nix/store/{path}")));
    assert_eq!(study.root_paths().len(), 2);
    let data = study.why(named(&study, DATA), false);
    assert_eq!(data.chains[0].paths, [named(&study, LIBRARY), named(&study, DATA)]);
    let error = open_with(format!("{typed},/nix/store/nothing"), with_store(root.path())).unwrap_err();
    assert!(error.to_string().contains("no such file"), "{error}");
}

#[test]
fn two_closures_are_compared_by_their_store_paths() {
    let root = scratch();
    let store = store_of_three(root.path());
    let newer = "0kdi21hl9pb66jiwhc8k8jpq3d8fzzd3-tool-1.1";
    let extra = "1kdi21hl9pb66jiwhc8k8jpq3d8fzzd3-extra-3";
    std::fs::create_dir_all(store.join(newer)).unwrap();
    std::fs::create_dir_all(store.join(extra)).unwrap();
    file(&store.join(extra), "file", "y".repeat(9000).as_bytes());
    file(&store.join(newer), "file", format!("/nix/store/{LIBRARY} /nix/store/{extra}").as_bytes());
    let (left, left_study) = studied(store.join(BASE_NAME), root.path());
    let (right, right_study) = studied(store.join(newer), root.path());
    let packages = Inventory::default();
    let side = |image, store| Side { image, packages: &packages, store: Some(store) };
    let comparison = Outline::new(&left.image, &right.image).finish(
        side(&left.image, &left_study),
        side(&right.image, &right_study),
        &KnownContents::default(),
        CompareOptions::default(),
    );
    for format in [CompareFormat::Text, CompareFormat::Markdown, CompareFormat::DiffClosures] {
        let mut text = Vec::new();
        write_comparison(&comparison, &[], format, &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains("extra"), "{text}");
        if format != CompareFormat::DiffClosures {
            assert!(text.contains("2 shared") && text.contains("a reference of"), "{text}");
        }
        for word in ["layer", "delta)", "nothing leads", "(missing)", "unpacked", "platform"] {
            assert!(!text.to_lowercase().contains(word), "{word}: {text}");
        }
    }
    let mut text = Vec::new();
    write_comparison(&comparison, &[], CompareFormat::Json, &mut text).unwrap();
    let document: Value = serde_json::from_slice(&text).unwrap();
    assert_eq!((&document["layers"], &document["bytes"]["pullDelta"]), (&json!([]), &Value::Null));
}

#[test]
fn the_store_of_this_machine_gives_a_nix_snapshotter_image_its_references() {
    let root = scratch();
    store_of_three(root.path());
    let mut mount_points = Tar::new().directory("nix/").directory("nix/store/");
    for path in [BASE_NAME, LIBRARY, DATA] {
        mount_points = mount_points.directory(format!("nix/store/{path}/"));
    }
    let tar = mount_points.file("etc/motd", "the first file of the layer").finish();
    let layout = snapshotter_layout(root.path(), tar, &[DATA, LIBRARY, BASE_NAME]);
    let (opened, study) = studied(&layout, root.path());
    let refers = |from, to| study.graph.references(named(&study, from)).contains(&named(&study, to));
    assert!(refers(BASE_NAME, LIBRARY) && refers(LIBRARY, DATA));
    assert_eq!(study.graph.reference_count(), 2);
    assert!(study.paths.iter().all(|path| path.nar_hash.is_some()));
    let paths = [DATA, LIBRARY, BASE_NAME].map(|path| format!("/nix/store/{path}"));
    let mut listed = opened.image.layers[0].store_paths.clone();
    listed.sort();
    assert_eq!(listed, {
        let mut paths = paths.clone();
        paths.sort();
        paths
    });
    assert!(report(&opened, &study, Format::Text).contains(&format!("/nix/store/{DATA}")));
}

/// Layers are named by their store paths also where the history names the builder, or nothing.
#[test]
fn layers_made_of_store_paths_are_named_by_them() {
    let root = scratch();
    let many = [BASE_NAME, LIBRARY, DATA];
    for history in [json!({}), json!({"created_by": "nix2container"})] {
        let layer = |paths: &[&str], digit: &str| {
            let paths: Vec<Value> = paths.iter().map(|path| json!({"path": format!("/nix/store/{path}")})).collect();
            json!({"digest": format!("sha256:{}", digit.repeat(64)), "size": 5120, "paths": paths, "History": history,
                "diff_ids": format!("sha256:{}", digit.repeat(64))})
        };
        let document =
            json!({"version": 1, "image-config": {}, "layers": [layer(&[BASE_NAME], "1"), layer(&many, "2")]});
        let file = file(root.path(), "image.json", document.to_string().as_bytes());
        let shown = run(&["inspect", "--format", "json", file.to_str().unwrap()]).warned();
        let document: Value = serde_json::from_slice(&shown.stdout).unwrap();
        assert_eq!(document["layers"][0]["command"], format!("/nix/store/{BASE_NAME}"));
        assert_eq!(document["layers"][1]["storePaths"].as_array().unwrap().len(), 3);
        assert_eq!(document["builder"]["name"], "nix2container");
        for format in ["text", "markdown", "html"] {
            let shown = run(&["inspect", "--format", format, file.to_str().unwrap()]).warned();
            let text = shown.text();
            assert!(text.contains(&format!("/nix/store/{LIBRARY}")) || text.contains("library-2.0"), "{text}");
            assert!(text.contains("tool-1.0") && !text.contains("(missing)"), "{text}");
        }
        let target = format!("oci:{}", root.path().join("copied").display());
        let copied = run(&["copy", file.to_str().unwrap(), &target]);
        assert_eq!(copied.code, Some(2));
        assert!(copied.stderr.contains("absent store path: /nix/store/"), "{}", copied.stderr);
        assert!(!copied.stderr.contains("damaged"), "{}", copied.stderr);
    }
    // A copy has no list of paths any more.
    let tar = |path: &str| Tar::new().directory("nix/store/").directory(format!("nix/store/{path}/")).finish();
    let mut image = Image::of(vec![Layer::stored(tar(LIBRARY), OCI_GZIP, gzip)]);
    image.config["history"] = json!([{"created_by": "nix2container"}]);
    let layout = write_directory(&root.path().join("layout"), &oci_members(&[image]));
    let opened = open_with(&layout, OpenOptions::default()).unwrap();
    assert_eq!(opened.image.layers[0].command(), format!("/nix/store/{LIBRARY}"));
}

/// Engines and nix2container read keys in any case; what is copied keeps them as they are written.
#[test]
fn keys_of_a_configuration_count_in_any_case_and_stay_as_they_are_written() {
    let root = scratch();
    let lower = json!({"entrypoint": ["/bin/app"], "cmd": ["-v"], "user": "1000:1000", "labels": {"a": "b"},
        "workingdir": "/srv", "exposedports": {"80/tcp": {}}});
    let mut image = Image::sample();
    image.config["config"] = lower.clone();
    let layout = write_directory(&root.path().join("layout"), &oci_members(std::slice::from_ref(&image)));
    let archive = file(root.path(), "image.tar", &docker_archive(&image));
    let document = json!({"Version": 1, "Image-Config": lower, "Layers": []});
    let nix = file(root.path(), "image.json", document.to_string().as_bytes());
    let config = |typed: &std::path::Path| -> Value {
        let run = run(&["inspect", "--format", "json", typed.to_str().unwrap()]).done();
        serde_json::from_slice::<Value>(&run.stdout).unwrap()
    };
    for typed in [&layout, &archive, &nix] {
        let shown = config(typed);
        assert_eq!(shown["config"]["entrypoint"], json!(["/bin/app"]), "{}", typed.display());
        assert_eq!(shown["config"]["user"], "1000:1000");
        assert_eq!(shown["config"]["labels"], json!({"a": "b"}));
        let target = root.path().join("copy");
        let _ = std::fs::remove_dir_all(&target);
        let copied = run(&["copy", typed.to_str().unwrap(), &format!("oci:{}", target.display())]);
        assert_eq!(copied.code, Some(0), "{}", copied.stderr);
        let copied = config(&target);
        if typed != &nix {
            assert_eq!(copied["identity"]["configDigest"], shown["identity"]["configDigest"]);
        }
        let digest = copied["identity"]["configDigest"].as_str().unwrap().replace("sha256:", "");
        let written: Value =
            serde_json::from_slice(&std::fs::read(target.join("blobs/sha256").join(digest)).unwrap()).unwrap();
        assert_eq!(written["config"], lower);
    }
}

/// Runs the program with a `nix` of the test's own, or with none.
fn with_nix(directory: &std::path::Path, nix: Option<&str>, typed: &str) -> Run {
    let path = directory.join("path");
    std::fs::create_dir_all(&path).unwrap();
    if let Some(text) = nix {
        super::script(&path, "nix", text);
    }
    let mut command = nixdive();
    run_command(command.env("PATH", path).current_dir(directory).args(["inspect", typed]))
}

#[test]
fn an_installable_is_built_with_its_log_shown_and_then_opened() {
    let directory = scratch();
    let tar = file(directory.path(), "image.tar", &docker_archive(&Image::sample()));
    let built = json!([{"drvPath": "/nix/store/image.drv", "outputs": {"out": tar}}]);
    let text = format!("#!/bin/sh\necho \"building $*\" >&2\necho '{built}'\n");
    let run = with_nix(directory.path(), Some(&text), ".#image");
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(run.stderr.contains("building") && run.stderr.contains("-- .#image"), "{}", run.stderr);
    assert!(run.text().contains("2 layers"), "{}", run.text());

    assert!(with_nix(directory.path(), Some(&text), ".").refused().contains("holds no image"));
    file(directory.path(), "flake.nix", b"{ }");
    // A directory is not built because its path was given; to build it is asked for.
    assert!(with_nix(directory.path(), Some(&text), ".").refused().contains("nixdive flake:."));
    let run = with_nix(directory.path(), Some(&text), "flake:.");
    assert!(run.code == Some(0) && run.stderr.trim_end().ends_with("-- ."), "{}", run.stderr);

    let built = json!([{"outputs": {"bin": "/nix/store/one", "doc": null}}, {"path": "/nix/store/two"}]);
    let several = format!("#!/bin/sh\necho '{built}'\n");
    assert!(with_nix(directory.path(), Some(&several), ".#both").refused().contains("/nix/store/two"));
    for nothing in ["", "[]", "[{}]", "no JSON"] {
        let text = format!("#!/bin/sh\necho '{nothing}'\n");
        assert!(with_nix(directory.path(), Some(&text), ".#x").refused().contains("reported no output path"));
    }
    let failing = with_nix(directory.path(), Some("#!/bin/sh\necho broken >&2\nexit 1\n"), ".#x");
    assert_eq!(failing.code, Some(2));
    assert!(failing.stderr.contains("broken\nnixdive: .#x: nix build ended with exit status 1"), "{}", failing.stderr);
    std::fs::remove_dir_all(directory.path().join("path")).unwrap();
    assert!(with_nix(directory.path(), None, "nixpkgs#hello").refused().contains("no nix on PATH"));
}

#[test]
fn an_image_json_that_lies_around_is_found() {
    let directory = scratch();
    let json = file(directory.path(), "image.json", br#"{"version": 1, "image-config": {}, "layers": []}"#);
    file(directory.path(), "package.json", br#"{"version": "1", "name": "no image"}"#);
    std::os::unix::fs::symlink(&json, directory.path().join("result")).unwrap();
    let found: Vec<_> = nixdive::source::discover(directory.path()).into_iter().map(|found| found.path).collect();
    assert_eq!(found, [directory.path().join("result"), json]);
}
