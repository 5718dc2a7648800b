//! What is kept, and found again.

use std::fs;

use nixdive::cache::ItemKind;
use nixdive::image::DigestCheck;
use nixdive::open::Verify;

use super::server::Server;
use super::shop::{Customer, Shop};
use super::support::images::{Image, MOTD, docker_archive, sample_layers};
use super::support::program::{content, paths};

const IMAGE: &str = "team/app:1";

fn shop() -> Server {
    let (shop, _) = Shop::sample();
    Server::start(move |seen| shop.answer(seen))
}

#[test]
fn what_is_kept_opens_with_one_head_and_offline_with_nothing() {
    let (server, mut customer) = (shop(), Customer::new().with_cache());
    let first = customer.open(&server.host, IMAGE).unwrap();
    server.take_requests();
    let second = customer.open(&server.host, IMAGE).unwrap();
    assert_eq!(server.take_requests(), ["HEAD /v2/team/app/manifests/1"]);
    customer.remote.offline = true;
    let third = customer.open(&server.host, IMAGE).unwrap();
    assert!(server.take_requests().is_empty());
    for again in [&second, &third] {
        assert_eq!(paths(again), paths(&first));
        assert_eq!(content(again, "/etc/motd"), MOTD.as_bytes());
        for (known, read) in again.image.layers.iter().zip(&first.image.layers) {
            assert_eq!(known.diff_id_check, DigestCheck::Matches);
            assert_eq!(
                (known.compression, known.unpacked_bytes, known.entries),
                (read.compression, read.unpacked_bytes, read.entries)
            );
        }
    }
    let error = customer.refused(&server.host, "team/app:2");
    assert!(error.contains("--offline"), "{error}");
}

#[test]
fn a_tag_that_moved_is_noticed() {
    let (mut first, image) = Shop::sample();
    let customer = Customer::new().with_cache();
    first.add(&image, "moving");
    let host = {
        let server = Server::start(move |seen| first.answer(seen));
        customer.open(&server.host, "team/app:moving").unwrap();
        server.host.clone()
    };
    // The name leads to another manifest: as far as the cache knows, it did so before.
    let cache = customer.remote.cache.as_ref().unwrap();
    let name = format!("{host}/team/app:moving");
    let mut known = cache.manifest(&name).unwrap();
    let config = super::support::images::digest(&image.config_bytes());
    known.digest = nixdive::image::Digest::parse(&config).unwrap();
    cache.keep_manifest(&name, &known);
    assert_eq!(customer.open(&host, "team/app:moving").unwrap().image.layers.len(), 2);
}

#[test]
fn files_that_were_tampered_with_are_fetched_again() {
    let (server, customer) = (shop(), Customer::new().with_cache());
    customer.open(&server.host, IMAGE).unwrap();
    let cache = customer.remote.cache.as_ref().unwrap();
    let kinds = [&[ItemKind::Blob][..], &[ItemKind::Layer], &[ItemKind::Blob, ItemKind::Layer, ItemKind::Unpacked]];
    for kinds in kinds {
        for item in cache.items().iter().filter(|item| kinds.contains(&item.kind)) {
            let mut bytes = fs::read(&item.path).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 0x20;
            fs::write(&item.path, bytes).unwrap();
        }
        let opened = customer.open(&server.host, IMAGE).unwrap();
        assert_eq!(content(&opened, "/etc/motd"), MOTD.as_bytes(), "{kinds:?}");
        assert!(opened.image.warnings.is_empty(), "{:?}", opened.image.warnings);
    }
}

#[test]
fn a_layer_is_known_again_whatever_it_came_from() {
    let (gzip, image) = Shop::sample();
    let server = Server::start(move |seen| gzip.answer(seen));
    let customer = Customer::new().with_cache();
    customer.open(&server.host, IMAGE).unwrap();
    let tars = image.layers.iter().map(|layer| layer.tar.clone()).collect();
    let mut zstd = Shop::default();
    zstd.add(&super::support::images::Image::stored_of(tars, super::support::compress::zstd), "1");
    let other = Server::start(move |seen| zstd.answer(seen));
    let opened = customer.open(&other.host, IMAGE).unwrap();
    assert!(opened.image.layers.iter().all(|layer| layer.diff_id_check == DigestCheck::NotChecked));
    let blobs = |requests: Vec<String>| requests.iter().filter(|request| request.contains("/blobs/")).count();
    // The configuration is the same one.
    assert_eq!(blobs(other.take_requests()), 0);
    // Its content is fetched once it is asked for.
    assert_eq!(content(&opened, "/etc/motd"), MOTD.as_bytes());
}

#[test]
fn a_cache_that_cannot_be_written_is_done_without() {
    let server = shop();
    let mut customer = Customer::new();
    let file = customer.write("file", "");
    customer.remote.cache = Some(nixdive::cache::Cache::new(&file, 1 << 30));
    let opened = customer.open(&server.host, IMAGE).unwrap();
    assert_eq!(content(&opened, "/etc/motd"), MOTD.as_bytes());
}

/// Who builds with Nix has no home directory, and what is at hand is read again as fast as a cache would be.
#[test]
fn what_is_at_hand_leaves_nothing_in_the_cache() {
    let (_, image) = Shop::sample();
    let customer = Customer::new().with_cache();
    let archive = docker_archive(&Image::new(sample_layers()));
    let archive = super::support::compress::gzip(&archive);
    let layout = super::support::images::oci_members(std::slice::from_ref(&image));
    let layout = super::support::images::write_directory(&customer.place.path().join("layout"), &layout);
    let file = super::support::program::file(customer.place.path(), "image.tar.gz", &archive);
    let cache = customer.remote.cache.as_ref().unwrap();
    for local in [file, layout] {
        super::support::program::open_with(&local, customer.options()).unwrap();
        assert!(!cache.root().exists(), "{}", local.display());
    }
}

/// The image as whoever certifies it opens it.
fn certified(customer: &Customer, host: &str) -> nixdive::open::Opened {
    let options = nixdive::open::OpenOptions { verify: Verify::All, ..customer.options() };
    super::support::program::open_with(format!("docker://{host}/{IMAGE}"), options).unwrap()
}

/// An image whose configuration claims the layers of another one, which is in the cache; its blobs are something else.
#[test]
fn a_claim_does_not_decide_a_verdict() {
    let (victim, honest) = Shop::sample();
    let (server, customer) = (Server::start(move |seen| victim.answer(seen)), Customer::new().with_cache());
    customer.open(&server.host, IMAGE).unwrap();
    let evil: Vec<Vec<u8>> =
        ["one", "two"].map(|name| super::support::tar_bytes::Tar::new().file(name, "evil").finish()).to_vec();
    let mut liar = Image::stored_of(evil, super::support::compress::gzip);
    liar.config["rootfs"] = honest.config["rootfs"].clone();
    let mut shop = Shop::default();
    shop.add(&liar, "1");
    let other = Server::start(move |seen| shop.answer(seen));
    let certified = certified(&customer, &other.host);
    assert_eq!(paths(&certified), ["/one", "/two"]);
    assert!(certified.image.layers.iter().all(|layer| matches!(layer.diff_id_check, DigestCheck::Differs { .. })));
    assert!(!certified.image.is_complete());
}

/// A tree in the cache that somebody has written there, with a checksum that is right.
#[test]
fn a_forged_tree_does_not_decide_a_verdict() {
    let (server, customer) = (shop(), Customer::new().with_cache());
    let first = customer.open(&server.host, IMAGE).unwrap();
    let cache = customer.remote.cache.as_ref().unwrap();
    for item in cache.items().iter().filter(|item| item.kind == ItemKind::Layer) {
        let mut bytes = fs::read(&item.path).unwrap();
        let body = bytes.len() - 32;
        let at = bytes.windows(4).position(|window| window == b"motd" || window == b"tool").unwrap();
        bytes[at] = b'X';
        let checksum = blake3::hash(&bytes[..body]);
        bytes[body..].copy_from_slice(checksum.as_bytes());
        fs::write(&item.path, bytes).unwrap();
    }
    let certified = certified(&customer, &server.host);
    assert_eq!(paths(&certified), paths(&first));
    assert!(certified.image.is_complete(), "{:?}", certified.image.defects);
}

#[test]
fn a_cache_that_others_can_write_to_is_not_used() {
    use std::os::unix::fs::PermissionsExt;
    let (server, customer) = (shop(), Customer::new().with_cache());
    customer.open(&server.host, IMAGE).unwrap();
    let root = customer.remote.cache.as_ref().unwrap().root().to_owned();
    let mode = || fs::metadata(&root).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(), 0o700);
    server.take_requests();
    // What others could only read is closed to them; what they could write to is left alone.
    for (given, left, fetches) in [(0o755, 0o700, false), (0o770, 0o770, true), (0o777, 0o777, true)] {
        fs::set_permissions(&root, fs::Permissions::from_mode(given)).unwrap();
        let mut again = Customer::new();
        again.remote.cache = Some(nixdive::cache::Cache::new(&root, 1 << 30));
        again.open(&server.host, IMAGE).unwrap();
        let fetched = server.take_requests().iter().any(|request| request.contains("/blobs/"));
        assert_eq!((mode(), fetched), (left, fetches), "{given:o}");
    }
}
