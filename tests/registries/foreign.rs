//! Layers that the registry does not have, because their owner keeps them elsewhere.

use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::live::{certificates, have};
use super::server::{Reply, Server};
use super::shop::{Customer, Shop};
use super::support::images::{Image, OCI_MANIFEST, digest, manifest_blobs};
use super::support::program::{Run, file, nixdive, paths, run_command, scratch};

const IMAGE: &str = "team/app:1";
const FOREIGN: &str = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";

/// A registry that answers `status` to a request for the second layer, for which the manifest gives `urls`.
fn registry(status: u16, media_type: Option<&str>, urls: &Value) -> (Server, Image) {
    let (mut shop, image) = Shop::sample();
    let (manifest, _) = manifest_blobs(&image);
    let mut manifest: Value = serde_json::from_slice(&manifest).unwrap();
    manifest["layers"][1]["urls"] = urls.clone();
    if let Some(media_type) = media_type {
        manifest["layers"][1]["mediaType"] = media_type.into();
    }
    shop.put_manifest("1", OCI_MANIFEST, manifest.to_string().into_bytes());
    let missing = format!("/v2/team/app/blobs/{}", digest(&image.layers[1].blob));
    let server =
        Server::start(move |seen| if seen.target == missing { Reply::new(status, "") } else { shop.answer(seen) });
    (server, image)
}

fn customer(is_allowed: bool) -> Customer {
    let mut customer = Customer::new();
    customer.remote.settings.foreign_urls = is_allowed;
    customer
}

#[test]
fn the_rest_of_the_image_opens_and_says_which_option_fetches_the_layer() {
    for status in [404, 403] {
        for media_type in [None, Some(FOREIGN)] {
            let storage = Server::start(|_| Reply::new(404, ""));
            let (server, _) = registry(status, media_type, &json!([format!("http://{}/layer", storage.host)]));
            let opened = customer(false).open(&server.host, IMAGE).unwrap();
            let what = format!("{status} {media_type:?}: {:?}", opened.image.warnings);
            let absent: Vec<bool> = opened.image.layers.iter().map(|layer| layer.is_absent()).collect();
            assert_eq!(absent, [false, true], "{what}");
            assert!(!paths(&opened).is_empty() && opened.image.defects.len() == 1, "{what}");
            let reason = &opened.image.defects[0].message;
            assert!(reason.contains(&storage.host) && reason.contains("--allow-foreign-urls"), "{reason}");
            assert!(storage.seen().is_empty(), "{what}");

            let opened = customer(true).open(&server.host, IMAGE).unwrap();
            assert!(opened.image.layers[1].is_absent() && !storage.seen().is_empty(), "{what}");
            let reason = &opened.image.defects[0].message;
            assert!(reason.contains("none of its URLs serves it") && !reason.contains("--allow"), "{reason}");
        }
    }
    let (server, _) = registry(404, Some(FOREIGN), &json!([]));
    assert!(customer(false).open(&server.host, IMAGE).unwrap().image.layers[1].is_absent());
    let (server, _) = registry(404, None, &json!([]));
    assert!(
        customer(false).refused(&server.host, IMAGE).contains("does not have"),
        "nothing says that it is elsewhere"
    );
    let (server, _) = registry(500, Some(FOREIGN), &json!(["http://127.0.0.1:9/layer"]));
    assert!(customer(false).refused(&server.host, IMAGE).contains("500"), "it may be there another time");
}

#[test]
fn commands_warn_or_refuse_as_for_any_incomplete_image() {
    let place = scratch();
    let program = |arguments: &[&str]| -> Run {
        run_command(nixdive().env("XDG_CACHE_HOME", place.path().join("cache")).args(arguments))
    };
    let (server, _) = registry(404, None, &json!(["http://127.0.0.1:9/layer"]));
    let image = format!("docker://{}/{IMAGE}", server.host);
    let run = program(&["inspect", &image, "--format", "json"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(run.stderr.contains("warning: ") && run.stderr.contains("--allow-foreign-urls"), "{}", run.stderr);
    let document: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!((&document["complete"], &document["layers"][1]["contents"]), (&json!(false), &json!("absent")));
    assert!(document["warnings"].to_string().contains("--allow-foreign-urls"), "{}", document["warnings"]);
    let out = format!("oci:{}", place.path().join("out").display());
    for arguments in [&["ci", &image, "--lowestEfficiency", "0"][..], &["sbom", &image], &["copy", "-q", &image, &out]]
    {
        let run = program(arguments);
        assert_eq!(run.code, Some(2), "{arguments:?}: {}", run.stderr);
        assert!(run.stderr.contains("--allow-foreign-urls"), "{arguments:?}: {}", run.stderr);
    }
    assert!(!place.path().join("out/index.json").exists());
    let run = program(&["ci", &image, "--lowestEfficiency", "0", "--allow-incomplete"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
}

/// OpenSSL serving files of a directory over TLS, each an HTTP answer.
struct Secure {
    child: std::process::Child,
    host: String,
}

impl Drop for Secure {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn secure(place: &std::path::Path) -> Secure {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let child = Command::new("openssl")
        .args([
            "s_server",
            "-quiet",
            "-HTTP",
            "-cert",
            "server.pem",
            "-key",
            "server.key",
            "-accept",
            &port.to_string(),
        ])
        .current_dir(place)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let host = format!("127.0.0.1:{port}");
    let began = std::time::Instant::now();
    while std::net::TcpStream::connect(&host).is_err() {
        assert!(began.elapsed() < std::time::Duration::from_secs(20), "openssl does not listen");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    Secure { child, host }
}

#[test]
fn no_redirect_leads_a_layer_from_https_to_http() {
    if !have(&["openssl"]) {
        return;
    }
    let place = scratch();
    let [_, authority, _] = certificates(place.path());
    let blob = registry(404, None, &json!([])).1.layers[1].blob.clone();
    let plain = Server::start({
        let blob = blob.clone();
        move |_| Reply::new(200, blob.clone())
    });
    let redirect = format!("HTTP/1.0 302 Found\r\nLocation: http://{}/layer\r\nContent-Length: 0\r\n\r\n", plain.host);
    file(place.path(), "redirect", redirect.as_bytes());
    let head = format!("HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n", blob.len());
    file(place.path(), "layer", &[head.as_bytes(), &blob].concat());
    let server = secure(place.path());
    for (target, is_fetched) in [("redirect", false), ("layer", true)] {
        let (registry, _) = registry(404, None, &json!([format!("https://{}/{target}", server.host)]));
        let mut customer = customer(true);
        customer.remote.http.silence = std::time::Duration::from_secs(10);
        let trusted = format!("etc/docker/certs.d/{}/ca.crt", server.host);
        customer.write(&trusted, std::str::from_utf8(&authority).unwrap());
        let opened = customer.open(&registry.host, IMAGE).unwrap();
        assert_eq!(!opened.image.layers[1].is_absent(), is_fetched, "{target}: {:?}", opened.image.warnings);
    }
    assert!(plain.seen().is_empty());
    let (registry, _) = registry(404, None, &json!([format!("http://{}/layer", plain.host)]));
    assert!(!customer(true).open(&registry.host, IMAGE).unwrap().image.layers[1].is_absent(), "plain http all the way");
}
