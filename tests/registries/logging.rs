//! The log of `-vv`: it shows what happened, and no secret.

use std::sync::Arc;

use serde_json::json;

use nixdive::http::base64;

use super::server::{Reply, Seen, Server};
use super::shop::{REPOSITORY, Shop};
use super::support::program::{nixdive, run_command, scratch};

const PASSWORD: &str = "pass-hunter2";
const IDENTITY: &str = "identity-hunter3";
const BEARER: &str = "bearer-hunter4";
const SIGNATURE: &str = "signature-hunter5";

/// A registry that wants a token, which a password or an identity token gets, and whose blobs are elsewhere, behind
/// signed addresses.
fn registry() -> (Server, Arc<Server>) {
    let (shop, _) = Shop::sample();
    let storage_shop = shop.clone();
    let storage = Arc::new(Server::start(move |seen| {
        let path = seen.target.replace("/storage/", REPOSITORY);
        storage_shop.answer(&Seen { target: path.split('?').next().unwrap().to_owned(), ..seen.clone() })
    }));
    let elsewhere = storage.host.clone();
    let password = format!("Basic {}", base64(format!("me:{PASSWORD}").as_bytes()));
    let server = Server::start(move |seen| {
        let host = seen.header("host").unwrap();
        if seen.target.starts_with("/token") {
            let form = String::from_utf8_lossy(&seen.body);
            let is_known = form.contains(IDENTITY) || seen.header("authorization") == Some(&password);
            let answer = json!({"token": BEARER, "access_token": BEARER}).to_string();
            return if is_known { Reply::new(200, answer) } else { Reply::new(401, "") };
        }
        if seen.header("authorization") != Some(&format!("Bearer {BEARER}")) {
            let challenge = format!(r#"Bearer realm="http://{host}/token",service="reg""#);
            return Reply::new(401, "").with("www-authenticate", challenge);
        }
        match seen.target.strip_prefix("/v2/team/app/blobs/") {
            Some(blob) => {
                let query = format!("X-Amz-Signature={SIGNATURE}&sig={SIGNATURE}");
                Reply::new(307, "").with("location", format!("http://{elsewhere}/storage/blobs/{blob}?{query}"))
            }
            None => shop.answer(seen),
        }
    });
    (server, storage)
}

/// What `-vvv` logs of an image that is opened with an entry of `auth.json`.
fn log_of(entry: &serde_json::Value) -> String {
    let (server, _storage) = registry();
    let directory = scratch();
    let auth = directory.path().join("auth.json");
    std::fs::write(&auth, json!({"auths": {server.host.clone(): entry}}).to_string()).unwrap();
    let image = format!("docker://{}/team/app:1", server.host);
    let ran = run_command(
        nixdive()
            .args(["-vvv", "inspect", "--tls-verify=false", "--authfile"])
            .arg(&auth)
            .arg(image)
            .env("XDG_CACHE_HOME", directory.path().join("cache")),
    );
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    ran.stderr
}

#[test]
fn the_log_shows_requests_and_no_secret() {
    let password = base64(format!("me:{PASSWORD}").as_bytes());
    for entry in [json!({"auth": password}), json!({"identitytoken": IDENTITY})] {
        let log = log_of(&entry);
        for shown in [
            "INFO  source: open reference=docker://",
            "DEBUG http: answer method=Get address=http://127.0.0.1",
            "status=401",
            "DEBUG registry: redirect status=307",
            "DEBUG credentials: token received",
            "DEBUG cache: blob: miss",
            "DEBUG layer: read number=0",
            "service=reg",
        ] {
            assert!(log.contains(shown), "{shown}: {log}");
        }
        for secret in [PASSWORD, IDENTITY, BEARER, SIGNATURE, &password, "hunter", "X-Amz", "sig="] {
            assert!(!log.contains(secret), "{secret}: {log}");
        }
    }
}

#[test]
fn without_a_flag_nothing_is_logged_and_a_file_gets_it_in_its_place() {
    let directory = scratch();
    let (image, log) = (directory.path().join("im\u{1b}[2Jage.tar"), directory.path().join("log"));
    std::fs::write(&image, super::support::images::docker_archive(&super::support::images::Image::sample())).unwrap();
    let inspect = || {
        let mut command = nixdive();
        command.arg("inspect").arg(&image);
        command
    };
    assert_eq!(run_command(&mut inspect()).done().stderr, "");
    assert_eq!(run_command(inspect().env("NIXDIVE_LOG", "off")).done().stderr, "");
    let shown = run_command(inspect().arg("-vv")).stderr;
    assert!(shown.contains("DEBUG layer: read number=0") && shown.contains("/im\\x1b[2Jage.tar"), "{shown}");
    assert!(!shown.contains('\u{1b}'), "{shown}");
    let by_target = run_command(inspect().env("NIXDIVE_LOG", "layer=debug")).stderr;
    assert!(by_target.lines().all(|line| line.contains(" layer: ")), "{by_target}");
    assert_eq!(run_command(inspect().env("NIXDIVE_LOG_FILE", &log)).done().stderr, "");
    let kept = std::fs::read_to_string(&log).unwrap();
    assert!(kept.contains("DEBUG source: layout kind=docker-archive"), "{kept}");
    let error = run_command(inspect().env("NIXDIVE_LOG", "loud")).refused();
    assert!(error.contains("unknown level `loud`: expected one of off"), "{error}");
}
