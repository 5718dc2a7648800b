//! What registries do on bad days.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use super::server::{Manner, Reply, Seen, Server};
use super::shop::{Customer, Shop};
use super::support::images::{MOTD, OCI_INDEX, descriptor};
use super::support::program::content;

const IMAGE: &str = "team/app:1";

/// A server that answers as the shop does, except where `fault` says something for the request of that number.
fn faulty(shop: Shop, fault: impl Fn(usize, &Seen) -> Option<Reply> + Send + Sync + 'static) -> Server {
    let count = AtomicUsize::new(0);
    Server::start(move |seen| fault(count.fetch_add(1, Ordering::SeqCst), seen).unwrap_or_else(|| shop.answer(seen)))
}

fn is_blob(seen: &Seen) -> bool {
    seen.target.contains("/blobs/")
}

#[test]
fn a_good_registry_is_read() {
    let (shop, image) = Shop::sample();
    let server = faulty(shop, |_, _| None);
    let opened = Customer::new().open(&server.host, IMAGE).unwrap();
    assert_eq!(content(&opened, "/etc/motd"), MOTD.as_bytes());
    assert_eq!(opened.image.layers.len(), image.layers.len());
    assert_eq!(opened.image.identity.source_kind, "registry");
    assert!(opened.image.warnings.is_empty(), "{:?}", opened.image.warnings);
}

#[test]
fn too_many_requests_are_waited_for_in_seconds_and_to_a_date() {
    let (shop, _) = Shop::sample();
    let server = faulty(shop, |number, _| match number {
        0 => Some(Reply::new(429, "").with("retry-after", "7")),
        1 => Some(Reply::new(429, "").with("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT")),
        _ => None,
    });
    let customer = Customer::new();
    customer.open(&server.host, IMAGE).unwrap();
    assert_eq!(customer.waits.seconds()[..2], [7, 30]);
}

#[test]
fn a_wait_of_hours_is_told_and_not_waited_for() {
    let (shop, _) = Shop::sample();
    let server = faulty(shop, |_, _| {
        Some(Reply::new(429, "").with("retry-after", "21600").with("ratelimit-limit", "100;w=21600"))
    });
    let customer = Customer::new();
    let error = customer.refused(&server.host, IMAGE);
    assert!(error.contains("6 hours") && error.contains("100;w=21600"), "{error}");
    assert!(customer.waits.seconds().is_empty());
}

#[test]
fn five_tries_are_enough_for_a_server_that_fails() {
    let (shop, _) = Shop::sample();
    let broken = faulty(shop.clone(), |_, _| Some(Reply::new(503, "")));
    let error = Customer::new().refused(&broken.host, IMAGE);
    assert!(error.contains("503"), "{error}");
    assert_eq!(broken.seen().len(), 5);
    let recovering = faulty(shop, |number, seen| (is_blob(seen) && number % 2 == 0).then(|| Reply::new(500, "")));
    Customer::new().open(&recovering.host, IMAGE).unwrap();
}

#[test]
fn a_storm_of_401_comes_to_an_end() {
    let server = Server::start(|seen| {
        if seen.target.starts_with("/token") {
            return Reply::new(200, r#"{"token":"never-enough"}"#);
        }
        let host = seen.header("host").unwrap();
        let challenge = format!(r#"Bearer realm="http://{host}/token",service="s",error="insufficient_scope""#);
        Reply::new(401, "").with("www-authenticate", challenge)
    });
    let error = Customer::new().refused(&server.host, IMAGE);
    assert!(error.contains("refuses access to team/app"), "{error}");
    assert!(server.seen().len() <= 8, "{:?}", server.take_requests());
}

#[test]
fn an_endless_token_is_cut_off() {
    let server = Server::start(|seen| {
        if seen.target.starts_with("/token") {
            return Reply::new(200, vec![b'a'; 64 << 10]).sent(Manner::Endless);
        }
        let host = seen.header("host").unwrap();
        Reply::new(401, "").with("www-authenticate", format!(r#"Bearer realm="http://{host}/token""#))
    });
    let error = Customer::new().refused(&server.host, IMAGE);
    assert!(error.contains("the token has more than 1048576 bytes"), "{error}");
}

#[test]
fn a_broken_download_is_taken_up_where_it_broke() {
    let (shop, _) = Shop::sample();
    let server = faulty(shop.clone(), move |_, seen| {
        let reply = shop.answer(seen);
        let half = reply.body.len() / 2;
        // Configurations are fetched anew.
        let is_layer = is_blob(seen) && reply.body.first() != Some(&b'{');
        (is_layer && seen.header("range").is_none()).then(|| reply.sent(Manner::CutAfter(half)))
    });
    let customer = Customer::new().with_cache();
    let opened = customer.open(&server.host, IMAGE).unwrap();
    assert_eq!(content(&opened, "/etc/motd"), MOTD.as_bytes());
    assert!(server.seen().iter().any(|seen| seen.header("range").is_some()));
}

#[test]
fn a_download_that_stalls_is_taken_up_a_few_times() {
    let (shop, _) = Shop::sample();
    for stalls in [2, usize::MAX] {
        let (kept, stalled) = (shop.clone(), AtomicUsize::new(0));
        let server = faulty(shop.clone(), move |_, seen| {
            let reply = kept.answer(seen);
            let is_layer = is_blob(seen) && reply.body.first() != Some(&b'{');
            let stall = Manner::StallAfter(reply.body.len() / 2, Duration::from_secs(20));
            (is_layer && stalled.fetch_add(1, Ordering::SeqCst) < stalls).then(|| reply.sent(stall))
        });
        let begun = Instant::now();
        if stalls == 2 {
            let opened = Customer::new().with_cache().open(&server.host, IMAGE).unwrap();
            assert_eq!(content(&opened, "/etc/motd"), MOTD.as_bytes());
            assert!(server.seen().iter().any(|seen| seen.header("range").is_some()));
        } else {
            let error = Customer::new().refused(&server.host, IMAGE);
            assert!(error.contains(" bytes"), "{error}");
        }
        assert!(begun.elapsed() < Duration::from_secs(15));
    }
}

#[test]
fn a_server_that_knows_no_ranges_is_read_from_the_start() {
    let (shop, _) = Shop::sample();
    let breaks = AtomicUsize::new(0);
    let server = faulty(shop.clone(), move |_, seen| {
        is_blob(seen).then(|| {
            let plain = Seen { headers: Vec::new(), ..seen.clone() };
            let reply = shop.answer(&plain);
            let half = reply.body.len() / 2;
            let breaks = breaks.fetch_add(1, Ordering::SeqCst) < 3;
            if breaks { reply.sent(Manner::CutAfter(half)) } else { reply }
        })
    });
    Customer::new().open(&server.host, IMAGE).unwrap();
}

#[test]
fn a_download_that_never_gets_further_is_given_up() {
    let (shop, _) = Shop::sample();
    let server = faulty(shop.clone(), move |_, seen| {
        is_blob(seen).then(|| shop.answer(&Seen { headers: Vec::new(), ..seen.clone() }).sent(Manner::CutAfter(0)))
    });
    let customer = Customer::new();
    let error = customer.refused(&server.host, IMAGE);
    assert!(error.contains("blob"), "{error}");
}

#[test]
fn a_range_that_was_not_asked_for_is_refused() {
    let (shop, _) = Shop::sample();
    let server = faulty(shop.clone(), move |_, seen| {
        if !seen.target.contains("/blobs/") || shop.answer(seen).body.first() == Some(&b'{') {
            return None;
        }
        Some(match seen.header("range") {
            None => shop.answer(seen).sent(Manner::CutAfter(20)),
            Some(_) => shop.answer(seen).with("content-range", "bytes 3-9/10"),
        })
        .map(|mut reply| {
            // The last one of two is not looked at.
            reply.headers.reverse();
            reply
        })
    });
    let error = Customer::new().refused(&server.host, IMAGE);
    assert!(error.contains("bytes 3-9/10"), "{error}");
}

#[test]
fn wrong_bytes_are_refused_and_not_kept() {
    let (shop, image) = Shop::sample();
    let last = image.layers[0].blob.len() - 1;
    let path = format!("blobs/{}", super::support::images::digest(&image.layers[0].blob));
    let mut bad = shop.clone();
    let mut bytes = shop.bytes(&path);
    bytes[last] ^= 1;
    bad.put(&path, "application/octet-stream", bytes);
    let customer = Customer::new().with_cache();
    let error = customer.refused(&faulty(bad, |_, _| None).host, IMAGE);
    assert!(error.contains("should have the digest sha256:"), "{error}");
    let cache = customer.remote.cache.as_ref().unwrap();
    let digest = nixdive::image::Digest::parse(&path["blobs/".len()..]).unwrap();
    assert!(!cache.has_blob(&digest, last as u64 + 1));
}

#[test]
fn a_manifest_with_another_digest_is_refused() {
    let (shop, _) = Shop::sample();
    let server = faulty(shop, |_, seen| {
        let digest = format!("sha256:{}", "0".repeat(64));
        seen.target.ends_with("/manifests/1").then(|| Reply::new(200, "{}").with("docker-content-digest", digest))
    });
    let error = Customer::new().refused(&server.host, IMAGE);
    assert!(error.contains("should have the digest sha256:0000"), "{error}");
}

#[test]
fn a_manifest_of_five_gigabytes_is_not_read() {
    let (shop, _) = Shop::sample();
    for manner in [Manner::Claimed(5 << 30), Manner::Endless] {
        let server = faulty(shop.clone(), move |_, seen| {
            seen.target.contains("/manifests/").then(|| Reply::new(200, vec![b' '; 64 << 10]).sent(manner))
        });
        let error = Customer::new().refused(&server.host, IMAGE);
        assert!(error.contains("more than 4194304 bytes"), "{error}");
    }
}

#[test]
fn a_length_need_not_be_given() {
    let (shop, _) = Shop::sample();
    let server = faulty(shop.clone(), move |_, seen| Some(shop.answer(seen).sent(Manner::Unannounced)));
    Customer::new().open(&server.host, IMAGE).unwrap();
}

#[test]
fn drips_and_silence_are_not_waited_for() {
    let (shop, _) = Shop::sample();
    let drip = Manner::Drip(Duration::from_millis(20));
    for manner in [drip, Manner::Silent(Duration::from_secs(20))] {
        let kept = shop.clone();
        let server = faulty(shop.clone(), move |_, seen| is_blob(seen).then(|| kept.answer(seen).sent(manner)));
        let begun = Instant::now();
        let error = Customer::new().refused(&server.host, IMAGE);
        assert!(begun.elapsed() < Duration::from_secs(15), "{error}");
    }
}

#[test]
fn the_first_schema_is_refused_by_its_name() {
    let (mut shop, _) = Shop::sample();
    let manifest = json!({"schemaVersion": 1, "name": "team/app", "fsLayers": []}).to_string().into_bytes();
    shop.put("manifests/1", "application/vnd.docker.distribution.manifest.v1+prettyjws", manifest);
    let server = faulty(shop, |_, seen| {
        // Its digest is taken without its signatures.
        seen.target.ends_with("/manifests/1").then(|| {
            Reply::new(200, r#"{"schemaVersion":1}"#)
                .with("content-type", "application/vnd.docker.distribution.manifest.v1+prettyjws")
        })
    });
    let error = Customer::new().refused(&server.host, IMAGE);
    assert!(error.contains("schema 1"), "{error}");
}

#[test]
fn an_index_that_contains_itself_is_refused() {
    let (mut shop, _) = Shop::sample();
    // No index can have its own digest in it: this registry gives it under one that is not its own.
    let digest = format!("sha256:{}", "ab".repeat(32));
    let mut entry = descriptor(OCI_INDEX, b"");
    entry["digest"] = json!(digest);
    shop.put_index("1", std::slice::from_ref(&entry));
    let bytes = shop.bytes("manifests/1");
    shop.put(&format!("manifests/{digest}"), OCI_INDEX, bytes);
    let error = Customer::new().refused(&faulty(shop, |_, _| None).host, IMAGE);
    assert!(error.contains("should have the digest"), "{error}");
}

#[test]
fn a_missing_tag_names_the_nearest() {
    let (mut shop, image) = Shop::sample();
    for tag in ["1.27", "1.28", "latest", "2024-01-01", "main", "edge"] {
        shop.add(&image, tag);
    }
    let server = faulty(shop, |_, _| None);
    let error = Customer::new().refused(&server.host, "team/app:1.26");
    assert!(error.contains("has no tag `1.26`; nearest: 1.27, 1.28"), "{error}");
    let error = Customer::new().refused(&server.host, "team/none:1");
    assert!(error.contains("does not have a repository team/none"), "{error}");
}

#[test]
fn hosts_that_are_not_there() {
    let error = Customer::new().refused("127.0.0.1:1", IMAGE);
    assert!(error.contains("refused"), "{error}");
    let error = Customer::new().refused("no-such-host.invalid", IMAGE);
    assert!(error.contains("no-such-host.invalid"), "{error}");
}

#[test]
fn redirects_that_go_round_are_left() {
    let server = Server::start(|seen| Reply::new(307, "").with("location", seen.target.clone()));
    let error = Customer::new().refused(&server.host, IMAGE);
    assert!(error.contains("leads from one address to the next"), "{error}");
}

#[test]
fn a_body_of_another_length_than_the_manifest_gives_is_refused() {
    let (shop, _) = Shop::sample();
    for more in [false, true] {
        let kept = shop.clone();
        let server = faulty(shop.clone(), move |_, seen| {
            let mut reply = kept.answer(seen);
            let is_layer = is_blob(seen) && reply.body.first() != Some(&b'{');
            let length = if more { reply.body.len() + 1 } else { reply.body.len() / 2 };
            reply.body.resize(length, 0);
            is_layer.then_some(reply)
        });
        let error = Customer::new().refused(&server.host, IMAGE);
        assert!(error.contains("the manifest gives") && error.contains("the registry sends"), "{error}");
    }
}

#[test]
fn a_server_that_breaks_within_a_body_and_then_fails_is_waited_for() {
    let (shop, image) = Shop::sample();
    let last = super::support::images::digest(&image.layers[0].blob);
    let tries = AtomicUsize::new(0);
    let server = faulty(shop.clone(), move |_, seen| {
        if !seen.target.ends_with(&last) {
            return None;
        }
        match tries.fetch_add(1, Ordering::SeqCst) {
            0 => Some(shop.answer(seen).sent(Manner::CutAfter(50))),
            1 | 2 => Some(Reply::new(500, "")),
            3 => Some(Reply::new(429, "").with("retry-after", "3")),
            _ => None,
        }
    });
    let customer = Customer::new();
    customer.open(&server.host, IMAGE).unwrap();
    assert!(customer.waits.seconds().contains(&3), "{:?}", customer.waits.seconds());
}

#[test]
fn a_wait_is_told_while_it_lasts() {
    let (shop, _) = Shop::sample();
    let server = faulty(shop, |number, _| (number == 0).then(|| Reply::new(503, "").with("retry-after", "1")));
    let mut customer = Customer::new();
    customer.remote.http.clock = std::sync::Arc::new(nixdive::http::RealClock);
    let (options, typed) = (customer.options(), format!("docker://{}/{IMAGE}", server.host));
    let progress = nixdive::open::Progress::new();
    let watched = progress.clone();
    let opening = std::thread::spawn(move || {
        let reference = nixdive::reference::Reference::parse(typed.as_ref()).unwrap();
        nixdive::open::open(&reference, &options, &progress).map(drop)
    });
    let begun = Instant::now();
    while watched.snapshot().waiting.is_none() {
        assert!(begun.elapsed() < Duration::from_secs(10) && !opening.is_finished());
    }
    opening.join().unwrap().unwrap();
    assert_eq!(watched.snapshot().waiting, None);
    assert!(watched.snapshot().arrived.is_some());
}

#[test]
fn what_refers_to_an_image_is_listed_also_where_only_a_tag_tells() {
    let (mut shop, image) = Shop::sample();
    let subject = super::support::images::digest(&super::support::images::manifest_blobs(&image).0);
    let mut signature = descriptor("application/vnd.oci.image.manifest.v1+json", b"signature");
    signature["artifactType"] = json!("application/vnd.example.signature");
    let index = super::support::images::index(std::slice::from_ref(&signature));
    let by_tag = {
        let mut shop = shop.clone();
        shop.put_index(&subject.replace(':', "-"), std::slice::from_ref(&signature));
        faulty(shop, |_, _| None)
    };
    let none = faulty(shop.clone(), |_, _| None);
    shop.put(&format!("referrers/{subject}"), OCI_INDEX, index);
    let by_list = faulty(shop, |_, _| None);
    for (server, expected) in [(&by_tag, 1), (&by_list, 1), (&none, 0)] {
        let registries = Customer::new().remote.registries(&nixdive::cancel::Cancel::new()).unwrap();
        let typed = format!("docker://{}/{IMAGE}", server.host);
        let nixdive::reference::Location::Registry(name) =
            nixdive::reference::Reference::parse(typed.as_ref()).unwrap().location
        else {
            panic!("{typed}");
        };
        let digest = nixdive::image::Digest::parse(&subject).unwrap();
        let found = registries.repository(&name).unwrap().referrers(&digest).unwrap();
        assert_eq!(found.len(), expected);
        assert!(found.iter().all(|one| one.kind == "application/vnd.example.signature"));
    }
}
