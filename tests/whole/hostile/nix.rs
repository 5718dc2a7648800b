//! What Nix builds, with mistakes in it.

use nixdive::execution::Permission;
use nixdive::open::{OpenError, OpenOptions, Progress, open};
use nixdive::reference::Reference;
use serde_json::{Value, json};

use super::{refused, warnings};
use crate::kinds::script;
use crate::support::program::{PATIENCE, file, open_typed, run, scratch, within};
use crate::support::tar_bytes::Tar;

const PATH: &str = "/nix/store/hmnypiai2d9q9ri3yd4kdycjp1rg1027-nowhere-1.0";
const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// An `image.json` with one layer.
fn image(layer: &Value) -> Value {
    json!({"version": 1, "image-config": {}, "layers": [layer], "arch": "amd64"})
}

fn layer() -> Value {
    json!({"digest": DIGEST, "size": 5120, "diff_ids": DIGEST, "paths": [{"path": PATH}]})
}

fn refused_json(document: &Value) -> String {
    let directory = scratch();
    refused(file(directory.path(), "image.json", document.to_string().as_bytes()))
}

#[test]
fn an_image_json_with_missing_fields_says_which() {
    for field in ["version", "layers"] {
        let mut document = image(&layer());
        document.as_object_mut().unwrap().remove(field);
        let message = refused_json(&document);
        assert!(message.contains("nix2container image.json") && message.contains(field), "{message}");
    }
    for field in ["digest", "size", "diff_ids"] {
        let mut layer = layer();
        layer.as_object_mut().unwrap().remove(field);
        let message = refused_json(&image(&layer));
        assert!(message.contains(field), "{message}");
    }
    let mut layer = layer();
    layer.as_object_mut().unwrap().remove("paths");
    assert!(refused_json(&image(&layer)).contains("neither paths nor a layer-path"));
    assert!(refused_json(&json!({"version": 2, "layers": []})).contains("version 2"));
    for other in [json!({}), json!([1]), json!({"layers": {}}), json!([[]])] {
        refused_json(&other);
    }
}

#[test]
fn a_path_outside_the_store_is_refused() {
    let secret = scratch();
    file(secret.path(), "secret", b"secret");
    for path in ["/etc/passwd", "/nix/store", "/nix/store/../../etc", "relative", "", "/nix/store/short-name"] {
        let mut layer = layer();
        layer["paths"][0]["path"] = path.into();
        let message = refused_json(&image(&layer));
        assert!(message.contains("is not a store path"), "{path}: {message}");
    }
    let sneaky = format!("/nix/store/../..{}", secret.path().join("secret").display());
    for path in ["/etc/passwd", sneaky.as_str(), "/dev/zero"] {
        let mut layer = layer();
        layer["layer-path"] = path.into();
        let message = refused_json(&image(&layer));
        assert!(message.contains("outside /nix/store"), "{path}: {message}");
    }
}

#[test]
fn a_layer_beside_the_document_is_read_and_nothing_that_leads_out() {
    let (outside, directory) = (scratch(), scratch());
    let tar = Tar::new().file("etc/secret", "secret").finish();
    file(outside.path(), "layer.tar", &tar);
    let layers = directory.path().join("image.json.layers");
    std::fs::create_dir_all(layers.join("below")).unwrap();
    file(&layers, "layer.tar", &tar);
    std::os::unix::fs::symlink(outside.path(), layers.join("out")).unwrap();
    std::os::unix::fs::symlink(outside.path().join("layer.tar"), layers.join("linked.tar")).unwrap();
    let listed = |path: &str| {
        let mut layer = layer();
        let layer_path = format!("{}/{path}", layers.display());
        (layer["layer-path"], layer["size"]) = (layer_path.into(), tar.len().into());
        layer.as_object_mut().unwrap().remove("paths");
        let json = file(directory.path(), "image.json", image(&layer).to_string().as_bytes());
        run(&["ls", "-R", json.to_str().unwrap()])
    };
    let run = listed("layer.tar");
    assert!(run.code == Some(0) && run.text().contains("secret"), "{}{}", run.text(), run.stderr);
    let name = outside.path().file_name().unwrap().to_str().unwrap();
    let climbing = format!("../../{name}/layer.tar");
    for (path, reason) in [
        (climbing.as_str(), "outside /nix/store"),
        ("below/../layer.tar", "outside /nix/store"),
        ("out/layer.tar", "a link that leads out"),
        ("linked.tar", "a link that leads out"),
    ] {
        let message = listed(path).refused();
        assert!(message.contains(reason), "{path}: {message}");
    }
}

#[test]
fn rules_that_cannot_be_followed_are_named() {
    for (key, value) in [
        ("rewrite", json!({"regex": "(", "repl": ""})),
        ("rewrite", json!({"regex": "a", "repl": "b".repeat(10_000)})),
        ("perms", json!([{"regex": "a", "mode": "0999"}])),
        ("ignoreDestination", json!("[")),
    ] {
        let mut layer = layer();
        layer["paths"][0]["options"] = json!({key: value});
        let message = refused_json(&image(&layer));
        assert!(message.contains("layer 0"), "{key}: {message}");
    }
}

#[test]
fn control_characters_of_an_image_json_do_not_reach_the_terminal() {
    let directory = scratch();
    for (place, value) in [("path", "\u{1b}[2J\u{7}"), ("digest", "sha256:\u{1b}]0;x\u{7}")] {
        let mut layer = layer();
        if place == "path" {
            layer["paths"][0]["path"] = value.into()
        } else {
            layer["digest"] = value.into()
        }
        let json = file(directory.path(), "image.json", image(&layer).to_string().as_bytes());
        let error = run(&["inspect", json.to_str().unwrap()]).refused();
        assert!(!error.contains('\u{1b}') && !error.contains('\u{7}'), "{error:?}");
    }
}

#[test]
fn store_paths_that_are_not_here_are_said_to_be_absent_and_never_to_be_empty() {
    let directory = scratch();
    let json = file(directory.path(), "image.json", image(&layer()).to_string().as_bytes());
    let text = run(&["inspect", json.to_str().unwrap()]).warned();
    assert!(text.text().contains("not here") && !text.text().contains("Files        0 B"), "{}", text.text());
    let report: Value =
        serde_json::from_slice(&run(&["inspect", "--format", "json", json.to_str().unwrap()]).warned().stdout).unwrap();
    let layer = &report["layers"][0];
    assert_eq!((&layer["contents"], &layer["unpackedBytes"]), (&json!("absent"), &json!(5120)));
    assert_eq!((&layer["fileBytes"], &layer["entries"]), (&Value::Null, &Value::Null));
    assert_eq!((&layer["absentPaths"], &report["figures"]["fileBytes"]), (&json!([PATH]), &Value::Null));
    assert_eq!(warnings(open_typed(&json)).len(), 1);
}

#[test]
fn a_script_that_fails_is_quoted() {
    let directory = scratch();
    let text = "#!/bin/sh\nprintf 'layer 1\\n\\033[2Jno space left\\n' >&2\nexit 7\n";
    let failing = script(directory.path(), "failing", text);
    let typed = format!("stream:{}", failing.display());
    let error = run(&["inspect", &typed]).refused();
    assert!(error.contains("exit status 7") && error.contains("no space left"), "{error}");
    assert!(!error.contains('\u{1b}'), "{error:?}");

    let text = "#!/bin/sh\nhead -c 100000 /dev/zero\necho half way >&2\nexit 1\n";
    let error = run(&["inspect", &format!("stream:{}", script(directory.path(), "half", text).display())]).refused();
    assert!(error.contains("half way"), "{error}");

    let empty = script(directory.path(), "empty", "#!/bin/sh\n");
    assert!(run(&["inspect", &format!("stream:{}", empty.display())]).refused().contains("empty"));
    let text = script(directory.path(), "text", "#!/bin/sh\necho hello\n");
    assert!(run(&["inspect", &format!("stream:{}", text.display())]).refused().contains("neither a tar archive"));
    let unset = file(directory.path(), "unset", b"#!/bin/sh\n");
    assert!(run(&["inspect", &format!("stream:{}", unset.display())]).refused().contains("cannot be run"));
    assert!(run(&["inspect", &format!("stream:{}", directory.path().display())]).refused().contains("not a script"));
}

#[test]
fn a_script_that_never_ends_is_stopped_with_all_that_it_started() {
    let directory = scratch();
    let pids = directory.path().join("pids");
    let text = format!("#!/bin/sh\nsleep 1000 &\necho $$ $! >{0}.new\nmv {0}.new {0}\nwait\n", pids.display());
    let script = script(directory.path(), "endless", &text);
    let reference = Reference::parse(format!("stream:{}", script.display()).as_ref()).unwrap();
    let progress = Progress::new();
    let opening = std::thread::spawn({
        let progress = progress.clone();
        let options = OpenOptions { execution: Permission::granted(), ..OpenOptions::default() };
        move || open(&reference, &options, &progress).map(drop)
    });
    while !pids.exists() {
        assert!(!opening.is_finished());
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    progress.cancel().cancel();
    let ended = within(PATIENCE, move || opening.join().unwrap());
    assert!(matches!(ended, Err(OpenError::Cancelled)), "{ended:?}");
    for pid in std::fs::read_to_string(pids).unwrap().split_whitespace() {
        let gone = || match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
            Ok(stat) => stat.contains(") Z "),
            Err(_) => true,
        };
        for _ in 0..500 {
            if gone() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        assert!(gone(), "process {pid} goes on");
    }
}

#[test]
fn what_absent_store_paths_cost_or_refer_to_is_not_known() {
    let directory = scratch();
    let json = file(directory.path(), "image.json", image(&layer()).to_string().as_bytes());
    let run_json = run(&["inspect", "--format", "json", json.to_str().unwrap()]).warned();
    let report: Value = serde_json::from_slice(&run_json.stdout).unwrap();
    let path = &report["storePaths"][0];
    assert_eq!((&path["path"], &path["contents"]), (&json!(PATH), &json!("absent")));
    for field in ["narBytes", "narHash", "closureBytes", "addedBytes", "files", "reachable"] {
        assert_eq!(path.get(field), Some(&Value::Null), "{field}");
    }
    assert_eq!(report["store"]["unreachable"]["paths"], json!([]));
    let text = run(&["inspect", json.to_str().unwrap()]).warned();
    assert!(text.text().contains("their contents are absent"), "{}", text.text());
}
