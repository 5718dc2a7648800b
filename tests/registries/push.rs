//! What registries do on bad days to whoever pushes.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nixdive::cancel::Cancel;
use nixdive::image::Digest;
use nixdive::open::OpenOptions;
use nixdive::rebuild::write::LayerCompression;
use nixdive::reference::Reference;
use nixdive::transfer::{Arrival, CopyDestination, CopyOptions, TransferError, TransferProgress, Way, copy, gather};

use super::server::{Manner, Reply, Seen, Server};
use super::shop::Customer;
use super::support::images::{Image, docker_archive, oci_members, sample_layers, write_directory};
use super::support::program::{PATIENCE, file, within};
use super::support::tar_bytes::Tar;
use super::support::{compress, images};
use super::warehouse::Warehouse;

/// What does not compress, so that a body is longer than what the system holds for a connection.
pub fn noise(bytes: usize) -> Vec<u8> {
    let mut seed = 7u32;
    let next = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 24) as u8
    };
    std::iter::repeat_with(next).take(bytes).collect()
}

pub fn large_image() -> Image {
    let layer = Tar::new().file("noise", noise(3 << 20)).finish();
    let mut layers = sample_layers();
    layers.push(layer);
    Image::stored_of(layers, compress::gzip)
}

impl Customer {
    pub fn layout(&self, image: Image) -> PathBuf {
        let place = self.place.path().join("layout");
        let _ = std::fs::remove_dir_all(&place);
        write_directory(&place, &oci_members(&[image]));
        place
    }

    pub fn push(&self, from: &Path, host: &str, name: &str) -> Result<Arrival, TransferError> {
        self.push_with(from, host, name, |options| options)
    }

    fn push_with(
        &self,
        from: &Path,
        host: &str,
        name: &str,
        change: impl Fn(CopyOptions) -> CopyOptions,
    ) -> Result<Arrival, TransferError> {
        let options = change(CopyOptions { remote: self.remote.clone(), ..CopyOptions::default() });
        let open = OpenOptions { remote: self.remote.clone(), ..OpenOptions::default() };
        let (from, to) = (from.to_owned(), format!("docker://{host}/{name}"));
        within(PATIENCE, move || {
            let progress = TransferProgress::new(Cancel::new());
            let reference = Reference::parse(from.as_os_str()).unwrap();
            let shipment = gather(&reference, &open, false, progress.cancel())?;
            let destination = CopyDestination::parse(to.as_ref()).unwrap();
            copy(&shipment, &destination, &options, &progress)
        })
    }

    pub fn push_refused(&self, from: &Path, host: &str) -> String {
        self.push(from, host, "team/app:1").expect_err("it should not be taken").to_string()
    }
}

/// A warehouse that answers otherwise where `fault` says something for the request of that number.
pub fn faulty(warehouse: &Warehouse, fault: impl Fn(usize, &Seen) -> Option<Reply> + Send + Sync + 'static) -> Server {
    let (count, warehouse) = (AtomicUsize::new(0), warehouse.clone());
    Server::start(move |seen| {
        fault(count.fetch_add(1, Ordering::SeqCst), seen).unwrap_or_else(|| warehouse.answer(seen))
    })
}

/// Says yes so many times.
fn times(count: usize) -> impl Fn() -> bool {
    let left = AtomicUsize::new(count);
    move || left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

fn arrived(warehouse: &Warehouse, image: &Image) {
    let (manifest, _) = images::manifest_blobs(image);
    assert_eq!(warehouse.manifest("team/app", "1").as_deref(), Some(manifest.as_slice()));
}

#[test]
fn manifest_and_blobs_arrive_as_they_are_and_are_not_sent_twice() {
    let (warehouse, customer) = (Warehouse::default(), Customer::new());
    let server = faulty(&warehouse, |_, _| None);
    let layout = customer.layout(large_image());
    let first = customer.push(&layout, &server.host, "team/app:1").unwrap();
    arrived(&warehouse, &large_image());
    assert!(first.layers.iter().all(|layer| layer.way == Way::Sent));
    // What is there need not be at hand any more.
    for layer in &first.layers {
        std::fs::remove_file(layout.join("blobs/sha256").join(layer.digest.hex())).unwrap();
    }
    let second = customer.push(&layout, &server.host, "team/app:2").unwrap();
    assert!(second.layers.iter().all(|layer| layer.way == Way::There && !layer.is_read));
    assert!(second.sent_bytes < 2000, "{}", second.sent_bytes);
    assert_eq!(second.manifest_digest, first.manifest_digest);
}

#[test]
fn layers_of_an_archive_are_known_by_what_is_under_the_tag() {
    let (warehouse, customer) = (Warehouse::default(), Customer::new());
    let server = faulty(&warehouse, |_, _| None);
    let mut layers = sample_layers();
    layers.push(Tar::new().file("noise", noise(1 << 20)).finish());
    let archive = |name: &str, layers: &[Vec<u8>]| {
        file(customer.place.path(), name, &docker_archive(&Image::new(layers.to_vec())))
    };
    customer.push(&archive("one.tar", &layers), &server.host, "team/app:1").unwrap();
    layers.push(Tar::new().file("new", b"changed").finish());
    let arrival = customer.push(&archive("two.tar", &layers), &server.host, "team/app:1").unwrap();
    let read: Vec<bool> = arrival.layers.iter().map(|layer| layer.is_read).collect();
    assert_eq!(read, [false, false, false, true]);
    let unpacked: Vec<Vec<u8>> = warehouse
        .layers("team/app", "1")
        .iter()
        .map(|layer| {
            std::io::read_to_string(flate2::read::GzDecoder::new(&layer[..])).map_or_else(
                |_| {
                    let mut bytes = Vec::new();
                    std::io::copy(&mut flate2::read::GzDecoder::new(&layer[..]), &mut bytes).unwrap();
                    bytes
                },
                String::into_bytes,
            )
        })
        .collect();
    assert_eq!(unpacked, layers);
    // Under a tag that is not there, the nearest one tells.
    let arrival = customer.push(&archive("three.tar", &layers), &server.host, "team/app:2").unwrap();
    assert!(arrival.layers.iter().all(|layer| !layer.is_read));
    // Another repository is asked only where it is named.
    let sibling = format!("{}/team/app:1", server.host);
    let arrival = customer
        .push_with(&archive("four.tar", &layers), &server.host, "other/app:1", |mut options| {
            options.siblings = vec![nixdive::reference::ImageName::parse(&sibling).unwrap()];
            options
        })
        .unwrap();
    assert!(arrival.layers.iter().all(|layer| layer.way == Way::Mounted && !layer.is_read));
}

#[test]
fn plain_layers_may_stay_plain_or_be_compressed_otherwise() {
    let customer = Customer::new();
    let archive = file(customer.place.path(), "image.tar", &docker_archive(&Image::new(sample_layers())));
    for compression in ["none", "zstd:3"] {
        let warehouse = Warehouse::default();
        let server = faulty(&warehouse, |_, _| None);
        let set = |mut options: CopyOptions| {
            options.compression = Some(LayerCompression::parse(compression).unwrap());
            options
        };
        customer.push_with(&archive, &server.host, "team/app:1", set).unwrap();
        let stored = warehouse.layers("team/app", "1");
        let plain: Vec<Vec<u8>> = match compression {
            "none" => stored,
            _ => stored.iter().map(|layer| zstd::decode_all(&layer[..]).unwrap()).collect(),
        };
        assert_eq!(plain, sample_layers(), "{compression}");
    }
}

#[test]
fn a_broken_connection_is_taken_up_where_it_broke() {
    let (warehouse, customer) = (Warehouse::default(), Customer::new());
    let layout = customer.layout(large_image());
    let once = times(1);
    let kept = warehouse.clone();
    let server = Server::start_cutting(
        move |seen| {
            (seen.method == "PUT" && seen.target.contains("uploads") && is_long(seen) && once()).then_some(1 << 20)
        },
        move |seen| kept.answer(seen),
    );
    let arrival = customer.push(&layout, &server.host, "team/app:1").unwrap();
    arrived(&warehouse, &large_image());
    let resumed = server.seen().into_iter().find(|seen| seen.method == "PATCH").expect("it goes on with a PATCH");
    assert!(resumed.header("content-range").unwrap().starts_with("1048576-"), "{:?}", resumed.headers);
    let stored: u64 = arrival.layers.iter().map(|layer| layer.stored_bytes).sum();
    assert!(arrival.sent_bytes >= stored);
}

fn is_long(seen: &Seen) -> bool {
    seen.header("content-length").and_then(|length| length.parse::<u64>().ok()).is_some_and(|length| length > 1 << 20)
}

#[test]
fn an_upload_whose_session_is_lost_is_begun_anew() {
    let (warehouse, customer) = (Warehouse::default(), Customer::new());
    let layout = customer.layout(large_image());
    let (once, kept) = (times(1), warehouse.clone());
    let server = Server::start_cutting(
        move |seen| (seen.method == "PUT" && is_long(seen) && once()).then_some(1 << 20),
        move |seen| match seen.method.as_str() {
            "GET" if seen.target.contains("uploads") => Reply::new(404, ""),
            _ => kept.answer(seen),
        },
    );
    customer.push(&layout, &server.host, "team/app:1").unwrap();
    arrived(&warehouse, &large_image());
}

#[test]
fn a_connection_that_always_breaks_is_given_up() {
    let (warehouse, customer) = (Warehouse::default(), Customer::new());
    let layout = customer.layout(large_image());
    let server = Server::start_cutting(
        |seen| (seen.method == "PUT" && is_long(seen)).then_some(10),
        move |seen| match seen.method.as_str() {
            "GET" if seen.target.contains("uploads") => Reply::new(404, ""),
            _ => warehouse.answer(seen),
        },
    );
    let error = customer.push_refused(&layout, &server.host);
    assert!(error.contains(&server.host), "{error}");
}

#[test]
fn a_registry_that_goes_away_for_a_moment_is_waited_for() {
    let (warehouse, customer) = (Warehouse::default(), Customer::new());
    let image = || Image::stored_of(vec![Tar::new().file("noise", noise(3 << 20)).finish()], compress::gzip);
    let layout = customer.layout(image());
    // It is asked three things meanwhile, five times each.
    let (once, kept) = (times(1), warehouse.clone());
    let away = Arc::new(AtomicUsize::new(0));
    let (goes, is_away) = (Arc::clone(&away), Arc::clone(&away));
    let server = Server::start_cutting(
        move |seen| {
            let cut = seen.method == "PUT" && is_long(seen) && once();
            if cut {
                goes.store(17, Ordering::SeqCst);
            }
            cut.then_some(1 << 20)
        },
        move |seen| {
            let left = is_away.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
            let reply = kept.answer(seen);
            if left.is_ok() { reply.sent(Manner::Silent(Duration::ZERO)) } else { reply }
        },
    );
    customer.push(&layout, &server.host, "team/app:1").unwrap();
    arrived(&warehouse, &image());
}

#[test]
fn a_registry_that_takes_next_to_nothing_with_every_try_is_given_up() {
    let (warehouse, customer) = (Warehouse::default(), Customer::new());
    let layout = customer.layout(large_image());
    let server = Server::start_cutting(
        |seen| (matches!(seen.method.as_str(), "PUT" | "PATCH") && is_long(seen)).then_some(1000),
        move |seen| warehouse.answer(seen),
    );
    customer.push_refused(&layout, &server.host);
    let tries = server.seen().iter().filter(|seen| seen.header("x-cut").is_some()).count();
    assert!(tries < 20, "{tries}");
}

#[test]
fn busy_registries_are_waited_for() {
    let (warehouse, customer) = (Warehouse::default(), Customer::new());
    let layout = customer.layout(Image::stored_of(sample_layers(), compress::gzip));
    let [post, put, manifest] = [times(1), times(1), times(1)];
    let server = faulty(&warehouse, move |_, seen| match seen.method.as_str() {
        "POST" if post() => Some(Reply::new(429, "").with("retry-after", "7")),
        "PUT" if seen.target.contains("uploads") && put() => Some(Reply::new(500, "")),
        "PUT" if seen.target.contains("manifests") && manifest() => Some(Reply::new(503, "").with("retry-after", "9")),
        _ => None,
    });
    customer.push(&layout, &server.host, "team/app:1").unwrap();
    assert!(warehouse.manifest("team/app", "1").is_some());
    let waits = customer.waits.seconds();
    assert!(waits.contains(&7) && waits.contains(&9), "{waits:?}");
}

#[test]
fn a_location_may_be_relative_or_on_another_host_that_sees_no_credential() {
    for elsewhere in [false, true] {
        let (warehouse, customer) = (Warehouse::default(), Customer::new());
        let layout = customer.layout(Image::stored_of(sample_layers(), compress::gzip));
        let other = faulty(&warehouse, |_, _| None);
        let (host, kept) = (other.host.clone(), warehouse.clone());
        let server = faulty(&warehouse, move |_, seen| {
            if seen.header("authorization").is_none() {
                return Some(Reply::new(401, "").with("www-authenticate", "Basic realm=\"here\""));
            }
            if seen.method != "POST" {
                return None;
            }
            let mut reply = kept.answer(seen);
            for (name, value) in &mut reply.headers {
                if name == "location" {
                    *value = match elsewhere {
                        true => format!("http://{host}{value}"),
                        false => value.rsplit_once('/').unwrap().1.to_owned(),
                    };
                }
            }
            Some(reply)
        });
        let mut customer = customer;
        customer.remote.settings.login = Some(("me".into(), nixdive::http::Secret::new("hunter2".into())));
        customer.push(&layout, &server.host, "team/app:1").unwrap();
        assert!(warehouse.manifest("team/app", "1").is_some());
        let seen = other.seen();
        assert_eq!(!seen.is_empty(), elsewhere);
        assert!(seen.iter().all(|seen| seen.header("authorization").is_none()));
    }
}

#[test]
fn a_token_that_expires_in_the_middle_is_renewed() {
    let (warehouse, mut customer) = (Warehouse::default(), Customer::new());
    let layout = customer.layout(large_image());
    customer.remote.settings.login = Some(("me".into(), nixdive::http::Secret::new("hunter2".into())));
    let tokens = Arc::new(AtomicUsize::new(0));
    let given = Arc::clone(&tokens);
    let refused = times(1);
    // In plain http a password goes to the registry's own origin alone.
    let server = faulty(&warehouse, move |_, seen| {
        if seen.target.starts_with("/token") {
            assert!(seen.target.contains("pull%2Cpush"), "{}", seen.target);
            let number = given.fetch_add(1, Ordering::SeqCst);
            return Some(Reply::new(200, format!(r#"{{"token":"token-{number}","expires_in":3600}}"#)));
        }
        let challenge = format!(r#"Bearer realm="http://{}/token",service="here""#, seen.header("host").unwrap());
        let is_refused = seen.method == "PUT" && is_long(seen) && refused();
        (seen.header("authorization").is_none() || is_refused)
            .then(|| Reply::new(401, "").with("www-authenticate", challenge.clone()))
    });
    customer.push(&layout, &server.host, "team/app:1").unwrap();
    arrived(&warehouse, &large_image());
    assert!(tokens.load(Ordering::SeqCst) >= 2);
}

#[test]
fn a_mount_that_is_not_granted_is_an_upload() {
    for status in [202, 401, 405] {
        let (warehouse, customer) = (Warehouse::default(), Customer::new());
        let kept = warehouse.clone();
        let server = faulty(&warehouse, move |_, seen| {
            if !seen.target.contains("mount=") {
                return None;
            }
            let mut begun = seen.clone();
            begun.target = seen.target.split('?').next().unwrap().to_owned();
            Some(if status == 202 { kept.answer(&begun) } else { Reply::new(status, "") })
        });
        let layout = customer.layout(Image::stored_of(sample_layers(), compress::gzip));
        customer.push(&layout, &server.host, "other/app:1").unwrap();
        let sibling = format!("{}/other/app:1", server.host);
        let arrival = customer
            .push_with(&layout, &server.host, "team/app:1", |mut options| {
                options.siblings = vec![nixdive::reference::ImageName::parse(&sibling).unwrap()];
                options
            })
            .unwrap();
        assert!(arrival.layers.iter().all(|layer| layer.way == Way::Sent), "{status}");
    }
}

#[test]
fn a_head_that_lies_or_is_not_known_is_done_without() {
    for lies in [true, false] {
        let (warehouse, customer) = (Warehouse::default(), Customer::new());
        let layout = customer.layout(large_image());
        let blobs: Vec<(String, usize)> =
            images::manifest_blobs(&large_image()).1.iter().map(|(name, bytes)| (name.clone(), bytes.len())).collect();
        let server = faulty(&warehouse, move |_, seen| {
            let digest = seen.target.rsplit_once("/blobs/sha256:").filter(|_| seen.method == "HEAD")?.1;
            if !lies {
                return Some(Reply::new(405, ""));
            }
            let (_, length) = blobs.iter().find(|(name, _)| name.ends_with(digest))?;
            Some(Reply::new(200, vec![0; *length]))
        });
        customer.push(&layout, &server.host, "team/app:1").unwrap();
        arrived(&warehouse, &large_image());
    }
}

#[test]
fn a_registry_that_takes_nothing_large_gets_parts() {
    let (warehouse, customer) = (Warehouse::default(), Customer::new());
    let layout = customer.layout(large_image());
    let server = faulty(&warehouse, |_, seen| {
        let length = seen.header("content-length").and_then(|length| length.parse::<usize>().ok()).unwrap_or(0);
        (length > 1 << 20).then(|| Reply::new(413, ""))
    });
    customer.push(&layout, &server.host, "team/app:1").unwrap();
    arrived(&warehouse, &large_image());
    assert!(server.seen().iter().filter(|seen| seen.method == "PATCH").count() > 3);
}

#[test]
fn refusals_say_what_was_done_and_what_to_do() {
    let answers: [(u16, &str, &str); 5] = [
        (405, "", "it may be read-only"),
        (403, r#"{"errors":[{"code":"DENIED","message":"no"}]}"#, "permission to write"),
        (413, "", "larger than"),
        (507, "", "quota"),
        (404, r#"{"errors":[{"code":"NAME_UNKNOWN","message":"who"}]}"#, "must be created before"),
    ];
    for (status, body, words) in answers {
        let (warehouse, customer) = (Warehouse::default(), Customer::new());
        let layout = customer.layout(Image::stored_of(sample_layers(), compress::gzip));
        let server = faulty(&warehouse, move |_, seen| (seen.method == "POST").then(|| Reply::new(status, body)));
        let error = customer.push_refused(&layout, &server.host);
        assert!(error.contains(words) && error.contains(&server.host) && error.contains("team/app"), "{error}");
    }
}

#[test]
fn a_manifest_that_is_taken_for_another_is_an_error() {
    let (warehouse, customer) = (Warehouse::default(), Customer::new());
    let layout = customer.layout(Image::stored_of(sample_layers(), compress::gzip));
    let server = faulty(&warehouse, |_, seen| {
        let other = format!("sha256:{}", "0".repeat(64));
        (seen.method == "PUT" && seen.target.contains("manifests"))
            .then(|| Reply::new(201, "").with("docker-content-digest", other))
    });
    let error = customer.push_refused(&layout, &server.host);
    assert!(error.contains("should have the digest sha256:0000"), "{error}");
}

#[test]
fn a_source_that_is_not_what_it_says_is_found_out() {
    let (warehouse, customer) = (Warehouse::default(), Customer::new());
    let layout = customer.layout(large_image());
    let (_, blobs) = images::manifest_blobs(&large_image());
    let (name, mut bytes) = blobs.into_iter().max_by_key(|(_, bytes)| bytes.len()).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(layout.join(&name), &bytes).unwrap();
    let server = faulty(&warehouse, |_, _| None);
    let error = customer.push_refused(&layout, &server.host);
    assert!(error.contains("digest mismatch"), "{error}");
    std::fs::write(layout.join(&name), &bytes[..1000]).unwrap();
    let error = customer.push_refused(&layout, &server.host);
    assert!(error.contains("cannot be read") && error.contains("ends after 1000 of"), "{error}");
    assert!(warehouse.manifest("team/app", "1").is_none());
}

#[test]
fn silence_and_drips_come_to_an_end() {
    for manner in [Manner::Silent(Duration::from_secs(20)), Manner::Drip(Duration::from_millis(20))] {
        let (warehouse, customer) = (Warehouse::default(), Customer::new());
        let layout = customer.layout(Image::stored_of(sample_layers(), compress::gzip));
        let server = faulty(&warehouse, move |_, seen| {
            let long = r#"{"errors":[{"code":"UNKNOWN","message":""}]}"#.repeat(100);
            (seen.method == "POST").then(|| Reply::new(400, long).sent(manner))
        });
        let begun = Instant::now();
        customer.push_refused(&layout, &server.host);
        assert!(begun.elapsed() < Duration::from_secs(20));
    }
}

#[test]
fn a_push_that_is_cancelled_ends_at_once() {
    let (warehouse, customer) = (Warehouse::default(), Customer::new());
    let layout = customer.layout(large_image());
    let server = faulty(&warehouse, |_, seen| {
        (seen.method == "PUT").then(|| Reply::new(201, "").sent(Manner::Silent(Duration::from_secs(30))))
    });
    let mut remote = customer.remote.clone();
    remote.http.silence = Duration::from_secs(60);
    let host = server.host.clone();
    let (error, took) = within(PATIENCE, move || {
        let progress = TransferProgress::new(Cancel::new());
        let cancel = progress.cancel().clone();
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(500));
            cancel.cancel();
        });
        let shipment =
            gather(&Reference::parse(layout.as_os_str()).unwrap(), &OpenOptions::default(), false, progress.cancel());
        let destination = CopyDestination::parse(format!("docker://{host}/team/app:1").as_ref()).unwrap();
        let options = CopyOptions { remote, ..CopyOptions::default() };
        let begun = Instant::now();
        (copy(&shipment.unwrap(), &destination, &options, &progress).unwrap_err(), begun.elapsed())
    });
    assert!(matches!(error, TransferError::Cancelled), "{error}");
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[test]
fn what_is_there_is_told_by_its_length_and_digest() {
    let (warehouse, customer) = (Warehouse::default(), Customer::new());
    let layout = customer.layout(Image::stored_of(sample_layers(), compress::gzip));
    let server = faulty(&warehouse, |_, _| None);
    let arrival = customer.push(&layout, &server.host, "team/app:1").unwrap();
    let registries = customer.remote.registries(&Cancel::new()).unwrap();
    let name = nixdive::reference::ImageName::parse(&format!("{}/team/app:1", server.host)).unwrap();
    let repository = registries.repository(&name).unwrap();
    let layer = &arrival.layers[0];
    assert_eq!(repository.has_blob(&layer.digest).unwrap(), Some(layer.stored_bytes));
    let other = Digest::parse(&format!("sha256:{}", "0".repeat(64))).unwrap();
    assert_eq!(repository.has_blob(&other).unwrap(), None);
}
