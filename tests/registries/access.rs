//! Who is let in, and to whom a credential is shown.

use std::sync::Arc;

use serde_json::json;

use nixdive::http::{Secret, base64};
use nixdive::image::Platform;
use nixdive::open::{OpenOptions, Progress};

use super::server::{Reply, Seen, Server};
use super::shop::{Customer, Shop};
use super::support::images::{Image, OCI_MANIFEST, descriptor, digest, manifest_blobs, sample_layers};
use super::support::program::{open_with, run, within};
use super::support::pseudo_terminal::on_terminal;

const IMAGE: &str = "team/app:1";
const PASSWORD: &str = "hunter2";

fn basic() -> String {
    format!("Basic {}", base64(format!("me:{PASSWORD}").as_bytes()))
}

fn with_password(mut customer: Customer) -> Customer {
    customer.remote.settings.login = Some(("me".to_owned(), Secret::new(PASSWORD.to_owned())));
    customer
}

fn guarded(shop: Shop) -> Server {
    Server::start(move |seen| {
        if seen.header("authorization") == Some(&basic()) {
            return shop.answer(seen);
        }
        Reply::new(401, "").with("www-authenticate", r#"Basic realm="here""#)
    })
}

#[test]
fn a_name_and_a_password_open_a_registry() {
    let (shop, _) = Shop::sample();
    let server = guarded(shop);
    with_password(Customer::new()).open(&server.host, IMAGE).unwrap();
    let error = Customer::new().refused(&server.host, IMAGE);
    assert!(error.contains("no credential is known"), "{error}");
}

#[test]
fn a_wrong_credential_is_told_by_its_file_and_not_shown() {
    let (shop, _) = Shop::sample();
    let server = guarded(shop);
    let customer = Customer::new();
    let auth = base64(b"me:old-and-secret");
    let entry = json!({"auths": {server.host.clone(): {"auth": auth}}}).to_string();
    customer.write("config/containers/auth.json", &entry);
    let error = customer.refused(&server.host, IMAGE);
    assert!(error.contains("containers/auth.json"), "{error}");
    assert!(!error.contains("old-and-secret") && !error.contains(&auth), "{error}");
}

/// A registry that gives everything for a token, and a server that gives tokens for a password.
fn with_tokens(shop: Shop) -> Server {
    Server::start(move |seen| {
        if seen.target.starts_with("/token") {
            let scope_is_right = seen.target.contains("scope=repository%3Ateam%2Fapp%3Apull");
            let refresh =
                seen.method == "POST" && String::from_utf8_lossy(&seen.body).contains("refresh_token=identity");
            return match seen.header("authorization") {
                Some(authorization) if scope_is_right && authorization == basic() => {
                    Reply::new(200, r#"{"token":"t0ken","expires_in":300}"#)
                }
                None if refresh => Reply::new(200, r#"{"access_token":"t0ken"}"#),
                _ => Reply::new(401, r#"{"error":"invalid_grant"}"#),
            };
        }
        if seen.header("authorization") == Some("Bearer t0ken") {
            return shop.answer(seen);
        }
        let host = seen.header("host").unwrap();
        let challenge = format!(
            r#"Basic realm="x", Bearer realm="http://{host}/token",service="reg",scope="repository:team/app:pull""#
        );
        Reply::new(401, "").with("www-authenticate", challenge)
    })
}

#[test]
fn a_token_is_fetched_once_for_all_layers() {
    let (shop, _) = Shop::sample();
    let server = with_tokens(shop);
    with_password(Customer::new()).open(&server.host, IMAGE).unwrap();
    let tokens = server.take_requests().iter().filter(|request| request.contains("/token")).count();
    assert_eq!(tokens, 1);
}

#[test]
fn an_identity_token_is_exchanged() {
    let (shop, _) = Shop::sample();
    let server = with_tokens(shop);
    let customer = Customer::new();
    let entry = json!({"auths": {server.host.clone(): {"identitytoken": "identity"}}}).to_string();
    customer.write("config/containers/auth.json", &entry);
    customer.open(&server.host, IMAGE).unwrap();
}

#[test]
fn an_expired_credential_is_told_by_its_file() {
    let (shop, _) = Shop::sample();
    let server = with_tokens(shop);
    let customer = Customer::new();
    let entry = json!({"auths": {server.host.clone(): {"auth": base64(b"me:expired-secret")}}}).to_string();
    customer.write("config/containers/auth.json", &entry);
    let error = customer.refused(&server.host, IMAGE);
    assert!(error.contains("wrong or expired") && error.contains("containers/auth.json"), "{error}");
    assert!(!error.contains("expired-secret"), "{error}");
}

#[test]
fn a_credential_does_not_follow_to_another_host() {
    let (shop, _) = Shop::sample();
    let storage_shop = shop.clone();
    let storage = Arc::new(Server::start(move |seen| {
        let path = seen.target.replace("/storage/", super::shop::REPOSITORY);
        storage_shop.answer(&Seen { target: path.split('?').next().unwrap().to_owned(), ..seen.clone() })
    }));
    let elsewhere = storage.host.clone();
    let server = Server::start(move |seen| {
        if seen.header("authorization") != Some(&basic()) {
            return Reply::new(401, "").with("www-authenticate", "Basic realm=x");
        }
        match seen.target.strip_prefix("/v2/team/app/blobs/") {
            Some(blob) => Reply::new(307, "")
                .with("location", format!("http://{elsewhere}/storage/blobs/{blob}?signature=s3cret")),
            None => shop.answer(seen),
        }
    });
    let mut customer = with_password(Customer::new());
    customer.remote.settings.verify_tls = Some(false);
    customer.open(&server.host, IMAGE).unwrap();
    assert!(storage.seen().len() >= 3);
    assert!(storage.seen().iter().all(|seen| seen.header("authorization").is_none()));
}

#[test]
fn another_host_that_asks_for_a_credential_gets_none() {
    let (shop, _) = Shop::sample();
    let thief = Arc::new(Server::start(|seen| {
        let host = seen.header("host").unwrap();
        Reply::new(401, "").with("www-authenticate", format!(r#"Bearer realm="http://{host}/token""#))
    }));
    let elsewhere = thief.host.clone();
    let server = Server::start(move |seen| {
        if seen.header("authorization") != Some(&basic()) {
            return Reply::new(401, "").with("www-authenticate", "Basic realm=x");
        }
        match seen.target.contains("/blobs/") {
            true => Reply::new(302, "").with("location", format!("http://{elsewhere}/give-it")),
            false => shop.answer(seen),
        }
    });
    let error = with_password(Customer::new()).refused(&server.host, IMAGE);
    assert!(!error.contains(PASSWORD), "{error}");
    assert!(!thief.seen().is_empty());
    assert!(thief.seen().iter().all(|seen| seen.header("authorization").is_none()));
}

#[test]
fn foreign_layers_are_fetched_from_their_addresses_without_a_credential() {
    let (mut shop, image) = Shop::sample();
    let blob = image.layers[1].blob.clone();
    let served = blob.clone();
    let storage = Server::start(move |_| Reply::new(200, served.clone()));
    let (manifest, _) = manifest_blobs(&image);
    let mut manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    manifest["layers"][1]["urls"] = json!([format!("http://{}/foreign", storage.host)]);
    shop.put_manifest("1", OCI_MANIFEST, manifest.to_string().into_bytes());
    let missing = format!("/v2/team/app/blobs/{}", digest(&blob));
    let server = Server::start(move |seen| {
        if seen.header("authorization") != Some(&basic()) {
            return Reply::new(401, "").with("www-authenticate", "Basic realm=x");
        }
        if seen.target == missing { Reply::new(404, "") } else { shop.answer(seen) }
    });
    let mut customer = with_password(Customer::new());
    let opened = customer.open(&server.host, IMAGE).unwrap();
    assert!(opened.image.layers[1].is_absent() && storage.seen().is_empty());
    customer.remote.settings.foreign_urls = true;
    let opened = customer.open(&server.host, IMAGE).unwrap();
    assert!(opened.image.layers.iter().all(|layer| !layer.is_absent()));
    assert!(!storage.seen().is_empty());
    assert!(storage.seen().iter().all(|seen| seen.header("authorization").is_none()));
}

#[test]
fn a_password_goes_to_no_plain_realm_of_another_origin() {
    let thief = Arc::new(Server::start(|_| Reply::new(200, r#"{"token":"t0ken"}"#)));
    let elsewhere = thief.host.clone();
    let (shop, _) = Shop::sample();
    let server = Server::start(move |seen| match seen.header("authorization") {
        Some("Bearer t0ken") => shop.answer(seen),
        _ => Reply::new(401, "").with("www-authenticate", format!(r#"Bearer realm="http://{elsewhere}/token""#)),
    });
    let error = with_password(Customer::new()).refused(&server.host, IMAGE);
    assert!(error.contains("no credential is sent") && thief.seen().is_empty(), "{error}");
    // Nothing is given away by asking as anybody.
    Customer::new().open(&server.host, IMAGE).unwrap();
    assert!(thief.seen().iter().all(|seen| seen.header("authorization").is_none()) && !thief.seen().is_empty());
}

#[test]
fn a_refusal_of_a_token_is_told_as_the_server_tells_it() {
    for (status, body, told) in [
        (401, r#"{"error":"invalid_grant"}"#.to_owned(), "wrong or expired"),
        (401, r#"{"details":"two-factor authentication is required"}"#.to_owned(), "two-factor authentication"),
        (403, r#"{"errors":[{"code":"DENIED","message":"not a member of the team"}]}"#.to_owned(), "not a member"),
        (400, r#"{"error":"invalid_scope","error_description":"no such service"}"#.to_owned(), "no such service"),
        (401, String::new(), "answers 401"),
        (401, format!(r#"{{"details":"no user with the password {PASSWORD}"}}"#), "answers 401"),
        (401, format!(r#"{{"details":"{}"}}"#, base64(format!("me:{PASSWORD}").as_bytes())), "answers 401"),
    ] {
        let answer = body.clone();
        let server = Server::start(move |seen| {
            if seen.target.starts_with("/token") {
                return Reply::new(status, answer.clone());
            }
            let host = seen.header("host").unwrap();
            Reply::new(401, "").with("www-authenticate", format!(r#"Bearer realm="http://{host}/token""#))
        });
        let error = with_password(Customer::new()).refused(&server.host, IMAGE);
        assert!(error.contains(told), "{body}: {error}");
        assert_eq!(error.contains("wrong or expired"), body.contains("invalid_grant"), "{body}: {error}");
        assert!(!error.contains(PASSWORD) && !error.contains(&base64(b"me:hunter2")), "{error}");
    }
}

#[test]
fn a_credential_helper_is_not_started_without_permission() {
    let (shop, _) = Shop::sample();
    let server = guarded(shop);
    let customer = Customer::new();
    let entry = json!({"credHelpers": {server.host.clone(): "absent"}}).to_string();
    customer.write("config/containers/auth.json", &entry);
    let error = customer.refused(&server.host, IMAGE);
    assert!(error.contains("docker-credential-absent") && error.contains("was not started"), "{error}");
    // What is public is public.
    let (shop, _) = Shop::sample();
    let open = Server::start(move |seen| shop.answer(seen));
    customer.write("config/containers/auth.json", &json!({"credsStore": "absent"}).to_string());
    customer.open(&open.host, IMAGE).unwrap();
}

#[test]
fn the_image_for_a_platform_is_chosen_from_an_index() {
    let mut shop = Shop::default();
    let mut entries = Vec::new();
    for (architecture, count) in [("amd64", 1), ("arm64", 2)] {
        let layers = sample_layers().into_iter().take(count).collect();
        let image = Image::new(layers).platform(architecture, None);
        shop.add(&image, "");
        let (manifest, _) = manifest_blobs(&image);
        let mut entry = descriptor(OCI_MANIFEST, &manifest);
        entry["platform"] = json!({"os": "linux", "architecture": architecture});
        entries.push(entry);
    }
    let mut attestation = descriptor(OCI_MANIFEST, b"attestation");
    attestation["platform"] = json!({"os": "unknown", "architecture": "unknown"});
    entries.push(attestation);
    // An index within the index.
    shop.put_index("inner", &entries);
    let inner = descriptor(super::support::images::OCI_INDEX, &shop.bytes("manifests/inner"));
    shop.put_index("1", &[inner]);
    let server = Server::start(move |seen| shop.answer(seen));
    let customer = Customer::new();
    let open = |platform: &str| {
        let options = OpenOptions { platform: Platform::parse(platform), ..customer.options() };
        open_with(format!("docker://{}/{IMAGE}", server.host), options)
    };
    assert_eq!(open("linux/amd64").unwrap().image.layers.len(), 1);
    assert_eq!(open("linux/arm64").unwrap().image.layers.len(), 2);
    let error = open("linux/s390x").unwrap_err().to_string();
    assert!(error.contains("linux/amd64") && error.contains("linux/arm64") && !error.contains("unknown"), "{error}");
}

#[test]
fn mirrors_are_asked_first_and_the_registry_after_them() {
    let (shop, _) = Shop::sample();
    let mirror = Server::start(|_| Reply::new(404, "{}"));
    let server = Server::start(move |seen| shop.answer(seen));
    let customer = Customer::new();
    let conf = format!(
        "[[registry]]\nlocation = \"{}\"\n[[registry.mirror]]\nlocation = \"{}\"\ninsecure = true\n",
        server.host, mirror.host
    );
    customer.write("etc/containers/registries.conf", &conf);
    customer.open(&server.host, IMAGE).unwrap();
    assert!(!mirror.seen().is_empty());
}

#[test]
fn an_opening_that_is_cancelled_ends_at_once() {
    let server = Server::start(|_| {
        std::thread::sleep(std::time::Duration::from_secs(30));
        Reply::new(200, "")
    });
    let mut customer = Customer::new();
    customer.remote.http.silence = std::time::Duration::from_secs(30);
    let options = customer.options();
    let typed = format!("docker://{}/{IMAGE}", server.host);
    let begun = std::time::Instant::now();
    let result = within(std::time::Duration::from_secs(20), move || {
        let reference = nixdive::reference::Reference::parse(typed.as_ref()).unwrap();
        let progress = Progress::new();
        let stop = progress.clone();
        std::thread::spawn(move || {
            std::thread::sleep(std::time::Duration::from_millis(300));
            stop.cancel().cancel();
        });
        nixdive::open::open(&reference, &options, &progress)
    });
    assert!(matches!(result, Err(nixdive::open::OpenError::Cancelled)));
    assert!(begun.elapsed() < std::time::Duration::from_secs(10));
}

#[test]
fn a_manifest_is_shown_on_a_terminal_without_control_characters_and_stored_bytes_go_to_a_pipe() {
    let mut shop = Shop::sample().0;
    let stored = "{\"schemaVersion\":2,\n\"x\":\"\u{9b}31m\u{202e}\u{7f}\"}".as_bytes().to_vec();
    shop.put_manifest("odd", OCI_MANIFEST, stored.clone());
    let server = Server::start(move |seen| shop.answer(seen));
    let name = format!("docker://{}/team/app:odd", server.host);
    let shown = on_terminal(&["inspect", "--raw", &name], &[]);
    let shown = String::from_utf8(shown).unwrap().replace("\r\n", "\n");
    assert_eq!(shown, "{\"schemaVersion\":2,\n\"x\":\"\\u{9b}31m\\u{202e}\\x7f\"}");
    let raw = on_terminal(&["inspect", "--raw", "--raw-bytes", &name], &[]);
    assert!(raw.windows(5).any(|part| part == b"\xc2\x9b31m"));
    assert_eq!(run(&["inspect", "--raw", &name]).done().stdout, stored);
}
